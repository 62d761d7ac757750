"""Weights as one vector, as evolution wants them, and as named tensors, as files do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cpsched.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Shape of each tensor, in the order of the vector.
Shapes = dict[str, tuple[int, ...]]
Vector = npt.NDArray[np.float64]


def divided(weights: Vector, shapes: Shapes) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors of a vector."""
    found, at = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        found[name] = weights[at : at + size].reshape(shape).astype(np.float32)
        at += size
    return found


def joined(tensors: Mapping[str, npt.NDArray[np.float32]], shapes: Shapes) -> Vector:
    """The vector of *tensors*; InputError, naming the tensor, if one is missing or of no use."""
    parts = []
    for name, shape in shapes.items():
        if name not in tensors:
            raise InputError(f"the weights lack the tensor {name}")
        if tensors[name].shape != shape:
            raise InputError(f"tensor {name} must have shape {shape}, not {tensors[name].shape}")
        parts.append(tensors[name].astype(np.float64).reshape(-1))
    return np.concatenate(parts)


def initial(shapes: Shapes, rng: np.random.Generator) -> Vector:
    """Random weights whose layers keep the scale of what they are given; biases are 0."""
    parts = []
    for name, shape in shapes.items():
        spread = 0.0 if name.endswith("bias") else 0.3 if len(shape) == 1 else shape[1] ** -0.5
        parts.append(rng.normal(0.0, 1.0, shape).reshape(-1) * spread)
    return np.concatenate(parts)


def require_features(config: Mapping[str, Any], **wanted: int) -> None:
    """InputError if weights were trained on other features than this version computes."""
    for name, value in wanted.items():
        if config.get(name) != value:
            raise InputError(
                f"these weights were trained with {name} {config.get(name)!r}, this version of "
                f"cpsched has {value}"
            )
