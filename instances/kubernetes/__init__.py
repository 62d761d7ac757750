"""Snapshots of a Kubernetes cluster: what ``kubectl get -o json|yaml`` prints.

``parse_snapshot`` reads them, ``is_snapshot`` recognises them, ``dumps_snapshot`` writes a cluster
as one. What is read, and what makes a pod immovable: ``docs/kubernetes-snapshot.md``.
"""

from cpsched.instances.kubernetes.documents import MAX_BYTES as MAX_BYTES
from cpsched.instances.kubernetes.documents import is_snapshot as is_snapshot
from cpsched.instances.kubernetes.snapshot import parse_snapshot as parse_snapshot
