"""The pictures of a deep-learning course, each in a few lines: ``python gallery.py [folder] [name ...]``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import graphc as gx

__all__ = ["PICTURES"]


def perceptron() -> gx.Picture:
    x, w, b = gx.tensor("x", (3,)), gx.parameter("w", (3,)), gx.parameter("b", ())
    return gx.draw(gx.activations.step((x @ w + b).named("z")).named("y"))


def exclusive_or() -> gx.Picture:
    """Two layers of threshold units do what one cannot: OR and NAND, then AND."""
    x = gx.tensor("x", ("n", 2))
    W, V = gx.parameter("W", (2, 2), init=[[1.0, -1.0], [1.0, -1.0]]), gx.parameter("V", (2, 1), init=[[1.0], [1.0]])
    h = gx.activations.step(x @ W + gx.constant([-0.5, 1.5])).named("h")
    return gx.draw(gx.activations.step(h @ V - 1.5).named("y"), view="neuron", at={x: [[1, 0]]})


def multi_layer_perceptron() -> gx.Picture:
    x = gx.tensor("x", ("n", 4))
    h = x
    for k in (1, 2):
        h = gx.relu(h @ gx.parameter(f"W{k}", (h.shape[1], 5)))
    return gx.draw(gx.softmax(h @ gx.parameter("V", (5, 3))).named("p"), view="neuron")


def circuit() -> gx.Picture:
    a, b = gx.scalars("a b")
    c, d = (a + b).named("c"), (b + 1).named("d")
    return gx.draw((c * d).named("e"), backward=True, at={a: 2, b: 1})


def two_paths() -> gx.Paths:
    x1, x2 = gx.scalars("x1 x2")
    return gx.paths((x1 * x2 + gx.sin(x1)).named("f"), x1, at={x1: 2, x2: 5})


def backpropagation() -> gx.Picture:
    """One hidden layer: z = x W1, h = φ(z), ŷ = h W2."""
    x, y = gx.tensor("x", ("n", 4)), gx.tensor("y", ("n", 2))
    z = (x @ gx.parameter("W1", (4, 3))).named("z")
    y_hat = (gx.tanh(z).named("h") @ gx.parameter("W2", (3, 2))).named("y_hat")
    return gx.draw(gx.mean((y_hat - y) ** 2).named("J"), backward=True)


def dropout() -> gx.Picture:
    x, W, V = gx.tensor("x", ("n", 4)), gx.parameter("W", (4, 8)), gx.parameter("V", (8, 1))
    return gx.draw((gx.nn.dropout(gx.relu(x @ W).named("h"), 0.5) @ V).named("y"))


def batch_normalisation() -> gx.Picture:
    x, gamma, beta = gx.tensor("x", ("n", 8)), gx.parameter("gamma", (8,)), gx.parameter("beta", (8,))
    return gx.draw(gx.nn.batch_norm(x, gamma, beta).named("y"), expand="y")


def convolutional_network() -> gx.Picture:
    layers = gx.layers
    model = gx.Sequential([
        layers.Conv2D(6, 5, padding="same", activation="relu"), layers.MaxPooling2D(2), layers.Conv2D(16, 5, activation="relu"),
        layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(120, activation="relu"), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.build((None, 28, 28, 1))
    return gx.draw(model, view="layer")


def residual_block() -> gx.Picture:
    x = gx.tensor("x", ("n", 32, 32, 16))
    h = gx.relu(gx.nn.conv2d(x, gx.parameter("K1", (3, 3, 16, 16)), padding="same")).named("h")
    return gx.draw(gx.relu(gx.nn.conv2d(h, gx.parameter("K2", (3, 3, 16, 16)), padding="same") + x).named("y"))


def _recurrent() -> gx.Tensor:
    x, h0 = gx.tensor("x", ("T", "n", 2)), gx.tensor("h0", ("n", 3))
    U, W, V = gx.parameter("U", (2, 3)), gx.parameter("W", (3, 3)), gx.parameter("V", (3, 1))
    last, _ = gx.scan(lambda h, item: (gx.tanh(item @ U + h @ W).named("h"),) * 2, x, h0)
    return gx.mean((last @ V) ** 2).named("L")


def recurrent_rolled() -> gx.Picture:
    return gx.draw(_recurrent())


def recurrent_unrolled() -> gx.Picture:
    return gx.draw(_recurrent(), unroll=2)


def recurrent_layers() -> gx.Picture:
    return gx.draw(_recurrent(), unroll=2, view="layer")


def through_time() -> gx.Picture:
    return gx.draw(_recurrent(), backward=True)


def long_short_term_memory() -> gx.Picture:
    x, h0, c0 = gx.tensor("x", ("T", "n", 3)), gx.tensor("h0", ("n", 4)), gx.tensor("c0", ("n", 4))
    gates = {g: (gx.parameter(f"W_{g}", (3, 4)), gx.parameter(f"U_{g}", (4, 4))) for g in "fiog"}

    def step(carry: tuple[gx.Tensor, gx.Tensor], item: gx.Tensor) -> tuple[tuple[gx.Tensor, gx.Tensor], gx.Tensor]:
        h, c = carry
        f, i, o, g = ((gx.tanh if n == "g" else gx.sigmoid)(item @ W + h @ U).named(n) for n, (W, U) in gates.items())
        c = (f * c + i * g).named("c")
        h = (o * gx.tanh(c)).named("h")
        return (h, c), h

    (h, _), _ = gx.scan(step, x, (h0, c0))
    return gx.draw(h.named("summary"))


def encoder_decoder() -> gx.Picture:
    x, y, h0 = gx.tensor("x", ("T", "n", 8)), gx.tensor("y", ("S", "n", 8)), gx.tensor("h0", ("n", 16))
    with gx.scope("encoder"):
        U, W = gx.parameter("U", (8, 16)), gx.parameter("W", (16, 16))
    with gx.scope("decoder"):
        A, B, V = gx.parameter("A", (8, 16)), gx.parameter("B", (16, 16)), gx.parameter("V", (16, 8))
    summary, _ = gx.scan(lambda h, item: (gx.tanh(item @ U + h @ W).named("h"),) * 2, x, h0)
    _, states = gx.scan(lambda s, item: (gx.tanh(item @ A + s @ B).named("s"),) * 2, y, summary.named("summary"))
    return gx.draw(gx.softmax(states @ V).named("p"), unroll=1, view="layer")


def attention_block() -> gx.Picture:
    x = gx.tensor("x", ("n", "T", 64))
    Q, K, V = ((x @ gx.parameter(f"W_{c}", (64, 64))).named(c) for c in "QKV")
    return gx.draw(gx.nn.attention(Q, K, V).named("A"), expand="A")


def attention_backward() -> gx.Picture:
    Q, K, V = (gx.tensor(name, (rows, 8)) for name, rows in (("Q", "T"), ("K", "S"), ("V", "S")))
    return gx.draw(gx.sum(gx.nn.attention(Q, K, V).named("A")).named("L"), backward=True)


def transformer() -> gx.Picture:
    h, d = gx.tensor("x", ("n", "T", 64)), 64
    for k in range(12):
        with gx.scope(f"block{k}"):
            with gx.scope("attention"):
                q, key, v = (h @ gx.parameter(name, (d, d)) for name in ("W_Q", "W_K", "W_V"))
                a = gx.nn.attention(q, key, v) @ gx.parameter("W_O", (d, d))
            h = gx.nn.layer_norm(h + a, gx.parameter("gamma1", (d,)), gx.parameter("beta1", (d,)))
            with gx.scope("mlp"):
                m = gx.relu(h @ gx.parameter("W1", (d, 4 * d)) + gx.parameter("b1", (4 * d,))) @ gx.parameter("W2", (4 * d, d))
            h = gx.nn.layer_norm(h + m, gx.parameter("gamma2", (d,)), gx.parameter("beta2", (d,)))
    return gx.draw(gx.mean(h, axis=1).named("y"), depth=2)


def autoencoder() -> gx.Picture:
    x = gx.tensor("x", ("n", 8))
    h = x
    for k, width in enumerate((5, 2, 5, 8)):
        h = gx.tanh(h @ gx.parameter(f"W{k + 1}", (h.shape[1], width)))
    return gx.draw(h.named("x_hat"), view="neuron")


def variational_autoencoder() -> gx.Picture:
    x = gx.tensor("x", ("n", 784))
    with gx.scope("encoder"):
        h = gx.relu(x @ gx.parameter("W", (784, 200)))
        mu, sigma = (h @ gx.parameter("W_mu", (200, 20))).named("mu"), gx.exp(h @ gx.parameter("W_sigma", (200, 20))).named("sigma")
    z = (mu + sigma * gx.random.normal(("n", 20)).named("epsilon")).named("z")
    with gx.scope("decoder"):
        x_hat = gx.sigmoid(gx.relu(z @ gx.parameter("V", (20, 200))) @ gx.parameter("V_out", (200, 784))).named("x_hat")
    kl = gx.mean(gx.sum(mu**2 + sigma**2 - 2 * gx.log(sigma) - 1, axis=1) / 2).named("KL")
    return gx.draw([gx.mean(gx.sum((x - x_hat) ** 2, axis=1)).named("reconstruction"), kl])


def adversarial() -> gx.Picture:
    """A generator and a discriminator that judges twice, and the loss of each."""
    z, x = gx.tensor("z", ("n", 16)), gx.tensor("x", ("n", 64))
    with gx.scope("generator"):
        fake = gx.tanh(z @ gx.parameter("G", (16, 64))).named("fake")
    with gx.scope("discriminator"):
        D = gx.parameter("D", (64, 1))
    real_score, fake_score = gx.sigmoid(x @ D).named("real"), gx.sigmoid(fake @ D).named("judged")
    loss_d = (-gx.mean(gx.log(real_score) + gx.log(1 - fake_score))).named("L_D")
    return gx.draw([loss_d, (-gx.mean(gx.log(fake_score))).named("L_G")])


PICTURES: dict[str, Callable[[], gx.Picture | gx.Paths]] = {
    f.__name__: f
    for f in (
        perceptron, exclusive_or, multi_layer_perceptron, circuit, two_paths, backpropagation, dropout, batch_normalisation,
        convolutional_network, residual_block, recurrent_rolled, recurrent_unrolled, recurrent_layers, through_time, long_short_term_memory,
        encoder_decoder, attention_block, attention_backward, transformer, autoencoder, variational_autoencoder, adversarial,
    )
}  # fmt: skip


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "gallery")
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or PICTURES:
        print(PICTURES[name]().save(folder / f"{name}.svg"))
