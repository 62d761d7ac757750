"""Finished runs, one JSON line each, in one file per row; seeds found, one line per cell."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .scenarios import Cell

#: What makes a second run a repetition.
KEY = ("cell", "seed", "method", "time_limit", "cores")


class Lines:
    """JSON records of a file; a record is written as soon as it is added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.records: list[dict[str, Any]] = []
        text = path.read_text() if path.exists() else ""
        for number, line in enumerate(text.splitlines(), 1):
            try:
                self.records.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{path}:{number}: not a record: {error}") from error

    def add(self, record: dict[str, Any]) -> None:
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as file:
                file.write(json.dumps(record, separators=(",", ":")) + "\n")
            self.records.append(record)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["kind"] == kind]


class Book(Lines):
    """Runs of one row."""

    def __init__(self, folder: Path, row: str) -> None:
        super().__init__(folder / f"pods-{row}.jsonl")

    def latest(self) -> list[dict[str, Any]]:
        """Of each key the run made last; of runs on different numbers of cores the latest's."""
        runs = self.of("run")
        cores = runs[-1]["cores"] if runs else None
        return list({key_of(run): run for run in runs if run["cores"] == cores}.values())

    def begin(self, batch: dict[str, Any]) -> None:
        """Note the batch that the coming runs belong to, once."""
        if not any(entry["id"] == batch["id"] for entry in self.of("batch")):
            self.add({"kind": "batch", **batch})


class Seeds(Lines):
    """Seeds of each cell, found once: below 100 % that takes scheduling hundreds of scenarios."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "pods-seeds.jsonl")

    def get(
        self, cell: Cell, first: int, count: int, find: Callable[[Cell, int, int], list[int]]
    ) -> list[int]:
        # Drawn from the same first seed, a longer list begins with the shorter one.
        for record in self.of("seeds"):
            same = (record["cell"], record["first"]) == (cell.name, first)
            if same and record["count"] >= count:
                return list(record["seeds"][:count])
        found = find(cell, first, count)
        self.add(
            {"kind": "seeds", "cell": cell.name, "first": first, "count": count, "seeds": found}
        )
        return found

    def available(self, cell: Cell, first: int, count: int) -> int:
        """How many of *count* scenarios the cell has: fewer if the tries did not give more."""
        for record in self.of("seeds"):
            same = (record["cell"], record["first"]) == (cell.name, first)
            if same and record["count"] >= count:
                return min(count, len(record["seeds"]))
        return count


def key_of(run: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(run[name] for name in KEY)
