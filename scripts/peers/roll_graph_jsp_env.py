"""Driver for graph-jsp-env's ``DisjunctiveGraphJspEnv``.

Peculiarities (1.1.1): it calls ``matplotlib.pyplot.cm.get_cmap``, which matplotlib has removed;
the function is put back here, for the constructor only. The mask is a call of its own,
``valid_action_mask``. Actions are jobs (``action_mode="job"``), which leaves the same choices as
its default of operations; everything else is at its defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from rolling import read_jobs, serve

if TYPE_CHECKING:
    from rolling import Request

plt.cm.get_cmap = lambda name: matplotlib.colormaps[name]

from graph_jsp_env.disjunctive_graph_jsp_env import DisjunctiveGraphJspEnv  # noqa: E402


class _Graph:
    def __init__(self, request: Request) -> None:
        # Axes: machine and duration, job, position in the job.
        table = np.moveaxis(np.array(read_jobs(request["instance"])), 2, 0)
        self.env = DisjunctiveGraphJspEnv(table, action_mode="job")
        self.observation: Any = None
        self.info: dict[str, Any] = {}

    def reset(self) -> None:
        self.observation, self.info = self.env.reset()

    def legal(self) -> Any:
        return np.asarray(self.env.valid_action_mask()).nonzero()[0]

    def step(self, action: Any) -> bool:
        self.observation, _, terminated, _, self.info = self.env.step(action)
        return terminated

    def makespan(self) -> float:
        return self.info["makespan"]


if __name__ == "__main__":
    serve({"": _Graph}, ("graph-jsp-env", "gymnasium", "networkx", "matplotlib", "numpy"))
