"""What each lesson shows: its gradients are PyTorch's, twenty steps of training give PyTorch's losses, and it is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import graphc as gx

__all__ = ["Lesson", "drawn", "first_gradients", "train_beside_torch"]

Array = np.ndarray[Any, Any]
TorchLoss = Callable[[Any, Mapping[str, Any]], Any]
STEPS = 20


@dataclass(eq=False)
class Lesson:
    """One model as a user declares it, and the same loss in PyTorch.

    Attributes:
        losses: the losses; each is trained over its own parameters, in turn.
        data: the arrays.
        torch_losses: for each loss a function ``(torch, tensors by name) -> loss`` of parameters and data.
        over: the parameters of each loss; by default those that it reads.
        extra: further outputs of the first training step, such as assigns.
        rate: the learning rate of Adam.
    """

    losses: Sequence[gx.Tensor]
    data: Mapping[gx.Tensor, Array]
    torch_losses: Sequence[TorchLoss]
    over: Sequence[Sequence[gx.Tensor]] = ()
    extra: Sequence[gx.Tensor] = ()
    rate: float = 0.01
    starts: dict[gx.Tensor, Array] = field(default_factory=dict[gx.Tensor, Array])

    def __post_init__(self) -> None:
        if not self.over:
            self.over = [[t for t in gx.leaves(loss).values() if t.kind == "parameter"] for loss in self.losses]
        rng = np.random.default_rng(1)
        for p in self.parameters:
            self.starts[p] = rng.normal(0, 0.3, p.shape) if p.ndim > 1 else rng.normal(0.5 if "gamma" in p.name else 0.0, 0.1, p.shape)

    @property
    def parameters(self) -> list[gx.Tensor]:
        """All of them, each once."""
        return list(dict.fromkeys(p for part in self.over for p in part))

    def begin(self) -> None:
        """Set the parameters to the first weights."""
        for p, value in self.starts.items():
            p.value = value


def _of_torch(lesson: Lesson, kind: str) -> tuple[Any, dict[gx.Tensor, Any], dict[str, Any]]:
    torch = pytest.importorskip("torch")
    floats = getattr(torch, kind)
    variables = {p: torch.tensor(v, dtype=floats, requires_grad=True) for p, v in lesson.starts.items()}
    arrays = {x.name: torch.tensor(v, dtype=floats if v.dtype.kind == "f" else None) for x, v in lesson.data.items()}
    return torch, variables, {**arrays, **{p.name: v for p, v in variables.items()}}


def first_gradients(lesson: Lesson) -> None:
    """The evaluator's loss and gradients in double precision are PyTorch's to 1e-9."""
    lesson.begin()
    torch, variables, tensors = _of_torch(lesson, "float64")
    for loss, torch_loss, over in zip(lesson.losses, lesson.torch_losses, lesson.over, strict=True):
        used = {x: lesson.data[x] for x in gx.leaves(loss).values() if x in lesson.data}
        ours = gx.evaluate([loss, *gx.grad(loss, list(over))], used)
        value = torch_loss(torch, tensors)
        theirs = torch.autograd.grad(value, [variables[p] for p in over])
        np.testing.assert_allclose(ours[0], value.item(), rtol=1e-9)
        for p, a, b in zip(over, ours[1:], theirs, strict=True):
            np.testing.assert_allclose(a, b.numpy(), rtol=1e-9, atol=1e-9 * max(1.0, float(b.abs().max())), err_msg=p.name)


def compiled_steps(lesson: Lesson, target: str) -> list[Any]:
    """For each loss a compiled step: the loss, and the updates of its own parameters."""
    found: list[Any] = []
    for k, (loss, over) in enumerate(zip(lesson.losses, lesson.over, strict=True)):
        updates = gx.optimizers.Adam(lesson.rate, epsilon_after_correction=True).updates(loss, list(over))
        found.append(gx.compile([loss, *updates, *(lesson.extra if k == 0 else ())], target=target))
    return found


def train_beside_torch(lesson: Lesson, target: str = "cpu", rtol: float = 1e-3) -> list[float]:
    """Twenty steps from the same weights in float32: every loss and the last weights are PyTorch's."""
    lesson.begin()
    torch, variables, tensors = _of_torch(lesson, "float32")
    optimizers = [torch.optim.Adam([variables[p] for p in over], lr=lesson.rate, eps=1e-7) for over in lesson.over]
    steps = compiled_steps(lesson, target)
    inputs = [{x.name: lesson.data[x] for x in gx.leaves([loss]).values() if x in lesson.data} for loss in lesson.losses]
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(STEPS):
        for k, step in enumerate(steps):
            others = {p: p.value for p in lesson.parameters if p not in lesson.over[k]}
            ours.append(float(step(**inputs[k])[0]))
            assert all(np.array_equal(p.value, v) for p, v in others.items()), "a step changed parameters that are not its own"
            optimizers[k].zero_grad()
            loss = lesson.torch_losses[k](torch, tensors)
            loss.backward()
            optimizers[k].step()
            theirs.append(loss.item())
    np.testing.assert_allclose(ours, theirs, rtol=rtol)
    for p, v in variables.items():
        np.testing.assert_allclose(p.value, v.detach().numpy(), rtol=rtol, atol=rtol * float(v.abs().max().item()), err_msg=p.name)
    return ours


def drawn(*targets: gx.Tensor, backward: bool = False) -> str:
    """The picture of a lesson: well-formed, and with a text for those who do not see it."""
    svg = gx.draw(list(targets), backward=backward).svg
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert root.find("{http://www.w3.org/2000/svg}desc") is not None
    return svg
