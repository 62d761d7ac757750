"""Learned dispatching and placement policies (the one layer that imports torch)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpsched.lazy import loader

if __name__ != "cpsched.agents":
    raise ImportError(f"import this package as cpsched.agents, not as {__name__}")

if TYPE_CHECKING:
    from cpsched.agents.graph import hetero_data as hetero_data
    from cpsched.agents.vec_env import Sb3VecEnv as Sb3VecEnv

_LAZY = {"hetero_data": ".graph", "Sb3VecEnv": ".vec_env"}

__all__ = sorted(_LAZY)

__getattr__, __dir__ = loader(globals(), _LAZY)
