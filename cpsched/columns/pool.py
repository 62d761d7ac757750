"""The bound of one big bin: all bins poured together, resource by resource.

Where bins hold many items this is nearly as strong as the patterns of single bins, and it costs a
linear program with a row a resource. The bound is evaluated in integers from rounded prices of the
resources, as ``lagrange`` does from prices of the items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ortools.math_opt.python import mathopt

from cpsched.columns.integer import SOLVER_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cpsched.columns.packing import Aim, Bins, Items

#: Prices are rounded to multiples of 1 / _SCALE of an aim's unit for the whole of a resource.
_SCALE = 2**40


def pool_bound(items: Items, bins: Bins, aims: Sequence[Aim], floors: Sequence[int]) -> int:
    """Upper bound of the last of *aims*, the earlier ones at their *floors* at least.

    Raises nothing: without an answer of the solver the bound is that of everything placed.
    """
    last = aims[-1]
    trivial = last.most(items)
    capacity = (bins.capacity * bins.number[:, None]).sum(axis=0).tolist()
    used = [r for r, room in enumerate(capacity) if room > 0]
    model = mathopt.Model()
    types = range(items.number)
    # A type that fits in no bin alone does not fit in all of them together.
    most = np.minimum(items.count, (bins.limit * bins.number[:, None]).sum(axis=0))
    z = [model.add_variable(lb=0, ub=int(n)) for n in most]
    p = [model.add_variable(lb=0, ub=int(n)) for n in np.minimum(most, items.running)]
    for i in types:
        model.add_linear_constraint(p[i] <= z[i])
    rows = []
    for r in used:
        share = items.weight[:, r] / capacity[r]
        rows.append(
            model.add_linear_constraint(
                mathopt.fast_sum(float(share[i]) * z[i] for i in types if share[i]) <= 1.0
            )
        )

    def expression(aim: Aim) -> mathopt.LinearSum:
        # Nothing keeps items from staying here: at home are all that are kept.
        kept = aim.kept + aim.home
        return mathopt.fast_sum(
            [float(aim.placed[i]) * z[i] for i in types if aim.placed[i]]
            + [float(kept[i]) * p[i] for i in types if kept[i]]
        )

    held = [
        model.add_linear_constraint(expression(aim) >= floor)
        for aim, floor in zip(aims[:-1], floors, strict=True)
    ]
    model.maximize(expression(last))
    try:
        result = mathopt.solve(model, mathopt.SolverType.HIGHS)
    except SOLVER_ERRORS:
        return trivial
    if result.termination.reason is not mathopt.TerminationReason.OPTIMAL:
        return trivial
    room_price = [max(0, round(v * _SCALE)) for v in result.dual_values(rows)]
    floor_price = [max(0, round(-v * _SCALE)) for v in result.dual_values(held)]
    # The price of an item: resources are priced per unit, so the common denominator is the
    # product of the capacities; everything below is an exact fraction over it.
    denominator = 1
    for r in used:
        denominator *= capacity[r]
    bound = sum(room_price) * denominator
    per_unit = [
        price * (denominator // capacity[r]) for r, price in zip(used, room_price, strict=True)
    ]
    for floor, price in zip(floors, floor_price, strict=True):
        bound -= price * int(floor) * denominator
    weights = [(last, _SCALE), *zip(aims[:-1], floor_price, strict=True)]
    for i in types:
        cost = sum(int(items.weight[i, r]) * u for r, u in zip(used, per_unit, strict=True))
        gain = sum(price * int(aim.placed[i]) for aim, price in weights) * denominator
        kept = sum(price * int(aim.kept[i] + aim.home[i]) for aim, price in weights) * denominator
        running = int(min(most[i], items.running[i]))
        others = int(most[i]) - running
        placed = gain - cost
        bound += running * max(0, placed, placed + kept) + others * max(0, placed)
    return int(min(trivial, bound // (_SCALE * denominator)))
