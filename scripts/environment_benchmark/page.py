"""The page: summary, setting, one section for each part; Markdown, made from the records alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .growth import Growth
from .plan import MODELS
from .rates import DISTURBED, Rates
from .records import PARTS, Records
from .sections import models, strength
from .subjects import ACCOUNTS, BASELINE, BATCH_BAR, INSTANCES, SINGLE_BAR, SUBJECTS
from .tables import NOTHING, figure, spread, table, times

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .records import Record

_INTRO = """\
# Environments: cpsched beside its peers

Made by `python scripts/benchmark_environment.py`, which measures everything and writes this page
from the records in [data](data); not edited by hand. `--help` says more.
"""

_METHOD = """\
- Every measurement is a process of its own in the virtual environment of its package
  (`scripts/peers/*.txt`), alone on the machine, pinned to its cores, the threads of all libraries
  limited to them. Repetitions are interleaved: every environment once, then every one again.
- Random legal actions, episodes back to back, as long as the clock runs. Inside the clock: the
  legal actions out of the mask (its `nonzero()`), one random index, `step` with
  observation, mask and reward, a look at the clock, and `reset`. Before it: imports, the
  constructor, up to a second of episodes. The loop is the same code for all
  (`scripts/peers/rolling.py`), the environment is called directly, without wrappers.
- Rate = steps / wall time, median over the repetitions; a batch counts a step for every
  environment in it. Where an episode takes longer than the clock, the rate is that of its
  beginning, and there is no makespan.
"""

_RATES_NOTE = """\
Published: measured before on another machine, one core, 10 to 15 s each. Mean makespan: of the
random episodes of all repetitions; it says what the actions allow (waiting, left shifts,
dominated operations), not how good an agent would be.
"""

_BATCH_NOTE = """\
A batch has two cores here and the baseline one: two processes of the baseline would make up to
twice its rate, and the ratio to those would be half of that above.
"""

_ACCOUNT_NOTE = """\
Read in their source, but for the values in one observation as `step` returns it on ta71, which
were counted. The same interface tried out (`check_env` is Gymnasium's; it draws actions without
looking at a mask):
"""


def write(path: Path, folder: Path, sizes: Sequence[str], note: str = "") -> None:
    """Write the page from the records in *folder*; *sizes*: of the growing instances.

    note: what a reader has to know first.
    """
    records = Records(folder)
    rates = Rates(records.latest("rates"))
    growth = Growth(_answered(records, "growth"), sizes)
    on_models = _answered(records, "models")
    parts = [
        _INTRO,
        note,
        "## Summary\n",
        _summary(rates, growth, on_models),
        "## Setting\n",
        _setting(records),
        _METHOD,
        "## Steps per second\n",
        _rates(rates),
        _RATES_NOTE,
        _BATCH_NOTE,
        *_left_out(rates),
        "## What each computes and leaves out\n",
        _accounts(rates),
        _ACCOUNT_NOTE,
        _conformance(rates),
        "## Cost of a step as the instance grows\n",
        growth.text(),
        "## Strength of propagation\n",
        strength(_answered(records, "strength")),
        "## Models of users\n",
        models(on_models),
        *_errors(records),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(part for part in parts if part))


def _answered(records: Records, part: str) -> list[Record]:
    return [record for record in records.latest(part) if "error" not in record]


def _summary(rates: Rates, growth: Growth, on_models: Sequence[Record]) -> str:
    lines = []
    for what, subjects, bar in (
        ("one environment, the slowest frame", rates.singles, SINGLE_BAR),
        ("batch of 64, 2 cores, in place", rates.in_place, BATCH_BAR),
    ):
        for instance in INSTANCES:
            ratios = [rates.ratio(subject, instance) for subject in subjects]
            known = [ratio for ratio in ratios if ratio is not None]
            worst = min(known) if known and len(known) == len(ratios) else None
            lines.append(
                (
                    f"{what}, {instance}",
                    f">= {bar:.0f}x {BASELINE}",
                    times(worst),
                    _verdict(None if worst is None else worst >= bar),
                )
            )
    confirmed = sum(record["confirmed"] for record in on_models)
    looked_at = sum(record["looked_at"] for record in on_models)
    finished = [record for record in on_models if record["looked_at"]]
    lines.append(
        (
            "models of users: episodes confirmed by CP-SAT",
            f"all, on {len(MODELS)} models",
            f"{confirmed} of {looked_at}, on {len(finished)} models" if on_models else NOTHING,
            _verdict(
                confirmed == looked_at and len(finished) == len(MODELS) if on_models else None
            ),
        )
    )
    slope = growth.slope()
    lines.append(
        (
            "time of a step against operations, log-log slope",
            NOTHING,
            NOTHING if slope is None else f"{slope:.2f}",
            "",
        )
    )
    return table(("what", "bar", "here", ""), lines, left=4)


def _verdict(met: bool | None) -> str:
    return "not measured" if met is None else "met" if met else "**not met**"


def _setting(records: Records) -> str:
    used: dict[str, list[str]] = {}
    commits: set[str] = set()
    versions: list[set[tuple[str, str]]] = []
    shares: list[float] = []
    clocks: set[float] = set()
    for part in PARTS:
        for record in records.latest(part):
            used.setdefault(record["batch"], [])
            if part not in used[record["batch"]]:
                used[record["batch"]].append(part)
            clocks.update(filter(None, [record.get("seconds")]))
            commits.update(filter(None, [record.get("commit")]))
            shares += [record["others"]] if "others" in record else []
            if record.get("versions"):
                versions.append(set(record["versions"].items()))
    lines = []
    for identity, parts in used.items():
        batch = records.batches[identity]
        lines.append(f"- {', '.join(parts)}: {batch.date}, `{batch.command}`")
    if clocks:
        lines.append(f"- clock of a measurement: {', '.join(f'{c:g}' for c in sorted(clocks))} s")
    machines = sorted({records.batches[identity].machine for identity in used})
    lines += [f"- machine: {machine}" for machine in machines]
    if commits:
        lines.append(f"- commit of cpsched: {', '.join(sorted(commits))}")
    lines += [f"- versions: {text}" for text in _versions(versions)]
    if shares:
        disturbed = sum(share > DISTURBED for share in shares)
        lines.append(
            f"- other processes used {sum(shares) / len(shares):.2f} cores on average while a "
            f"measurement ran, more than a tenth of a core in {disturbed} of {len(shares)}"
        )
    return "\n".join(lines) + "\n"


def _versions(found: list[set[tuple[str, str]]]) -> list[str]:
    """Each set of versions once that is not part of a larger one, in words."""
    largest = [one for one in found if not any(one < other for other in found)]
    return sorted(
        {
            ", ".join(f"{name} {version}" for name, version in sorted(one) if name != "python")
            for one in largest
        }
    )


def _rates(rates: Rates) -> str:
    header = ["environment", "cores"]
    for instance in INSTANCES:
        header += [
            f"{instance}, steps/s",
            f"x {BASELINE}",
            "published",
            "mean makespan",
        ]
    rows = []
    for subject in SUBJECTS.values():
        if not rates.measured(subject):
            continue
        row = [subject.name, str(subject.cores)]
        for instance in INSTANCES:
            row += [
                spread(rates.rates(subject, instance)),
                times(rates.ratio(subject, instance)),
                subject.published.get(instance, NOTHING),
                figure(rates.mean_makespan(subject, instance)),
            ]
        rows.append(tuple(row))
    return table(header, rows) + rates.warnings()


def _left_out(rates: Rates) -> list[str]:
    lines = [f"- not measured: {home}: {reason}" for home, reason in sorted(rates.missing.items())]
    return ["\n".join(lines) + "\n"] if lines else []


def _accounts(rates: Rates) -> str:
    rows = []
    for home, account in ACCOUNTS.items():
        sizes = rates.observation_sizes(home)
        rows.append(
            (
                account.title,
                account.observation,
                account.propagation,
                account.actions,
                account.batch,
                account.api,
                sizes,
            )
        )
    header = ("package", "observation", "propagation", "actions and mask", "batch", "interface")
    return table((*header, "values"), rows, left=6)


def _conformance(rates: Rates) -> str:
    rows = [
        (
            ACCOUNTS[home].title,
            facts.get("interface", NOTHING),
            facts.get("reset", NOTHING),
            facts.get("space", NOTHING),
            facts.get("check_env", NOTHING).replace("|", "/"),
        )
        for home, facts in rates.facts.items()
    ]
    if not rows:
        return ""
    header = ("package", "class", "reset", "observations", "`check_env`")
    return table(header, rows, left=5)


def _errors(records: Records) -> list[str]:
    lines = [
        f"- {', '.join(record['key'])}: {record['error']}"
        for part in PARTS
        for record in records.latest(part)
        if "error" in record
    ]
    return ["## Gave no answer\n", "\n".join(lines) + "\n"] if lines else []
