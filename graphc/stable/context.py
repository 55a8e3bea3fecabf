"""What is known of a graph while it is brought into a stable form, and the stages made for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.dims import DimSymbol
from graphc.expr.scalar import Softplus, normalise
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.stable.form import Form
from graphc.stable.frame import Frame
from graphc.stable.reach import Facts, Lookup, Reach

__all__ = ["Context", "Located", "StableSum"]


@dataclass(frozen=True, slots=True)
class Located:
    """A tensor's normal form in an index space of its own, and which of its indices are the tensor's axes."""

    frame: Frame
    form: Form
    axes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StableSum:
    """``sum(exp(exponent - shift))`` over the reduced indices of ``op``.

    Attributes:
        frame: the index space of ``exponent``.
        op: a stage with the same indices.
        top: the largest exponent.
        shift: what is subtracted from the exponents.
    """

    frame: Frame
    exponent: Any
    op: Stage
    top: Tensor
    shift: Tensor


class Context:
    """One graph on its way.

    Attributes:
        reach: the facts of its tensors.
        made: what became of its tensors so far.
        fresh: the stable sums that were made.
        certain: tensors whose entries are certainly positive.
        sums: what is known of sums of shifted exponentials.
    """

    def __init__(self, reach: Reach, made: Mapping[Tensor, Tensor]) -> None:
        self.reach, self.made = reach, made
        self.fresh: set[Tensor] = set()
        self.certain: set[Tensor] = set()
        self.sums: dict[Tensor, StableSum] = {}
        self._known: dict[Any, Tensor] = {}

    def lookup(self, frame: Frame) -> Lookup:
        """The tensors behind the symbols of an index space, where these may be looked through."""

        def find(symbol: Any) -> Tensor | None:
            access = frame.access(symbol)
            return None if access is None or access[2] is not None else access[0]

        return find

    def facts(self, expr: Any, frame: Frame) -> Facts:
        """What a formula is made of."""
        return self.reach.body(expr, self.lookup(frame))

    def positive(self, frame: Frame) -> Callable[[Any], bool]:
        """Which atoms are certainly positive."""

        def test(a: Any) -> bool:
            if a.is_number:
                return bool(a.is_positive)
            if isinstance(a, sympy.Symbol):
                access = frame.access(a)
                return isinstance(a, DimSymbol) or (access is not None and access[0] in self.certain)
            return isinstance(a, Softplus)

        return test

    def is_positive(self, symbol: Any, frame: Frame) -> bool:
        """Whether a symbol reads a sum of exponentials."""
        access = frame.access(symbol) if isinstance(symbol, sympy.Symbol) else None
        return access is not None and access[0] in self.certain

    def build(self, frame: Frame, body: Any, op: Stage, reducer: Any) -> Tensor:
        """A reduction over the same indices as ``op``, of another formula."""
        reads = [(self.made.get(t, t), places, outside) for t, places, outside in frame.accesses]
        return self.unique(stage(frame.extents, reads, normalise(body), write=op.write, shape=op.shape, reducer=reducer, dtype="float"))

    def unique(self, tensor: Tensor) -> Tensor:
        """One tensor for equal formulas."""
        return self._known.setdefault((tensor.op, tensor.inputs), tensor)

    def materialise(self, frame: Frame, expr: Any) -> Any:
        """A formula as a tensor over the indices that it depends on; the symbol that reads it."""
        used = sorted(frame.variables(expr))
        number = {old: Affine.variable(new) for new, old in enumerate(used)}
        inner = Frame([frame.extents[k] for k in used])
        maps = inner.adopt(frame.accesses, number)
        reads = [(self.made.get(t, t), places, outside) for t, places, outside in inner.accesses]
        made = self.unique(stage(inner.extents, reads, normalise(expr.xreplace(maps)), dtype="float", guards=tuple(frame.guards)))
        return frame.read(made, [Affine.variable(k) for k in used])
