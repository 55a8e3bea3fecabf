"""Products of vectors, matrices and stacks of matrices, each a sum over the shared index."""

from __future__ import annotations

from typing import Any

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.affine import Affine
from graphc.expr.build import operand, same_extent, stage
from graphc.expr.dims import Extent
from graphc.expr.numbers import as_whole
from graphc.expr.stage import read_symbol
from graphc.expr.tensor import Call, Guard, Tensor
from graphc.ops.axes import axis_of
from graphc.ops.layout import getitem, reshape, transpose

__all__ = ["contract", "diag", "diagonal", "dot", "einsum", "matmul", "outer", "trace"]


def contract(spec: str, tensors: tuple[Tensor, ...], call: Call, what: str, exact: str = "") -> Tensor:
    """The sum of products that ``spec`` describes, such as ``"nk,km->nm"``; size-1 axes broadcast, but for those in ``exact``."""
    inputs, output = spec.split("->")
    order = list(dict.fromkeys(output + "".join(inputs.replace(",", ""))))
    extents: dict[str, Extent] = {}
    guards: list[Guard] = []
    for tensor, letters in zip(tensors, inputs.split(","), strict=True):
        for axis, (letter, extent) in enumerate(zip(letters, tensor.shape, strict=True)):
            known = extents.setdefault(letter, extent)
            if known == 1 and letter not in exact:
                extents[letter] = extent
            elif extent != 1 or letter in exact:
                guard = same_extent(
                    known,
                    extent,
                    f"{what}: axis {axis} of {tensor.describe()} is {extent}, where {known} is wanted "
                    f"({' and '.join(t.describe() for t in tensors)}): transpose or reshape one of them",
                )
                guards += [guard] if guard else []
    reads = [
        (tensor, tuple(
            Affine.constant(0) if extent == 1 and extents[letter] != 1 else Affine.variable(order.index(letter))
            for letter, extent in zip(letters, tensor.shape, strict=True)
        ))
        for tensor, letters in zip(tensors, inputs.split(","), strict=True)
    ]  # fmt: skip
    body: Any = 1
    for k in range(len(tensors)):
        body = body * read_symbol(k)
    reducer = "sum" if len(order) > len(output) else None
    return stage([extents[c] for c in order], reads, body, outputs=len(output), reducer=reducer, call=call, guards=guards)


def matmul(a: Any, b: Any) -> Tensor:
    """The matrix product ``a @ b``; vectors count as a row on the left and a column on the right, leading axes broadcast.

    Raises:
        ShapeError: where the inner axes differ.

    Example:
        >>> import graphc as gx
        >>> (gx.tensor("x", ("n", 3)) @ gx.parameter("W", (3, 2))).shape
        (n, 2)
    """
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(f"matmul of {a.describe()} and {b.describe()}: a scalar has no matrix product, use * instead")
    stack = "abcdefgh"[: max(a.ndim, b.ndim, 2) - 2]
    left = (stack[len(stack) - a.ndim + 2 :] + "i" if a.ndim > 1 else "") + "k"
    right = stack[len(stack) - b.ndim + 2 :] + "kj" if b.ndim > 1 else "k"
    output = stack + ("i" if a.ndim > 1 else "") + ("j" if b.ndim > 1 else "")
    latex = r"{0}^{\top} {1}" if a.ndim == b.ndim == 1 else "{0} {1}"
    return contract(f"{left},{right}->{output}", (a, b), Call("@", (a, b), latex), "matmul", exact="k")


def dot(a: Any, b: Any) -> Tensor:
    """NumPy's ``dot``: the product of scalars, vectors and matrices; higher ranks sum last against second-to-last."""
    a, b = operand(a), operand(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    if a.ndim <= 2 and b.ndim <= 2:
        return matmul(a, b).called("·", a, b, latex=r"{0} \cdot {1}")
    left = "abcdefgh"[: a.ndim - 1]
    right = "ijlmnopq"[: b.ndim - 1]
    joined = right[:-1] + "k" + right[-1:] if b.ndim > 1 else "k"
    return contract(f"{left}k,{joined}->{left}{right}", (a, b), Call("·", (a, b), r"{0} \cdot {1}"), "dot", exact="k")


def outer(a: Any, b: Any) -> Tensor:
    """All products of an entry of ``a`` with one of ``b``, both read as vectors."""
    a, b = (t if t.ndim == 1 else reshape(t, (-1,)) for t in (operand(a), operand(b)))
    return contract("i,j->ij", (a, b), Call("⊗", (a, b), r"{0} \otimes {1}"), "outer")


def einsum(spec: str, *values: Any) -> Tensor:
    """Einstein's summation: ``gx.einsum("ij,jk->ik", a, b)``; a letter twice in one operand is its diagonal.

    Raises:
        DeclarationError: for a specification that does not fit the operands.

    Example:
        >>> import graphc as gx
        >>> gx.einsum("ii->", gx.tensor("A", ("d", "d"))).shape
        ()
    """
    if not isinstance(spec, str):
        raise DeclarationError(f"einsum's first argument is text such as 'ij,jk->ik', not {spec!r}")
    tensors = tuple(operand(v) for v in values)
    text = spec.replace(" ", "")
    left, arrow, output = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(tensors):
        raise DeclarationError(f"einsum {spec!r} describes {len(parts)} operands, and {len(tensors)} are given")
    left, output = _spell_dots(spec, parts, tensors, output, bool(arrow))
    if not (left.replace(",", "") + output).isalpha() and left.replace(",", "") + output:
        raise DeclarationError(f"einsum {spec!r}: write letters, commas, ... and one ->")
    for letters, tensor in zip(left.split(","), tensors, strict=True):
        if len(letters) != tensor.ndim:
            raise DeclarationError(f"einsum {spec!r}: {letters!r} names {len(letters)} axes of {tensor.describe()}, which has {tensor.ndim}")
    if len(set(output)) != len(output) or not set(output) <= set(left):
        raise DeclarationError(f"einsum {spec!r}: each letter of the output {output!r} stands there once and in an operand")
    return contract(f"{left}->{output}", tensors, Call("einsum", tensors, ", ".join(f"{{{k}}}" for k in range(len(tensors)))), f"einsum {spec!r}")


def _spell_dots(spec: str, parts: list[str], tensors: tuple[Tensor, ...], output: str, arrow: bool) -> tuple[str, str]:
    """``...`` spelled out in letters, and the output that is meant where none is given."""
    unused = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in spec]
    counts = [t.ndim - len(p.replace("...", "")) for p, t in zip(parts, tensors, strict=True) if "..." in p]
    if any(c < 0 for c in counts):
        raise DeclarationError(f"einsum {spec!r}: an operand has fewer axes than letters")
    dots = "".join(reversed(unused[: max(counts, default=0)]))
    spelled = [
        p.replace("...", dots[len(dots) - (t.ndim - len(p) + 3) :] if t.ndim > len(p) - 3 else "") for p, t in zip(parts, tensors, strict=True)
    ]
    if not arrow:
        plain = [c for p in parts for c in p.replace("...", "")]
        output = ("..." if counts else "") + "".join(sorted(c for c in set(plain) if plain.count(c) == 1))
    return ",".join(spelled), output.replace("...", dots)


def _square(value: Any, given: Any, axis1: int, axis2: int, what: str) -> Tensor:
    """The part of matrices whose diagonal is the one wanted, their rows and columns last."""
    x = operand(value)
    if x.ndim < 2:
        raise ShapeError(f"{what} of {x.describe()}: it takes a matrix, a tensor with two axes or more")
    offset, first, second = as_whole(given), axis_of(x, axis1), axis_of(x, axis2)
    if offset is None:
        raise DeclarationError(f"{what} of {x.describe()}: the offset {given!r} is no whole number")
    if first == second:
        raise DeclarationError(f"{what} of {x.describe()}: axis1={axis1} and axis2={axis2} are one axis; name those of the rows and of the columns")
    x = transpose(x, (*(a for a in range(x.ndim) if a not in (first, second)), first, second)) if (first, second) != (x.ndim - 2, x.ndim - 1) else x
    rows, columns = x.shape[-2:]
    if offset == 0 and (rows == columns or not (isinstance(rows, int) and isinstance(columns, int))):
        return x  # named sizes must turn out equal
    if not isinstance(rows, int) or not isinstance(columns, int):
        raise ShapeError(f"{what} of {x.describe()}: with named sizes only the main diagonal of a square matrix is known when it is declared")
    top, left = max(-offset, 0), max(offset, 0)
    size = max(min(rows - top, columns - left), 0)
    return getitem(x, (..., slice(top, top + size), slice(left, left + size)))


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of a diagonal of a matrix: the main one, or one above (``offset`` > 0) or below it.

    Of more axes, ``axis1`` and ``axis2`` are those of the rows and of the columns; the others stay.
    """
    x = operand(x)
    part = _square(x, offset, axis1, axis2, "trace")
    stack = "abcdefgh"[: part.ndim - 2]
    return contract(f"{stack}ii->{stack}", (part,), Call("tr", (x,), r"\operatorname{tr} {0}"), "trace", exact=f"{stack}i")


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """A diagonal of a matrix as a vector: the main one, or one above (``offset`` > 0) or below it.

    Of more axes, ``axis1`` and ``axis2`` are those of the rows and of the columns; the diagonal's entries stand along the last axis.
    """
    x = operand(x)
    part = _square(x, offset, axis1, axis2, "diagonal")
    stack = "abcdefgh"[: part.ndim - 2]
    return contract(f"{stack}ii->{stack}i", (part,), Call("diag", (x,), r"\operatorname{diag} {0}"), "diagonal", exact=f"{stack}i")


def diag(x: Any, k: int = 0) -> Tensor:
    """A vector on the ``k``-th diagonal of a square matrix of zeros, or the ``k``-th diagonal of a matrix."""
    x = operand(x)
    if x.ndim == 2:
        return diagonal(x, k)
    offset = as_whole(k)
    if x.ndim != 1 or offset is None:
        raise ShapeError(f"diag of {x.describe()} with k={k!r}: give a vector or a matrix, and a whole number")
    place = Affine.variable(0)
    size = x.shape[0] + abs(offset)
    return stage(
        x.shape, [(x, (place,))], read_symbol(0), write=(place + max(-offset, 0), place + max(offset, 0)), shape=(size, size), reducer="sum",
        dtype=x.dtype, call=Call("diag", (x,), r"\operatorname{diag}({0})"),
    )  # fmt: skip
