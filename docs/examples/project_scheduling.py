"""Project scheduling with cumulative resources, as a plain CP-SAT model and as an environment.

A small house is built. Every activity has a duration in days, activities that have to end before
it may start, and a number of carpenters, labourers and lorries it needs all the while; the
shortest project is sought. Nothing in ``build_model`` knows of cpsched.
"""

from __future__ import annotations

from ortools.sat.python import cp_model

CREWS = {"carpenters": 4, "labourers": 6, "lorries": 2}

# Activity: days, (carpenters, labourers, lorries), what must be over before.
ACTIVITIES = {
    "survey": (2, (0, 1, 0), ()),
    "clear the site": (3, (0, 3, 1), ("survey",)),
    "access road": (4, (0, 3, 2), ("survey",)),
    "excavate": (5, (0, 4, 2), ("clear the site", "access road")),
    "drains": (4, (0, 3, 1), ("excavate",)),
    "formwork": (3, (3, 1, 0), ("excavate",)),
    "pour the slab": (2, (1, 4, 2), ("formwork", "drains")),
    "well": (6, (0, 2, 1), ("access road",)),
    "wall panels": (5, (3, 1, 0), ("survey",)),
    "roof trusses": (6, (2, 0, 0), ("survey",)),
    "raise the walls": (4, (3, 3, 1), ("pour the slab", "wall panels")),
    "raise the roof": (3, (4, 2, 1), ("raise the walls", "roof trusses")),
    "tiles": (4, (2, 3, 1), ("raise the roof",)),
    "windows": (3, (2, 1, 0), ("raise the walls",)),
    "pipes": (4, (0, 2, 0), ("raise the walls", "drains")),
    "wiring": (5, (0, 2, 0), ("raise the roof",)),
    "pump house": (3, (2, 2, 0), ("well",)),
    "plaster": (5, (0, 4, 0), ("pipes", "wiring", "windows")),
    "floors": (4, (3, 1, 0), ("plaster",)),
    "stairs": (3, (2, 0, 0), ("plaster",)),
    "paint": (4, (0, 3, 0), ("floors", "stairs")),
    "terrace": (4, (2, 2, 1), ("tiles",)),
    "fence": (5, (1, 2, 1), ("terrace",)),
    "garden": (6, (0, 4, 2), ("terrace", "pump house")),
}


def build_model() -> cp_model.CpModel:
    """Model whose objective is the length of the project in days."""
    model = cp_model.CpModel()
    horizon = sum(days for days, _, _ in ACTIVITIES.values())

    intervals = {}
    starts = {}
    ends = {}
    for name, (days, _, _) in ACTIVITIES.items():
        starts[name] = model.new_int_var(0, horizon, f"start of {name}")
        ends[name] = model.new_int_var(0, horizon, f"end of {name}")
        intervals[name] = model.new_interval_var(starts[name], days, ends[name], name)

    for name, (_, _, predecessors) in ACTIVITIES.items():
        for predecessor in predecessors:
            model.add(starts[name] >= ends[predecessor])

    for index, capacity in enumerate(CREWS.values()):
        users = [name for name, (_, needs, _) in ACTIVITIES.items() if needs[index]]
        model.add_cumulative(
            [intervals[name] for name in users],
            [ACTIVITIES[name][1][index] for name in users],
            capacity,
        )

    makespan = model.new_int_var(0, horizon, "makespan")
    model.add_max_equality(makespan, list(ends.values()))
    model.minimize(makespan)
    return model


if __name__ == "__main__":
    from episode import main

    main(build_model)
