"""What lies behind a tensor, as far as sums, products and powers lead: found once for a whole graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import sympy

from graphc.expr.graph import topological
from graphc.expr.operation import Alias, Carry, Current, Reshape
from graphc.expr.scalar import Expm1, Floor, IsFinite, Minimum, Power, Select, Sigmoid
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor

__all__ = ["Facts", "Reach", "lookup_of"]

_GROWING = (sympy.exp, sympy.cosh, sympy.sinh, Expm1)
_BOUNDED = (Sigmoid, sympy.tanh)
_DEEPEST = 24
Lookup = Callable[[Any], Tensor | None]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a formula is made of.

    Attributes:
        family: exponentials or their quotients take part.
        grows: an exponential takes part that nothing divides.
        quotient: something is divided by exponentials.
        cancels: a number minus something of the family.
        top: it is a largest or smallest entry, or that in another layout.
        floor: such an entry rounded down: the shift of a stable sum.
        shifted: something minus such a shift.
        stable: exponentials of what is shifted, and sums of them.
        choice: a choice between formulas of which one is of the family.
        depth: how many stages lie between it and the exponentials.
    """

    family: bool = False
    grows: bool = False
    quotient: bool = False
    cancels: bool = False
    top: bool = False
    floor: bool = False
    shifted: bool = False
    stable: bool = False
    choice: bool = False
    depth: int = 0


_NONE = Facts()


def lookup_of(node: Node) -> Lookup:
    """From the read symbols of a stage to the tensors read, as far as these can be looked through."""
    op = node.op
    assert isinstance(op, Stage)
    table = {f"x{k}": node.inputs[r.operand] for k, r in enumerate(op.reads) if r.outside is None}
    return lambda symbol: table.get(symbol.name)


def _transparent(tensor: Tensor) -> bool:
    """Whether a tensor is another one under a name; a state as of its turn may be more than that."""
    op = tensor.op
    return isinstance(op, Carry) or (isinstance(op, Alias) and not isinstance(op, Current) and len(tensor.inputs) == 1)


class Reach:
    """The facts of every tensor of a graph, and one representative for tensors of equal formula."""

    def __init__(self, outputs: Iterable[Tensor], kept: Iterable[Tensor]) -> None:
        self.kept = set(kept)
        self._facts: dict[Tensor, Facts] = {}
        self._canonical: dict[Tensor, Tensor] = {}
        known: dict[Any, Node] = {}
        for node in topological(outputs):
            self._number(node, known)
            for t in node.outputs:
                facts = _NONE if t in self.kept or t.output else self._tensor(node)
                if facts is not _NONE:
                    self._facts[t] = facts

    def _number(self, node: Node, known: dict[Any, Node]) -> None:
        """Value numbering: stages of one formula over one and the same tensors are one."""
        if not isinstance(node.op, Stage | Reshape) or any(t in self.kept for t in node.outputs):
            return
        key = (node.op, tuple(self.canonical(t) for t in node.inputs))
        first = known.setdefault(key, node)
        if first is not node:
            self._canonical.update(zip(node.outputs, first.outputs, strict=True))

    def canonical(self, tensor: Tensor) -> Tensor:
        """The first tensor of the same formula; names are looked through."""
        while _transparent(tensor) and tensor not in self.kept:
            tensor = tensor.inputs[0]
        return self._canonical.get(tensor, tensor)

    def tensor(self, tensor: Tensor) -> Facts:
        """The facts of a tensor."""
        return self._facts.get(tensor, _NONE)

    def _tensor(self, node: Node) -> Facts:
        op = node.op
        if isinstance(op, Reshape) or _transparent(node.outputs[0]):
            return self.tensor(node.inputs[0])
        if not isinstance(op, Stage) or op.free is None or op.guarded:
            return _NONE
        if op.reducer in ("max", "min"):
            return Facts(top=True)
        if op.reducer is None and not op.elementwise:
            return _NONE
        facts = self.body(op.body, lookup_of(node))
        depth = 1 + max((self.tensor(t).depth for t in node.inputs if self.tensor(t).family), default=0)
        if not facts.family or depth > _DEEPEST:
            return replace(facts, family=False) if op.reducer is None else _NONE
        if op.reducer is None:
            return replace(facts, depth=depth)
        return Facts(True, facts.grows and not facts.stable, stable=facts.stable and op.reducer == "sum", depth=depth + 3)

    def body(self, body: Any, lookup: Lookup) -> Facts:
        """The facts of a formula, whose symbols ``lookup`` knows."""
        if isinstance(body, sympy.Symbol):
            tensor = lookup(body)
            return _NONE if tensor is None else self.tensor(tensor)
        if isinstance(body, _GROWING):
            shifted = body.args[0].has(Floor) or self.body(body.args[0], lookup).shifted
            return Facts(True, not shifted, stable=shifted) if body.free_symbols else _NONE
        if isinstance(body, _BOUNDED):
            return Facts(True, quotient=True)
        if isinstance(body, Select):
            choices = [a for a in body.args[1:] if not a.is_number and not self._is_constant(a, lookup)]
            parts = [self.body(a, lookup) for a in choices]
            guard = body.args[0].has(IsFinite) or self._asks_finite(body.args[0], lookup)
            choice = any(p.family or p.choice for p in parts)
            if parts and all(p.shifted for p in parts):
                return Facts(shifted=True)
            return Facts(top=guard and all(p.top for p in parts), floor=guard and all(p.floor for p in parts), choice=choice)
        if isinstance(body, Minimum):
            return Facts(shifted=any(self.body(a, lookup).shifted for a in body.args))
        if isinstance(body, Floor):
            top = self.body(body.args[0], lookup).top
            return Facts(top=top, floor=top)
        if isinstance(body, sympy.Pow | Power):
            return self._power(body, lookup)
        if isinstance(body, sympy.Mul):
            return self._product(body, lookup)
        return self._sum(body, lookup) if isinstance(body, sympy.Add) else _NONE

    @staticmethod
    def _is_constant(choice: Any, lookup: Lookup) -> bool:
        tensor = lookup(choice) if isinstance(choice, sympy.Symbol) else None
        return tensor is not None and tensor.kind == "constant"

    @staticmethod
    def _asks_finite(condition: Any, lookup: Lookup) -> bool:
        """Whether a condition is a truth value read from a tensor: whether something is finite."""
        tensors = [t for t in map(lookup, sorted(condition.free_symbols, key=str)) if t is not None and t.dtype == "bool"]
        return bool(tensors) and all(isinstance(t.op, Stage) and t.op.body.has(IsFinite) for t in tensors)

    def _power(self, body: Any, lookup: Lookup) -> Facts:
        base, exponent = body.args
        inner = self.body(base, lookup)
        if not inner.family:
            return _NONE
        if not exponent.is_number:
            return Facts(True)
        if exponent < 0:
            divides = inner.grows or inner.cancels
            return Facts(True, inner.quotient and not divides, divides)
        return Facts(True, inner.grows, inner.quotient)

    def _product(self, body: Any, lookup: Lookup) -> Facts:
        parts = [self.body(a, lookup) for a in body.args]
        real = [p for p, a in zip(parts, body.args, strict=True) if not a.is_number]
        if not any(p.family for p in parts):
            alone = real[0] if len(real) == 1 else _NONE
            return Facts(top=alone.top, floor=alone.floor, shifted=alone.shifted)
        quotient = any(p.quotient for p in parts)
        divided = any(isinstance(a, sympy.Pow) and p.quotient for p, a in zip(parts, body.args, strict=True))
        grows = any(p.grows for p in parts) and not divided
        return Facts(True, grows, quotient, any(p.cancels for p in parts), stable=any(p.stable for p in parts) and not grows)

    def _sum(self, body: Any, lookup: Lookup) -> Facts:
        parts = [self.body(a, lookup) for a in body.args]
        shifted = any(p.floor or p.shifted for p in parts)
        if not any(p.family for p in parts):
            return Facts(shifted=shifted)
        numbers = any(a.is_number for a in body.args)
        cancels = numbers and any(p.family and a.could_extract_minus_sign() for p, a in zip(parts, body.args, strict=True))
        return Facts(True, any(p.grows for p in parts), False, cancels, shifted=shifted)
