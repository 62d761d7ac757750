"""The openb trace (Alibaba GPU cluster, 2023): a list of nodes and a list of pods, both CSV.

Every pod is pending, in the order of the list: the trace is no state of a cluster. Resources are
``cpu`` (millicores), ``memory`` (bytes) and ``gpu-milli``, thousandths of a GPU, summed over the
GPUs of a node: num_gpu x gpu_milli are requested. That a share must lie on one GPU, and a whole
GPU must be free as a whole, is not expressed: a packing may need GPUs that are fragmented. A pod
with a gpu_spec (``V100M16|V100M32``) is allowed on nodes of these models, one with GPUs but
without a spec anywhere. Priority by qos, the trace has no other: LS 3, Burstable and Guaranteed
2, BE 1 and 0 where the list has no qos. Pods have no owner in the trace; here each is the only
one of its own, so that it may be moved once it runs.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from cpsched.errors import InputError
from cpsched.pods.instance import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

NODE_COLUMNS = ("sn", "cpu_milli", "memory_mib", "gpu", "model")
POD_COLUMNS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
#: Files of a folder that are read, unless they are named one by one.
NODES_FILE, PODS_FILE = "openb_node_list_all_node.csv", "openb_pod_list_default.csv"

_PRIORITY = {"LS": 3, "Burstable": 2, "Guaranteed": 2, "BE": 1, "": 0}
_MOST = 10**9
_MIB = 2**20
_GRACE = 30


def folder_files(folder: Path) -> list[Path]:
    """The node list and the default pod list of *folder*."""
    return [folder / NODES_FILE, folder / PODS_FILE]


def parse(sources: Iterable[tuple[str, str]], name: str) -> Cluster:
    """Cluster of one node list and one pod list, told apart by their headers.

    sources: name of each file, for errors, and its text. InputError with the line of what is
    wrong.
    """
    nodes: list[tuple[str, list[int], str]] = []
    pods: list[tuple[str, list[int], str, str]] = []
    for source, text in sources:
        try:
            _add(text, nodes, pods)
        except InputError as error:
            raise error.at(source) from None
        except csv.Error as error:
            raise InputError(f"not CSV: {error}", source=source) from None
    for found, what in ((nodes, "node"), (pods, "pod")):
        if not found:
            raise InputError(f"the trace needs a list of {what}s as well: none is given")
    return _cluster(name, nodes, pods)


def _add(
    text: str,
    nodes: list[tuple[str, list[int], str]],
    pods: list[tuple[str, list[int], str, str]],
) -> None:
    rows = csv.reader(io.StringIO(text))
    header = next(rows, [])
    seen: set[str] = set()
    if tuple(header[: len(NODE_COLUMNS)]) == NODE_COLUMNS:
        for line, row in _rows(rows, header, seen):
            cpu, memory, gpu = (_number(row[key], line, key) for key in NODE_COLUMNS[1:4])
            nodes.append((row["sn"], [cpu, memory * _MIB, 1000 * gpu], row["model"]))
    elif tuple(header[: len(POD_COLUMNS)]) == POD_COLUMNS:
        for line, row in _rows(rows, header, seen):
            cpu, memory, gpu, share = (_number(row[key], line, key) for key in POD_COLUMNS[1:])
            qos = row.get("qos", "")
            if qos not in _PRIORITY:
                raise InputError(f"unknown qos {qos[:40]!a}", line=line)
            amounts = [cpu, memory * _MIB, gpu * share]
            pods.append((row["name"], amounts, row.get("gpu_spec", ""), qos))
    else:
        raise InputError(
            f"the header must begin with {','.join(NODE_COLUMNS)} or {','.join(POD_COLUMNS)}",
            line=1,
        )


def _rows(
    rows: Iterator[list[str]], header: list[str], seen: set[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise InputError(f"{len(header)} columns are needed, not {len(row)}", line=line)
        if not row[0] or not row[0].isprintable():
            raise InputError("the name must be printable text", line=line)
        if row[0] in seen:
            raise InputError(f"the name {row[0][:60]!a} occurs twice", line=line)
        seen.add(row[0])
        yield line, dict(zip(header, row, strict=True))


def _number(text: str, line: int, column: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > _MOST:
        raise InputError(
            f"{column} must be an integer in 0..{_MOST}, not {text[:20]!a}", line=line
        )
    return int(text)


def _cluster(
    name: str,
    nodes: list[tuple[str, list[int], str]],
    pods: list[tuple[str, list[int], str, str]],
) -> Cluster:
    models = np.array([model for _, _, model in nodes])
    profiles: dict[str, int] = {}
    profile = [profiles.setdefault(spec, len(profiles)) for _, _, spec, _ in pods]
    return Cluster(
        name=name,
        resources=("cpu", "memory", "gpu-milli"),
        nodes=tuple(node for node, _, _ in nodes),
        allocatable=np.array([amounts for _, amounts, _ in nodes], dtype=np.int64),
        pods=tuple(f"default/{pod}" for pod, _, _, _ in pods),
        request=np.array([amounts for _, amounts, _, _ in pods], dtype=np.int64),
        priority=np.array([_PRIORITY[qos] for _, _, _, qos in pods], dtype=np.int64),
        node=np.full(len(pods), -1, dtype=np.int32),
        owners=tuple(f"default/ReplicaSet/{pod}" for pod, _, _, _ in pods),
        owner=np.arange(len(pods), dtype=np.int32),
        allowed=np.array([_open_to(spec, models) for spec in profiles], dtype=np.bool_),
        profile=np.array(profile, dtype=np.int32),
        held=("",) * len(pods),
        preempts=np.ones(len(pods), dtype=np.bool_),
        grace=np.full(len(pods), _GRACE, dtype=np.int64),
    )


def _open_to(spec: str, models: np.ndarray) -> np.ndarray:
    """Shape (num_nodes,): nodes whose GPUs are of a model in *spec*; all if it names none."""
    return np.isin(models, spec.split("|")) if spec else np.ones(len(models), dtype=np.bool_)
