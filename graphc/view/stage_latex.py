"""A stage as LaTeX in index notation: one printer for every operation, read from the stage itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter

from graphc.expr.affine import Affine
from graphc.expr.dims import Dim, Extent
from graphc.expr.scalar import is_condition
from graphc.expr.stage import Stage, dimension_symbol, index_symbol, read_symbol
from graphc.expr.tensor import Tensor
from graphc.view.names import name_text

__all__ = ["body_latex", "is_part", "plain_latex", "stage_latex", "subscripted"]

_LETTERS = ("i", "j", "k", "l", "m", "p", "q", "r", "s", "t", "u", "v", "w")
_REDUCERS = {"sum": r"\sum", "prod": r"\prod", "max": r"\max", "min": r"\min"}
Labels = Callable[[Tensor], str]


class _Printer(LatexPrinter):
    """SymPy's LaTeX with our own scalar functions."""

    def _of(self, name: str, expr: Any) -> str:
        return rf"{name}\left({', '.join(self._print(a) for a in expr.args)}\right)"

    def _print_Select(self, expr: Any) -> str:
        test, *branches = expr.args
        if isinstance(test, sympy.Ne) and test.args[1] == 0 and is_condition(test.args[0]):
            test = test.args[0]
        condition, a, b = (self._print(x) for x in (test, *branches))
        return rf"\begin{{cases}}{a} & {condition} \\ {b} & \text{{else}}\end{{cases}}"

    def _print_Maximum(self, expr: Any, exp: Any = None) -> str:
        return _raised(self._of(r"\max", expr), exp)

    def _print_Minimum(self, expr: Any, exp: Any = None) -> str:
        return _raised(self._of(r"\min", expr), exp)

    def _print_Sign(self, expr: Any, exp: Any = None) -> str:
        return _raised(self._of(r"\mathrm{sign}", expr), exp)

    def _print_Absolute(self, expr: Any, exp: Any = None) -> str:
        return _raised(rf"\left|{self._print(expr.args[0])}\right|", exp)

    def _print_Floor(self, expr: Any, exp: Any = None) -> str:
        return _raised(rf"\lfloor {self._print(expr.args[0])} \rfloor", exp)

    def _print_IsFinite(self, expr: Any, exp: Any = None) -> str:
        return _raised(self._of(r"\mathrm{isfinite}", expr), exp)

    def _print_Power(self, expr: Any, exp: Any = None) -> str:
        base, exponent = expr.args
        inner = self._print(base) if base.is_Symbol else rf"\left({self._print(base)}\right)"
        return _raised(rf"{{{inner}}}^{{{self._print(exponent)}}}", exp)

    def _print_Sigmoid(self, expr: Any, exp: Any = None) -> str:
        return _raised(self._of(r"\sigma", expr), exp)

    def _print_Softplus(self, expr: Any, exp: Any = None) -> str:
        return _raised(self._of(r"\mathrm{softplus}", expr), exp)

    def _print_Log1p(self, expr: Any, exp: Any = None) -> str:
        return _raised(rf"\log\left(1 + {self._print(expr.args[0])}\right)", exp)

    def _print_Expm1(self, expr: Any, exp: Any = None) -> str:
        return _raised(rf"\left(e^{{{self._print(expr.args[0])}}} - 1\right)", exp)

    def _print_RootOfSquares(self, expr: Any, exp: Any = None) -> str:
        return _raised(rf"\sqrt{{{self._print(expr.args[0])}}}", exp)


def _raised(text: str, exponent: Any) -> str:
    return text if exponent is None else rf"\left({text}\right)^{{{exponent}}}"


def body_latex(body: Any, names: dict[Any, str]) -> str:
    """A scalar formula as LaTeX, its symbols under the names given."""
    return _Printer({"symbol_names": names, "ln_notation": False, "mul_symbol": r"\,"}).doprint(body)


def is_part(tensor: Tensor) -> bool:
    """Whether a tensor is an inner reducer of a formula in index notation, printed inside it."""
    return tensor.call is not None and tensor.call.symbol == "" and not tensor.name and isinstance(tensor.op, Stage)


def subscripted(name: str, places: Sequence[str]) -> str:
    """``X_{i,k}``; a name that has a subscript of its own is put in brackets."""
    if not places:
        return name
    return f"{f'[{name}]' if '_' in name or '^' in name else name}_{{{', '.join(places)}}}"


def _label(tensor: Tensor) -> str:
    return (name_text(tensor.name.rpartition("/")[2] or tensor.name).latex or r"\text{x}") if tensor.name else r"\cdot"


def stage_latex(tensor: Tensor, label: Labels = _label) -> str:
    r"""The formula of a stage's entry, such as ``\\sum_{k} X_{i, k} W_{k, j}``; output indices are i, j, ... in order."""
    op = tensor.op
    assert isinstance(op, Stage)
    letters = iter([*_LETTERS, *(f"i_{{{n}}}" for n in range(1, 100))])
    free = op.free
    if free is None:
        indices = [next(letters) for _ in op.extents]
        formula = _entry(tensor, indices, letters, label)
        return rf"{formula} \;\to\; [{', '.join(_affine(p, indices, []) for p in op.write)}]"
    outputs = [next(letters) for _ in free]
    return _entry(tensor, _ordered(op, outputs, letters), letters, label)


def _ordered(op: Stage, outputs: Sequence[str], letters: Iterator[str]) -> list[str]:
    """The names of all indices, given those of the output axes."""
    free = op.free or ()
    chosen = dict(zip(free, outputs, strict=True))
    return [chosen[k] if k in chosen else next(letters) for k in range(len(op.extents))]


def plain_latex(tensor: Tensor, label: Labels = _label) -> str:
    """An element-wise stage over whole tensors, ``2 z``, and anything else as :func:`stage_latex` has it."""
    op = tensor.op
    assert isinstance(op, Stage)
    axes = list(op.free or ())
    reads = [[p.bare for p in r.coords] for r in op.reads]
    whole = all(r == axes[len(axes) - len(r) :] for r in reads)
    if not op.elementwise or not whole or op.body.free_symbols & {index_symbol(k) for k in range(len(op.extents))}:
        return stage_latex(tensor, label)
    names: dict[Any, str] = {read_symbol(k): label(tensor.inputs[r.operand]) for k, r in enumerate(op.reads)}
    return body_latex(op.body, names | {dimension_symbol(k): _extent(d) for k, d in enumerate(op.dims)})


def _entry(tensor: Tensor, indices: list[str], letters: Iterator[str], label: Labels) -> str:
    op = tensor.op
    assert isinstance(op, Stage)
    reads: list[str] = []
    for read in op.reads:
        source = tensor.inputs[read.operand]
        places = [_affine(p, indices, reads) for p in read.coords]
        if is_part(source) and isinstance(source.op, Stage) and source.op.free is not None:
            inner = _entry(source, _ordered(source.op, places, letters), letters, label)
            reads.append(f"({inner})" if len(op.reads) > 1 or not op.body.is_Symbol else inner)
        else:
            reads.append(subscripted(label(source), places))
    names: dict[Any, str] = {read_symbol(k): r for k, r in enumerate(reads)}
    names |= {index_symbol(k): n for k, n in enumerate(indices)}
    names |= {dimension_symbol(k): _extent(d) for k, d in enumerate(op.dims)}
    text = body_latex(op.body, names)
    if op.reducer is None:
        return text
    bound = [indices[k] for k in (op.reduced if op.free is not None else range(len(indices)))]
    if isinstance(op.body, sympy.Add):
        text = f"({text})"
    return rf"{_REDUCERS[op.reducer]}_{{{', '.join(bound)}}} {text}" if bound else text


def _extent(extent: Extent) -> str:
    return str(extent).replace("*", r"\,") if isinstance(extent, Dim) else str(extent)


def _affine(place: Affine, indices: Sequence[str], reads: Sequence[str]) -> str:
    r"""``2\\,i + u - 1``."""
    text = ""
    for variable, coefficient in place.terms:
        name = indices[variable] if variable >= 0 else reads[-variable - 1]
        negative = isinstance(coefficient, int) and coefficient < 0
        size = -coefficient if negative else coefficient
        factor = "" if size == 1 else f"({_extent(size)})" if isinstance(size, Dim) and len(size.terms) > 1 else _extent(size)
        text += (" - " if text else "-") if negative else (" + " if text else "")
        text += f"{factor}{name}"
    if place.offset != 0 or not text:
        offset = _extent(place.offset)
        text += f" - {offset[1:]}" if text and offset.startswith("-") else f" + {offset}" if text else offset
    return text
