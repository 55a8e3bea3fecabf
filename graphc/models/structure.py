"""The graph of a model: its inputs, outputs, layers, weights and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from graphc.errors import DeclarationError
from graphc.expr.carry import collecting
from graphc.expr.graph import leaves, topological
from graphc.expr.operation import Leaf
from graphc.expr.tensor import METHODS, Tensor
from graphc.initializers import initialise
from graphc.layers.base import Layer
from graphc.layers.core import AutomaticInput, Input
from graphc.layers.mask import mask_of, masked
from graphc.layers.naming import free_name, unique
from graphc.layers.output import calls_of, layers_by_depth, layers_of
from graphc.models.feeding import features
from graphc.models.reuse import apply_again
from graphc.models.summary import summary_text

__all__ = ["Structure"]


class Structure(Layer):
    """Inputs, outputs and the layers between them: what a model is before it is trained."""

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name, **options)
        self._reset()
        if (inputs is None) != (outputs is None):
            raise DeclarationError("gx.Model takes inputs and outputs together: gx.Model(x, y)")
        if inputs is not None:
            self._connect(inputs, outputs)

    def _reset(self) -> None:
        self.seed = 0
        self._inputs: list[Tensor] = []
        self._keys: tuple[Any, ...] = ()  # what data may call the inputs beside their names
        self._outputs: list[Tensor] = []
        self._found_layers: list[Layer] = []
        self._bare: list[Tensor] = []
        self._several = False
        self._placed = False  # whether its layers bear its name before theirs

    def _connect(self, inputs: Any, outputs: Any, first: Sequence[Layer] = ()) -> None:
        """Take a graph as the model's: check it, name its layers and inputs; ``first``: layers that come before all others."""
        self._inputs = list(inputs) if isinstance(inputs, list | tuple) else list(inputs.values()) if isinstance(inputs, Mapping) else [inputs]
        self._keys = tuple(inputs) if isinstance(inputs, Mapping) else ()
        self._several = isinstance(outputs, list | tuple)
        results = list(outputs) if self._several else [outputs]
        for t in [*self._inputs, *results]:
            if not isinstance(t, Tensor):
                raise DeclarationError(f"gx.Model takes tensors, not {t!r}: gx.Model(inputs=x, outputs=y)")
        for t in self._inputs:
            if t.kind != "input" or not t.ndim:
                raise DeclarationError(f"{t.describe()} cannot be a model's input: declare it with gx.layers.Input or gx.tensor, the batch first")
        self._outputs = results
        found = layers_of(results)
        inner = {w for layer in found for w in layer.nested if w is not layer}
        order = dict.fromkeys([*first, *layers_by_depth(results), *found])
        self._found_layers = [layer for layer in order if layer in found and layer not in inner]
        self._name_all()
        mine = {w for layer in self.layers for w in layer.weights}
        self._bare = [t for t in leaves(results).values() if t.kind in ("parameter", "state") and t not in mine]
        strangers = [t for t in leaves(self._outputs).values() if t.kind == "input" and t not in self._inputs]
        if strangers:
            known = ", ".join(t.label for t in self._inputs)
            raise DeclarationError(f"the model's outputs need {strangers[0].describe()}, which is none of its inputs ({known}): add it to them")
        self.built = True

    def _name_all(self, prefix: str = "") -> None:
        taken: set[str] = set()
        for t in self._inputs:
            if isinstance(t.op, AutomaticInput):
                t.name = unique("x", taken)
            else:
                taken.add(t.name)
        named: set[str] = set()
        for layer in sorted(self.layers, key=lambda layer: layer._made):
            layer.rename(prefix + unique(layer.base_name, named))
        for node in calls_of(self._outputs):
            node.outputs[0].name = node.op.layer.path

    def rename(self, path: str) -> None:
        """Give the model a name as a layer of another: its layers stand under it."""
        self._path, self._placed = path, True
        for name, w in self._own:
            w.name = f"{path}/{name}"
        if self.built:
            self._name_all(f"{path}/")

    @property
    def inputs(self) -> list[Tensor]:
        """The model's inputs."""
        self._require_built("inputs")
        return list(self._inputs)

    @property
    def outputs(self) -> list[Tensor]:
        """The model's outputs, in training and inference both."""
        self._require_built("outputs")
        return list(self._outputs)

    @property
    def input_shape(self) -> Any:
        """The shape of the input, the batch first."""
        return self.inputs[0].shape

    @property
    def output_shape(self) -> Any:
        """The shape of the output, the batch first."""
        return self.outputs[0].shape

    @property
    def layers(self) -> list[Layer]:
        """The model's layers in Keras's order: the farthest from the outputs first, those of a subclass as its attributes stand."""
        return list(self._found_layers) if self._outputs else self.sublayers

    @property
    def nested(self) -> Any:
        """The model and all layers within it."""
        yield self
        for layer in self.layers:
            yield from layer.nested

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name or its place.

        Raises:
            DeclarationError: for an unknown name, listing the known ones.
        """
        if index is None:
            for layer in self.layers:
                if layer.name == name:
                    return layer
            raise DeclarationError(f"the model has no layer {name!r}: it has {', '.join(layer.name for layer in self.layers)}")
        if not isinstance(index, int | np.integer) or not -len(self.layers) <= index < len(self.layers):
            raise DeclarationError(f"the model has {len(self.layers)} layers, and none at index {index!r}")
        return self.layers[index]

    @property
    def weights(self) -> list[Tensor]:
        """All weights, layer by layer; then the parameters and states that the expression uses directly."""
        own = [w for _, w in self._own]
        return list(dict.fromkeys([*own, *(w for layer in self.layers for w in layer.weights), *self._bare]))

    @property
    def trainable_weights(self) -> list[Tensor]:
        """The weights that training changes."""
        if not self.trainable:
            return []
        own = [w for _, w in self._own if w.kind == "parameter"]
        bare = [t for t in self._bare if t.kind == "parameter"]
        return list(dict.fromkeys([*own, *(w for layer in self.layers for w in layer.trainable_weights), *bare]))

    trainable_variables = trainable_weights
    variables = weights

    @property
    def losses(self) -> list[Tensor]:
        """The terms beside the loss: penalties, and what was given to ``add_loss``.

        A layer that other models use too adds the terms of those of its calls that this model's outputs need.
        """
        needed = set(topological(self._outputs))
        for layer in dict.fromkeys(node.op.layer for node in calls_of(self._outputs) if node not in needed):
            if any(outputs and not any(o.node in needed for o in outputs) for _, outputs in layer.loss_terms):
                raise DeclarationError(
                    f"{layer.name} adds a term to the loss where it is called within a gx.scan, and a term of one iteration cannot leave it: "
                    "let the step give what the term is made of as an output, and add the term outside, by model.add_loss(...)"
                )
        return [t for t, _ in self.kept_terms(self.loss_terms)]

    def kept_terms(self, terms: Sequence[tuple[Tensor, tuple[Tensor, ...]]]) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """Those terms of the loss that belong to this model, of what its layers have in their calls."""
        needed = set(topological(self._outputs))
        kept = [(t, outputs) for t, outputs in terms if not outputs or any(o.node in needed for o in outputs)]
        return [(t, outputs) for t, outputs in kept if all(leaf.kind != "input" or leaf in self._inputs for leaf in leaves(t).values())]

    @property
    def loss_terms(self) -> list[tuple[Tensor, tuple[Tensor, ...]]]:
        """The terms of all calls of the model and of its layers, each with the outputs of its call."""
        return self.own_terms + [pair for layer in self.layers for pair in layer.loss_terms]

    def call(self, *inputs: Any) -> Any:
        """The outputs for other inputs, with the same weights; terms of the loss that depend on the inputs are added anew."""
        given = list(inputs[0]) if len(inputs) == 1 and isinstance(inputs[0], list | tuple) else list(inputs)
        self._require_built("call")
        terms = [t for t in self.losses if any(leaf in self._inputs for leaf in leaves(t).values())]
        count, masks = len(self._outputs), [mask_of(t) for t in self._outputs]
        results = apply_again([*self._outputs, *terms, *(m for m in masks if m is not None)], self._inputs, given)
        moved = iter(results[count + len(terms) :])
        self._losses += results[count : count + len(terms)]
        results = [masked(t, None if m is None else next(moved)) for t, m in zip(results, masks, strict=False)]
        return results if self._several else results[0]

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """The model as a layer of another, under its own name."""
        flat = [t for x in inputs for t in (x if isinstance(x, list | tuple) else [x])]
        if not self.built and all(isinstance(t, Tensor) for t in flat):
            self._build_for(cast("list[Tensor]", flat))
        if self.built and not self._placed:
            self.rename(self._path or free_name(self.name, [t for t in flat if isinstance(t, Tensor)]))
        return super().__call__(*inputs, **options)

    def _build_for(self, tensors: Sequence[Tensor]) -> None:
        self._build_shapes([t.shape for t in tensors], [t.dtype for t in tensors])

    def build(self, input_shape: Any = None) -> None:
        """Make the layers' weights for inputs of a shape, the batch first: ``model.build((None, 30))``."""
        if self.built and self._outputs:
            return
        if input_shape is None:
            raise DeclarationError(f"{self.name} cannot be built without the shape of its input: model.build((None, 30))")
        several = bool(input_shape) and isinstance(input_shape[0], list | tuple)
        self._build_shapes([tuple(s) for s in (input_shape if several else [input_shape])], None)

    def _build_shapes(self, shapes: Sequence[Sequence[Any]], kinds: Sequence[str] | None) -> None:
        """Build a subclass that has ``call`` alone."""
        kinds = kinds or ["float"] * len(shapes)
        given = [Input(tuple(s[1:]), dtype=kind) for s, kind in zip(shapes, kinds, strict=True)]
        with collecting(apart=True):  # what is assigned on inputs of its own is no part of a call around
            outputs = self.read(given, None, {})
        self._connect(given if len(given) > 1 else given[0], outputs, self.sublayers)

    @property
    def several(self) -> bool:
        """Whether the outputs are a list."""
        return self._several

    def adopt(self, layers: Sequence[Layer], terms: Sequence[Tensor]) -> None:
        """Take layers in a given order, and terms of the loss: what a file says."""
        self._found_layers, self._losses = list(layers), list(terms)
        self._name_all()
        mine = {w for layer in layers for w in layer.weights}
        self._bare = [t for t in leaves(self._outputs).values() if t.kind in ("parameter", "state") and t not in mine]

    def _require_built(self, what: str) -> None:
        if not self._outputs:
            raise DeclarationError(f"{self.name} has no {what} yet: give its first layer an Input, call model.build((None, ...)), or fit it")

    def build_from(self, x: Any) -> None:
        """Build from data, where that is still to be done."""
        if self._outputs:
            return
        given = list(x) if isinstance(x, tuple) else [x]
        columns = [features(v, ["x"])[0] for v in given]
        shapes = [c.array.shape if c.array.ndim > 1 else (*c.array.shape, 1) for c in columns]
        self._build_shapes(shapes, ["int" if self._takes_ids() else "float" for _ in columns])

    def _takes_ids(self) -> bool:
        first = next(iter(self.layers), None)
        return getattr(first, "input_dtype", "float") == "int"

    def make_weights(self, seed: int) -> None:
        """Give the weights that have no value yet their first one, a function of the seed and of their names."""
        for w in self.weights:
            if cast("Leaf", w.op).cell.array is None:  # type: ignore[union-attr]
                initialise(w, seed)

    def get_weights(self) -> list[Any]:
        """The values of the weights as arrays, in Keras's order."""
        self._require_built("weights")
        self.make_weights(self.seed)
        return [w.value for w in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the values of the weights, in the order of :meth:`get_weights`."""
        self._require_built("weights")
        super().set_weights(weights)

    def summary(self, print_fn: Any = None) -> None:
        """Print the layers, their output shapes and their numbers of parameters."""
        self._require_built("shapes")
        (print_fn or print)(summary_text(self))

    def draw(self, **options: Any) -> Any:
        """A picture of the model; see :func:`graphc.draw`."""
        self._require_built("picture")
        return METHODS["draw"](self, **options)

    def __repr__(self) -> str:
        return f"<model {self.name}, {len(self.layers)} layers>"
