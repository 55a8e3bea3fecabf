"""What a file gives back of a user's own layers, losses and rules: their formulas, which is all that a model needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer
from graphc.layers.output import LayerOutput
from graphc.models.reuse import apply_again
from graphc.optimizers.base import Optimizer

__all__ = ["RestoredLayer", "RestoredLoss", "RestoredOptimizer", "RestoredSchedule"]


class RestoredLayer(Layer):
    """A layer from a file: its weights, and the formula between its inputs and its output."""

    def __init__(self, name: str, kind: str, trainable: bool) -> None:
        super().__init__(name=name, trainable=trainable)
        self.kind = kind
        self.parts: list[Layer] = []
        self.built = True

    def own(self, weights: list[tuple[str, Tensor]]) -> None:
        """Take the weights."""
        self._own = weights
        for name, w in weights:
            if name.isidentifier() and not hasattr(self, name):
                setattr(self, name, w)

    def call(self, *inputs: Any) -> Any:
        """The formula on other inputs."""
        if self.output is None or not isinstance(self.output.op, LayerOutput) or not self.output.op.inputs:
            raise DeclarationError(f"{self.name} was saved inside another layer and cannot be called by itself")
        return apply_again([self.output.inputs[0]], list(self.output.op.inputs), list(inputs))[0]


class RestoredLoss:
    """A loss of the user's from a file: it stands in the saved formulas, and cannot be applied to targets of another kind."""

    def __init__(self, name: str, targets: Any) -> None:
        self.name, self.targets = name, targets
        self.__name__ = name

    def __call__(self, y_true: Any, y_pred: Any) -> Tensor:
        """There is no function any more."""
        return self.entries(y_true, y_pred)

    def entries(self, y_true: Any, y_pred: Any) -> Tensor:
        """There is no function any more."""
        raise DeclarationError(f"the loss or metric {self.name} is your own, and files hold no code: call model.compile(...) with it again")


class RestoredSchedule:
    """A schedule of the user's from a file: it stands in the saved formulas of training."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, step: Any) -> Any:
        """There is no function any more."""
        raise DeclarationError(f"the schedule {self.name} is your own, and files hold no code: call model.compile(...) with it again")

    def __repr__(self) -> str:
        return f"<schedule {self.name} of a file>"


class RestoredOptimizer(Optimizer):
    """An optimizer with a rule of the user's from a file: the saved formulas hold the rule."""

    def __init__(self, names: list[str], name: str, learning_rate: Any) -> None:
        super().__init__(learning_rate, name=name)
        self._names = names

    def state(self) -> Mapping[str, Any]:
        """The names of the states."""
        return dict.fromkeys(self._names, 0.0)

    def rule(self, p: Tensor, g: Tensor, state: dict[str, Tensor], t: Tensor, lr: Any) -> Any:
        """There is no function any more."""
        raise DeclarationError(f"the rule of {self.name} is your own, and files hold no code: call model.compile(...) with it again")
