"""Drawing: what a row needs to choose its arguments and options."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.programs.program import Kind, Leaf, Program, Size, Step, Unfit, torch_leaf

__all__ = ["Draw", "broadcast_sizes", "concrete"]

_MOST_LEAVES = 7
_LARGEST = 130


def concrete(sizes: Sequence[Size], names: dict[str, int]) -> tuple[int, ...]:
    """The sizes as numbers."""
    return tuple(names[s] if isinstance(s, str) else s for s in sizes)


def broadcast_sizes(kinds: Sequence[Kind]) -> tuple[Size, ...]:
    """What is known of the sizes of a broadcast result."""
    rank = max(len(k.shape) for k in kinds)
    found: list[Size] = [1] * rank
    for kind in kinds:
        for axis, size in enumerate(kind.sizes, start=rank - len(kind.sizes)):
            if size == 1:
                continue
            found[axis] = size if found[axis] in (1, size) else "?"
    return tuple(found)


class Draw:
    """The choices of one program: the variables so far, and a random source of its own."""

    def __init__(self, rng: random.Random, program: Program, deep: bool = False) -> None:
        self.rng, self.program, self.deep = rng, program, deep
        self.kinds: list[Kind | None] = []
        self.values: list[Any] = []

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def pick(self, choices: Sequence[Any]) -> Any:
        if not choices:
            raise Unfit("nothing to choose from")
        return choices[self.rng.randrange(len(choices))]

    def whole(self, low: int, high: int) -> int:
        return self.rng.randint(low, high)

    def kind(self, k: int) -> Kind:
        found = self.kinds[k]
        assert found is not None
        return found

    def find(self, fits: Callable[[Kind], bool] = lambda _: True, dtypes: tuple[str, ...] = ("float",)) -> int:
        """A variable that fits, the later ones and those that nothing uses yet more often."""
        places = [k for k, kind in enumerate(self.kinds) if kind is not None and kind.dtype in dtypes and fits(kind)]
        if not places:
            raise Unfit("no variable fits")
        if self.chance(0.85 if self.deep else 0.4):
            used = {a for item in self.program.items if isinstance(item, Step) for a in item.args}
            places = [k for k in places if k not in used] or places
        return self.pick(places[-3:]) if self.chance(0.6) else self.pick(places)

    def fitting(self, a: int, dtypes: tuple[str, ...] = ("float",)) -> int:
        """A variable that broadcasts against another one, or a new leaf that does."""
        mine = self.kind(a)
        if self.chance(0.75):
            return self.find(lambda other: _broadcast(mine, other), dtypes)
        sizes: list[Size] = [s if s != "?" and not self.chance(0.25) else 1 if s != "?" else n for s, n in zip(mine.sizes, mine.shape, strict=True)]
        return self.leaf(tuple(sizes[self.whole(0, len(sizes)) :]) if self.chance(0.3) else tuple(sizes), self.pick(dtypes))

    def size(self) -> Size:
        """A size for an axis: now and then a name, rarely 0."""
        if self.program.names and self.chance(0.35):
            return self.pick(list(self.program.names))
        return self.pick([1, 2, 2, 3, 3, 4, 5, 0 if self.chance(0.15) else 3])

    def leaf(self, sizes: Sequence[Size], dtype: str = "float", low: float = -1.5, high: float = 1.5, values: Any = None) -> int:
        """A new leaf; floats are drawn at random or, so that ties occur, from a few halves."""
        if len(self.program.leaves()) >= _MOST_LEAVES:
            raise Unfit("enough leaves")
        shape = concrete(sizes, self.program.names)
        if int(np.prod(shape, dtype=np.int64)) > _LARGEST:
            raise Unfit("too large")
        rng = np.random.default_rng(self.rng.getrandbits(32))
        exact = dtype != "float"
        if values is not None:
            array = np.asarray(values)
        elif dtype == "bool":
            array = rng.random(shape) < self.pick([0.5, 0.5, 0.2, 0.9])
        elif dtype == "int":
            array = rng.integers(int(low), int(high) + 1, shape)
        elif self.chance(0.2) and (low, high) == (-1.5, 1.5):
            array, exact = rng.integers(-3, 4, shape) / 2, True
        else:
            array = rng.uniform(low, high, shape).astype(np.float32).astype(np.float64)
        symmetric = dtype == "float" and len(sizes) == 2 and sizes[0] == sizes[1] and self.chance(0.3)
        if symmetric:
            array = np.triu(array) + np.triu(array, 1).T
        self.program.items.append(Leaf(tuple(sizes), dtype, array, symmetric))
        self.kinds.append(Kind(tuple(sizes), shape, dtype, exact, symmetric))
        self.values.append(torch_leaf(array, dtype))
        return len(self.kinds) - 1

    def like(self, k: int, **options: Any) -> int:
        """A new leaf of a variable's shape."""
        kind = self.kind(k)
        return self.leaf(tuple(n if s == "?" else s for s, n in zip(kind.sizes, kind.shape, strict=True)), **options)

    def axis(self, k: int) -> int:
        rank = len(self.kind(k).shape)
        return self.pick(list(range(-rank, rank)))

    def axes(self, k: int) -> Any:
        """None, one axis, or several."""
        rank = len(self.kind(k).shape)
        if self.chance(0.3) or not rank:
            return None
        if self.chance(0.65):
            return self.axis(k)
        return tuple(a - rank * self.whole(0, 1) for a in self.rng.sample(range(rank), self.whole(1, rank)))


def _broadcast(a: Kind, b: Kind) -> bool:
    """Whether two shapes fit; an axis that follows from a name never stands for 1."""
    total = 1
    rank = max(len(a.shape), len(b.shape))
    for axis in range(1, rank + 1):
        left, right = (k.shape[-axis] if axis <= len(k.shape) else 1 for k in (a, b))
        if left != right:
            small = a if left == 1 else b if right == 1 else None
            if small is None or (axis <= len(small.shape) and not isinstance(small.sizes[-axis], int)):
                return False
        total *= left if right == 1 else right
    return total <= _LARGEST
