"""Models that share parts: what one learns the other knows, and what is frozen stays, for one model or for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K

RNG = np.random.default_rng(21)
X, Z = RNG.normal(size=(32, 4)), RNG.normal(size=(32, 4))
Y = np.sin(X.sum(1, keepdims=True))
DOUBLE = {"dtype": "float64"}


def tower(kind: str, *more: Any) -> Any:
    """A part of 4 inputs and 3 outputs, declared in three ways."""
    parts = [K.Dense(5, activation="tanh"), *more, K.Dense(3)]
    if kind == "sequential":
        return gx.Sequential([K.Input((4,)), *parts], name="tower")
    if kind == "late":
        return gx.Sequential(parts, name="tower")
    x = y = K.Input((4,))
    for part in parts:
        y = part(y)
    return gx.Model(x, y, name="tower")


KINDS = pytest.mark.parametrize("kind", ["sequential", "late", "functional"])


def compiled(inputs: Any, outputs: Any, **options: Any) -> Any:
    model = gx.Model(inputs, outputs)
    model.compile(**{"optimizer": gx.optimizers.SGD(0.1), "loss": "mse"} | DOUBLE | options)
    return model


def same(a: list[Any], b: list[Any]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# One encoder, two models -----------------------------------------------------------------------------------------------


@KINDS
def test_what_one_model_learns_the_other_knows(kind: str) -> None:
    encoder = tower(kind, K.BatchNormalization(momentum=0.5))
    x, other = K.Input((4,)), K.Input((4,))
    one, two = compiled(x, K.Dense(1)(encoder(x))), compiled(other, K.Dense(4)(encoder(other)))
    before = two.predict(X)
    heads = two.get_weights()[-2:]
    one.fit(X, Y, epochs=2, verbose=0)
    after = two.predict(X)
    assert np.abs(after - before).max() > 1e-3
    assert same(heads, two.get_weights()[-2:])
    shared = encoder.get_weights()
    assert same(one.get_weights()[: len(shared)], shared)
    assert same(two.get_weights()[: len(shared)], shared)
    np.testing.assert_allclose(one.predict(X), encoder.predict(X) @ one.get_weights()[-2] + one.get_weights()[-1], rtol=1e-4, atol=1e-5)


class Autoencoders:
    """PyTorch's encoder with batch normalisation and two heads, from the same weights."""

    def __init__(self, one: Any, two: Any) -> None:
        self.torch = torch = pytest.importorskip("torch")
        w1, b1, gamma, beta, mean, variance, w2, b2, *first = one.get_weights()
        second = two.get_weights()[-2:]
        self.dense = [torch.tensor(w, requires_grad=True) for w in (w1, b1, w2, b2, *first, *second)]
        self.norm = torch.nn.BatchNorm1d(5, eps=1e-3, momentum=0.5, dtype=torch.float64)
        self.norm.weight.data, self.norm.bias.data = torch.tensor(gamma), torch.tensor(beta)
        self.norm.running_mean, self.norm.running_var = torch.tensor(mean), torch.tensor(variance)

    def step(self, x: Any, y: Any, head: int) -> float:
        torch, d = self.torch, self.dense
        before = self.norm.running_var.clone()
        h = self.norm(torch.tanh(torch.tensor(x) @ d[0] + d[1])) @ d[2] + d[3]
        self.norm.running_var = 0.5 * before + (self.norm.running_var - 0.5 * before) * (len(x) - 1) / len(x)
        loss = ((h @ d[4 + 2 * head] + d[5 + 2 * head] - torch.tensor(y)) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in [*d, self.norm.weight, self.norm.bias]:
                if p.grad is not None:
                    p -= 0.1 * p.grad
                    p.grad = None
        return loss.item()


@KINDS
@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_taking_turns_between_two_models_is_as_in_pytorch(kind: str, target: str) -> None:
    encoder = tower(kind, K.BatchNormalization(momentum=0.5))
    x, other = K.Input((4,)), K.Input((4,))
    one = compiled(x, K.Dense(1)(encoder(x)), target=target)
    two = compiled(other, K.Dense(4)(encoder(other)), target=target)
    two.get_weights()
    peer = Autoencoders(one, two)
    for k in range(4):
        rows = slice(8 * k, 8 * k + 8)
        assert one.train_on_batch(X[rows], Y[rows]) == pytest.approx(peer.step(X[rows], Y[rows], 0), rel=1e-9)
        assert two.train_on_batch(Z[rows], Z[rows]) == pytest.approx(peer.step(Z[rows], Z[rows], 1), rel=1e-9)
    np.testing.assert_allclose(encoder.layers[1].moving_variance.value, peer.norm.running_var.numpy(), rtol=1e-9)
    np.testing.assert_allclose(encoder.layers[1].moving_mean.value, peer.norm.running_mean.numpy(), rtol=1e-9)


def test_the_copies_in_both_precisions_and_on_both_targets_stay_one() -> None:
    encoder = tower("functional", K.BatchNormalization())
    inputs = [K.Input((4,)) for _ in range(3)]
    options = [{"dtype": "float32"}, {"dtype": "float64"}, {"dtype": "float64", "target": "numpy"}]
    models = [compiled(x, K.Dense(1, name=f"head{k}")(encoder(x)), **o) for k, (x, o) in enumerate(zip(inputs, options, strict=True))]
    for model in models:
        model.get_weights()
    for _ in range(2):
        for model in models:
            before = encoder.get_weights()
            model.train_on_batch(X, Y)
            assert not any(np.array_equal(a, b) for a, b in zip(before[2:6], encoder.get_weights()[2:6], strict=True))
            code = gx.evaluate(gx.inference(encoder.outputs[0]), {encoder.inputs[0]: X})
            for peer in models:
                kernel, bias = peer.get_weights()[-2:]
                np.testing.assert_allclose(peer.predict(X), code @ kernel + bias, rtol=2e-4, atol=2e-5)
    encoder.set_weights([0 * w for w in encoder.get_weights()])
    for model in models:
        np.testing.assert_allclose(model.predict(X), np.broadcast_to(model.get_weights()[-1], (32, 1)), atol=1e-7)


# One tower, two inputs -------------------------------------------------------------------------------------------------


@KINDS
def test_a_siamese_pair_is_as_in_pytorch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    part = tower(kind)
    a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
    model = compiled([a, b], gx.sum((part(a) - part(b)) ** 2, axis=1, keepdims=True))
    assert model.count_params() == 43
    weights = [torch.tensor(w, requires_grad=True) for w in model.get_weights()]
    for _ in range(3):
        p, q = (torch.tanh(torch.tensor(v) @ weights[0] + weights[1]) @ weights[2] + weights[3] for v in (X, Z))
        loss = ((((p - q) ** 2).sum(1, keepdim=True) - torch.tensor(Y)) ** 2).mean()
        loss.backward()
        assert model.train_on_batch([X, Z], Y) == pytest.approx(loss.item(), rel=1e-9)
        with torch.no_grad():
            for w in weights:
                w -= 0.1 * w.grad
                w.grad = None
    for got, w in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(got, w.detach().numpy(), rtol=1e-7, atol=1e-10)


@KINDS
@pytest.mark.parametrize("sizes", [("n", "n"), ("n", "m")])
def test_each_use_draws_its_own_random_numbers(kind: str, sizes: tuple[str, str]) -> None:
    part = tower(kind, K.Dropout(0.5), K.GaussianNoise(1.0))
    part.build((None, 4))
    a, b = (gx.tensor(f"x{k}", (n, 4)) for k, n in enumerate(sizes))
    p, q, again = part(a), part(b), part(a)
    values = gx.evaluate([p, q, again], {a: X, b: X})
    for k, m in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(values[k] - values[m]).min() > 1e-6
    code = gx.evaluate([gx.inference(t) for t in (p, q, again)], {a: X, b: X})
    assert np.array_equal(code[0], code[1])
    assert np.array_equal(code[0], code[2])
    loss = gx.sum(p * q)
    slope = gx.evaluate(gx.grad(loss, p), {a: X, b: X})
    np.testing.assert_allclose(slope, gx.evaluate([loss, q], {a: X, b: X})[1])


def noisy_recurrence() -> Any:
    x = K.Input((6, 2))
    steps = gx.swapaxes(x, 0, 1)
    _, sums = gx.scan(lambda c, row: (c + gx.nn.dropout(row, 0.5), c + gx.nn.dropout(row, 0.5)), steps, 0 * steps[0])
    return gx.Model(x, gx.swapaxes(sums, 0, 1))


def test_random_numbers_of_a_recurrence_are_drawn_anew_at_each_use() -> None:
    model, a = noisy_recurrence(), gx.tensor("a", ("m", 6, 2))
    values = gx.evaluate([model(a), model(a)], {a: np.ones((4, 6, 2))})
    assert not np.array_equal(*values)


@KINDS
def test_statistics_move_once_for_each_use(kind: str) -> None:
    part = tower(kind, K.BatchNormalization(momentum=0.5))
    part.build((None, 4))
    a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
    gx.compile(gx.sum(part(a) - part(b)), dtype="float64")(X, Z)
    w, bias = part.get_weights()[:2]
    first, second = (np.tanh(v @ w + bias).mean(0) for v in (X, Z))
    np.testing.assert_allclose(part.layers[1].moving_mean.value, 0.25 * first + 0.5 * second, rtol=1e-9)


def test_an_assignment_in_the_expression_of_a_model_takes_its_turn() -> None:
    x, m = K.Input((4,)), gx.state("m", (4,), init=1.0)
    model = gx.Model(x, x - gx.assign(m, 0.5 * m + gx.mean(x, axis=0)))
    a, b = gx.tensor("a", ("k", 4)), gx.tensor("b", ("k", 4))
    p, q = gx.compile([model(a), model(b)], dtype="float64")(X, Z)
    first = 0.5 + X.mean(0)
    np.testing.assert_allclose(p, X - first)
    np.testing.assert_allclose(q, Z - (0.5 * first + Z.mean(0)))
    np.testing.assert_allclose(m.value, 0.5 * first + Z.mean(0))


# A generator and a discriminator -----------------------------------------------------------------------------------------


class Gan:
    """The pair of a lesson: the discriminator is compiled, then frozen as a part of the model that trains the generator."""

    def __init__(self, optimizer: Callable[[], Any] = lambda: gx.optimizers.SGD(0.1), **options: Any) -> None:
        bent = K.LeakyReLU(negative_slope=0.2)
        parts = [K.Input((2,)), K.Dense(6), K.BatchNormalization(momentum=0.5), bent, K.Dense(1, activation="sigmoid")]
        self.d = gx.Sequential(parts, name="d")
        self.d.compile(optimizer=optimizer(), loss="binary_crossentropy", metrics=["accuracy"], **DOUBLE | options)
        self.g = gx.Sequential([K.Input((4,)), K.Dense(6, activation="tanh"), K.BatchNormalization(momentum=0.5), K.Dense(2)], name="g")
        z = K.Input((4,))
        self.d.trainable = False
        self.both = gx.Model(z, self.d(self.g(z)))
        self.both.compile(optimizer=optimizer(), loss="binary_crossentropy", **DOUBLE | options)


def torch_part(torch: Any, weights: list[Any], bent: Callable[[Any], Any]) -> Any:
    w1, b1, gamma, beta, mean, variance, w2, b2 = (torch.tensor(w) for w in weights)
    norm = torch.nn.BatchNorm1d(6, eps=1e-3, momentum=0.5, dtype=torch.float64)
    norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var = gamma, beta, mean, variance
    dense = [w.requires_grad_() for w in (w1, b1, w2, b2)]

    def call(x: Any, training: bool) -> Any:
        norm.train(training)
        before = norm.running_var.clone()
        h = x @ dense[0] + dense[1]
        h = bent(norm(h)) if bent is not torch.tanh else norm(torch.tanh(h))
        if training:
            norm.running_var = 0.5 * before + (norm.running_var - 0.5 * before) * (len(x) - 1) / len(x)
        return h @ dense[2] + dense[3]

    return call, [*dense, norm.weight, norm.bias], norm


@pytest.mark.parametrize("target", ["cpu", "numpy"])
def test_a_gan_of_a_lesson_is_as_in_pytorch(target: str) -> None:
    torch = pytest.importorskip("torch")
    gan = Gan(target=target)
    gan.both.get_weights()
    d, d_weights, d_norm = torch_part(torch, gan.d.get_weights(), lambda h: torch.nn.functional.leaky_relu(h, 0.2))
    g, g_weights, g_norm = torch_part(torch, gan.g.get_weights(), torch.tanh)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits

    def descend(loss: Any, weights: list[Any]) -> float:
        for w, slope in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            w.data -= 0.1 * slope
        return loss.item()

    ones, zeros = np.ones((8, 1)), np.zeros((8, 1))
    for _ in range(4):
        real, noise = RNG.normal(1.0, 0.5, size=(8, 2)), RNG.normal(size=(8, 4))
        fake = gx.evaluate(gx.inference(gan.g.outputs[0]), {gan.g.inputs[0]: noise})
        wanted = [
            descend(entropy(d(torch.tensor(real), True), torch.tensor(ones)), d_weights),
            descend(entropy(d(torch.tensor(fake), True), torch.tensor(zeros)), d_weights),
        ]
        got = [gan.d.train_on_batch(real, ones)[0], gan.d.train_on_batch(fake, zeros)[0]]
        wanted.append(descend(entropy(d(g(torch.tensor(noise), True), False), torch.tensor(ones)), g_weights))
        kept = gan.d.get_weights()
        got.append(gan.both.train_on_batch(noise, ones))
        assert same(kept, gan.d.get_weights())
        np.testing.assert_allclose(got, wanted, rtol=1e-8)
    for part, norm in ((gan.d, d_norm), (gan.g, g_norm)):
        np.testing.assert_allclose(part.layers[-3 if part is gan.d else -2].moving_variance.value, norm.running_var.numpy(), rtol=1e-8)


def test_one_optimizer_for_both_models() -> None:
    adam = gx.optimizers.Adam(0.01)
    gan = Gan(lambda: adam)
    for _ in range(3):
        gan.d.train_on_batch(X[:, :2], np.ones((32, 1)))
        gan.both.train_on_batch(Z, np.ones((32, 1)))
    assert adam.iterations == 6


def test_a_frozen_part_is_saved_with_what_it_was_compiled_as(tmp_path: Path) -> None:
    gan = Gan()
    gan.d.train_on_batch(X[:, :2], np.ones((32, 1)))
    gan.both.train_on_batch(Z, np.ones((32, 1)))
    for model, x in ((gan.d, X[:, :2]), (gan.both, Z)):
        model.save(tmp_path / "m")
        again = gx.load_model(tmp_path / "m")
        assert again.trainable == model.trainable
        assert again.train_on_batch(x, np.ones((32, 1))) == model.train_on_batch(x, np.ones((32, 1)))
        assert same(again.get_weights(), model.get_weights())


# Freezing ----------------------------------------------------------------------------------------------------------------


def test_a_model_is_frozen_and_thawed_with_all_that_is_in_it() -> None:
    inner = gx.Sequential([K.Input((4,)), K.Dense(3), K.BatchNormalization()], name="inner")
    model = gx.Sequential([inner, K.Dense(1)])
    model.compile("sgd", "mse", **DOUBLE)
    inner.trainable = False
    assert [layer.trainable for layer in inner.layers] == [False, False]
    assert [w.name for w in model.trainable_weights] == ["dense/kernel", "dense/bias"]
    kept = inner.get_weights()
    model.train_on_batch(X, Y)
    assert same(kept, inner.get_weights())
    inner.trainable = True
    inner.layers[0].trainable = False
    model.train_on_batch(X, Y)
    assert same(kept[:2], inner.get_weights()[:2])
    assert not np.array_equal(kept[4], inner.get_weights()[4])


def test_a_model_frozen_before_it_is_compiled_cannot_be_fitted() -> None:
    model = gx.Sequential([K.Input((4,)), K.Dense(1)])
    model.trainable = False
    model.compile("sgd", "mse")
    with pytest.raises(gx.DeclarationError, match="no trainable weights"):
        model.fit(X, Y, verbose=0)


def test_training_the_part_alone_goes_on_after_it_was_thawed() -> None:
    gan = Gan()
    gan.d.trainable = True
    before = gan.d.get_weights()
    gan.both.train_on_batch(Z, np.ones((32, 1)))
    assert not np.array_equal(before[0], gan.d.get_weights()[0])
    assert not np.array_equal(before[4], gan.d.get_weights()[4])


# Terms of the loss -------------------------------------------------------------------------------------------------------


@KINDS
def test_a_penalty_on_what_a_part_gives_counts_for_each_use(kind: str) -> None:
    part = tower(kind, K.ActivityRegularization(l2=0.1), K.Dense(2, kernel_regularizer="l2"))
    part.build((None, 4))
    a, b = K.Input((4,), name="a"), K.Input((4,), name="b")
    pair = compiled([a, b], gx.sum(part(a) * part(b), axis=1, keepdims=True), loss="mse")
    single = compiled(a, gx.sum(part(a), axis=1, keepdims=True), loss="mse")
    weights = part.get_weights()

    def code(x: Any) -> Any:
        return np.tanh(x @ weights[0] + weights[1])

    def rest(x: Any) -> Any:
        return (code(x) @ weights[2] + weights[3]) @ weights[4] + weights[5]

    decay, active = 0.01 * (weights[2] ** 2).sum(), [0.1 * (code(v) ** 2).sum() for v in (X, Z)]
    wanted = np.mean(((rest(X) * rest(Z)).sum(1, keepdims=True) - Y) ** 2) + decay + sum(active)
    assert pair.evaluate([X, Z], Y, verbose=0) == pytest.approx(wanted, rel=1e-9)
    assert single.evaluate(X, Y, verbose=0) == pytest.approx(np.mean((rest(X).sum(1, keepdims=True) - Y) ** 2) + decay + active[0], rel=1e-9)


# Readings ----------------------------------------------------------------------------------------------------------------


class Alert(K.Layer):
    """A layer that is told whether it is training, as Keras's custom layers are."""

    def build(self, input_shape: Any) -> None:
        self.seen = self.add_weight((), 0.0, trainable=False, name="seen")

    def call(self, x: Any, training: Any = None) -> Any:
        if training:
            gx.assign(self.seen, self.seen + 1)
            self.add_loss(gx.mean(x) * 0 + 5.0)
            return x * 10
        self.add_loss(gx.mean(x) * 0 + 7.0)
        return x


def test_a_layer_that_is_told_gives_both_readings() -> None:
    x, layer = K.Input((4,)), Alert()
    model = compiled(x, layer(layer(x)))
    np.testing.assert_allclose(gx.compile(model.outputs[0], dtype="float64")(X), 100 * X)
    assert layer.seen.value == 2
    np.testing.assert_allclose(model.predict(X), X)
    assert layer.seen.value == 2
    assert [float(gx.evaluate(t, {x: X})) for t in model.losses] == [5.0, 5.0]


@KINDS
def test_a_part_may_be_used_in_one_reading(kind: str) -> None:
    part = tower(kind, K.BatchNormalization(), K.Dropout(0.5))
    part.build((None, 4))
    x, early = K.Input((4,)), K.Dropout(0.5)
    fixed = compiled(x, K.Dense(1)(part(early(x), training=False)))
    always = compiled(x, part(x, training=True))
    np.testing.assert_allclose(gx.evaluate(part(x, training=False), {x: X}), gx.evaluate(gx.inference(part(x)), {x: X}))
    assert np.abs(always.predict(X) - part.predict(X)).max() > 1e-3
    kept = part.get_weights()
    always.predict(X)
    assert same(kept, part.get_weights())
    fixed.train_on_batch(X, Y)
    assert same(kept[4:6], part.get_weights()[4:6])
    assert not np.array_equal(kept[0], part.get_weights()[0])
    # What comes before the part still differs between the two readings.
    dropped = gx.evaluate(fixed.outputs[0], {x: X})
    assert np.abs(dropped - fixed.predict(X)).max() > 1e-3


class Told(gx.Model):
    """A model as Keras's custom models are: told whether it is training, it tells its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.drop, self.last = K.Dense(5), K.BatchNormalization(momentum=0.5), K.Dropout(0.5), K.Dense(1)

    def call(self, x: Any, training: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.last(self.drop(self.norm(self.first(x), training=training), training=training))


def test_a_model_of_ones_own_that_tells_its_layers(tmp_path: Path) -> None:
    told = Told()
    told.compile(gx.optimizers.SGD(0.1), "mse", **DOUBLE)
    plain = gx.Sequential([told.first, K.BatchNormalization(momentum=0.5), K.Dropout(0.5), told.last])
    plain.build((None, 4))
    told.fit(X, Y, epochs=1, batch_size=32, shuffle=False, verbose=0)
    mean, variance = told.get_weights()[4:6]
    assert np.abs(mean).max() > 1e-3
    assert np.abs(variance - 1).max() > 1e-3
    plain.set_weights(told.get_weights())
    np.testing.assert_allclose(told.predict(X), plain.predict(X), rtol=1e-5, atol=1e-6)
    told.norm.trainable = False
    told.train_on_batch(X, Y)
    np.testing.assert_array_equal(told.norm.moving_mean.value, mean)
    told.norm.trainable = True
    told.save(tmp_path / "m")
    again = gx.load_model(tmp_path / "m")
    for model in (told, again):
        model.train_on_batch(X, Y)
    assert same(told.get_weights(), again.get_weights())
    assert not np.array_equal(told.norm.moving_mean.value, mean)
