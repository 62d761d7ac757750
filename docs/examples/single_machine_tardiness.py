"""One machine, release dates, due dates and weights, as a plain CP-SAT model and environment.

Orders arrive during the day and are worked off one at a time. Each has a due time and a price for
every minute it is late; the least total price is sought. Nothing in ``build_model`` knows of
cpsched.
"""

from __future__ import annotations

from ortools.sat.python import cp_model

# (release, duration, due, weight) of each order, in minutes; the weight is the price per minute.
ORDERS = (
    (0, 12, 40, 3),
    (0, 20, 35, 1),
    (5, 8, 20, 5),
    (10, 15, 75, 2),
    (15, 10, 45, 4),
    (20, 25, 110, 3),
    (30, 6, 50, 6),
    (35, 18, 90, 2),
    (40, 9, 70, 5),
    (55, 14, 100, 1),
    (60, 11, 95, 4),
    (70, 7, 105, 3),
    (80, 16, 140, 2),
    (90, 5, 120, 6),
)


def build_model() -> cp_model.CpModel:
    """Model whose objective is the total weighted tardiness."""
    model = cp_model.CpModel()
    horizon = max(release for release, _, _, _ in ORDERS)
    horizon += sum(duration for _, duration, _, _ in ORDERS)

    intervals = []
    late = []
    for order, (release, duration, due, _) in enumerate(ORDERS):
        start = model.new_int_var(release, horizon, f"start of {order}")
        interval = model.new_fixed_size_interval_var(start, duration, f"order {order}")
        tardiness = model.new_int_var(0, horizon, f"tardiness of {order}")
        model.add_max_equality(tardiness, [0, start + duration - due])
        intervals.append(interval)
        late.append(tardiness)
    model.add_no_overlap(intervals)

    weights = [weight for _, _, _, weight in ORDERS]
    model.minimize(cp_model.LinearExpr.weighted_sum(late, weights))
    return model


if __name__ == "__main__":
    from episode import main

    main(build_model)
