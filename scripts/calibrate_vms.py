"""Compare generated clusters of VMs with the published moments of the VMR2L data.

    python scripts/calibrate_vms.py [--pms 280] [--seeds 10]

The published values: fragment rate and share of PMs above 80 % from the text and figures of the
paper (EuroSys 2025, doi 10.1145/3689031.3717476), load and quantiles read off its distribution of
CPU usage over PMs, the number of VMs is the largest of any mapping.
"""

from __future__ import annotations

import argparse

import numpy as np

from cpsched.instances.generate_vms import WORKLOADS, generate_vms
from cpsched.vms.instance import Fragment, VmCluster
from cpsched.vms.objective import fr

COLUMNS = ("FR-16", "load", "VMs", "PMs > 80 %", "PMs < 20 %", "median PM", "VMs <= 16 cores")
#: Published, by workload; "-" where nothing is known.
PUBLISHED = {
    "high": (".52-.56", "~.88", "<= 2089", ".814", "-", "> .90", ".883"),
    "mid": ("-", "~.65", "-", "-", "~.08", "~.72", "-"),
    "low": ("-", "~.39", "-", "-", "~.35", "~.30", "-"),
}


def moments(cluster: VmCluster) -> tuple[float, ...]:
    """One value for each of ``COLUMNS``."""
    used = np.bincount(cluster.numa_pm, weights=(cluster.capacity - cluster.free)[:, 0])
    load = used / np.bincount(cluster.numa_pm, weights=cluster.capacity[:, 0])
    cores = cluster.demand[:, 0] * cluster.parts
    return (
        float(fr(cluster, cluster.numa, Fragment())),
        float(used.sum() / cluster.capacity[:, 0].sum()),
        cluster.num_vms,
        float((load > 0.8).mean()),
        float((load < 0.2).mean()),
        float(np.median(load)),
        float((cores <= 16_000).mean()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pms", type=int, default=280)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    for workload in WORKLOADS:
        found = [
            moments(generate_vms(options.pms, workload, seed)) for seed in range(options.seeds)
        ]
        print(f"{workload}, {options.pms} PMs, seeds 0..{options.seeds - 1}")
        print(f"  {'':16}{'published':>12}{'mean':>10}{'least':>10}{'most':>10}")
        for name, published, values in zip(
            COLUMNS, PUBLISHED[workload], zip(*found, strict=True), strict=True
        ):
            digits = 0 if name == "VMs" else 3
            shown = (np.mean(values), min(values), max(values))
            cells = "".join(f"{value:10.{digits}f}" for value in shown)
            print(f"  {name:16}{published:>12}{cells}")


if __name__ == "__main__":
    main()
