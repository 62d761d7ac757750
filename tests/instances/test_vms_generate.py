"""The generator of VM clusters against the published moments."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from cpsched import InputError
from cpsched.instances import parse
from cpsched.instances.generate_vms import WORKLOADS, generate_vms
from cpsched.vms.instance import Fragment, VmCluster
from cpsched.vms.objective import fr


def loads(one: VmCluster) -> Any:
    used = np.bincount(one.numa_pm, weights=(one.capacity - one.free)[:, 0])
    return used / np.bincount(one.numa_pm, weights=one.capacity[:, 0])


def test_high_workload_has_the_published_moments() -> None:
    """280 PMs: fragment rate .52 to .56, at most 2,089 VMs, .814 of the PMs above 80 %."""
    found = [generate_vms(seed=seed) for seed in range(10)]
    assert np.mean([float(fr(one, one.numa, Fragment())) for one in found]) == pytest.approx(
        0.54, abs=0.04
    )
    assert np.mean([(loads(one) > 0.8).mean() for one in found]) == pytest.approx(0.814, abs=0.01)
    assert 1900 < np.mean([one.num_vms for one in found]) <= 2089
    small = [(one.demand[:, 0] * one.parts <= 16_000).mean() for one in found]
    assert np.mean(small) == pytest.approx(0.883, abs=0.01)
    for one in found:
        assert (one.free >= 0).all()
        assert ((one.parts == 2) == (one.demand[:, 0] >= 16_000) & (one.flavor >= 4)).all()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_load(workload: str) -> None:
    one = generate_vms(100, workload, 3)
    assert WORKLOADS[workload] <= loads(one).mean() < WORKLOADS[workload] + 64 / 8800
    given = generate_vms(100, workload, 3, load=0.97)
    assert 0.97 <= loads(given).mean() < 0.98
    assert given.name == "vms-100-0.97-3"


def test_equal_seeds_give_equal_clusters() -> None:
    assert generate_vms(20, seed=1, conflicts=3) == generate_vms(20, seed=1, conflicts=3)
    assert generate_vms(20, seed=1) != generate_vms(20, seed=2)
    # The same on every machine and with every release.
    one = generate_vms(2, seed=5)
    assert (one.num_vms, one.numa[:4, 0].tolist()) == (29, [1, 0, 3, 0])


@pytest.mark.parametrize("partners", [1, 5, 50])
def test_conflicts(partners: int) -> None:
    one = generate_vms(80, seed=2, conflicts=partners)
    degree = np.bincount(one.conflicts.ravel(), minlength=one.num_vms)
    assert degree.max() == partners
    assert degree.mean() > 0.8 * partners
    assert (one.pm[one.conflicts[:, 0]] != one.pm[one.conflicts[:, 1]]).all()
    assert len(np.unique(one.conflicts, axis=0)) == len(one.conflicts)


def test_memory_ratios_make_memory_bind() -> None:
    one, plain = generate_vms(seed=4, memory_ratios=True), generate_vms(seed=4)
    ratio = one.demand[:, 1] * 1000 // one.demand[:, 0]
    assert sorted(set(ratio.tolist())) == [2048, 4096, 8192]
    assert set((plain.demand[:, 1] * 1000 // plain.demand[:, 0]).tolist()) == {2048}
    # Cores that no VM can have, because there is no memory for them.
    stranded = one.free[:, 1] < one.free[:, 0] // 1000 * 2048
    assert stranded.mean() > 0.02
    assert not (plain.free[:, 1] < plain.free[:, 0] // 1000 * 2048).any()
    assert (one.free >= 0).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"pms": 0}, "the number of PMs must be in 1..20000, not 0"),
        ({"seed": -1}, "the seed must be in 0..18446744073709551615, not -1"),
        ({"workload": "hihg"}, "unknown workload 'hihg'; did you mean high?"),
        ({"load": 0.0}, "the load must be above 0 and at most 0.99, not 0.0"),
        ({"load": 1.0}, "not 1.0"),
        ({"pms": 4, "conflicts": 4}, "conflicts of a VM must be in 0..3, not 4"),
        ({"pms": 3, "load": 0.99, "memory_ratios": True}, "the load cannot be reached"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        generate_vms(**arguments)
    assert words in str(caught.value)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cpsched", "generate", "vms", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command() -> None:
    done = run("--pms", 6, "--workload", "low", "--seed", 3, "--count", 2)
    first, second = done.stdout.splitlines()
    assert parse(first.encode(), "x.json") == generate_vms(6, "low", 3)
    assert parse(second.encode(), "x.json") == generate_vms(6, "low", 4)
    done = run("--pms", 6, "--output-format", "vmr2l", "--load", 0.5)
    assert len(json.loads(done.stdout)["cluster_list"][0]["host_info"]) == 6
    assert parse(done.stdout.encode(), "x.json") == generate_vms(6, load=0.5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--pms", 0), "the number of PMs"),
        (("--count", 0), "--count must be in 1..10000, not 0"),
        (("--output-format", "vmr2l", "--count", 2), "one cluster without conflicts"),
        (("--output-format", "fjs"), "the format fjs cannot hold vms-280-high-0"),
    ],
)
def test_the_command_refuses(options: tuple[Any, ...], words: str) -> None:
    done = run(*options)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
