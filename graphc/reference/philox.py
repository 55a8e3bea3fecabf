"""Philox 4x32-10 in NumPy: random words as a function of key and counter.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["philox", "uniform"]

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def philox(counter: tuple[Any, Any, Any, Any], key: tuple[int, int]) -> Any:
    """The first 32-bit word for each counter, as uint64.

    Args:
        counter: four 32-bit words, arrays or numbers that broadcast.
        key: two 32-bit words.
    """
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.asarray(c, np.uint64) & _LOW for c in counter))
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (p1 >> _SHIFT) ^ c1 ^ np.uint64(k0), p1 & _LOW, (p0 >> _SHIFT) ^ c3 ^ np.uint64(k1), p0 & _LOW
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return c0


def uniform(shape: tuple[int, ...], seed: int, step: int, number: int, iteration: int = 0) -> Any:
    """Numbers k / 2**24 in [0, 1), the same in float32 and float64.

    The counter is (position, node number, step, iteration), the key the seed's two words.
    """
    size = int(np.prod(shape, dtype=np.int64))
    words = philox((np.arange(size), number & 0xFFFFFFFF, step & 0xFFFFFFFF, iteration), (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF))
    return ((words >> np.uint64(8)).astype(np.float64) * 2.0**-24).reshape(shape)
