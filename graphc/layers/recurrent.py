"""Recurrent layers: the inputs of all times are projected by one product, then a scan walks over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc import activations, initializers
from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import operand
from graphc.expr.dims import Extent
from graphc.expr.numbers import COUNT, DROPPED, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, check_names
from graphc.ops.arithmetic import where
from graphc.ops.joining import flip
from graphc.ops.layout import broadcast_to, swapaxes
from graphc.ops.random import bernoulli
from graphc.ops.recurrence import scan
from graphc.ops.state import by_phase

__all__ = ["GRU", "LSTM", "Recurrent", "SimpleRNN"]

States = tuple[Tensor, ...]
Project = Callable[[Tensor], Tensor]


class Recurrent(Layer):
    """What all recurrent layers have in common; a subclass gives the formula of one moment, :meth:`moment`."""

    gates = 1
    state_names: tuple[str, ...] = ("h",)
    recurrent_activation: Any = None

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None, bias_regularizer: Any = None, activity_regularizer: Any = None, dropout: float = 0.0,
        recurrent_dropout: float = 0.0, return_sequences: bool = False, return_state: bool = False, go_backwards: bool = False,
        stateful: bool = False, unroll: bool = False, zero_output_for_mask: bool = False, use_cudnn: Any = "auto", seed: int | None = None,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **options)
        kind = type(self).__name__
        (self.units,) = settings(kind, COUNT, units=units)
        self.dropout, self.recurrent_dropout = settings(kind, DROPPED, dropout=dropout, recurrent_dropout=recurrent_dropout)
        if stateful:
            raise DeclarationError(
                f"{kind}(stateful=True): a state is not kept from batch to batch: take it by return_state=True, give it as initial_state="
            )
        self.use_bias, self.activation = use_bias, activations.get(activation)
        first, penalties = (
            (kernel_initializer, recurrent_initializer, bias_initializer),
            (kernel_regularizer, recurrent_regularizer, bias_regularizer),
        )
        check_names(self, *first, penalties=penalties)
        self.kernel_initializer, self.recurrent_initializer, self.bias_initializer = first
        self.kernel_regularizer, self.recurrent_regularizer, self.bias_regularizer = penalties
        self.seed = seed
        self.return_sequences, self.return_state, self.go_backwards = return_sequences, return_state, go_backwards
        self.stateful, self.unroll, self.use_cudnn, self.zero_output_for_mask = stateful, unroll, use_cudnn, zero_output_for_mask
        self.kernel: Any = None
        self.recurrent_kernel: Any = None
        self.bias: Any = None

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """The shape of ``bias``."""
        return (self.gates * self.units,)

    def build(self, input_shape: Any) -> None:
        """Make ``kernel``, ``recurrent_kernel`` and ``bias``, each with all gates side by side."""
        shape: tuple[Extent, ...] = input_shape[0] if isinstance(input_shape, list) else input_shape
        if len(shape) != 3 or not isinstance(shape[-1], int):
            hint = "a recurrent layer before it gives them with return_sequences=True"
            raise ShapeError(f"{self.name} takes sequences (batch, time, features), the features a number, not {shape}: {hint}")
        wide = self.gates * self.units
        self.kernel = self.add_weight((shape[-1], wide), self.kernel_initializer, regularizer=self.kernel_regularizer, name="kernel")
        recurrent = self.recurrent_initializer
        self.recurrent_kernel = self.add_weight((self.units, wide), recurrent, regularizer=self.recurrent_regularizer, name="recurrent_kernel")
        if self.use_bias:
            self.bias = self.add_weight(self.bias_shape, self.first_bias, regularizer=self.bias_regularizer, name="bias")

    @property
    def first_bias(self) -> Any:
        """The initializer of ``bias``."""
        return self.bias_initializer

    def projected(self, x: Tensor) -> Tensor:
        """The inputs of all times through ``kernel``: (batch, time, gates * units)."""
        z = x @ self.kernel
        return z if self.bias is None else z + self.bias

    def moment(self, item: Tensor, states: States, project: Project) -> States:
        """The states of the next moment.

        Args:
            item: the projected input of this moment, (batch, gates * units).
            states: those of the moment before, the output first.
            project: gives the output of the moment before, with entries dropped, where that is asked for.
        """
        raise NotImplementedError

    def gate(self, z: Tensor, number: int) -> Tensor:
        """The columns of one gate."""
        return z[:, number * self.units : (number + 1) * self.units]

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The input's mask, where the output is a sequence."""
        return mask if self.return_sequences and isinstance(mask, Tensor) else None

    def call(self, sequences: Tensor, initial_state: Any = None, mask: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The outputs of all times or the last one, and with ``return_state`` the last states.

        Args:
            sequences: (batch, time, features).
            initial_state: the states to start from, each (batch, units); zeros by default.
            mask: truth values (batch, time): where false, the moment is passed over, and the states stay as they are.
        """
        batch = sequences.shape[0]
        starts = self._starts(initial_state, batch)
        items = [swapaxes(self.projected(self._dropped(sequences)), 0, 1)]
        mask = mask if isinstance(mask, Tensor) or mask is None else operand(mask)
        if mask is not None:
            items.append(swapaxes(mask, 0, 1))
        keep = bernoulli((batch, self.units), 1 - self.recurrent_dropout) / (1 - self.recurrent_dropout) if self.recurrent_dropout else None

        def project(h: Tensor) -> Tensor:
            return h if keep is None else by_phase(training=h * keep, inference=h)

        def step(states: States, given: States) -> tuple[States, Tensor]:
            following = self.moment(given[0], states, project)
            out = following[0]
            if mask is not None:
                here = given[1][:, None]
                following = tuple(where(here, new, old) for new, old in zip(following, states, strict=True))
                out = where(here, out, 0.0) if self.zero_output_for_mask else following[0]
            return following, out

        last, outputs = scan(step, tuple(items), tuple(starts), reverse=self.go_backwards)
        result = last[0]
        if self.return_sequences:
            result = swapaxes(outputs, 0, 1)
            result = flip(result, 1) if self.go_backwards else result
        return [result, *last] if self.return_state else result

    def _starts(self, given: Any, batch: Extent) -> list[Tensor]:
        if given is None:
            return [broadcast_to(0.0, (batch, self.units)).named(name) for name in self.state_names]
        states = [operand(t) for t in (given if isinstance(given, list | tuple) else [given])]
        fits = [len(t.shape) == 2 and t.shape[1] == self.units for t in states]
        if len(states) != len(self.state_names) or not all(fits):
            wanted = " and ".join(f"{name} (batch, {self.units})" for name in self.state_names)
            raise ShapeError(f"{self.name} starts from {wanted}, and initial_state is {', '.join(t.describe() for t in states)}")
        return states

    def _dropped(self, x: Tensor) -> Tensor:
        """In training the same features of a sequence are dropped at all its times."""
        if not self.dropout:
            return x
        keep = bernoulli((x.shape[0], x.shape[2]), 1 - self.dropout) / (1 - self.dropout)
        return by_phase(training=x * keep[:, None, :], inference=x)


class SimpleRNN(Recurrent):
    r"""A recurrent layer of one formula: :math:`h_t = \tanh(x_t W + h_{t-1} U + b)`.

    Source: Elman, Cognitive Science 14 (1990).

    Args:
        units: the width of the state.
        activation: of the state.
        dropout, recurrent_dropout: the share of the inputs and of the states that is dropped in training, the same ones at
            all times of a sequence.
        return_sequences: the outputs of all times, (batch, time, units), not the last alone.
        return_state: the last state beside the output.
        go_backwards: from the last moment to the first; a sequence of outputs is in the order of the walk.
        zero_output_for_mask: zeros in a sequence of outputs where a mask is false, not the output of the moment before.
        options: those that all recurrent layers have in Keras: initializers and penalties of ``kernel``, ``recurrent_kernel``
            and ``bias``; ``unroll``, ``use_cudnn`` and ``seed`` are taken for its sake.

    Shapes: (batch, time, features) to (batch, units); weights ``kernel`` (features, units), ``recurrent_kernel`` (units,
    units), ``bias`` (units,).

    Example:
        >>> import graphc as gx
        >>> gx.layers.SimpleRNN(8, return_sequences=True)(gx.layers.Input((20, 3))).shape
        (n, 20, 8)
    """

    def moment(self, item: Tensor, states: States, project: Project) -> States:
        """The next state."""
        return (self.activation(item + project(states[0]) @ self.recurrent_kernel),)


class _Gated(Recurrent):
    def __init__(self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True, **options: Any) -> None:
        super().__init__(units, activation, use_bias, **options)
        self.recurrent_activation = activations.get(recurrent_activation)


class LSTM(_Gated):
    r"""Long short-term memory: :math:`c_t = f \odot c_{t-1} + i \odot \tilde c`, :math:`h_t = o \odot \tanh(c_t)`.

    The gates are :math:`\sigma(x_t W + h_{t-1} U + b)`, in the order input, forget, content, output.

    Source: Hochreiter and Schmidhuber, Neural Computation 9 (1997); Gers, Schmidhuber and Cummins, Neural Computation 12 (2000).

    Args:
        units: the width of the state.
        activation, recurrent_activation: of the content and the output; of the gates.
        unit_forget_bias: the bias of the forget gate starts at 1.
        options: as for :class:`SimpleRNN`.

    Shapes: (batch, time, features) to (batch, units); weights ``kernel`` (features, 4 units), ``recurrent_kernel`` (units, 4
    units), ``bias`` (4 units,). The states are h and c, each (batch, units).

    Example:
        >>> import graphc as gx
        >>> layer = gx.layers.LSTM(8, return_state=True)
        >>> [t.shape for t in layer(gx.layers.Input((20, 3)))]
        [(n, 8), (n, 8), (n, 8)]
        >>> [w.shape for w in layer.weights]
        [(3, 32), (8, 32), (32,)]
    """

    gates = 4
    state_names = ("h", "c")

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True, unit_forget_bias: bool = True,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(units, activation, recurrent_activation, use_bias, **options)
        self.unit_forget_bias = unit_forget_bias

    @property
    def first_bias(self) -> Any:
        """The initializer of ``bias``: ones for the forget gate, where that is asked for."""
        return _ForgetOnes(self.bias_initializer, self.units) if self.unit_forget_bias else self.bias_initializer

    def moment(self, item: Tensor, states: States, project: Project) -> States:
        """The next output and content."""
        z = item + project(states[0]) @ self.recurrent_kernel
        keep, new = self.recurrent_activation(self.gate(z, 1)), self.recurrent_activation(self.gate(z, 0))
        content = keep * states[1] + new * self.activation(self.gate(z, 2))
        return self.recurrent_activation(self.gate(z, 3)) * self.activation(content), content


class _ForgetOnes(initializers.Initializer):
    """The bias of an LSTM whose forget gate starts open."""

    def __init__(self, rest: Any, units: int) -> None:
        self.rest, self.units = initializers.get(rest), units

    def values(self, shape: tuple[int, ...], generator: np.random.Generator) -> Any:
        """The rest's values, with ones in the second quarter."""
        made = self.rest(shape, generator) if isinstance(self.rest, initializers.Initializer) else self.rest(shape)
        made = np.array(made, dtype=np.float64)
        made[self.units : 2 * self.units] = 1.0
        return made


class GRU(_Gated):
    r"""Gated recurrent unit: :math:`h_t = z \odot h_{t-1} + (1 - z) \odot \tilde h`.

    The gates are in the order update z, reset r, new state. With ``reset_after`` the reset gate acts on
    :math:`h_{t-1} U + b`, otherwise on :math:`h_{t-1}` itself.

    Source: Cho et al., EMNLP 2014, arXiv 1406.1078.

    Args:
        units: the width of the state.
        activation, recurrent_activation: of the new state; of the gates.
        reset_after: the reset gate acts after the product with the recurrent kernel, which then has a bias of its own.
        options: as for :class:`SimpleRNN`.

    Shapes: (batch, time, features) to (batch, units); weights ``kernel`` (features, 3 units), ``recurrent_kernel`` (units, 3
    units), ``bias`` (2, 3 units), or (3 units,) without ``reset_after``.

    Example:
        >>> import graphc as gx
        >>> layer = gx.layers.GRU(8)
        >>> layer(gx.layers.Input((20, 3))).shape, layer.bias.shape
        ((n, 8), (2, 24))
    """

    gates = 3

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True, reset_after: bool = True,
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(units, activation, recurrent_activation, use_bias, **options)
        self.reset_after = reset_after

    @property
    def bias_shape(self) -> tuple[int, ...]:
        """One bias for the inputs and, with ``reset_after``, one for the states."""
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def projected(self, x: Tensor) -> Tensor:
        """The inputs of all times through ``kernel``, with their own bias."""
        z = x @ self.kernel
        return z if self.bias is None else z + (self.bias[0] if self.reset_after else self.bias)

    def moment(self, item: Tensor, states: States, project: Project) -> States:
        """The next state."""
        h, before, kernel = states[0], project(states[0]), self.recurrent_kernel
        inner = before @ (kernel if self.reset_after else kernel[:, : 2 * self.units])
        if self.reset_after and self.bias is not None:
            inner = inner + self.bias[1]
        update, reset = (self.recurrent_activation(self.gate(item, k) + self.gate(inner, k)) for k in (0, 1))
        rest = reset * self.gate(inner, 2) if self.reset_after else (reset * before) @ kernel[:, 2 * self.units :]
        return (update * h + (1 - update) * self.activation(self.gate(item, 2) + rest),)
