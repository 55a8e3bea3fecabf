"""Rows of ``gx.define``: random formulas in index notation, and PyTorch's side as an interpreter of the same formulas.

A formula is a nested tuple: ("read", argument, places), ("index", name), ("number", value), ("add", a, b), ("mul", a, b),
("call", function, a), ("if", index, comparison, number, a, b), ("pick", argument, places, number, a, b), where an integer
decides, ("reduce", kind, indices, body). A place is a tuple of terms (what,
coefficient) and an offset, where what is an index or ("ids", argument, places).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sympy

import graphc as gx
from graphc.expr.define import _all_indices, access
from tests.programs.draw import Draw
from tests.programs.extremes import first_extreme
from tests.programs.program import Row, Unfit, torch

__all__ = ["ROWS"]

_CALLS: dict[str, tuple[Any, Any]] = {
    "tanh": (sympy.tanh, torch.tanh),
    "sin": (sympy.sin, torch.sin),
    "exp(-x²)": (lambda x: sympy.exp(-(x**2)), lambda x: torch.exp(-(x**2))),
    "1/(1+x²)": (lambda x: 1 / (1 + x**2), lambda x: 1 / (1 + x**2)),
    "square": (lambda x: x**2, lambda x: x**2),
    "half": (lambda x: 0.5 * x, lambda x: 0.5 * x),  # a float, whatever it is multiplied by
    "log(1+x²)": (lambda x: sympy.log(1 + x**2), lambda x: torch.log(1 + x**2)),
}
_REDUCERS = {"sum": gx.Sum, "prod": gx.Prod, "max": gx.Max, "min": gx.Min}
_CONDITIONS = {"<": (sympy.Lt, torch.lt), ">=": (sympy.Ge, torch.ge), "=": (sympy.Eq, torch.eq)}


@dataclass
class _Builder:
    """A formula while it is drawn: the extents of its indices, and the variables that it reads."""

    c: Draw
    outside: bool
    extents: dict[str, int] = field(default_factory=dict)
    args: list[int] = field(default_factory=list)
    fresh: int = 0

    def argument(self, variable: int) -> int:
        if variable not in self.args:
            self.args.append(variable)
        return self.args.index(variable)

    def index(self, extent: int) -> str:
        self.fresh += 1
        name = f"u{self.fresh}"
        self.extents[name] = extent
        return name

    def read(self, scope: list[str]) -> Any:
        """An access of a variable at hand, or of a new one, whose places the indices in scope reach."""
        c = self.c
        a = c.find(lambda k: k.plain and len(k.shape) < 4 and 0 not in k.shape, ("float", "float", "float", "int"))
        read = ("read", self.argument(a), tuple(self.place(n, scope) for n in c.kind(a).shape))
        return read if c.kind(a).dtype == "float" else ("call", "half", read)

    def place(self, size: int, scope: list[str], deep: bool = True) -> Any:
        c = self.c
        if deep and c.chance(0.12):
            ids = c.find(lambda k: k.plain and len(k.shape) in (1, 2) and 0 not in k.shape, ("int",)) if c.chance(0.3) else self.ids(size, scope)
            value = c.values[ids]
            if int(value.min()) < 0 or int(value.max()) >= size:
                raise Unfit("ids out of range")
            return ((("ids", self.argument(ids), tuple(self.place(n, scope, False) for n in c.kind(ids).shape)), 1),), 0
        chosen = c.rng.sample(scope, min(len(scope), c.pick([0, 1, 1, 1, 1, 1, 2])))
        terms: list[tuple[Any, int]] = []
        low = high = 0
        for name in chosen:
            k = c.pick([1, 1, 1, 1, 2, 3, -1, -2])
            terms.append((name, k))
            reach = k * (self.extents[name] - 1)
            low, high = low + min(reach, 0), high + max(reach, 0)
        if self.outside:
            offset = c.whole(-low - 2, max(size - 1 - high, -low) + 2)
            return tuple(terms), offset if terms else max(offset, 0)
        if high - low >= size:
            raise Unfit("the access leaves its tensor")
        offset = c.whole(-low, size - 1 - high)
        if not terms and offset < 0:
            raise Unfit("a negative constant")
        return tuple(terms), offset

    def ids(self, size: int, scope: list[str]) -> int:
        """New ids, of an index's extent."""
        if not scope:
            raise Unfit("no index")
        return self.c.leaf((self.extents[self.c.pick(scope)],), "int", 0, size - 1)

    def body(self, scope: list[str], depth: int) -> Any:
        c = self.c
        kind = c.pick(["read", "read", "mul", "mul", "add", "call", "reduce", "reduce", "if", "index", "pick"] if depth else ["read"])
        if kind == "read":
            return self.read(scope)
        if kind in ("mul", "add"):
            return (kind, self.body(scope, depth - 1), self.body(scope, depth - 1) if c.chance(0.85) else ("number", c.pick([2, -1, 0.5])))
        if kind == "call":
            return ("call", c.pick(list(_CALLS)), self.body(scope, depth - 1))
        if kind == "index" and scope:
            return ("mul", ("index", c.pick(scope)), self.body(scope, depth - 1))
        if kind == "if" and scope:
            return (
                "if",
                c.pick(scope),
                c.pick(list(_CONDITIONS)),
                c.whole(1, 2),
                self.body(scope, depth - 1),
                c.pick([("number", 0), self.body(scope, depth - 1)]),
            )
        if kind == "pick":
            a = c.find(lambda k: k.plain and len(k.shape) in (1, 2) and 0 not in k.shape, ("int",))
            places = tuple(self.place(n, scope, False) for n in c.kind(a).shape)
            return ("pick", self.argument(a), places, c.whole(0, 2), self.body(scope, depth - 1), self.body(scope, depth - 1))
        bound = tuple(self.index(c.whole(1, 4)) for _ in range(c.pick([1, 1, 2])))
        reducer = c.pick(["sum", "sum", "sum", "prod", "max", "min"])
        return ("reduce", reducer, bound, self.body([*scope, *bound], depth - 1))


def draw(c: Draw) -> tuple[tuple[int, ...], dict[str, Any]]:
    builder = _Builder(c, c.chance(0.35))
    outputs = tuple(builder.index(c.whole(1, 4)) for _ in range(c.pick([0, 1, 1, 2, 2, 3])))
    body = builder.body(list(outputs), c.whole(1, 3))
    if not builder.args:
        raise Unfit("nothing is read")
    count = 1
    for extent in builder.extents.values():
        count *= extent
    if count > 3000:
        raise Unfit("too large")
    used = {*outputs, *_indices(body)}
    extents = {u: n for u, n in builder.extents.items() if u in used}
    return tuple(builder.args), {"outputs": outputs, "body": body, "extents": extents, "outside": builder.outside}


def _indices(f: Any) -> set[str]:
    """The names of indices in a formula."""
    if isinstance(f, str):
        return {f} if f[:1] == "u" and f[1:].isdigit() else set()
    return set().union(*(_indices(part) for part in f)) if isinstance(f, tuple) else set()


def ours(*tensors: Any, outputs: Any, body: Any, extents: dict[str, int], outside: bool) -> Any:
    names = {name: gx.indices(name) for name in extents}

    def place(p: Any) -> Any:
        terms, offset = p
        total: Any = offset
        for what, k in terms:
            total = total + k * (names[what] if isinstance(what, str) else access(tensors[what[1]], tuple(place(q) for q in what[2])))
        return total

    def formula(f: Any) -> Any:
        if f[0] == "read":
            return access(tensors[f[1]], tuple(place(p) for p in f[2]))
        if f[0] == "index":
            return names[f[1]]
        if f[0] == "number":
            return sympy.sympify(f[1])
        if f[0] == "add":
            return formula(f[1]) + formula(f[2])
        if f[0] == "mul":
            return formula(f[1]) * formula(f[2])
        if f[0] == "call":
            return _CALLS[f[1]][0](formula(f[2]))
        if f[0] == "if":
            return sympy.Piecewise((formula(f[4]), _CONDITIONS[f[2]][0](names[f[1]], f[3])), (formula(f[5]), True))
        if f[0] == "pick":
            return sympy.Piecewise((formula(f[4]), sympy.Eq(access(tensors[f[1]], tuple(place(p) for p in f[2])), f[3])), (formula(f[5]), True))
        return _REDUCERS[f[1]](formula(f[3]), *(names[u] for u in f[2]))

    options: dict[str, Any] = {"outside": 0} if outside else {}
    written = formula(body)
    # SymPy drops a choice within the same choice, and the indices in it: their extents would be refused.
    left = _all_indices(sympy.sympify(written))
    known = {names[u]: n for u, n in extents.items() if u in outputs or names[u] in left}
    return gx.define("F", tuple(names[o] for o in outputs), written, extents=known, **options)


def theirs(*tensors: Any, outputs: Any, body: Any, extents: dict[str, int], outside: bool) -> Any:
    """Every index has an axis of its own; reads are gathers on the grid, reducers reduce their axes."""
    order = list(extents)
    rank = len(order)
    grids = {name: torch.arange(n).reshape([-1 if k == axis else 1 for k in range(rank)]) for axis, (name, n) in enumerate(extents.items())}

    def at(p: Any) -> Any:
        terms, offset = p
        total = torch.full((1,) * rank, offset)
        for what, k in terms:
            total = total + k * (grids[what] if isinstance(what, str) else gather(tensors[what[1]], what[2]))
        return total

    def gather(x: Any, places: Any) -> Any:
        if not places:
            return x.reshape((1,) * rank)
        inside = torch.ones((1,) * rank, dtype=torch.bool)
        clamped = []
        for size, p in zip(x.shape, places, strict=True):
            where = at(p)
            inside = inside & (where >= 0) & (where < size)
            clamped.append(where.clamp(0, size - 1))
        value = x[tuple(clamped)]
        if not bool(inside.all()):
            if not outside:
                raise Unfit("outside")
            value = torch.where(inside, value, torch.zeros((), dtype=value.dtype))
        return value

    def value(f: Any) -> Any:
        if f[0] == "read":
            return gather(tensors[f[1]], f[2]).double()
        if f[0] == "index":
            return grids[f[1]].double()
        if f[0] == "number":
            return torch.tensor(float(f[1]), dtype=torch.float64).reshape((1,) * rank)
        if f[0] == "add":
            return value(f[1]) + value(f[2])
        if f[0] == "mul":
            return value(f[1]) * value(f[2])
        if f[0] == "call":
            return _CALLS[f[1]][1](value(f[2]))
        if f[0] == "if":
            return torch.where(_CONDITIONS[f[2]][1](grids[f[1]], f[3]), value(f[4]), value(f[5]))
        if f[0] == "pick":
            return torch.where(gather(tensors[f[1]], f[2]) == f[3], value(f[4]), value(f[5]))
        axes = [order.index(u) for u in f[2]]
        inner = value(f[3])
        inner = inner.expand([extents[order[k]] if k in axes else n for k, n in enumerate(inner.shape)])
        if f[1] in ("max", "min"):
            return first_extreme(inner, axes, True, 1 if f[1] == "max" else -1)
        if f[1] == "sum":
            return inner.sum(dim=axes, keepdim=True)
        for axis in axes:
            inner = inner.prod(dim=axis, keepdim=True)
        return inner

    result = value(body)
    shape = [extents[o] for o in outputs]
    return result.expand([extents[n] if n in outputs else 1 for n in order]).reshape(shape)


ROWS: list[Row] = [Row("define", draw, ours, theirs, lambda k, o: tuple(o["extents"][u] for u in o["outputs"]), weight=7)]
