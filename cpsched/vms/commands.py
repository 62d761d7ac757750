"""A plan as shell commands of OpenStack and Proxmox, and as a table. Nothing here talks to either.

Each command first looks whether its VM still is where the plan found it, and ends the script if
not: a plan is good for the snapshot it was made for.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from cpsched.errors import InputError
from cpsched.vms.account import proof
from cpsched.vms.listing import aligned, one_line, rows_of, steps
from cpsched.words import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cpsched.result import Result
    from cpsched.vms.instance import VmCluster
    from cpsched.vms.listing import Step
    from cpsched.vms.solution import Migrations

_VMID = re.compile(r"vm:([1-9][0-9]{2,8})")

_HEADER = """\
#!/bin/sh
# {title}
# {proof}
# {rates}
# {steps}, about {seconds} s; {lanes}
# Read it before you run it; it goes on step by step and stops at the first error.
"""

_OPENSTACK = """\
# NUMA nodes are a wish: Nova chooses them on the target host.
set -eu

# migrate VM SOURCE TARGET [OPTION]...
migrate() {
  vm=$1 source=$2 target=$3
  shift 3
  at=$(openstack server show -f value -c OS-EXT-SRV-ATTR:host "$vm")
  if [ "$at" != "$source" ]; then
    echo "stale: $vm is on $at, the plan found it on $source" >&2
    exit 1
  fi
  openstack --os-compute-api-version 2.30 server migrate --live-migration --host "$target" \\
    --wait "$@" "$vm"
  at=$(openstack server show -f value -c OS-EXT-SRV-ATTR:host "$vm")
  if [ "$at" != "$target" ]; then
    echo "failed: $vm is on $at, not on $target" >&2
    exit 1
  fi
}
"""

_PROXMOX = """\
# Run it on a node of the cluster; other nodes are reached by ssh.
set -eu

# migrate VMID SOURCE TARGET [OPTION]...
migrate() {
  vmid=$1 source=$2 target=$3
  shift 3
  if [ ! -e "/etc/pve/nodes/$source/qemu-server/$vmid.conf" ]; then
    echo "stale: VM $vmid is not on $source, where the plan found it" >&2
    exit 1
  fi
  if [ "$(hostname -s)" = "$source" ]; then
    qm migrate "$vmid" "$target" --online "$@"
  else
    ssh "root@$source" qm migrate "$vmid" "$target" --online "$@"
  fi
}
"""


def openstack(cluster: VmCluster, result: Result[Migrations]) -> str:
    """The plan of *result* as a shell script of openstack commands.

    VMs and PMs go by their names, which are server IDs and hosts where the cluster was read from
    OpenStack. VMs with local disks migrate with them (``--block-migration``).
    """
    return _script(cluster, result, _OPENSTACK, "--block-migration", lambda name: name)


def proxmox(cluster: VmCluster, result: Result[Migrations]) -> str:
    """The plan of *result* as a shell script of qm commands.

    Raises
    ------
    InputError
        If a VM of the plan has no name of the form ``vm:VMID``, as in a Proxmox snapshot.
    """
    return _script(cluster, result, _PROXMOX, "--with-local-disks", vmid)


def table(cluster: VmCluster, result: Result[Migrations]) -> str:
    """The plan of *result* as plain text, one line per step, columns aligned."""
    planned = steps(cluster, _plan(result))
    if not planned:
        return "nothing to do\n"
    return "\n".join(aligned(rows_of(planned))) + "\n"


def vmid(name: str) -> str:
    """The number of a Proxmox VM with this name; InputError if it is none."""
    match = _VMID.fullmatch(name)
    if match is None:
        raise InputError(
            f"--format proxmox needs VMs called vm:VMID (as read from Proxmox), not {name[:60]!a}"
        )
    return match[1]


def _plan(result: Result[Migrations]) -> Migrations:
    if result.solution is None:
        raise ValueError(f"{result.instance}: there is no plan to carry out")
    return result.solution


def _script(
    cluster: VmCluster,
    result: Result[Migrations],
    body: str,
    with_disk: str,
    called: Callable[[str], str],
) -> str:
    planned = steps(cluster, _plan(result))
    return "\n".join(
        [_head(cluster, result, planned) + body, *_commands(cluster, planned, with_disk, called)]
    )


def _head(cluster: VmCluster, result: Result[Migrations], planned: list[Step]) -> str:
    from cpsched.vms.objective import weighted_fr

    now = float(weighted_fr(cluster, cluster.numa))
    then = float(weighted_fr(cluster, _plan(result).end(cluster)))
    return _HEADER.format(
        title=one_line(f"Plan for {cluster.name}"),
        proof=one_line(f"Proof: {proof(cluster, result)}."),
        rates=f"Fragment rate {now:.4f} -> {then:.4f}.",
        steps=count(len(planned), "migration"),
        seconds=sum(step.end_s - step.start_s for step in planned),
        lanes=f"in lanes as planned {max((step.end_s for step in planned), default=0)} s.",
    )


def _commands(
    cluster: VmCluster, planned: list[Step], with_disk: str, called: Callable[[str], str]
) -> Iterator[str]:
    disk = dict(zip(cluster.vms, cluster.disk.tolist(), strict=True))
    for number, step in enumerate(planned, 1):
        _require_possible(number, step)
        numa = "+".join(map(str, step.to_numa))
        yield (
            f"# {number}. NUMA {numa} of the target; lane {step.lane}, "
            f"{step.start_s} s to {step.end_s} s"
        )
        words = ["migrate", called(step.vm), step.from_pm, step.to_pm]
        words += [with_disk] if disk[step.vm] else []
        yield " ".join(shlex.quote(word) for word in words)
    if not planned:
        yield "# There is nothing to do."
    yield ""


def _require_possible(number: int, step: Step) -> None:
    """InputError if no command does what *step* asks, or takes a name for an option."""
    if step.from_pm == step.to_pm:
        raise InputError(
            f"step {number} moves VM {step.vm[:60]!a} between NUMA nodes of PM "
            f"{step.to_pm[:60]!a}: no migration does that; --format json or table shows the plan"
        )
    for name in (step.vm, step.from_pm, step.to_pm):
        if name.startswith("-"):
            raise InputError(f"the name {name[:60]!a} would be taken for an option")
