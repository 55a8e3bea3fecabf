"""Walking and rebuilding graphs: order, leaves, substitution, phases, the numbers of random nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from graphc.errors import DeclarationError
from graphc.expr.dims import Dim
from graphc.expr.operation import Alias, Assign, Carry, Current, Leaf, Phase, Random, Reshape, Scan
from graphc.expr.postorder import postorder
from graphc.expr.stage import Stage
from graphc.expr.tensor import Guard, Node, Tensor, make

__all__ = [
    "assigns",
    "drop_aliases", "free_dimensions", "guards", "inference", "leaves", "random_numbers", "readers", "rebuild", "replace_inputs",
    "resolve_phase", "root_of", "substitute", "topological", "training", "unalias", "with_body",
]  # fmt: skip


def topological(outputs: Iterable[Tensor], stop: Iterable[Tensor] = (), also: Mapping[Node, Tensor] | None = None) -> list[Node]:
    """Every node that the outputs reach, inputs before their users, in an order that depends on the graph alone.

    Tensors in ``stop`` are taken as given: what computes them is left out unless reached otherwise. ``also`` gives nodes
    one more tensor each that comes before them.
    """
    stopped = set(stop)

    def parts(node: Node) -> list[Node]:
        if stopped and any(t in stopped for t in node.outputs):
            return []
        # What a gradient is of comes before the gradient, so that leaves stand in the order of their first use.
        inputs = (*node.inputs[1:], node.inputs[0]) if type(node.op) is Alias else node.inputs
        found = [t.node for t in inputs]
        return [also[node].node, *found] if also and node in also else found

    return postorder((t.node for t in outputs), parts)


def readers(nodes: Iterable[Node]) -> dict[Tensor, list[Node]]:
    """The nodes that read each tensor, in their order."""
    found: dict[Tensor, list[Node]] = {}
    for node in nodes:
        for tensor in node.inputs:
            found.setdefault(tensor, []).append(node)
    return found


def root_of(tensor: Tensor) -> Tensor:
    """The tensor whose memory a tensor uses: reshapes and assignments have none of their own."""
    while isinstance(tensor.op, Reshape | Alias | Assign):
        tensor = tensor.inputs[1] if isinstance(tensor.op, Assign) else tensor.inputs[0]
    return tensor


def leaves(outputs: Tensor | Sequence[Tensor]) -> dict[str, Tensor]:
    """The inputs, parameters and states that a formula uses, by name, in the order of their first use.

    Raises:
        DeclarationError: where two different leaves share a name, showing both places.

    Example:
        >>> import graphc as gx
        >>> x, w = gx.scalars("x w")
        >>> list(gx.leaves(x * w))
        ['x', 'w']
    """
    many: Any = [outputs] if isinstance(outputs, Tensor) else outputs
    if not isinstance(many, list | tuple) or not all(isinstance(t, Tensor) for t in cast("Sequence[Any]", many)):
        raise DeclarationError(f"gx.leaves reads a tensor or a list of tensors, not {outputs!r}")
    found: dict[str, Tensor] = {}
    for node in topological(many):
        if not isinstance(node.op, Leaf) or node.op.kind == "constant":
            continue
        tensor = node.outputs[0]
        other = found.setdefault(tensor.name, tensor)
        if other is not tensor:
            raise DeclarationError(
                f"two different tensors are called {tensor.name}: {other.describe()} from {other.origin}, and "
                f"{tensor.describe()} from {tensor.origin}. Rename one of them, give its layer or model a name=, or declare it within gx.scope"
            )
    return found


def rebuild(
    outputs: Sequence[Tensor], change: Callable[[Node, tuple[Tensor, ...]], Sequence[Tensor] | None], made: dict[Tensor, Tensor] | None = None
) -> list[Tensor]:
    """The graph with nodes replaced, from the leaves on.

    ``change(node, inputs)`` gets each node with its already rebuilt inputs and returns its new outputs, or ``None`` for
    the same operation on the new inputs. ``made`` is filled with what became of each tensor.
    """
    made = {} if made is None else made
    for node in topological(outputs):
        inputs = tuple(made[t] for t in node.inputs)
        fresh = change(node, inputs)
        if fresh is None:
            fresh = node.outputs if inputs == node.inputs else replace_inputs(node, inputs, made).outputs
        made.update(zip(node.outputs, fresh, strict=True))
    return [made[t] for t in outputs]


def replace_inputs(node: Node, inputs: Sequence[Tensor], shown: Mapping[Tensor, Tensor] | None = None) -> Node:
    """The same operation on other tensors of the same shapes; ``shown`` maps what its pictures show as its arguments."""
    copy = Node(node.op, inputs, node.guards, node.origin)
    outputs: list[Tensor] = []
    for t in node.outputs:
        call = t.call
        if call is not None and shown:
            call = call.on(shown)
        outputs.append(Tensor(copy, t.shape, t.dtype, t.name, call, t.output))
    copy.outputs = tuple(outputs)
    return copy


def with_body(node: Node, inputs: Sequence[Tensor], results: Sequence[Tensor]) -> Sequence[Tensor] | None:
    """A scan on other inputs, with a body of other results over the same parameters; ``None`` where nothing changes."""
    assert isinstance(node.op, Scan)
    if tuple(inputs) == node.inputs and tuple(results) == node.op.results:
        return None
    copy = Node(replace(node.op, results=tuple(results)), inputs, node.guards, node.origin)
    copy.outputs = tuple(Tensor(copy, t.shape, t.dtype, t.name, t.call, t.output) for t in node.outputs)
    return copy.outputs


def substitute(outputs: Sequence[Tensor], replacements: dict[Tensor, Tensor], made: dict[Tensor, Tensor] | None = None) -> list[Tensor]:
    """The outputs with some tensors replaced by others of the same shape; ``made`` is filled with what became of each tensor."""

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if not any(t in replacements for t in node.outputs):
            return None
        same = node.outputs if inputs == node.inputs else replace_inputs(node, inputs).outputs
        return [replacements.get(old, new) for old, new in zip(node.outputs, same, strict=True)]

    return rebuild(outputs, change, made)


def resolve_phase(outputs: Sequence[Tensor], branch: int, made: dict[Tensor, Tensor] | None = None, for_good: bool = False) -> list[Tensor]:
    """The outputs with every ``by_phase`` replaced by one of its branches: 0 training, 1 inference.

    In inference nothing is carried out beside a value, and every state is as it was. ``made`` is filled with what became of
    each tensor. ``for_good`` leaves phases that can still change, to take this branch in both readings as long as they do not.
    """

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if isinstance(node.op, Scan):
            return with_body(node, inputs, resolve_phase(node.op.results, branch, for_good=for_good))
        if isinstance(node.op, Carry | Current):
            return [inputs[0]] if branch else None
        if not isinstance(node.op, Phase):
            return None
        kept = node.op.for_good() if for_good and not branch else None
        if kept is None:
            return [inputs[node.op.branch(branch)]]
        old = node.outputs[0]
        return [make(kept, inputs, old.shape, old.dtype, name=old.name, call=old.call, guards=node.guards, origin=node.origin)]

    return rebuild(outputs, change, made)


def training(outputs: Sequence[Tensor], made: dict[Tensor, Tensor] | None = None) -> list[Tensor]:
    """The training reading of several tensors; ``made`` is filled with what became of each tensor on the way."""
    return resolve_phase(outputs, 0, made)


def inference(y: Tensor) -> Tensor:
    """The inference reading of a declaration: each ``gx.by_phase`` is its inference branch.

    Example:
        >>> import graphc as gx
        >>> x = gx.tensor("x", (3,))
        >>> y = gx.by_phase(training=2 * x, inference=x)
        >>> gx.evaluate(gx.inference(y), {x: [1.0, 2.0, 3.0]})
        array([1., 2., 3.])
    """
    if not isinstance(y, Tensor):
        raise DeclarationError(f"gx.inference takes one tensor, not {y!r}")
    return resolve_phase([y], 1)[0]


def unalias(tensor: Tensor) -> Tensor:
    """The tensor behind its names."""
    while isinstance(tensor.op, Alias):
        tensor = tensor.inputs[0]
    return tensor


def drop_aliases(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The outputs without names and without the primals that gradients remember: what is to be computed."""

    def change(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if isinstance(node.op, Scan):
            return with_body(node, inputs, drop_aliases(node.op.results))
        return [inputs[0]] if isinstance(node.op, Alias) else None

    return rebuild(outputs, change)


def assigns(outputs: Sequence[Tensor]) -> list[Tensor]:
    """The assignments that the outputs reach, in order.

    Raises:
        DeclarationError: where two give a value to the same state.
    """
    found: dict[Tensor, Tensor] = {}
    for node in topological(outputs):
        if isinstance(node.op, Assign):
            state = unalias(node.inputs[0])
            if state in found:
                raise DeclarationError(f"{state.label} gets two next values: at {found[state].origin} and at {node.origin}. Keep one gx.assign")
            found[state] = node.outputs[0]
    return list(found.values())


def guards(outputs: Sequence[Tensor]) -> list[Guard]:
    """Everything about sizes that was left to be checked when arrays arrive."""
    nodes = topological(outputs)
    bodies = [g for node in nodes if isinstance(node.op, Scan) for g in guards(node.op.results)]
    return list(dict.fromkeys([*(g for node in nodes for g in node.guards), *bodies]))


def free_dimensions(outputs: Sequence[Tensor]) -> list[str]:
    """The named sizes in the shapes of a graph, in order of first use."""
    names: dict[str, None] = {}
    for node in topological(outputs):
        extents = [e for t in node.outputs for e in t.shape]
        if isinstance(node.op, Stage):
            extents += [*node.op.extents, *node.op.dims]
        for extent in extents:
            if isinstance(extent, Dim):
                names.update(dict.fromkeys(extent.names))
    return list(names)


def random_numbers(outputs: Sequence[Tensor]) -> dict[Node, int]:
    """The number of every random node that the outputs reach.

    A node's number is its rank of creation among those that the outputs, and the primal of every gradient, can reach;
    so what else was declared does not matter, and a gradient sees the draws of its primal. ``key=`` pins a number.
    """
    nodes = sorted(_random_nodes(outputs), key=lambda n: n.serial)
    numbers: dict[Node, int] = {}
    rank = 0
    for node in nodes:
        assert isinstance(node.op, Random)
        if node.op.key is not None:
            numbers[node] = -1 - node.op.key
        else:
            numbers[node] = rank
            rank += 1
    return numbers


def _random_nodes(outputs: Sequence[Tensor]) -> list[Node]:
    """The random nodes of a graph and of the bodies in it, each once."""
    found: dict[Node, None] = {}
    for node in topological(outputs):
        if isinstance(node.op, Random):
            found[node] = None
        elif isinstance(node.op, Scan):
            found.update(dict.fromkeys(_random_nodes(node.op.results)))
    return list(found)
