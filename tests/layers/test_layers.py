"""Layers: formulas, shapes, names, weights, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K
from graphc.errors import DeclarationError, ShapeError
from graphc.layers.naming import snake_case
from graphc.layers.output import layers_of

rng = np.random.default_rng(2)
X = rng.normal(size=(5, 4))


def test_dense_is_its_formula():
    x = K.Input((4,))
    layer = K.Dense(3, activation="tanh", bias_initializer="ones")
    y = layer(x)
    kernel, bias = layer.get_weights()
    assert kernel.shape == (4, 3)
    assert bias.tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(gx.evaluate(y, {x: X}), np.tanh(X @ kernel + bias))
    assert [str(e) for e in y.shape] == ["n", "3"]
    assert [w.name for w in layer.weights] == ["dense/kernel", "dense/bias"]
    assert layer.count_params() == 15


def test_dense_on_sequences_and_without_bias():
    x = K.Input((7, 4))
    layer = K.Dense(3, use_bias=False)
    data = rng.normal(size=(2, 7, 4))
    np.testing.assert_allclose(gx.evaluate(layer(x), {x: data}), data @ layer.get_weights()[0])


def test_a_layer_used_twice_shares_its_weights():
    x, z = K.Input((4,), name="a"), K.Input((4,), name="b")
    layer = K.Dense(2)
    y = layer(x) + layer(z)
    assert sorted(gx.leaves(y)) == ["a", "b", "dense/bias", "dense/kernel"]


def test_layers_in_a_graph_get_names_of_their_own():
    x = K.Input((4,))
    y = K.Dense(1)(K.Dense(2, name="first")(K.Dense(3)(x)))
    assert [layer.name for layer in layers_of([y])] == ["dense", "first", "dense_1"]


def test_layers_beside_each_other_get_names_of_their_own():
    x = K.Input((4,))
    h = K.Dense(3, activation="relu")(x)
    mean, spread = K.Dense(2)(h), K.Dense(2)(h)
    y = K.Dense(4)(gx.exp(spread) * mean)
    assert [layer.name for layer in layers_of([y])] == ["dense", "dense_2", "dense_1", "dense_3"]
    assert len(gx.leaves(y)) == 1 + 8
    other = K.Dense(4)(K.Input((4,)))
    assert "dense/kernel" in gx.leaves(other)  # what is not connected does not count
    model = gx.Model(x, [mean, spread])
    assert [w.name for w in model.weights] == [f"{layer}/{w}" for layer in ("dense", "dense_1", "dense_2") for w in ("kernel", "bias")]
    assert K.Dense(1)(x).op.layer.name == "dense_4"


def test_dropout_in_both_readings():
    x = K.Input((50,))
    y = K.Dropout(0.4)(x)
    data = np.ones((200, 50))
    np.testing.assert_array_equal(gx.evaluate(gx.inference(y), {x: data}), data)
    dropped = gx.evaluate(y, {x: data}, seed=3)
    assert set(np.unique(dropped.round(9))) == {0.0, round(1 / 0.6, 9)}
    assert dropped.mean() == pytest.approx(1.0, abs=0.02)
    assert not np.array_equal(dropped, gx.evaluate(y, {x: data}, seed=4))


def test_dropout_of_whole_columns():
    x = K.Input((50,))
    dropped = gx.evaluate(K.Dropout(0.5, noise_shape=(1, None))(x), {x: np.ones((20, 50))})
    np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[:1], dropped.shape))
    assert 10 < (dropped[0] == 0).sum() < 40


def test_flatten_and_reshape():
    x = K.Input((2, 3, 4))
    data = rng.normal(size=(5, 2, 3, 4))
    np.testing.assert_array_equal(gx.evaluate(K.Flatten()(x), {x: data}), data.reshape(5, 24))
    np.testing.assert_array_equal(gx.evaluate(K.Reshape((4, -1))(x), {x: data}), data.reshape(5, 4, 6))
    assert K.Flatten()(x).shape[1] == 24


SLOPES = {
    "ReLU": (K.ReLU(max_value=1.0), np.clip(X, 0, 1)),
    "LeakyReLU": (K.LeakyReLU(negative_slope=0.1), np.where(X > 0, X, 0.1 * X)),
    "LeakyReLU default": (K.LeakyReLU(), np.where(X > 0, X, 0.3 * X)),
    "PReLU": (K.PReLU(alpha_initializer=0.25), np.where(X > 0, X, 0.25 * X)),
    "ELU": (K.ELU(alpha=2.0), np.where(X > 0, X, 2 * np.expm1(X))),
    "RReLU": (K.RReLU(), np.where(X > 0, X, (1 / 8 + 1 / 3) / 2 * X)),
    "Softmax": (K.Softmax(), np.exp(X) / np.exp(X).sum(1, keepdims=True)),
    "Activation": (K.Activation("sigmoid"), 1 / (1 + np.exp(-X))),
}


@pytest.mark.parametrize("row", SLOPES)
def test_activation_layers(row):
    layer, expected = SLOPES[row]
    x = K.Input((4,))
    np.testing.assert_allclose(gx.evaluate(gx.inference(layer(x)), {x: X}), expected, rtol=1e-12)


def test_random_slopes_in_training():
    x = K.Input((1000,))
    slopes = -gx.evaluate(K.RReLU(lower=0.1, upper=0.3)(x), {x: -np.ones((1, 1000))})
    assert slopes.min() >= 0.1
    assert slopes.max() < 0.3
    assert slopes.mean() == pytest.approx(0.2, abs=0.01)


class Scale(K.Layer):
    def __init__(self, factor, **options):
        super().__init__(**options)
        self.factor = factor
        self.inner = K.Dense(2)

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain", regularizer="l2")
        self.seen = self.add_weight(shape=(), initializer=0.0, trainable=False, name="seen")

    def call(self, x):
        return self.inner(x * self.gain * self.factor)


def test_a_layer_of_ones_own():
    x = K.Input((4,))
    layer = Scale(2.0, name="mine")
    y = layer(x)
    kernel = layer.inner.get_weights()[0]
    np.testing.assert_allclose(gx.evaluate(y, {x: X}), 2 * X @ kernel)
    layer.rename("mine")
    assert [w.name for w in layer.weights] == ["mine/gain", "mine/seen", "mine/dense/kernel", "mine/dense/bias"]
    assert [w.name for w in layer.trainable_weights] == ["mine/gain", "mine/dense/kernel", "mine/dense/bias"]
    assert [w.name for w in layer.non_trainable_weights] == ["mine/seen"]
    assert len(layer.losses) == 1
    assert gx.evaluate(layer.losses[0], {}) == pytest.approx(0.04)
    layer.trainable = False
    assert layer.trainable_weights == []


def test_set_weights():
    layer = K.Dense(2)
    layer(K.Input((4,)))
    layer.set_weights([np.arange(8).reshape(4, 2), [1, 2]])
    assert layer.get_weights()[0][3, 1] == 7
    with pytest.raises(DeclarationError, match=r"has 2 weights, and 1 arrays.*dense/kernel\(4, 2\)"):
        layer.set_weights([np.zeros((4, 2))])
    with pytest.raises(DeclarationError, match=r"dense/bias.*shape \(3,\)"):
        layer.set_weights([np.zeros((4, 2)), np.zeros(3)])


@pytest.mark.parametrize("word", ["initializer", "regularizer"])
def test_a_misspelt_name_is_told_on_the_line_that_has_it(word):
    makers = {
        K.Dense: ({"units": 2}, ("kernel", "bias")),
        K.Conv1D: ({"filters": 2, "kernel_size": 3}, ("kernel", "bias")),
        K.Conv2D: ({"filters": 2, "kernel_size": 3}, ("kernel", "bias")),
        K.PReLU: ({}, ("alpha",)),
        K.Embedding: ({"input_dim": 3, "output_dim": 2}, ("embeddings",)),
        K.LayerNormalization: ({}, ("gamma", "beta") if word == "initializer" else ()),
    }
    for layer, (options, weights) in makers.items():
        for weight in weights:
            with pytest.raises(DeclarationError, match=rf"^{layer.__name__}: the {word} 'glorrot' is unknown"):
                layer(**options, **{f"{weight}_{word}": "glorrot"})


def test_errors_name_what_is_wrong():
    with pytest.raises(DeclarationError, match=r"Dense\(units=0\)"):
        K.Dense(0)
    with pytest.raises(DeclarationError, match=r"Dropout\(rate=1\)"):
        K.Dropout(1)
    with pytest.raises(DeclarationError, match=r"last axis of its input is t"):
        K.Dense(3)(K.Input(("t",)))
    layer = K.Dense(2)
    layer(K.Input((4,)))
    with pytest.raises(ShapeError, match=r"dense/kernel"):
        layer(K.Input((5,)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dense", "dense"),
        ("BatchNormalization", "batch_normalization"),
        ("Conv2D", "conv2d"),
        ("LSTM", "lstm"),
        ("PReLU", "p_re_lu"),
        ("MyDense", "my_dense"),
    ],
)
def test_automatic_names_are_those_of_keras(name, expected):
    assert snake_case(name) == expected


P, Q = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
MERGES = {
    "Add": (K.Add(), P + Q),
    "Subtract": (K.Subtract(), P - Q),
    "Multiply": (K.Multiply(), P * Q),
    "Average": (K.Average(), (P + Q) / 2),
    "Maximum": (K.Maximum(), np.maximum(P, Q)),
    "Minimum": (K.Minimum(), np.minimum(P, Q)),
    "Concatenate": (K.Concatenate(), np.concatenate([P, Q], 1)),
}


@pytest.mark.parametrize("row", MERGES)
def test_merging_layers(row):
    layer, expected = MERGES[row]
    a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
    np.testing.assert_allclose(gx.evaluate(layer([a, b]), {a: P, b: Q}), expected)
    with pytest.raises(DeclarationError, match=r"two tensors or more"):
        layer([a])


def test_noise_in_training_alone():
    x = K.Input((50,))
    data = np.full((400, 50), 2.0)
    for layer, deviation in ((K.GaussianNoise(0.5), 0.5), (K.GaussianDropout(0.2), 2 * 0.25**0.5)):
        y = layer(x)
        noisy = gx.evaluate(y, {x: data}, seed=1)
        assert noisy.mean() == pytest.approx(2.0, abs=0.03)
        assert noisy.std() == pytest.approx(deviation, rel=0.03)
        np.testing.assert_array_equal(gx.evaluate(gx.inference(y), {x: data}), data)


def test_layer_normalization():
    x = K.Input((4,))
    layer = K.LayerNormalization()
    y = gx.evaluate(layer(x), {x: X})
    expected = (X - X.mean(1, keepdims=True)) / np.sqrt(X.var(1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(y, expected, rtol=1e-9)
    assert [w.name for w in layer.weights] == ["layer_normalization/gamma", "layer_normalization/beta"]
    assert K.LayerNormalization(center=False, scale=False)(x).shape == x.shape


def test_a_penalty_on_what_passes():
    x = K.Input((4,))
    layer = K.ActivityRegularization(l1=0.5, l2=0.1)
    layer(x)
    expected = 0.5 * np.abs(X).sum() + 0.1 * (X**2).sum()
    np.testing.assert_allclose(gx.evaluate(layer.losses[0], {x: X}), expected)


def test_embedding():
    ids = K.Input((3,), dtype="int")
    layer = K.Embedding(10, 4)
    y = layer(ids)
    given = np.array([[0, 9, 3], [3, 3, 1]])
    np.testing.assert_array_equal(gx.evaluate(y, {ids: given}), layer.get_weights()[0][given])
    assert layer.weights[0].name == "embedding/embeddings"
    with pytest.raises(DeclarationError, match=r"takes whole numbers, and x\(n, 3\) are floats"):
        K.Embedding(10, 4)(K.Input((3,)))
    with pytest.raises(DeclarationError, match=r"input_dim=0"):
        K.Embedding(0, 4)


def test_weights_of_one_name_are_numbered() -> None:
    class Affine(gx.layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.a, self.b, self.c = self.add_weight(shape=(3, 4)), self.add_weight(shape=(4,)), self.add_weight(shape=(4,), name="b")

        def call(self, x: Any) -> Any:
            return x @ self.a + self.b * self.c

    model = gx.Sequential([Affine(name="l")])
    assert model(gx.tensor("x", ("n", 3))).shape[1] == 4
    assert [w.name.rpartition("/")[2] for w in model.weights] == ["weight", "weight_1", "b"]


w = np.int64
NUMPY_NUMBERS = {
    "Dense": (lambda: gx.layers.Dense(w(3), input_shape=np.array([4])), (4,), (3,)),
    "Embedding": (lambda: gx.layers.Embedding(w(10), np.int32(8)), (4,), (4, 8)),
    "LSTM": (lambda: gx.layers.LSTM(w(3), dropout=np.float32(0.5)), (4, 2), (3,)),
    "GRU": (lambda: gx.layers.GRU(np.array(3)), (4, 2), (3,)),
    "Conv1D": (lambda: gx.layers.Conv1D(w(4), w(3), groups=w(2), dilation_rate=w(2), padding="causal"), (6, 2), (6, 4)),
    "Conv2D": (lambda: gx.layers.Conv2D(w(4), np.array([3, 2]), strides=np.array([1, 2]), padding=np.array([[1, 0], [1, 1]])), (8, 8, 3), (7, 5, 4)),
    "Conv2DTranspose": (lambda: gx.layers.Conv2DTranspose(w(4), w(3), strides=w(2), padding="same"), (4, 4, 3), (8, 8, 4)),
    "SeparableConv1D": (lambda: gx.layers.SeparableConv1D(w(3), w(2), depth_multiplier=w(2)), (8, 3), (7, 3)),
    "MaxPooling2D": (lambda: gx.layers.MaxPooling2D(w(2), np.array([1, 2])), (8, 8, 3), (7, 4, 3)),
    "MultiHeadAttention": (lambda: gx.layers.MultiHeadAttention(w(2), w(4), output_shape=w(5), dropout=np.float32(0.5)), (4, 2), (4, 5)),
    "BatchNormalization": (lambda: gx.layers.BatchNormalization(w(-1), np.float32(0.5), np.float32(0.01)), (4, 2), (4, 2)),
    "LayerNormalization": (lambda: gx.layers.LayerNormalization(np.array([1, 2])), (4, 2), (4, 2)),
    "GroupNormalization": (lambda: gx.layers.GroupNormalization(w(2), w(-1)), (3, 4), (3, 4)),
    "Dropout": (lambda: gx.layers.Dropout(np.float32(0.5), noise_shape=(None, w(1), None)), (4, 2), (4, 2)),
    "GaussianNoise": (lambda: gx.layers.GaussianNoise(np.float32(0.5)), (4,), (4,)),
    "RepeatVector": (lambda: gx.layers.RepeatVector(w(2)), (4,), (2, 4)),
    "Reshape": (lambda: gx.layers.Reshape(np.array([2, -1])), (6,), (2, 3)),
    "Reshape to one axis": (lambda: gx.layers.Reshape(w(6)), (2, 3), (6,)),
    "Permute": (lambda: gx.layers.Permute(np.array([2, 1])), (8, 3), (3, 8)),
    "ZeroPadding2D": (lambda: gx.layers.ZeroPadding2D(np.array([[1, 0], [2, 1]])), (8, 8, 3), (9, 11, 3)),
    "Cropping1D": (lambda: gx.layers.Cropping1D((w(1), 2)), (8, 3), (5, 3)),
    "UpSampling2D": (lambda: gx.layers.UpSampling2D(np.array([2, 3])), (2, 2, 1), (4, 6, 1)),
    "Softmax": (lambda: gx.layers.Softmax(w(-1)), (4,), (4,)),
    "LeakyReLU": (lambda: gx.layers.LeakyReLU(np.float32(0.5)), (4,), (4,)),
}


@pytest.mark.parametrize("name", NUMPY_NUMBERS)
def test_numbers_of_numpy_are_settings_and_kept_as_pythons(name: str) -> None:
    make, sample, shape = NUMPY_NUMBERS[name]
    layer = make()
    x = gx.layers.Input(np.array(sample), dtype="int" if name == "Embedding" else "float")
    y = layer(x, x) if name == "MultiHeadAttention" else layer(x)
    assert y.shape[1:] == shape
    assert all(type(e) is int for e in y.shape[1:])
    kept = [v for value in vars(layer).values() for v in (value if isinstance(value, tuple) else (value,))]
    assert not [v for v in kept if isinstance(v, np.generic | np.ndarray)]


def test_numbers_of_numpy_are_settings_of_operations() -> None:
    x, m = gx.tensor("x", (4,)), gx.tensor("m", np.array([2, 3]))
    shapes = {
        gx.one_hot(gx.constant([1]), w(3)).shape: (1, 3),
        gx.reshape(m, (w(3), w(-1))).shape: (3, 2),
        gx.reshape(m, w(-1)).shape: (6,),
        gx.broadcast_to(x, np.array([2, 4])).shape: (2, 4),
        gx.expand_dims(x, np.array([0, 1])).shape: (1, 1, 4),
        gx.sum(m, axis=np.array([0, 1])).shape: (),
        gx.pad(m, ((w(1), 0), (0, w(2)))).shape: (3, 5),
        gx.random.normal(np.array([5, 3]), key=w(3)).shape: (5, 3),
        gx.diag(x, w(1)).shape: (5, 5),
        gx.trace(gx.tensor("s", (2, 7, 2)), w(0), w(0), w(2)).shape: (7,),
        gx.nn.dropout(gx.tensor("d", (9,)), np.float32(0.5)).shape: (9,),
    }
    for made, wanted in shapes.items():
        assert made == wanted
        assert all(type(e) is int for e in made)
