"""Layers in a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.carry import collecting
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer
from graphc.layers.core import Activation, Input
from graphc.models.model import Model

__all__ = ["Sequential"]


class Sequential(Model):
    """A model of layers in a row; it is built when it knows its input: by an ``Input``, by ``build``, or by data.

    Args:
        layers: layers, models, activation functions or their names; the first may be an ``Input``.
        name: by default ``sequential``.

    Example:
        >>> import graphc as gx
        >>> model = gx.models.Sequential([gx.layers.Input((30,)), gx.layers.Dense(10, activation="relu"), gx.layers.Dense(1)])
        >>> [w.name for w in model.weights]
        ['dense/kernel', 'dense/bias', 'dense_1/kernel', 'dense_1/bias']
    """

    def __init__(self, layers: Sequence[Any] | None = None, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name, **options)
        if layers is not None and not isinstance(layers, Iterable):
            raise DeclarationError(f"Sequential({layers!r}): its layers are given as a list, gx.Sequential([...])")
        for layer in layers or ():
            self._append(layer)
        self._try_build()

    def _reset(self) -> None:
        super()._reset()
        self._row: list[Layer] = []
        self._start: Tensor | None = None

    def adopt(self, layers: Sequence[Layer], terms: Sequence[Tensor]) -> None:
        """Take layers and terms of the loss from a file; the layers are those in the row."""
        self._row, self._start = list(layers), self._inputs[0]
        super().adopt(layers, terms)

    def add(self, layer: Any) -> None:
        """Append a layer."""
        if self.optimizer is not None and self._outputs:
            self.plans = {}
        self._append(layer)
        self._try_build()

    def pop(self) -> Layer:
        """Take the last layer away and return it."""
        if not self._row:
            raise DeclarationError(f"{self.name} has no layers to take away")
        last = self._row.pop()
        self._outputs, self.built, self.plans = [], False, {}
        self._try_build()
        return last

    def _append(self, layer: Any) -> None:
        if isinstance(layer, Tensor) and layer.kind == "input":
            if self._row or self._start is not None:
                raise DeclarationError(f"{layer.describe()} stands inside {self.name}: an Input can only be the first of its layers")
            self._start = layer
            return
        if isinstance(layer, str) or (callable(layer) and not isinstance(layer, Layer | type)):
            layer = Activation(layer)
        if not isinstance(layer, Layer):
            raise DeclarationError(f"{layer!r} is no layer: {self.name} takes layers such as gx.layers.Dense(10)")
        if layer in self._row:
            raise DeclarationError(f"{layer.name} stands in {self.name} twice: make a second layer, or use gx.Model to share weights")
        given = {other.base_name for other in self._row if other._name is not None}
        if layer._name is not None and layer.base_name in given:
            raise DeclarationError(f"two layers of {self.name} are called {layer.base_name!r}: give each a name of its own")
        self._row.append(layer)

    def _try_build(self) -> None:
        if not self._row:
            return
        if self._start is None and self._row[0].sample_shape is not None:
            self._start = Input(self._row[0].sample_shape, dtype=getattr(self._row[0], "input_dtype", "float"))
        first = self._row[0]
        if self._start is None and isinstance(first, Model) and first.built and len(first.inputs) == 1:
            self._start = Input(first.inputs[0].shape[1:], dtype=first.inputs[0].dtype)
        if self._start is not None:
            self._build_on(self._start)

    def _build_on(self, start: Tensor) -> None:
        with collecting(apart=True):  # what is assigned on an input of its own is no part of a call around
            result = self._through(start)
        self._connect(start, result)

    def _through(self, x: Any) -> Any:
        for layer in self._row:
            x = layer(x)
        return x

    @property
    def layers(self) -> list[Layer]:
        """The layers in their order."""
        return list(self._row)

    @property
    def sublayers(self) -> list[Layer]:
        """The layers in their order."""
        return list(self._row)

    def call(self, *inputs: Any) -> Any:
        """All layers, one after the other."""
        return self._through(inputs[0])

    def _build_shapes(self, shapes: Sequence[Sequence[Any]], kinds: Sequence[str] | None) -> None:
        if not self._row:
            raise DeclarationError(f"{self.name} has no layers: add some with model.add(gx.layers.Dense(10))")
        kind = getattr(self._row[0], "input_dtype", (kinds or ["float"])[0])
        self._start = Input(tuple(shapes[0][1:]), dtype=kind)
        self._build_on(self._start)
