"""Gymnasium environments built over any Formulation (the one layer that imports gymnasium).

Importing this package registers ``cpsched/Schedule-v0`` and ``cpsched/Assign-v0``, for
``gymnasium.make`` and, as one batch, for ``gymnasium.make_vec``. The classes, and the kernels they
need, are loaded on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if __name__ != "cpsched.envs":
    raise ImportError(f"import this package as cpsched.envs, not as {__name__}")

from cpsched.envs.registration import register_all

if TYPE_CHECKING:
    from cpsched.envs.construct import AssignEnv as AssignEnv
    from cpsched.envs.construct import ConstructEnv as ConstructEnv
    from cpsched.envs.construct import ScheduleEnv as ScheduleEnv
    from cpsched.envs.vector import CpVecEnv as CpVecEnv

register_all()

_LAZY = {
    "AssignEnv": "construct",
    "ConstructEnv": "construct",
    "ScheduleEnv": "construct",
    "CpVecEnv": "vector",
}

__all__ = sorted(_LAZY)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
