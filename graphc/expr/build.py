"""Building stages: from tensors, accesses and a body to a canonical stage and its tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.dims import Dim, DimSymbol, Extent, product, provably_at_least
from graphc.expr.operation import Cell, DType, Leaf
from graphc.expr.origin import caller
from graphc.expr.scalar import is_condition
from graphc.expr.stage import Read, Reducer, Stage, dimension_symbol, identity_write, read_symbol
from graphc.expr.tensor import Call, Guard, Tensor, make

__all__ = ["Access", "broadcast", "constant", "elementwise", "keeps_its_value", "not_of_nothing", "operand", "same_extent", "stage"]

Access = tuple[Tensor, tuple[Affine, ...]] | tuple[Tensor, tuple[Affine, ...], float | None]


def stage(
    extents: Sequence[Extent],
    reads: Sequence[Access],
    body: Any,
    *,
    outputs: int | None = None,
    write: Sequence[Affine] | None = None,
    shape: Sequence[Extent] | None = None,
    reducer: Reducer | None = None,
    guarded: bool = False,
    dtype: DType | None = None,
    name: str = "",
    call: Call | None = None,
    guards: Sequence[Guard] = (),
    origin: Any = None,
) -> Tensor:
    """The tensor of one stage.

    Args:
        extents: the ranges of the indices; the first ``outputs`` of them (default: all) are the output's axes.
        reads: ``(tensor, places)`` or ``(tensor, places, outside)`` of each access; ``x0, x1, ...`` in ``body``.
        body: the formula over ``x``, ``i`` and dimension symbols.
        write, shape: instead of ``outputs``, where each index tuple writes and the shape of the result (a scatter).
        dtype: the result's kind; by default bool for a condition, int where everything read is int or bool and the
            body keeps integers, else float.
    """
    if write is None:
        outputs = len(extents) if outputs is None else outputs
        write, shape = identity_write(outputs), tuple(extents[:outputs])
    assert shape is not None
    tensors, reads_, write, body = _canonical(reads, write, body)
    dims = tuple(sorted((s.dim for s in body.free_symbols if isinstance(s, DimSymbol)), key=str))
    body = body.xreplace({s: dimension_symbol(dims.index(s.dim)) for s in body.free_symbols if isinstance(s, DimSymbol)})
    built = Stage(tuple(extents), write, tuple(shape), reads_, body, dims, reducer, guarded)
    kind: DType = dtype or _kind(body, [tensors[r.operand].dtype for r in reads_])
    return make(built, tensors, tuple(shape), kind, name=name, call=call, guards=guards, origin=origin or caller())


def _canonical(reads: Sequence[Access], write: Sequence[Affine], body: Any) -> tuple[list[Tensor], tuple[Read, ...], tuple[Affine, ...], Any]:
    """Operands without repetition, reads that neither body nor write map use dropped, the rest renumbered."""
    body = sympy.sympify(body)
    used = _used_reads(reads, write, body)
    number = {old: new for new, old in enumerate(used)}

    def renumber(variable: int) -> int:
        return variable if variable >= 0 else -(number[-variable - 1] + 1)

    tensors: list[Tensor] = []
    kept: list[Read] = []
    for old in used:
        tensor, places, *outside = reads[old]
        if tensor not in tensors:
            tensors.append(tensor)
        kept.append(Read(tensors.index(tensor), tuple(p.renumber(renumber) for p in places), outside[0] if outside else None))
    renamed = body.xreplace({read_symbol(o): read_symbol(n) for o, n in number.items() if o != n})
    return tensors, tuple(kept), tuple(p.renumber(renumber) for p in write), renamed


def _used_reads(reads: Sequence[Access], write: Sequence[Affine], body: Any) -> list[int]:
    """The reads that the body and the write map need, with those that their places go through, in order."""
    needed = {k for k in range(len(reads)) if read_symbol(k) in body.free_symbols}
    needed |= {-v - 1 for place in write for v in place.variables if v < 0}
    pending = list(needed)
    while pending:
        for place in reads[pending.pop()][1]:
            for variable in place.variables:
                if variable < 0 and -variable - 1 not in needed:
                    needed.add(-variable - 1)
                    pending.append(-variable - 1)
    return sorted(needed)


def _kind(body: Any, kinds: Sequence[DType]) -> DType:
    if is_condition(body):
        return "bool"
    floats = any(k == "float" for k in kinds)
    keeps = (sympy.Add, sympy.Mul, sympy.Integer, sympy.Symbol)
    whole = all(
        isinstance(part, keeps)
        or (isinstance(part, sympy.Pow) and part.exp.is_Integer and part.exp.is_nonnegative)
        or type(part).__name__ in ("Maximum", "Minimum", "Absolute", "Sign", "Floor", "Select", "Power")
        or is_condition(part)
        for part in sympy.preorder_traversal(body)
    )
    return "int" if whole and not floats and not body.free_symbols <= set() else "int" if body.is_Integer else "float"


def keeps_its_value(array: Any, kind: DType) -> bool:
    """Whether an array's numbers are of a kind: whole ones, or truth values."""
    if kind == "int" and array.dtype.kind == "f":
        return bool(np.all(np.isfinite(array) & (array == np.floor(array))))
    return kind != "bool" or array.dtype.kind == "b" or bool(np.isin(array, (0, 1)).all())


def constant(value: Any, name: str = "", dtype: DType | None = None) -> Tensor:
    """A tensor that is one array.

    Args:
        value: numbers, nested lists or an array of them; copied.
        name: a name for pictures and messages.

    Example:
        >>> import graphc as gx
        >>> gx.constant([[1.0, 2.0]], name="c").shape
        (1, 2)
    """
    try:
        array = np.array(value)
    except ValueError as error:
        raise DeclarationError(f"constant {name or value!r}: the rows have unequal lengths ({error})") from None
    if array.dtype.kind not in "fiub":
        raise DeclarationError(f"constant {name or value!r}: entries of type {array.dtype} are no numbers")
    kind: DType = dtype or ("bool" if array.dtype.kind == "b" else "int" if array.dtype.kind in "iu" else "float")
    stored = {"float": np.float64, "int": np.int64, "bool": np.bool_}.get(kind)
    if stored is None or not isinstance(name, str):
        wrong = f"dtype={dtype!r}: it is 'float', 'int' or 'bool'" if stored is None else f"the name {name!r} is no text"
        raise DeclarationError(f"constant {name or value!r}: {wrong}")
    if not keeps_its_value(array, kind):
        raise DeclarationError(f"constant {name or value!r}: as dtype={kind!r} it would lose its value; give whole numbers, for 'bool' 0 and 1")
    array = array.astype(stored)
    return make(Leaf("constant", Cell(None, array)), (), tuple(array.shape), kind, name=name)


def operand(value: Any) -> Tensor:
    """``value`` as a tensor: tensors as they are, numbers and arrays as constants, dimensions as formulas of rank 0."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Dim | sympy.Expr):
        formula = sympy.sympify(value)
        if not all(isinstance(s, DimSymbol) for s in formula.free_symbols):
            raise DeclarationError(
                f"{value} has indices or symbols that belong to gx.define or gx.function: it is no tensor. In such a formula write SymPy's "
                "functions, such as sympy.exp, and gx.Sum, gx.Prod, gx.Max and gx.Min"
            )
        return stage((), (), formula, dtype="float")
    if isinstance(value, int | float | bool | np.generic | np.ndarray | list | tuple):
        return constant(value)
    raise DeclarationError(f"{value!r} is no tensor: give a graphc tensor, a number or an array")


def same_extent(left: Extent, right: Extent, what: str) -> Guard | None:
    """The guard that two extents agree: ``None`` where that is certain.

    Raises:
        ShapeError: where they certainly differ.
    """
    if left == right:
        return None
    if (isinstance(left, int) and isinstance(right, int)) or isinstance(left - right, int):
        raise ShapeError(what)
    return Guard(left, right, what, caller())


def not_of_nothing(reducer: Reducer | None, extents: Sequence[Extent], outputs: int, what: str) -> list[Guard]:
    """What must hold so that no largest or smallest entry of nothing is wanted; the first ``outputs`` extents are kept.

    Raises:
        ShapeError: where one certainly is.
    """
    if reducer not in ("max", "min"):
        return []
    kept = product(extents[:outputs])
    spare = product(extents) - kept  # negative where there are results, and nothing for them
    text = f"{what}: there is no {'largest' if reducer == 'max' else 'smallest'} entry of nothing; give an array that is not empty"
    if isinstance(spare, int) and spare < 0:
        raise ShapeError(text)
    return [] if provably_at_least(spare, 0) else [Guard(spare, 0, text, caller(), "inside")]


def broadcast(tensors: Sequence[Tensor], what: str) -> tuple[tuple[Extent, ...], list[tuple[Affine, ...]], list[Guard]]:
    """NumPy's broadcasting: the common shape, each tensor's places in it, and what must be checked later.

    A named dimension never stands for 1: ``n`` against 1 gives ``n``, ``n`` against 3 must be 3.
    """
    rank = max((t.ndim for t in tensors), default=0)
    shape: list[Extent] = [1] * rank
    guards: list[Guard] = []
    for tensor in tensors:
        for axis, extent in enumerate(tensor.shape, start=rank - tensor.ndim):
            known = shape[axis]
            if extent == 1 or extent == known:
                continue
            if known == 1:
                shape[axis] = extent
                continue
            shapes = " and ".join(t.describe() for t in tensors)
            guard = same_extent(
                known,
                extent,
                f"{what}: the shapes of {shapes} do not fit: axis {axis} is {known} and {extent}. "
                "Axes must be equal or 1, counted from the last; reshape one of them, or insert an axis with [:, None]",
            )
            if guard is not None:
                guards.append(guard)
                if isinstance(extent, int):
                    shape[axis] = extent
    places = [
        tuple(
            Affine.constant(0) if extent == 1 and shape[axis] != 1 else Affine.variable(axis)
            for axis, extent in enumerate(t.shape, start=rank - t.ndim)
        )
        for t in tensors
    ]
    return tuple(shape), places, guards


def elementwise(symbol: str, body: Any, values: Sequence[Any], *, dtype: DType | None = None, latex: str = "") -> Tensor:
    """An operation entry by entry: ``body`` over ``x0, x1, ...``, the operands broadcast against each other.

    Finite nonzero numbers go into the formula itself (``x + 1``); other numbers and arrays become constants, so that
    ``0*x`` stays NaN where ``x`` is.
    """
    tensors: list[Tensor] = []
    numbers: dict[Any, Any] = {}
    shown: list[Tensor] = []
    for k, value in enumerate(values):
        number = _literal(value)
        if number is not None:
            numbers[read_symbol(k)] = number
            shown.append(constant(value) if not isinstance(value, sympy.Basic | Dim) else operand(value))
        else:
            tensor = operand(value)
            numbers[read_symbol(k)] = sympy.Symbol(f"_x{len(tensors)}", real=True)
            tensors.append(tensor)
            shown.append(tensor)
    if not tensors:
        return elementwise(symbol, body, [operand(values[0]), *values[1:]], dtype=dtype, latex=latex)
    body = body.xreplace(numbers)
    body = body.xreplace({sympy.Symbol(f"_x{k}", real=True): read_symbol(k) for k in range(len(tensors))})
    shape, places, guards = broadcast(tensors, symbol)
    return stage(
        shape, list(zip(tensors, places, strict=True)), body,
        dtype=dtype, call=Call(symbol, tuple(shown), latex), guards=guards,
    )  # fmt: skip


def _literal(value: Any) -> Any:
    """A number that may stand in a body as it is; ``None`` for anything else."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int | float):
        return sympy.sympify(value) if value != 0 and np.isfinite(float(value)) else None
    if isinstance(value, Dim):
        return sympy.sympify(value)
    if isinstance(value, sympy.Expr) and value.is_finite is not False and value != 0:
        return value if all(isinstance(s, DimSymbol) for s in value.free_symbols) else None
    return None
