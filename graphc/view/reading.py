"""The graph as the user wrote it: names, operations and their arguments, instead of stages and aliases."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from graphc.expr.graph import leaves, topological
from graphc.expr.operation import Alias, Carry, Leaf, Phase, Reshape
from graphc.expr.postorder import postorder
from graphc.expr.stage import Stage, read_symbol
from graphc.expr.tensor import Call, Tensor
from graphc.view.calls import is_layer, kinds_of, within_calls
from graphc.view.names import Text, filled, name_text, operator_text, split_scope
from graphc.view.stage_latex import alike_latex, is_part, plain_latex, stage_latex

__all__ = ["Item", "Reading", "read", "shown_call", "with_assignments"]

MANY = 1000  # items above which stages of one form share one formula
Forms = dict[tuple[Stage, tuple[str, ...]], str] | None
_INFIX = frozenset("+−-⊙×÷@·⊗<>≤≥=≠∧∨")


@dataclass(frozen=True, slots=True)
class Item:
    """One tensor of the user's: how it is called, and what makes it out of which others.

    Attributes:
        tensor: the tensor; names given to it later are in ``name``.
        kind: input, parameter, state, constant, random or value.
        arguments: what the user gave to the operation; plain numbers as text.
        inputs: the tensors among them, as the reading knows them.
        operator: what the operation's node shows.
        pattern: the operation as LaTeX with ``{0}``, ``{1}`` for the arguments.
        cell: the group that its operation is drawn in, while its name stands outside.
        layer: the layer that it is a step of, where that holds no others.
    """

    tensor: Tensor
    name: str
    kind: str
    arguments: tuple[Tensor | str, ...]
    inputs: tuple[Tensor, ...]
    operator: Text
    pattern: str
    group: tuple[str, ...] | None = None
    cell: tuple[str, ...] = ()
    layer: tuple[str, ...] = ()

    @property
    def called(self) -> str:
        """What messages and titles call it."""
        return self.name or self.tensor.label

    @property
    def scope(self) -> tuple[str, ...]:
        """The scopes that its name lies in."""
        return self.group if self.group is not None else split_scope(self.name)[0] if self.name else ()

    @property
    def text(self) -> Text:
        """Its own name, without its scopes."""
        return name_text(split_scope(self.name)[1]) if self.name else Text("")


@dataclass(frozen=True, slots=True)
class Reading:
    """All items that the targets reach, arguments before their users, the targets among them, and the class of each layer."""

    items: dict[Tensor, Item]
    targets: tuple[Tensor, ...]
    sources: dict[Tensor, Tensor]
    layers: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])

    def users(self) -> dict[Tensor, list[Tensor]]:
        """Of each item the items that it is an argument of."""
        found: dict[Tensor, list[Tensor]] = {t: [] for t in self.items}
        for tensor, item in self.items.items():
            for source in dict.fromkeys(item.inputs):
                found[source].append(tensor)
        return found


def read(
    targets: Sequence[Tensor], within: bool = False, cells: Mapping[Tensor, tuple[str, ...]] | None = None,
    carried: Collection[Tensor] = (), entering: Collection[Tensor] = (), opened: Collection[Tensor] = (),
) -> Reading:  # fmt: skip
    """The reading of the graph that computes ``targets``.

    Args:
        targets: what is drawn.
        within: whether it is the body of a recurrence, where names may repeat.
        cells: the groups that some are drawn in.
        carried: those among them whose names stand outside.
        entering: tensors that are drawn as inputs, whatever computes them.
        opened: items that are drawn as the last of the steps that they are made of.

    Raises:
        DeclarationError: where two different leaves share a name.
    """
    if not within:
        leaves(list(targets))
    names, sources, results, calls = _names(targets, opened)
    outside = frozenset(sources[t] for t in carried if t in sources)
    entries = frozenset(sources[t] for t in entering if t in sources)
    wanted = tuple(dict.fromkeys(sources[t] for t in targets))
    scopes = {split_scope(name)[0][:depth] for name in names.values() for depth in range(1, name.count("/") + 1)}
    items: dict[Tensor, Item] = {}
    order = _ordered(wanted, sources, entries, opened)
    forms: Forms = {} if len(order) > MANY else None
    for tensor in order:
        item = _item(tensor, names.get(tensor, ""), sources, forms, shown_call(tensor, opened))
        if tensor in results and tensor not in wanted:  # a layer's result bears the layer's name, and needs no box of that name
            item = replace(item, name="")
        if tensor in entries:
            item = Item(tensor, item.name, "input", (), (), name_text(item.name), "")
        elif cells and tensor in cells:
            item = replace(item, cell=cells[tensor]) if tensor in outside else replace(item, group=cells[tensor])
        items[tensor] = item
    made_in, holders = within_calls(calls, sources, {t: i.inputs for t, i in items.items() if i.kind in ("value", "random")})
    for tensor, path in made_in.items():
        item = items[tensor]
        group = item.group if item.group is not None else path if path in scopes else path[:-1]
        items[tensor] = replace(item, group=group, layer=() if path in holders else path)
    return Reading(_numbered(items), wanted, sources, kinds_of(calls))


def with_assignments(targets: Sequence[Tensor]) -> Reading:
    """The reading of the targets and of the assignments that they carry along, which stand at their side."""
    found = dict.fromkeys(t for node in topological(targets) if isinstance(node.op, Carry) for t in node.inputs[1:])
    if not found:
        return read(targets)
    both = read([*targets, *found])
    return replace(both, targets=tuple(dict.fromkeys(both.sources[t] for t in targets)))


def shown_call(tensor: Tensor, opened: Collection[Tensor] = ()) -> Call | None:
    """What the user wrote, or the last step of it where that is opened."""
    return tensor.call.inner if tensor.call is not None and tensor in opened else tensor.call


def _arguments(tensor: Tensor, call: Call | None) -> tuple[Tensor, ...]:
    """What stands in the user's call, inner reducers of a formula opened; a stage's inputs where nobody called."""
    if isinstance(tensor.op, Leaf):
        return ()
    if isinstance(tensor.op, Alias):
        return tensor.inputs[:1]
    if call is None:
        return tensor.inputs
    if call.symbol:
        return call.inputs
    found: dict[Tensor, None] = {}
    pending = list(reversed(call.inputs))
    while pending:
        t = pending.pop()
        if is_part(t) and t.call is not None:
            pending.extend(reversed(t.call.inputs))
        else:
            found[t] = None
    return tuple(found)


def _names(
    targets: Sequence[Tensor], opened: Collection[Tensor]
) -> tuple[dict[Tensor, str], dict[Tensor, Tensor], set[Tensor], list[Tensor]]:  # fmt: skip
    """The name of each item, the item that each tensor belongs to, the items that bear the name of a layer, and what layers give.

    An alias names what had no name; a stage that only copies is its source.
    """
    names: dict[Tensor, str] = {}
    results: set[Tensor] = set()
    calls: list[Tensor] = []
    sources: dict[Tensor, Tensor] = {}
    for tensor in _ordered(targets, None, (), opened):
        if isinstance(tensor.op, Alias):
            behind = sources[tensor.inputs[0]]
            if not tensor.name:
                sources[tensor] = behind
                continue
            layer = is_layer(tensor)
            calls += [tensor] if layer else []
            passed = behind in {sources.get(t) for t in getattr(tensor.op, "inputs", ())}  # a layer that gives what it is given is a step
            if behind not in names or (layer and not passed):
                if behind not in names or behind in results:
                    names[behind] = tensor.name
                    results |= {behind} if layer else set()
                sources[tensor] = behind
                continue
            results |= {tensor} if layer else set()
        if _is_copy(tensor):
            sources[tensor] = sources[tensor.inputs[0]]
            continue
        sources[tensor] = tensor
        if tensor.name:
            names[tensor] = tensor.name
    return names, sources, results, calls


def _is_copy(tensor: Tensor) -> bool:
    """Whether a tensor that nobody called is its only operand, entry by entry."""
    op = tensor.op
    if tensor.call is not None or tensor.name or not isinstance(op, Stage) or not op.elementwise or len(op.reads) != 1:
        return False
    source = tensor.inputs[0]
    return op.body == read_symbol(0) and source.shape == tensor.shape and [p.bare for p in op.reads[0].coords] == list(op.free or ())


def _ordered(
    targets: Iterable[Tensor], sources: dict[Tensor, Tensor] | None, entries: Collection[Tensor], opened: Collection[Tensor]
) -> list[Tensor]:
    """Every tensor that the targets reach through arguments, arguments first."""

    def parts(tensor: Tensor) -> Sequence[Tensor]:
        inputs = () if tensor in entries else _arguments(tensor, shown_call(tensor, opened))
        return inputs if sources is None else [sources[t] for t in inputs if not _is_number(t)]

    return postorder(targets, parts)


def _is_number(tensor: Tensor) -> bool:
    """Whether a tensor is a plain number that the user wrote: it is drawn inside the operation."""
    return tensor.kind == "constant" and not tensor.name and tensor.ndim == 0


def _number(tensor: Tensor) -> str:
    shown = f"{np.asarray(tensor.value).item():.4g}" if tensor.dtype != "bool" else str(bool(tensor.value))
    mantissa, _, exponent = shown.partition("e")
    if tensor.dtype == "bool" or not exponent:
        return shown
    return (rf"{mantissa} \cdot " if mantissa != "1" else "") + f"10^{{{int(exponent)}}}"


def _spoken_number(number: str) -> str:
    return number.replace(r" \cdot 10^{", "e").replace("10^{", "1e").rstrip("}")


def _item(tensor: Tensor, name: str, sources: dict[Tensor, Tensor], forms: Forms, call: Call | None) -> Item:
    if isinstance(tensor.op, Leaf) and (name or tensor.kind != "constant"):
        return Item(tensor, name, tensor.kind, (), (), name_text(name), "")
    if isinstance(tensor.op, Leaf):
        return Item(tensor, "", "constant", (), (), _constant_text(tensor), "")
    given = _arguments(tensor, call)
    arguments = tuple(_number(t) if _is_number(t) else sources[t] for t in given)
    inputs = tuple(a for a in arguments if isinstance(a, Tensor))
    operator, pattern = _operator(tensor, arguments, forms, call)
    drawn = call is not None and not given and call.latex != ""
    return Item(tensor, name, "random" if drawn else "value", arguments, inputs, operator, pattern)


def _constant_text(tensor: Tensor) -> Text:
    array: Any = tensor.value
    if array.ndim == 0:
        number = _number(tensor)
        return Text(number, number)
    if array.ndim <= 2 and array.size <= 6:
        rows = np.atleast_2d(array)
        cells = r" \\ ".join(" & ".join(f"{v:.4g}" for v in row) for row in rows.tolist())
        return Text(str(array.tolist()), rf"\begin{{bmatrix}}{cells}\end{{bmatrix}}")
    return Text("constant", r"\mathrm{const}")


def _operator(tensor: Tensor, arguments: tuple[Tensor | str, ...], forms: Forms, call: Call | None) -> tuple[Text, str]:
    op = tensor.op
    if isinstance(op, Alias):
        layer = getattr(op, "layer", None)
        return operator_text(tensor.name.rpartition("/")[2]) if layer is not None else Text("=", "="), "{0}"
    if call is not None and call.symbol:
        return _called(call.symbol, call.latex, tensor, arguments)
    if isinstance(op, Stage):
        formula = stage_latex(tensor) if call is not None else plain_latex(tensor) if forms is None else alike_latex(tensor, forms)
        if not op.reads and not op.extents and op.body.is_number:
            return Text(str(op.body), formula), formula
        return Text(_spoken_stage(tensor), formula), formula
    word = "reshape" if isinstance(op, Reshape) else "by phase" if isinstance(op, Phase) else type(op).__name__.lower()
    return operator_text(word), "{0}"


def _spoken_stage(tensor: Tensor) -> str:
    op = tensor.op
    assert isinstance(op, Stage)
    return f"{op.reducer} over {len(op.reduced)} indices" if op.reducer else "formula"


def _called(symbol: str, latex: str, tensor: Tensor, arguments: tuple[Tensor | str, ...]) -> tuple[Text, str]:
    if symbol == "⊙" and tensor.ndim == 0:
        symbol, latex = "×", r"{0} \, {1}"
    text = operator_text(symbol)
    if not arguments and latex:  # a random draw: nothing but itself
        return Text(symbol, latex.replace("{{", "{").replace("}}", "}")), latex
    if symbol == "[ ]":
        text = Text(symbol, filled(latex, [r"\cdot"]))
    pattern = latex or f"{text.latex or 'f'}({', '.join(f'{{{k}}}' for k in range(len(arguments)))})"
    numbers = {k: a for k, a in enumerate(arguments) if isinstance(a, str)}
    if not numbers:
        return text, pattern
    (k, number), *more = numbers.items()
    if symbol in _INFIX and len(arguments) == 2 and not more:
        shown = f"{{{text.latex}}}\\,{number}" if k == 1 else f"{number}\\,{{{text.latex}}}"
        spoken = _spoken_number(number)
        return Text(f"{symbol} {spoken}" if k == 1 else f"{spoken} {symbol}", shown), pattern
    if symbol == "^" and not more:
        return Text(
            f"to the power {number}" if k == 1 else f"{number} to the power", rf"(\cdot)^{{{number}}}" if k == 1 else rf"{number}^{{(\cdot)}}"
        ), pattern
    shown = filled(pattern, [a if isinstance(a, str) else r"\cdot" for a in arguments])
    return Text(f"{symbol} with {', '.join(map(_spoken_number, numbers.values()))}", shown), pattern


def _numbered(items: dict[Tensor, Item]) -> dict[Tensor, Item]:
    """Repeated names of intermediate results numbered: ``h``, ``h_1``."""
    taken = {item.name for item in items.values() if item.name}
    count: dict[str, int] = {}
    result: dict[Tensor, Item] = {}
    for tensor, item in items.items():
        name = item.name
        if name and name in count:
            k = count[name]
            while f"{name}_{k}" in taken:
                k += 1
            count[name], name = k + 1, f"{name}_{k}"
            item = replace(item, name=name)
        elif name:
            count[name] = 1
        result[tensor] = item
    return result
