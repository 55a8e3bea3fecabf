"""What the source of a CUDA kernel may use.

The functions are written once. On a device they are compiled with it, and ``math`` means NVIDIA's library; in numba-cuda's
simulator they are plain Python, and ``math`` means NumPy, whose functions give infinities where Python's raise.
"""

from __future__ import annotations

import math as library
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
from numba import cuda
from numba.core import config as numba_config
from numba.core.dispatcher import Dispatcher

from graphc.codegen import matrices

__all__ = [
    "LANES", "checked", "cofactor", "cofactor1", "cofactor2", "determinant", "gathered_max", "gathered_min", "gathered_prod", "gathered_sum",
    "greatest", "inverse", "least", "logdet", "math", "maximum", "minimum", "product", "random_bits", "select", "settle", "sigmoid", "sign",
    "simulated", "softplus", "total",
]  # fmt: skip

_config: Any = numba_config
_cuda: Any = cuda
simulated = bool(_config.ENABLE_CUDASIM)
LANES = 4 if simulated else 128  # threads of a block that share a running result: a power of 2
_M0, _M1, _W0, _W1, _WORD = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85, 0xFFFFFFFF


def _simulated_erf(x: Any) -> Any:
    return type(x)(library.erf(x))


_NUMPY: Any = SimpleNamespace(
    atan=np.arctan, cos=np.cos, cosh=np.cosh, erf=_simulated_erf, exp=np.exp, expm1=np.expm1, floor=np.floor, isfinite=np.isfinite,
    log=np.log, log1p=np.log1p, pow=np.power, sin=np.sin, sinh=np.sinh, sqrt=np.sqrt, tan=np.tan, tanh=np.tanh,
)  # fmt: skip
math: Any = _NUMPY if simulated else library


def _device(function: Any) -> Any:
    """A function that kernels may call."""
    return function if simulated else _cuda.jit(device=True)(function)


@_device
def maximum(x: Any, y: Any) -> Any:
    """The greater one, the first on a tie; NaN on either side wins."""
    return y if x < y or y != y else x


@_device
def minimum(x: Any, y: Any) -> Any:
    """The smaller one, the first on a tie; NaN on either side wins."""
    return y if x > y or y != y else x


greatest, least = maximum, minimum


@_device
def total(running: Any, value: Any) -> Any:
    """A running sum with one more term."""
    return running + value


@_device
def product(running: Any, value: Any) -> Any:
    """A running product with one more factor."""
    return running * value


def _gathering(combine: Any) -> Any:
    """A function that combines the parts of a running result, one for each thread along a block's first axis; all get the result."""

    def gathered(part: Any, parts: Any) -> Any:
        lane, step = cuda.threadIdx.x, cuda.blockDim.x  # type: ignore[attr-defined]
        if step == 1:
            return part
        # What was gathered before has been read by all.
        cuda.syncthreads()  # type: ignore[call-arg]
        parts[lane] = part
        while step > 1:
            step = step // 2
            cuda.syncthreads()
            if lane < step:
                parts[lane] = combine(parts[lane], parts[lane + step])
        cuda.syncthreads()
        return parts[0]

    return _cuda.jit(device=True)(gathered)


gathered_sum, gathered_prod, gathered_max, gathered_min = (_gathering(f) for f in (total, product, maximum, minimum))


@_cuda.jit(device=True)
def settle() -> None:
    """What a block's threads have written, all of them can read."""
    if cuda.blockDim.x > 1:  # type: ignore[attr-defined]
        cuda.syncthreads()  # type: ignore[call-arg]


@_device
def select(condition: Any, x: Any, y: Any) -> Any:
    """One of two values that are both there."""
    return x if condition else y


# Numbers that a formula needs come as arguments: written out here they would be of double precision, and the sum with them too.
@_device
def sign(x: Any, zero: Any, one: Any) -> Any:
    """-1, 0 or 1; NaN stays."""
    return one if x > zero else -one if x < zero else x


@_device
def sigmoid(x: Any, zero: Any, one: Any) -> Any:
    """1/(1 + exp(-x)), through exp of what is not positive."""
    e = math.exp(-abs(x))
    return e / (one + e) if x < zero else one / (one + e)


@_device
def softplus(x: Any, zero: Any) -> Any:
    """max(x, 0) + log1p(exp(-|x|))."""
    small = math.log1p(math.exp(-abs(x)))
    return small if x < zero else x + small


@_device
def random_bits(control: Any, iteration: Any, position: Any, number: Any) -> Any:
    """24 random bits: Philox 4x32-10, as in `graphc/codegen/random.py`, in words of 64 bits of which 32 are used."""
    k0, k1 = int(control[0]), int(control[1])
    c0, c1, c2, c3 = int(position) & _WORD, int(number), int(control[2]), int(iteration) & _WORD
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = ((p1 >> 32) & _WORD) ^ c1 ^ k0, p1 & _WORD, ((p0 >> 32) & _WORD) ^ c3 ^ k1, p0 & _WORD
        k0, k1 = (k0 + _W0) & _WORD, (k1 + _W1) & _WORD
    return c0 >> 8


@_cuda.jit(device=True)
def checked(control: Any, place: Any, size: Any, code: Any) -> Any:
    """``place`` where it lies in ``0 ... size - 1``, else 0; the first one that does not leaves ``code`` and itself in the control words."""
    if 0 <= place < size:
        return place
    if cuda.atomic.cas(control, 3, 0, code) == 0:  # type: ignore[call-arg]
        control[5] = place
    return 0


def _linear_algebra() -> dict[str, Any]:
    """The functions of `graphc/codegen/matrices.py`, over again with each other for this target."""
    space: dict[str, Any] = dict(vars(matrices))
    for name, value in vars(matrices).items():
        if isinstance(value, Dispatcher):
            plain: Any = value
            space[name] = _device(FunctionType(plain.py_func.__code__, space, name, plain.py_func.__defaults__))
    return space


_made = _linear_algebra()
inverse, determinant, logdet = _made["inverse"], _made["determinant"], _made["logdet"]
cofactor, cofactor1, cofactor2 = _made["cofactor"], _made["cofactor1"], _made["cofactor2"]
