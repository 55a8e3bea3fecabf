"""The rewriting of one stage's formula: which of its parts have a stable form, and that form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.compose import accesses
from graphc.expr.dims import DimSymbol
from graphc.expr.operation import Reshape
from graphc.expr.scalar import Expm1, Log1p, RootOfSquares, Select
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Tensor
from graphc.stable import form as forms
from graphc.stable.emit import log_of, value_of
from graphc.stable.expand import Expander
from graphc.stable.form import Form, number
from graphc.stable.frame import Frame
from graphc.stable.reach import Reach

__all__ = ["Rules"]

ONE = sympy.Integer(1)
_HALF = sympy.Rational(1, 2)


class Rules:
    """The rules for formulas over one graph."""

    def __init__(self, reach: Reach, made: dict[Tensor, Tensor]) -> None:
        self.reach = reach
        self.expander = Expander(reach, made, self.rewrite)
        self.logarithms: dict[Tensor, tuple[Frame, Any, tuple[int, ...]]] = {}
        self._squares: dict[Tensor, bool] = {}

    def rewrite(self, expr: Any, frame: Frame) -> Any:
        """``expr`` in a stable form; the very same object where no rule applies."""
        if not expr.args:
            return expr
        rule = _RULES.get(expr.func)
        found = rule(self, expr, frame) if rule else None
        if found is not None:
            return found
        args = [self.rewrite(a, frame) for a in expr.args]
        return expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)

    def log(self, expr: Any, frame: Frame) -> Any:
        """A logarithm of exponentials, or next to 1."""
        (inside,) = expr.args
        choice = self._choice(inside, frame)
        if choice is not None:
            condition, *branches = choice.args
            return Select(self.rewrite(condition, frame), *(self.rewrite(sympy.log(b), frame) for b in branches))
        if self.expander.facts(inside, frame).family and not self._is_plain(inside, frame):
            known = self.expander.known(inside, frame)
            found = None if known is None else self._of_form(known, frame)
            if found is not None:
                return found
        rest = self._beside_one(inside, frame)
        return None if rest is None else Log1p(self.rewrite(rest, frame))

    def _choice(self, inside: Any, frame: Frame) -> Any:
        """The ``Select`` between formulas with exponentials that a formula is, also behind names and layouts."""
        for _ in range(8):
            if inside is None or isinstance(inside, Select) or not self.expander.facts(inside, frame).choice:
                break
            inside = self._behind(inside, frame)
        return inside if isinstance(inside, Select) and self.expander.facts(inside, frame).choice else None

    def log1p(self, expr: Any, frame: Frame) -> Any:
        """``log(1 + x)`` of exponentials."""
        (inside,) = expr.args
        one = number(ONE)
        if one is None or not self.expander.facts(inside, frame).family:
            return None
        total = self.expander.add([one, self.expander.of(inside, frame)], frame)
        return None if total is None else self._of_form(total, frame)

    def _of_form(self, found: Form, frame: Frame) -> Any:
        if not self._counts(found, frame):
            return None
        return sympy.Add(*(self._near_one(t, frame) for t in sympy.Add.make_args(log_of(found, self.expander.positive(frame)))))

    def _near_one(self, term: Any, frame: Frame) -> Any:
        """``c*log(1 + x)`` of what is left beside the exponentials."""
        c, log = term.as_coeff_Mul()
        if not isinstance(log, sympy.log) or self.expander.facts(log.args[0], frame).family:
            return term
        rest = self._beside_one(log.args[0], frame)
        return term if rest is None else c * Log1p(self.rewrite(rest, frame))

    def _counts(self, found: Form, frame: Frame) -> bool:
        """Whether a form is more than what was written: exponentials take part, or sums that were made stable."""
        atoms = [a for a, _ in found.term.atoms]
        if found.exponential or any(self._is_fresh(a, frame) for a in atoms):
            return True
        return not any(self.expander.facts(a, frame).family or self.expander.is_positive(a, frame) for a in atoms)

    def _is_plain(self, inside: Any, frame: Frame) -> bool:
        for _ in range(8):
            if isinstance(inside, sympy.Add):
                return self.expander.is_plain_sum(inside, frame)
            inside = self._behind(inside, frame)
            if inside is None:
                break
        return False

    def _is_fresh(self, a: Any, frame: Frame) -> bool:
        access = frame.access(a) if isinstance(a, sympy.Symbol) else None
        return access is not None and access[0] in self.expander.fresh

    def _beside_one(self, inside: Any, frame: Frame) -> Any:
        """The rest of ``1 + rest``, also behind names, layouts and one stage; ``None`` for anything else."""
        for _ in range(8):
            terms = sympy.Add.make_args(inside)
            if len(terms) > 1:
                return sympy.Add(*(t for t in terms if t != 1)) if any(t == 1 for t in terms) else None
            body = self._behind(inside, frame)
            if body is None:
                return None
            inside = body
        return None

    def _behind(self, symbol: Any, frame: Frame) -> Any:
        """The formula of the element-wise stage that a symbol reads."""
        access = frame.access(symbol) if isinstance(symbol, sympy.Symbol) else None
        if access is None or access[2] is not None or access[0] in self.reach.kept:
            return None
        tensor = self.reach.canonical(access[0])
        op = tensor.op
        if not isinstance(op, Stage) or not op.elementwise or op.free is None or tensor.dtype == "bool":
            return None
        maps = frame.adopt(accesses(tensor), {i: access[1][axis] for axis, i in enumerate(op.free)})
        frame.guards.update(dict.fromkeys(tensor.node.guards))
        return op.body.xreplace(op.dim_values()).xreplace(maps)

    def product(self, expr: Any, frame: Frame) -> Any:
        """A quotient of exponentials, or of their sums."""
        parts = [(a, self.expander.facts(a, frame)) for a in sympy.Mul.make_args(expr)]
        divided = any(p.quotient for _, p in parts)
        own = any(self._divides(a, frame) for a, _ in parts)
        growing = sum(p.grows for _, p in parts)
        if not own and growing < 2 and not (divided and growing):
            return None
        if not own and not forms.compensate([self.expander.of(a, frame) for a, _ in parts]):
            return None
        test = self.expander.positive(frame)
        found = self.expander.known(expr, frame)
        if found is None:
            return None
        return value_of(found, test)

    def _divides(self, factor: Any, frame: Frame) -> bool:
        if not isinstance(factor, sympy.Pow) or not factor.exp.is_number or not factor.exp < 0:
            return False
        facts = self.expander.facts(factor.base, frame)
        return facts.grows or facts.cancels

    def sum(self, expr: Any, frame: Frame) -> Any:
        """A sum: with a logarithm that belongs to it, or ``exp(x) - 1``."""
        found = self._difference(expr, frame)
        return self._expm1(expr, frame) if found is None else found

    def _difference(self, expr: Any, frame: Frame) -> Any:
        """A sum with a logarithm of a sum in it, put together again where its shift, or what is large in it, cancels."""
        maps: dict[Any, Any] = {}
        for term in expr.args:
            c, symbol = term.as_coeff_Mul()
            behind = self._logarithm(symbol, frame)
            if behind is None:
                continue
            others = [t for t in expr.args if t is not term and not t.is_number]
            against = any(t.as_coeff_Mul()[0] == -c or self.expander.facts(t, frame).top for t in others)
            if against:
                maps[symbol] = behind
        if not maps:
            return None
        rest = sympy.Add(*(self.expander.exponent(t, frame) if t.as_coeff_Mul()[1] not in maps else t for t in expr.args))
        return sympy.expand_mul(rest.xreplace(maps))

    def _logarithm(self, symbol: Any, frame: Frame) -> Any:
        """The formula of a logarithm of a sum that was made stable, seen from ``frame``."""
        access = frame.access(symbol) if isinstance(symbol, sympy.Symbol) else None
        if access is None or access[2] is not None or access[0] in self.reach.kept:
            return None
        known = self.logarithms.get(self.reach.canonical(access[0]))
        if known is None:
            return None
        own, formula, axes = known
        maps = frame.adopt(own.accesses, {i: access[1][axis] for axis, i in enumerate(axes)})
        frame.guards.update(own.guards)
        return formula.xreplace(maps)

    def note(self, tensor: Tensor, op: Stage, formula: Any, frame: Frame) -> None:
        """Remember a stage that is a logarithm of a sum, shift and all."""
        if op.elementwise and op.free is not None and any(self._is_shift(t, frame) for t in sympy.Add.make_args(formula)):
            self.logarithms[self.reach.canonical(tensor)] = (frame, formula, op.free)

    def pass_on(self, tensor: Tensor) -> None:
        """Remember it behind a layout or a reshape that only adds and removes axes of size 1."""
        op = tensor.op
        source = tensor.inputs[0] if tensor.inputs else tensor
        if self.reach.canonical(source) not in self.logarithms or tensor in self.reach.kept:
            return
        frame = Frame(op.extents if isinstance(op, Stage) else tensor.shape)
        if isinstance(op, Stage) and op.elementwise and op.body == read_symbol(0) and op.free is not None:
            symbol, axes = frame.read(source, op.reads[0].coords, op.reads[0].outside), op.free
        elif isinstance(op, Reshape) and [e for e in source.shape if e != 1] == [e for e in tensor.shape if e != 1]:
            axes = tuple(range(tensor.ndim))
            places = iter([Affine.variable(k) for k in axes if tensor.shape[k] != 1])
            symbol = frame.read(source, [Affine() if e == 1 else next(places) for e in source.shape])
        else:
            return
        frame.guards.update(dict.fromkeys(tensor.node.guards))
        formula = self._logarithm(symbol, frame)
        if formula is not None:
            self.logarithms[self.reach.canonical(tensor)] = (frame, formula, axes)

    def _expm1(self, expr: Any, frame: Frame) -> Any:
        """``c*exp(x) - c``."""
        numbers = [t for t in expr.args if t.is_number]
        if len(numbers) != 1:
            return None
        for term in expr.args:
            c, rest = term.as_coeff_Mul()
            body = rest
            for _ in range(4):  # the exponential may be scaled in stages of its own
                if not isinstance(body, sympy.Symbol):
                    break
                behind = self._behind(body, frame)
                inner, body = (ONE, None) if behind is None else behind.as_coeff_Mul()
                c = c * inner
            if isinstance(body, sympy.exp) and c == -numbers[0]:
                others = [self.rewrite(t, frame) for t in expr.args if t is not term and not t.is_number]
                return sympy.Add(-numbers[0] * Expm1(self.rewrite(body.args[0], frame)), *others)
        return None

    def power(self, expr: Any, frame: Frame) -> Any:
        """A power: a root of squares, or a quotient."""
        base, k = expr.args
        if k == _HALF and self.is_squares(base, self.expander.lookup(frame)):
            return RootOfSquares(self.rewrite(base, frame))
        return self.product(expr, frame)

    def is_squares(self, body: Any, lookup: Callable[[Any], Tensor | None], depth: int = 0) -> bool:
        """Whether a formula is a sum of squares with positive weights and no constant beside them."""
        if isinstance(body, sympy.Pow):
            return body.exp.is_number and body.exp.is_Integer and body.exp > 0 and body.exp % 2 == 0 and bool(body.free_symbols)
        if isinstance(body, sympy.Add):
            return all(self.is_squares(a, lookup, depth) for a in body.args)
        if isinstance(body, sympy.Mul):
            rest = [a for a in body.args if not _is_weight(a)]
            return len(rest) == 1 and self.is_squares(rest[0], lookup, depth)
        tensor = lookup(body) if isinstance(body, sympy.Symbol) else None
        return tensor is not None and depth < 16 and self._squares_tensor(tensor, depth)

    def _squares_tensor(self, tensor: Tensor, depth: int) -> bool:
        if tensor in self.reach.kept:
            return False
        tensor = self.reach.canonical(tensor)
        if tensor not in self._squares:
            op = tensor.op
            found = False
            if isinstance(op, Reshape):
                found = self._squares_tensor(tensor.inputs[0], depth + 1)
            elif isinstance(op, Stage) and op.free is not None and (op.elementwise or op.reducer == "sum"):
                frame = Frame(op.extents)  # equal accesses are one symbol there, so that x*x is a square
                maps = frame.adopt(accesses(tensor), {k: Affine.variable(k) for k in range(len(op.extents))})
                found = self.is_squares(op.body.xreplace(op.dim_values()).xreplace(maps), self.expander.lookup(frame), depth + 1)
            self._squares[tensor] = found
        return self._squares[tensor]

    def grouped(self, expr: Any, frame: Frame) -> Any:
        """Sums with a shift in them: what is shifted is subtracted first, in a tensor of its own.

        Added up in another order, ``(z - m) - log(s)`` would lose the digits of the small second part to a large ``z``.
        """
        if not expr.args:
            return expr
        args = [self.grouped(a, frame) for a in expr.args]
        expr = expr if all(a is b for a, b in zip(args, expr.args, strict=True)) else expr.func(*args)
        if not isinstance(expr, sympy.Add):
            return expr
        shifts = [t for t in expr.args if self._is_shift(t, frame)]
        near = [t for t in expr.args if t.is_number or t.has(sympy.log)]
        far = [t for t in expr.args if t not in near]
        if not shifts or len(far) < 2 or not near:
            return expr
        return sympy.Add(self.expander.materialise(frame, sympy.Add(*far)), *near)

    def _is_shift(self, term: Any, frame: Frame) -> bool:
        rest = term.as_coeff_Mul()[1]
        access = frame.access(rest) if isinstance(rest, sympy.Symbol) else None
        return access is not None and isinstance(access[0].op, Stage) and _floors(access[0])


def _floors(tensor: Tensor) -> bool:
    op = tensor.op
    return isinstance(op, Stage) and any(type(f).__name__ == "Floor" for f in op.body.atoms(sympy.Function))


def _is_weight(factor: Any) -> bool:
    """A positive number, or dimensions to some power."""
    base = factor.base if isinstance(factor, sympy.Pow) else factor
    return isinstance(base, DimSymbol) or (factor.is_number and bool(factor.is_positive))


_RULES: dict[Any, Callable[[Rules, Any, Frame], Any]] = {
    sympy.log: Rules.log,
    Log1p: Rules.log1p,
    sympy.Mul: Rules.product,
    sympy.Pow: Rules.power,
    sympy.Add: Rules.sum,
}
