"""Files: what comes back is what was saved, training goes on bit for bit, and damage is told."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc import layers as K
from graphc import models, optimizers, regularizers, schedules
from graphc.codegen.cuda import available
from graphc.errors import FileFormatError
from graphc.expr import scalar
from graphc.models import load_model
from graphc.models.encoding import _formula, _read_formula
from tests.models.problems import LABELS, LINE, X, Y, classifier, line, quiet, several


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
