"""The adjoint of one argument through one step, as LaTeX: what the backward pass multiplies an incoming gradient with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

import sympy

from graphc.autodiff import grad, vjp
from graphc.errors import GraphcError
from graphc.expr.affine import Affine
from graphc.expr.build import stage
from graphc.expr.compose import accesses, inlinable, inline
from graphc.expr.graph import free_dimensions, rebuild, substitute, unalias
from graphc.expr.operation import Alias, Leaf, Reshape
from graphc.expr.scalar import Select
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Tensor, make
from graphc.formula import derive
from graphc.formula.atoms import extent_formula
from graphc.view.isolate import isolated
from graphc.view.stage_latex import body_latex, stage_latex

__all__ = ["OPAQUE", "Contribution", "contribution"]

Contribution = tuple[str, tuple[Tensor, ...], str]  # the LaTeX, the arguments whose values it reads, and the random draw that it names
OPAQUE = r"\right)^{\!\top}"  # it ends the Jacobian of a step that has no formula of its own


def contribution(
    step: Tensor, arguments: tuple[Tensor, ...], source: Tensor, incoming: str | None, names: dict[Tensor, str], draw: str = ""
) -> Contribution | None:
    """What ``step`` adds to the adjoint of ``source``, given its own adjoint ``incoming`` (none: the number 1); ``None`` where that is nothing.

    ``draw`` is the subscript of the random numbers that take part in the step.
    """
    if source.dtype != "float":
        return None
    copy, fresh = isolated(step, arguments)
    back = {f: t for t, f in fresh.items()}
    [copy] = _unnamed([copy])
    cotangent = make(Leaf("input"), (), step.shape, "float", name="cotangent")
    known = {f: names[t] for f, t in back.items()} | {cotangent: incoming or "1"}
    slope = rf"\frac{{\partial {names[step]}}}{{\partial {names[source]}}}"
    general = slope if incoming is None else rf"\left({slope}{OPAQUE} {incoming}"
    if isinstance(copy.op, Stage) and copy.op.reducer in ("max", "min") and copy.op.body == read_symbol(0) and copy.output == 0:
        return rf"{incoming or 1} \;\text{{at}}\; \arg\{copy.op.reducer} {names[source]}", (source,), ""
    try:
        adjoint = _joined(unalias(grad(copy, fresh[source]) if incoming is None else vjp(copy, fresh[source], cotangent)))
    except GraphcError:
        return None
    if adjoint is cotangent:
        return incoming or "1", (), ""
    if adjoint in back:
        return names[back[adjoint]], (back[adjoint],), ""
    if isinstance(adjoint.op, Reshape) and adjoint.inputs[0] is cotangent:
        return rf"\operatorname{{reshape}}\left({incoming or 1}\right)", (), ""
    if not isinstance(adjoint.op, Stage) or any(not isinstance(t.op, Leaf) for t in adjoint.inputs):
        return _derived(step, copy, fresh, source, incoming, names, draw) or (general, (source,), "")
    if adjoint.op.body == 0:
        return None
    own, adjoint = _folded(copy, adjoint)
    if own is not None:
        known[own], back[own] = names[step], step
    saved = tuple(back[t] for t in adjoint.inputs if t in back)
    return _printed(adjoint, known) or general, saved, ""


_LETTERS = "ABCDEFGHJKMNOPQRSTUVXYZ"
_LONGEST = 150
_SPACING = re.compile(r"\\(left|right|,|:)|[{}\s]")


def _unnamed(outputs: Sequence[Tensor]) -> list[Tensor]:
    return rebuild(outputs, lambda node, inputs: [inputs[0]] if isinstance(node.op, Alias) else None)


def _derived(
    step: Tensor, copy: Tensor, fresh: dict[Tensor, Tensor], source: Tensor, incoming: str | None, names: dict[Tensor, str], draw: str
) -> Contribution | None:
    """The closed form that a derivation finds where the adjoint is more than one stage; ``None`` where that is long."""
    sizes = set(free_dimensions([copy]))
    letters = [c for c in _LETTERS if c not in sizes]
    if len(fresh) + 2 > len(letters):
        return None
    own, cotangent, *rest = letters
    plain = dict(zip(fresh, rest, strict=False))
    leaves = {f: make(Leaf("input"), (), f.shape, f.dtype, name=plain[t]) for t, f in fresh.items()}
    [renamed] = _unnamed(substitute([step], {t: leaves[f] for t, f in fresh.items()}))
    try:
        found = derive(renamed.named(own), leaves[fresh[source]], **({} if incoming is None else {"cotangent": cotangent}))
    except GraphcError:
        return None
    words = {letter: names[t] for t, letter in plain.items()} | {own: names[step], cotangent: incoming or "1"}
    result = found.latex.partition(" = ")[2]
    unknown = [n for n in found.where if n.name not in words]
    random = [n for n in unknown if "∼" in n.text and len(n.name) == 1]
    if not result or len(_SPACING.sub("", result)) > _LONGEST or len(unknown) > 1 or unknown != random:
        return None
    drawn = ""
    for n in random:
        words[n.name] = n.name + draw
        drawn = re.sub(rf"(?<!\w)({n.name}|u)₁?(?!\w)", lambda m: _subscripted(m[1], draw), n.text).replace("𝟏", "1")
    used = re.findall(_LETTER, result)

    def word(m: re.Match[str]) -> str:
        known = words.get(m[1], m[1])
        after = result[m.end() : m.end() + 1] if "frac" in known else ""
        if after in ("_", "^"):
            return rf"\left[{known}\right]" if after == "_" else rf"\left({known}\right)"
        return f"{{{known}}}" if m[1] in words else known

    text = re.sub(_LETTER, word, result)
    return text, tuple(t for t in (*plain, step) if {**plain, step: own}[t] in used), drawn


_LETTER = re.compile(r"(?<![A-Za-z\\])([A-Za-z])(?![A-Za-z])")


def _subscripted(letter: str, subscript: str) -> str:
    return letter + subscript[1:].translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _folded(step: Tensor, adjoint: Tensor) -> tuple[Tensor | None, Tensor]:
    """The adjoint with the step's own result in place of its formula: ``1 - h²`` instead of ``1 - tanh²(z)``."""
    forward, back = step.op, adjoint.op
    if not isinstance(forward, Stage) or not isinstance(back, Stage) or not forward.elementwise or not back.elementwise or forward.body.is_Symbol:
        return None, adjoint
    reads = accesses(adjoint)
    same = {}
    for k, (tensor, places, _) in enumerate((step.inputs[r.operand], r.coords, r.outside) for r in forward.reads):
        at = next((n for n, found in enumerate(reads) if found[0] is tensor and found[1] == places), None)
        if at is None:
            return None, adjoint
        same[read_symbol(k)] = read_symbol(at)
    own = make(Leaf("input"), (), step.shape, step.dtype, name="own")
    body = back.body.xreplace(back.dim_values())
    folded = body.subs(forward.body.xreplace(forward.dim_values()).xreplace(same), read_symbol(len(reads)))
    if read_symbol(len(reads)) not in folded.free_symbols or sympy.count_ops(folded) >= sympy.count_ops(body):
        return None, adjoint
    here = tuple(Affine.variable(k) for k in back.free or ())
    return own, stage(back.extents, [*reads, (own, here)], folded, outputs=len(back.shape), dtype="float")


def _joined(tensor: Tensor) -> Tensor:
    """A stage with what it reads put into it as far as that goes."""
    for _ in range(32):
        op = tensor.op
        if not isinstance(op, Stage):
            return tensor
        # A condition stays a tensor of its own: SymPy would compare it with 0 by its type and lose it.
        may = (k for k, r in enumerate(op.reads) if tensor.inputs[r.operand].dtype != "bool" and inlinable(op, k, tensor.inputs[r.operand]))
        read = next(may, None)
        if read is None:
            return _passed(tensor)
        tensor = inline(tensor, read)
    return tensor


def _passed(tensor: Tensor) -> Tensor:
    """The operand itself where a stage only copies it."""
    op = tensor.op
    if not isinstance(op, Stage) or not op.elementwise or op.body != read_symbol(0) or tensor.inputs[0].shape != tensor.shape:
        return tensor
    if [p.bare for p in op.reads[0].coords] == list(op.free or ()):
        return tensor.inputs[0]
    return tensor


def _printed(tensor: Tensor, known: dict[Tensor, str]) -> str:
    """A stage in matrix notation where it is element-wise or one product; in index notation otherwise."""
    op = tensor.op
    assert isinstance(op, Stage)
    labels = [known.get(t, "") for t in tensor.inputs]
    if not all(labels):
        constants = {t: f"{t.value.item():.4g}" for t in tensor.inputs if t.kind == "constant" and t.ndim == 0}
        if any(t not in known and t not in constants for t in tensor.inputs):
            return ""
        known = known | constants
    return _elementwise(tensor, op, known) or _product(tensor, op, known) or stage_latex(tensor, lambda t: known[t])


def _elementwise(tensor: Tensor, op: Stage, known: dict[Tensor, str]) -> str:
    if not op.elementwise:
        return ""
    axes = list(op.free or ())
    for read in op.reads:
        places = [p.bare for p in read.coords]
        if places and (places != axes[-len(places) :] or tensor.inputs[read.operand].shape != tensor.shape[-len(places) :]):
            return ""
    if any(s.name.startswith("i") for s in op.body.free_symbols):
        return ""
    names = {read_symbol(k): known[tensor.inputs[r.operand]] for k, r in enumerate(op.reads)}
    sizes = {d: extent_formula(v) for d, v in zip(op.dim_values(), op.dims, strict=True)}
    names |= {d: d.name for v in sizes.values() for d in v.free_symbols}
    first = {r: read_symbol(k) for k, r in reversed(list(enumerate(_reads(tensor))))}
    body = op.body.xreplace({read_symbol(k): first[r] for k, r in enumerate(_reads(tensor))}).xreplace(sizes)
    arrays = {read_symbol(k) for k, r in enumerate(op.reads) if r.coords}
    factors = [part for f in sympy.Mul.make_args(body) for part in _gated(f)]
    if not arrays or any(f.is_Add and not f.free_symbols for f in factors):
        return body_latex(body, names)
    scale = sympy.Mul(*[f for f in factors if not f.free_symbols & arrays])
    rest = [f for f in factors if f.free_symbols & arrays]
    # The incoming gradient leads, as one reads it: ∂L/∂h ⊙ (1 − h²).
    rest.sort(key=lambda f: (not (f.is_Symbol and "partial" in names[f]), sympy.default_sort_key(f)))
    below = [f for f in rest if f.is_Pow and f.exp.is_number and f.exp.is_negative]
    words = [_factor(f, names) for f in rest if f not in below]
    text = r" \odot ".join(words)
    if below:
        text = rf"\frac{{{text or 1}}}{{{body_latex(1 / sympy.Mul(*below), names)}}}"
    if scale == 1:
        return text
    if scale == -1:
        return f"-{text}"
    return rf"{_scale(scale, names)} \, {text}"


def _scale(scale: Any, names: dict[Any, str]) -> str:
    """A number, over sizes as ``1/(20 n)`` and not as ``0.05/n``."""
    above, below = sympy.fraction(scale)
    return rf"\frac{{{body_latex(above, names)}}}{{{body_latex(below, names)}}}" if below.free_symbols else body_latex(scale, names)


def _reads(tensor: Tensor) -> list[tuple[Tensor, Any]]:
    op = tensor.op
    return [(tensor.inputs[r.operand], r.coords) for r in op.reads] if isinstance(op, Stage) else []


def _factor(factor: Any, names: dict[Any, str]) -> str:
    if isinstance(factor, _Gate):
        return rf"\mathbf{{1}}[{body_latex(factor.args[0], names)}]"
    return f"\\left({body_latex(factor, names)}\\right)" if factor.is_Add else body_latex(factor, names)


class _Gate(sympy.Function):
    """1 where a condition holds, else 0."""


def _gated(factor: Any) -> list[Any]:
    """A choice between something and 0 as a product: ``g 1[z > 0]``."""
    if not isinstance(factor, Select) or sympy.S.Zero not in factor.args[1:]:
        return [factor]
    condition, yes, no = cast("tuple[Any, Any, Any]", factor.args)
    if yes == 0:
        condition, yes = cast("Any", sympy.Not(condition)), no
    if getattr(condition, "lhs", None) is not None and condition.lhs.is_number:
        condition = condition.reversed
    return [*sympy.Mul.make_args(yes), _Gate(condition)]


def _scaled(op: Stage, text: str) -> str:
    factor, rest = op.body.as_coeff_Mul()
    if not text or rest == op.body:
        return text
    return f"-{text}" if factor == -1 else rf"{float(factor):.4g} \, {text}" if factor.is_Float else rf"{body_latex(factor, {})} \, {text}"


def _product(tensor: Tensor, op: Stage, known: dict[Tensor, str]) -> str:
    """``X Y``, ``Xᵀ Y``, ... for one sum over one index of a product of two reads; ``1ᵀ G`` for a sum over rows."""
    free, reduced = op.free, op.reduced
    if free is None or op.reducer != "sum" or any(len(r.coords) > 2 for r in op.reads):
        return ""
    places: list[list[Any]] = [[p.bare for p in r.coords] for r in op.reads]
    words = [known[tensor.inputs[r.operand]] for r in op.reads]
    if op.body == read_symbol(0) and len(reduced) == 1 and places[0] == [reduced[0], *free]:
        return rf"\mathbf{{1}}^{{\top}} {words[0]}"
    if op.body.as_coeff_Mul()[1] != read_symbol(0) * read_symbol(1) or len(reduced) != 1 or len(free) != 2 or any(len(p) != 2 for p in places):
        return ""
    k = reduced[0]
    left = next((n for n in (0, 1) if free[0] in places[n]), None)
    if left is None or free[1] not in places[1 - left]:
        return ""
    right = 1 - left
    # A place that is no bare index is None, and equals none of these.
    if set(places[left]) != {free[0], k} or set(places[right]) != {k, free[1]}:
        return ""
    first = words[left] if places[left] == [free[0], k] else rf"{_grouped(words[left])}^{{\top}}"
    second = words[right] if places[right] == [k, free[1]] else rf"{_grouped(words[right])}^{{\top}}"
    return _scaled(op, rf"{first} \, {second}")


def _grouped(word: str) -> str:
    return rf"\left({word}\right)" if "frac" in word else f"{{{word}}}"
