"""What a file gives back of a user's own layers, losses and rules: their formulas, which is all that a model needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.build import operand
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer
from graphc.layers.mask import mask_of, masked, masks_of
from graphc.models.calls import GIVEN_MASKS, SavedCall, flat, named
from graphc.models.reuse import apply_again
from graphc.ops.layout import broadcast_to
from graphc.optimizers.base import Optimizer

__all__ = ["RestoredLayer", "RestoredLoss", "RestoredOptimizer", "RestoredSchedule"]


class RestoredLayer(Layer):
    """A layer from a file: its weights, its terms of the loss, and the formula of one of its calls."""

    def __init__(self, name: str, kind: str, trainable: bool) -> None:
        super().__init__(name=name, trainable=trainable)
        self.kind = kind
        self.parts: list[Layer] = []
        self.saved: SavedCall | None = None
        self.built = True

    def own(self, weights: list[tuple[str, Tensor]], terms: Sequence[tuple[Tensor, tuple[Tensor, ...]]] = ()) -> None:
        """Take the weights, and the terms of the loss with the outputs of their calls."""
        self._own = weights
        self._losses = [t for t, _ in terms]
        self._calls = {t: outputs for t, outputs in terms if outputs}
        for name, w in weights:
            if name.isidentifier() and not hasattr(self, name):
                setattr(self, name, w)

    def remember(self, call: SavedCall) -> None:
        """Take the formula of a call."""
        self.saved, self.supports_masking = call, call.masking == "passes"

    def __call__(self, *inputs: Any, training: bool | None = None, **options: Any) -> Any:
        """The saved call on other tensors.

        Raises:
            DeclarationError: for a call that differs from the saved one in more than its tensors.
        """
        saved = self._saved()
        given = [[operand(t) for t in x] if isinstance(x, list | tuple) else operand(x) for x in inputs]
        if options.get("mask") is None and "mask" in saved.accepts:
            found = _filled(saved.values.get("mask"), masks_of(given), given[0] if len(given) == 1 else given)
            options |= {"mask": found} if flat([found]) else {}
        options = {k: self._operands(k, v) for k, v in options.items()}
        values = named(saved.names, saved.defaults, given, options)
        self._require_alike(saved, values, training)
        options[GIVEN_MASKS] = self._masks(saved, flat(values[k] for k in saved.values))
        return super().__call__(*given, training=None if saved.training is not None else training, **options)

    def _saved(self) -> SavedCall:
        if self.saved is None:
            raise DeclarationError(
                f"{self.name} was saved inside another layer, or before files held calls, so it cannot be called: save the model anew where it "
                "was declared, or declare a new layer and give it these weights by set_weights"
            )
        return self.saved

    def _operands(self, name: str, value: Any) -> Any:
        """An argument as tensors, where the saved call has tensors."""
        saved = self._saved().values.get(name)
        if isinstance(saved, Tensor):
            return value if value is None or isinstance(value, Tensor | list | tuple) else operand(value)
        if isinstance(saved, list) and isinstance(value, list | tuple):
            return [v if isinstance(v, Tensor) else operand(v) for v in value]
        return value

    def _require_alike(self, saved: SavedCall, values: Mapping[str, Any], training: bool | None) -> None:
        alike = set(values) == set(saved.values) and all(_alike(values[k], v) for k, v in saved.values.items())
        if not alike or (saved.training is not None and training is not saved.training):
            shown = _shown(values, training)
            raise DeclarationError(
                f"{self.name} comes from a file, which holds the formula of {self.name}({_shown(saved.values, saved.training)}) and no code, and is "
                f"called as {self.name}({shown}): call it alike, or declare a new layer and give it these weights by set_weights"
            )

    def _masks(self, saved: SavedCall, given: Sequence[Tensor]) -> list[Tensor]:
        """The masks of what is given, where the saved call had one; everything counts where there is none now."""
        made: list[Tensor] = []
        for tensor, old in zip(given, saved.given_masks, strict=True):
            new = mask_of(tensor)
            if old is not None:
                made.append(_everything(tensor, old.ndim) if new is None else new)
            elif new is not None and saved.masking == "formula":
                raise DeclarationError(
                    f"{self.name} comes from a file, which holds its formula without a mask, and {tensor.describe()} carries one: declare a new "
                    "layer and give it these weights by set_weights"
                )
        return made

    def call(self, *inputs: Any, **options: Any) -> Any:
        """The formula on other inputs."""
        saved = self._saved()
        values = named(saved.names, saved.defaults, inputs, options)
        made = iter(apply_again(saved.ends, saved.tensors, [*flat(values[k] for k in saved.values), *options[GIVEN_MASKS]]))
        results = [next(made) for _ in saved.results]
        masks = [None if m is None else next(made) for m in saved.masks]
        self._losses += list(made)
        results = [masked(t, m) for t, m in zip(results, masks, strict=True)]
        return results if saved.several else results[0]


def _filled(saved: Any, new: Any, given: Any) -> Any:
    """Masks, with those that are true everywhere where the saved call had some and there are none now."""
    if isinstance(saved, Tensor) and new is None and isinstance(given, Tensor):
        return _everything(given, saved.ndim)
    if isinstance(saved, list) and isinstance(new, list) and isinstance(given, list) and len(saved) == len(new) == len(given):
        return [_filled(s, n, g) for s, n, g in zip(saved, new, given, strict=True)]
    return new


def _everything(tensor: Tensor, ndim: int) -> Tensor:
    """A mask that is true everywhere, for the first axes of a tensor."""
    return broadcast_to(True, tensor.shape[:ndim])


def _alike(new: Any, saved: Any) -> bool:
    if isinstance(saved, list):
        return isinstance(new, list | tuple) and len(new) == len(saved) and all(_alike(a, b) for a, b in zip(new, saved, strict=True))
    if isinstance(saved, Tensor) or saved is ... or isinstance(new, Tensor | list | tuple):
        return isinstance(saved, Tensor) and isinstance(new, Tensor)
    return bool(type(new) is type(saved) and new == saved)


def _shown(values: Mapping[str, Any], training: bool | None) -> str:
    """The arguments of a call, for messages."""

    def text(name: str, value: Any) -> str:
        if isinstance(value, list | tuple):
            value = f"[{len(value)} tensors]"
        elif isinstance(value, Tensor):
            return name if not name.startswith("*") else value.label
        return f"{name.lstrip('*0123456789')}={'...' if value is ... else value}".lstrip("=")

    told = [] if training is None else [f"training={training}"]
    return ", ".join([*(text(k, v) for k, v in values.items()), *told])


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
