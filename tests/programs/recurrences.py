"""Rows of ``gx.scan``: random bodies over carries, items and tensors from outside."""

from __future__ import annotations

from typing import Any

import graphc as gx
from graphc.reference.philox import uniform
from tests.programs.draw import Draw
from tests.programs.extremes import larger
from tests.programs.products import sizes_of
from tests.programs.program import Row, Unfit, real, torch

__all__ = ["ROWS"]

Drawn = tuple[tuple[int, ...], dict[str, Any]]

# What a body does in a step; every value has the shape of the carry.
_ONE = {
    "tanh": (gx.tanh, torch.tanh),
    "sigmoid": (gx.sigmoid, torch.sigmoid),
    "sin": (gx.sin, torch.sin),
    "half": (lambda x: x / 2, lambda x: x / 2),
    "softplus": (gx.softplus, lambda x: torch.logaddexp(x, torch.zeros_like(x))),
    "flip": (lambda x: gx.flip(x) if x.ndim else x, lambda x: torch.flip(x, list(range(x.ndim)))),
    "softmax": (lambda x: gx.softmax(x) if x.ndim else x, lambda x: torch.softmax(x, -1) if x.ndim else x),
    "centred": (lambda x: x - gx.mean(x), lambda x: x - x.mean()),
}
_TWO = {
    "add": (lambda a, b: a + b, lambda a, b: a + b),
    "sub": (lambda a, b: a - b, lambda a, b: a - b),
    "mul": (lambda a, b: a * b, lambda a, b: a * b),
    "ratio": (lambda a, b: a / (1 + b * b), lambda a, b: a / (1 + b * b)),
    "maximum": (gx.maximum, larger),
    "gate": (lambda a, b: gx.sigmoid(a) * b, lambda a, b: torch.sigmoid(a) * b),
}


def draw(c: Draw) -> Drawn:
    """Sequences, initial carries of one shape, closures; then the body as steps over numbered values."""
    width = c.pick([(), (1,), (2,), (3,), (2, 2)])
    length = c.pick([*c.program.names, 0, 1, 2, 3, 4])

    def sequence() -> int:
        if c.chance(0.5):
            return c.find(lambda k: len(k.shape) > 0 and k.shape[1:] in (width, ()) and k.plain, ("float", "float", "int"))
        return c.leaf((length, *(width if c.chance(0.7) else ())), c.pick(["float", "float", "float", "int"]))

    sequences = [sequence()]
    steps = c.kind(sequences[0]).shape[0]
    if c.chance(0.4):
        sequences.append(c.leaf((sizes_of(c, sequences[0])[0], *(width if c.chance(0.7) else ()))))
    if steps > 6:
        raise Unfit("too long")

    def of_width() -> int:
        return c.find(lambda k: k.shape == width and k.plain) if c.chance(0.5) else c.leaf(width)

    carries = [of_width() for _ in range(c.pick([1, 1, 2, 2, 3]))]
    closures = [of_width() for _ in range(c.whole(0, 2))]
    matrices = [c.leaf((width[0], width[0])) for _ in range(c.whole(0, 1))] if len(width) == 1 else []
    values = len(carries) + len(sequences) + len(closures)
    body: list[Any] = []
    for _ in range(c.whole(1, 5)):
        kind = c.pick(["one", "two", "two", "two", "noise", *(["matrix"] * 2 if matrices else [])])
        a, b = c.whole(0, values - 1), c.whole(max(0, values - 4), values - 1)
        body.append((c.pick(list(_ONE)), b) if kind == "one" else (c.pick(list(_TWO)), a, b) if kind == "two" else (kind, b))
        values += 1
    made = range(len(carries) + len(sequences) + len(closures), values)
    following = [c.pick([*made, *range(len(carries))]) for _ in carries]
    outputs = [c.pick([*made, *made, *range(values)]) for _ in range(c.pick([1, 1, 2]))]
    options = {
        "counts": (len(sequences), len(carries), len(closures), len(matrices)), "body": tuple(body), "following": tuple(following),
        "outputs": tuple(outputs), "reverse": c.chance(0.4), "tuples": c.chance(0.3), "width": width,
    }  # fmt: skip
    return (*sequences, *carries, *closures, *matrices), options


def _parts(tensors: Any, counts: Any) -> list[list[Any]]:
    parts: list[list[Any]] = []
    at = 0
    for count in counts:
        parts.append(list(tensors[at : at + count]))
        at += count
    return parts


_KEY = 7


def _run(body: Any, values: list[Any], matrices: list[Any], side: int, noise: Any) -> list[Any]:
    for name, *places in body:
        args = [values[p] for p in places]
        if name == "matrix":
            values.append(matrices[0] @ args[0])
        elif name == "noise":
            values.append(args[0] * noise())
        else:
            values.append((_ONE | _TWO)[name][side](*args))
    return values


def ours(*tensors: Any, counts: Any, body: Any, following: Any, outputs: Any, reverse: bool, tuples: bool, width: Any) -> Any:
    sequences, carries, closures, matrices = _parts(tensors, counts)

    def full(x: Any) -> Any:
        return gx.broadcast_to(x, width) * 1.0

    def step(carry: Any, item: Any) -> Any:
        carry = carry if isinstance(carry, tuple) else (carry,)
        item = item if isinstance(item, tuple) else (item,)
        values = _run(body, [*carry, *(full(x) for x in item), *closures], matrices, 0, lambda: gx.random.uniform(width, key=_KEY))
        after, given = tuple(values[k] for k in following), tuple(values[k] for k in outputs)
        return (after if plural[1] else after[0]), (given if plural[2] else given[0])

    plural = [tuples or len(x) > 1 for x in (sequences, carries, outputs)]
    last, stacked = gx.scan(step, tuple(sequences) if plural[0] else sequences[0], tuple(carries) if plural[1] else carries[0], reverse=reverse)
    return (*(last if plural[1] else (last,)), *(stacked if plural[2] else (stacked,)))


def theirs(*tensors: Any, counts: Any, body: Any, following: Any, outputs: Any, reverse: bool, tuples: bool, width: Any) -> Any:
    sequences, carries, closures, matrices = _parts(tensors, counts)
    length = sequences[0].shape[0]
    rows: list[list[Any]] = [[torch.zeros(())] * length for _ in outputs]
    for t in reversed(range(length)) if reverse else range(length):
        items = [torch.broadcast_to(real(s[t]), width) for s in sequences]
        values = _run(body, [*carries, *items, *closures], matrices, 1, lambda t=t: torch.tensor(uniform(width, 0, 0, -1 - _KEY, t)))
        carries = [values[k] for k in following]
        for row, k in zip(rows, outputs, strict=True):
            row[t] = values[k]
    stacked = [torch.stack(row) if length else torch.zeros((0, *width), dtype=torch.float64) for row in rows]
    return (*carries, *stacked)


ROWS: list[Row] = [Row("scan", draw, ours, theirs, weight=5)]
