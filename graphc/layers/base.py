"""What a layer is: weights, made when the layer first sees an input, and a formula of tensors."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphc import initializers, regularizers
from graphc.errors import DeclarationError
from graphc.expr.build import operand
from graphc.expr.carry import collecting
from graphc.expr.dims import Extent
from graphc.expr.numbers import AXIS, listed, settings
from graphc.expr.tensor import Tensor, make
from graphc.layers.mask import mask_of, masks_of
from graphc.layers.naming import free_name, snake_case, unique
from graphc.layers.output import Called, LayerOutput
from graphc.layers.phase import collected, in_both, in_one
from graphc.ops.reduction import mean
from graphc.ops.state import parameter, shape_of, state

__all__ = ["Layer", "axes_given", "check_names", "entries_of"]

Shape = tuple[Extent, ...]
_numbers = itertools.count()


def entries_of(shape: Any) -> tuple[Any, ...]:
    """The entries of a shape as the user gives it: a tuple, a list, an array, or one entry alone."""
    given = listed(shape)
    return tuple(given) if isinstance(given, list | tuple) else (given,)


def axes_given(layer: Layer, axis: Any) -> int | tuple[int, ...]:
    """One axis, or several, as Python's numbers.

    Raises:
        DeclarationError: for what is no whole number.
    """
    given = listed(axis)
    found = tuple(settings(type(layer).__name__, AXIS, axis=a)[0] for a in entries_of(given))
    return found if isinstance(given, list | tuple) else found[0]


class Layer:
    """The base of layers: a subclass gives ``call``, and ``build`` where it has weights.

    Args:
        name: by default the class's name, ``dense``, numbered among the layers that read the same
            inputs, and anew when a model is built of it.
        trainable: whether training changes the weights.
        input_shape, input_dim: the shape of one sample, for the first layer of a ``Sequential``.

    Example:
        >>> import graphc as gx
        >>> class Scale(gx.layers.Layer):
        ...     def build(self, input_shape):
        ...         self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")
        ...
        ...     def call(self, x):
        ...         return x * self.gain
        >>> Scale()(gx.layers.Input((3,))).shape
        (n, 3)
    """

    supports_masking: bool = False  # whether the output's mask is the input's

    _name: str | None
    _path: str
    _trainable: bool
    built: bool
    output: Tensor | None
    sample_shape: tuple[Any, ...] | None
    _made: int  # the number of this layer among all, in the order of their making
    _own: list[tuple[str, Tensor]]
    _penalties: list[tuple[Tensor, Callable[[Tensor], Tensor]]]
    _losses: list[Tensor]
    _calls: dict[Tensor, tuple[Tensor, ...]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG004, D102
        # A subclass that sets attributes before super().__init__() still finds what a layer needs.
        self = super().__new__(cls)
        self._name, self._path, self._trainable, self.built, self.output = None, "", True, False, None
        self._made = next(_numbers)
        self.sample_shape, self._own, self._penalties, self._losses, self._calls = None, [], [], [], {}
        return self

    def __init__(
        self,
        name: str | None = None,
        trainable: bool = True,
        input_shape: Sequence[Any] | None = None,
        input_dim: int | None = None,
        activity_regularizer: Any = None,
    ) -> None:
        if name is not None and (not isinstance(name, str) or not name):
            raise DeclarationError(f"name={name!r} of a layer: it is a text that is not empty")
        self._name, self._path, self._trainable = name, name or "", bool(trainable)
        shape = (input_dim,) if input_dim is not None else input_shape
        self.sample_shape = None if shape is None else entries_of(shape)
        self.activity_regularizer = regularizers.get(activity_regularizer)

    @property
    def name(self) -> str:
        """The layer's name: the one given, or the one that its model gave it."""
        return self._path.rpartition("/")[2] or self._name or snake_case(type(self).__name__)

    @property
    def path(self) -> str:
        """The name with the models that the layer stands in: ``encoder/dense``."""
        return self._path or self.name

    def build(self, input_shape: Any) -> None:
        """Make the weights; ``input_shape`` is the shape of the input, or a list of shapes for several inputs."""

    def call(self, *inputs: Any) -> Any:
        """The layer's formula: tensors in, tensors out."""
        raise NotImplementedError(f"{type(self).__name__} has no call(self, x)")

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The mask of the output, given that of the input or ``None``: the same, where ``supports_masking`` is set."""
        return mask if self.supports_masking and isinstance(mask, Tensor) else None

    def __call__(self, *inputs: Any, training: bool | None = None, **options: Any) -> Any:
        """Apply the layer to tensors; the weights are made at the first time.

        Args:
            inputs: tensors, or lists of tensors.
            training: ``True`` or ``False`` takes one of the two readings, for training and inference alike.
            options: for ``call``; ``mask``, where it has one, is that of the input, if none is given.
        """
        given = [[operand(t) for t in x] if isinstance(x, list | tuple) else operand(x) for x in inputs]
        mask = options.get("mask")
        if mask is None:
            mask = masks_of(given)
            if _tensors_in(mask) and "mask" in inspect.signature(self.call).parameters:
                options["mask"] = mask
        flat = _tensors_in([given, list(options.values())])
        if not self._path:
            self._path = free_name(self.name, flat)
        self._ensure_built(given)
        before = len(self._losses)
        result = self.read(given, training, options)
        mask = self.compute_mask(given[0] if len(given) == 1 else given, mask)
        several = isinstance(result, list | tuple)
        found: list[Tensor] = list(result) if several else [result]
        masks = list(mask) if several and isinstance(mask, list | tuple) else [mask, *[None] * (len(found) - 1)]
        # A mask that a layer within has given stays, as long as this one has none of its own.
        masks = [mask_of(t) if m is None else m for t, m in zip(found, masks, strict=True)]
        call = Called(tuple(given), {k: _known(v) for k, v in options.items()}, training, tuple(found), tuple(masks), several)
        outputs = [self._mark(t, flat, m, call) for t, m in zip(found, masks, strict=True)]
        self.output = outputs[0]
        marked = type(result)(outputs) if several else outputs[0]
        self._losses += self.activity_terms(marked)
        # A term belongs to the models that this call is part of.
        self._calls |= dict.fromkeys(self._losses[before:], tuple(outputs))
        return marked

    def activity_terms(self, result: Any) -> list[Tensor]:
        """The penalties on what the layer gives for a batch, on each tensor of several; as in Keras 3 they are not divided by the batch's size."""
        regularizer = getattr(self, "activity_regularizer", None)
        if regularizer is None:
            return []
        return [regularizer(t) for t in (result if isinstance(result, list | tuple) else [result])]

    def read(self, given: list[Any], training: bool | None, options: Mapping[str, Any]) -> Any:
        """What ``call`` gives, in one reading or in both: a ``call`` that has an argument ``training`` is told which."""
        start, count = len(self._losses), len(given)
        names = [k for k, v in options.items() if _only_tensors(v)]
        rest = {k: v for k, v in options.items() if k not in names}
        given = [*given, *(options[k] for k in names)]

        def made(inputs: list[Any], **more: bool) -> Any:
            named = dict(zip(names, inputs[count:], strict=True))
            return collected(lambda: self.call(*inputs[:count], **named, **rest, **more), lambda: self._losses[start:])

        if "training" not in inspect.signature(self.call).parameters:
            return made(given) if training is None else in_one(made, given, training, self._losses)
        if training is not None:
            return made(given, training=training)
        return in_both(lambda now: made(given, training=now), self._losses)

    def _ensure_built(self, given: list[Any]) -> None:
        if self.built:
            return
        shapes = [[t.shape for t in x] if isinstance(x, list) else x.shape for x in given]
        with collecting(apart=True):  # what is called while it is built is no part of a call around
            self.build(shapes[0] if len(shapes) == 1 else shapes)
        self.built = True

    def _mark(self, result: Tensor, inputs: list[Tensor], mask: Any, call: Called) -> Tensor:
        op = LayerOutput(mask, self, tuple(inputs), call)
        return make(op, (result,), result.shape, result.dtype, name=self._path, call=result.call)

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = "glorot_uniform",
        dtype: str = "float",
        trainable: bool = True,
        regularizer: Any = None,
        name: str = "weight",
    ) -> Tensor:
        """A weight of this layer: a parameter, or a state where it is not trainable.

        Args:
            shape: numbers only.
            initializer: a name, an initializer, a number or an array.
            dtype: the kind of its entries.
            trainable: whether training changes it.
            regularizer: a penalty on it that is added to the loss.
            name: the weight is called ``layer/name``, and a second one of that name ``layer/name_1``.
        """
        name = unique(name, {n for n, _ in self._own})
        kind = "int" if "int" in str(dtype) else "bool" if "bool" in str(dtype) else "float"
        made = (parameter if trainable else state)(f"{self._path or self.name}/{name}", shape_of(shape, name), init=initializer, dtype=kind)
        penalty = regularizers.get(regularizer)
        self._own.append((name, made))
        if penalty is not None:
            self._penalties.append((made, penalty))
        return made

    def add_loss(self, loss: Any) -> None:
        """Add a term to the loss of the model that this layer belongs to; entries are averaged."""
        term = operand(loss)
        self._losses.append(mean(term) if term.ndim else term)

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. Setting it sets it in all layers within, too."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: Any) -> None:
        self.set_flags(dict.fromkeys(self.nested, bool(value)))

    @property
    def flags(self) -> dict[Layer, bool]:
        """Of this layer and of all within it, whether training changes its weights."""
        return {layer: layer.trainable for layer in self.nested}

    def set_flags(self, flags: Mapping[Layer, bool]) -> None:
        """Set :attr:`trainable` of single layers."""
        for layer, value in flags.items():
            layer._trainable = value

    @property
    def sublayers(self) -> list[Layer]:
        """The layers that are attributes of this one, or stand in its lists."""
        found: dict[Layer, None] = {}
        for key, value in vars(self).items():
            if not key.startswith("_"):
                found.update(dict.fromkeys(_layers_in(value)))
        return list(found)

    @property
    def nested(self) -> Iterator[Layer]:
        """This layer and all within it."""
        yield self
        for layer in self.sublayers:
            yield from layer.nested

    @property
    def weights(self) -> list[Tensor]:
        """All weights: the layer's own, first those that are trained, in the order of their making; then those of its sublayers."""
        own = [w for kind in ("parameter", "state") for _, w in self._own if w.kind == kind]
        return list(dict.fromkeys([*own, *(w for layer in self.sublayers for w in layer.weights)]))

    @property
    def own_weights(self) -> list[tuple[str, Tensor]]:
        """The layer's own weights with their names in it, without those of its sublayers."""
        return list(self._own)

    @property
    def trainable_weights(self) -> list[Tensor]:
        """The weights that training changes."""
        if not self.trainable:
            return []
        own = [w for _, w in self._own if w.kind == "parameter"]
        return list(dict.fromkeys([*own, *(w for layer in self.sublayers for w in layer.trainable_weights)]))

    @property
    def non_trainable_weights(self) -> list[Tensor]:
        """The weights that training leaves as they are."""
        changed = self.trainable_weights
        return [w for w in self.weights if w not in changed]

    trainable_variables = trainable_weights
    variables = weights

    @property
    def losses(self) -> list[Tensor]:
        """The terms that this layer adds to the loss: penalties on weights, and what was given to :meth:`add_loss`."""
        return [t for t, _ in self.loss_terms]

    @property
    def loss_terms(self) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """The terms of :attr:`losses`, each with the outputs of the call that made it; none where no call did."""
        return self.own_terms + [pair for layer in self.sublayers for pair in layer.loss_terms]

    @property
    def own_terms(self) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """The layer's own :attr:`loss_terms`, without those of its sublayers."""
        own = [penalty(w) for w, penalty in self._penalties] + self._losses
        return [(t, self._calls.get(t, ())) for t in own]

    def get_weights(self) -> list[Any]:
        """The values of the weights as arrays, in the order of :attr:`weights`."""
        return [w.value for w in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the values of the weights, in the order of :attr:`weights`.

        Raises:
            DeclarationError: for a wrong number of arrays, or one of another shape.
        """
        mine = self.weights
        count = len(weights) if isinstance(weights, Sequence | np.ndarray) else 0
        if count != len(mine):
            raise DeclarationError(f"{self.name} has {len(mine)} weights, and {count} arrays are given: {', '.join(w.describe() for w in mine)}")
        for w, value in zip(mine, weights, strict=True):
            w.value = value

    def count_params(self) -> int:
        """The number of entries of all weights."""
        total = 0
        for w in self.weights:
            size = 1
            for extent in w.shape:
                size *= int(extent)
            total += size
        return total

    def rename(self, path: str) -> None:
        """Give the layer and its weights a name; sublayers of one class are numbered."""
        self._path = path
        for name, w in self._own:
            w.name = f"{path}/{name}"
        taken: set[str] = {name for name, _ in self._own}
        for layer in self.sublayers:
            layer.rename(f"{path}/{unique(layer.base_name, taken)}")

    @property
    def base_name(self) -> str:
        """The name given by the user, or the class's."""
        return self._name or snake_case(type(self).__name__)

    def __repr__(self) -> str:
        return f"<layer {self.name} ({type(self).__name__})>"


def check_names(layer: Layer, *first: Any, penalties: Sequence[Any] = ()) -> None:
    """Look up the initializers and the penalties that a layer is given, so that a misspelt name is told on the layer's line.

    Raises:
        DeclarationError: for a name that is unknown.
    """
    try:
        for init in first:
            initializers.get(init)
        for penalty in penalties:
            regularizers.get(penalty)
    except DeclarationError as error:
        raise DeclarationError(f"{type(layer).__name__}: {error}") from None


def _only_tensors(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, list | tuple) and bool(value) and all(isinstance(t, Tensor) for t in value))


def _known(value: Any) -> Any:
    """An option as far as a file can hold it."""
    if isinstance(value, list | tuple):
        return [_known(v) for v in value]
    return value if value is None or isinstance(value, bool | int | float | str | Tensor) else ...


def _tensors_in(value: Any) -> list[Tensor]:
    if isinstance(value, list | tuple):
        return [t for entry in value for t in _tensors_in(entry)]
    return [value] if isinstance(value, Tensor) else []


def _layers_in(value: Any) -> Iterator[Layer]:
    if isinstance(value, Layer):
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _layers_in(entry)
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _layers_in(entry)
