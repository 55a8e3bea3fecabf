"""Batch normalisation as a layer: PyTorch's numbers, where PyTorch means the same, and Keras's rules.

PyTorch's ``momentum`` is one minus Keras's. Both normalise by the biased variance, divided by the number of entries; the
running variance is the biased one too in Keras, and in PyTorch the one divided by one less.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K

RNG = np.random.default_rng(11)
SHAPES: dict[str, tuple[int, ...]] = {
    "rows": (4,), "one channel": (1,), "a sequence": (5, 4), "images": (3, 2, 4), "volumes": (2, 3, 2, 3), "no places": (0, 4),
    "one place": (1, 1, 3),
}  # fmt: skip


def layer_of(channels: int, **options: Any) -> K.BatchNormalization:
    layer = K.BatchNormalization(**{"momentum": 0.9} | options)
    layer(K.Input((channels,)))
    layer.set_weights([*(RNG.normal(size=channels) for _ in range(3)), RNG.uniform(0.5, 2.0, channels)])
    return layer


def statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    axes = tuple(range(x.ndim - 1))
    return x.mean(axes), x.var(axes)


def moved(layer: Any, x: np.ndarray) -> list[np.ndarray]:
    mean, variance = statistics(x)
    return [0.9 * layer.moving_mean.value + 0.1 * mean, 0.9 * layer.moving_variance.value + 0.1 * variance]


class Torch:
    """PyTorch's layer on the same numbers, its running variance made Keras's."""

    def __init__(self, layer: Any, count: int) -> None:
        self.torch = pytest.importorskip("torch")
        gamma, beta, mean, variance = (self.torch.tensor(w) for w in layer.get_weights())
        self.layer = self.torch.nn.BatchNorm1d(len(gamma), eps=layer.epsilon, momentum=1 - layer.momentum, dtype=self.torch.float64)
        self.layer.weight.data, self.layer.bias.data = gamma, beta
        self.layer.running_mean, self.layer.running_var = mean, variance
        self.count = count

    def __call__(self, x: Any) -> Any:
        flat = x.reshape(-1, x.shape[-1])
        before = self.layer.running_var.clone()
        y = self.layer(flat).reshape(x.shape)
        if self.layer.training:
            added = self.layer.running_var - (1 - self.layer.momentum) * before
            self.layer.running_var = (1 - self.layer.momentum) * before + added * (self.count - 1) / self.count
        return y


@pytest.mark.parametrize("shape", [s for s in SHAPES.values() if 0 not in s], ids=[n for n, s in SHAPES.items() if 0 not in s])
def test_three_steps_beside_pytorch(shape: tuple[int, ...]) -> None:
    layer = layer_of(shape[-1])
    x = K.Input(shape)
    y = layer(x)
    loss = gx.mean(gx.sin(y) * y)
    step = gx.compile([loss, y, gx.grad(loss, x), *gx.optimizers.SGD(0.1).updates(loss, layer.trainable_weights)], dtype="float64")
    peer = Torch(layer, 6 * int(np.prod(shape[:-1])))
    descent = peer.torch.optim.SGD(peer.layer.parameters(), 0.1)
    for _ in range(3):
        data = peer.torch.tensor(RNG.normal(1.0, 2.0, size=(6, *shape)), requires_grad=True)
        value = peer(data)
        wanted = (value.sin() * value).mean()
        descent.zero_grad()
        wanted.backward()
        descent.step()
        results = step(data.detach().numpy())
        for got, expected in zip(results, (wanted, value, data.grad), strict=False):
            np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-9, atol=1e-11)
        states = (peer.layer.weight, peer.layer.bias, peer.layer.running_mean, peer.layer.running_var)
        for got, expected in zip(layer.get_weights(), states, strict=True):
            np.testing.assert_allclose(got, expected.detach().numpy(), rtol=1e-9, atol=1e-11)
    peer.layer.eval()
    np.testing.assert_allclose(gx.evaluate(gx.inference(y), {x: data.detach().numpy()}), peer(data).detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("name", SHAPES)
def test_values_and_statistics_of_any_size(name: str, count: int) -> None:
    shape = SHAPES[name]
    layer = layer_of(shape[-1])
    x = K.Input(shape)
    y = layer(x)
    data = RNG.normal(size=(count, *shape))
    if data.size == 0:
        assert gx.compile(gx.inference(y))(data).shape == data.shape
        return
    wanted, (mean, variance) = moved(layer, data), statistics(data)
    gamma, beta = layer.get_weights()[:2]
    got = gx.compile(y, dtype="float64")(data)
    np.testing.assert_allclose(got, (data - mean) / np.sqrt(variance + 1e-3) * gamma + beta, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(layer.get_weights()[2:], wanted, rtol=1e-12)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -2, -3])
def test_the_channels_may_be_any_axis(axis: int) -> None:
    x = K.Input((2, 3, 4))
    layer = K.BatchNormalization(axis=axis, epsilon=0.01)
    y = layer(x)
    data = RNG.normal(size=(5, 2, 3, 4))
    assert layer.gamma.shape == (data.shape[axis],)
    others = tuple(a for a in range(4) if a != axis % 4)
    mean, variance = data.mean(others, keepdims=True), data.var(others, keepdims=True)
    np.testing.assert_allclose(gx.compile(y, dtype="float64")(data), (data - mean) / np.sqrt(variance + 0.01), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(layer.moving_variance.value, 0.99 + 0.01 * variance.reshape(-1))
    shown = layer.moving_mean.value.reshape(mean.shape), layer.moving_variance.value.reshape(mean.shape)
    np.testing.assert_allclose(gx.evaluate(gx.inference(y), {x: data}), (data - shown[0]) / np.sqrt(shown[1] + 0.01), rtol=1e-9, atol=1e-12)


def test_pytorchs_two_dimensions_are_ours_with_the_channels_last() -> None:
    torch = pytest.importorskip("torch")
    data = RNG.normal(size=(4, 3, 5, 2))
    layer = K.BatchNormalization(momentum=0.8, epsilon=1e-5)
    x = K.Input((3, 5, 2))
    peer = torch.nn.BatchNorm2d(2, momentum=0.2, dtype=torch.float64)
    wanted = peer(torch.tensor(data).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).detach().numpy()
    np.testing.assert_allclose(gx.compile(layer(x), dtype="float64")(data), wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(layer.moving_mean.value, peer.running_mean.numpy(), rtol=1e-12)
    count = data.size // 2
    np.testing.assert_allclose(layer.moving_variance.value, 0.8 + (peer.running_var.numpy() - 0.8) * (count - 1) / count, rtol=1e-12)


def test_used_twice_the_statistics_move_twice_as_in_pytorch() -> None:
    layer = layer_of(4)
    x = K.Input((4,))
    y = layer(gx.tanh(layer(x)))
    data = RNG.normal(size=(8, 4))
    peer = Torch(layer, 8)
    wanted = peer(peer.torch.tanh(peer(peer.torch.tensor(data))))
    np.testing.assert_allclose(gx.compile(y, dtype="float64")(data), wanted.detach().numpy(), rtol=1e-9)
    np.testing.assert_allclose(layer.moving_mean.value, peer.layer.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(layer.moving_variance.value, peer.layer.running_var.numpy(), rtol=1e-12)


def test_inference_beside_training_takes_the_old_statistics() -> None:
    layer = layer_of(4)
    x = K.Input((4,))
    y = layer(gx.tanh(layer(x)))
    data = RNG.normal(size=(8, 4))
    wanted = gx.evaluate(gx.inference(y), {x: data})
    np.testing.assert_allclose(gx.compile([y, gx.inference(y)], dtype="float64")(data)[1], wanted, rtol=1e-9)
    assert np.abs(gx.evaluate(gx.inference(y), {x: data}) - wanted).max() > 1e-3


def test_weights_are_keras_names_order_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    model = gx.Sequential([K.Input((3,)), K.Dense(4), K.BatchNormalization(), K.Dense(1)])
    assert [w.name.split("/")[1] for w in model.layers[1].weights] == ["gamma", "beta", "moving_mean", "moving_variance"]
    assert [w.tolist() for w in model.layers[1].get_weights()] == [[1] * 4, [0] * 4, [0] * 4, [1] * 4]
    assert [w.name for w in model.weights][2:6] == [f"batch_normalization/{n}" for n in ("gamma", "beta", "moving_mean", "moving_variance")]
    assert len(model.trainable_weights) == 6
    model.summary()
    printed = capsys.readouterr().out
    assert "batch_normalization (BatchNormalization)  (n, 4)                16" in printed
    assert printed.splitlines()[-2:] == ["Trainable parameters: 29", "Non-trainable parameters: 8"]
    model.set_weights([w + 1 for w in model.get_weights()])
    assert model.layers[1].moving_variance.value.tolist() == [2] * 4


OPTIONS: list[tuple[dict[str, Any], list[str]]] = [
    ({"center": False}, ["gamma", "moving_mean", "moving_variance"]),
    ({"scale": False}, ["beta", "moving_mean", "moving_variance"]),
    ({"center": False, "scale": False}, ["moving_mean", "moving_variance"]),
    ({"beta_initializer": "ones", "gamma_initializer": 2.0, "moving_mean_initializer": 3.0, "moving_variance_initializer": 4.0}, []),
]


@pytest.mark.parametrize(("options", "names"), OPTIONS)
def test_what_may_be_left_out_and_where_it_starts(options: dict[str, Any], names: list[str]) -> None:
    x = K.Input((2,))
    layer = K.BatchNormalization(**options, synchronized=False, name="norm")
    y = layer(x)
    data = np.array([[1.0, 2.0], [3.0, 8.0]])
    scaled = (data - data.mean(0)) / np.sqrt(data.var(0) + 1e-3)
    if names:
        assert [w.name for w in layer.weights] == [f"norm/{n}" for n in names]
        np.testing.assert_allclose(gx.evaluate(y, {x: data}), scaled)
    else:
        assert [w[0] for w in layer.get_weights()] == [2, 1, 3, 4]
        np.testing.assert_allclose(gx.evaluate(y, {x: data}), 2 * scaled + 1)
        np.testing.assert_allclose(gx.evaluate(gx.inference(y), {x: data}), 2 * (data - 3) / np.sqrt(4.001) + 1)


def test_penalties_on_its_weights() -> None:
    layer = K.BatchNormalization(gamma_regularizer="l2", beta_regularizer="l1")
    layer(K.Input((3,)))
    layer.set_weights([np.full(3, 2.0), np.full(3, -1.0), np.zeros(3), np.ones(3)])
    assert [float(gx.evaluate(t)) for t in layer.losses] == pytest.approx([0.12, 0.03])


@pytest.mark.parametrize("options", [{"axis": 1.5}, {"axis": True}, {"axis": [1]}, {"momentum": 1.5}, {"momentum": -0.1}, {"momentum": "0.9"}])
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(gx.DeclarationError, match=rf"BatchNormalization\({next(iter(options))}="):
        K.BatchNormalization(**options)


def test_channels_that_are_no_number_are_refused() -> None:
    with pytest.raises(gx.DeclarationError, match=r"batch_normalization: axis 5 of its input is missing in the shape \(n, 3\)"):
        K.BatchNormalization(axis=5)(K.Input((3,)))
    with pytest.raises(gx.DeclarationError, match=r"axis 0 of its input is n in the shape"):
        K.BatchNormalization(axis=0)(K.Input((3,)))
    with pytest.raises(gx.DeclarationError, match=r"BatchNormalization: .*onez"):
        K.BatchNormalization(gamma_initializer="onez")


def test_what_a_mask_leaves_out_is_not_in_the_statistics() -> None:
    ids = K.Input((5,), dtype="int")
    table, layer = K.Embedding(9, 3, mask_zero=True), layer_of(3)
    y = layer(table(ids))
    given = np.array([[1, 2, 3, 0, 0], [4, 0, 5, 6, 7]])
    rows = table.embeddings.value[given[given != 0]]
    gamma, beta = layer.get_weights()[:2]
    wanted, after = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3) * gamma + beta, moved(layer, rows)
    np.testing.assert_allclose(gx.compile(y, dtype="float64")(given)[given != 0], wanted, rtol=1e-9)
    np.testing.assert_allclose(layer.get_weights()[2:], after, rtol=1e-9)


# In models -------------------------------------------------------------------------------------------------------------

X = RNG.normal(2.0, 3.0, size=(64, 4))
Y = np.sin(X.sum(1, keepdims=True))


def model_of(**options: Any) -> Any:
    layers = [K.Input((4,)), K.Dense(6), K.BatchNormalization(momentum=0.9), K.Activation("relu"), K.Dense(1)]
    model = gx.Sequential(layers)
    model.compile(**{"optimizer": gx.optimizers.Adam(0.01), "loss": "mse", "dtype": "float64"} | options)
    return model


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_a_model_trains_and_predicts_as_pytorchs(target: str) -> None:
    torch = pytest.importorskip("torch")
    model = model_of(target=target, optimizer=gx.optimizers.SGD(0.05))
    start = model.get_weights()
    wide, norm, narrow = torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6, eps=1e-3, momentum=0.1), torch.nn.Linear(6, 1)
    peer = torch.nn.Sequential(wide, norm, torch.nn.ReLU(), narrow).double()
    for p, value in zip([wide.weight, wide.bias, narrow.weight, narrow.bias], [start[0].T, start[1], start[6].T, start[7]], strict=True):
        p.data = torch.tensor(value)
    descent = torch.optim.SGD(peer.parameters(), 0.05)
    losses = []
    for k in [*range(0, 64, 16)] * 3:
        descent.zero_grad()
        before = norm.running_var.clone()
        loss = ((peer(torch.tensor(X[k : k + 16])) - torch.tensor(Y[k : k + 16])) ** 2).mean()
        norm.running_var = 0.9 * before + (norm.running_var - 0.9 * before) * 15 / 16
        loss.backward()
        descent.step()
        losses.append(loss.item())
    history = model.fit(X, Y, batch_size=16, epochs=3, shuffle=False, verbose=0)
    np.testing.assert_allclose(history.history["loss"], np.reshape(losses, (3, 4)).mean(1), rtol=1e-9)
    peer.eval()
    np.testing.assert_allclose(model.predict(X), peer(torch.tensor(X)).detach().numpy(), rtol=1e-8)
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(float(np.mean((model.predict(X) - Y) ** 2)))


def test_predicting_and_measuring_leave_the_statistics() -> None:
    model = model_of()
    model.fit(X, Y, epochs=1, verbose=0)
    before = model.get_weights()
    model.predict(X)
    model.evaluate(X, Y, verbose=0)
    model.test_on_batch(X, Y)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saved_loaded_and_resumed_bit_for_bit(dtype: str, tmp_path: Path) -> None:
    model = model_of(dtype=dtype)
    model.fit(X, Y, epochs=2, seed=3, verbose=0)
    model.save(tmp_path / "m")
    again = gx.load_model(tmp_path / "m")
    np.testing.assert_array_equal(model.predict(X), again.predict(X))
    assert [w.name for w in again.weights] == [w.name for w in model.weights]
    assert len(again.trainable_weights) == 6
    for m in (model, again):
        m.fit(X, Y, epochs=2, seed=3, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    model.save(tmp_path / "a")
    again.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_frozen_it_takes_the_moving_statistics_and_leaves_them(tmp_path: Path) -> None:
    model = model_of()
    model.fit(X, Y, epochs=1, verbose=0)
    norm = model.layers[1]
    norm.trainable = False
    kept, kernel = norm.get_weights(), model.get_weights()[0]
    assert [len(norm.trainable_weights), len(norm.non_trainable_weights)] == [0, 4]
    expected = float(np.mean((model.predict(X) - Y) ** 2))
    history = model.fit(X, Y, batch_size=64, epochs=1, verbose=0)
    assert history.history["loss"][0] == pytest.approx(expected, rel=1e-9)
    for a, b in zip(kept, norm.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(kernel, model.get_weights()[0])
    model.save(tmp_path / "frozen")
    again = gx.load_model(tmp_path / "frozen")
    assert again.train_on_batch(X, Y) == model.train_on_batch(X, Y)
    for a, b in zip(kept, again.layers[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    again.layers[1].trainable = norm.trainable = True
    assert again.train_on_batch(X, Y) == model.train_on_batch(X, Y)
    assert not np.array_equal(kept[2], norm.get_weights()[2])
    np.testing.assert_array_equal(norm.get_weights()[2], again.layers[1].get_weights()[2])


def test_frozen_in_an_expression() -> None:
    x = K.Input((4,))
    layer = layer_of(4, trainable=False)
    y = layer(x)
    np.testing.assert_allclose(gx.evaluate(y, {x: X}), gx.evaluate(gx.inference(y), {x: X}))
    kept = layer.get_weights()
    gx.compile(gx.grad(gx.sum(y**2), x))(X)
    np.testing.assert_array_equal(kept, layer.get_weights())
    layer.trainable = True
    gx.compile(y)(X)
    assert not np.array_equal(kept[2], layer.moving_mean.value)


@pytest.mark.parametrize("training", [True, False])
def test_called_for_one_reading(training: bool) -> None:
    x = K.Input((4,))
    layer = layer_of(4)
    both, one = layer(x), layer(x, training=training)
    wanted = both if training else gx.inference(both)
    for y in (one, gx.inference(one)):
        np.testing.assert_allclose(gx.evaluate(y, {x: X}), gx.evaluate(wanted, {x: X}))
    kept = layer.moving_mean.value
    gx.compile(one)(X)
    assert np.array_equal(kept, layer.moving_mean.value) is not training


def test_the_best_statistics_are_put_back_with_the_best_weights(tmp_path: Path) -> None:
    model = model_of(optimizer=gx.optimizers.SGD(0.3))
    seen: list[Any] = []

    class Keep(gx.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seen.append((logs["val_loss"], self.model.get_weights()))

    stopping = gx.callbacks.EarlyStopping(patience=100)
    checkpoint = gx.callbacks.ModelCheckpoint(tmp_path / "best")
    model.fit(X, Y, epochs=6, validation_split=0.25, callbacks=[Keep(), checkpoint, stopping], verbose=0, seed=1)
    best = min(seen, key=lambda pair: pair[0])[1]
    assert not np.array_equal(best[4], seen[-1][1][4])
    for a, b in zip(best, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    last = gx.load_model(tmp_path / "best")
    for a, b in zip(seen[-1][1], last.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_pictures_and_derivations_of_a_model_with_it() -> None:
    model = model_of()
    for view in ("op", "layer"):
        picture = model.draw(view=view)
        assert "batch_norm" in picture.svg
        assert "carry" not in picture.svg.lower()
        assert "phase" not in picture.svg.lower()
    assert gx.draw(model.objective(), backward=True).svg
    assert model.derive("batch_normalization/beta").verify().ok
    assert model.derive("batch_normalization/gamma").verify().ok
    assert model.derive("dense/kernel").verify().ok
    assert gx.check_gradients(model.objective()).ok
