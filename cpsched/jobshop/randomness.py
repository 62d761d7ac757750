"""Random numbers inside the kernels: a state that a caller seeds and keeps."""

from __future__ import annotations

import numpy as np
from numba import types

from cpsched.jobshop.graph import INT, U8, Int, WordArray
from cpsched.kernels import kernel


@kernel(types.uint64(U8))
def random_word(rng: WordArray) -> Int:
    """Next word of an xorshift64 generator; rng: shape (1,), not zero."""
    x = rng[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    rng[0] = x
    return x


@kernel(INT(U8, INT))
def random_below(rng: WordArray, n: Int) -> Int:
    """Uniform integer in 0..n-1, n < 2**31."""
    return np.int64(((random_word(rng) >> np.uint64(32)) * np.uint64(n)) >> np.uint64(32))
