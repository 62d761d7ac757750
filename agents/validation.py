"""How a run is validated: the table that all ways of training have."""

from __future__ import annotations

from dataclasses import dataclass

from cpsched.agents.config import require


@dataclass(frozen=True)
class Validation:
    """The table ``[validation]``.

    instances: how many; every: updates from one validation to the next; samples: of the sampled
    gap; seconds: of the reference solve of each instance, once, on one core.
    """

    instances: int = 45
    every: int = 20
    samples: int = 32
    seconds: float = 0.5

    def __post_init__(self) -> None:
        require(self.instances >= 1, "instances must be at least 1", self.instances)
        require(self.every >= 1, "every must be at least 1", self.every)
        require(self.samples >= 2, "samples must be at least 2", self.samples)
        require(self.seconds > 0, "seconds must be above 0", self.seconds)
