"""The shipped classic instances with their best-known bounds.

Origin and licences of both are in ``data/jobshop/NOTICE``.
"""

from __future__ import annotations

import csv
import io
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final, NamedTuple

from cpsched.errors import UnknownNameError
from cpsched.instances.formats import native
from cpsched.instances.naming import natural_key

if TYPE_CHECKING:
    from cpsched.jobshop.instance import JobShop

#: The sets and who published them.
SETS: Final[dict[str, str]] = {
    "ft": "Fisher and Thompson 1963",
    "la": "Lawrence 1984",
    "abz": "Adams, Balas and Zawack 1988",
    "orb": "Applegate and Cook 1991",
    "swv": "Storer, Wu and Vaccari 1992",
    "yn": "Yamada and Nakano 1992",
    "ta": "Taillard 1993",
    "dmu": "Demirkol, Mehta and Uzsoy 1998",
}


class Bounds(NamedTuple):
    """Best-known bounds on the minimal makespan; closed if they are equal.

    source: where and when each was published.
    """

    lower: int
    upper: int
    source: str


@cache
def _bounds() -> dict[str, Bounds]:
    rows = csv.DictReader(io.StringIO(_text("best_known.csv"), newline=""))
    found = {
        row["instance"]: Bounds(int(row["lower"]), int(row["upper"]), row["source"])
        for row in rows
    }
    return {name: found[name] for name in sorted(found, key=natural_key)}


def _text(file: str) -> str:
    return (resources.files("cpsched.instances") / "data" / "jobshop" / file).read_text("utf-8")


@cache
def _sets() -> dict[str, tuple[str, ...]]:
    return {
        family: tuple(name for name in _bounds() if name.rstrip("0123456789") == family)
        for family in SETS
    }


def sets() -> dict[str, list[str]]:
    """Names of the instances of each set, in natural order; the sets by year."""
    return {family: list(members) for family, members in _sets().items()}


def names(family_set: str | None = None) -> list[str]:
    """Names of all shipped instances or of one set, in natural order."""
    if family_set is None:
        return list(_bounds())
    if family_set not in _sets():
        raise UnknownNameError.of("instance set", family_set, SETS)
    return list(_sets()[family_set])


def load(name: str) -> JobShop:
    """Shipped instance *name*; UnknownNameError with near misses if there is none."""
    if name in _sets():
        raise UnknownNameError(
            f"{name} is a set of {len(_sets()[name])} instances, not one; "
            f"'cpsched instances list {name}' names them, 'cpsched bench {name}' solves all"
        )
    if name not in _bounds():
        # Nothing is nearer to ta1 than ta01.
        key = natural_key(name.lower())
        same = [known for known in _bounds() if _numbers(natural_key(known)) == _numbers(key)]
        raise UnknownNameError.of("instance", name, same or _bounds())
    return native.parse(_text(f"{name}.json"))


def _numbers(key: list[tuple[int, int, str]]) -> list[int | str]:
    return [text if kind else number for kind, number, text in key]


def best_known(name: str) -> Bounds | None:
    """Best-known bounds of a shipped instance, None for any other."""
    return _bounds().get(name)
