"""Training: the loop by hand, seeds, weights, splits, logs, data in every form."""

from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K
from graphc import losses, models, optimizers
from graphc.data import epoch_order, holdout
from graphc.errors import DataError, DeclarationError
from graphc.models import fitting
from tests.models.problems import LABELS, LINE, X, Y, classifier, line, numpy_descent, quiet, several


def test_two_epochs_by_hand():
    model = line(optimizers.SGD(0.05), dtype="float64")
    kernel, bias = model.get_weights()
    history = quiet(model, X, LINE, batch_size=16, epochs=2, seed=7)
    expected = []
    for epoch in range(2):
        kernel, bias, loss = numpy_descent(X, LINE, kernel, bias, 0.05, epoch_order(60, 7, epoch), 16)
        expected.append(loss)
    np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-10)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-10)
    np.testing.assert_allclose(model.get_weights()[1], bias, rtol=1e-10)
    assert model.optimizer.iterations == 8
    assert history.epoch == [0, 1]
    np.testing.assert_allclose(history.final["loss"], np.mean((X @ kernel[:, 0] + bias - LINE) ** 2), rtol=1e-10)


def test_weights_of_samples_count_in_loss_and_metrics():
    weight = np.random.default_rng(1).uniform(0, 2, 60)
    model = line(optimizers.SGD(0.05), dtype="float64", metrics=["mae"])
    kernel, bias = model.get_weights()
    history = quiet(model, X, LINE, batch_size=25, sample_weight=weight, shuffle=False)
    new, offset, loss = numpy_descent(X, LINE, kernel, bias, 0.05, np.arange(60), 25, weight)
    np.testing.assert_allclose(model.get_weights()[0], new, rtol=1e-10)
    np.testing.assert_allclose(history.history["loss"], [loss], rtol=1e-10)
    error = X @ new[:, 0] + offset - LINE
    found = model.evaluate(X, LINE, sample_weight=weight, verbose=0)
    np.testing.assert_allclose(found, [np.mean(weight * error**2), np.average(np.abs(error), weights=weight)], rtol=1e-10)


@pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight"])
def test_reductions_in_training(reduction):
    y, weight = np.stack([LINE, 2 * LINE], 1), np.random.default_rng(1).uniform(0, 2, 60)
    model = models.Sequential([K.Input((4,)), K.Dense(2)])
    model.compile("sgd", losses.MeanSquaredError(reduction=reduction), dtype="float64")
    error = np.mean((model.predict(X) - y) ** 2, 1)
    wanted = {"sum": np.sum(weight * error), "mean": np.mean(weight * error), "mean_with_sample_weight": np.average(error, weights=weight)}
    np.testing.assert_allclose(model.evaluate(X, y, sample_weight=weight, verbose=0), wanted[reduction], rtol=1e-10)


def test_weighted_means_count_what_a_mask_leaves():
    x, ids, y = K.Input((3,), dtype="int"), np.array([[1, 2, 0], [3, 0, 0], [1, 1, 1]]), np.ones((3, 3, 1))
    model = models.Model(x, K.Dense(1)(K.Embedding(4, 2, mask_zero=True)(x)))
    model.compile("sgd", losses.MeanSquaredError(reduction="mean_with_sample_weight"), dtype="float64")
    weight = np.array([0.5, 2.0, 1.0])
    error = (model.predict(ids) - y)[..., 0] ** 2
    wanted = np.average(error, weights=(ids > 0) * weight[:, None])
    np.testing.assert_allclose(model.evaluate(ids, y, sample_weight=weight, verbose=0), wanted, rtol=1e-10)


def test_weights_of_classes_are_weights_of_samples():
    a, b = classifier(dtype="float64"), classifier(dtype="float64")
    quiet(a, class_weight={0: 0.5, 1: 3.0}, epochs=2)
    quiet(b, sample_weight=np.where(Y == 1, 3.0, 0.5), epochs=2)
    for mine, other in zip(a.get_weights(), b.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_weights_of_classes_count_in_training_alone():
    weight = np.random.default_rng(1).uniform(0.5, 2, 60)
    for options in ({"validation_split": 0.5}, {"validation_data": (X, Y, weight)}):
        model = classifier(dtype="float64", optimizer=optimizers.SGD(0.0), metrics=[])
        kept, held = holdout(60, 0.5, 0, Y) if "validation_split" in options else (np.arange(60), np.arange(60))
        history = quiet(model, class_weight={1: 10.0}, sample_weight=weight, batch_size=60, **options)
        p = model.predict(X)[:, 0]
        error = -weight * np.log(np.where(Y, p, 1 - p))
        trained = np.mean((error * np.where(Y, 10, 1))[kept])
        for found in (history.final, {name: values[0] for name, values in history.history.items()}):
            np.testing.assert_allclose([found["loss"], found["val_loss"]], [trained, np.mean(error[held])], rtol=1e-10)


def test_weights_of_classes_in_one_hot_rows():
    a, b = several(loss="categorical_crossentropy"), several()
    table = {0: 2.0, 2: 0.5}
    expected = quiet(b, X, LABELS, class_weight=table).history["loss"]
    np.testing.assert_allclose(quiet(a, X, np.eye(3)[LABELS], class_weight=table).history["loss"], expected, rtol=1e-5)
    assert quiet(several(), X, LABELS[:, None], class_weight=table).history["loss"] == expected


def test_one_seed_fixes_everything():
    def run(seed, **options):
        model = classifier(dropout=0.4)
        history = quiet(model, epochs=3, seed=seed, **options)
        return history.history["loss"], model.predict(X)

    first, again, other = run(5), run(5), run(6)
    assert first[0] == again[0]
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0] != other[0]
    held = run(5, validation_data=(X, Y))
    assert held[0] == first[0]


def test_orders_go_on_in_a_second_fit():
    a, b = classifier(dropout=0.3), classifier(dropout=0.3)
    whole = quiet(a, epochs=4, seed=3).history["loss"]
    parts = quiet(b, epochs=2, seed=3).history["loss"] + quiet(b, epochs=2, seed=3).history["loss"]
    assert whole == parts


def test_a_second_fit_compiles_nothing():
    model = classifier()
    quiet(model, epochs=2, validation_split=0.2)
    before = dict(model.plans)
    quiet(model, X[:31], Y[:31], epochs=3, batch_size=7, validation_split=0.3, shuffle=False, seed=4)
    model.set_weights(model.get_weights())
    model.evaluate(X, Y, verbose=0)
    assert model.plans == before


def test_the_split_is_drawn_by_the_seed_class_by_class():
    y = np.repeat([0, 1], [48, 12])
    model = classifier()
    history = quiet(model, X, y, validation_split=0.25)
    prepared = model.fit_inputs(X)
    assert len(prepared[0]) == 60
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert set(history.final) == set(history.history)


def test_validation_loss_is_that_of_evaluate():
    model = classifier(dropout=0.5)
    history = quiet(model, epochs=2, validation_data=(X[:20], Y[:20]))
    np.testing.assert_allclose(model.evaluate(X[:20], Y[:20], verbose=0)[0], history.history["val_loss"][-1], rtol=1e-5)
    np.testing.assert_allclose(history.final["val_loss"], history.history["val_loss"][-1], rtol=1e-6)


def test_training_loss_is_that_of_training_mode():
    model = classifier(dropout=0.5, optimizer=optimizers.SGD(0.0))
    history = quiet(model, batch_size=60)
    assert abs(history.history["loss"][0] - model.evaluate(X, Y, verbose=0)[0]) > 1e-3


@pytest.mark.parametrize("y", [Y, Y[:, None], Y.astype(float), Y.astype(bool), Y.tolist()], ids=["ints", "column", "floats", "bools", "list"])
def test_targets_in_any_form(y):
    model = classifier(dtype="float64")
    expected = quiet(classifier(dtype="float64"), X, Y.astype(float), epochs=2).history["loss"]
    assert quiet(model, X, y, epochs=2).history["loss"] == expected


@pytest.mark.parametrize(
    "x",
    [X.tolist(), np.asfortranarray(X), X.astype(">f8"), np.repeat(X, 2, axis=0)[::2], X[::-1][::-1]],
    ids=["lists", "Fortran", "byte-swapped", "strided", "negative strides"],
)
def test_inputs_in_any_form(x):
    expected = quiet(classifier(dtype="float64"), X, Y, epochs=1).history["loss"]
    assert quiet(classifier(dtype="float64"), x, Y, epochs=1).history["loss"] == expected


def test_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    expected = quiet(classifier(), X, Y).history["loss"]
    assert quiet(classifier(), frame, pandas.Series(Y)).history["loss"] == expected
    frame.loc[3, "c"] = np.nan
    with pytest.raises(DataError, match=r"x is NaN in the column 'c' \(row 3\)"):
        quiet(classifier(), frame, Y)


def test_batches():
    batches = [(X[k : k + 16], Y[k : k + 16]) for k in range(0, 60, 16)]
    expected = quiet(classifier(), X, Y, epochs=2, batch_size=16, shuffle=False).history["loss"]
    np.testing.assert_allclose(classifier().fit(batches, epochs=2, verbose=0).history["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(classifier().fit((b for b in batches), epochs=2, verbose=0).history["loss"], expected, rtol=1e-5)

    def endless():
        while True:
            yield from batches

    found = classifier().fit(endless(), epochs=2, steps_per_epoch=4, verbose=0, validation_data=(X, Y))
    np.testing.assert_allclose(found.history["loss"], expected, rtol=1e-5)
    assert len(found.history["val_loss"]) == 2
    model = classifier()
    quiet(model)
    np.testing.assert_allclose(model.evaluate(batches, verbose=0), model.evaluate(X, Y, verbose=0), rtol=1e-5)


@pytest.mark.parametrize("weighted", [{0}, {1}, {3}, {0, 2}, set()], ids=str)
def test_batches_of_which_some_have_weights(weighted):
    weight = np.random.default_rng(2).uniform(0, 2, 60)
    slices = [slice(k, k + 16) for k in range(0, 60, 16)]
    batches = [(X[s], Y[s], weight[s]) if k in weighted else (X[s], Y[s]) for k, s in enumerate(slices)]
    all_weights = np.concatenate([weight[s] if k in weighted else np.ones(len(X[s])) for k, s in enumerate(slices)])
    a, b = (classifier(dtype="float64", metrics=["mae", gx.metrics.Precision()]) for _ in range(2))
    found = a.fit(batches, epochs=2, verbose=0, validation_data=batches)
    expected = quiet(b, batch_size=16, epochs=2, shuffle=False, sample_weight=all_weights, validation_data=(X, Y, all_weights))
    for name, values in expected.history.items():
        np.testing.assert_allclose(found.history[name], values, rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(found.final[name], expected.final[name], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(a.evaluate(batches, verbose=0), b.evaluate(X, Y, sample_weight=all_weights, verbose=0), rtol=1e-9)


BATCHES = {
    "arrays": lambda x: x,
    "lists": lambda x: x.tolist(),
    "inputs": lambda x: (x,),
    "with targets": lambda x: (x, x[:, 0]),
    "with weights": lambda x: (x, x[:, 0], x[:, 0]),
    "of a loader": lambda x: [x, x[:, 0]],
    "rows": lambda x: list(x),
}


@pytest.mark.parametrize("row", BATCHES)
def test_batches_to_predict(row):
    model = line()
    expected = model.predict(X)
    np.testing.assert_array_equal(model.predict(BATCHES[row](X[k : k + 3]) for k in range(0, 60, 3)), expected)
    np.testing.assert_array_equal(model.predict((BATCHES[row](X) for _ in range(9)), steps=1), expected)
    fresh = models.Sequential([K.Dense(1, kernel_initializer="ones")])
    np.testing.assert_allclose(fresh.predict((X[k : k + 3],) for k in range(0, 60, 3))[:, 0], X.sum(1), rtol=1e-5, atol=1e-6)


def test_batches_to_predict_from_several_inputs():
    a, b = K.Input((4,)), K.Input((4,))
    model = models.Model([a, b], [a + b, a - b])
    for batches in ([([X[:30], X[:30]],), ([X[30:], X[30:]],)], (([X[k : k + 30], X[k : k + 30]], Y) for k in (0, 30))):
        total, none = model.predict(b for b in batches)
        np.testing.assert_allclose(total, 2 * X, rtol=1e-6)
        assert not none.any()
    np.testing.assert_allclose(model.predict(b for b in [[X, X]])[0], 2 * X, rtol=1e-6)


def merged():
    a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
    model = models.Model([a, b], K.Dense(1)(a - 2 * b))
    model.compile("sgd", "mse", dtype="float64")
    return model


FORMS = {
    "a list of inputs": lambda x, y: ([x, -x], y),
    "a tuple of inputs": lambda x, y: ((x, -x), y, None),
    "inputs by name": lambda x, y: ({"b": -x, "a": x}, y),
    "targets in a list": lambda x, y: ([x, -x], y.tolist()),
    "lists alone": lambda x, y: ([x.tolist(), (-x).tolist()], y.tolist(), [1.0] * len(y)),
    "targets by name": lambda x, y: ([x, -x], {"dense": y}),
}


@pytest.mark.parametrize("row", FORMS)
def test_lists_of_batches_in_any_form(row):
    model = merged()
    expected = quiet(model, [X, -X], LINE, batch_size=20, shuffle=False, validation_data=([X, -X], LINE))
    batches = [FORMS[row](X[k : k + 20], LINE[k : k + 20]) for k in (0, 20, 40)]
    for source in (batches, tuple(batches), iter(batches)):
        other = merged()
        history = other.fit(source, verbose=0, validation_data=[FORMS[row](X, LINE)])
        for name, values in expected.history.items():
            np.testing.assert_allclose(history.history[name], values, rtol=1e-12)
    np.testing.assert_allclose(other.evaluate(batches, verbose=0), expected.final["val_loss"], rtol=1e-12)
    if row != "lists alone":  # which can be rows as well, where no targets are wanted
        np.testing.assert_array_equal(other.predict(batches), other.predict([X, -X]))


def test_rows_of_numbers_are_no_batches():
    model = models.Sequential([K.Input((2,)), K.Dense(1)])
    rows = [(1.0, 2.0), (3.0, 4.0)]
    np.testing.assert_array_equal(model.predict(rows), model.predict(np.array(rows)))
    np.testing.assert_array_equal(model.predict([tuple(r) for r in np.array(rows)]), model.predict(np.array(rows)))


@pytest.mark.parametrize("names", [(None, None), ("a", "b")], ids=["automatic", "named"])
def test_inputs_are_called_as_in_the_dictionary_of_the_model(names):
    a, b = (K.Input((4,), name=name) for name in names)
    model = models.Model({"z": a, "x": b}, a - 2 * b)  # an automatic name is x too
    expected = model.predict([X, -2 * X])
    np.testing.assert_allclose(expected, 5 * X, rtol=1e-6)
    by_name = {t.name: array for t, array in zip(model.inputs, (X, -2 * X), strict=True)}
    for given in ({"x": -2 * X, "z": X}, by_name):
        np.testing.assert_array_equal(model.predict(given), expected)
        np.testing.assert_array_equal(copy.deepcopy(model).predict(given), expected)
    with pytest.raises(DataError, match=r"^the model's input z has no array among x, y$"):
        model.predict({"x": X, "y": X})
    with pytest.raises(DataError, match=r"^z has 3 columns"):
        model.predict({"x": X, "z": X[:, :3]})


def test_draws_of_an_inference_are_others_at_each_call():
    def drawn():
        inner = classifier(dropout=0.5)
        x = K.Input((4,))
        outer = models.Model(x, inner(x, training=True))
        outer.make_weights(0)
        return [outer.predict(X, batch_size=32) for _ in range(3)], outer

    first, outer = drawn()
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])
    np.testing.assert_array_equal(first, drawn()[0])
    f = gx.compile(outer.outputs[0], outer.inputs)
    np.testing.assert_array_equal(first[0][:32], f(X[:32], step=0))
    np.testing.assert_array_equal(first[1][:32], f(X[:32], step=2))  # two batches a call


def test_targets_by_name_of_one_output():
    assert quiet(line(), X, {"dense": LINE}).history == quiet(line(), X, LINE).history


def test_class_labels_and_one_hot_agree():
    labels = several(dtype="float64")
    one_hot = several(dtype="float64", loss="categorical_crossentropy")
    a = quiet(labels, X, LABELS, epochs=2).history
    b = quiet(one_hot, X, np.eye(3)[LABELS], epochs=2).history
    np.testing.assert_allclose(a["loss"], b["loss"], rtol=1e-10)
    assert a["accuracy"] == b["accuracy"]


def test_own_loss_metric_and_optimizer():
    def cubed(y_true, y_pred):
        return gx.abs(y_true - y_pred) ** 3

    def bias(y_true, y_pred):
        return y_pred - y_true

    descent = optimizers.rule(lambda p, g, state, t, lr: (p - lr * g, {"m": state["m"] + g}), state={"m": 0.0}, learning_rate=0.01)
    model = line(descent, loss=cubed, metrics=[bias], dtype="float64")
    history = quiet(model, X, LINE, epochs=5)
    error = model.predict(X)[:, 0] - LINE
    np.testing.assert_allclose(model.evaluate(X, LINE, verbose=0), [np.mean(np.abs(error) ** 3), error.mean()], rtol=1e-6)
    assert history.history["loss"][-1] < history.history["loss"][0]
    with pytest.raises(DeclarationError, match=r"already averaged"):
        quiet(line(loss=lambda y, p: gx.mean((y - p) ** 2)), X, LINE, sample_weight=np.ones(60))


def test_penalties_and_added_losses_count():
    x = K.Input((4,))
    layer = K.Dense(1, kernel_regularizer=gx.regularizers.L2(0.1) if hasattr(gx, "regularizers") else "l2")
    model = models.Model(x, layer(x))
    model.add_loss(gx.sum(gx.abs(layer.bias)) + 2.0)
    model.compile(optimizers.SGD(0.0), "mse", dtype="float64", metrics=["mse"])
    loss, mse = model.evaluate(X, LINE, verbose=0)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(loss - mse, 0.1 * np.sum(kernel**2) + np.abs(bias).sum() + 2, rtol=1e-9)


def test_a_penalty_on_activity_is_a_sum_over_each_batch():
    model = models.Sequential([K.Input((4,)), K.Dense(1, activity_regularizer=gx.regularizers.L2(0.1))])
    model.compile(optimizers.SGD(0.0), "mse", dtype="float64")
    h = model.predict(X)[:, 0]
    error = np.mean((h - LINE) ** 2)

    def expected(batch):
        parts = [h[k : k + batch] for k in range(0, 60, batch)]
        return error + sum(len(p) * 0.1 * np.sum(p**2) for p in parts) / 60

    for batch in (60, 16, 7):  # the last of 16 and of 7 are shorter
        history = quiet(model, X, LINE, batch_size=batch, shuffle=False, validation_data=(X, LINE))
        found = [
            history.history["loss"][0],
            history.history["val_loss"][0],
            history.final["loss"],
            model.evaluate(X, LINE, batch_size=batch, verbose=0),
        ]
        np.testing.assert_allclose(found, expected(batch), rtol=1e-10)
    np.testing.assert_allclose(model.evaluate(X, LINE, verbose=0), expected(32), rtol=1e-10)


def test_several_outputs():
    x = K.Input((4,))
    h = K.Dense(5, activation="tanh")(x)
    model = models.Model(x, [K.Dense(1, activation="sigmoid", name="sign")(h), K.Dense(1, name="line")(h)])
    model.compile("adam", {"sign": "binary_crossentropy", "line": "mse"}, loss_weights={"sign": 1.0, "line": 0.5}, metrics={"sign": ["accuracy"]})
    history = quiet(model, X, [Y, LINE], epochs=2)
    assert list(history.history) == ["loss", "sign_loss", "line_loss", "sign_accuracy"]
    h = history.history
    np.testing.assert_allclose(h["loss"], np.array(h["sign_loss"]) + 0.5 * np.array(h["line_loss"]), rtol=1e-5)
    assert [p.shape for p in model.predict(X)] == [(60, 1), (60, 1)]
    quiet(model, X, {"sign": Y, "line": LINE})


NAMES = {
    "two of one class": ([gx.metrics.Precision(0.3), gx.metrics.Precision(0.8)], ["loss", "precision", "precision_1"]),
    "two functions": ([lambda y, p: p - y, lambda y, p: y - p], ["loss", "<lambda>", "<lambda>_1"]),
    "one called loss": ([gx.metrics.BinaryAccuracy(name="loss")], ["loss", "loss_1"]),
    "one twice": (["mae", "mae"], ["loss", "mae", "mae_1"]),
    "a list in a list": ([["mae"]], ["loss", "mae"]),
    "by the output's name": ({"dense_1": "mae"}, ["loss", "mae"]),
}


@pytest.mark.parametrize("row", NAMES)
def test_metrics_of_one_name_are_numbered(row):
    given, names = NAMES[row]
    model = classifier(metrics=given)
    assert list(quiet(model, epochs=2).history) == names
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    p = model.predict(X)[:, 0]
    np.testing.assert_allclose(found["loss"], -np.mean(np.log(np.where(Y, p, 1 - p))), rtol=1e-5)
    if row == "two of one class":
        np.testing.assert_allclose([found["precision"], found["precision_1"]], [gx.metrics.Precision(t)(Y, p) for t in (0.3, 0.8)], rtol=1e-5)


def test_metrics_of_several_outputs():
    x = K.Input((4,))
    model = models.Model(x, [K.Dense(1, name="a")(x), K.Dense(1, name="b")(x)])
    model.compile("sgd", "mse", metrics={"a": ["mae"]}, weighted_metrics={"b": "mae", "a": ["mae", "mse"]})
    assert list(quiet(model, X, [LINE, LINE]).history) == ["loss", "a_loss", "b_loss", "a_mae", "a_mae_1", "a_mse", "b_mae"]
    model.compile("sgd", "mse", metrics=[["mae"], []], weighted_metrics=["mse"])
    assert list(quiet(model, X, [LINE, LINE]).history) == ["loss", "a_loss", "b_loss", "a_mae", "a_mse", "b_mse"]
    model.compile("sgd", "mse", metrics={"typo": ["mae"]})
    with pytest.raises(DeclarationError, match=r"metrics are given for the output 'typo', and the model's outputs are a, b"):
        quiet(model, X, [LINE, LINE])
    with pytest.raises(DeclarationError, match=r"the metric 'mea' is unknown"):
        model.compile("sgd", "mse", metrics={"a": ["mea"]})


def test_train_on_batch():
    model = line(optimizers.SGD(0.05), dtype="float64")
    kernel, bias = model.get_weights()
    loss = model.train_on_batch(X, LINE)
    new, _, expected = numpy_descent(X, LINE, kernel, bias, 0.05, np.arange(60), 60)
    np.testing.assert_allclose(loss, expected, rtol=1e-10)
    np.testing.assert_allclose(model.get_weights()[0], new, rtol=1e-10)
    assert isinstance(classifier().train_on_batch(X, Y), list)


def test_frozen_weights_stay():
    model = models.Sequential([K.Input((4,)), K.Dense(3, trainable=False), K.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    quiet(model, X, LINE)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert not np.array_equal(before[2], after[2])


def test_one_line_an_epoch_without_control_characters(capsys, monkeypatch):
    monkeypatch.setattr(fitting, "_LONG", math.inf)
    classifier().fit(X, Y, epochs=3, validation_data=(X, Y))
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3
    for k, text in enumerate(out):
        assert re.fullmatch(rf"Epoch {k + 1}/3 - loss: [\d.]+ - accuracy: [\d.]+ - val_loss: [\d.]+ - val_accuracy: [\d.]+", text)
    model = classifier()
    quiet(model)
    model.evaluate(X, Y, verbose=0)
    assert capsys.readouterr().out == ""


def test_compiling_that_takes_long_is_told_of_once(capsys, monkeypatch):
    monkeypatch.setattr(fitting, "_LONG", -1.0)
    classifier().fit(X, Y, epochs=2)
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3
    assert re.fullmatch(r"Compiled in [\d.]+ s", out[0])
    quiet(classifier())
    assert capsys.readouterr().out == ""


def pair():
    x = K.Input((4,))
    model = models.Model(x, [K.Dense(1, name="a")(x), K.Dense(1, name="b")(x)])
    model.compile("sgd", "mse")
    return model


def sequence(loss="mse"):
    model = models.Sequential([K.Input((4,)), K.Reshape((4, 1)), K.Dense(2)])
    model.compile("sgd", loss)
    return model


BAD = {
    "lengths": (lambda: quiet(classifier(), X, Y[:59]), r"x has 60 samples and y has 59"),
    "width": (lambda: quiet(line(), X[:, :3], LINE), r"x has 3 columns, and the model's input x\(n, 4\) wants 4"),
    "NaN": (lambda: quiet(line(), np.where(X > 2, np.nan, X), LINE), r"x is NaN in the column"),
    "infinity": (lambda: quiet(line(), np.where(X > 2, np.inf, X), LINE), r"x is infinite in the column \d \(row"),
    "minus infinity in y": (lambda: quiet(line(), X, np.where(LINE > 2, -np.inf, LINE)), r"y is infinite in row"),
    "NaN in y": (lambda: quiet(line(), X, np.where(LINE > 2, np.nan, LINE)), r"y is NaN in row"),
    "labels": (lambda: quiet(several(), X, LABELS + 1), r"y has the class 3 in row \d+, and the model has 3 classes, 0 to 2"),
    "negative labels": (lambda: quiet(several(), X, LABELS - 1), r"y has the class -1"),
    "binary": (lambda: quiet(classifier(), X, Y + 1), r"y has 2 in row \d+, and binary targets lie between 0 and 1"),
    "signs": (lambda: quiet(classifier(), X, 2 * Y - 1), r"y has -1 in row"),
    "strings": (lambda: quiet(classifier(), X, np.where(Y, "yes", "no")), r"y has entries of type <U3"),
    "one-hot": (lambda: quiet(several(), X, np.eye(3)[LABELS]), r"take the loss categorical_crossentropy"),
    "columns": (lambda: quiet(line(), X, X), r"y has 4 columns and the model gives 1"),
    "labels for one-hot": (lambda: quiet(several(loss="categorical_crossentropy"), X, LABELS), r"take the loss sparse_categorical_crossentropy"),
    "weights": (lambda: quiet(line(), X, LINE, sample_weight=np.ones(3)), r"sample_weight has the shape \(3,\), and there are 60"),
    "class weights": (lambda: quiet(classifier(), class_weight={0: "much"}), r"class_weight=.*by its label"),
    "a list of class weights": (lambda: quiet(classifier(), class_weight=[1.0, 2.0]), r"class_weight=.*by its label"),
    "a negative class weight": (
        lambda: quiet(classifier(), class_weight={0: -1.0}),
        r"class_weight has -1 for the class 0: a weight is a number of 0",
    ),
    "a class weight of NaN": (lambda: quiet(classifier(), class_weight={0: math.nan}), r"class_weight has nan for the class 0"),
    "class weights of sequences": (lambda: quiet(sequence(), X, np.zeros((60, 4, 2)), class_weight={0: 1}), r"targets have the shape \(60, 4, 2\)"),
    "class weights of labelled sequences": (
        lambda: quiet(sequence("sparse_categorical_crossentropy"), X, X > 0, class_weight={0: 2}),
        r"one class a sample, and the targets have the shape \(60, 4\)",
    ),
    "class weights of one-hot sequences": (
        lambda: quiet(sequence("categorical_crossentropy"), X[:6], np.eye(2)[(X[:6] > 0).astype(int)], class_weight={0: 2}),
        r"the targets have the shape \(6, 4, 2\)",
    ),
    "class weights of several labels": (
        lambda: quiet(several(loss="binary_crossentropy"), X, np.ones((60, 3)), class_weight={0: 2}),
        r"class_weight needs one class a sample, and y has no one-hot row in row 0",
    ),
    "class weights of no classes": (lambda: quiet(line(), X, LINE, class_weight={0: 2}), r"class_weight needs class labels, and y has .* in row 0"),
    "class weights for two": (lambda: quiet(pair(), X, [LINE, LINE], class_weight={0: 2.0}), r"class_weight is given, and the model has 2 outputs"),
    "another output": (lambda: quiet(pair(), X, {"a": LINE, "c": LINE}), r"y has nothing for the output 'b': it has 'a', 'c', and the .* a, b$"),
    "beside the outputs": (
        lambda: quiet(pair(), X, {"a": LINE, "b": LINE, "c": LINE}),
        r"y has 'c', which is no output of the model's: leave it out, or name one of a, b$",
    ),
    "beside the one output": (lambda: quiet(line(), X, {"b": LINE, "dense": LINE}), r"y has 'b', which is no output .*, or name one of dense$"),
    "one of two": (lambda: quiet(pair(), X, LINE), r"the model has 2 outputs, and 60 arrays of targets are given"),
    "a number for two": (lambda: quiet(pair(), X, 3.0), r"the model has 2 outputs, and 1 arrays of targets are given"),
    "another output of one": (lambda: quiet(line(), X, {"b": LINE}), r"y has nothing for the output 'dense': it has 'b'"),
    "a formula": (lambda: quiet(line(), gx.constant(X), LINE), r"x is the tensor .*\(60, 4\), which is a formula: give an array of numbers"),
    "a formula in y": (lambda: quiet(line(), X, gx.constant(LINE)), r"y is the tensor"),
    "None": (lambda: line().fit(), r"x is None: give an array"),
    "beyond the precision": (
        lambda: quiet(line(), np.where(X > 2, 1e300, X), LINE),
        r"x has 1e\+300 in the column \d \(row \d+\), which is beyond float32",
    ),
    "y beyond it": (lambda: quiet(line(), X, np.where(LINE > 2, -1e39, LINE)), r"y has -1e\+39 in the column 0 \(row \d+\), which is beyond float32"),
    "a weight beyond it": (lambda: quiet(line(), X, LINE, sample_weight=np.full(60, 1e40)), r"sample_weight has 1e\+40 \(row 0\), which is beyond"),
    "no batches to predict": (lambda: line().predict(iter([])), r"batches is empty"),
    "no targets": (lambda: quiet(line(), X, None), r"y is missing"),
    "nothing": (lambda: quiet(line(), X[:0], LINE[:0]), r"x has no samples"),
    "split": (lambda: quiet(line(), X, LINE, validation_split=1.5), r"validation_split=1.5"),
    "nothing to measure": (lambda: line().evaluate(iter([])), r"batches is empty: give one that has a batch each time"),
    "weights beside batches": (
        lambda: line().fit([(X, LINE)], sample_weight=np.ones(60), verbose=0),
        r"sample_weight is given beside an iterable of batches: let each batch be \(x, y, sample_weight\)",
    ),
    "empty batches": (lambda: line().fit(iter([]), verbose=0), r"batches is empty"),
    "validation": (lambda: quiet(classifier(), validation_data=(X, Y[:3])), r"x has 60 samples and y has 3"),
}


@pytest.mark.parametrize("row", BAD)
def test_data_that_does_not_fit_is_named(row):
    run, message = BAD[row]
    with pytest.raises(DataError, match=message):
        run()


def test_arguments_that_do_not_fit():
    for options in ({"epochs": 0}, {"batch_size": -1}, {"seed": -1}, {"seed": 0.5}):
        with pytest.raises(DeclarationError, match=rf"{next(iter(options))}="):
            quiet(line(), X, LINE, **options)


@pytest.mark.parametrize("loss", ["mse", "sparse_categorical_crossentropy", lambda y, p: (y - p) ** 2], ids=["mse", "labels", "own"])
def test_an_output_of_one_number_is_told(loss):
    x = K.Input((4,))
    model = models.Model(x, gx.sum(K.Dense(1)(x)))
    model.compile("sgd", loss)
    with pytest.raises(DeclarationError, match=r"output Σ\(dense\) \(scalar\) is one number for all samples.*: give an output with a row for each"):
        quiet(model, X, LINE)


@pytest.mark.parametrize("count", [7, 8, 14])
def test_a_loss_that_sets_samples_against_columns_holds_for_no_batch(count):
    model = models.Sequential([K.Input((4,)), K.Dense(7)])
    for options in (
        {"loss": lambda y, p: gx.square(y - p)},
        {"loss": lambda y, p: -gx.log(gx.sum(gx.softmax(p), 1)), "metrics": [lambda y, p: y - p]},
    ):
        model.compile("sgd", **options)
        with pytest.raises(gx.ShapeError, match=r"y\(n,\) and .*axis 1 is n and 7\. .* \(batches have any number of samples; declared at test_fit"):
            quiet(model, X[:count], LABELS[:count], batch_size=7)


def test_a_loss_of_ones_own_picks_by_labels():
    def picked(y, p):
        return -gx.sum(gx.one_hot(y, 3) * gx.log(p), axis=1)

    for count in (3, 60):  # as many samples as classes, and others
        expected = quiet(several(), X[:count], LABELS[:count]).history["loss"]
        np.testing.assert_allclose(quiet(several(loss=picked), X[:count], LABELS[:count]).history["loss"], expected, rtol=1e-5)


def test_options_that_do_not_exist():
    with pytest.raises(DeclarationError, match=r"^model\.fit has no option foo: its options are x, y, batch_size, epochs, .*seed$"):
        quiet(line(), X, LINE, foo=1)
    with pytest.raises(DeclarationError, match=r"^model\.evaluate has no option foo: .*return_dict$"):
        line().evaluate(X, LINE, foo=1)


def test_a_class_without_a_weight_weighs_1():
    a, b = classifier(), classifier()
    assert quiet(a, class_weight={1: 3.0}).history == quiet(b, class_weight={0: 1.0, 1: 3.0}).history


def test_a_regression_in_one_variable_takes_vectors():
    model = models.Sequential([K.Dense(1)])
    model.compile(optimizers.SGD(0.1), losses.MeanSquaredError())
    x = np.linspace(-1, 1, 40)
    quiet(model, x, 3 * x + 1, epochs=60, batch_size=8)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose([kernel[0, 0], bias[0]], [3, 1], atol=0.02)


@pytest.mark.parametrize("gate", [[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0]], ids=["and", "or", "nand"])
def test_a_perceptron_learns_a_gate_from_zero_weights(gate):
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    model = models.Sequential([K.Dense(1, kernel_initializer="zeros")])
    model.compile(optimizers.SGD(1.0), losses.Perceptron())
    quiet(model, corners, gate, batch_size=1, epochs=30)
    assert (model.predict(corners)[:, 0] > 0).astype(int).tolist() == gate
    assert all(np.array_equal(w, np.round(w)) for w in model.get_weights())


def test_a_network_learns_exclusive_or():
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    model = models.Sequential([K.Dense(8, activation="tanh"), K.Dense(1, activation="sigmoid")])
    model.compile(optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    assert quiet(model, corners, [0, 1, 1, 0], epochs=300).final["loss"] < 0.01


def test_a_random_node_and_a_state_inside_a_model():
    x = K.Input((4,))
    mean, log_variance = K.Dense(2)(x), K.Dense(2)(x)
    code = mean + gx.exp(log_variance / 2) * gx.random.normal((x.shape[0], 2))
    model = models.Model(x, K.Dense(4)(code))
    model.add_loss(-0.5 * gx.mean(gx.sum(1 + log_variance - mean**2 - gx.exp(log_variance), axis=1)))
    model.compile("adam", "mse")
    first = quiet(model, X, X, epochs=2, seed=1).history["loss"]
    assert first[1] < first[0]

    class Centred(K.Layer):
        def build(self, input_shape):
            self.mean = self.add_weight((input_shape[-1],), "zeros", trainable=False, name="mean")

        def call(self, x):
            now = gx.mean(x, axis=0)
            moved = gx.assign(self.mean, 0.9 * self.mean + 0.1 * now)
            return gx.by_phase(training=x - now + 0 * moved, inference=x - self.mean)

    layer = Centred()
    model = models.Sequential([layer, K.Dense(1)])
    model.compile("sgd", "mse", dtype="float64")
    quiet(model, X, LINE, batch_size=60, epochs=2)
    np.testing.assert_allclose(layer.mean.value, 0.19 * X.mean(0), rtol=1e-9)


def test_a_learned_weight_is_that_of_the_reference():
    model = classifier(dropout=0.4, dtype="float64")
    model.build((None, 4))
    loss = model.objective()
    wanted = gx.evaluate(gx.grad(loss, model.weights[0]), {gx.leaves(loss)["x"]: X, gx.leaves(loss)["y"]: Y[:, None]}, seed=9)
    model.compile(optimizers.SGD(1.0), "binary_crossentropy", dtype="float64")
    before = model.get_weights()[0]
    quiet(model, batch_size=60, shuffle=False, seed=9)
    np.testing.assert_allclose(before - model.get_weights()[0], wanted, rtol=1e-9, atol=1e-12)


def test_a_layer_may_be_frozen_between_two_fits():
    model = models.Sequential([K.Input((4,)), K.Dense(3), K.Dense(1)])
    model.compile("adam", "mse")
    quiet(model, X, LINE, batch_size=20)
    model.layers[0].trainable = False
    frozen = model.get_weights()
    quiet(model, X, LINE, batch_size=20)
    assert model.optimizer.iterations == 6
    np.testing.assert_array_equal(model.get_weights()[0], frozen[0])
    assert not np.array_equal(model.get_weights()[2], frozen[2])
    model.layers[0].trainable = True
    quiet(model, X, LINE, batch_size=20)
    assert model.optimizer.iterations == 9
    assert not np.array_equal(model.get_weights()[0], frozen[0])


def test_an_embedding_as_the_first_layer():
    ids = np.random.default_rng(3).integers(0, 7, (60, 3))
    y = (ids == 2).any(axis=1).astype(int)
    model = models.Sequential([K.Embedding(7, 4), K.Flatten(), K.Dense(1, activation="sigmoid")])
    model.compile(optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    assert quiet(model, ids, y, epochs=60).final["accuracy"] > 0.95
    with pytest.raises(DataError, match=r"embedding"):
        model.predict(np.full((2, 3), 7))
    with pytest.raises(DataError, match=r"no whole numbers"):
        model.predict(np.full((2, 3), 0.5))


SETTINGS = {
    "batch of nothing": (lambda m: m.predict(X, batch_size=0), "batch_size=0 of predict"),
    "negative batch": (lambda m: m.predict(X, batch_size=-1), "batch_size=-1 of predict"),
    "a text": (lambda m: m.predict(X, batch_size="8"), "batch_size='8' of predict"),
    "half a sample": (lambda m: m.evaluate(X, LINE, batch_size=2.5), "batch_size=2.5 of evaluate"),
    "negative in evaluate": (lambda m: m.evaluate(X, LINE, batch_size=-3), "batch_size=-3 of evaluate"),
    "validation": (lambda m: quiet(m, X, LINE, validation_split=0.3, validation_batch_size=-3), "validation_batch_size=-3 of fit"),
    "never measured": (lambda m: quiet(m, X, LINE, validation_split=0.3, validation_freq=0), "validation_freq=0 of fit"),
    "first epoch": (lambda m: quiet(m, X, LINE, initial_epoch="a"), "initial_epoch='a' of fit"),
    "no steps": (lambda m: quiet(m, X, LINE, steps_per_epoch=0), "steps_per_epoch=0 of fit"),
    "no steps of evaluate": (lambda m: m.evaluate([(X, LINE)], steps=-3), "steps=-3 of evaluate"),
    "shuffled otherwise": (lambda m: quiet(m, X, LINE, shuffle="batch"), "shuffle='batch' of fit: it is True or False"),
    "loud": (lambda m: m.fit(X, LINE, verbose="loud"), "verbose='loud' of fit"),
    "shares": (lambda m: m.compile("sgd", "mse", loss_weights="a"), "loss_weights='a' of model.compile"),
}


@pytest.mark.parametrize("row", SETTINGS)
def test_settings_that_mean_nothing_are_told(row):
    call, message = SETTINGS[row]
    with pytest.raises(DeclarationError, match=re.escape(message)):
        call(line())


def test_steps_of_an_epoch_of_arrays():
    model = line()
    seen = []
    model.fit(X, LINE, verbose=0, batch_size=7, epochs=2, steps_per_epoch=3, callbacks=[Seen(seen)])
    assert model.optimizer.iterations == 6
    assert seen == [3]
    model.fit(X, LINE, verbose=0, batch_size=20, steps_per_epoch=100, callbacks=[Seen(seen)])
    assert model.optimizer.iterations == 9
    assert seen == [3, 3]


class Seen(gx.callbacks.Callback):
    """Notes how many steps an epoch has."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def on_train_begin(self, logs=None):
        self.seen.append(self.params["steps"])
