"""What is stored and what is computed where it is used; what shares a kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphc.expr.entry import entries
from graphc.expr.graph import root_of
from graphc.expr.operation import Assign, Leaf, Linalg, Reshape, Scan
from graphc.expr.places import written
from graphc.expr.stage import Read, Stage, read_symbol
from graphc.expr.tensor import Node, Tensor
from graphc.lower.contract import contraction
from graphc.lower.parts import Parts, parts_of
from graphc.rewrite.products import along_sum, flat_place, nominal, reads_whole
from graphc.rewrite.signs import cut_off
from graphc.rewrite.weight import weight

__all__ = ["Fusion", "Group", "Started", "root_of"]

_CHEAP = 2  # operations that are rather repeated than stored, however often
_LIGHT = 16  # operations that are rather repeated once for each use than stored
_LONGEST = 160  # operations that one formula may grow to by taking in others
_MOST_BUFFERS = 12  # memory that one kernel may touch
_MOST_MEMBERS = 8  # tensors that one kernel may store


@dataclass
class Group:
    """Tensors that one kernel stores, in order, and the memory that it touches."""

    members: list[Tensor]
    last: bool = False
    weight: int = 0
    reads: dict[Tensor, None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Use:
    """A read of a tensor by a stage."""

    user: Tensor
    read: Read


@dataclass(frozen=True)
class Started:
    """A sum of products that starts from another tensor: a bias, what came in another way, a gradient so far; or that is cut off at its end.

    Attributes:
        product: the sum of products, which is not stored by itself.
        added: its sum with what it starts from, where there is such a thing: another tensor than the result where that is cut off.
        start: what it starts from.
        read: how the sum of both reads it.
        ends: the tensor that says where the result is 0: the result itself, or one that lies as it does.
    """

    product: Tensor
    added: Tensor | None = None
    start: Tensor | None = None
    read: Read | None = None
    ends: Tensor | None = None


class Fusion:
    """The decisions for one program.

    Args:
        nodes: in order.
        outputs: tensors that must be in memory at the end.
    """

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[Tensor]) -> None:
        self.nodes = nodes
        self.kept: set[Tensor] = set()
        self._uses: dict[Tensor, list[_Use]] = {}
        self._weights: dict[Tensor, int] = {}
        self._sources: dict[Tensor, dict[Tensor, None]] = {}  # of tensors computed on the spot: the large ones that they read
        kept: dict[Tensor, None] = {root_of(t): None for t in outputs}
        for node in nodes:
            if isinstance(node.op, Stage):
                user = node.outputs[0]
                for read in node.op.reads:
                    self._uses.setdefault(node.inputs[read.operand], []).append(_Use(user, read))
            elif isinstance(node.op, Reshape | Assign):
                kept[root_of(node.outputs[0])] = None
            elif isinstance(node.op, Scan | Linalg):
                kept.update({root_of(t): None for t in node.inputs})
        self.parts = self._put_together(kept)
        self.started = self._start_products(kept)
        self._decide(kept)
        self.groups = self._group(outputs)

    # What is stored --------------------------------------------------------------------------------------------------

    def stored(self, tensor: Tensor) -> bool:
        """Whether a tensor is in memory."""
        return root_of(tensor) in self.kept

    def _put_together(self, forced: dict[Tensor, None]) -> dict[Tensor, Parts]:
        """The tensors that are written in parts; the parts themselves have no memory of their own."""
        found: dict[Tensor, Parts] = {}
        self._inside: set[Tensor] = set()
        sums = self._sums_of_parts(forced)
        for node in reversed(self.nodes):
            tensor = node.outputs[0]
            if tensor in self._inside or root_of(tensor) is not tensor:
                continue
            parts = parts_of(tensor, lambda t: t not in forced and self._only_in(t, sums))
            if parts is not None:
                found[tensor] = parts
                self._inside.update(t for t in parts.stages if t is not tensor)
        return found

    def _sums_of_parts(self, forced: dict[Tensor, None]) -> set[Tensor]:
        """The sums that are put together although they share parts: each writes those again, which only say where entries go."""
        found = {n.outputs[0]: p for n in self.nodes if (p := parts_of(n.outputs[0], lambda t: t not in forced)) is not None}
        sums = {t: p for t, p in found.items() if p.stages != (t,) and root_of(t) is t}
        while True:
            kept = set(sums)
            sums = {t: p for t, p in sums.items() if all(self._only_in(part, kept) for part in p.stages)}
            if len(sums) == len(kept):
                return kept

    def _only_in(self, part: Tensor, sums: set[Tensor]) -> bool:
        """Whether nothing else uses a part: one sum, or several where it costs nothing to write it to each."""
        uses, op = self._uses.get(part, []), part.op
        if len(uses) == 1:
            return True
        light = isinstance(op, Stage) and weight(op.body) <= _CHEAP and len(op.reads) == 1 and len(written(op) or ()) == len(op.extents)
        return bool(uses) and light and all(u.user in sums for u in uses)

    def _start_products(self, forced: dict[Tensor, None]) -> dict[Tensor, Started]:
        """Which tensors are written by the kernel of a sum of products that they are computed from; what that starts from is stored."""
        found: dict[Tensor, Started] = {}
        wanted = set(forced)
        for node in self.nodes:
            tensor = node.outputs[0]
            if tensor in self._inside or tensor in self.parts or root_of(tensor) is not tensor:
                continue
            alone = (t for t in node.inputs if t not in wanted and t not in self._inside and t not in self.parts)
            single = [t for t in alone if len(self._uses.get(t, [])) == 1]
            started = _started(tensor, [t for t in single if t not in found and t not in forced]) or _ended(tensor, single, found)
            if started is None:
                continue
            if started.ends is not None and started.added is not None:  # it has been found before
                del found[started.added], forced[started.added]
                self._inside.add(started.added)
            found[tensor] = started
            forced.update({root_of(t): None for t in (tensor, started.start) if t is not None})
            self._inside.add(started.product)
        return found

    def _decide(self, forced: dict[Tensor, None]) -> None:
        for node in self.nodes:
            if node.outputs[0] in self._inside:
                continue
            for tensor in node.outputs:
                if root_of(tensor) is not tensor:
                    continue
                if tensor.kind == "constant" and tensor.ndim == 0 and tensor not in forced:
                    continue
                uses = self._uses.get(tensor, [])
                # Random numbers have a loop of their own, over flat positions: among short rows it would not vectorise.
                if not isinstance(node.op, Stage) or tensor in forced or not self._inlined(tensor, uses):
                    self.kept.add(tensor)

    def _inlined(self, tensor: Tensor, uses: list[_Use]) -> bool:
        """Whether every use computes the tensor on the spot."""
        op = tensor.op
        if entries(op):  # written out on the way to another such sum, where it is computed once
            return len(uses) == 1 and entries(uses[0].user.op) and tensor not in self.parts
        if not isinstance(op, Stage) or not op.elementwise or _checked(op) or tensor in self.parts:
            return False
        total = self._total(tensor)
        sources = self._large(tensor)
        cheap = weight(op.body) <= _CHEAP and len(sources) <= 1 and total <= 3 * _CHEAP
        once = len(uses) == 1 and total <= _LONGEST
        # Then every use reads that array in place of this one: no more memory moves, and one tensor less is written.
        light = total <= _LIGHT and len(sources) <= 1
        if not all(_may_inline(u, cheap, op.body == read_symbol(0)) for u in uses) or not (cheap or once or light):
            return False
        self._weights[tensor], self._sources[tensor] = total, sources
        return True

    def _large(self, tensor: Tensor) -> dict[Tensor, None]:
        """The stored tensors that a formula reads, with all that is computed on the spot for it, and that are not smaller than its result."""
        size = nominal(tensor.shape)
        read = (s for t in tensor.inputs for s in (self._sources[t] if t in self._sources else [root_of(t)]))
        return dict.fromkeys(s for s in read if 2 * nominal(s.shape) > size)

    def _total(self, tensor: Tensor) -> int:
        """The operations of a tensor's formula, with all that is computed on the spot for it."""
        op = tensor.op
        return weight(op.body) + sum(self._weights.get(tensor.inputs[r.operand], 0) for r in op.reads) if isinstance(op, Stage) else 0

    # What shares a kernel --------------------------------------------------------------------------------------------

    def _group(self, outputs: Sequence[Tensor]) -> list[Group]:
        terminal = self._terminal(outputs)
        groups: list[Group] = []
        place: dict[Tensor, int] = {}
        alike: dict[Any, list[int]] = {}
        for node in self.nodes:
            tensor = node.outputs[0]
            if isinstance(node.op, Leaf) or root_of(tensor) is not tensor or not any(t in self.kept for t in node.outputs):
                continue
            last = tensor in terminal
            reads = self.memory(tensor)
            loops = self._loops(tensor)
            chosen = None if loops is None else self._fitting(tensor, reads, groups, alike.get((loops, last), []), place)
            if chosen is None:
                groups.append(Group([], last))
                chosen = len(groups) - 1
                if loops is not None:
                    alike.setdefault((loops, last), []).append(chosen)
            groups[chosen].members.append(tensor)
            groups[chosen].weight += self._total(tensor)
            groups[chosen].reads.update(dict.fromkeys(reads))
            place.update(dict.fromkeys(node.outputs, chosen))
        return [g for g in groups if not g.last] + [g for g in groups if g.last]

    def _loops(self, tensor: Tensor) -> Any:
        """What the loops of a tensor's kernel are, where another tensor may share them."""
        op = tensor.op
        if not isinstance(op, Stage) or tensor in self.parts or tensor in self.started:
            return None
        if op.elementwise:
            return tensor.shape
        shared = op.reducer is not None and op.free is not None and not _checked(op) and contraction(tensor) is None and not entries(op)
        return (op.extents, op.write) if shared else None

    def _fitting(self, tensor: Tensor, reads: list[Tensor], groups: list[Group], candidates: list[int], place: dict[Tensor, int]) -> int | None:
        """A group of the same loops that runs after everything that the tensor needs."""
        alone = isinstance(tensor.op, Stage) and not tensor.op.elementwise  # a reduction is ready after its loops
        earliest = max((place[t] for t in reads if t in place), default=-1)
        for number in reversed(candidates):
            if number < earliest:
                return None
            group = groups[number]
            if len(group.members) >= _MOST_MEMBERS or group.weight > _LONGEST:
                continue
            if len({*group.members, *group.reads, *reads, tensor}) > _MOST_BUFFERS:
                continue
            if alone:
                shared = any(t in group.reads and nominal(t.shape) > nominal(tensor.shape) for t in reads)
                if shared and not any(place.get(t) == number for t in reads):
                    return number
            elif all(place.get(t) != number or self.same_place(tensor, t) for t in reads):
                return number
        return None

    def memory(self, tensor: Tensor) -> list[Tensor]:
        """What is read from memory to compute a tensor, through everything that is computed on the spot."""
        found: dict[Tensor, None] = {}
        stack = list(reversed(tensor.inputs))
        seen: set[Tensor] = set()
        while stack:
            other = stack.pop()
            if other in seen:
                continue
            seen.add(other)
            if self.stored(other):
                found[root_of(other)] = None
            else:
                stack.extend(reversed(other.inputs))
        return list(found)

    def same_place(self, tensor: Tensor, other: Tensor) -> bool:
        """Whether a tensor reads another, however indirectly, only at its own place, and not through a reshape."""
        stack: list[Tensor] = [tensor]
        seen: set[Tensor] = set()
        while stack:
            user = stack.pop()
            op = user.op
            if user in seen or not isinstance(op, Stage):
                continue
            seen.add(user)
            for read in op.reads:
                operand = user.inputs[read.operand]
                plain = read.outside is None and tuple(p.bare for p in read.coords) == op.free
                if self.stored(operand):
                    if root_of(operand) is other and not (plain and operand is other and user.shape == tensor.shape):
                        return False
                elif not plain:
                    if other in self.memory(operand):
                        return False
                else:
                    stack.append(operand)
        return True

    def _terminal(self, outputs: Sequence[Tensor]) -> set[Tensor]:
        """Tensors computed entry by entry that only assignments, outputs and each other use: they can run at the end."""
        found: set[Tensor] = set()
        wanted = {root_of(t) for t in outputs}
        views = {root_of(n.inputs[0]) for n in self.nodes if isinstance(n.op, Reshape)}
        assigned = {root_of(n.outputs[0]) for n in self.nodes if isinstance(n.op, Assign)}
        readers: dict[Tensor, list[Tensor]] = {}
        for node in self.nodes:
            if any(t in self.kept for t in node.outputs) and isinstance(node.op, Stage | Scan | Linalg):
                for t in self.memory(node.outputs[0]):
                    readers.setdefault(t, []).append(node.outputs[0])
        for node in reversed(self.nodes):
            tensor = node.outputs[0]
            if not isinstance(node.op, Stage) or not node.op.elementwise or tensor not in self.kept or tensor in views or tensor in self.parts:
                continue
            if tensor not in assigned and tensor not in wanted and tensor not in readers:
                continue
            if self._touches_check(tensor):
                continue
            if all(r in found and r.shape == tensor.shape and self.same_place(r, tensor) for r in readers.get(tensor, [])) and (
                tensor in assigned or tensor not in wanted
            ):
                found.add(tensor)
        return found

    def _touches_check(self, tensor: Tensor) -> bool:
        return isinstance(tensor.op, Stage) and _checked(tensor.op)


def _started(tensor: Tensor, alone: Sequence[Tensor]) -> Started | None:
    """A tensor as a sum of products that starts from another tensor; ``alone``: what nothing else reads."""
    op = tensor.op
    if not isinstance(op, Stage) or tensor.dtype != "float" or len(op.reads) != 2:
        return None
    if not op.adds or any(r.outside is not None for r in op.reads) or _checked(op):
        return None
    for number in (1, 0):
        read, other = op.reads[number], op.reads[1 - number]
        product, start = tensor.inputs[read.operand], tensor.inputs[other.operand]
        if product not in alone or start is product or start.dtype != "float" or not reads_whole(tensor, read):
            continue
        found = contraction(product)
        assert op.free is not None
        if found is None or product.op.free is None or (start.kind == "constant" and start.ndim == 0):  # type: ignore[union-attr]
            continue
        column = op.free[product.op.free.index(found.n)]  # type: ignore[union-attr]
        if flat_place(other.coords, start.shape).coefficient(column) == 1:
            return Started(product, tensor, start, other)
    return None


def _ended(tensor: Tensor, alone: Sequence[Tensor], found: Mapping[Tensor, Started]) -> Started | None:
    """A tensor as a sum of products, or a started one, that is cut off: a rectifier, or the gradient of one that is stored."""
    op = tensor.op
    if not isinstance(op, Stage) or tensor.dtype != "float" or not op.elementwise or _checked(op):
        return None
    cut = cut_off(op)
    if cut is None or not all(reads_whole(tensor, r) for r in op.reads):
        return None
    inner, by = tensor.inputs[op.reads[cut[0]].operand], None if cut[1] is None else tensor.inputs[op.reads[cut[1]].operand]
    if inner not in alone or (by is not None and (by is inner or by not in found or found[by].ends is not by)):
        return None
    started = found.get(inner) or Started(inner)
    sums = contraction(started.product)
    if started.ends is not None or sums is None or sums.beside or along_sum(started.product, sums):
        return None
    return replace(started, ends=tensor if by is None else by)


def _checked(op: Stage) -> bool:
    """Whether a stage reads through an integer tensor, so that its places must be checked."""
    return any(v < 0 for r in op.reads for p in r.coords for v in p.variables)


def _may_inline(use: _Use, cheap: bool, moves: bool) -> bool:
    """Whether a use may compute on the spot what it reads; ``cheap``: if need be again and again, ``moves``: it is a copy, in another order."""
    op, read = use.user.op, use.read
    assert isinstance(op, Stage)
    if read.outside is not None or any(v < 0 for p in read.coords for v in p.variables):
        return False
    if any(-v - 1 < len(op.reads) and op.reads[-v - 1] is read for r in op.reads for p in r.coords for v in p.variables if v < 0):
        return False
    if contraction(use.user) is not None or (entries(op) and moves):
        return False
    # Otherwise no entry may be computed again and again.
    return cheap or nominal(op.extents) <= nominal(use.user.inputs[read.operand].shape)
