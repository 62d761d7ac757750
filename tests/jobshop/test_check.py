"""The job-shop check against hand-made violations and against a slow statement of the rules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpsched.checking import check as check_any
from cpsched.errors import UnknownNameError
from cpsched.jobshop.check import MAX_VIOLATIONS_PER_RULE, check
from cpsched.jobshop.instance import JobShop
from cpsched.jobshop.solution import Schedule

# (machine, duration): job 0 has no choice, the first operation of job 1 has two machines.
SHOP = JobShop.flexible("two", 2, [[[(0, 3)], [(1, 2)]], [[(1, 2), (0, 4)], [(0, 4)]]])
GOOD = Schedule(np.array([0, 1, 1, 0]), np.array([0, 3, 0, 3]), np.array([3, 5, 2, 7]))


def changed(**entries: tuple[int, int]) -> Schedule:
    """GOOD with ``field=(operation, value)`` changed."""
    fields = {field: getattr(GOOD, field).copy() for field in ("machine", "start", "end")}
    for field, (op, value) in entries.items():
        fields[field][op] = value
    return Schedule(**fields)


def test_correct_schedule_has_its_makespan() -> None:
    report = check(SHOP, GOOD)
    assert report.ok
    assert report.objective == 7


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (
            changed(machine=(1, 0), start=(1, 7), end=(1, 9)),
            "job 0, operation 1 (machine 0, 7 to 9) cannot run on machine 0, only on 1",
        ),
        (changed(machine=(2, 9)), "cannot run on machine 9, only on 1, 0"),
        (
            changed(end=(3, 8)),
            "job 1, operation 1 (machine 0, 3 to 8) takes 5 on machine 0, not 4",
        ),
        (changed(end=(1, 2)), "takes -1 on machine 1, not 2"),
        (changed(start=(0, -1), end=(0, 2)), "operation 0 (machine 0, -1 to 2) starts before 0"),
        (
            changed(start=(1, 2), end=(1, 4)),
            "job 0, operation 1 (machine 1, 2 to 4) starts before "
            "job 0, operation 0 (machine 0, 0 to 3) of the same job ends",
        ),
        (
            changed(start=(3, 2), end=(3, 6)),
            "job 0, operation 0 (machine 0, 0 to 3) and job 1, operation 1 (machine 0, 2 to 6) "
            "overlap on machine 0",
        ),
    ],
)
def test_each_broken_rule_is_named(schedule: Schedule, words: str) -> None:
    report = check(SHOP, schedule)
    assert report.objective is None
    assert len(report.violations) == 1
    assert words in report.violations[0]


@pytest.mark.parametrize("field", ["machine", "start", "end"])
def test_missing_operation_is_refused(field: str) -> None:
    fields = {name: getattr(GOOD, name) for name in ("machine", "start", "end")}
    fields[field] = fields[field][:-1]
    report = check(SHOP, Schedule(**fields))
    assert report.objective is None
    assert report.violations == (f"{field} has shape (3,), not (4,): one entry per operation",)


@pytest.mark.parametrize(
    ("start", "ok"), [(0, True), (2, True), (5, True), (6, True), (3, False), (4, False)]
)
def test_empty_operation_may_touch_another_but_not_split_it(start: int, ok: bool) -> None:
    shop = JobShop.classic("empty", 1, [[(0, 3)], [(0, 0)]])
    schedule = Schedule(np.array([0, 0]), np.array([2, start]), np.array([5, start]))
    assert check(shop, schedule).ok is ok


def test_overlap_is_found_behind_operations_nested_in_a_long_one() -> None:
    shop = JobShop.classic("nested", 1, [[(0, 10)], [(0, 1)], [(0, 1)]])
    report = check(shop, Schedule.from_starts(shop, np.array([0, 2, 8])))
    assert len(report.violations) == 2
    assert all("job 0, operation 0" in violation for violation in report.violations)


def test_shop_without_operations_is_done_at_once() -> None:
    none = np.zeros(0, dtype=np.int32)
    assert check(JobShop.classic("none", 1, [[]]), Schedule(none, none, none)).objective == 0


def test_extreme_times_do_not_overflow() -> None:
    shop = JobShop.classic("late", 1, [[(0, 5)], [(0, 5)]])
    far = np.array([-(2**31), 2**31 - 1])
    violations = check(shop, Schedule(np.array([0, 0]), far, far[::-1])).violations
    assert any("takes 4294967295 on machine 0, not 5" in violation for violation in violations)
    assert any("takes -4294967295 on machine 0, not 5" in violation for violation in violations)


def test_violations_are_capped_and_counted() -> None:
    rng = np.random.default_rng(0)
    shop = JobShop.classic(
        "many", 50, [[(int(machine), 5) for machine in rng.permutation(50)] for _ in range(200)]
    )
    report = check(shop, Schedule.from_starts(shop, np.full(shop.num_ops, -1)))
    assert len(report.violations) == 3 * MAX_VIOLATIONS_PER_RULE
    hidden = shop.num_ops - MAX_VIOLATIONS_PER_RULE
    assert any(f"starts before 0, and {hidden} more" in text for text in report.violations)


def test_family_decides_which_rules_apply() -> None:
    assert check_any(SHOP, GOOD).objective == 7

    class Bakery:
        name = "bakery"
        family = "jobshops"

    with pytest.raises(UnknownNameError, match="did you mean jobshop"):
        check_any(Bakery(), GOOD)


@st.composite
def shops_with_any_schedule(draw: st.DrawFn) -> tuple[JobShop, Schedule]:
    """Small flexible shop and a schedule that need not obey anything."""
    num_machines = draw(st.integers(1, 3))
    machines = st.lists(
        st.integers(0, num_machines - 1), min_size=1, max_size=num_machines, unique=True
    )
    op = machines.flatmap(
        lambda chosen: st.tuples(*(st.tuples(st.just(one), st.integers(0, 3)) for one in chosen))
    )
    jobs = draw(st.lists(st.lists(op, max_size=3), min_size=1, max_size=3))
    shop = JobShop.flexible("random", num_machines, jobs)
    picks = [draw(st.sampled_from(shop.modes(op))) for op in range(shop.num_ops)]
    start = np.array([draw(st.integers(-1, 12)) for _ in picks], dtype=np.int64)
    machine = np.array([machine for machine, _ in picks], dtype=np.int64)
    end = start + np.array([duration for _, duration in picks], dtype=np.int64)
    if picks and draw(st.booleans()):
        array = draw(st.sampled_from([machine, end]))
        array[draw(st.integers(0, len(picks) - 1))] += draw(st.sampled_from([-1, 1]))
    return shop, Schedule(machine, start, end)


def obeys_all_rules(shop: JobShop, schedule: Schedule) -> bool:
    """The rules, one operation and one pair at a time."""
    times = list(
        zip(
            shop.job.tolist(),
            schedule.machine.tolist(),
            schedule.start.tolist(),
            schedule.end.tolist(),
            strict=True,
        )
    )
    for op, (_, machine, start, end) in enumerate(times):
        if (machine, end - start) not in shop.modes(op) or start < 0:
            return False
    for later, (job, machine, start, end) in enumerate(times):
        for other_job, other_machine, other_start, other_end in times[:later]:
            if job == other_job and start < other_end:
                return False
            if machine == other_machine and start < other_end and other_start < end:
                return False
    return True


@given(shops_with_any_schedule())
def test_agrees_with_the_rules_pair_by_pair(case: tuple[JobShop, Schedule]) -> None:
    shop, schedule = case
    report = check(shop, schedule)
    assert report.ok is obeys_all_rules(shop, schedule), report.violations
    assert report.objective == (schedule.makespan if report.ok else None)
