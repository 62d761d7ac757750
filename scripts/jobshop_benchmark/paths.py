"""Where the benchmark keeps its files."""

from __future__ import annotations

from pathlib import Path

#: Root of this checkout.
ROOT = Path(__file__).resolve().parents[2]

#: Drivers and pinned requirements of the solvers, ``scripts/peers``.
DRIVERS = ROOT / "scripts" / "peers"

#: Environments, instance files and logs that can be made again; ignored by git.
WORKSHOP = ROOT / ".peers"

#: The page and its data.
PAGE = ROOT / "docs" / "benchmarks" / "jobshop.md"
DATA = ROOT / "docs" / "benchmarks" / "data"
