"""The reverse sweep: adjoints from the output back to the variables, each again a graph of stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from graphc.autodiff.linalg_rule import linalg_adjoints
from graphc.autodiff.scan_rule import scan_adjoints
from graphc.autodiff.stage_rule import stage_adjoints
from graphc.errors import DeclarationError, DerivationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, same_extent, stage
from graphc.expr.graph import substitute, topological
from graphc.expr.operation import Alias, Assign, Leaf, Linalg, Reshape, Scan
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Node, Tensor, make
from graphc.stable import stabilise_keeping

__all__ = ["as_shaped", "grad", "total", "vjp"]


def grad(y: Tensor, wrt: Any, *, unconnected: str = "raise") -> Any:
    r"""The gradient :math:`\partial y / \partial x` of a scalar, as an expression of the shape of ``x``.

    The result can be evaluated, compiled, drawn, derived and differentiated again. At kinks: relu'(0) = abs'(0) =
    sign' = 0; where entries tie in a maximum over entries the first takes the whole gradient, in ``maximum(a, b)`` the
    first argument. Through comparisons and integers the gradient is 0.

    Args:
        y: a tensor of rank 0.
        wrt: a tensor, leaf or intermediate, or a list of them.
        unconnected: ``"zero"`` gives zeros for a variable that ``y`` does not depend on.

    Raises:
        DerivationError: for a variable that ``y`` does not depend on at all.

    Example:
        >>> import graphc as gx
        >>> a, b = gx.scalars("a b")
        >>> float(gx.evaluate(gx.grad((a + b) * (b + 1), b), {a: 2, b: 1}))
        5.0
    """
    y = operand(y)
    if y.ndim:
        raise ShapeError(f"gx.grad wants a scalar, and {y.describe()} is none: take its sum or mean, or use gx.vjp or gx.jacobian")
    seed = stage((), (), sympy.Integer(1), dtype="float")
    return _gradients(y, wrt, seed, unconnected)


def vjp(y: Tensor, wrt: Any, cotangent: Any, *, unconnected: str = "raise") -> Any:
    r"""The vector-Jacobian product: the gradient of :math:`\langle \bar y, y \rangle` with ``cotangent`` held fixed.

    Args:
        y: a tensor of any shape.
        wrt: a tensor or a list of them.
        cotangent: a tensor of the shape of ``y``.
    """
    y, cotangent = operand(y), operand(cotangent)
    if not cotangent.ndim and y.ndim:  # one number for all entries
        cotangent = stage(y.shape, [(cotangent, ())], read_symbol(0), dtype="float")
    cotangent = as_shaped(cotangent, y, f"the cotangent {cotangent.describe()} must have the shape of {y.describe()}")
    return _gradients(y, wrt, cotangent, unconnected)


def as_shaped(given: Tensor, like: Tensor, text: str) -> Tensor:
    """A tensor as one of another's shape; what sizes alone decide is checked when they are known.

    Raises:
        ShapeError: where the shapes certainly differ.
    """
    if given.shape == like.shape:
        return given
    if given.ndim != like.ndim:
        raise ShapeError(text)
    found = [same_extent(a, b, text) for a, b in zip(like.shape, given.shape, strict=True)]
    here = tuple(Affine.variable(k) for k in range(given.ndim))
    return stage(like.shape, [(given, here)], read_symbol(0), guards=[g for g in found if g])


def _gradients(y: Tensor, wrt: Any, seed: Tensor, unconnected: str) -> Any:
    if unconnected not in ("raise", "zero"):
        raise DeclarationError(f"unconnected={unconnected!r}: it is 'raise' or 'zero'")
    many = isinstance(wrt, list | tuple)
    variables = list(wrt) if many else [wrt]
    for v in variables:
        if not isinstance(v, Tensor):
            raise DeclarationError(f"gradients are taken by tensors, not by {v!r}: give the tensor itself, gx.leaves(y)['name'] finds it")
        if v.dtype != "float":
            raise DerivationError(f"{v.describe()} holds {v.dtype} values, and derivatives are by floats: declare it with dtype='float'")
    y = _by_declared(y, variables)
    stable, places = stabilise_keeping([y], variables)
    adjoints = _sweep([(stable[0], seed)], places)
    # As written: where a stable form cancels a variable, as in exp(x)/exp(x), its gradient is 0 and no error.
    reached = {t for node in topological([y]) for t in node.outputs}
    results = [_result(y, v, adjoints.get(p), v in reached, unconnected) for v, p in zip(variables, places, strict=True)]
    return results if many else results[0]


def _by_declared(y: Tensor, variables: Sequence[Tensor]) -> Tensor:
    """``y`` as a function of the variables themselves, where it is a gradient made of other forms of them."""
    asked = set(variables)
    forms = {t: t.stands_for for node in topological([y]) for t in node.outputs if t.stands_for is not None and t.stands_for in asked}
    return substitute([y], forms)[0] if forms else y


def _result(y: Tensor, variable: Tensor, adjoint: Tensor | None, reached: bool, unconnected: str) -> Tensor:
    if adjoint is None:
        if not reached and unconnected == "raise":
            raise DerivationError(
                f"{y.label} does not depend on {variable.describe()}: check that it was built from this very tensor, "
                "or say unconnected='zero' for zeros"
            )
        adjoint = stage(variable.shape, (), sympy.Integer(0), dtype="float")
    if isinstance(variable.op, Leaf) and variable.op.symmetric:
        adjoint = _symmetric(adjoint)
    name = f"∂{y.name}/∂{variable.name}" if y.name and variable.name else ""
    return make(Alias(), (adjoint, y), adjoint.shape, "float", name=name)


def _symmetric(gradient: Tensor) -> Tensor:
    """The projection on symmetric matrices, (G + Gᵀ)/2."""
    i, j = Affine.variable(0), Affine.variable(1)
    return stage(gradient.shape, [(gradient, (i, j)), (gradient, (j, i))], (read_symbol(0) + read_symbol(1)) / 2)


def _sweep(seeds: Sequence[tuple[Tensor, Tensor]], variables: Sequence[Tensor]) -> dict[Tensor, Tensor]:
    """The adjoints of the variables that the seeded tensors depend on.

    Args:
        seeds: tensors with what their adjoints start from; a tensor may stand there more than once.
    """
    order = topological([y for y, _ in seeds])
    wanted: set[Tensor] = set(variables)
    for node in order:  # everything between the variables and the seeds
        if any(t in wanted for t in node.inputs) and not isinstance(node.op, Leaf):
            wanted.update(t for t in node.outputs if t.dtype == "float")
    parts: dict[Tensor, list[Tensor]] = {}
    for y, seed in seeds:
        parts.setdefault(y, []).append(seed)
    adjoints: dict[Tensor, Tensor] = {}
    for node in reversed(order):
        reached = [t for t in node.outputs if t in parts and t in wanted]
        if not reached:
            continue
        adjoints.update((t, total(parts.pop(t))) for t in reached)
        for source, contribution in _contributions(node, adjoints, wanted):
            parts.setdefault(source, []).append(contribution)
    return adjoints


def _contributions(node: Node, adjoints: dict[Tensor, Tensor], wanted: set[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """What a node adds to the adjoints of its inputs; a rule for each primitive."""
    op = node.op
    if isinstance(op, Scan):
        return scan_adjoints(node, {t: adjoints[t] for t in node.outputs if t in adjoints}, wanted, _sweep)
    adjoint = adjoints[node.outputs[0]]
    if isinstance(op, Stage):
        return stage_adjoints(node, adjoint, [t for t in node.inputs if t in wanted])
    if isinstance(op, Linalg):
        return linalg_adjoints(node, adjoint, wanted)
    source = node.inputs[1] if isinstance(op, Assign) else node.inputs[0] if node.inputs else None
    if source is None or source not in wanted or isinstance(op, Leaf):
        return []
    if isinstance(op, Reshape):
        back = make(Reshape(source.shape), (adjoint,), source.shape, "float", origin=node.origin)
        return [(source, back)]
    assert isinstance(op, Alias | Assign), op
    return [(source, adjoint)]


def total(parts: list[Tensor]) -> Tensor:
    """The sum of contributions, as one stage."""
    if len(parts) == 1:
        return parts[0]
    shape = parts[0].shape
    here = tuple(Affine.variable(k) for k in range(len(shape)))
    return stage(shape, [(p, here) for p in parts], sum((read_symbol(k) for k in range(len(parts))), sympy.Integer(0)))
