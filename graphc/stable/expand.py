"""Formulas and tensors in normal form, looked through stage by stage where exponentials lie behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.compose import accesses
from graphc.expr.dims import DimSymbol
from graphc.expr.operation import Reshape
from graphc.expr.scalar import Expm1, Floor, Power, Sigmoid
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Tensor, make
from graphc.stable import form as forms
from graphc.stable.complement import complement
from graphc.stable.context import Context, Located
from graphc.stable.emit import log_of
from graphc.stable.form import Form
from graphc.stable.frame import Frame
from graphc.stable.reach import Reach
from graphc.stable.reductions import product_of, sum_of

__all__ = ["Expander"]

ONE, ZERO = sympy.Integer(1), sympy.Integer(0)


class Expander(Context):
    """Normal forms in one graph; ``rewrite`` is the rewriting of a formula that stays an atom."""

    def __init__(self, reach: Reach, made: Mapping[Tensor, Tensor], rewrite: Callable[[Any, Frame], Any]) -> None:
        super().__init__(reach, made)
        self.rewrite = rewrite
        self._located: dict[Tensor, Located | None] = {}

    # Formulas

    def of(self, expr: Any, frame: Frame) -> Form:
        """The normal form of a formula; an atom where nothing better is known."""
        found = self.known(expr, frame)
        return forms.atom(expr if isinstance(expr, sympy.Symbol) else self.rewrite(expr, frame)) if found is None else found

    def known(self, expr: Any, frame: Frame) -> Form | None:
        """The normal form of a formula; ``None`` where nothing better than an atom is known."""
        if isinstance(expr, sympy.Symbol):
            return self._symbol(expr, frame)
        if expr.is_number:
            return forms.number(expr)
        if isinstance(expr, sympy.Mul):
            result = forms.number(ONE)
            assert result is not None
            for factor in expr.args:
                result = forms.multiply(result, self.of(factor, frame))
            return result
        if isinstance(expr, sympy.Pow) and isinstance(expr.base, DimSymbol) and expr.exp.is_Integer:
            return forms.power(forms.atom(expr.base), expr.exp, self.positive(frame))
        if not self.facts(expr, frame).family:
            return None
        rule = _RULES.get(expr.func)
        return rule(self, expr, frame) if rule else None

    def _symbol(self, symbol: Any, frame: Frame) -> Form | None:
        access = frame.access(symbol)
        if access is None or access[2] is not None:
            return None
        if not self.reach.tensor(access[0]).family:
            return self._constant(access[0])
        located = self.tensor(access[0])
        if located is None:
            return None
        maps = frame.adopt(located.frame.accesses, {i: access[1][axis] for axis, i in enumerate(located.axes)})
        frame.guards.update(located.frame.guards)
        return located.form.replaced(maps)

    def _constant(self, tensor: Tensor) -> Form | None:
        """An array of one number, as that number."""
        if tensor.kind != "constant" or tensor in self.reach.kept:
            return None
        values = tensor.value
        same = values.size > 0 and values.dtype.kind == "f" and bool(np.all(values == values.flat[0])) and bool(np.isfinite(values.flat[0]))
        return forms.number(sympy.Float(float(values.flat[0]))) if same else None

    def exponent(self, expr: Any, frame: Frame) -> Any:
        """An exponent with negations, scalings, layouts and subtracted shifts looked through, so that they cancel."""
        expr = self.rewrite(expr, frame)
        for _ in range(16):
            maps: dict[Any, Any] = {}
            for symbol in sorted(expr.free_symbols, key=str):
                body = self._linear(symbol, frame)
                if body is not None:
                    maps[symbol] = body
            if not maps:
                break
            expr = expr.xreplace(maps)
        return sympy.expand_mul(expr)

    def _linear(self, symbol: Any, frame: Frame) -> Any:
        access = frame.access(symbol)
        if access is None or access[2] is not None or access[0] in self.reach.kept:
            return None
        tensor = self.reach.canonical(access[0])
        op = tensor.op
        if tensor is not access[0]:
            return frame.read(tensor, access[1])
        if not isinstance(op, Stage) or not op.elementwise or op.free is None or not op.reads:
            return None
        symbols: dict[Any, Any] = {read_symbol(k): r for k, r in enumerate(op.reads)}
        terms = sympy.Add.make_args(op.body)
        if not all(t.as_coeff_Mul()[1] in symbols for t in terms) or any(r.outside is not None for r in op.reads):
            return None
        tops = [self.reach.tensor(tensor.inputs[symbols[t.as_coeff_Mul()[1]].operand]).top for t in terms]
        if len(terms) > 1 and (not any(tops) or op.body.has(Floor)):
            return None
        maps = frame.adopt(accesses(tensor), {i: access[1][axis] for axis, i in enumerate(op.free)})
        frame.guards.update(dict.fromkeys(tensor.node.guards))
        return op.body.xreplace(op.dim_values()).xreplace(maps)

    def of_exp(self, expr: Any, frame: Frame) -> Form | None:
        """An exponential."""
        return forms.exponential(self.exponent(expr.args[0], frame))

    def of_combination(self, expr: Any, frame: Frame, plus: tuple[tuple[Any, int], ...]) -> Form | None:
        """A sum of ``c * exp(k * e)`` for the exponent ``e`` of a function."""
        e = self.exponent(expr.args[0], frame)
        return forms.add([Form(forms.Term(sympy.Rational(c), k * e)) for c, k in plus], self.positive(frame))

    def of_sigmoid(self, expr: Any, frame: Frame) -> Form | None:
        """``1/(1 + exp(-e))``."""
        bottom = self.of_combination(expr, frame, ((1, 0), (1, -1)))
        return forms.power(bottom, -ONE, self.positive(frame)) if bottom else None

    def of_tanh(self, expr: Any, frame: Frame) -> Form | None:
        """``(1 - exp(-2*e))/(1 + exp(-2*e))``."""
        top, bottom = self.of_combination(expr, frame, ((1, 0), (-1, -2))), self.of_combination(expr, frame, ((1, 0), (1, -2)))
        below = forms.power(bottom, -ONE, self.positive(frame)) if bottom else None
        return forms.multiply(top, below) if top and below else None

    def of_power(self, expr: Any, frame: Frame) -> Form | None:
        """A power: of the form, or the exponential of an exponent times a logarithm."""
        base, k = expr.args
        inner = self.of(base, frame)
        if k.is_number:
            k = sympy.Rational(k) if k.is_Float else k
            return forms.power(inner, k, self.positive(frame))
        test = self.positive(frame)
        certain = all(test(a) for a, _ in inner.term.atoms) and inner.term.coefficient > 0
        if certain and all(t.coefficient > 0 and all(test(a) for a, _ in t.atoms) for p, _ in inner.polys for t in p):
            return forms.exponential(self.rewrite(k, frame) * log_of(inner, test))
        return None

    def of_add(self, expr: Any, frame: Frame) -> Form | None:
        """A sum."""
        if any(isinstance(e, sympy.exp) and e.args[0].has(Floor) for a in expr.args for e in sympy.Mul.make_args(a)):
            return None  # shifted already
        return self.add([self.of(a, frame) for a in expr.args], frame)

    def is_plain_sum(self, expr: Any, frame: Frame) -> bool:
        """Whether a sum is a positive number plus fractions: nothing overflows or cancels, and it is exact as it is."""
        test = self.positive(frame)
        parts = [self.of(a, frame) for a in expr.args]
        numbers = [p.term.coefficient for p in parts if not p.exponential and not p.term.atoms and not p.polys]
        rest = [p for p in parts if p.exponential or p.term.atoms or p.polys]
        return bool(numbers and rest) and sum(numbers) > 0 and all(_bounded(p, test) for p in rest)

    def add(self, parts: Sequence[Form], frame: Frame) -> Form | None:
        """The sum of forms; ``1 - share`` of a stable sum as the other shares."""
        test = self.positive(frame)
        if len(parts) == 2 and any(p.polys and p.term.atoms for p in parts):  # a share may have such polynomials on top
            merged = forms.add([_merged(p, test) for p in parts], test)
            found = self._complemented(merged, frame) if merged else None
            if found is not None:
                return found
        found = forms.add(parts, test)
        if found is None:  # roots of sums, or too many terms: each as one exponential
            found = forms.add([_merged(p, test) for p in parts], test)
        return found and (self._complemented(found, frame) or found)

    def _complemented(self, found: Form, frame: Frame) -> Form | None:
        """A form with ``1 - share`` as the other shares; ``None`` where it has none."""
        result = Form(found.term)
        changed = False
        for p, k in found.polys:
            other = complement(self, frame, p) if k.is_Integer else None
            factor = forms.power(other, k, self.positive(frame)) if other else None
            changed = changed or factor is not None
            result = forms.multiply(result, factor or Form(forms.Term(ONE, ZERO), ((p, k),)))
        return result if changed else None

    # Tensors

    def tensor(self, tensor: Tensor) -> Located | None:
        """The normal form of a tensor, found once."""
        tensor = self.reach.canonical(tensor)
        if tensor not in self._located:
            self._located[tensor] = self._tensor(tensor)
        return self._located[tensor]

    def _tensor(self, tensor: Tensor) -> Located | None:
        op = tensor.op
        if isinstance(op, Reshape):
            return self._reshaped(tensor)
        if not isinstance(op, Stage) or op.free is None:
            return None
        frame = Frame(op.extents)
        frame.guards.update(dict.fromkeys(tensor.node.guards))
        maps = frame.adopt(accesses(tensor), {k: Affine.variable(k) for k in range(len(op.extents))})
        found = self.of(op.body.xreplace(op.dim_values()).xreplace(maps), frame)
        if op.reducer is None:
            return Located(frame, found, op.free)
        return (sum_of if op.reducer == "sum" else product_of)(self, tensor, frame, found)

    def _reshaped(self, tensor: Tensor) -> Located | None:
        source = tensor.inputs[0]
        inner = self.tensor(source)
        if inner is None:
            return None
        frame = Frame(tensor.shape)
        frame.guards.update(dict.fromkeys(tensor.node.guards))
        frame.guards.update(inner.frame.guards)
        here = [Affine.variable(k) for k, e in enumerate(tensor.shape) if e != 1]
        if [e for e in source.shape if e != 1] == [e for e in tensor.shape if e != 1]:
            places = iter(here)
            at = [Affine() if e == 1 else next(places) for e in source.shape]
            maps = frame.adopt(inner.frame.accesses, {i: at[axis] for axis, i in enumerate(inner.axes)})
            return Located(frame, inner.form.replaced(maps), tuple(range(tensor.ndim)))
        # Any other order of entries: the parts of the form become tensors, and these are reshaped.
        maps = {part: self._moved(part, inner, source, tensor, frame) for part in _parts(inner.form)}
        return Located(frame, _mapped(inner.form, maps), tuple(range(tensor.ndim)))

    def _moved(self, part: Any, inner: Located, source: Tensor, tensor: Tensor, frame: Frame) -> Any:
        reads = [(self.made.get(t, t), places, outside) for t, places, outside in inner.frame.accesses]
        write = tuple(Affine.variable(i) for i in inner.axes)
        flat = self.unique(stage(inner.frame.extents, reads, part, write=write, shape=source.shape, dtype="float"))
        view = make(Reshape(tensor.shape), (flat,), tensor.shape, "float", guards=tensor.node.guards, origin=tensor.origin)
        view = self.unique(view)
        if flat in self.certain or self.positive(inner.frame)(part):
            self.certain.add(view)
        return frame.read(view, [Affine.variable(k) for k in range(tensor.ndim)])


def _parts(f: Form) -> list[Any]:
    terms = [f.term, *(t for p, _ in f.polys for t in p)]
    found = [e for t in terms for e in (t.exponent, *(a for a, _ in t.atoms)) if e.free_symbols]
    return list(dict.fromkeys(found))


def _mapped(f: Form, maps: dict[Any, Any]) -> Form:
    def one(t: forms.Term) -> forms.Term:
        return forms.Term(t.coefficient, maps.get(t.exponent, t.exponent), tuple((maps.get(a, a), k) for a, k in t.atoms))

    return Form(one(f.term), tuple((tuple(one(t) for t in p), k) for p, k in f.polys))


def _merged(f: Form, test: Callable[[Any], bool]) -> Form:
    """A form with its polynomials as part of the exponent, where they are positive."""
    polys = Form(forms.Term(ONE, f.term.exponent), f.polys)
    if not f.polys or not forms.is_positive(polys, test):
        return f
    return Form(forms.Term(f.term.coefficient, log_of(polys, test), f.term.atoms))


def _bounded(f: Form, test: Callable[[Any], bool]) -> bool:
    """Whether a form is a positive fraction with one of the terms of its denominator on top."""
    if not forms.is_positive(f, test):
        return False
    if not f.polys:
        below = [a for a, k in f.term.atoms if k < 0]
        return bool(below) and len(f.term.atoms) == 1 and f.term.atoms[0][1] == -1
    if len(f.polys) != 1 or f.polys[0][1] != -1 or f.term.atoms:
        return False
    return any(t.exponent == f.term.exponent and not t.atoms for t in f.polys[0][0])


_RULES: dict[Any, Callable[[Expander, Any, Frame], Form | None]] = {
    sympy.exp: Expander.of_exp,
    sympy.Pow: Expander.of_power,
    Power: Expander.of_power,
    sympy.Add: Expander.of_add,
    Sigmoid: Expander.of_sigmoid,
    sympy.tanh: Expander.of_tanh,
    sympy.cosh: lambda self, e, frame: self.of_combination(e, frame, ((sympy.Rational(1, 2), 1), (sympy.Rational(1, 2), -1))),
    sympy.sinh: lambda self, e, frame: self.of_combination(e, frame, ((sympy.Rational(1, 2), 1), (-sympy.Rational(1, 2), -1))),
    Expm1: lambda self, e, frame: self.of_combination(e, frame, ((1, 1), (-1, 0))),
}
