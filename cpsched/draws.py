"""Random numbers inside kernels: xorshift64 (Marsaglia 2003), its state an array of one word."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types

from cpsched.kernels import part

Words = npt.NDArray[np.uint64]

U8 = types.uint64[::1]


@part(types.uint64(U8))
def word(rng: Words) -> Any:
    """Next word of an xorshift64 generator; rng: shape (1,), not zero."""
    x = rng[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    rng[0] = x
    return x


@part(types.int64(U8, types.int64))
def below(rng: Words, n: Any) -> Any:
    """Uniform integer in 0..n-1, n < 2**31."""
    return np.int64(((word(rng) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))


@part(types.float64(U8))
def uniform(rng: Words) -> Any:
    """Uniform number in [0, 1)."""
    return np.float64(word(rng) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@part(types.float64(U8))
def positive(rng: Words) -> Any:
    """Uniform number in (0, 1]."""
    return np.float64((word(rng) >> np.uint64(11)) + np.uint64(1)) * (1.0 / 9007199254740992.0)
