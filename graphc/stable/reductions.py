"""Sums and products over axes in normal form.

A sum of ``w * exp(l)`` becomes ``exp(m) * sum(w * exp(l - m))`` with ``m`` next to the largest ``l``; a product of
positive entries becomes the exponential of the sum of their logarithms.
"""

from __future__ import annotations

from typing import Any

import sympy

from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.dims import dim_symbol
from graphc.expr.scalar import Select
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Tensor
from graphc.stable import form as forms
from graphc.stable.context import Context, Located, StableSum
from graphc.stable.emit import capped, counted, log_of, shift_of
from graphc.stable.form import Form, Term
from graphc.stable.frame import Frame

__all__ = ["product_of", "sum_of"]

ONE, ZERO = sympy.Integer(1), sympy.Integer(0)


def sum_of(context: Context, tensor: Tensor, frame: Frame, found: Form) -> Located | None:
    """The normal form of a sum over axes whose body is ``found``; ``None`` where the sum is best left alone."""
    op = tensor.op
    assert isinstance(op, Stage)
    test = context.positive(frame)
    certain = forms.is_positive(found, test)
    facts = context.reach.tensor(tensor)
    if facts.stable and certain:
        context.certain.add(tensor)
        _recognise(context, tensor, frame, found)
        return None
    if facts.stable and found.term.exponent.has(Select):  # a weighted sum made stable before
        return None
    cancelled = not found.exponential and not found.term.atoms
    if not (found.exponential or cancelled):
        return None
    inner, constant = _apart(found, frame, set(op.reduced))
    weight = sympy.Mul(*(a**k for a, k in inner.term.atoms if not test(a)))
    atoms = tuple((a, k) for a, k in inner.term.atoms if test(a))
    logs = Form(Term(ONE, inner.term.exponent, atoms), inner.polys if certain else ())
    if not certain:
        weight = weight * sympy.Mul(*(sympy.Add(*(_value(t) for t in p)) ** k for p, k in inner.polys))
    exponent = log_of(logs, test)
    if not frame.variables(exponent) & set(op.reduced):
        return _even(context, op, frame, weight, constant)
    top = context.build(frame, exponent if weight == 1 else counted(weight, exponent), op, "max")
    here = tuple(Affine.variable(k) for k in range(len(op.shape)))
    shift = context.unique(stage(op.shape, [(top, here)], shift_of(read_symbol(0)), dtype="float"))
    below = exponent - frame.read(shift, op.write)
    total = context.build(frame, sympy.exp(below) if weight == 1 else weight * sympy.exp(capped(weight, below)), op, "sum")
    context.fresh.add(total)
    if certain:
        context.certain.add(total)
        if weight == 1:
            context.sums[total] = StableSum(frame, exponent, op, top, shift)
    outer, constant, axes = _outer(op, frame, constant)
    value = forms.multiply(forms.exponential(outer.read(shift, here)), forms.atom(outer.read(total, here)))
    return Located(outer, forms.multiply(constant, value), axes)


def product_of(context: Context, tensor: Tensor, frame: Frame, found: Form) -> Located | None:
    """The normal form of a product over axes of positive entries."""
    op = tensor.op
    assert isinstance(op, Stage)
    test = context.positive(frame)
    if not forms.is_positive(found, test):
        return None
    logs = context.build(frame, log_of(found, test), op, "sum")
    outer = Frame(op.shape)
    outer.guards.update(frame.guards)
    axes = tuple(range(len(op.shape)))
    return Located(outer, forms.exponential(outer.read(logs, [Affine.variable(k) for k in axes])), axes)


def _value(t: Term) -> Any:
    return t.coefficient * sympy.exp(t.exponent) * sympy.Mul(*(a**k for a, k in t.atoms))


def _outer(op: Stage, frame: Frame, found: Form) -> tuple[Frame, Form, tuple[int, ...]]:
    """What does not depend on the reduced indices, in the index space of the result's axes."""
    assert op.free is not None
    outer = Frame(op.shape)
    outer.guards.update(frame.guards)
    maps = outer.adopt(frame.accesses, {i: Affine.variable(axis) for axis, i in enumerate(op.free)})
    return outer, found.replaced(maps), tuple(range(len(op.shape)))


def _even(context: Context, op: Stage, frame: Frame, weight: Any, constant: Form) -> Located | None:
    """A sum whose exponentials do not vary along it: they stand before the sum of what does, or before a count."""
    outer, found, axes = _outer(op, frame, constant)
    if weight != 1:
        rest = context.build(frame, weight, op, "sum")
        return Located(outer, forms.multiply(found, forms.atom(outer.read(rest, [Affine.variable(k) for k in axes]))), axes)
    for extent in (op.extents[k] for k in op.reduced):
        count = forms.number(sympy.Integer(extent)) if isinstance(extent, int) else forms.atom(dim_symbol(extent))
        if count is None:  # of size 0: best left alone
            return None
        found = forms.multiply(found, count)
    return Located(outer, found, axes)


def _recognise(context: Context, tensor: Tensor, frame: Frame, found: Form) -> None:
    """A sum of shifted exponentials that was stable before."""
    op = tensor.op
    assert isinstance(op, Stage)
    if found.polys or found.term.atoms or found.term.coefficient != 1:
        return
    for t in sympy.Add.make_args(found.term.exponent):
        access = frame.access(-t) if isinstance(-t, sympy.Symbol) else None
        if access is None or not context.reach.tensor(access[0]).floor or not access[0].inputs:
            continue
        shift = access[0]
        top = shift.inputs[0]
        if isinstance(top.op, Stage) and top.op.reducer == "max":
            made = context.made
            context.sums[tensor] = StableSum(frame, found.term.exponent - t, op, made.get(top, top), made.get(shift, shift))


def _apart(found: Form, frame: Frame, reduced: set[int]) -> tuple[Form, Form]:
    """What depends on the reduced indices, and what does not."""

    def varies(e: Any) -> bool:
        return bool(frame.variables(e) & reduced)

    moving = sympy.Add(*(t for t in sympy.Add.make_args(found.term.exponent) if varies(t)))
    inside = [(p, k) for p, k in found.polys if any(varies(t.exponent) or any(varies(a) for a, _ in t.atoms) for t in p)]
    atoms = found.term.atoms
    inner = Form(Term(ONE, moving, tuple(a for a in atoms if varies(a[0]))), tuple(inside))
    still = Term(found.term.coefficient, found.term.exponent - moving, tuple(a for a in atoms if not varies(a[0])))
    return inner, Form(still, tuple(p for p in found.polys if p not in inside))
