"""A plan for people: a plain table, and shell commands. Nothing here talks to a cluster."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from typing import TYPE_CHECKING

from cpsched.pods.steps import Action
from cpsched.words import count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cpsched.pods.instance import Cluster
    from cpsched.pods.steps import Plan

#: Owners that the header names.
_OWNERS = 20

_HEADER = """\
#!/bin/sh
# {title}
# {proof}
# {steps}: {evictions}, {bindings}, cost {cost}.
{owners}#
# Read it before you run it; it stops at the first error.
#
# An evicted pod never comes back: its controller creates another one, under a new name
# (StatefulSets keep it). kube-scheduler places that one as it likes and may do so before a
# binding below does. To steer it, one of these has to be set up first:
#   - a scheduler extender or plug-in that accepts the planned node only;
#   - a mutating webhook that adds a scheduling gate to pods of the owners above; then remove the
#     gate while adding a nodeSelector kubernetes.io/hostname with the planned node.
# Bindings of re-created pods are therefore comments: put in the new name. A binding of a pod that
# the scheduler has placed already fails with a conflict (409). A terminating pod keeps its room
# until it is gone: each eviction waits for that.
set -eu
"""


def kubectl(cluster: Cluster, plan: Plan, *, proof: str = "") -> str:
    """*plan* as a shell script of kubectl commands, one comment with the reason for each step.

    Evictions go through the Eviction API, so that disruption budgets are kept by the API server;
    bindings through the Binding API. Bindings of pods that a controller re-creates under a name
    nobody knows yet are commented out. proof: what is proven of the plan's end, for the header.
    """
    bindings = sum(step.action is Action.BIND for step in plan.steps)
    lines = [
        _HEADER.format(
            title=_one_line(f"Plan for {cluster.name}"),
            proof=_one_line(f"Proof: {proof or 'none is stated'}."),
            steps=count(len(plan.steps), "step"),
            evictions=count(len(plan.steps) - bindings, "eviction"),
            bindings=count(bindings, "binding"),
            cost=plan.cost,
            owners="".join(f"# {_one_line(line)}\n" for line in _owners(cluster, plan)),
        )
    ]
    for number, step in enumerate(plan.steps, 1):
        namespace, _, name = cluster.pods[step.pod].rpartition("/")
        namespace = namespace or "default"
        node = cluster.nodes[step.node]
        place = "from" if step.action is Action.EVICT else "on"
        what = f"{number}. {step.action} {namespace}/{name} {place} {node}: {step.reason}"
        lines.append(f"# {_one_line(what)}")
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        meta = {"name": name, "namespace": namespace}
        if step.action is Action.EVICT:
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
            grace = int(cluster.grace[step.pod])
            wait = (
                f"kubectl wait --for=delete --timeout={grace + 60}s "
                f"-n {shlex.quote(namespace)} {shlex.quote(f'pod/{name}')}"
            )
            lines += [_create(f"{path}/eviction", body), wait, ""]
            continue
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        if step.source is not None:
            if not _keeps_names(cluster, step.pod):
                path = f"/api/v1/namespaces/{namespace}/pods/NEW_NAME"
                meta = {"name": "NEW_NAME", "namespace": namespace}
            lines.append(f"# planned node of the pod that replaces it: {_one_line(node)}")
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": meta, "target": target}
        command = _create(f"{path}/binding", body)
        if step.source is not None:
            command = "\n".join(f"# {line}" for line in command.splitlines())
        lines += [command, ""]
    return "\n".join(lines)


def _owner(cluster: Cluster, pod: int) -> str:
    """Controller of *pod* as ``namespace/Kind/name``, empty for none."""
    return cluster.owners[cluster.owner[pod]] if cluster.owner[pod] >= 0 else ""


def _keeps_names(cluster: Cluster, pod: int) -> bool:
    """Whether the pod that replaces *pod* bears its name: those of a StatefulSet do."""
    parts = _owner(cluster, pod).split("/")
    return len(parts) == 3 and parts[1] == "StatefulSet"


def _owners(cluster: Cluster, plan: Plan) -> list[str]:
    """Whose pods are evicted, and what to know about pods that keep their names."""
    gone = [step.pod for step in plan.steps if step.action is Action.EVICT]
    if not gone:
        return ["No running pod is touched."]
    pods = Counter(_owner(cluster, pod) or "no controller" for pod in gone)
    lines = ["Pods are evicted of:"]
    lines += [f"  {owner}: {count(number, 'pod')}" for owner, number in pods.most_common(_OWNERS)]
    if len(pods) > _OWNERS:
        lines.append(f"  and {count(len(pods) - _OWNERS, 'other owner')}")
    if named := sum(_keeps_names(cluster, pod) for pod in gone):
        lines += [
            f"WARNING: {count(named, 'pod')} of StatefulSets among them: such a pod is re-created",
            "under the same name, and only when the old one is gone.",
        ]
    return lines


def _create(path: str, body: Mapping[str, object]) -> str:
    """One API call; JSON escapes line breaks, so nothing in *body* can end the quoted heredoc."""
    return f"kubectl create --raw {shlex.quote(path)} -f - <<'EOF'\n{json.dumps(body)}\nEOF"


def _one_line(text: str) -> str:
    """*text* without line breaks or control characters, which would end a comment."""
    return "".join(mark if mark.isprintable() else "?" for mark in text)


def table(cluster: Cluster, plan: Plan) -> str:
    """*plan* as plain text, one line per step, columns aligned."""
    if not plan.steps:
        return "nothing to do"
    rows = [("step", "action", "pod", "node", "cost", "reason")]
    for number, step in enumerate(plan.steps, 1):
        pod, node = _one_line(cluster.pods[step.pod]), _one_line(cluster.nodes[step.node])
        cost = str(step.cost) if step.cost else ""
        rows.append((str(number), str(step.action), pod, node, cost, _one_line(step.reason)))
    width = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        f"{row[0]:>{width[0]}}  {row[1]:<{width[1]}}  {row[2]:<{width[2]}}  "
        f"{row[3]:<{width[3]}}  {row[4]:>{width[4]}}  {row[5]}"
        for row in rows
    )
