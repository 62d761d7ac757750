"""The ids of the environments in Gymnasium's registry."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry


def register_all() -> None:
    """Register the ids, once; the classes are loaded when an environment is made."""
    for name, environment, batch in (
        ("cpsched/Schedule-v0", "ScheduleEnv", "schedule_batch"),
        ("cpsched/Assign-v0", "AssignEnv", "assign_batch"),
    ):
        if name not in registry:
            register(
                id=name,
                entry_point=f"cpsched.envs.construct:{environment}",
                vector_entry_point=f"cpsched.envs.vector:{batch}",
            )
    for name, environment in (
        ("cpsched/Move-v0", "move:MoveEnv"),
        ("cpsched/TwoStageMove-v0", "two_stage:TwoStageMoveEnv"),
    ):
        if name not in registry:
            register(id=name, entry_point=f"cpsched.envs.{environment}")
