"""Callbacks: what is watched, what is kept, when a run ends."""

from __future__ import annotations

import numpy as np
import pytest

from graphc import callbacks as C
from graphc import layers as K
from graphc import models, optimizers, schedules
from graphc.errors import DeclarationError

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
Y = X @ [1.0, -1.0, 0.5]


def model(optimizer=None):
    made = models.Sequential([K.Input((3,)), K.Dense(1)])
    made.compile(optimizer or optimizers.Adam(0.01), "mse", dtype="float64")
    return made


class Script(C.Callback):
    """Replaces a number in the logs, so that a run has the course that a test wants."""

    def __init__(self, values, name="val_loss"):
        self.values, self.name = values, name

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = self.values[epoch]


class Weights(C.Callback):
    def __init__(self):
        self.kept = []

    def on_epoch_end(self, epoch, logs=None):
        self.kept.append((self.model.get_weights(), [t.value for t in self.model.optimizer.variables]))


COURSES = {
    # values, patience, epochs that ran, the best of them
    "stops": ([3, 2, 1, 1.5, 1.6, 0.5], 2, 5, 2),
    "runs to the end": ([3, 2, 1, 1.5, 1.2, 1.1], 9, 6, 2),
    "improves to the end": ([6, 5, 4, 3, 2, 1], 1, 6, 5),
    "waits anew": ([3, 4, 2, 4, 5, 1], 2, 5, 2),
}


@pytest.mark.parametrize("row", COURSES)
def test_early_stopping_keeps_the_best_at_every_end(row):
    values, patience, ran, best = COURSES[row]
    made, seen = model(), Weights()
    history = made.fit(X, Y, epochs=6, verbose=0, callbacks=[Script(values), seen, C.EarlyStopping(patience=patience)])
    assert len(history.epoch) == ran
    weights, states = seen.kept[best]
    for mine, kept in zip(made.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, kept)
    for mine, kept in zip(made.optimizer.variables, states, strict=True):
        np.testing.assert_array_equal(mine.value, kept)
    assert made.epochs_done == best + 1
    error = made.predict(X)[:, 0] - Y
    assert history.final["loss"] == pytest.approx(np.mean(error**2), rel=1e-5)


def test_early_stopping_keeps_the_best_after_an_interrupt(capsys):
    class Interrupt(C.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    made, seen = model(), Weights()
    history = made.fit(X, Y, epochs=9, callbacks=[Script([3, 1, 2, 4]), seen, C.EarlyStopping(patience=5), Interrupt()])
    np.testing.assert_array_equal(made.get_weights()[0], seen.kept[1][0][0])
    assert history.epoch == [0, 1, 2, 3]  # the last was complete
    assert len(history.history["loss"]) == 4
    assert "Interrupted" in capsys.readouterr().out


def test_early_stopping_by_more():
    made = model()
    stop = C.EarlyStopping(monitor="val_accuracy", patience=1)
    history = made.fit(X, Y, epochs=5, verbose=0, callbacks=[Script([0.1, 0.5, 0.4, 0.3, 0.2], "val_accuracy"), stop])
    assert len(history.epoch) == 3
    assert stop.best == 0.5
    assert stop.best_epoch == 1


def test_early_stopping_may_leave_the_last():
    made, seen = model(), Weights()
    made.fit(X, Y, epochs=4, verbose=0, callbacks=[Script([1, 2, 3, 4]), seen, C.EarlyStopping(patience=2, restore_best_weights=False)])
    np.testing.assert_array_equal(made.get_weights()[0], seen.kept[-1][0][0])


def test_what_is_not_measured_is_told():
    with pytest.raises(DeclarationError, match=r"EarlyStopping watches val_loss, which is not measured.*loss"):
        model().fit(X, Y, verbose=0, callbacks=[C.EarlyStopping()])


SELDOM = {
    "stopping": C.EarlyStopping(patience=1),
    "plateau": C.ReduceLROnPlateau(patience=1),
}


@pytest.mark.parametrize("row", SELDOM)
def test_epochs_that_are_not_validated_are_passed_over(row):
    watch = SELDOM[row]
    history = model().fit(X, Y, epochs=5, verbose=0, validation_data=(X, Y), validation_freq=2, callbacks=[watch])
    assert len(history.history["val_loss"]) == 2
    assert watch.watch.best == min(history.history["val_loss"])


def test_patience_counts_epochs_that_are_validated():
    rows = iter([2.0, 3.0, 4.0])

    class Course(C.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if "val_loss" in logs:
                logs["val_loss"] = next(rows)

    stop = C.EarlyStopping(patience=2)
    history = model().fit(X, Y, epochs=9, verbose=0, validation_data=(X, Y), validation_freq=2, callbacks=[Course(), stop])
    assert (len(history.epoch), stop.best_epoch) == (6, 1)


NEVER = {
    "another name": ("val_mae", {"validation_data": (X, Y), "validation_freq": 2}, r"watches val_mae, which is not measured: watch one of loss"),
    "too seldom": ("val_loss", {"validation_data": (X, Y), "validation_freq": 4}, r"val_loss, which is not measured: validation_freq=4 lies beyond"),
    "no data": ("val_loss", {"validation_freq": 2}, r"val_loss, which is not measured: give validation data, or watch one of loss"),
}


@pytest.mark.parametrize("row", NEVER)
def test_what_no_epoch_measures_is_told(row):
    monitor, options, message = NEVER[row]
    for made in (C.EarlyStopping(monitor), C.ReduceLROnPlateau(monitor)):
        with pytest.raises(DeclarationError, match=message):
            model().fit(X, Y, epochs=3, verbose=0, callbacks=[made], **options)


def test_the_history_has_the_rates():
    schedule = C.LearningRateScheduler(lambda epoch, rate: rate / 2)
    found = model(optimizers.SGD(0.1)).fit(X, Y, epochs=3, verbose=0, callbacks=[schedule]).history
    assert found["learning_rate"] == [0.05, 0.025, 0.0125]
    plateau = C.ReduceLROnPlateau(factor=0.5, patience=1)
    found = model(optimizers.SGD(0.1)).fit(X, Y, epochs=4, verbose=0, callbacks=[Script([1, 1, 1, 1]), plateau]).history
    assert found["learning_rate"] == [0.1, 0.1, 0.05, 0.025]  # that of the epoch, before it is reduced


def wrong(epoch, rate):
    return rate + "a"


def test_an_error_in_a_schedule_is_its_own():
    with pytest.raises(TypeError, match=r"unsupported operand"):
        model().fit(X, Y, verbose=0, callbacks=[C.LearningRateScheduler(wrong)])


DECAY = schedules.ExponentialDecay(0.1, 10, 0.9)
MISTAKES = {
    "plateau on a schedule": (
        lambda: fitted(DECAY, C.ReduceLROnPlateau("loss")),
        r"ReduceLROnPlateau changes the learning rate, and sgd follows the sched",
    ),
    "schedule on a schedule": (
        lambda: fitted(DECAY, C.LearningRateScheduler(lambda e, lr: lr / 2)),
        r"LearningRateScheduler changes the learning rate",
    ),
    "no rate": (lambda: fitted(0.1, C.LearningRateScheduler(lambda e: None)), r"gives None for epoch 0: let it return a number"),
    "no schedule": (lambda: C.LearningRateScheduler(0.1), r"0.1 is no schedule"),
    "patience": (lambda: C.EarlyStopping(patience="5"), r"patience='5' of EarlyStopping: it is a whole number"),
    "start": (lambda: C.EarlyStopping(start_from_epoch=-1), r"start_from_epoch=-1 of EarlyStopping"),
    "delta": (lambda: C.EarlyStopping(min_delta="0.1"), r"min_delta='0.1' of EarlyStopping: it is a number"),
    "baseline": (lambda: C.EarlyStopping(baseline="low"), r"baseline='low' of EarlyStopping"),
    "monitor": (lambda: C.EarlyStopping(monitor=None), r"monitor=None of a callback"),
    "factor": (lambda: C.ReduceLROnPlateau(factor="half"), r"factor='half' of ReduceLROnPlateau"),
    "plateau's patience": (lambda: C.ReduceLROnPlateau(patience=2.5), r"patience=2.5 of ReduceLROnPlateau"),
    "cooldown": (lambda: C.ReduceLROnPlateau(cooldown=None), r"cooldown=None of ReduceLROnPlateau"),
    "least rate": (lambda: C.ReduceLROnPlateau(min_lr="0"), r"min_lr='0' of ReduceLROnPlateau"),
}


def fitted(rate, callback):
    return model(optimizers.SGD(rate)).fit(X, Y, epochs=2, verbose=0, callbacks=[callback])


@pytest.mark.parametrize("row", MISTAKES)
def test_settings_that_mean_nothing_are_told(row):
    call, message = MISTAKES[row]
    with pytest.raises(DeclarationError, match=message):
        call()


def test_rates():
    made = model(optimizers.SGD(0.1))
    rates = []

    class Rates(C.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(self.model.optimizer.learning_rate)

    made.fit(X, Y, epochs=3, verbose=0, callbacks=[C.LearningRateScheduler(lambda epoch: 0.1 / (1 + epoch)), Rates()])
    np.testing.assert_allclose(rates, [0.1, 0.05, 0.1 / 3])
    made, rates[:] = model(optimizers.SGD(0.1)), []
    plateau = C.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=2, min_lr=0.03)
    made.fit(X, Y, epochs=6, verbose=0, callbacks=[Script([1, 1, 1, 1, 1, 1]), plateau, Rates()])
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.05, 0.05, 0.03, 0.03])


def test_hooks_of_batches_change_no_number():
    calls = []

    class Batches(C.Callback):
        def on_train_batch_end(self, batch, logs=None):
            calls.append((batch, logs["loss"]))

    a, b = model(), model()
    first = a.fit(X, Y, epochs=2, batch_size=16, verbose=0, seed=3).history["loss"]
    second = b.fit(X, Y, epochs=2, batch_size=16, verbose=0, seed=3, callbacks=[Batches()]).history["loss"]
    np.testing.assert_allclose(first, second, rtol=1e-12)
    assert [k for k, _ in calls] == [0, 1, 2, 0, 1, 2]


def test_a_run_that_leaves_the_numbers():
    made = model(optimizers.SGD(1e200))
    with np.errstate(all="ignore"):
        history = made.fit(X, Y, epochs=50, verbose=0, callbacks=[C.TerminateOnNaN()])
    assert len(history.epoch) < 50


def test_plot():
    pytest.importorskip("matplotlib")
    history = model().fit(X, Y, epochs=3, verbose=0, validation_split=0.2)
    figure = history.plot()
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["training", "validation"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), history.history["loss"])


def test_plot_draws_each_number_at_its_epochs():
    pytest.importorskip("matplotlib")
    history = model().fit(X, Y, epochs=5, verbose=0, validation_split=0.2, validation_freq=2)
    (axes,) = history.plot().axes
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 2, 3, 4, 5], [2, 4]]


def test_what_is_no_callback_is_told():
    with pytest.raises(DeclarationError, match=r"3 is no callback"):
        model().fit(X, Y, verbose=0, callbacks=[3])
