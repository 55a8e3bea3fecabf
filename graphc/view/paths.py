"""``gx.paths``: every path from a variable to a result, the product of local derivatives along it, and their sum."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, cast

from graphc.autodiff import grad, vjp
from graphc.errors import DeclarationError, DerivationError
from graphc.expr.build import constant
from graphc.expr.graph import substitute
from graphc.expr.operation import Leaf
from graphc.expr.tensor import Tensor, make
from graphc.reference.evaluate import evaluate
from graphc.view.annotate import checked_feeds, value_texts, values, write_locals, write_values
from graphc.view.compose import compose
from graphc.view.condense import condensed
from graphc.view.draw import targets_of
from graphc.view.isolate import form_of, isolated
from graphc.view.names import Text
from graphc.view.op_view import Drawn, op_outline
from graphc.view.outline import Note, Outline
from graphc.view.picture import Picture
from graphc.view.reading import Reading, read
from graphc.view.steps import factor, name_unnamed, step_names
from graphc.view.styles import Style, style_named
from graphc.view.unroll import checked_unroll, through_time

__all__ = ["Path", "Paths", "paths"]

LISTED = 64
FACTORS = 4000  # of all products that are listed
DRAWN = 6
LONGEST = 9  # factors of a product that are written out
Route = tuple[Tensor, object]  # a tensor, and the route that leads to it
Local = tuple[Tensor, dict[Tensor, Tensor], Tensor]
Forms = dict[Hashable, tuple[Tensor, list[Tensor], Tensor]]  # what steps of one form share
_COLOURS = ("positive", "gradient", "value", "state-line", "random-line", "muted")


@dataclass(frozen=True, slots=True)
class Path:
    """One path: its tensors from ``x`` to ``y``, and the product of the local derivatives along it.

    ``product`` is a number or an array of the shape of ``x`` where values were given, else an expression.
    """

    tensors: tuple[Tensor, ...]
    names: tuple[str, ...]
    product: Any
    latex: str

    def __repr__(self) -> str:
        return f"<Path {' → '.join(self.names)}>"


class Paths:
    """All paths: ``len(p)`` of them, ``p[i].product``, ``p.sum``; it saves and shows itself as a picture.

    Attributes:
        count: how many paths there are.
        listed: those that ``p[i]`` gives; fewer than ``count`` where there are very many.
        sum: the sum of all products, which is the gradient.
    """

    def __init__(self, listed: list[Path], count: int, total: Any, outline: Outline, style: Style) -> None:
        self.listed, self.count, self.sum = tuple(listed), count, total
        self.picture = Picture(compose(outline), style, outline)

    def __len__(self) -> int:
        return min(self.count, sys.maxsize)

    def __getitem__(self, index: int) -> Path:
        if index < 0:
            index += self.count
        if not 0 <= index < self.count:
            raise IndexError(f"there are {self.count} paths, numbered from 0")
        if index >= len(self.listed):
            raise IndexError(f"of {self.count} paths the first {len(self.listed)} are listed; their sum, .sum, counts all")
        return self.listed[index]

    def __iter__(self) -> Iterator[Path]:
        return iter(self.listed)

    @property
    def svg(self) -> str:
        """The picture as SVG."""
        return self.picture.svg

    @property
    def dot(self) -> str:
        """The picture as DOT."""
        return self.picture.dot

    def save(self, path: Any) -> FilePath:
        """Write the picture; see :meth:`Picture.save`."""
        return self.picture.save(path)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.picture.bundle()

    def __repr__(self) -> str:
        return f"<Paths: {self.count}, {len(self.listed)} listed>"


def paths(y: Any, x: Tensor, at: Any = None, style: str = "default", *, unroll: int | None = None) -> Paths:
    """Every path from ``x`` to ``y``, as the chain rule sums them.

    Args:
        y: a tensor of rank 0.
        x: a tensor of floats that ``y`` depends on, leaf or intermediate, of any shape; every product and the sum have that shape.
        at: ``{x: array, ...}``, an array for each input; without it products and sum are expressions.
        style: as for :func:`draw`.
        unroll: as for :func:`frames`: a path through a recurrence goes through its iterations, where they are drawn.

    Raises:
        DeclarationError: where ``y`` is no scalar or ``x`` no tensor of floats.
        DerivationError: where ``y`` does not depend on ``x``.
        DataError: for an input without a value in ``at``.

    Example:
        >>> import graphc as gx
        >>> a, b = gx.scalars("a b")
        >>> p = gx.paths((a + b) * (b + 1), b, at={a: 2, b: 1})
        >>> len(p), [float(q.product) for q in p], float(p.sum)
        (2, [2.0, 3.0], 5.0)
    """
    chosen = style_named(style)
    reading, target, source = _ends(y, x, at, checked_unroll(unroll))
    routes = _routes(reading, target, source)
    count = routes[source]
    feeds = None if at is None else checked_feeds(at, reading)
    found = None if feeds is None else values(reading, feeds)
    listed = _listed(reading, target, source, routes)
    locals_: dict[tuple[Tensor, Tensor], Local] = {}
    forms: Forms = {}
    products = [_product(reading, route, locals_, forms) for route in listed]
    total: Any = grad(target, source)
    if feeds is not None:
        *numbers, total = evaluate([*products, total], feeds)
        products = [n if n.ndim else float(n) for n in numbers]
        total = total if total.ndim else float(total)
    names = step_names(reading)
    made = [Path(r, tuple(names[t].plain for t in r), p, _chain(names, r)) for r, p in zip(listed, products, strict=True)]
    outline, drawn = op_outline(reading)
    if found is not None:
        write_values(reading, drawn, found)
    name_unnamed(reading, drawn, names)
    write_locals(outline, reading, drawn, found)
    _mark(outline, drawn, made, count)
    outline = condensed(outline, reading)
    _write(outline, names, target, source, made, count, total if feeds is not None else None)
    return Paths(made, count, total, outline, chosen)


def _ends(y: Any, x: Any, at: Any, unroll: int | None) -> tuple[Reading, Tensor, Tensor]:
    targets = targets_of(y)
    reading = read(targets)
    if len(reading.targets) != 1 or reading.targets[0].ndim:
        raise DeclarationError(f"paths lead to one scalar, and {reading.items[reading.targets[0]].called} is none: take its sum or mean")
    if not isinstance(x, Tensor):
        raise DeclarationError(f"paths start from a tensor, not from {x!r}: give the tensor itself, gx.leaves(y)['name'] finds it")
    if reading.sources.get(x) not in reading.items:
        raise DerivationError(f"{reading.items[reading.targets[0]].called} does not depend on {x.describe()}: no path leads from one to the other")
    if x.dtype != "float":
        raise DerivationError(f"{x.describe()} holds {x.dtype} values, and derivatives are by floats")
    flat = through_time(targets, None if at is None else checked_feeds(at, reading), unroll)
    if flat.cells and x.kind != "computed":  # a sequence that the picture would show item by item is where the paths start
        flat.items = {t for t in flat.items if x not in t.inputs and all(x not in i.inputs for i in t.inputs)}
        reading = flat.reading()
    elif flat.cells:
        again = flat.reading()
        reading = again if again.sources.get(x) in again.items else reading
    source = reading.sources[x]
    return reading, reading.targets[0], source


def _routes(reading: Reading, target: Tensor, source: Tensor) -> dict[Tensor, int]:
    """How many paths lead from each tensor to the target."""
    users = reading.users()
    found: dict[Tensor, int] = {}
    for tensor in reversed(list(reading.items)):
        found[tensor] = 1 if tensor is target else sum(found[u] for u in users[tensor] if u.dtype == "float")
    if not found[source]:
        raise DerivationError(f"no path leads from {reading.items[source].called} to {reading.items[target].called} through floats")
    return found


def _listed(reading: Reading, target: Tensor, source: Tensor, routes: dict[Tensor, int]) -> list[tuple[Tensor, ...]]:
    users = reading.users()
    found: list[tuple[Tensor, ...]] = []
    stack: list[Route] = [(source, None)]
    factors = 0
    while stack and len(found) < LISTED and factors < FACTORS:
        route = stack.pop()
        if route[0] is target:
            found.append(_tensors(route))
            factors += len(found[-1])
            continue
        stack.extend((u, route) for u in reversed(users[route[0]]) if routes[u] and u.dtype == "float")
    return found


def _tensors(route: Route) -> tuple[Tensor, ...]:
    found: list[Tensor] = []
    step: Route | None = route
    while step is not None:
        found.append(step[0])
        step = cast("Route | None", step[1])
    return tuple(reversed(found))


def _product(reading: Reading, route: tuple[Tensor, ...], known: dict[tuple[Tensor, Tensor], Local], forms: Forms) -> Tensor:
    """The adjoint of the path's start along this path alone, as an expression."""
    adjoint = constant(1.0)
    for source, step in zip(route[-2::-1], route[:0:-1], strict=True):
        if (source, step) not in known:
            known[source, step] = _local(reading, source, step, forms)
        local, given, cotangent = known[source, step]
        [adjoint] = substitute([local], {**given, cotangent: adjoint})
    return adjoint


def _local(reading: Reading, source: Tensor, step: Tensor, forms: Forms) -> Local:
    """The step's vector-Jacobian product by one argument, the others held fixed; what its leaves stand for; its cotangent."""
    arguments = list(dict.fromkeys(reading.items[step].inputs))
    form = form_of(step, arguments)
    key = (form, arguments.index(source))
    if form is None or key not in forms:
        copy, fresh = isolated(step, arguments)
        cotangent = make(Leaf("input"), (), step.shape, "float", name="cotangent")
        forms[key] = vjp(copy, fresh[source], cotangent, unconnected="zero"), [fresh[t] for t in arguments], cotangent
    local, leaves, cotangent = forms[key]
    return local, dict(zip(leaves, arguments, strict=True)), cotangent


def _chain(names: dict[Tensor, Text], route: tuple[Tensor, ...]) -> str:
    pairs = list(zip(route[:0:-1], route[-2::-1], strict=True))
    factors = [rf"\frac{{\partial {names[u].latex}}}{{\partial {names[t].latex}}}" for u, t in pairs]
    if len(factors) > LONGEST:
        factors = [*factors[:3], r"\cdots", *factors[-3:]]
    return r" \, ".join(factors) or "1"


def _mark(outline: Outline, drawn: Drawn, made: list[Path], count: int) -> None:
    """Edges of one path in that path's colour; those of several thick and dark."""
    links = {(a.tail, a.head): a for a in outline.arrows}
    seen: dict[tuple[str, str], list[int]] = {}
    for k, path in enumerate(made):
        for source, step in zip(path.tensors, path.tensors[1:], strict=False):
            entry, carrier = drawn.entry[step], drawn.carrier[step]
            seen.setdefault((drawn.carrier[source].id, entry.id), []).append(k)
            if entry is not carrier:
                seen.setdefault((entry.id, carrier.id), []).append(k)
    for key, on in seen.items():
        arrow = links[key]
        alone = len(on) == 1 and count <= DRAWN
        arrow.thickness, arrow.role = 2.4, _COLOURS[on[0]] if alone else "ink"
        if arrow.title:
            arrow.title += f"; on {'path ' + str(on[0] + 1) if len(on) == 1 else f'{len(on)} paths'}"
    if count > len(made):
        outline.captions.append(f"{count} paths, too many to list: the first {len(made)} are listed, and the sum is of all of them")


def _write(outline: Outline, names: dict[Tensor, Text], target: Tensor, source: Tensor, made: list[Path], count: int, total: Any) -> None:
    notes: list[Note] = []
    for k, path in enumerate(made[:DRAWN]):
        plain = f"path {k + 1}: {' to '.join(path.names)}"
        latex = rf"\text{{path {k + 1}:}}\;\; {path.latex}"
        if total is not None:
            shown = value_texts(path.product)[0]
            plain, latex = f"{plain} = {shown.plain}", f"{latex} = {{{shown.latex}}}"
        notes.append((Text(plain, latex), _COLOURS[k] if count <= DRAWN else "ink"))
    words = "1 path" if count == 1 else f"{count} paths"
    plain = f"∂{names[target].plain}/∂{names[source].plain}, the sum of {words}"
    latex = rf"\text{{sum of {words}:}}\;\; \frac{{\partial {names[target].latex}}}{{\partial {names[source].latex}}}"
    if total is not None:
        shown = value_texts(total)[0]
        parts = " + ".join(factor(p.product) for p in made) if count <= DRAWN and not source.ndim else ""
        latex += (f" = {parts}" if parts and count > 1 else "") + f" = {{{shown.latex}}}"
        plain += f" = {shown.plain}"
    outline.notes = [*notes, (Text(plain, latex), "ink")]
    outline.title = f"Paths from {names[source].plain} to {names[target].plain}"
    outline.description = f"{outline.description} {'. '.join(t.plain for t, _ in outline.notes)}."
