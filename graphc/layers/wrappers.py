"""Layers around another one: along time in both directions, and at each time by itself."""

from __future__ import annotations

import inspect
from typing import Any

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.dims import product
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer
from graphc.layers.recurrent import Recurrent
from graphc.ops.joining import concatenate, flip
from graphc.ops.layout import reshape

__all__ = ["Bidirectional", "TimeDistributed"]


class Bidirectional(Layer):
    """A recurrent layer twice, from the first moment to the last and from the last to the first.

    Source: Schuster and Paliwal, IEEE Transactions on Signal Processing 45 (1997).

    Args:
        layer: the layer, which is not used itself: two like it are made.
        merge_mode: how the two outputs are put together: ``"concat"``, ``"sum"``, ``"ave"``, ``"mul"``; with ``None`` both are given.
        weights: the first values of the weights, those of the layer that goes forward first.
        backward_layer: a layer that goes backwards, instead of one like ``layer``.
        options: ``name``, ``trainable``, ``input_shape``.

    Shapes: (batch, time, features) to (batch, 2 units), or (batch, time, 2 units) with ``return_sequences``.

    Example:
        >>> import graphc as gx
        >>> layer = gx.layers.Bidirectional(gx.layers.LSTM(8))
        >>> layer(gx.layers.Input((20, 3))).shape
        (n, 16)
        >>> layer.weights[3].name
        'bidirectional/backward_lstm/kernel'
    """

    def __init__(self, layer: Any, merge_mode: str | None = "concat", weights: Any = None, backward_layer: Any = None, **options: Any) -> None:
        super().__init__(**options)
        for given in (layer, *([] if backward_layer is None else [backward_layer])):
            if not isinstance(given, Recurrent):
                raise DeclarationError(f"Bidirectional takes a recurrent layer such as gx.layers.LSTM(8), not {given!r}")
        if merge_mode not in ("concat", "sum", "ave", "mul", None):
            raise DeclarationError(f"Bidirectional(merge_mode={merge_mode!r}): it is 'concat', 'sum', 'ave', 'mul' or None")
        self.sample_shape = self.sample_shape or layer.sample_shape
        self.merge_mode, self.weights_given = merge_mode, weights
        name = layer.base_name.removeprefix("forward_")
        self.forward_layer = _like(layer, name=f"forward_{name}")
        self.backward_layer = backward_layer or _like(layer, name=f"backward_{name}", go_backwards=not layer.go_backwards)
        first, second = self.forward_layer, self.backward_layer
        if first.go_backwards == second.go_backwards:
            raise DeclarationError("Bidirectional: one of its two layers goes backwards: give backward_layer go_backwards=True")
        if (first.return_sequences, first.return_state) != (second.return_sequences, second.return_state):
            raise DeclarationError("Bidirectional: its two layers must agree in return_sequences and in return_state")
        for part in (first, second):
            part.zero_output_for_mask = part.return_sequences
            part._trainable = self._trainable and part._trainable

    def build(self, input_shape: Any) -> None:
        """Make the weights of both layers."""
        for part in (self.forward_layer, self.backward_layer):
            part._path = part._path if "/" in part._path else f"{self.path}/{part.base_name}"
            if not part.built:
                part.build(input_shape)
                part.built = True
        if self.weights_given is not None:
            self.set_weights(self.weights_given)

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The input's mask, where the output is a sequence."""
        made = self.forward_layer.compute_mask(inputs, mask)
        count = len(self.forward_layer.state_names) * 2 if self.forward_layer.return_state else 0
        outputs = 2 if self.merge_mode is None else 1
        return [made] * outputs + [None] * count if outputs + count > 1 else made

    def call(self, sequences: Tensor, initial_state: Any = None, mask: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Both outputs put together, and with ``return_state`` the last states of both.

        Args:
            sequences: (batch, time, features).
            initial_state: the states of the first layer, then those of the second.
            mask: truth values (batch, time).
        """
        half = len(self.forward_layer.state_names)
        if initial_state is not None and (not isinstance(initial_state, list | tuple) or len(initial_state) != 2 * half):
            raise ShapeError(f"{self.name} starts from a list of {2 * half} states, those of {self.forward_layer.name} first")
        starts: tuple[Any, Any] = (None, None) if initial_state is None else (initial_state[:half], initial_state[half:])
        made: list[Any] = []
        for layer, start in zip((self.forward_layer, self.backward_layer), starts, strict=True):
            made.append(layer.call(sequences, start, mask))
            for term in layer.activity_terms(made[-1]):
                self.add_loss(term)
        states: list[Tensor] = []
        if self.forward_layer.return_state:
            states = [*made[0][1:], *made[1][1:]]
            made = [made[0][0], made[1][0]]
        if self.forward_layer.return_sequences:
            made[1] = flip(made[1], 1)
        merged = self._merged(made[0], made[1])
        return [*merged, *states] if len(merged) + len(states) > 1 else merged[0]

    def _merged(self, a: Tensor, b: Tensor) -> list[Tensor]:
        if self.merge_mode is None:
            return [a, b]
        if self.merge_mode == "concat":
            return [concatenate([a, b], -1)]
        return [a * b if self.merge_mode == "mul" else a + b if self.merge_mode == "sum" else (a + b) / 2]


def _like(layer: Any, **changed: Any) -> Any:
    """A layer of the same class and options, with weights of its own."""
    names = [n for cls in type(layer).__mro__ if issubclass(cls, Layer) for n in inspect.signature(cls.__init__).parameters]
    known = {n: getattr(layer, n) for n in dict.fromkeys(names) if n not in ("self", "options") and hasattr(layer, n)}
    return type(layer)(**{**known, **changed})


class TimeDistributed(Layer):
    """A layer applied at each time by itself: time is taken into the batch, and out of it again.

    Args:
        layer: the layer.
        options: ``name``, ``trainable``, ``input_shape``.

    Shapes: (batch, time, ...) to (batch, time, ...).

    Example:
        >>> import graphc as gx
        >>> gx.layers.TimeDistributed(gx.layers.Dense(5))(gx.layers.Input((20, 3))).shape
        (n, 20, 5)
    """

    supports_masking = True

    def __init__(self, layer: Layer, **options: Any) -> None:
        super().__init__(**options)
        if not isinstance(layer, Layer):
            raise DeclarationError(f"TimeDistributed takes a layer such as gx.layers.Dense(8), not {layer!r}")
        self.layer = layer

    def build(self, input_shape: Any) -> None:
        """Make the weights of the layer."""
        if len(input_shape) < 3:
            raise ShapeError(f"{self.name} takes (batch, time, ...), and is called on {input_shape}: it has no axis of time")
        self.layer._path = self.layer._path or f"{self.path}/{self.layer.base_name}"

    def call(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The layer at each time."""
        y = self.layer(reshape(x, (product(x.shape[:2]), *x.shape[2:])))
        return reshape(y, (*x.shape[:2], *y.shape[1:]))
