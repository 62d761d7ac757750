"""Snapshots of a Kubernetes cluster: what ``kubectl get -o json|yaml`` prints.

``parse_snapshot`` reads them, ``is_snapshot`` recognises them, ``dumps_snapshot`` writes a cluster
as one; it reads back as ``canonical(cluster)``. What is read, and what makes a pod immovable:
``docs/kubernetes-snapshot.md``.
"""

from cpsched.instances.kubernetes.canonical import canonical as canonical
from cpsched.instances.kubernetes.documents import MAX_BYTES as MAX_BYTES
from cpsched.instances.kubernetes.documents import is_snapshot as is_snapshot
from cpsched.instances.kubernetes.snapshot import parse_snapshot as parse_snapshot
from cpsched.instances.kubernetes.writing import dumps_snapshot as dumps_snapshot
