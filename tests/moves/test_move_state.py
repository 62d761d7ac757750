"""The move engine against CP-SAT: legal exactly if the model says so, with the same objective."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from construction_models import assignment, optional_intervals, schedule
from move_models import assign, fragments, pods, random_moves, random_stairs
from ortools.sat.python import cp_model
from random_models import solutions
from verdicts import inner_sum, solve

from cpsched.errors import InputError
from cpsched.formulation import Assign, Reject
from cpsched.moves import MoveState, compile_moves

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cpsched.formulation import Formulation


def after(state: MoveState[Any], decision: int) -> dict[int, int]:
    """Values of all decided variables with one more decision taken, said independently."""
    formulation, item_of = state.formulation, state.moves.item_of
    values = dict(zip(state.moves.bits.tolist(), state.bits.tolist(), strict=True))
    for other in np.flatnonzero(item_of == item_of[decision]).tolist():
        taken = formulation.decisions[other]
        refs = [taken.literal] if isinstance(taken, Assign) else taken.literals
        for ref in refs:
            values[ref if ref >= 0 else -ref - 1] = int(ref < 0)
    chosen = formulation.decisions[decision]
    if isinstance(chosen, Assign):
        ref = chosen.literal
        values[ref if ref >= 0 else -ref - 1] = int(ref >= 0)
    return values


def compare(state: MoveState[Any]) -> int:
    """Every decision against CP-SAT; returns how many are legal."""
    model = state.formulation.model
    now = dict(zip(state.moves.bits.tolist(), state.bits.tolist(), strict=True))
    mask, changes = state.mask(), state.changes()
    for decision in range(state.num_decisions):
        then = after(state, decision)
        status, objective, values = "INFEASIBLE", 0.0, []
        if all(v < len(model.proto.variables) for v in then):
            status, objective, values = solve(model, then)
        assert mask[decision] == (then != now and status == "OPTIMAL"), decision
        if mask[decision]:
            assert state.total() + changes[decision] == inner_sum(state.formulation, values)
            twin = state.copy()
            twin.apply(decision)
            assert twin.total() == state.total() + changes[decision]
            # CP-SAT's is a float, rounded by its presolve; ours is exact.
            assert twin.objective() == round(objective)
            assert twin.bits.tolist() == [then[v] for v in state.moves.bits.tolist()]
        else:
            assert changes[decision] == 0
    return int(mask.sum())


def walk(state: MoveState[Any], seed: int, steps: int) -> Iterator[None]:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        yield
        if not len(state.legal()):
            return
        state.apply(int(rng.choice(state.legal())))
    yield


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_legal_exactly_if_the_model_says_so(seed: int, deep: bool) -> None:
    model, start = random_moves(seed, deep=deep)
    state = MoveState(assign(model), start)
    assert deep or not state.moves.deep_bits
    for _ in walk(state, seed, 4):
        compare(state)
        status, objective, values = solve(
            model, dict(zip(state.moves.bits.tolist(), state.bits.tolist(), strict=True))
        )
        assert (status, round(objective)) == ("OPTIMAL", state.objective())
        assert state.values().tolist() == values


@pytest.mark.parametrize("seed", range(40))
def test_stairs_are_exact_and_need_no_propagation(seed: int) -> None:
    model, start = random_stairs(seed)
    moves = compile_moves(assign(model))
    state = MoveState(moves, start)
    assert not moves.deep_bits
    for _ in walk(state, seed, 4):
        compare(state)
        fresh = MoveState(moves, state.values())
        assert np.array_equal(fresh.mask(), state.mask())
        assert np.array_equal(fresh.changes(), state.changes())
        assert fresh.total() == state.total()


def test_what_is_no_stair_stays_deep() -> None:
    """A variable that is pressed to the other side, held on both, or in another constraint."""
    for spoil in range(5):
        model = cp_model.CpModel()
        x, y = model.new_bool_var("x"), model.new_bool_var("y")
        model.add_exactly_one(x, y)
        slots = model.new_int_var(0, 3, "slots")
        model.add(4 * slots + 5 * x <= 12)
        if spoil == 1:
            model.add(slots >= y)
        elif spoil == 3:
            model.add(slots <= 2).only_enforce_if(x)
        elif spoil == 4:
            model.add_linear_constraint(slots + x, 0, 3)
        if spoil == 2:
            model.minimize(slots + x)
        else:
            model.maximize(slots + x)
        state = MoveState(assign(model), solve(model, {0: 1})[2])
        assert bool(state.moves.deep_bits) is (spoil > 0), spoil
        compare(state)


def test_the_random_models_are_no_trivial_ones() -> None:
    legal = rows = deep = 0
    for seed in range(25):
        model, start = random_moves(seed, deep=True)
        state = MoveState(assign(model), start)
        legal += len(state.legal())
        rows += int(state.static[3])
        deep += bool(state.moves.deep_bits)
    assert legal >= 50
    assert rows >= 100
    assert deep >= 10


@pytest.mark.parametrize("seed", range(3))
def test_masks_stay_exact_over_many_moves(seed: int) -> None:
    model, start = pods(seed, 12, 4)
    moves = compile_moves(assign(model))
    state = MoveState(moves, start)
    for _ in walk(state, seed, 200):
        fresh = MoveState(moves, state.bits.copy())
        assert np.array_equal(fresh.mask(), state.mask())
        assert np.array_equal(fresh.changes(), state.changes())
        assert np.array_equal(fresh.current, state.current)
        assert fresh.total() == state.total()


@pytest.mark.parametrize("seed", range(8))
def test_deep_masks_stay_exact_over_many_moves(seed: int) -> None:
    model, start = random_moves(100 + seed, deep=True)
    moves = compile_moves(assign(model))
    state = MoveState(moves, start)
    for _ in walk(state, seed, 30):
        fresh = MoveState(moves, state.values())
        assert np.array_equal(fresh.mask(), state.mask())
        assert np.array_equal(fresh.changes(), state.changes())


@pytest.mark.parametrize("seed", range(3))
def test_a_component_for_each_bin(seed: int) -> None:
    model, start = fragments(seed, 8, 4)
    moves = compile_moves(assign(model))
    assert len(moves.deep_bits) == 4
    state = MoveState(moves, start)
    for _ in walk(state, seed, 60):
        fresh = MoveState(moves, state.values())
        assert np.array_equal(fresh.mask(), state.mask())
        assert np.array_equal(fresh.changes(), state.changes())
    assert compare(state) > 5


def key(state: MoveState[Any]) -> tuple[int, ...]:
    return tuple(state.bits.tolist())


def reachable(state: MoveState[Any], budget: int) -> dict[tuple[int, ...], int]:
    """Least sum inside by assignment, over everything within *budget* moves."""
    found = {key(state): state.total()}
    front = [state]
    for _ in range(budget):
        following = []
        for one in front:
            for decision in one.legal().tolist():
                twin = one.copy()
                twin.apply(decision)
                if key(twin) not in found:
                    found[key(twin)] = twin.total()
                    following.append(twin)
        front = following
    return found


def choices(formulation: Formulation[Any], state: MoveState[Any], bits: tuple[int, ...]) -> Any:
    """What is in force, item by item, of an assignment."""
    values = dict(zip(state.moves.bits.tolist(), bits, strict=True))
    items: dict[int, list[int]] = {}
    for decision, item in enumerate(state.moves.item_of.tolist()):
        taken = formulation.decisions[decision]
        refs = [taken.literal] if isinstance(taken, Assign) else taken.literals
        items.setdefault(item, []).extend(
            values[ref] if ref >= 0 else 1 - values[-ref - 1] for ref in refs
        )
    return tuple(map(tuple, items.values()))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_reachable_is_what_single_changes_between_solutions_reach(seed: int, deep: bool) -> None:
    model, start = random_moves(300 + seed, deep=deep)
    formulation = assign(model)
    state = MoveState(formulation, start)
    points = solutions(model)
    every = {tuple(row[state.moves.bits].tolist()) for row in points}
    by_items = {choices(formulation, state, bits): bits for bits in every}
    budget = 3
    expected = {choices(formulation, state, key(state))}
    for _ in range(budget):
        expected |= {
            one
            for one in by_items
            for other in expected
            if sum(a != b for a, b in zip(one, other, strict=True)) == 1
        }
    assert set(reachable(state, budget)) == {by_items[items] for items in expected}


@pytest.mark.parametrize("budget", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_best_within_a_budget_is_the_optimum(seed: int, budget: int) -> None:
    rng = np.random.default_rng(seed)
    model, items, bins = cp_model.CpModel(), 5, 3
    into = [[model.new_bool_var(f"item{i}_bin{b}") for b in range(bins)] for i in range(items)]
    for literals in into:
        model.add_exactly_one(literals)
    sizes = rng.integers(1, 9, items).tolist()
    fullest = model.new_int_var(0, 99, "fullest")
    for b in range(bins):
        model.add(fullest >= sum(sizes[i] * into[i][b] for i in range(items)))
    cost = rng.integers(0, 4, (items, bins)).tolist()
    model.minimize(
        3 * fullest + sum(cost[i][b] * into[i][b] for i in range(items) for b in range(bins))
    )
    start = [int(b == 0) for _ in range(items) for b in range(bins)] + [0]
    best = min(reachable(MoveState(assign(model), start), budget).values())
    limited = model.clone()
    limited.add(sum(into[i][0] for i in range(items)) >= items - budget)
    status, objective, _ = solve(limited, {})
    assert (status, round(objective)) == ("OPTIMAL", best)


def test_huge_objectives_are_exact() -> None:
    model = cp_model.CpModel()
    literals = [model.new_bool_var(f"x{k}") for k in range(3)]
    model.add_exactly_one(literals)
    model.minimize(sum((2**58 + k) * x for k, x in enumerate(literals)) + 2**53 + 2)
    state = MoveState(assign(model), [1, 0, 0])
    state.apply(1)
    assert state.objective() == 2**58 + 1 + 2**53 + 2
    assert type(state.objective()) is int


def test_both_literals_of_a_variable_in_one_item() -> None:
    model = cp_model.CpModel()
    x, y = model.new_bool_var("x"), model.new_bool_var("y")
    model.add_exactly_one(x, ~x)
    model.add_exactly_one(y, ~y)
    model.add(x + y <= 1)
    model.maximize(2 * x + y)
    state = MoveState(assign(model), [0, 1])
    assert state.legal().tolist() == [3]
    assert state.changes().tolist() == [0, 0, 0, 1]
    state.apply(3)
    assert state.legal().tolist() == [0, 2]
    state.apply(0)
    assert (state.objective(), state.current.tolist()) == (2, [0, 3])


def test_items_that_share_a_variable() -> None:
    model = cp_model.CpModel()
    x, y, z = (model.new_bool_var(name) for name in "xyz")
    model.minimize(x + 2 * y + 4 * z)
    formulation = assign_to(model, (Assign(x.index), Reject((x.index, y.index)), Assign(z.index)))
    state = MoveState(formulation, [1, 1, 0])
    seen = set()
    for _ in walk(state, 0, 4):
        seen.add(state.total())
        compare(state)
    assert len(seen) > 2


def assign_to(model: cp_model.CpModel, decisions: tuple[Any, ...]) -> Formulation[Any]:
    from cpsched.construct import formulation_of

    return formulation_of(model, decisions)


def coins(seed: int) -> tuple[cp_model.CpModel, list[int]]:
    """What the decisions cost is paid in coins: the least number of each in turn gets nowhere."""
    rng = np.random.default_rng(seed)
    model = cp_model.CpModel()
    place = [[model.new_bool_var(f"item{i}_{k}") for k in range(3)] for i in range(3)]
    for literals in place:
        model.add_exactly_one(literals)
    price = sum(int(rng.integers(1, 30)) * x for literals in place for x in literals)
    for purse in range(2):
        threes = model.new_int_var(0, 30, f"threes{purse}")
        sevens = model.new_int_var(0, 30, f"sevens{purse}")
        model.add(3 * threes + 7 * sevens == price + purse)
        if purse == 0:
            model.minimize(2 * threes + 20 * sevens)
    _, _, values = solve(model, {})
    return model, values


@pytest.mark.parametrize("seed", range(6))
def test_what_is_left_open_is_searched(seed: int) -> None:
    model, start = coins(seed)
    state = MoveState(assign(model), start)
    for _ in walk(state, seed, 2):
        compare(state)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ([1, 1, 0, 0], "constraint 0 'item' .* cannot hold"),
        ([0, 0, 1, 0], "variable 2 'x2' is 1 in no solution"),
        ([1, 0, 0], "for each of the 4 variables .* shape .3,"),
        ([0.5, 0, 0, 0], "type float64"),
        ("somewhere", "the start"),
    ],
)
def test_bad_starts(start: Any, message: str) -> None:
    model = cp_model.CpModel()
    literals = [model.new_bool_var(f"x{k}") for k in range(3)]
    model.add_exactly_one(literals).with_name("item")
    model.add(model.new_bool_var("y") + literals[2] == 0)
    with pytest.raises(InputError, match=message):
        MoveState(assign(model), start)


def test_only_literals_can_be_moved() -> None:
    formulation = schedule(optional_intervals(0))
    with pytest.raises(InputError, match="decision 0, Start"):
        compile_moves(formulation)


def test_illegal_decisions_change_nothing() -> None:
    model, start = pods(0, 6, 2)
    state = MoveState(assign(model), start)
    before = state.row.copy()
    illegal = sorted(set(range(state.num_decisions)) - set(state.legal().tolist()))
    for decision in (*illegal, -1, state.num_decisions):
        with pytest.raises(ValueError, match="is not legal"):
            state.apply(decision)
    with pytest.raises(TypeError):
        state.apply(0.0)  # type: ignore[arg-type]
    assert np.array_equal(state.row, before)


def test_there_and_back() -> None:
    model = assignment(0)
    _, _, start = solve(model, {})
    state = MoveState(assign(model), start)
    before, total = state.current, state.total()
    for decision in state.legal().tolist():
        item = int(state.moves.item_of[decision])
        state.apply(decision)
        assert state.total() >= total
        state.apply(int(before[item]))
        assert np.array_equal(state.current, before)
        assert state.total() == total
    pairs = itertools.pairwise(sorted(state.legal().tolist()))
    assert all(one < other for one, other in pairs)
