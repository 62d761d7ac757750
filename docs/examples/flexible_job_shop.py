"""The flexible job shop with optional intervals, as a plain CP-SAT model and as an environment.

Each job is a sequence of tasks, and each task may run on one of several machines, with a duration
that depends on the machine. Every alternative has variables of its own, tied to those of the task
where it is chosen; the shortest schedule is sought. Nothing in ``build_model`` knows of cpsched.
"""

from __future__ import annotations

from ortools.sat.python import cp_model

NUM_MACHINES = 5

# JOBS[job][task] = {machine: duration}.
JOBS = (
    ({0: 7, 1: 9}, {2: 5}, {1: 6, 3: 4, 4: 8}, {0: 3, 4: 5}),
    ({2: 8, 3: 6}, {0: 4, 1: 7}, {4: 9}, {1: 5, 2: 6}),
    ({1: 3, 4: 6}, {3: 7, 4: 5}, {0: 8, 2: 9}, {3: 4}, {1: 6, 2: 3}),
    ({0: 5}, {1: 8, 2: 6, 3: 9}, {0: 6, 4: 4}),
    ({3: 9, 4: 7}, {0: 5, 2: 4}, {1: 7}, {3: 6, 4: 8}),
    ({1: 4, 2: 5}, {3: 3, 4: 6}, {0: 9, 1: 6}, {2: 7}, {0: 4, 3: 5}),
    ({2: 6}, {0: 3, 3: 5}, {1: 4, 4: 7}, {2: 8, 3: 9}),
)


def build_model() -> cp_model.CpModel:
    """Model whose objective is the makespan."""
    model = cp_model.CpModel()
    horizon = sum(max(choices.values()) for tasks in JOBS for choices in tasks)

    on_machine: list[list[cp_model.IntervalVar]] = [[] for _ in range(NUM_MACHINES)]
    last_ends = []
    for job, tasks in enumerate(JOBS):
        previous_end = None
        for task, choices in enumerate(tasks):
            name = f"job {job} task {task}"
            start = model.new_int_var(0, horizon, f"start of {name}")
            end = model.new_int_var(0, horizon, f"end of {name}")
            if previous_end is not None:
                model.add(start >= previous_end)
            previous_end = end

            if len(choices) == 1:
                ((machine, duration),) = choices.items()
                on_machine[machine].append(model.new_interval_var(start, duration, end, name))
                continue

            shortest, longest = min(choices.values()), max(choices.values())
            length = model.new_int_var(shortest, longest, f"length of {name}")
            model.new_interval_var(start, length, end, name)
            chosen = []
            for machine, duration in choices.items():
                suffix = f"{name} on {machine}"
                here = model.new_bool_var(f"{suffix}?")
                local_start = model.new_int_var(0, horizon, f"start of {suffix}")
                local_end = model.new_int_var(0, horizon, f"end of {suffix}")
                on_machine[machine].append(
                    model.new_optional_interval_var(local_start, duration, local_end, here, suffix)
                )
                model.add(start == local_start).only_enforce_if(here)
                model.add(length == duration).only_enforce_if(here)
                model.add(end == local_end).only_enforce_if(here)
                chosen.append(here)
            model.add_exactly_one(chosen)
        last_ends.append(previous_end)

    for intervals in on_machine:
        model.add_no_overlap(intervals)

    makespan = model.new_int_var(0, horizon, "makespan")
    model.add_max_equality(makespan, last_ends)
    model.minimize(makespan)
    return model


if __name__ == "__main__":
    from episode import main

    main(build_model)
