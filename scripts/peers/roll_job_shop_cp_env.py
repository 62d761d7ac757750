"""Driver for job-shop-cp-env's ``CompiledJssEnvCP``.

Peculiarities (1.0.0): the wheel has the class twice, as plain Python in ``compiled_jss``, which is
what its documentation imports, and as a compiled extension that landed in
``src.compiled_jss``; both are measured. ``step`` takes a ranking of actions; here one action.
The interface is that of the old gym without seed and info in ``reset``; the wheel declares none
of the packages that it imports.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
from rolling import serve

if TYPE_CHECKING:
    from rolling import Request


class _Cp:
    def __init__(self, module: str, request: Request) -> None:
        self.env = importlib.import_module(module).CompiledJssEnvCP(request["instance"])
        self.observation: Any = None
        self.info: dict[str, str] = {}

    def reset(self) -> None:
        self.observation = self.env.reset()

    def legal(self) -> Any:
        return np.asarray(self.observation["action_mask"]).nonzero()[0]

    def step(self, action: Any) -> bool:
        self.observation, _, over, self.info = self.env.step(np.array([action]))
        return over

    def makespan(self) -> float:
        return float(self.info["makespan"])


if __name__ == "__main__":
    serve(
        {
            "as installed": lambda request: _Cp("compiled_jss.CPEnv", request),
            "compiled": lambda request: _Cp("src.compiled_jss.CPEnv", request),
        },
        ("job-shop-cp-env", "gym", "docplex", "numpy"),
    )
