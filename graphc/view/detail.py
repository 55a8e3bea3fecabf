"""What is worth a line under an operation, read off its stages: the window that slides and its stride, the axes summed over."""

from __future__ import annotations

from graphc.expr.graph import topological, unalias
from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.view.reading import Item

__all__ = ["operation_detail"]


def operation_detail(item: Item) -> str:
    """``5 × 5, stride 2, padded`` for a convolution or a pool, ``axis 1`` for a sum over some axes; empty for anything else."""
    if item.kind != "value" or item.tensor.call is None or item.tensor.call.symbol == "":
        return ""
    own = [item.tensor]
    if any(unalias(t) not in item.inputs and t not in item.inputs for t in item.tensor.inputs):
        own = [node.outputs[0] for node in topological([item.tensor], stop=item.inputs) if node.outputs[0] not in item.inputs]
    stages = [t for t in own if isinstance(t.op, Stage)]
    if len(own) > 4:  # it is made of many steps, and no single one of them describes it
        return ""
    for tensor in stages:
        found = _window(tensor)
        if found:
            return found
    if len(item.inputs) == 1 and item.tensor.ndim:
        for tensor in stages:
            found = _axes(tensor, item.inputs[0])
            if found:
                return found
    return ""


def _window(tensor: Tensor) -> str:
    op = tensor.op
    assert isinstance(op, Stage)
    for read in op.reads:
        shared = {v for other in op.reads if other is not read for place in other.coords for v, _ in place.terms}
        free = set(op.free or ()) - shared  # what another operand runs along too is no place of a window
        sizes: list[str] = []
        strides: list[int] = []
        dilations: list[int] = []
        for place in read.coords:
            steps = [(v, c) for v, c in place.terms if v in free]
            taps = [(v, c) for v, c in place.terms if v in op.reduced]
            if len(steps) == len(taps) == 1 and all(isinstance(c, int) for _, c in (*steps, *taps)):
                sizes.append(str(op.extents[taps[0][0]]))
                strides.append(int(steps[0][1]))
                dilations.append(int(taps[0][1]))
        if sizes:
            words = [" × ".join(sizes)]
            words += [f"{word} {_one(numbers)}" for word, numbers in (("stride", strides), ("dilation", dilations)) if set(numbers) != {1}]
            return ", ".join([*words, *(["padded"] if read.outside is not None else [])])
    return ""


def _one(numbers: list[int]) -> str:
    return str(numbers[0]) if len(set(numbers)) == 1 else " × ".join(map(str, numbers))


def _axes(tensor: Tensor, source: Tensor) -> str:
    op = tensor.op
    assert isinstance(op, Stage)
    for read in op.reads:
        if tensor.inputs[read.operand].shape != source.shape or op.reducer is None:
            continue
        bare = [p.bare for p in read.coords]
        over = [str(k) for k, v in enumerate(bare) if v in op.reduced]
        if None not in bare and over and len(over) < len(bare):
            return f"{'axis' if len(over) == 1 else 'axes'} {', '.join(over)}"
    return ""
