"""Driver for job-shop-lib's ``SingleJobShopGraphEnv`` with two of its graphs.

Peculiarities (1.7.2): there is no mask; legal actions are a list in ``info`` of (operation,
machine, job), while an action is (job, machine). Dominated operations are filtered out by default.
The features are those of its documentation's example: ready, earliest start, duration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from job_shop_lib import JobShopInstance, Operation
from job_shop_lib.dispatching.feature_observers import FeatureObserverType
from job_shop_lib.graphs import build_disjunctive_graph, build_resource_task_graph
from job_shop_lib.reinforcement_learning import SingleJobShopGraphEnv
from rolling import read_jobs, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from rolling import Request

_FEATURES = [
    FeatureObserverType.IS_READY,
    FeatureObserverType.EARLIEST_START_TIME,
    FeatureObserverType.DURATION,
]


class _Graph:
    def __init__(self, build: Callable[[JobShopInstance], Any], request: Request) -> None:
        instance = JobShopInstance(
            [
                [Operation(machine, duration) for machine, duration in job]
                for job in read_jobs(request["instance"])
            ]
        )
        self.env = SingleJobShopGraphEnv(build(instance), feature_observer_configs=_FEATURES)
        self.observation: Any = None
        self.info: dict[str, Any] = {}

    def reset(self) -> None:
        self.observation, self.info = self.env.reset()

    def legal(self) -> Any:
        return self.info["available_operations_with_ids"]

    def step(self, action: Any) -> bool:
        _, machine, job = action
        self.observation, _, terminated, _, self.info = self.env.step((job, machine))
        return terminated

    def makespan(self) -> float:
        return self.env.current_makespan()


if __name__ == "__main__":
    serve(
        {
            "resource-task graph": lambda request: _Graph(build_resource_task_graph, request),
            "disjunctive graph": lambda request: _Graph(build_disjunctive_graph, request),
        },
        ("job-shop-lib", "gymnasium", "numpy"),
    )
