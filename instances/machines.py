"""Solutions of machine reassignment in result files, read back as assignments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpsched.errors import InputError
from cpsched.instances.formats.native import describe, integer
from cpsched.reassignment.solution import Assignment

if TYPE_CHECKING:
    from cpsched.reassignment.instance import Reassignment

#: The key by which a solution is known.
KEY = "machines"


def parse(solution: dict[str, Any], parent: str, instance: Reassignment) -> Assignment:
    """Assignment of *solution*, an object with the key ``machines``; other keys are ignored.

    InputError with the path of a machine that *instance* does not have, or a missing process.
    """
    path = f"{parent}.{KEY}"
    entries = solution[KEY]
    if not isinstance(entries, list):
        raise InputError(f"the machines must be a list, not {describe(entries)}", path=path)
    if len(entries) != instance.num_processes:
        raise InputError(
            f"{instance.num_processes} machines are needed, one for each process, "
            f"not {len(entries)}",
            path=path,
        )
    last = instance.num_machines - 1
    found = [
        integer(entry, 0, last, f"{path}[{process}]", "the machine")
        for process, entry in enumerate(entries)
    ]
    return Assignment(np.array(found, dtype=np.int32))
