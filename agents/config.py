"""The configuration of a training run: a TOML file, every key known, every value checked."""

from __future__ import annotations

import re
import tomllib
import types
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from cpsched.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

#: Module of each algorithm, by family. It has ``TABLES``, the dataclass of each further table of
#: the configuration, and ``train(run)``.
ALGORITHMS = {
    ("jobshop", "evolution"): "cpsched.agents.score.train_jobshop",
    ("pods", "evolution"): "cpsched.agents.score.train_pods",
    ("vms", "evolution"): "cpsched.agents.score.train_vms",
    **{
        (family, name): f"cpsched.agents.{name.replace('-', '_')}"
        for family in ("jobshop", "pods")
        for name in ("imitation", "self-labelling", "ppo")
    },
}

#: Class of the table ``[data]`` of families, where the algorithm does not say it.
_DATA = {
    "jobshop": "cpsched.agents.data:ShopData",
    "pods": "cpsched.agents.data:PodData",
}

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class RunTable:
    """The table ``[run]``.

    Parameters
    ----------
    family, algorithm
        One of ``ALGORITHMS``.
    seed
        Of every random choice.
    time_limit
        Seconds of training in all, earlier parts of a resumed run included.
    updates
        Most updates of the weights; None: as many as there is time for.
    device
        ``auto`` takes a GPU if there is one.
    """

    family: str
    algorithm: str
    seed: int = 0
    time_limit: float = 600.0
    updates: int | None = None
    device: str = "auto"

    def __post_init__(self) -> None:
        families = sorted({family for family, _ in ALGORITHMS})
        if self.family not in families:
            raise UnknownNameError.of("family", self.family, families)
        known = [name for family, name in ALGORITHMS if family == self.family]
        if self.algorithm not in known:
            raise UnknownNameError.of(f"algorithm for {self.family}", self.algorithm, known)
        if self.device not in DEVICES:
            raise UnknownNameError.of("device", self.device, DEVICES)
        require(0 <= self.seed < 2**31, "seed must be in 0..2147483647", self.seed)
        require(0 < self.time_limit < float("inf"), "time_limit must be above 0", self.time_limit)
        if self.updates is not None:
            require(self.updates >= 1, "updates must be at least 1", self.updates)


def require(holds: bool, what: str, value: Any) -> None:
    """InputError, saying *what* is asked and the *value* that is not so, unless it *holds*."""
    if not holds:
        raise InputError(f"{what}, not {value!r}")


@dataclass(frozen=True)
class Config:
    """A configuration.

    run: the table ``[run]``; tables: the others, each of the class that the algorithm declares.
    """

    run: RunTable
    tables: dict[str, Any]

    def __getitem__(self, table: str) -> Any:
        return self.tables[table]

    @property
    def module(self) -> Any:
        """Module of the algorithm."""
        return import_module(ALGORITHMS[self.run.family, self.run.algorithm])

    def record(self) -> dict[str, dict[str, Any]]:
        """All values, defaults included, by table and key; JSON."""
        return {name: _plain(table) for name, table in {"run": self.run, **self.tables}.items()}


def _plain(table: Any) -> dict[str, Any]:
    return {field.name: getattr(table, field.name) for field in fields(table)}


def read(
    path: str | os.PathLike[str], changes: Mapping[str, str] | None = None
) -> tuple[Config, str]:
    """The configuration in a file, and its text.

    changes: ``table.key`` to a value as TOML, which replace what the file says.

    Raises InputError, with the line of the key, for what is missing, unknown, or of another type.
    """
    source = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot be read: {reason}", source=source) from error
    except UnicodeDecodeError as error:
        raise InputError("is no UTF-8 text", source=source) from error
    return parse(text, changes, source=source), text


def parse(
    text: str, changes: Mapping[str, str] | None = None, *, source: str = "configuration"
) -> Config:
    """The configuration in *text*; see ``read``."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+)", str(error))
        line = int(found.group(1)) if found else None
        raise InputError(f"is no TOML: {error}", source=source, line=line) from error
    reader = _Reader(text, source)
    for key, value in (changes or {}).items():
        _change(tables, key, value)
    run = reader.table(tables, "run", RunTable)
    module = import_module(ALGORITHMS[run.family, run.algorithm])
    kinds: dict[str, type] = dict(module.TABLES)
    if "data" not in kinds:
        place, _, name = _DATA[run.family].partition(":")
        kinds["data"] = getattr(import_module(place), name)
    for name in tables:
        if name not in ("run", *kinds):
            known = ("run", *kinds)
            raise reader.error(UnknownNameError.of("table", name, known), name, None)
    return Config(run, {name: reader.table(tables, name, kind) for name, kind in kinds.items()})


def _change(tables: dict[str, Any], key: str, value: str) -> None:
    table, dot, name = key.partition(".")
    if not dot or not table or not name:
        raise InputError(f"a change must be TABLE.KEY=VALUE, not {key}={value}")
    try:
        parsed = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value
    if not isinstance(tables.setdefault(table, {}), dict):
        raise InputError(f"{table} is no table")
    tables[table][name] = parsed


class _Reader:
    """Turns tables into dataclasses; knows where in the text a key is."""

    def __init__(self, text: str, source: str) -> None:
        self.lines, self.source = text.splitlines(), source

    def error(self, error: InputError, table: str, key: str | None) -> InputError:
        """*error* at the line of *key* of *table*."""
        return type(error)(error.reason, source=self.source, line=self._line(table, key))

    def _line(self, table: str, key: str | None) -> int | None:
        inside = False
        for number, line in enumerate(self.lines, 1):
            header = re.match(r"\s*\[\s*([\w-]+)\s*\]", line)
            if header:
                inside = header.group(1) == table
                if inside and key is None:
                    return number
            elif inside and key is not None and re.match(rf"\s*{re.escape(key)}\s*=", line):
                return number
        return None

    def table(self, tables: Mapping[str, Any], name: str, kind: type) -> Any:
        """The dataclass of one table."""
        given = tables.get(name, {})
        if not isinstance(given, dict):
            raise self.error(InputError(f"[{name}] must be a table"), name, None)
        hints = _hints(kind)
        values = {}
        for key, value in given.items():
            if key not in hints:
                problem: InputError = UnknownNameError.of(f"key in [{name}]", key, hints)
                raise self.error(problem, name, key)
            try:
                values[key] = _fit(value, hints[key])
            except InputError as error:
                problem = InputError(f"{name}.{key} {error.reason}")
                raise self.error(problem, name, key) from None
        assert is_dataclass(kind)
        for field in fields(kind):
            needed = field.default is MISSING and field.default_factory is MISSING
            if needed and field.name not in values:
                raise self.error(InputError(f"[{name}] needs {field.name}"), name, None)
        try:
            return kind(**values)
        except InputError as error:
            named = next((key for key in values if key in error.reason), None)
            raise self.error(error, name, named) from None


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _fit(value: Any, hint: Any) -> Any:
    """*value* as what *hint* says: a number, a text, a Boolean, a tuple of them, or None."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(one for one in get_args(hint) if one is not type(None))
        return _fit(value, hint)
    if get_origin(hint) is tuple:
        inner = get_args(hint)
        if not isinstance(value, list):
            raise InputError(f"must be a list, not {value!r}")
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_fit(one, inner[0]) for one in value)
        if len(value) != len(inner):
            raise InputError(f"must be {len(inner)} values, not {value!r}")
        return tuple(_fit(one, kind) for one, kind in zip(value, inner, strict=True))
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        words = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
        raise InputError(f"must be {words[hint]}, not {value!r}")
    return value
