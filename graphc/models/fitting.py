"""The loop over epochs: data in, compiled epochs, numbers out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from graphc.callbacks import CallbackList, History
from graphc.data import epoch_order, holdout, is_batches
from graphc.errors import DataError, DeclarationError
from graphc.expr.numbers import whole_above
from graphc.models.batches import Batches, Tally, parts, streamed
from graphc.models.feeding import Feed
from graphc.models.prepared import Prepared, prepare, weighted_by_class
from graphc.models.program import Program
from graphc.models.progress import line, loudness, numbers, progress

__all__ = ["evaluate_model", "fit_model", "train_batch"]

Array = np.ndarray[Any, Any]
Logs = dict[str, float]
_LONG = 1.0  # seconds of compiling that are told of
_BATCH, _WIDE = 32, 256  # samples of a batch that trains, and of one that measures


class _Run:
    """One call of ``fit``."""

    def __init__(self, model: Any, batch_size: int, seed: int, shuffle: bool, class_weight: Any) -> None:
        self.model, self.batch_size, self.seed, self.shuffle, self.class_weight = model, batch_size, seed, shuffle, class_weight
        self.train: Prepared | None = None
        self.batches: Batches | None = None
        self.held: Prepared | None = None
        self.held_batches: Batches | None = None
        self._programs: dict[str, Program] = {}
        self.loud = 0
        self.most: int | None = None  # batches of an epoch

    def _program(self, what: str, data: Prepared) -> Program:
        """The model's program for data whose kind stays the same all through the run."""
        if what not in self._programs:
            start = time.perf_counter()
            self._programs[what] = self.model.program(what.partition(" ")[0], data.kinds, data.feed.weight is not None)
            took = time.perf_counter() - start
            if self.loud and took > _LONG:
                print(f"Compiled in {took:.1f} s", flush=True)
        return self._programs[what]

    def epoch(self, callbacks: CallbackList, on_slice: Callable[..., None] | None) -> Logs:
        """Train for one epoch."""
        if self.batches is not None:
            return self._stream(callbacks)
        assert self.train is not None
        data, model = self.train, self.model
        program = self._program("train", data)
        order = epoch_order(len(data.feed), self.seed, model.epochs_done, self.shuffle)
        order = order if self.most is None else order[: self.most * self.batch_size]
        if not callbacks.wants_batches:
            first = model.optimizer.iterations
            means = program.run(data.feed, order, self.batch_size, seed=self.seed, first_step=first, on_slice=on_slice)
            return program.logs(means)
        tally = Tally()
        for k, start in enumerate(range(0, len(order), self.batch_size)):
            self._batch(callbacks, program, data.feed, order[start : start + self.batch_size], k, tally)
        return tally.logs()

    def _batch(self, callbacks: CallbackList, program: Program, feed: Feed, order: Array, k: int, tally: Tally) -> None:
        callbacks.call("on_train_batch_begin", k, {})
        first = self.model.optimizer.iterations
        means = program.run(feed, order, len(order), seed=self.seed, first_step=first)
        tally.add(len(order), means, program)
        callbacks.call("on_train_batch_end", k, program.logs(means))

    def _stream(self, callbacks: CallbackList) -> Logs:
        assert self.batches is not None
        tally = Tally()
        for k, batch in enumerate(self.batches):
            x, y, weight = parts(batch)
            data = weighted_by_class(self.model, prepare(self.model, x, y, weight), self.class_weight)
            self.model.make_weights(self.seed)
            program = self.model.program("train", data.kinds, data.feed.weight is not None)
            self._batch(callbacks, program, data.feed, np.arange(len(data.feed), dtype=np.int64), k, tally)
        return tally.logs()

    @property
    def validates(self) -> bool:
        """Whether there are held-out samples."""
        return self.held is not None or self.held_batches is not None

    def measure(self, batch_size: int | None) -> Logs:
        """The held-out samples in inference."""
        if self.held_batches is not None:
            return measure_batches(self.model, self.held_batches)
        if self.held is None:
            return {}
        program = self._program("measure of held-out", self.held)
        wide = batch_size or _measuring(self.model, self.batch_size)
        return program.logs(program.run(self.held.feed, np.arange(len(self.held.feed), dtype=np.int64), wide))

    def final(self, batch_size: int | None) -> Logs:
        """The exact values of the weights that were kept."""
        found: Logs = {}
        if self.train is not None:
            found = measure(self.model, self.train, batch_size or _measuring(self.model, self.batch_size))
        elif self.batches is not None and self.batches.again:
            found = measure_batches(self.model, self.batches)
        return found | {f"val_{name}": value for name, value in self.measure(batch_size).items()}


def _measuring(model: Any, training: int) -> int:
    """How many samples are measured at once: many, but as many as in training where a term of the loss may sum over the batch."""
    return training if model.reads_batches else max(training, _WIDE)


def measure(model: Any, data: Prepared, batch_size: int) -> Logs:
    """The loss and the metrics on data, in inference."""
    program = model.program("measure", data.kinds, data.feed.weight is not None)
    return program.logs(program.run(data.feed, np.arange(len(data.feed), dtype=np.int64), batch_size))


def measure_batches(model: Any, batches: Iterable[Any]) -> Logs:
    """The loss and the metrics on an iterable of batches."""
    tally = Tally()
    for batch in batches:
        x, y, weight = parts(batch)
        data = prepare(model, x, y, weight)
        program = model.program("measure", data.kinds, data.feed.weight is not None)
        tally.add(len(data.feed), program.run(data.feed, np.arange(len(data.feed), dtype=np.int64), len(data.feed)), program)
    return tally.logs()


def fit_model(
    model: Any,
    x: Any = None,
    y: Any = None,
    *,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    class_weight: Any = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int = 1,
    seed: int = 0,
) -> History:
    """Train a model.

    Args:
        model: a compiled model.
        x, y: the data, or in ``x`` an iterable of batches ``(x, y)`` or ``(x, y, sample_weight)``.
        batch_size: 32 by default; the last batch may be smaller.
        epochs: how often the data is gone through.
        verbose: 0 prints nothing, else one line an epoch, and one where compiling took more than a second.
        callbacks: objects of :class:`graphc.callbacks.Callback`.
        validation_split: the share of the samples that is held out, drawn by ``seed``, class by class.
        validation_data: ``(x, y)`` or ``(x, y, sample_weight)`` instead, or an iterable of batches.
        shuffle: whether each epoch has an order of its own.
        class_weight: the weight of each class, by label; 1 for a class that is not in it. It counts in training alone, as in
            Keras: what validates has the weights of its samples.
        sample_weight: the weight of each sample, held out or not; weights count in the loss and in the metrics.
        initial_epoch: the number of the first epoch.
        steps_per_epoch: how many batches make an epoch, at most; with arrays each epoch draws anew which ones.
        validation_batch_size: the size of the batches that measure; by default that of training where the size can matter.
        validation_freq: how many epochs lie between two measurements.
        seed: fixes the initial weights not made yet, the order, the split, and all noise.
    """
    size = whole_above(1, "batch_size", _BATCH if batch_size is None else batch_size, "fit")
    wide = None if validation_batch_size is None else whole_above(1, "validation_batch_size", validation_batch_size, "fit")
    for least, name, value in (
        (1, "epochs", epochs),
        (0, "seed", seed),
        (0, "initial_epoch", initial_epoch),
        (1, "validation_freq", validation_freq),
    ):
        whole_above(least, name, value, "fit")
    steps = None if steps_per_epoch is None else whole_above(1, "steps_per_epoch", steps_per_epoch, "fit")
    if not isinstance(shuffle, int | np.bool_) or shuffle not in (True, False):
        raise DeclarationError(f"shuffle={shuffle!r} of fit: it is True or False")
    loud = loudness(verbose, "fit")
    run = _Run(model, size, int(seed), shuffle, class_weight)
    model.seed = int(seed)
    if streamed(x, y, sample_weight):
        run.batches = Batches(x, epochs - initial_epoch, steps)
    else:
        run.train = prepare(model, x, y, sample_weight)
    _hold_out(run, validation_split, validation_data)
    if run.train is not None:
        run.train = weighted_by_class(model, run.train, class_weight)
        model.make_weights(int(seed))
    run.loud, run.most = loud, steps
    return _loop(run, epochs, initial_epoch, callbacks, wide, validation_freq)


def _hold_out(run: _Run, split: float, given: Any) -> None:
    if given is not None:
        paired = isinstance(given, list | tuple) and len(given) in (2, 3)
        if is_batches(given, rows=paired) and not (paired and isinstance(given, tuple)):
            run.held_batches = Batches(given, 2, None)
            return
        xv, yv, wv = parts(given)
        run.held = prepare(run.model, xv, yv, wv)
    elif split:
        if run.train is None:
            raise DataError("validation_split cannot divide an iterable of batches: give validation_data")
        data = run.train
        kept, held = holdout(len(data.feed), split, run.seed, data.labels)
        run.train, run.held = data.take(kept), data.take(held)


def _loop(run: _Run, epochs: int, initial: int, given: Any, wide: int | None, every: int) -> History:
    model, loud = run.model, run.loud
    history = History()
    listed = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    steps = None if run.train is None else min(-(-len(run.train.feed) // run.batch_size), run.most or sys.maxsize)
    callbacks = CallbackList(
        [*listed, history], model, {"epochs": epochs, "steps": steps, "verbose": loud, "validation_freq": every if run.validates else None}
    )
    model.history, model.stop_training = history, False
    callbacks.call("on_train_begin", {})
    done: tuple[int, Logs] | None = None
    try:
        for epoch in range(initial, epochs):
            callbacks.call("on_epoch_begin", epoch, {})
            logs = run.epoch(callbacks, progress(epoch, epochs) if loud == 1 else None)
            model.epochs_done += 1
            if (epoch + 1) % every == 0:
                logs |= {f"val_{name}": value for name, value in run.measure(wide).items()}
            if loud:
                print(line(epoch, epochs, logs), flush=True)
            done = epoch, logs
            callbacks.call("on_epoch_end", epoch, logs)
            if model.stop_training:
                break
    except KeyboardInterrupt:
        if done is not None and done[0] not in history.epoch:
            history.on_epoch_end(*done)
        if loud:
            print("Interrupted: the history so far is returned", flush=True)
    callbacks.call("on_train_end", {})
    if history.epoch:
        history.final = run.final(wide)
    return history


def evaluate_model(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    batch_size: int | None = None,
    verbose: Any = "auto",
    sample_weight: Any = None,
    steps: int | None = None,
    return_dict: bool = False,
) -> Any:
    """The loss and the metrics on data, in inference.

    Args:
        model: a compiled model.
        x, y: as for :func:`fit_model`.
        batch_size: how many samples are measured at once; only a term of the loss that sums over a batch depends on it.
        verbose: 0 prints nothing.
        sample_weight: the weight of each sample.
        steps: how many batches of an iterable are measured.
        return_dict: whether to give the numbers by name.
    """
    size = None if batch_size is None else whole_above(1, "batch_size", batch_size, "evaluate")
    most = None if steps is None else whole_above(1, "steps", steps, "evaluate")
    loud = loudness(verbose, "evaluate")
    if streamed(x, y, sample_weight):
        logs = measure_batches(model, Batches(x, 1, most))
    else:
        data = prepare(model, x, y, sample_weight)
        model.make_weights(model.seed)
        logs = measure(model, data, size or _measuring(model, _BATCH))
    if loud:
        print(numbers(logs), flush=True)
    return logs if return_dict else _as_keras(logs)


def _as_keras(logs: Logs) -> Any:
    values = list(logs.values())
    return values[0] if len(values) == 1 else values


def train_batch(model: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any, return_dict: bool) -> Any:
    """One step of training on one batch."""
    data = weighted_by_class(model, prepare(model, x, y, sample_weight), class_weight)
    model.make_weights(model.seed)
    program = model.program("train", data.kinds, data.feed.weight is not None)
    count = len(data.feed)
    means = program.run(data.feed, np.arange(count, dtype=np.int64), count, seed=model.seed, first_step=model.optimizer.iterations)
    logs = program.logs(means)
    return logs if return_dict else _as_keras(logs)
