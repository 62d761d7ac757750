"""What is measured: every environment, how its driver makes it, what it computes."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobshop_benchmark.rows import OURS

#: Instances of the main table: 15 x 15 and 100 x 20.
INSTANCES = ("ta01", "ta71")

#: The subject that ratios are to.
BASELINE = "jssenv"

#: The two subjects of which the issue asks a ratio, and which.
SINGLE_BAR, BATCH_BAR = 10.0, 40.0


@dataclass(frozen=True)
class Subject:
    """One environment in one setting.

    home: its virtual environment, made from ``scripts/peers/<home>.txt``; variant: which of the
    makers of the driver ``scripts/peers/roll_<home>.py``; num_envs: size of the batch, 1 for a
    single environment; cores: it may run on; published: steps per second in the literature or
    measured before, by instance; optional: go on without it where it cannot be installed.
    """

    name: str
    home: str
    variant: str = ""
    num_envs: int = 1
    cores: int = 1
    instances: tuple[str, ...] = INSTANCES
    published: dict[str, str] = field(default_factory=dict)
    optional: bool = False

    @property
    def driver(self) -> str:
        """File name of its driver."""
        return f"roll_{self.home.replace('-', '_')}.py"

    @property
    def is_ours(self) -> bool:
        """Whether it is an environment of this repository."""
        return self.home == OURS


@dataclass(frozen=True)
class Account:
    """What the environments of one package compute and leave out; read in their source."""

    title: str
    observation: str
    propagation: str
    actions: str
    batch: str
    api: str


def _published(ta01: str, ta71: str) -> dict[str, str]:
    return dict(zip(INSTANCES, (ta01, ta71), strict=True))


PEERS = (
    Subject("jssenv", "jssenv", published=_published("16,400", "5,750")),
    Subject(
        "job-shop-cp-env, as installed",
        "job-shop-cp-env",
        "as installed",
        published=_published("2,190", "332"),
    ),
    Subject(
        "job-shop-cp-env, compiled",
        "job-shop-cp-env",
        "compiled",
        published=_published("3,423", "565"),
    ),
    Subject(
        "job-shop-lib, resource-task graph",
        "job-shop-lib",
        "resource-task graph",
        published=_published("1,680", "186"),
    ),
    Subject(
        "job-shop-lib, disjunctive graph",
        "job-shop-lib",
        "disjunctive graph",
        published=_published("2,030", "22"),
    ),
    Subject("graph-jsp-env", "graph-jsp-env", published=_published("534", "24")),
    Subject("rl4co", "rl4co", published=_published("421", "9"), optional=True),
    Subject(
        "rl4co, batch of 32",
        "rl4co",
        num_envs=32,
        instances=("ta01",),
        published={"ta01": "715"},
        optional=True,
    ),
)

FRAMES = ("all", "active", "nondelay")

SINGLES = tuple(Subject(f"cpsched, frame {frame}", OURS, frame) for frame in FRAMES)
BATCHES = (
    Subject("cpsched, batch of 64, in place", OURS, "batch", num_envs=64, cores=2),
    Subject("cpsched, batch of 64, copies", OURS, "batch with copies", num_envs=64, cores=2),
)

SUBJECTS = {subject.name: subject for subject in (*PEERS, *SINGLES, *BATCHES)}

#: By virtual environment.
ACCOUNTS = {
    OURS: Account(
        "cpsched",
        "graph: eight numbers for every interval of the model (earliest and latest start, size, "
        "longest chain to the end, fixed, legal, ...) and four for every constraint that binds "
        "several, edges of precedence and membership with their weights, mask; a fresh copy "
        "every step",
        "every constraint of the CP-SAT model to the fix point after every step, bounds of the "
        "objective included",
        "the intervals of the frame, out of the propagated domains",
        "yes, one parallel kernel",
        "gymnasium",
    ),
    "jssenv": Account(
        "JSSEnv",
        "seven numbers a job (legal, time left of the running operation, share of operations "
        "and of work done, wait for the next machine, idle times); nothing about operations "
        "further on, machines, or other jobs",
        "none: time runs from event to event",
        "jobs that can start now, or wait; hand-made rules hide some last operations and most "
        "waits, so that some schedules cannot be reached",
        "no",
        "gymnasium class",
    ),
    "job-shop-cp-env": Account(
        "job-shop-cp-env",
        "a window of five operations a job with four numbers each, masks between jobs for the "
        "same machine",
        "earliest starts only, from operations that are fixed; the model holds ten operations "
        "of each job at a time",
        "jobs that can start now, or wait",
        "no",
        "old gym without inheriting from it; the reward is always 0",
    ),
    "job-shop-lib": Account(
        "job-shop-lib",
        "edges of the graph, removed nodes, features of operations, machines and jobs (here "
        "three: ready, earliest start, duration)",
        "none: next free time of machines and jobs; the graph loses finished nodes",
        "job and machine; a list of operations that are not dominated, in `info`, no mask",
        "no (another environment draws an instance an episode)",
        "gymnasium",
    ),
    "graph-jsp-env": Account(
        "graph-jsp-env",
        "dense adjacency matrix of all operations, machine of each one-hot, durations",
        "none: longest path in networkx every step; operations move left into gaps",
        "jobs; the mask is a call of its own, here inside the clock",
        "no",
        "gymnasium",
    ),
    "rl4co": Account(
        "rl4co",
        "dense tensors: operations x machines, operations x operations, jobs x operations, and a "
        "lower bound for each operation",
        "none: time runs from event to event",
        "jobs that can start now (waiting is masked by default)",
        "yes, torch tensors",
        "TorchRL",
    ),
}
