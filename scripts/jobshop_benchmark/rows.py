"""What is measured: the one table of rows, each with its instances, limit, reference and bar."""

from __future__ import annotations

from dataclasses import dataclass

#: The solver this repository is about.
OURS = "cpsched"

#: The others, in the order of the tables.
PEERS = ("cpsat", "pyjobshop", "job-shop-lib")

#: Sets that parameters were chosen on; every other set was only looked at as a result, but for
#: the large instances (see their row).
TUNED_ON = ("ta", "la")


@dataclass(frozen=True)
class Row:
    """One line of "it must show", or several that read the same runs.

    instances: solved by cpsched, in this order; sample: the ones the peers solve by default, all
    of them with ``--peers full``; by: "size" or "set", the classes of its table; whole_process:
    run cpsched through its command line in a fresh process, so that time and memory are those of
    the whole process.
    """

    name: str
    title: str
    time_limit: float
    instances: tuple[str, ...]
    sample: tuple[str, ...]
    reference: str
    by: str = "size"
    whole_process: bool = False
    note: str = ""

    def instances_of(self, solver: str, peers: str) -> tuple[str, ...]:
        """Instances that *solver* has to solve, *peers* being "sample" or "full"."""
        return self.instances if solver == OURS or peers == "full" else self.sample


def _numbered(prefix: str, count: int, step: int = 1, start: int = 1) -> tuple[str, ...]:
    width = 1 if prefix in ("abz", "yn") else 2
    return tuple(f"{prefix}{number:0{width}}" for number in range(start, count + 1, step))


#: Instances 1 and 6 of each of the eight size classes, and instance 1 alone.
_TA_16, _TA_8 = _numbered("ta", 80, 5), _numbered("ta", 80, 10)
_DMU_16 = _numbered("dmu", 80, 5)
#: The harder half, whose jobs pass one half of the machines before the other.
_DMU_8 = _numbered("dmu", 80, 5, start=41)
_SMALL = (
    *("ft06", "ft10", "ft20"),
    *_numbered("la", 40),
    *("abz5", "abz6"),
    *_numbered("orb", 10),
)
_LARGE = ("uniform-100x100-4", "uniform-100x100-5")
_OTHERS = (
    *_numbered("abz", 9, start=7),
    *_numbered("yn", 4),
    *_numbered("swv", 20),
)

_PUBLISHED = "published, 600 s, 4 cores: CP-SAT 1.54 %, CP Optimizer 1.06 %, OptalCP 0.46 %"

ROWS: dict[str, Row] = {
    row.name: row
    for row in (
        Row(
            "ta-1s",
            "ta01-80, 1 s, warm",
            1,
            _numbered("ta", 80),
            _TA_8,
            "-",
        ),
        Row(
            "ta-10s",
            "ta01-80, 10 s",
            10,
            _numbered("ta", 80),
            _TA_8,
            "measured before, CP-SAT alone, 2 workers: ta01 0.8, ta21 6, ta41 11-14, ta51 12, "
            "ta61 11, ta71 7.5 %; a first tabu search: 0.46 % on 34 of them",
        ),
        Row(
            "ta-60s",
            "ta, instances 1 and 6 of each size class, 60 s",
            60,
            _TA_16,
            _TA_8,
            _PUBLISHED,
            note="The published figures are means over all 80 instances.",
        ),
        Row(
            "dmu-60s",
            "dmu, instances 1 and 6 of each size class, 60 s",
            60,
            _DMU_16,
            _DMU_8,
            "published, 600 s, 4 cores, all 80: CP-SAT 5.1 %",
            note="Each size class has one instance with free routes (dmu01 to dmu40) and one "
            "whose jobs pass the first half of the machines before the second (dmu41 to dmu80). "
            "By default the peers run on the latter only: where a peer has not run, the summary "
            "assumes that it reaches the best known makespan.",
        ),
        Row(
            "small-proof",
            "ft, la, abz5, abz6, orb, 60 s",
            60,
            _SMALL,
            ("la29",),
            "-",
            by="set",
            note="By default the peers run on the hardest, la29, only: where a peer has not run, "
            "the summary assumes that it proves optimality.",
        ),
        Row(
            "others-10s",
            "abz7-9, yn, swv, 10 s",
            10,
            _OTHERS,
            ("abz7", "yn1", "swv01", "swv06", "swv11"),
            "published, 600 s, 4 cores: CP-SAT swv 2.39 %, yn 2.51 %; OptalCP swv 0.65 %, "
            "yn 0.74 %",
            by="set",
            note="No bar; the sets nothing was tuned on and no other row shows.",
        ),
        Row(
            "large-100x100",
            "100 x 100 of the very large law, 60 s",
            60,
            _LARGE,
            _LARGE,
            "published for such instances, CP-SAT, 600 s, 4 cores: 16.2 % above the best known",
            note="Instances `cpsched.instances.generate.uniform(100, 100, seed)`, the seed being "
            "the last number of the name. The gap is to the best lower bound that any solver "
            "proved in these runs. How tenure, patience and pool grow with size was chosen on "
            "seeds 1 to 3 of this law, which are not reported: there the ratio to the best peer "
            "was 0.52, then 0.50.",
        ),
        Row(
            "large-1000x100",
            "1,000 x 100 (100,000 operations), 60 s",
            60,
            ("uniform-1000x100-2",),
            (),
            "published, 600 s, 4 cores: CP-SAT finds no schedule",
            whole_process=True,
            note="cpsched runs through its command line in a fresh process: time and memory "
            "include starting Python, reading the file and writing the result.",
        ),
    )
}

#: Not on the page: whether the machinery works, in seconds.
SMOKE = Row("smoke", "ft06 and la01, 1 s", 1, ("ft06", "la01"), ("ft06", "la01"), "-", by="set")
