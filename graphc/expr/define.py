"""Index notation: ``gx.define("Y", (i, j), gx.Sum(X[i, k] * W[k, j], k) + b[j])``.

The user's body is a SymPy expression of accesses, indices, dimensions and numbers. Every access is an atom of its own,
so that SymPy cannot cancel ``X[i] - X[i]`` or forget that ``X[i]/X[i]`` is NaN at 0. A reducer inside a body becomes a
stage of its own over only the indices that it uses.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import sympy

from graphc.errors import DeclarationError
from graphc.expr.affine import Affine
from graphc.expr.build import Access, not_of_nothing, operand, stage
from graphc.expr.dims import Dim, DimSymbol, Extent, as_extent
from graphc.expr.extents import check_inside, infer_extents, joint_extents
from graphc.expr.numbers import as_whole
from graphc.expr.origin import caller
from graphc.expr.scalar import as_expression, normalise
from graphc.expr.scope import scoped
from graphc.expr.stage import Reducer, index_symbol, read_symbol
from graphc.expr.symbols import FormulaSymbol
from graphc.expr.tensor import Call, Guard, Tensor

__all__ = ["AccessAtom", "Index", "Max", "Min", "Prod", "Reduction", "Sum", "access", "define", "indices", "is_index_formula"]

_numbers = itertools.count()


class Index(FormulaSymbol):
    """An index of :func:`define`, made by :func:`indices`."""

    __slots__ = ()

    def __new__(cls, name: str) -> Self:
        return cast("Self", sympy.Symbol.__xnew__(cls, name, integer=True, nonnegative=True))  # type: ignore[attr-defined]


class AccessAtom(FormulaSymbol):
    """``X[i, 2*k]`` inside a formula: an atom that knows its tensor and its places."""

    __slots__ = ("places", "tensor")
    tensor: Tensor
    places: tuple[Any, ...]

    def __new__(cls, tensor: Tensor, places: tuple[Any, ...]) -> Self:
        text = f"{tensor.label}[{', '.join(map(str, places))}]" if places else tensor.label
        # The number keeps two accesses apart that look alike; integer-valued ones may serve as places.
        assumptions: dict[str, Any] = {"real": True} if tensor.dtype == "float" else {"integer": True}
        atom = cast("Self", sympy.Symbol.__xnew__(cls, f"{text}#{next(_numbers)}", **assumptions))  # type: ignore[attr-defined]
        atom.tensor, atom.places = tensor, places
        return atom

    def _sympystr(self, printer: Any) -> str:
        return self.name.rpartition("#")[0]


class Reduction(FormulaSymbol):
    """``Sum(body, k)`` inside a formula: an atom that knows its body and its bound indices."""

    __slots__ = ("body", "bound", "reducer")
    body: Any
    bound: tuple[Index, ...]
    reducer: Reducer

    def __new__(cls, reducer: Reducer, body: Any, bound: tuple[Index, ...]) -> Self:
        text = f"{reducer.capitalize()}({body}, {', '.join(map(str, bound))})#{next(_numbers)}"
        atom = cast("Self", sympy.Symbol.__xnew__(cls, text, real=True))  # type: ignore[attr-defined]
        atom.body, atom.bound, atom.reducer = body, bound, reducer
        return atom

    def _sympystr(self, printer: Any) -> str:
        return self.name.rpartition("#")[0]


def indices(names: str) -> Any:
    """Index variables for :func:`define`: one index for one name, a tuple for several.

    Example:
        >>> import graphc as gx
        >>> i, j = gx.indices("i j")
    """
    found = tuple(Index(n) for n in names.replace(",", " ").split()) if isinstance(names, str) else ()
    if not found:
        raise DeclarationError(f"gx.indices takes names separated by spaces, such as 'i j k', not {names!r}")
    return found[0] if len(found) == 1 else found


def is_index_formula(value: Any) -> bool:
    """Whether a value is a SymPy formula of indices or accesses, so that ``X[value]`` is an access and no slice."""
    return isinstance(value, sympy.Basic) and bool(value.atoms(Index, AccessAtom, Reduction))


def access(tensor: Tensor, places: Any) -> AccessAtom:
    """``tensor[places]`` inside a formula.

    Raises:
        DeclarationError: for a wrong number of places, a slice beside an index, or a negative constant place.
    """
    places = places if isinstance(places, tuple) else (places,)
    if len(places) != tensor.ndim:
        raise DeclarationError(f"{tensor.describe()} has {tensor.ndim} axes and is accessed with {len(places)}: give one place for each axis")
    for place in places:
        if isinstance(place, slice) or place is None or place is Ellipsis:
            raise DeclarationError(f"{tensor.describe()}: slices and indices do not mix in one access; slice the tensor before gx.define")
        if not isinstance(place, sympy.Expr | Dim) and as_whole(place) is None:
            raise DeclarationError(f"{tensor.describe()}: the place {place!r} is neither an index, a whole number nor a formula of them")
        if not isinstance(place, Dim) and (number := as_expression(place)).is_Integer and int(number) < 0:
            raise DeclarationError(f"{tensor.describe()}: the place {place} is negative; count from 0, or write {tensor.label}.shape[axis] - 1")
    return AccessAtom(tensor, tuple(as_expression(p) for p in places))


def _reducer(reducer: Reducer) -> Any:
    def reduce(body: Any, *bound: Index) -> Reduction:
        name = reducer.capitalize()
        if not bound or not all(isinstance(b, Index) for b in bound):
            raise DeclarationError(f"gx.{name} needs the indices that it runs over, made by gx.indices: gx.{name}(body, k)")
        if len(set(bound)) != len(bound):
            raise DeclarationError(f"gx.{name} runs over {', '.join(map(str, bound))}: an index stands there twice")
        return Reduction(reducer, _formula(body), tuple(bound))

    reduce.__name__ = reduce.__qualname__ = reducer.capitalize()
    reduce.__doc__ = f"The {reducer} of ``body`` over one index or several, inside the formula of :func:`define`."
    return reduce


Sum, Prod, Max, Min = _reducer("sum"), _reducer("prod"), _reducer("max"), _reducer("min")


def _formula(body: Any, name: str = "") -> Any:
    if isinstance(body, bool):
        raise DeclarationError(
            f"{body} is a Python truth value, so a comparison in the formula was carried out before graphc saw it: write it with "
            "sympy.Eq, sympy.Lt, sympy.Ge, ..."
        )
    expr = as_expression(body)
    if expr is None:
        whose = f" for {name}" if name else ""
        raise DeclarationError(f"{body!r} is no formula{whose}: write it with accesses such as X[i, j], indices, numbers and SymPy functions")
    return normalise(expr, keep=(AccessAtom, Reduction))


class _Body:
    """One body on its way to a stage: indices numbered, accesses turned into reads, inner reducers lifted."""

    def __init__(self, order: tuple[Index, ...], outside: float | None, given: Mapping[Index, Extent], known: Mapping[Index, Extent]) -> None:
        self.order = order
        self.number = {index: k for k, index in enumerate(order)}
        self.outside = outside
        self.given = given
        self.known = known
        self.reads: list[Access] = []
        self.symbols: dict[Any, Any] = {index_: index_symbol(k) for index_, k in self.number.items()}

    def add(self, body: Any) -> Any:
        """``body`` over ``x`` and ``i`` symbols."""
        for atom in sorted(body.atoms(AccessAtom, Reduction), key=lambda a: int(a.name.rpartition("#")[2])):
            self.symbols[atom] = read_symbol(self._read(atom))
        stray = [s for s in body.free_symbols if s not in self.symbols and not isinstance(s, DimSymbol)]
        if stray:
            names = ", ".join(sorted(map(str, stray)))
            hint = "bind it with gx.Sum, or make it an output index" if isinstance(stray[0], Index) else "declare it as a tensor"
            raise DeclarationError(f"{names} is free in the formula {body}: {hint}")
        return body.xreplace(self.symbols)

    def _read(self, atom: Any) -> int:
        if isinstance(atom, Reduction):
            return self._lift(atom)
        places = tuple(self._place(p, atom) for p in atom.places)
        self.reads.append((atom.tensor, places, self.outside) if self.outside is not None and places else (atom.tensor, places))
        return len(self.reads) - 1

    def _lift(self, atom: Reduction) -> int:
        """An inner reducer as a stage over the indices of ours that it uses."""
        bound = set(atom.bound)
        used = tuple(i for i in self.order if i in _free_indices(atom.body) - bound)
        inner = _stage(used, atom, self.outside, self.given, self.known)
        self.reads.append((inner, tuple(Affine.variable(self.number[i]) for i in used)))
        return len(self.reads) - 1

    def _place(self, place: Any, atom: AccessAtom) -> Affine:
        terms: list[tuple[int, Extent]] = []
        offset: Extent = 0
        for term in sympy.Add.make_args(sympy.expand(place)):
            coefficient: Extent = 1
            variable: int | None = None
            for factor in sympy.Mul.make_args(term):
                if factor.is_Integer:
                    coefficient = coefficient * int(factor)
                elif isinstance(factor, DimSymbol):
                    coefficient = coefficient * factor.dim
                elif isinstance(factor, Index) and factor in self.number and variable is None:
                    variable = self.number[factor]
                elif isinstance(factor, AccessAtom) and factor.tensor.dtype == "int" and variable is None:
                    variable = -(self._read(factor) + 1)
                elif isinstance(factor, Index) and factor not in self.number:
                    where = f"{factor} is free in the place {place} of {atom.tensor.describe()}"
                    raise DeclarationError(f"{where}: bind it with gx.Sum, or make it an output index")
                else:
                    raise DeclarationError(
                        f"the place {place} of {atom.tensor.describe()} is not affine in the output and reduced indices: write it as whole "
                        "multiples of indices plus a number, or go through an integer tensor such as E[ids[n], d]"
                    )
            if variable is None:
                offset = offset + coefficient
            else:
                terms.append((variable, coefficient))
        return Affine.collect(terms, offset)


class _Survey(_Body):
    """All accesses of a formula, those under its reducers included, every bound index with a number of its own."""

    def __init__(self, outputs: tuple[Index, ...], outside: float | None, given: Mapping[Index, Extent]) -> None:
        super().__init__(outputs, outside, given, {})
        self.fixed = {k: given[index] for k, index in enumerate(outputs) if index in given}
        self.count = len(outputs)

    def _lift(self, atom: Reduction) -> int:
        around = self.number
        self.number = around | {b: self.count + k for k, b in enumerate(atom.bound)}
        self.symbols |= {b: index_symbol(self.number[b]) for b in atom.bound}
        self.fixed |= {self.number[b]: self.given[b] for b in atom.bound if b in self.given}
        self.count += len(atom.bound)
        self.add(atom.body)
        self.number = around
        return 0

    def extents(self) -> dict[Index, Extent]:
        """The extents of the output indices, as far as the formula as a whole tells."""
        found = joint_extents(self.reads, self.fixed, self.count, self.outside is not None)
        return {index: found[k] for k, index in enumerate(self.order) if k in found}


def _free_indices(body: Any) -> set[Index]:
    found: set[Index] = set(body.atoms(Index))
    for atom in body.atoms(AccessAtom):
        for place in atom.places:
            found |= _free_indices(place)
    for atom in body.atoms(Reduction):
        found |= _free_indices(atom.body) - set(atom.bound)
    return found


def _all_indices(body: Any) -> set[Index]:
    """The indices of a formula, those that its reducers bind included."""
    found = _free_indices(body)
    for atom in body.atoms(Reduction):
        found |= {*atom.bound, *_all_indices(atom.body)}
    return found


def _stage(
    outputs: tuple[Index, ...], body: Any, outside: float | None, given: Mapping[Index, Extent], known: Mapping[Index, Extent], name: str = ""
) -> Tensor:
    """The stage of one body; a reducer that is the whole body is the stage's own."""
    reducer: Reducer | None = None
    bound: tuple[Index, ...] = ()
    if isinstance(body, Reduction):
        reducer, bound, body = body.reducer, body.bound, body.body
        clash = [str(b) for b in bound if b in outputs]
        if clash:
            raise DeclarationError(f"{', '.join(clash)} is an output index and reduced too: reduce over an index of another name")
    order = (*outputs, *bound)
    parts = _Body(order, outside, given, known)
    formula = parts.add(body)
    labels = [str(i) for i in order]
    fixed = {k: given[i] for k, i in enumerate(order) if i in given}
    elsewhere = {k: known[i] for k, i in enumerate(outputs) if i in known}
    extents, guards = infer_extents(parts.reads, labels, fixed, outside is not None, elsewhere)
    found: list[Guard] = [*guards]
    if outside is None:
        found += check_inside(parts.reads, extents, labels)
    found += not_of_nothing(reducer, extents, len(outputs), f"{reducer} over {', '.join(map(str, bound))}" + (f" in {name}" if name else ""))
    sources = tuple(dict.fromkeys(r[0] for r in parts.reads))
    return stage(
        extents, parts.reads, formula, outputs=len(outputs), reducer=reducer, name=name, guards=found,
        call=Call("", sources), origin=caller(),
    )  # fmt: skip


def define(
    name: str,
    outputs: Index | Sequence[Index],
    body: Any,
    *,
    outside: float | None = None,
    extents: Mapping[Index, Any] | None = None,
) -> Tensor:
    """A tensor from one formula in index notation; its gradient, picture, LaTeX and kernel follow from the formula.

    Args:
        name: the tensor's name.
        outputs: the output's indices, one an axis; ``()`` for rank 0.
        body: a SymPy expression of accesses (``X[i, 2*k + 1]``, ``E[ids[n], d]``, ``a[()]``), indices, dimensions,
            numbers, SymPy functions and conditions, with :func:`Sum`, :func:`Prod`, :func:`Max`, :func:`Min` anywhere.
        outside: 0 lets accesses leave their tensors, where they read 0; without it such an access is an error.
        extents: the extents of indices that cannot be inferred, ``{i: 28}``.

    Raises:
        DeclarationError: for a formula without meaning.
        ShapeError: for an access that can leave its tensor, or extents that do not agree.

    Example:
        >>> import graphc as gx
        >>> i, j, k = gx.indices("i j k")
        >>> X, W = gx.tensor("X", ("n", 3)), gx.parameter("W", (3, 2))
        >>> gx.define("Y", (i, j), gx.Sum(X[i, k] * W[k, j], k)).shape
        (n, 2)
    """
    outs: tuple[Any, ...] = tuple(outputs) if isinstance(outputs, tuple | list) else (outputs,)
    if not all(isinstance(o, Index) for o in outs) or len(set(outs)) != len(outs):
        raise DeclarationError(
            f"the output indices of {name} are {outputs}: give different indices made by gx.indices, gx.define({name!r}, (i, j), formula)"
        )
    if outside not in (None, 0):
        raise DeclarationError(f"outside={outside!r}: accesses that leave their tensor read 0, so outside is 0 or not given")
    if not isinstance(name, str) or not name:
        raise DeclarationError(f"a tensor's name is a text that is not empty, not {name!r}")
    if not all(isinstance(index, Index) for index in (extents or {})):
        raise DeclarationError(f"the extents of {name} are given as {extents!r}: give them by the indices of gx.indices, such as {{i: 28}}")
    given = {index: as_extent(e) for index, e in (extents or {}).items()}
    formula = _formula(operand_formula(body), name)
    if strange := [str(index) for index in given if index not in outs and index not in _all_indices(formula)]:
        raise DeclarationError(f"extents of {', '.join(strange)} are given, which stands nowhere in {name}: name the indices of the formula")
    if set(outs) - set(given) and not formula.atoms(AccessAtom, Reduction):
        raise DeclarationError(
            f"the formula of {name} is {formula}, without any access, so the extents of its indices are not known: give extents={{...}}. If a "
            "comparison with == was meant, Python has carried it out: write sympy.Eq(ids[n], k)"
        )
    fill = None if outside is None else 0.0
    survey = _Survey(outs, fill, given)
    survey.add(formula)
    return _stage(outs, formula, fill, given, survey.extents(), scoped(name))


def operand_formula(body: Any) -> Any:
    """A body that is a bare tensor of rank 0, as a formula."""
    return access(body, ()) if isinstance(body, Tensor) and body.ndim == 0 else body


def as_formula(tensor: Tensor) -> AccessAtom:
    """A tensor of rank 0 where SymPy wants an expression."""
    if tensor.ndim:
        raise DeclarationError(
            f"{tensor.describe()} stands beside indices without its own: within gx.define write {tensor.label}[i, ...], one place for each axis"
        )
    return access(operand(tensor), ())
