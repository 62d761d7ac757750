"""Where the environment benchmark keeps its files, beside those of the job-shop benchmark."""

from __future__ import annotations

from jobshop_benchmark.paths import DATA, DRIVERS, ROOT, WORKSHOP

#: The page.
PAGE = ROOT / "docs" / "benchmarks" / "environment.md"

#: Models that a user might bring.
EXAMPLES = ROOT / "docs" / "examples"

#: Measurements that are no random episodes of an environment of a package.
MEASUREMENTS = ROOT / "scripts" / "environment_benchmark"

__all__ = ["DATA", "DRIVERS", "EXAMPLES", "MEASUREMENTS", "PAGE", "ROOT", "WORKSHOP"]
