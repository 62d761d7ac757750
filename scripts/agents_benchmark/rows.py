"""Rows of the page: which instances, which time limit, which methods."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from pods_benchmark.scenarios import GRID, bare

from cpsched import solving
from cpsched.bench import Case, Run
from cpsched.instances import library
from cpsched.instances.generate_vms import generate_vms
from cpsched.learned import Inference, is_learned
from cpsched.protocols import Limits
from cpsched.vms.instance import Fragment

if TYPE_CHECKING:
    from collections.abc import Callable

#: Reporting seeds begin here; below 1,000,000 is training, from there on validation.
FIRST_SEED = 2_000_000

#: A policy ends by itself: this only keeps a run from going on for ever.
_ENOUGH = 600.0

GREEDY, MANY, MOST = "policy", "policy:128", "policy:512"


@dataclass(frozen=True)
class Goal:
    """A mean gap that *method* must reach and should reach, as shares."""

    method: str
    must: float
    goal: float


@dataclass(frozen=True)
class Row:
    """A row: *methods* on *cases* within each of *limits* seconds, one thread each.

    published: method names in the table of published makespans; goals: what the mean gap is held
    against; weights: of the learned methods, by default those of the family; against: the method
    that the others are compared with, instance by instance; measure: what of the family's measures
    says how far they are from it.
    """

    name: str
    title: str
    cases: Callable[[], list[Case]]
    methods: tuple[str, ...]
    limits: tuple[float, ...] = (_ENOUGH,)
    goals: tuple[Goal, ...] = ()
    published: tuple[str, ...] = ()
    against: str = ""
    measure: str = ""
    seed: int = 0
    weights: str | None = None
    note: str = field(default="")

    def runs(self, methods: tuple[str, ...] | None = None) -> list[Run]:
        """Its runs, those of one instance next to each other."""
        return [
            Run(
                case,
                method,
                Limits(limit, 1, self.seed),
                self.asked() if is_learned(method) else None,
            )
            for case in self.cases()
            for limit in self.limits
            for method in methods or self.methods
        ]

    def asked(self) -> Inference:
        """How its learned methods are asked."""
        return Inference(weights=self.weights)

    def missing(self) -> list[str]:
        """Methods that this version does not have, or not for these instances."""
        first = self.cases()[0].instance
        lacking = []
        for method in self.methods:
            try:
                solving.check_supported(method, first)
            except ValueError:
                lacking.append(method)
        return lacking


def _classics(prefix: str, *, last_digits: str = "") -> Callable[[], list[Case]]:
    @cache
    def cases() -> list[Case]:
        found = []
        for name in library.names(prefix):
            if last_digits and name[-1] not in last_digits:
                continue
            bounds = library.best_known(name)
            best = None if bounds is None else bounds.upper
            found.append(Case(library.load(name), prefix, best))
        return found

    return cases


def _named(group: str, *names: str) -> Callable[[], list[Case]]:
    @cache
    def cases() -> list[Case]:
        found = []
        for name in names:
            bounds = library.best_known(name)
            found.append(Case(library.load(name), group, None if bounds is None else bounds.upper))
        return found

    return cases


@cache
def _pods() -> list[Case]:
    return [
        Case(bare(cell, FIRST_SEED + number), f"{cell.utilisation} %")
        for cell in GRID
        for number in range(3)
    ]


def _vms(
    pms: int, workload: str, count: int, made: dict[str, Any] | None = None, **policy: Any
) -> Callable[[], list[Case]]:
    @cache
    def cases() -> list[Case]:
        clusters = [
            generate_vms(pms=pms, workload=workload, seed=FIRST_SEED + number, **(made or {}))
            for number in range(count)
        ]
        asked = {"max_moves": 50, **policy}
        return [
            Case(replace(one, policy=replace(one.policy, **asked)), workload) for one in clusters
        ]

    return cases


_LEARNED = (GREEDY, MANY, MOST)
_SHOP_RULES = ("rule:mwkr", *_LEARNED)
_SPN = ("SPN greedy", "SPN best of 128", "SPN best of 512")
_PUBLISHED = ("MWKR", "MOPNR random best of 128", "L2D greedy", *_SPN)
_LARGEST = ("ta51", "ta56", "ta61", "ta66", "ta71", "ta76", "dmu36", "dmu40", "dmu76", "dmu80")
_MIXED = (Fragment(16), Fragment(64, double=True))

ROWS = {
    row.name: row
    for row in (
        Row("ta", "Job shop: Taillard's 80", _classics("ta"), _SHOP_RULES,
            goals=(Goal(GREEDY, 0.11, 0.09), Goal(MANY, 0.07, 0.055), Goal(MOST, 0.065, 0.05)),
            published=_PUBLISHED),
        Row("dmu", "Job shop: Demirkol's 80", _classics("dmu"), _SHOP_RULES,
            goals=(Goal(GREEDY, 0.19, 0.16), Goal(MOST, 0.12, 0.10)), published=_PUBLISHED),
        Row("la", "Job shop: Lawrence's 40", _classics("la"), _SHOP_RULES,
            goals=(Goal(GREEDY, 0.07, 0.06), Goal(MOST, 0.025, 0.02)), published=_PUBLISHED),
        Row("ta-100x20", "Job shop: 100x20, greedy, with its time",
            _named("ta", *(f"ta{number}" for number in range(71, 81))),
            ("rule:mwkr", GREEDY), goals=(Goal(GREEDY, 0.03, 0.02),), published=("SPN greedy",),
            note="Their workbook states 1.64 s an instance for SPN, on a GPU it does not name."),
        Row("ta-graph", "Job shop: the graph network, instances 1 and 6 of each class",
            _classics("ta", last_digits="16"), (GREEDY, MANY), weights="jobshop-graph",
            goals=(Goal(GREEDY, 0.11, 0.09), Goal(MANY, 0.07, 0.055)), published=_PUBLISHED),
        Row("ta-score-16", "Job shop: the small score on the same instances",
            _classics("ta", last_digits="16"), (GREEDY, MANY), published=_PUBLISHED),
        Row("hybrid", "Job shop: the hybrid beside CP-SAT and the search, largest classes",
            _named("largest", *_LARGEST), ("hybrid", "cpsat", "tabu", "auto"),
            limits=(1.0, 10.0, 60.0)),
        Row("pods", "Pods: the grid, three scenarios of each cell, nothing placed yet", _pods,
            ("default-scheduler", "best-fit", GREEDY, "policy:8"),
            against="default-scheduler", measure="unplaced"),
        Row("pods-exact", "Pods: the same scenarios, exact solver and hybrid at 1 s", _pods,
            ("auto", "hybrid"), limits=(1.0,), against="auto",
            measure="unplaced"),
        Row("vms-high", "VMs: Medium (280 PMs), high workload",
            _vms(280, "high", 20), ("greedy", GREEDY, "policy:8", "auto"), limits=(5.0,),
            against="auto", measure="FR after %",
            note="The weights are trained on all three workloads, on 40 to 140 PMs."),
        Row("vms-mid", "VMs: Medium, middle workload", _vms(280, "mid", 20),
            ("greedy", GREEDY, "policy:8", "auto"), limits=(5.0,),
            against="auto", measure="FR after %"),
        Row("vms-low", "VMs: Medium, low workload", _vms(280, "low", 20),
            ("greedy", GREEDY, "policy:8", "auto"), limits=(5.0,),
            against="auto", measure="FR after %"),
        Row("vms-large", "VMs: Large (1,176 PMs), without retraining", _vms(1176, "high", 5),
            ("greedy", GREEDY, "policy:8", "auto"), limits=(10.0,),
            against="auto", measure="FR after %"),
        Row("vms-mixed", "VMs: Medium, FR-16 and FR-64 together", _vms(280, "high", 10,
            fragments=_MIXED), ("greedy", GREEDY, "hybrid", "auto"), limits=(1.0, 5.0),
            against="auto", measure="FR after %"),
        Row("vms-memory", "VMs: Medium, memory binds, five conflicts a VM",
            _vms(280, "high", 10, {"memory_ratios": True, "conflicts": 5}),
            ("greedy", GREEDY, "hybrid", "auto"), limits=(1.0, 5.0),
            against="auto", measure="FR after %"),
    )
}  # fmt: skip
