"""A random program: leaves and steps in order, each step a row of the tables with its arguments and options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import graphc as gx

torch: Any = pytest.importorskip("torch")

__all__ = [
    "Decisions",
    "Item",
    "Kind",
    "Leaf",
    "Program",
    "Row",
    "Size",
    "Step",
    "Unfit",
    "apart",
    "decisions",
    "real",
    "torch",
    "torch_leaf",
    "torch_leaves",
    "torch_run",
    "torch_step",
]

# An axis's size: a whole number, a name, or "?" where it follows from a name.
Size = int | str
Array = np.ndarray[Any, Any]
_TORCH = {"float": torch.float64, "int": torch.int64, "bool": torch.bool}


class Unfit(Exception):
    """What was drawn does not fit: another draw is made."""


@dataclass(frozen=True)
class Kind:
    """What is known of a variable while a program is drawn."""

    sizes: tuple[Size, ...]
    shape: tuple[int, ...]
    dtype: str
    exact: bool = False
    symmetric: bool = False

    @property
    def plain(self) -> bool:
        """Whether every size is a whole number."""
        return all(isinstance(s, int) for s in self.sizes)


@dataclass(frozen=True)
class Leaf:
    """An input: its sizes, its kind and its entries."""

    sizes: tuple[Size, ...]
    dtype: str
    values: Array = field(repr=False)
    symmetric: bool = False


@dataclass(frozen=True)
class Step:
    """A row applied to earlier variables."""

    row: Row
    args: tuple[int, ...]
    options: dict[str, Any]


Item = Leaf | Step


@dataclass(frozen=True)
class Row:
    """An operation: how it is drawn, written with graphc, and written with PyTorch.

    ``exact``: whole and dyadic numbers stay so, in whatever order it is computed. ``sizes``: what is known of the result's.
    ``draws``: it has a random node, and PyTorch's side is given its ``number``. ``phases``: it is given the ``phase``.
    """

    name: str
    draw: Callable[[Any], tuple[tuple[int, ...], dict[str, Any]]]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    sizes: Callable[[list[Kind], dict[str, Any]], tuple[Size, ...]] | None = None
    exact: bool = False
    draws: bool = False
    phases: bool = False
    weight: float = 1.0


@dataclass
class Program:
    """Items in order; variable ``k`` is what item ``k`` gives."""

    seed: int
    names: dict[str, int]
    items: list[Item] = field(default_factory=list)

    def text(self) -> str:
        """A line for each item."""
        lines = [f"seed {self.seed}, " + ", ".join(f"{n} = {s}" for n, s in self.names.items())]
        for k, item in enumerate(self.items):
            if isinstance(item, Leaf):
                entries = np.array2string(item.values, threshold=12, precision=4).replace("\n", "")
                lines.append(f"t{k} = leaf {'symmetric ' * item.symmetric}{item.dtype} {item.sizes}: {entries}")
            else:
                options = "".join(f", {n}={v!r}" for n, v in item.options.items())
                lines.append(f"t{k} = {item.row.name}({', '.join(f't{a}' for a in item.args)}{options})")
        return "\n".join(lines)

    def leaves(self, dtype: str | None = None) -> list[int]:
        """The places of the leaves, of one kind or of all."""
        return [k for k, item in enumerate(self.items) if isinstance(item, Leaf) and dtype in (None, item.dtype)]

    def declare(self) -> list[Any]:
        """Every variable as graphc declares it: a tensor, or a tuple of them."""
        values: list[Any] = []
        for k, item in enumerate(self.items):
            if isinstance(item, Leaf):
                values.append(gx.tensor(f"t{k}", item.sizes, dtype=item.dtype, symmetric=item.symmetric))
            else:
                value = item.row.ours(*(values[a] for a in item.args), **item.options)
                # The transpose of a vector is that vector; for a derivative by it alone it gets a name.
                values.append(value.named(f"t{k}") if any(value is v for v in values) else value)
        return values

    def feeds(self, tensors: list[Any]) -> dict[gx.Tensor, Array]:
        """The arrays of the leaves."""
        return {tensors[k]: item.values for k, item in enumerate(self.items) if isinstance(item, Leaf)}


@dataclass
class Decisions:
    """How comparisons are taken while a program runs: checked to be clear while it is drawn, unless all numbers are exact."""

    checking: bool = False
    exact: bool = False


decisions = Decisions()
_MARGIN = 2e-3


def apart(gap: Any) -> None:
    """Refuse a decision that rounding could turn: a gap near 0, or 0 where numbers are not exact."""
    if decisions.checking and not decisions.exact and gap.numel() and float(gap.detach().abs().min()) < _MARGIN:
        raise Unfit("a decision is too close")


def real(x: Any) -> Any:
    """As floats."""
    return x if x.is_floating_point() else x.double()


def torch_leaf(values: Array, dtype: str) -> Any:
    """A leaf as PyTorch's tensor, a float with its gradient."""
    return torch.tensor(values, dtype=_TORCH[dtype]).requires_grad_(dtype == "float")


def torch_leaves(program: Program) -> dict[int, Any]:
    """The leaves as PyTorch's tensors, floats with gradients."""
    return {k: torch_leaf(item.values, item.dtype) for k, item in enumerate(program.items) if isinstance(item, Leaf)}


def torch_run(program: Program, leaves: dict[int, Any], noise: float = 0.0, phase: str = "training", seed: int = 0) -> list[Any]:
    """Every variable as PyTorch computes it; ``noise`` moves each result by that share, to see how much rounding can do."""
    values: list[Any] = []
    rng = np.random.default_rng(seed)
    for k, item in enumerate(program.items):
        value = leaves[k] if isinstance(item, Leaf) else torch_step(program, k, values, phase)
        if noise and isinstance(item, Step) and not item.row.exact:
            value = tuple(_moved(v, noise, rng) for v in value) if isinstance(value, tuple) else _moved(value, noise, rng)
        values.append(value)
    return values


def torch_step(program: Program, k: int, values: list[Any], phase: str = "training") -> Any:
    """What step ``k`` gives, from the variables before it: always a tensor of its own, so that gradients can be taken by it."""
    step = program.items[k]
    assert isinstance(step, Step)
    options = dict(step.options)
    if step.row.draws:
        before = sum(1 for i in program.items[:k] if isinstance(i, Step) and i.row.draws and i.options.get("key") is None)
        options["number"] = before if options.get("key") is None else -1 - options["key"]
    if step.row.phases:
        options["phase"] = phase
    value = step.row.theirs(*(values[a] for a in step.args), **options)
    if isinstance(value, tuple):
        return value
    return value.view_as(value) if any(value is v for v in values) else value


def _moved(value: Any, noise: float, rng: np.random.Generator) -> Any:
    if not value.is_floating_point():
        return value
    return value * torch.tensor(1 + noise * rng.choice([-1.0, 1.0], tuple(value.shape)))
