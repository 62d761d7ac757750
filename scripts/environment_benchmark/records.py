"""Finished measurements: one JSON line each, in one file for each part of the benchmark."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jobshop_benchmark.runs import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Parts of the page, each with its file.
PARTS = ("rates", "growth", "strength", "models")

Record = dict[str, Any]


class Records:
    """What has been measured; a line is written as soon as its measurement is over.

    A record has a ``key``, a list of strings, that says what was measured, and the ``batch`` in
    which it was: one start of the benchmark.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.batches: dict[str, Batch] = {}
        self._records: dict[str, list[Record]] = {part: [] for part in PARTS}
        self._begun: set[tuple[str, str]] = set()
        for part in PARTS:
            for record in self._read(part):
                kind = record.pop("kind")
                if kind == "batch":
                    self.batches[record["id"]] = Batch(**record)
                    self._begun.add((part, record["id"]))
                else:
                    self._records[part].append(record)

    def add(self, part: str, batch: Batch, key: tuple[str, ...], data: Mapping[str, Any]) -> None:
        """Append what was measured, and *batch* first if it is new to the file."""
        record = {"key": list(key), "batch": batch.id, **data}
        path = self._path(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            if (part, batch.id) not in self._begun:
                file.write(_line({"kind": "batch", **asdict(batch)}))
                self._begun.add((part, batch.id))
                self.batches[batch.id] = batch
            file.write(_line({"kind": "record", **record}))
        self._records[part].append(record)

    def latest(self, part: str) -> list[Record]:
        """Records of *part*: of each key those of the last batch that measured it."""
        last = {tuple(record["key"]): record["batch"] for record in self._records[part]}
        return [
            record
            for record in self._records[part]
            if last[tuple(record["key"])] == record["batch"]
        ]

    def _path(self, part: str) -> Path:
        return self.folder / f"environment-{part}.jsonl"

    def _read(self, part: str) -> Iterator[Record]:
        path = self._path(part)
        if not path.exists():
            return
        for number, line in enumerate(path.read_text().splitlines(), 1):
            try:
                record = json.loads(line)
                known = record["kind"] in ("batch", "record")
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}:{number}: not a record: {error}") from error
            if not known:
                raise ValueError(f"{path}:{number}: unknown kind {record['kind']!r}")
            yield record


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(_rounded(record), separators=(",", ":")) + "\n"


def _rounded(value: Any) -> Any:
    """*value* with floats to six digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return value
