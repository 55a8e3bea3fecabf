"""Ways to write the same thing: pieces with several spellings, and formulas made of them, with their true values."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

import graphc as gx

__all__ = ["FAMILIES", "Family", "points", "rows"]

VALUES = [200.0, -200.0, 88.0, -88.0, 20.0, -20.0, 1e-3, -1e-3, 0.0, 1e4, -1e4]
n, k, j = gx.indices("n k j")
Spelling = Callable[..., Any]


@dataclass(frozen=True)
class Family:
    """One function in all its spellings.

    Attributes:
        spellings: name -> the formula as a tensor, of ``z`` and a constant ``y`` of its shape.
        value: the true value, in float64.
        slope: the true gradient of ``sum(weight * value)`` by ``z``, from ``z``, ``y`` and ``weight``.
    """

    name: str
    spellings: dict[str, Spelling]
    value: Callable[..., Any]
    slope: Callable[..., Any]
    points: Callable[[], Any]


def points() -> Any:
    """Single numbers, small and huge."""
    return np.array(VALUES)


def rows() -> Any:
    """Rows of three, with ties and large gaps."""
    return np.array([
        [0, 0, 0], [200, 200, 200], [200, -200, 0], [-200, -200, -200], [88, 89, 90], [-88, 88, 0], [1e4, 1e4 - 1, 0],
        [-1e4, -1e4, -1e4 + 2], [20, -20, 20], [1e-3, -1e-3, 0], [1e4, -1e4, 1e4], [-88, -89, -200],
    ], dtype=float)  # fmt: skip


def _whole(t: Any) -> tuple[Any, ...]:
    return (n, k)[: t.ndim]


def _entrywise(formula: Callable[[Any], Any]) -> Spelling:
    """A formula in index notation."""
    return lambda t: gx.define("piece", _whole(t), formula(t[_whole(t)]))


EXP: dict[str, Spelling] = {
    "exp": gx.exp,
    "1/exp(-z)": lambda z: 1 / gx.exp(-z),
    "exp(z/2)**2": lambda z: gx.exp(z / 2) ** 2,
    "define": _entrywise(sympy.exp),
    "named": lambda z: gx.exp(z.named("logit")).named("power"),
}
LOG: dict[str, Spelling] = {
    "log": gx.log,
    "define": _entrywise(sympy.log),
    "-log(1/t)": lambda t: -gx.log(1 / t),
    "half of square": lambda t: gx.log(t**2) / 2,
    "function": gx.function("ln", lambda x: sympy.log(x)),
    "through reshape": lambda t: gx.reshape(gx.log(gx.reshape(t, (-1,))), t.shape),
    "through slice": lambda t: gx.log(t[::-1])[::-1],
    "through axes": lambda t: gx.squeeze(gx.log(gx.expand_dims(t, 0)), 0),
}
LOGISTIC: dict[str, Spelling] = {
    "sigmoid": gx.sigmoid,
    "1/(1+exp(-z))": lambda z: 1 / (1 + gx.exp(-z)),
    "exp/(1+exp)": lambda z: gx.exp(z) / (1 + gx.exp(z)),
    "exp/(exp+1), powers": lambda z: gx.exp(z) * (gx.exp(z) + 1) ** -1,
    "reciprocal": lambda z: gx.reciprocal(gx.exp(-z) + 1),
    "define": _entrywise(lambda x: 1 / (1 + sympy.exp(-x))),
    "function": gx.function("logistic", lambda x: sympy.exp(x) / (sympy.exp(x) + 1)),
    "tanh": lambda z: (1 + gx.tanh(z / 2)) / 2,
    "named": lambda z: (1 / (1 + gx.exp(-z)).named("below")).named("s"),
    "1 - mirrored": lambda z: 1 - gx.sigmoid(-z),
}
REST: dict[str, Spelling] = {
    "1-s": lambda s: 1 - s,
    "-(s-1)": lambda s: -(s - 1),
    "-s+1": lambda s: -s + 1,
    "define": _entrywise(lambda x: 1 - x),
    "halves": lambda s: 0.5 - s + 0.5,
    "named": lambda s: (1 - s.named("p")).named("q"),
}


def _over_its_sum(e: Any) -> Any:
    return e / gx.expand_dims(gx.sum(e, 1), 1)


SOFTMAX: dict[str, Spelling] = {
    "softmax": gx.softmax,
    "written out": lambda z: gx.exp(z) / gx.sum(gx.exp(z), -1, keepdims=True),
    "shifted": lambda z: gx.exp(z - gx.max(z, -1, keepdims=True)) / gx.sum(gx.exp(z - gx.max(z, -1, keepdims=True)), 1, keepdims=True),
    "shared powers": lambda z: _over_its_sum(gx.exp(z)),
    "times reciprocal": lambda z: gx.exp(z) * gx.reciprocal(gx.sum(gx.exp(z), 1, keepdims=True)),
    "transposed": lambda z: (gx.exp(z.T) / gx.sum(gx.exp(z.T), 0)).T,
    "define": lambda z: gx.define("p", (n, k), sympy.exp(z[n, k]) / gx.Sum(sympy.exp(z[n, j]), j)),
    "define, negated": lambda z: gx.define("p", (n, k), 1 / gx.Sum(sympy.exp(z[n, j] - z[n, k]), j)),
    "named": lambda z: (gx.exp(z).named("e") / gx.sum(gx.exp(z), 1, keepdims=True).named("total")).named("p"),
    "matmul": lambda z: gx.exp(z) / (gx.exp(z) @ gx.constant(np.ones((3, 1)))),
}


def _crossed(build: Callable[..., Any], *pieces: dict[str, Spelling]) -> dict[str, Spelling]:
    """Every piece with its first partner of each kind, and a walk through the rest: all pieces, not all products."""
    names = [list(p) for p in pieces]
    longest = max(map(len, names))
    chosen = dict.fromkeys(tuple(own[(turn + shift) % len(own)] for shift, own in enumerate(names)) for turn in range(longest))
    for which, own in enumerate(names):
        chosen.update(dict.fromkeys(tuple(x if w == which else names[w][0] for w in range(len(names))) for x in own))
    return {" | ".join(c): build(*(p[x] for p, x in zip(pieces, c, strict=True))) for c in chosen}


def _sigma(z: Any) -> Any:
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def _p(z: Any) -> Any:
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _logp(z: Any) -> Any:
    d = z - z.max(-1, keepdims=True)
    return d - np.log(np.exp(d).sum(-1, keepdims=True))


def _log_rest(z: Any) -> Any:
    others = np.stack([np.logaddexp(z[:, (c + 1) % 3], z[:, (c + 2) % 3]) for c in range(3)], 1)
    top = z.max(-1, keepdims=True)
    return others - top - np.log(np.exp(z - top).sum(-1, keepdims=True))


def _log_rest_slope(z: Any, y: Any, w: Any) -> Any:
    total = np.zeros_like(z)
    for c in range(3):
        pair = np.delete(z, c, 1)
        share = np.insert(_p(pair), c, 0.0, 1)
        total += w[:, c : c + 1] * (share - _p(z))
    return total


def _binary(ln: Spelling, s: Spelling, rest: Spelling) -> Spelling:
    return lambda z, y: -(y * ln(s(z)) + (1 - y) * ln(rest(s(z))))


def _cross(ln: Spelling, p: Spelling) -> Spelling:
    return lambda z, y: -gx.sum(y * ln(p(z)), 1)


def _define_cross(z: Any, y: Any) -> Any:
    inner = sympy.log(sympy.exp(z[n, k]) / gx.Sum(sympy.exp(z[n, j]), j))
    return gx.define("loss", (n,), -gx.Sum(y[n, k] * inner, k))


def _cross_slope(z: Any, y: Any, w: Any) -> Any:
    return w[:, None] * (y.sum(1, keepdims=True) * _p(z) - y)


def _norm_slope(z: Any, y: Any, w: Any) -> Any:
    r = np.sqrt((z**2).sum(1))
    return w[:, None] * z / np.where(r > 0, r, 1)[:, None]


_ROOTS: dict[str, Spelling] = {
    "sqrt(sum(z**2))": lambda z: gx.sqrt(gx.sum(z**2, 1)),
    "z*z": lambda z: gx.sqrt(gx.sum(z * z, 1)),
    "power half": lambda z: gx.sum(z**2, 1) ** 0.5,
    "einsum": lambda z: gx.sqrt(gx.einsum("nk,nk->n", z, z)),
    "define": lambda z: gx.define("r", (n,), sympy.sqrt(gx.Sum(z[n, k] ** 2, k))),
    "norm": lambda z: gx.norm(z, axis=1),
    "mean": lambda z: gx.sqrt(3 * gx.mean(gx.square(z), 1)),
    "named": lambda z: gx.sqrt(gx.sum(z**2, 1, keepdims=True).named("q"))[:, 0],
    "columns": lambda z: gx.sqrt(z[:, 0] ** 2 + z[:, 1] ** 2 + z[:, 2] ** 2),
}
_TANH: dict[str, Spelling] = {
    "four exps": lambda z: (gx.exp(z) - gx.exp(-z)) / (gx.exp(z) + gx.exp(-z)),
    "exp(2z)": lambda z: (gx.exp(2 * z) - 1) / (gx.exp(2 * z) + 1),
    "exp(-2z)": lambda z: (1 - gx.exp(-2 * z)) / (1 + gx.exp(-2 * z)),
    "sinh/cosh": lambda z: gx.sinh(z) / gx.cosh(z),
    "2/(1+exp(-2z))-1 in one body": gx.function("t", lambda x: (sympy.exp(x) - sympy.exp(-x)) / (sympy.exp(-x) + sympy.exp(x))),
    "named": lambda z: ((gx.exp(z) - gx.exp(-z)).named("top") / (gx.exp(z) + gx.exp(-z)).named("below")).named("t"),
}
_SUMS: dict[str, Spelling] = {
    "sum": lambda e: gx.sum(e, 1),
    "keepdims": lambda e: gx.sum(e, 1, keepdims=True)[:, 0],
    "columns": lambda e: e[:, 0] + e[:, 1] + e[:, 2],
    "define": lambda e: gx.define("total", (n,), gx.Sum(e[n, k], k)),
    "mean": lambda e: 3 * gx.mean(e, 1),
    "transposed": lambda e: gx.sum(e.T, 0),
    "einsum": lambda e: gx.einsum("nk->n", e),
}


def _one(spellings: dict[str, Spelling]) -> dict[str, Spelling]:
    return {name: (lambda z, y, f=f: f(z)) for name, f in spellings.items()}


FAMILIES: tuple[Family, ...] = (
    Family(
        "log(1 + exp)", _crossed(lambda ln, e: lambda z, y: ln(1 + e(z)), LOG, EXP),
        lambda z, y: np.logaddexp(0, z), lambda z, y, w: w * _sigma(z), points,
    ),
    Family(
        "log of logistic", _crossed(lambda ln, s: lambda z, y: ln(s(z)), LOG, LOGISTIC),
        lambda z, y: -np.logaddexp(0, -z), lambda z, y, w: w * _sigma(-z), points,
    ),
    Family(
        "log of 1 - logistic", _crossed(lambda ln, s, r: lambda z, y: ln(r(s(z))), LOG, LOGISTIC, REST),
        lambda z, y: -np.logaddexp(0, z), lambda z, y, w: -w * _sigma(z), points,
    ),
    Family(
        "binary cross-entropy", _crossed(_binary, LOG, LOGISTIC, REST),
        lambda z, y: y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z), lambda z, y, w: w * (_sigma(z) - y), points,
    ),
    Family("logistic", _one(LOGISTIC), lambda z, y: _sigma(z), lambda z, y, w: w * _sigma(z) * _sigma(-z), points),
    Family(
        "swish", {name: (lambda z, y, f=f: z * f(z)) for name, f in LOGISTIC.items()} | {"x/(1+exp(-x))": lambda z, y: z / (1 + gx.exp(-z))},
        lambda z, y: z * _sigma(z), lambda z, y, w: w * (_sigma(z) + z * _sigma(z) * _sigma(-z)), points,
    ),
    Family("tanh", _one(_TANH), lambda z, y: np.tanh(z), lambda z, y, w: w * 4 * _sigma(2 * z) * _sigma(-2 * z), points),
    Family(
        "log of sum of exp", _crossed(lambda ln, t, e: lambda z, y: ln(t(e(z))), {x: LOG[x] for x in ("log", "define", "-log(1/t)")}, _SUMS, EXP),
        lambda z, y: np.logaddexp.reduce(z, axis=1), lambda z, y, w: w[:, None] * _p(z), rows,
    ),
    Family("softmax", _one(SOFTMAX), lambda z, y: _p(z), lambda z, y, w: _p(z) * (w - (w * _p(z)).sum(1, keepdims=True)), rows),
    Family(
        "log of softmax", _crossed(lambda ln, p: lambda z, y: ln(p(z)), LOG, SOFTMAX),
        lambda z, y: _logp(z), lambda z, y, w: w - w.sum(1, keepdims=True) * _p(z), rows,
    ),
    Family(
        "cross-entropy",
        _crossed(_cross, LOG, SOFTMAX) | {"one formula": _define_cross, "log_softmax": lambda z, y: -gx.sum(y * gx.log_softmax(z), 1)},
        lambda z, y: -(y * _logp(z)).sum(1), _cross_slope, rows,
    ),
    Family(
        "log of 1 - softmax", _crossed(lambda ln, p, r: lambda z, y: ln(r(p(z))), {"log": gx.log, "define": LOG["define"]}, SOFTMAX, REST),
        lambda z, y: _log_rest(z), _log_rest_slope, rows,
    ),
    Family("norm", _one(_ROOTS), lambda z, y: np.sqrt((z**2).sum(1)), _norm_slope, rows),
    Family(
        "log(exp + exp)", {
            "columns": lambda z, y: gx.log(gx.exp(z[:, 0]) + gx.exp(z[:, 1])),
            "factored": lambda z, y: gx.log(gx.exp(z[:, 0]) * (1 + gx.exp(z[:, 1] - z[:, 0]))),
            "define": lambda z, y: gx.define("l", (n,), sympy.log(sympy.exp(z[n, 0]) + sympy.exp(z[n, 1]))),
            "twice": lambda z, y: gx.log(2 * gx.exp(z[:, 1]) + 2 * gx.exp(z[:, 0])) - np.log(2),
        },
        lambda z, y: np.logaddexp(z[:, 0], z[:, 1]),
        lambda z, y, w: w[:, None] * np.concatenate([_p(z[:, :2]), np.zeros((len(z), 1))], 1), rows,
    ),
)  # fmt: skip


def cases() -> Iterator[tuple[Family, str]]:
    """Every spelling of every family."""
    return itertools.chain.from_iterable(((f, s) for s in f.spellings) for f in FAMILIES)
