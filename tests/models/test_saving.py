"""Files: what comes back is what was saved, training goes on bit for bit, and damage is told."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc import layers as K
from graphc import losses, metrics, models, optimizers, regularizers, schedules
from graphc.codegen.cuda import available
from graphc.errors import DataError, DeclarationError, FileFormatError
from graphc.expr import scalar
from graphc.models import load_model
from graphc.models.encoding import _formula, _read_formula
from tests.models.problems import LABELS, LINE, X, Y, classifier, line, quiet, rewritten, several


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


def swish_model():
    x = K.Input((4,), name="features")
    swish = gx.function("swish", lambda v: v / (1 + sympy.exp(-v)))
    h = swish(K.Dense(5, kernel_regularizer=regularizers.L2(0.01))(x)).named("h")
    gain = gx.parameter("gain", (), init=2.0)
    made = models.Model(x, K.Dense(1)(K.RReLU()(h)) * gain)
    made.compile(optimizers.RMSprop(0.01, momentum=0.5, clipnorm=1.0), "huber", metrics=["mae", "rmse"])
    return made


def nested_model():
    encoder = models.Sequential([K.Dense(3, activation="gelu"), K.Dense(2)], name="encoder")
    x = K.Input((4,))
    made = models.Model(x, K.Dense(1, activation="sigmoid")(encoder(x)))
    made.compile(optimizers.SGD(schedules.CosineDecay(0.1, 30), momentum=0.9, nesterov=True), "binary_crossentropy", metrics=["f1"])
    return made


def own_model():
    rule = optimizers.rule(lambda p, g, s, t, lr: (p - lr * g / t, {"m": s["m"] + g}), state={"m": 0.0}, learning_rate=0.05)
    return line(rule, loss=lambda y, p: gx.abs(y - p) ** 1.5, metrics=["mse"])


CASES = {
    "classifier": (lambda: classifier(dropout=0.3), Y),
    "adamw": (lambda: classifier(optimizer=optimizers.AdamW(0.01, amsgrad=True)), Y),
    "labels": (several, LABELS),
    "expression": (swish_model, LINE),
    "nested": (nested_model, Y),
    "own loss and rule": (own_model, LINE),
}


@pytest.mark.parametrize("row", CASES)
def test_training_goes_on_bit_for_bit(row, tmp_path):
    make, y = CASES[row]
    a = make()
    quiet(a, X, y, epochs=2, seed=3)
    path = tmp_path / "m.graphc"
    a.save(path)
    b = load_model(path)
    assert [w.name for w in b.weights] == [w.name for w in a.weights]
    assert [layer.name for layer in b.layers] == [layer.name for layer in a.layers]
    assert same(a, b)
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    assert a.evaluate(X, y, verbose=0) == b.evaluate(X, y, verbose=0)
    assert b.optimizer.iterations == a.optimizer.iterations == 4
    first, second = quiet(a, X, y, epochs=2, seed=3).history, quiet(b, X, y, epochs=2, seed=3).history
    assert first == second
    assert same(a, b)


def test_a_saved_model_can_be_saved_again(tmp_path):
    a = classifier(dropout=0.3)
    quiet(a, epochs=1)
    a.save(tmp_path / "a")
    a.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    b = load_model(tmp_path / "a")
    b.save(tmp_path / "c")
    c = load_model(tmp_path / "c")
    assert same(a, c)
    assert quiet(a, epochs=2).history == quiet(c, epochs=2).history


def test_a_model_for_a_device_loads_where_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setattr(available, "missing", lambda: None)
    a = classifier()
    a.build((None, 4))
    a.compile(optimizers.Adam(0.01), "binary_crossentropy", target="cuda", dtype=np.float64)
    a.save(tmp_path / "a")
    assert load_model(tmp_path / "a").target == "cuda"
    monkeypatch.setattr(available, "missing", lambda: "there is no device")
    with pytest.warns(UserWarning, match=r'which cannot be used here: there is no device\. It is loaded with target="cpu"'):
        b = load_model(tmp_path / "a")
    assert (b.target, b.float_type) == ("cpu", "float64")
    assert same(a, b)
    a.compile(optimizers.Adam(0.01), "binary_crossentropy", dtype=np.float64)
    assert quiet(a, epochs=1).history == quiet(b, epochs=1).history


def test_a_model_that_was_never_trained(tmp_path):
    a = classifier()
    a.build((None, 4))
    a.save(tmp_path / "a")
    b = load_model(tmp_path / "a")
    assert same(a, b)
    assert quiet(a, epochs=1).history == quiet(b, epochs=1).history
    plain = models.Sequential([K.Input((4,)), K.Dense(2)])
    plain.save(tmp_path / "plain")
    np.testing.assert_array_equal(load_model(tmp_path / "plain").predict(X), plain.predict(X))
    lines: list[str] = []
    load_model(tmp_path / "plain").summary(print_fn=lines.append)
    assert "dense (Dense)" in lines[0]


def test_the_rate_and_weights_of_samples_after_loading(tmp_path):
    a = classifier()
    quiet(a, epochs=1)
    a.optimizer.learning_rate = 0.5
    a.save(tmp_path / "a")
    b = load_model(tmp_path / "a")
    assert b.optimizer.learning_rate == 0.5
    weights = np.linspace(0, 1, 60)
    assert quiet(a, sample_weight=weights).history == quiet(b, sample_weight=weights).history


@pytest.mark.parametrize("place", [0, 20, 90, 300, -200, -1])
def test_every_damaged_byte_is_told(place, tmp_path):
    a = classifier()
    quiet(a)
    a.save(tmp_path / "a")
    data = bytearray((tmp_path / "a").read_bytes())
    data[place] ^= 0x10
    (tmp_path / "b").write_bytes(data)
    with pytest.raises(FileFormatError, match=r"b (is|cannot)"):
        load_model(tmp_path / "b")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"graphc model 1\n", b"\x80\x04\x95", b"graphc model 1\n" + b"0" * 64 + b"\n"])
def test_foreign_files_are_told(content, tmp_path):
    (tmp_path / "b").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"b is"):
        load_model(tmp_path / "b")
    with pytest.raises(FileFormatError, match=r"cannot be opened"):
        load_model(tmp_path / "none")


@pytest.mark.parametrize("path", [None, 3, 1.5, "", ".", "a\0b"], ids=repr)
def test_what_is_no_path_is_told(path):
    with pytest.raises(DeclarationError, match=r"of gx\.load_model (is no path|names no file)"):
        load_model(path)
    with pytest.raises(DeclarationError, match=r"of model\.save (is no path|names no file)"):
        line().save(path)


def test_what_cannot_be_opened_or_written_is_told(tmp_path):
    a = line()
    a.save(str(tmp_path / "m").encode())
    assert same(load_model(str(tmp_path / "m").encode()), a)
    with pytest.raises(FileFormatError, match=r"cannot be opened: Is a directory"):
        load_model(tmp_path)
    with pytest.raises(DataError, match=r"m\.graphc cannot be written: the folder .*none does not exist; make it first"):
        a.save(tmp_path / "none" / "deep" / "m.graphc")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match=r"folder cannot be written"):
        a.save(tmp_path / "folder")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "m"]


x0, x1 = sympy.Symbol("x0", real=True), sympy.Symbol("x1", real=True)
i0 = sympy.Symbol("i0", integer=True, nonnegative=True)
FORMULAS = [
    x0 + 2 * x1 - sympy.Rational(1, 3),
    sympy.exp(-(x0**2)) / (1 + x1),
    sympy.Float("0.1") * x0,
    sympy.sqrt(2 / sympy.pi) * sympy.tanh(x0),
    scalar.Select(sympy.And(sympy.Gt(x0, 0), sympy.Eq(x1, i0)), scalar.Maximum(x0, x1), sympy.Integer(0)),
    sympy.Ne(x0, x1),
    scalar.Power(x0, x1) + scalar.Sigmoid(x0),
]


@pytest.mark.parametrize("formula", FORMULAS, ids=str)
def test_formulas_come_back_as_they_were(formula):
    assert _read_formula(_formula(formula)) == formula


def test_unknown_formulas_are_refused():
    with pytest.raises(FileFormatError, match=r"unknown function 'eval'"):
        _read_formula(["eval", {"symbol": "x0"}])


def sent(optimizer="sgd", path=None, **options):
    """A compiled model and what a file gives back of it."""
    a = line(optimizer, **options)
    a.save(path)
    return a, load_model(path)


def adam(**options):
    return optimizers.Adam(0.1, **options)


# What is compiled with, and how the number that came back is found.
NUMPY_OPTIONS = {
    "a share": (lambda: {"optimizer": adam(beta_1=np.float32(0.5))}, lambda m: m.optimizer.beta_1, 0.5),
    "a whole number": (lambda: {"optimizer": adam(clipnorm=np.int64(1))}, lambda m: m.optimizer.clipnorm, 1),
    "a truth value": (lambda: {"optimizer": adam(amsgrad=np.bool_(True))}, lambda m: m.optimizer.amsgrad, True),
    "of a loss": (lambda: {"loss": losses.Huber(np.float32(0.1))}, lambda m: m.objectives[0].function.delta, float(np.float32(0.1))),
    "a decay": (
        lambda: {"optimizer": optimizers.Adam(schedules.ExponentialDecay(0.1, np.int64(10), 0.5))},
        lambda m: m.optimizer.learning_rate(20),
        0.025,
    ),
    "an array": (
        lambda: {"optimizer": optimizers.Adam(schedules.PiecewiseConstantDecay(np.array([2, 4]), np.array([3.0, 2.0, 1.0])))},
        lambda m: [m.optimizer.learning_rate(k) for k in (0, 3, 9)],
        [3.0, 2.0, 1.0],
    ),
    "a schedule in another": (
        lambda: {"optimizer": optimizers.Adam(schedules.Warmup(schedules.ExponentialDecay(0.1, 10, 0.5), np.int32(4)))},
        lambda m: [m.optimizer.learning_rate(k) for k in (1, 20)],
        [0.1 * 0.5**0.1 / 2, 0.025],
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", NUMPY_OPTIONS)
def test_options_that_are_numbers_of_any_kind_come_back(row, tmp_path):
    make, read, wanted = NUMPY_OPTIONS[row]
    a, b = sent(path=tmp_path / "m", **make())
    assert read(a) == pytest.approx(wanted, rel=1e-7)
    assert read(b) == pytest.approx(read(a), rel=1e-12)
    assert type(b.optimizer) is type(a.optimizer)
    assert quiet(a, X, LINE).history == quiet(b, X, LINE).history


def own_things():
    """The user's own, under the names that graphc's have."""

    class Adam(optimizers.Adam):
        def rule(self, p, g, state, t, lr):
            return p - 3 * lr * g, dict(state)

    class BinaryCrossentropy(losses.Loss):
        def call(self, y_true, y_pred):
            return 7 * (y_true - y_pred[:, 0]) ** 2

    class Huber(losses.Loss):
        def __init__(self, threshold):
            super().__init__()
            self.threshold = threshold

        def call(self, y_true, y_pred):
            return self.threshold * gx.abs(y_true - y_pred[:, 0])

    class Constant(schedules.LearningRateSchedule):
        def formula(self, step):
            return 0.5 / (step + 1)

    class Warmup(schedules.LearningRateSchedule):
        def __init__(self, peak, warm):
            self.peak, self.warm = peak, warm

        def formula(self, step):
            return gx.minimum(self.peak * (step + 1) / self.warm, self.peak)

    def accuracy(y_true, y_pred):
        return 40 + 0 * y_pred

    return {
        "a rule": {"optimizer": Adam(0.01)},
        "a loss": {"loss": BinaryCrossentropy()},
        "a loss with another option": {"loss": Huber(0.3)},
        "a schedule": {"optimizer": optimizers.SGD(Constant())},
        "a schedule with other options": {"optimizer": optimizers.SGD(Warmup(0.1, 5))},
        "a metric": {"metrics": [accuracy]},
    }


@pytest.mark.parametrize("row", own_things())
def test_what_is_the_users_own_never_comes_back_as_graphcs(row, tmp_path):
    a, b = sent(path=tmp_path / "m", **own_things()[row])
    assert a.evaluate(X, LINE, verbose=0) == b.evaluate(X, LINE, verbose=0)
    assert quiet(a, X, LINE, epochs=2).history == quiet(b, X, LINE, epochs=2).history
    b.save(tmp_path / "again")
    c = load_model(tmp_path / "again")
    assert quiet(a, X, LINE).history == quiet(c, X, LINE).history
    with pytest.raises(gx.DeclarationError, match=r"is your own, and files hold no code: call model\.compile"):
        c.fit(X, np.stack([LINE, LINE], 1)[:, :1], sample_weight=np.ones(60), verbose=0)


def test_metrics_keep_their_options(tmp_path):
    made = [metrics.BinaryAccuracy(0.7), metrics.Precision(0.7), metrics.Recall(np.float64(0.7), name="found"), metrics.f1, "acc"]
    a = classifier(metrics=[*made, losses.BinaryCrossentropy(label_smoothing=0.5)])
    a.build((None, 4))
    a.save(tmp_path / "a")
    b = load_model(tmp_path / "a")
    for weights in (None, np.linspace(0, 1, 60)):
        first = a.evaluate(X, Y, sample_weight=weights, verbose=0, return_dict=True)
        assert first == b.evaluate(X, Y, sample_weight=weights, verbose=0, return_dict=True)
    assert list(first) == ["loss", "binary_accuracy", "precision", "found", "f1", "acc", "binary_crossentropy"]
    top = several(loss="categorical_crossentropy", metrics=[metrics.TopKCategoricalAccuracy(k=2)])
    top.save(tmp_path / "top")
    one_hot = np.eye(3)[LABELS]
    assert load_model(tmp_path / "top").evaluate(X, one_hot, verbose=0) == top.evaluate(X, one_hot, verbose=0)


def test_metrics_of_earlier_files(tmp_path):
    a = line("sgd", metrics=["mae"])
    a.save(tmp_path / "m")
    earlier = [[{"function": "mean_squared_error"}, 1.0, [{"name": "mae", "known": True}, {"name": "mine", "known": False}]]]
    rewritten(tmp_path / "m", lambda content: content["compiled"].update(losses=earlier))
    b = load_model(tmp_path / "m")
    assert [m.name for m in b.objectives[0].metrics] == ["mae", "mine"]
    assert a.evaluate(X, LINE, verbose=0) == b.evaluate(X, LINE, verbose=0)
