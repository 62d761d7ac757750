"""Gymnasium environments built over any Formulation (the one layer that imports gymnasium).

Importing this package registers ``cpsched/Schedule-v0`` and ``cpsched/Assign-v0``, for
``gymnasium.make`` and, as one batch, for ``gymnasium.make_vec``, and ``cpsched/Move-v0`` and
``cpsched/TwoStageMove-v0``. The classes, and the kernels they need, are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpsched.lazy import loader

if __name__ != "cpsched.envs":
    raise ImportError(f"import this package as cpsched.envs, not as {__name__}")

from cpsched.envs.registration import register_all

if TYPE_CHECKING:
    from cpsched.envs.construct import AssignEnv as AssignEnv
    from cpsched.envs.construct import ConstructEnv as ConstructEnv
    from cpsched.envs.construct import ScheduleEnv as ScheduleEnv
    from cpsched.envs.move import MoveEnv as MoveEnv
    from cpsched.envs.two_stage import TwoStageMoveEnv as TwoStageMoveEnv
    from cpsched.envs.vector import CpVecEnv as CpVecEnv

register_all()

_LAZY = {
    "AssignEnv": ".construct",
    "ConstructEnv": ".construct",
    "ScheduleEnv": ".construct",
    "MoveEnv": ".move",
    "TwoStageMoveEnv": ".two_stage",
    "CpVecEnv": ".vector",
}

__all__ = sorted(_LAZY)

__getattr__, __dir__ = loader(globals(), _LAZY)
