"""Models: building, names, weights, the functional style, expressions."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K
from graphc import models as M
from graphc.errors import CompileError, DeclarationError, ShapeError
from tests.models.problems import line

X = np.random.default_rng(0).normal(size=(6, 4))


def test_names_and_order_of_weights():
    model = M.Sequential([K.Dense(3), K.Dropout(0.5), K.Dense(2, name="head"), K.Dense(1), K.Dropout(0.1)])
    with pytest.raises(DeclarationError, match=r"has no weights yet"):
        model.get_weights()
    model.build((None, 4))
    assert [layer.name for layer in model.layers] == ["dense", "dropout", "head", "dense_1", "dropout_1"]
    assert [w.name for w in model.weights] == ["dense/kernel", "dense/bias", "head/kernel", "head/bias", "dense_1/kernel", "dense_1/bias"]
    assert [w.shape for w in model.get_weights()] == [(4, 3), (3,), (3, 2), (2,), (2, 1), (1,)]
    assert model.count_params() == 15 + 8 + 3
    assert [str(e) for e in model.output_shape] == ["n", "1"]


def named(name):
    return K.Dense(4, name=name)


def shortcut():
    x = K.Input((4,))
    a, s = named("a")(x), named("s")
    return M.Model(x, K.Add()([s(x), named("b")(a)]))


def unequal_ways():
    x, z = K.Input((4,)), K.Input((4,))
    return M.Model([x, z], K.Concatenate()([named("d")(z), named("c")(named("b")(named("a")(x)))]))


def two_outputs():
    x = K.Input((4,))
    return M.Model(x, [named("one")(x), named("two")(named("hidden")(x))])


def operations_between():
    x = K.Input((4,))
    return M.Model(x, named("out")(named("near")(x) + gx.exp(2 * named("far")(x))))


def within_a_recurrence():
    x = K.Input((3, 4))
    last, _ = gx.scan(lambda h, e: (named("step")(h + e), h), gx.transpose(x, (1, 0, 2)), 0 * x[:, 0])
    return M.Model(x, named("out")(last))


class Attributes(M.Model):
    def __init__(self):
        super().__init__()
        self.last, self.others = K.Dense(1, name="last"), [named("first")]

    def call(self, x):
        return self.last(self.others[0](x))


def by_subclass():
    model = Attributes()
    model.build((None, 4))
    return model


@pytest.mark.parametrize(
    ("make", "order"),
    [
        (shortcut, ["a", "s", "b", "add"]),
        (unequal_ways, ["a", "b", "d", "c", "concatenate"]),
        (two_outputs, ["hidden", "one", "two"]),
        (operations_between, ["far", "near", "out"]),
        (within_a_recurrence, ["step", "out"]),
        (by_subclass, ["last", "first"]),
    ],
)
def test_layers_stand_in_the_order_of_keras(make, order):
    # What Keras 3 gives for the same models: the farthest from the outputs first, attributes of a subclass as they stand.
    model = make()
    assert [layer.name for layer in model.layers] == order
    assert [w.name.partition("/")[0] for w in model.weights[::2]] == [name for name in order if name not in ("add", "concatenate")]


def test_automatic_names_count_in_the_order_of_making():
    x, second, first = K.Input((4,)), K.Dense(2), K.Dense(3)
    model = M.Model(x, second(first(x)))
    assert [(layer.name, layer.units) for layer in model.layers] == [("dense_1", 3), ("dense", 2)]


@pytest.mark.parametrize("index", [5, -3, "dense", 1.0])
def test_no_layer_at_such_an_index(index):
    model = M.Sequential([K.Input((4,)), K.Dense(3), K.Dense(1)])
    with pytest.raises(DeclarationError, match=r"has 2 layers, and none at index"):
        model.get_layer(index=index)
    assert model.get_layer(index=-1) is model.layers[1] is model.get_layer("dense_1")


def test_weights_that_are_no_list():
    model = M.Sequential([K.Input((4,)), K.Dense(3)])
    with pytest.raises(DeclarationError, match=r"has 2 weights, and 0 arrays are given"):
        model.set_weights(None)


@pytest.mark.parametrize("first", [{"input_shape": (4,)}, {"input_dim": 4}])
def test_the_first_layer_may_give_the_shape(first):
    assert M.Sequential([K.Dense(3, **first)]).count_params() == 15


def test_the_digit_network_has_13002_parameters():
    row = [K.Input((28, 28)), K.Flatten(), K.Dense(16, "sigmoid"), K.Dense(16, "sigmoid"), K.Dense(10, "softmax")]
    assert M.Sequential(row).count_params() == 13002


def test_add_and_pop():
    model = M.Sequential()
    model.add(K.Input((4,)))
    model.add(K.Dense(3))
    model.add("relu")
    model.add(K.Dense(1))
    assert model.count_params() == 19
    assert model.pop().units == 1
    assert model.output_shape[1] == 3


def test_functional_style_and_prediction():
    a, b = K.Input((4,), name="a"), K.Input((2,), name="b")
    h = K.Dense(3, activation="relu")(a)
    y = K.Dense(1)(gx.concatenate([h, b], axis=1)) if hasattr(gx, "concatenate") else K.Dense(1)(h) + gx.sum(b, 1, keepdims=True)
    model = M.Model(inputs=[a, b], outputs=y)
    data = {"a": X, "b": X[:, :2]}
    found = model.predict(data)
    assert found.shape == (6, 1)
    np.testing.assert_allclose(found, gx.evaluate(y, {a: X, b: X[:, :2]}), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found, model.predict([X, X[:, :2]]))


def test_any_expression():
    x = gx.tensor("x", ("n", 4))
    w = gx.parameter("w", (4,), init=[1.0, 2.0, 3.0, 4.0])
    model = M.Model(x, x @ w)
    assert model.weights == [w]
    np.testing.assert_allclose(model.predict(X), X @ [1, 2, 3, 4], rtol=1e-5)


def test_unnamed_inputs_are_numbered():
    a, b = K.Input((4,)), K.Input((4,))
    model = M.Model([a, b], K.Dense(1)(a) + K.Dense(1)(b))
    assert [t.name for t in model.inputs] == ["x", "x_1"]
    assert [layer.name for layer in model.layers] == ["dense", "dense_1"]


def test_a_model_as_a_layer():
    encoder = M.Sequential([K.Dense(3, activation="tanh"), K.Dense(2)], name="encoder")
    x = K.Input((4,))
    model = M.Model(x, K.Dense(1)(encoder(x)))
    assert [w.name for w in model.weights] == [
        "encoder/dense/kernel", "encoder/dense/bias", "encoder/dense_1/kernel", "encoder/dense_1/bias", "dense/kernel", "dense/bias",
    ]  # fmt: skip
    assert [layer.name for layer in model.layers] == ["encoder", "dense"]
    h = encoder.predict(X)
    kernel, bias = model.layers[1].get_weights()
    np.testing.assert_allclose(model.predict(X), h @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_a_functional_model_on_a_batch_of_another_name():
    a = K.Input((4,))
    inner = M.Model(a, K.Dense(2)(a) / a.shape[0])
    x = gx.tensor("rows", ("m", 4))
    y = inner(x)
    assert [str(e) for e in y.shape] == ["m", "2"]
    np.testing.assert_allclose(gx.evaluate(y, {x: X}), inner.predict(X), rtol=1e-5, atol=1e-6)
    fixed = gx.tensor("fixed", (6, 4))
    np.testing.assert_allclose(gx.evaluate(inner(fixed), {fixed: X}), inner.predict(X), rtol=1e-5, atol=1e-6)
    with pytest.raises(ShapeError, match=r"4 is wanted where 5 stands"):
        inner(gx.tensor("wide", ("m", 5)))


def test_a_model_by_subclass():
    class Two(M.Model):
        def __init__(self):
            super().__init__()
            self.first = K.Dense(3, activation="relu")
            self.second = K.Dense(1)

        def call(self, x):
            return self.second(self.first(x)) + x[:, :1]

    model = Two()
    model.compile("sgd", "mse")
    model.fit(X, X[:, 0], epochs=2, verbose=0)
    assert [w.name for w in model.weights] == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    assert model.predict(X).shape == (6, 1)


def test_set_weights_is_seen_by_predict():
    model = M.Sequential([K.Input((4,)), K.Dense(1)])
    before = model.predict(X)
    model.set_weights([np.ones((4, 1)), [0.5]])
    np.testing.assert_allclose(model.predict(X)[:, 0], X.sum(1) + 0.5, rtol=1e-5, atol=1e-6)
    assert not np.array_equal(before, model.predict(X))


def test_summary():
    lines: list[str] = []
    M.Sequential([K.Input((30,)), K.Dense(10, name="hidden"), K.Dense(1)]).summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert "hidden (Dense)" in text
    assert "(n, 10)" in text
    assert "310" in text
    assert "Total parameters: 321" in text


def test_frozen_layers_are_counted_apart():
    model = M.Sequential([K.Input((4,)), K.Dense(3, trainable=False), K.Dense(1)])
    assert [w.name for w in model.trainable_weights] == ["dense_1/kernel", "dense_1/bias"]
    assert len(model.non_trainable_weights) == 2


def test_errors():
    x, z = K.Input((4,)), K.Input((4,), name="z")
    with pytest.raises(DeclarationError, match=r"need z\(n, 4\), which is none of its inputs"):
        M.Model(x, K.Dense(1)(x + z))
    with pytest.raises(DeclarationError, match=r"3 is no layer"):
        M.Sequential([3])
    layer = K.Dense(2)
    with pytest.raises(DeclarationError, match=r"stands in sequential twice"):
        M.Sequential([layer, layer])
    with pytest.raises(DeclarationError, match=r"called 'h'"):
        M.Sequential([K.Dense(2, name="h"), K.Dense(2, name="h")])
    with pytest.raises(DeclarationError, match=r"is not compiled"):
        M.Sequential([K.Input((4,)), K.Dense(1)]).fit(X, X[:, 0])
    with pytest.raises(DeclarationError, match=r"the loss 'msee' is unknown"):
        M.Sequential([K.Dense(1)]).compile("sgd", "msee")
    with pytest.raises(DeclarationError, match=r"the metric 'acuracy' is unknown"):
        M.Sequential([K.Dense(1)]).compile("sgd", "mse", metrics=["acuracy"])
    with pytest.raises(DeclarationError, match=r"has no layer 'out': it has dense"):
        M.Sequential([K.Input((4,)), K.Dense(1)]).get_layer("out")


def test_first_weights_are_the_same_however_one_asks():
    a, b = (M.Sequential([K.Input((4,)), K.Dense(3), K.Dense(3)]) for _ in range(2))
    np.testing.assert_array_equal(a.layers[1].get_weights()[0], b.get_weights()[2])
    assert not np.array_equal(b.get_weights()[0][:3], b.get_weights()[2])


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_targets_agree(target):
    model = M.Sequential([K.Input((4,)), K.Dense(3, activation="tanh"), K.Dropout(0.3), K.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], target=target, dtype="float64")
    history = model.fit(X, X[:, 0], epochs=3, batch_size=4, verbose=0, seed=2)
    reference = M.Sequential([K.Input((4,)), K.Dense(3, activation="tanh"), K.Dropout(0.3), K.Dense(1)])
    reference.compile("adam", "mse", metrics=["mae"], dtype="float64")
    np.testing.assert_allclose(
        history.history["loss"], reference.fit(X, X[:, 0], epochs=3, batch_size=4, verbose=0, seed=2).history["loss"], rtol=1e-9
    )


def test_a_target_without_kernels_is_told_at_once():
    with pytest.raises(CompileError, match="target='tpu' is unknown"):
        line().compile("sgd", "mse", target="tpu")


def test_what_cannot_be_compiled_changes_nothing():
    made = line("adam")
    before = made.optimizer
    for wrong in ({"target": "tpu"}, {"dtype": "int8"}):
        with pytest.raises((CompileError, DeclarationError)):
            made.compile("sgd", "mae", **wrong)
    assert made.optimizer is before
    assert (made.target, made.float_type) == ("cpu", "float32")
