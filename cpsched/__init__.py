"""cpsched: constraint programming and reinforcement learning for scheduling and placement.

``read`` an instance, ``solve`` it, look at the ``Result``::

    result = cpsched.solve(cpsched.read("ft10"), time_limit=10)
    print(result.status, result.objective, result.bound)

Everything is loaded on first use: importing the package costs milliseconds.
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

from cpsched.lazy import loader

if TYPE_CHECKING:
    from cpsched.checking import check as check
    from cpsched.errors import CpschedError as CpschedError
    from cpsched.errors import InputError as InputError
    from cpsched.instances import read as read
    from cpsched.instances import write as write
    from cpsched.jobshop.instance import JobShop as JobShop
    from cpsched.jobshop.solution import Schedule as Schedule
    from cpsched.protocols import Limits as Limits
    from cpsched.result import Result as Result
    from cpsched.result import Status as Status
    from cpsched.solving import solve as solve

_LAZY = {
    "check": "cpsched.checking",
    "CpschedError": "cpsched.errors",
    "InputError": "cpsched.errors",
    "read": "cpsched.instances",
    "write": "cpsched.instances",
    "JobShop": "cpsched.jobshop.instance",
    "Schedule": "cpsched.jobshop.solution",
    "Limits": "cpsched.protocols",
    "Result": "cpsched.result",
    "Status": "cpsched.result",
    "solve": "cpsched.solving",
}

__all__ = sorted(_LAZY)

_get, __dir__ = loader(globals(), _LAZY)


def __getattr__(name: str) -> Any:
    return metadata.version("cpsched") if name == "__version__" else _get(name)
