"""Models: inputs and outputs of any expression, with Keras's methods around them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphc import losses, metrics, optimizers
from graphc.callbacks import History
from graphc.data import is_batches
from graphc.errors import DataError, DeclarationError
from graphc.expr.dims import Extent
from graphc.expr.feed import float_name
from graphc.expr.graph import leaves, topological
from graphc.expr.numbers import is_real, whole_above
from graphc.expr.tensor import METHODS, Tensor
from graphc.layers.base import Layer
from graphc.models.batches import Batches, inputs_of
from graphc.models.feeding import Feed, TargetKind, check_any_batch, features, fit_input
from graphc.models.fitting import evaluate_model, fit_model, train_batch
from graphc.models.program import Loss, Measured, Program, measured, measurer, predictor, trainer
from graphc.models.structure import Structure
from graphc.models.target import as_list, loss_list

__all__ = ["Model"]

Array = np.ndarray[Any, Any]
Best = tuple[str, float, Any]


class Model(Structure):
    """A model: from inputs to outputs, with its weights.

    Args:
        inputs: a tensor, a list of them, or several by name; the first axis of each is the batch.
        outputs: tensors computed from the inputs by layers or by any expression.
        name: by default ``model``.

    A subclass may leave out both and give ``call(self, x)`` instead; it is built when it first sees data.

    Example:
        >>> import graphc as gx
        >>> x = gx.layers.Input((30,))
        >>> model = gx.models.Model(x, gx.layers.Dense(1)(x))
        >>> model.count_params()
        31
    """

    def _reset(self) -> None:
        super()._reset()
        self.optimizer: Any = None
        self.stop_training = False
        self.history: History | None = None
        self.best: Best | None = None
        self.epochs_done = 0
        self._predictions = 0  # batches so far, the step that random numbers of an inference are drawn for
        self.plans: dict[Any, Any] = {}
        self.compiled_flags: dict[Layer, bool] = {}  # of each layer, whether it was trainable when the model was compiled
        self._losses_given: Any = None
        self._metrics_given: tuple[Any, ...] = ()
        self._shares: Any = None
        self.target, self.float_type = "cpu", "float32"

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        target: str = "cpu",
        dtype: Any = "float32",
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
    ) -> None:
        """Choose how the model is trained; nothing is compiled before data is there.

        Args:
            optimizer: a name or an optimizer.
            loss: a name, a function ``(y_true, y_pred) -> tensor``, or one for each output.
            loss_weights: the share of each output's loss.
            metrics, weighted_metrics: names or functions; one list, or one for each output; those of one name are numbered.
            target: ``"cpu"``, ``"cuda"`` or ``"numpy"``.
            dtype: ``"float32"`` or ``"float64"``.
            run_eagerly, steps_per_execution, jit_compile: taken for Keras's sake; graphc always compiles whole epochs.
        """
        from graphc.runtime.compiled import check_target

        check_target(target)
        dtype = float_name(dtype)
        if dtype not in ("float32", "float64"):
            raise DeclarationError(f"dtype={dtype!r} of model.compile: it is 'float32' or 'float64'")
        self.optimizer = optimizers.get(optimizer)
        self._losses_given = _checked_losses(loss)
        self._metrics_given = (metrics, weighted_metrics)
        self._shares = _checked_shares(loss_weights)
        self.target, self.float_type = target, dtype
        for setting in self._metrics_given:
            for entry in setting.values() if isinstance(setting, Mapping) else as_list(setting):
                for metric in as_list(entry):
                    _metric(metric)
        self.plans = {}
        self.compiled_flags = self.flags

    @contextmanager
    def as_compiled(self) -> Generator[None]:
        """With the layers frozen that were when the model was compiled, where the model as a whole has been frozen since.

        That is how a part of another model is kept from being trained by that other model, and goes on by itself.
        """
        now = self.flags
        if not self.trainable and self.compiled_flags.get(self):
            self.set_flags(self.compiled_flags)
        try:
            yield
        finally:
            self.set_flags(now)

    @property
    def trained(self) -> tuple[tuple[Tensor, ...], tuple[Layer, ...]]:
        """What a step of training depends on: the weights that it changes, and the layers that are frozen."""
        with self.as_compiled():
            return tuple(self.trainable_weights), tuple(layer for layer, on in self.flags.items() if not on)

    @property
    def reads_batches(self) -> bool:
        """Whether a term beside the loss is made of the data, so that it may depend on how many samples a batch has."""
        key = ("terms of data",)
        if key not in self.plans:
            self.plans[key] = any(leaf.kind == "input" for leaf in leaves(self.losses).values())
        return self.plans[key]

    @property
    def objectives(self) -> list[Loss]:
        """The loss, its share and the metrics of each output."""
        if self.optimizer is None:
            raise DeclarationError(f"{self.name} is not compiled: call model.compile(optimizer='adam', loss='mse') first")
        return loss_list(self._outputs, self._losses_given, self._shares, self._metrics_given, _metric)

    def measured(self, kinds: Sequence[TargetKind], weighted: bool) -> Measured:
        """The loss and the metrics as tensors, for targets of some kinds."""
        key = ("measured", _kinds_key(kinds), weighted)
        if key not in self.plans:
            penalties = self.losses
            plan = measured(self._outputs, self.objectives, penalties, kinds, weighted)
            check_any_batch([*self._outputs, *penalties], plan.scalars)
            self.plans[key] = plan
        return self.plans[key]

    def __getstate__(self) -> Any:
        """What a copy begins with: the graph from its leaves on, so that no depth of it matters, and no compiled programs, which it makes anew."""
        return topological(self._outputs), {**vars(self), "plans": {}}

    def __setstate__(self, state: Any) -> None:
        vars(self).update(state[1])

    def program(self, what: str, kinds: Sequence[TargetKind] = (), weighted: bool = False) -> Program:
        """The compiled program for training, measuring or predicting; made once."""
        key = (what, _kinds_key(kinds), weighted, self.trained if what == "train" else ())
        if key not in self.plans:
            with self.as_compiled():
                self.plans[key] = self._compiled(what, kinds, weighted)
        return self.plans[key]

    def _compiled(self, what: str, kinds: Sequence[TargetKind], weighted: bool) -> Program:
        if what == "predict":
            return predictor(self._inputs, self._outputs, self.target, self.float_type)
        plan = self.measured(kinds, weighted)
        if what == "measure":
            return measurer(plan, self._inputs, self.target, self.float_type)
        return trainer(plan, self._inputs, self.updates(kinds, weighted), self.target, self.float_type)

    def updates(self, kinds: Sequence[TargetKind], weighted: bool) -> list[Tensor]:
        """One step of training as assignments, for targets of some kinds."""
        weights, _ = self.trained
        if not weights:
            raise DeclarationError(f"{self.name} has no trainable weights: nothing can be fitted")
        key = ("updates", _kinds_key(kinds), weighted, self.trained)
        if key not in self.plans:
            with self.as_compiled():
                self.plans[key] = self.optimizer.updates(self.measured(kinds, weighted).loss, weights, name=self.optimizer.name)
        return self.plans[key]

    def fit(self, x: Any = None, y: Any = None, **options: Any) -> History:
        """Train the model; see :func:`graphc.models.fitting.fit_model` for the options, which are Keras's and ``seed``.

        Args:
            x, y: arrays, lists, frames; or in ``x`` an iterable of batches ``(x, y)``.
            options: ``batch_size epochs verbose callbacks validation_split validation_data shuffle class_weight
                sample_weight initial_epoch steps_per_epoch validation_batch_size validation_freq seed``.

        Returns:
            The history of the run; after Ctrl-C that of the epochs so far.
        """
        _check_options("fit", fit_model, options)
        return fit_model(self, x, y, **options)

    def evaluate(self, x: Any = None, y: Any = None, **options: Any) -> Any:
        """The loss and the metrics on data, in inference: a number, or a list of numbers where there are metrics.

        Args:
            x, y: as for :meth:`fit`.
            options: ``batch_size verbose sample_weight steps return_dict``.
        """
        _check_options("evaluate", evaluate_model, options)
        return evaluate_model(self, x, y, **options)

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = 0, steps: int | None = None) -> Any:
        """The outputs for data, in inference.

        Args:
            x: arrays, lists, frames; or an iterable of batches, each an array, ``(x,)`` or ``(x, y)``.
            batch_size: how many samples are computed at once.
            verbose: taken for Keras's sake; nothing is printed.
            steps: how many batches of an iterable are predicted.

        Random numbers that the inference draws are others at each call, and the same in each run of a program.
        """
        size = whole_above(1, "batch_size", 256 if batch_size is None else batch_size, "predict")
        most = None if steps is None else whole_above(1, "steps", steps, "predict")
        if is_batches(x):
            inputs, rank = (len(self._inputs), self._inputs[0].ndim) if self._inputs else (1, 2)
            rows = [self._predicted(inputs_of(batch, inputs, rank), size) for batch in Batches(x, 1, most)]
            if not rows:
                raise DataError("the iterable of batches is empty")
            results = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
        else:
            results = self._predicted(x, size)
        return results if self._several else results[0]

    def _predicted(self, x: Any, size: int) -> list[Array]:
        self.build_from(x)
        self.make_weights(self.seed)
        feed = Feed(self.fit_inputs(x))
        first = self._predictions
        self._predictions += -(-len(feed) // size)
        return self.program("predict").map(feed, size, first_step=first)

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, return_dict: bool = False) -> Any:
        """One step of training on one batch: its loss, or a list of loss and metrics."""
        return train_batch(self, x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """The loss and the metrics on one batch, in inference."""
        return evaluate_model(self, x, y, sample_weight=sample_weight, return_dict=return_dict, verbose=0)

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch."""
        return self.predict(x)

    def fit_inputs(self, x: Any) -> tuple[Array, ...]:
        """Arrays for the model's inputs, checked and converted.

        Raises:
            DataError: for what does not fit.
        """
        columns = features(x, [t.name for t in self._inputs], self._keys)
        return tuple(fit_input(t, c, np.dtype(self.float_type)) for t, c in zip(self._inputs, columns, strict=True))

    def snapshot(self) -> Any:
        """The weights and the optimizer's state at this moment."""
        tensors = [*self.weights, *([] if self.optimizer is None else self.optimizer.variables)]
        return [(t, t.value) for t in tensors], self.epochs_done

    def restore(self, snapshot: Any) -> None:
        """Go back to a moment that :meth:`snapshot` kept."""
        values, self.epochs_done = snapshot
        for t, value in values:
            t.value = value

    def objective(self) -> Tensor:
        """The loss in training as a tensor, with ``y`` for the targets: to derive, draw or compile."""
        return self.measured(self.usual_kinds, False).loss

    @property
    def usual_kinds(self) -> list[TargetKind]:
        """What the losses take for targets, where no data says more: class labels, or numbers of the outputs' shapes."""
        kinds: list[TargetKind] = []
        for loss, output in zip(self.objectives, self._outputs, strict=True):
            labels = getattr(loss.function, "targets", None) == "labels"
            shape: tuple[Extent, ...] = output.shape[:-1] if labels else output.shape
            kinds.append(("int" if labels else "float", shape))
        return kinds

    def save(self, path: Any, best: Best | None = None) -> None:
        """Write the model to one file: weights, formulas, optimizer and its state; no code is in it.

        Read it again with :func:`graphc.models.load_model`; training then goes on as if it had not stopped.

        Args:
            path: where to; what is there is replaced.
            best: what a checkpoint keeps beside: the number watched, its best value, and the state of that moment.

        Raises:
            DataError: for a folder that does not exist, or a file that may not be written.
        """
        from graphc.models.saving import save_model

        save_model(self, path, best)

    def derive(self, wrt: Any, **options: Any) -> Any:
        """The derivation of the loss's gradient by a weight: ``model.derive("dense/kernel")``."""
        self._require_built("derivative")
        return METHODS["derive"](self.objective(), wrt, **options)


def _kinds_key(kinds: Sequence[TargetKind]) -> tuple[Any, ...]:
    return tuple((dtype, tuple(map(str, shape))) for dtype, shape in kinds)


def _metric(metric: Any) -> metrics.Metric:
    return metrics.get(metric)


def _check_options(method: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise DeclarationError(f"model.{method} has no option {unknown[0]}: its options are x, y, {', '.join(known)}")


def _checked_shares(given: Any) -> Any:
    """The losses' shares, of which each is a number."""
    values: list[Any] = list(given.values()) if isinstance(given, Mapping) else list(given) if isinstance(given, list | tuple) else [given]
    for value in values:
        if value is not None and not is_real(value):
            raise DeclarationError(f"loss_weights={given!r} of model.compile: each is a number, or there are none")
    return given


def _checked_losses(loss: Any) -> Any:
    """The losses, looked up at once, so that a misspelt name is told on the line that has it."""
    if isinstance(loss, Mapping):
        return {name: losses.get(one) for name, one in loss.items()}
    if isinstance(loss, list | tuple):
        return [losses.get(one) for one in loss]
    return None if loss is None else losses.get(loss)
