"""The verifier: what holds for every graph, as docs/design/ir.md specifies it.

It is run by tests on every graph they build, before and after each pass; a failure is a defect of graphc, never of the user.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphc.expr.graph import topological, unalias
from graphc.expr.matrices import MOST_DIRECTIONS
from graphc.expr.operation import Alias, Assign, Carry, Leaf, Linalg, Phase, Random, Reshape, Scan
from graphc.expr.scalar import is_condition
from graphc.expr.stage import REDUCERS, Stage, dimension_symbol, index_symbol, read_symbol
from graphc.expr.tensor import Node, Tensor

__all__ = ["GraphDefectError", "verify"]

# operation -> the number of inputs it takes; None: any.
_ARITY: dict[type, int | None] = {Stage: None, Leaf: 0, Reshape: 1, Alias: None, Random: 0, Assign: 2, Phase: 2, Scan: None, Linalg: None}


class GraphDefectError(AssertionError):
    """A graph that breaks the specification."""


def _require(condition: bool, node: Node, what: str) -> None:
    if not condition:
        raise GraphDefectError(f"{what}: {node.op} of {[t.describe() for t in node.inputs]}")


def verify(outputs: Sequence[Tensor]) -> None:
    """Check every node that the outputs reach.

    Raises:
        GraphDefectError: naming the first node that breaks the specification.
    """
    for node in topological(outputs):
        arity = next((count for kind, count in _ARITY.items() if isinstance(node.op, kind)), -1)
        _require(arity != -1, node, "the operation is none of the specified ones")
        _require(arity is None or len(node.inputs) == arity, node, "the number of inputs is wrong")
        for number, tensor in enumerate(node.outputs):
            _require(tensor.node is node and tensor.output == number, node, "an output does not belong to its node")
        if isinstance(node.op, Stage):
            _verify_stage(node, node.op)
        elif isinstance(node.op, Scan):
            _verify_scan(node, node.op)
        elif isinstance(node.op, Reshape):
            _require(node.outputs[0].shape == node.op.shape, node, "the shape is not the view's")
        elif isinstance(node.op, Linalg):
            _verify_linalg(node, node.op)
        elif isinstance(node.op, Alias | Phase):
            beside = node.inputs[1:] if isinstance(node.op, Carry) else ()
            _require(all(isinstance(unalias(t).op, Assign) for t in beside), node, "what is carried is no assignment")
            same = node.inputs if isinstance(node.op, Phase) else node.inputs[:1]
            _require(all(t.ndim == node.outputs[0].ndim for t in same), node, "the rank changes")
        elif isinstance(node.op, Assign):
            _require(node.inputs[0].kind in ("state", "parameter"), node, "what is assigned to is no state or parameter")


def _verify_scan(node: Node, scan: Scan) -> None:
    _require(len(node.inputs) == len(scan.parameters), node, "the body has not one parameter for each input")
    for number, (outer, inner) in enumerate(zip(node.inputs, scan.parameters, strict=True)):
        item = scan.carries <= number < scan.carries + scan.sequences
        _require(inner.shape == (outer.shape[1:] if item else outer.shape), node, "a parameter of the body has not its input's shape")
    for carry, result in zip(scan.parameters, scan.results[: scan.carries], strict=False):
        _require(carry.shape == result.shape and carry.dtype == result.dtype, node, "a carry changes its shape or kind")
    free = {n for n in topological(scan.results) if isinstance(n.op, Leaf) and n.op.kind != "constant"}
    _require(free <= {t.node for t in scan.parameters}, node, "the body reads a tensor that is none of its parameters")
    verify(scan.results)


def _verify_linalg(node: Node, op: Linalg) -> None:
    directions = range(1, MOST_DIRECTIONS + 2) if op.kind == "cofactor" else (1,)
    _require(len(node.inputs) in directions, node, "the number of inputs is wrong")
    x, y = node.inputs[0], node.outputs[0]
    _require(x.ndim >= 2 and all(t.shape == x.shape and t.dtype == "float" for t in node.inputs), node, "the operands are not matrices of one shape")
    scalar = op.kind in ("determinant", "logdet")
    _require(y.shape == (x.shape[:-2] if scalar else x.shape) and y.dtype == "float", node, "the result has not the shape of its kind")


def _verify_stage(node: Node, stage: Stage) -> None:
    count = len(stage.extents)
    _require(node.outputs[0].shape == stage.shape and len(stage.write) == len(stage.shape), node, "write map and shape do not fit")
    _require(stage.reducer in (None, *REDUCERS), node, "the reducer is unknown")
    _require(len(node.outputs) == (2 if stage.reducer in ("max", "min") else 1), node, "the number of outputs is wrong")
    if stage.reducer is None:
        _require(stage.elementwise, node, "values meet in one place and no reducer says how they combine")
    for number, read in enumerate(stage.reads):
        _require(0 <= read.operand < len(node.inputs), node, "a read has no operand")
        source = node.inputs[read.operand]
        _require(len(read.coords) == source.ndim, node, "a read has not one place for each axis")
        for place in read.coords:
            for variable in place.variables:
                if variable >= 0:
                    _require(variable < count, node, "a place uses an index that does not exist")
                    continue
                earlier = -variable - 1
                _require(earlier < number, node, "a read goes through a later read")
                _require(node.inputs[stage.reads[earlier].operand].dtype == "int", node, "a read goes through a tensor that is not integer")
    _require(all(v < count for place in stage.write for v in place.variables), node, "the write map uses an index that does not exist")
    known = {index_symbol(k) for k in range(count)} | {read_symbol(k) for k in range(len(stage.reads))}
    known |= {dimension_symbol(k) for k in range(len(stage.dims))}
    _require(stage.body.free_symbols <= known, node, "the body has a symbol that is no index, read or dimension")
    _require(not is_condition(stage.body) or node.outputs[0].dtype == "bool", node, "a condition gives a tensor that is not bool")
