"""Recurrent layers: PyTorch's numbers from the same weights, masks, states, directions, and what a model does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K

RNG = np.random.default_rng(5)
N, T, D, H = 3, 5, 2, 4
X = RNG.normal(size=(N, T, D))

# PyTorch's class, and which of our gates stands where in its weights.
KINDS: dict[str, tuple[Any, str, list[int]]] = {
    "SimpleRNN": (K.SimpleRNN, "RNN", [0]), "LSTM": (K.LSTM, "LSTM", [0, 1, 2, 3]), "GRU": (K.GRU, "GRU", [1, 0, 2])
}  # fmt: skip
MAKERS: dict[str, Any] = {name: kind for name, (kind, _, _) in KINDS.items()} | {
    "GRU before": lambda units, **options: K.GRU(units, reset_after=False, **options),
    "Bidirectional": lambda units, **options: K.Bidirectional(K.GRU(units, **options)),
}


def randomised(layer: Any) -> Any:
    layer.set_weights([RNG.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def theirs(name: str, layers: list[Any]) -> Any:
    """PyTorch's layer with the weights of one of ours, or of two, one a direction."""
    torch = pytest.importorskip("torch")
    _, twin, order = KINDS[name]
    made = getattr(torch.nn, twin)(D, H, batch_first=True, bidirectional=len(layers) == 2, dtype=torch.float64)

    def sorted_(w: np.ndarray) -> Any:
        return torch.tensor(np.concatenate([w[..., k * H : (k + 1) * H] for k in order], -1).T.copy())

    for layer, end in zip(layers, ("", "_reverse"), strict=False):
        kernel, recurrent, bias = layer.get_weights()
        biases = bias if bias.ndim == 2 else [bias, np.zeros_like(bias)]
        for what, value in (("weight_ih", kernel), ("weight_hh", recurrent), ("bias_ih", biases[0]), ("bias_hh", biases[1])):
            getattr(made, f"{what}_l0{end}").data = sorted_(np.asarray(value))
    return made


def ours(w: Any, name: str) -> np.ndarray:
    """A gradient by one of PyTorch's weights, with our gates' order."""
    order = KINDS[name][2]
    parts = np.split(w.grad.numpy().T, len(order), axis=-1)
    return np.concatenate([parts[order.index(k)] for k in range(len(order))], -1)


@pytest.mark.parity
@pytest.mark.parametrize("name", KINDS)
def test_values_and_gradients_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    x = K.Input((T, D))
    layer = KINDS[name][0](H, return_sequences=True, return_state=True)
    outputs = layer(x)
    peer = theirs(name, [randomised(layer)])
    data = torch.tensor(X, requires_grad=True)
    whole, last = peer(data)
    last = [s[0] for s in (last if isinstance(last, tuple) else (last,))]
    for got, wanted in zip(gx.evaluate(list(outputs), {x: X}), [whole, *last], strict=True):
        np.testing.assert_allclose(got, wanted.detach().numpy(), rtol=1e-9, atol=1e-12)
    (torch.sin(whole * 3).sum() + sum(s.sum() for s in last)).backward()
    loss = gx.sum(gx.sin(outputs[0] * 3)) + sum(gx.sum(s) for s in outputs[1:])
    slopes = gx.evaluate(gx.grad(loss, [x, *layer.weights]), {x: X})
    np.testing.assert_allclose(slopes[0], data.grad.numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(slopes[1], ours(peer.weight_ih_l0, name), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(slopes[2], ours(peer.weight_hh_l0, name), rtol=1e-9, atol=1e-11)
    bias = np.stack([ours(peer.bias_ih_l0, name), ours(peer.bias_hh_l0, name)]) if name == "GRU" else ours(peer.bias_ih_l0, name)
    np.testing.assert_allclose(slopes[3], bias, rtol=1e-9, atol=1e-11)


@pytest.mark.parity
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("sequences", [False, True])
def test_both_directions_are_pytorchs(name: str, sequences: bool) -> None:
    torch = pytest.importorskip("torch")
    x = K.Input((T, D))
    both = K.Bidirectional(KINDS[name][0](H, return_sequences=sequences))
    y = both(x)
    whole = theirs(name, [randomised(both.forward_layer), randomised(both.backward_layer)])(torch.tensor(X))[0].detach().numpy()
    wanted = whole if sequences else np.concatenate([whole[:, -1, :H], whole[:, 0, H:]], -1)
    np.testing.assert_allclose(gx.evaluate(y, {x: X}), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("name", KINDS)
def test_a_state_to_start_from(name: str) -> None:
    torch = pytest.importorskip("torch")
    layer = KINDS[name][0](H)
    x, starts = K.Input((T, D)), [K.Input((H,), name=n) for n in layer.state_names]
    y = layer(x, initial_state=starts)
    values = [RNG.normal(size=(N, H)) for _ in starts]
    given = [torch.tensor(v)[None] for v in values]
    wanted = theirs(name, [randomised(layer)])(torch.tensor(X), tuple(given) if len(given) > 1 else given[0])[0][:, -1].detach().numpy()
    feed = dict(zip(starts, values, strict=True))
    np.testing.assert_allclose(gx.evaluate(y, {x: X} | feed), wanted, rtol=1e-9, atol=1e-12)
    model = gx.Model([x, *starts], y)
    np.testing.assert_allclose(model.predict([X, *values]), wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(gx.ShapeError, match=r"starts from h \(batch, 4\).*initial_state is"):
        layer(x, initial_state=[*starts, *starts])


def test_the_reset_gate_before_the_product() -> None:
    x, layer = K.Input((T, D)), K.GRU(H, reset_after=False, activation="relu", recurrent_activation="hard_sigmoid")
    y = layer(x)
    kernel, recurrent, bias = randomised(layer).get_weights()
    h = np.zeros((N, H))
    for t in range(T):
        z, r = (np.clip((X[:, t] @ kernel + bias)[:, c] / 6 + (h @ recurrent)[:, c] / 6 + 0.5, 0, 1) for c in (slice(0, H), slice(H, 2 * H)))
        new = np.maximum((X[:, t] @ kernel + bias)[:, 2 * H :] + (r * h) @ recurrent[:, 2 * H :], 0)
        h = z * h + (1 - z) * new
    np.testing.assert_allclose(gx.evaluate(y, {x: X}), h, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", MAKERS)
def test_a_mask_leaves_moments_out(name: str) -> None:
    """What is masked may as well not be there, wherever it stands."""
    ids, x = K.Input((T,), dtype="int"), K.Input(("t", D))
    layer = MAKERS[name](H)
    table = K.Embedding(6, D, mask_zero=True)
    y, plain = layer(table(ids)), layer(x)
    whole = np.array([[1, 2, 3, 0, 0], [0, 5, 0, 4, 0], [0, 0, 0, 0, 0], [5, 4, 3, 2, 1]])
    got = gx.evaluate(y, {ids: whole})
    for row, value in zip(whole, got, strict=True):
        kept = table.embeddings.value[row[row != 0]][None]
        np.testing.assert_allclose(value, gx.evaluate(plain, {x: kept})[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gx.compile(y)(whole), got, rtol=1e-4, atol=1e-6)


def test_a_sequence_under_a_mask_repeats_and_both_directions_give_zeros() -> None:
    ids = K.Input((T,), dtype="int")
    e = K.Embedding(6, D, mask_zero=True)(ids)
    row = np.array([[3, 0, 2, 0, 0]])
    one = gx.evaluate(K.LSTM(H, return_sequences=True)(e), {ids: row})[0]
    np.testing.assert_array_equal(one[[1, 3, 4]], one[[0, 2, 2]])
    both = gx.evaluate(K.Bidirectional(K.LSTM(H, return_sequences=True))(e), {ids: row})[0]
    assert (both[[1, 3, 4]] == 0).all()
    assert (both[[0, 2]] != 0).all()


def test_a_mask_passes_through_layers_and_models() -> None:
    ids = K.Input((T,), dtype="int")
    table = K.Embedding(6, D, mask_zero=True)
    through = K.Dropout(0.1)(K.Dense(H)(K.LSTM(H, return_sequences=True)(table(ids))))
    last = K.LSTM(2)
    rows = np.array([[3, 1, 0, 0, 0]])
    wanted = gx.evaluate(gx.inference(last(through)), {ids: rows})
    part, other = gx.Model(ids, through), K.Input((T,), dtype="int", name="other")
    for y in (part(other), part(other, training=False)):
        np.testing.assert_allclose(gx.evaluate(gx.inference(last(y)), {other: rows}), wanted, rtol=1e-9)
    # Another layer than these gives none.
    dropped = gx.evaluate(gx.inference(last(K.Reshape((T, H))(through))), {ids: rows})
    assert np.abs(dropped - wanted).max() > 1e-4


def test_masked_means_and_sums_of_masked_tensors() -> None:
    ids, more = K.Input((T,), dtype="int", name="ids"), K.Input((T,), dtype="int", name="more")
    a, b = (K.Embedding(6, D, mask_zero=True, name=n) for n in ("a", "b"))
    y = K.GlobalAveragePooling1D()(K.Add()([a(ids), b(more)]))
    left, right = np.array([[1, 2, 3, 4, 0], [0] * 5]), np.array([[0, 2, 3, 4, 5]] * 2)
    wanted = np.stack([(a.embeddings.value[[2, 3, 4]] + b.embeddings.value[[2, 3, 4]]).mean(0), np.zeros(D)])
    np.testing.assert_allclose(gx.evaluate(y, {ids: left, more: right}), wanted, rtol=1e-9)


@pytest.mark.parametrize("name", MAKERS)
def test_backwards_is_forwards_on_what_is_turned_round(name: str) -> None:
    if name == "Bidirectional":
        pytest.skip("it goes both ways")
    x = K.Input((T, D))
    forward, backward = MAKERS[name](H, return_sequences=True), MAKERS[name](H, return_sequences=True, go_backwards=True)
    y, z = forward(x), backward(x)
    backward.set_weights(randomised(forward).get_weights())
    np.testing.assert_allclose(gx.evaluate(z, {x: X}), gx.evaluate(y, {x: X[:, ::-1]}), rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in MAKERS if n != "Bidirectional"])
def test_dropped_are_the_same_features_at_all_times(name: str) -> None:
    x = K.Input((T, 40))
    y = MAKERS[name](30, dropout=0.5, return_sequences=True)(x)
    data = np.repeat(np.eye(40)[None], 2, 0)[:, :T] * 100
    inert = gx.evaluate(gx.inference(y), {x: data})
    assert not np.allclose(gx.evaluate(y, {x: data}, seed=1), inert)
    np.testing.assert_array_equal(gx.evaluate(gx.inference(y), {x: data}, seed=1), inert)
    # One feature alone, at all times the same: it is there always or never.
    z = MAKERS[name](1, dropout=0.5, recurrent_initializer="zeros", return_sequences=True)(K.Input((T, 1), name="z"))
    moments = gx.evaluate(z, {gx.leaves(z)["z"]: np.ones((50, T, 1))}, seed=2)[:, :, 0] != 0
    assert 10 < moments[:, 0].sum() < 40
    assert (moments == moments[:, :1]).all()


def test_dropped_states_are_the_same_at_all_times() -> None:
    layer = K.SimpleRNN(2, activation="linear", recurrent_initializer="identity", kernel_initializer="ones", recurrent_dropout=0.5)
    x = K.Input((T, 1))
    y = layer(x)
    data = np.zeros((60, T, 1))
    data[:, 0] = 1.0
    got = gx.evaluate(y, {x: data}, seed=3)
    assert set(np.unique(got.round(6))) == {0.0, 2.0 ** (T - 1)}
    np.testing.assert_array_equal(gx.evaluate(gx.inference(y), {x: data}), 1.0)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("length", [0, 1, "t"])
def test_any_batch_and_any_length(name: str, length: Any) -> None:
    x = K.Input((length, D))
    y = MAKERS[name](H, return_sequences=True)(x)
    for batch in (0, 1, 3):
        shape = (batch, 4 if length == "t" else length, D)
        assert gx.evaluate(y, {x: np.ones(shape)}).shape == (*shape[:2], int(y.shape[-1]))


def test_what_a_mask_leaves_out_does_not_count_in_losses_and_metrics(tmp_path: Path) -> None:
    def model_of() -> Any:
        made = gx.Sequential([K.Embedding(6, D, mask_zero=True, input_length=T), K.LSTM(H, return_sequences=True), K.Dense(3, activation="softmax")])
        made.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"], dtype="float64")
        return made

    model, ids, labels = model_of(), RNG.integers(1, 6, (6, T)), RNG.integers(0, 3, (6, T))
    ids[0, 2:] = ids[3, 1:] = 0
    seen, told = ids != 0, model.predict(ids)
    losses, right = -np.log(np.take_along_axis(told, labels[..., None], -1))[..., 0], told.argmax(-1) == labels
    wanted = [losses[seen].mean(), right[seen].mean()]
    np.testing.assert_allclose(model.evaluate(ids, labels, verbose=0), wanted, rtol=1e-9)
    weights = np.arange(1.0, 7.0)
    wide = np.repeat(weights[:, None], T, 1)
    weighted = model.evaluate(ids, labels, sample_weight=weights, verbose=0)
    np.testing.assert_allclose(weighted[0], (losses * wide)[seen].sum() / seen.sum(), rtol=1e-9)
    model.save(tmp_path / "m")
    again = gx.load_model(tmp_path / "m")
    np.testing.assert_allclose(again.evaluate(ids, labels, verbose=0), wanted, rtol=1e-9)
    again.compile("sgd", "sparse_categorical_crossentropy", dtype="float64")
    np.testing.assert_allclose(again.evaluate(ids, labels, verbose=0), wanted[0], rtol=1e-9)
    assert again.fit(ids, labels, epochs=1, verbose=0).history["loss"] == pytest.approx([wanted[0]])
    # Nothing but what is left out.
    assert model.evaluate(np.zeros((2, T), int), labels[:2], verbose=0)[0] == 0


class Halved(K.Layer):
    """A layer of one's own that lets a mask pass."""

    supports_masking = True

    def call(self, x: Any) -> Any:
        return x / 2


class Counted(K.Layer):
    """A layer of one's own that is given the mask."""

    def call(self, x: Any, mask: Any = None) -> Any:
        return gx.sum(gx.where(mask, 1.0, 0.0), axis=1, keepdims=True)


def test_masks_and_layers_of_ones_own() -> None:
    ids = K.Input((T,), dtype="int")
    y = Counted()(Halved()(K.Embedding(6, D, mask_zero=True)(ids)))
    np.testing.assert_array_equal(gx.evaluate(y, {ids: np.array([[1, 2, 0, 0, 0], [1, 0, 1, 1, 1]])}), [[2.0], [4.0]])


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_one_sequence_to_another(name: str, tmp_path: Path) -> None:
    """What the encoder's last states are, the decoder starts from; both lengths vary."""
    source, target = K.Input((None,), dtype="int", name="source"), K.Input((None,), dtype="int", name="target")
    table = K.Embedding(7, 4, mask_zero=True)
    _, *states = MAKERS[name](H, return_state=True, name="encoder")(table(source))
    h = MAKERS[name](H, return_sequences=True, name="decoder")(table(target), initial_state=states)
    model = gx.Model([source, target], K.Dense(7, activation="softmax")(h))
    model.compile(gx.optimizers.Adam(0.05), "sparse_categorical_crossentropy")
    given = RNG.integers(1, 7, (16, 6))
    shifted = np.concatenate([np.ones((16, 1), int), given[:, :3]], 1)
    losses = model.fit([given, shifted], given[:, :4], epochs=20, verbose=0, seed=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(
        gx.load_model(tmp_path / "m").predict([given[:, :5], shifted[:, :2]]), model.predict([given[:, :5], shifted[:, :2]])
    )


def test_a_length_that_nobody_names() -> None:
    model = gx.Sequential([K.Input((None, D)), K.LSTM(H), K.Dense(1)])
    assert [model.predict(np.ones((2, length, D))).shape for length in (3, 7)] == [(2, 1)] * 2
    a, b = K.Input((None, D), name="a"), K.Input((None, D))
    pair = gx.Model([a, b], K.MultiHeadAttention(2, 3)(a, b))
    assert pair.predict([np.ones((2, 3, D)), np.ones((2, 7, D))]).shape == (2, 3, D)
    bare = gx.Sequential([K.GRU(H)])
    bare.build((None, None, D))
    assert bare.predict(np.ones((2, 6, D))).shape == (2, H)


SHAPES = {
    "SimpleRNN": [(D, H), (H, H), (H,)], "LSTM": [(D, 4 * H), (H, 4 * H), (4 * H,)], "GRU": [(D, 3 * H), (H, 3 * H), (2, 3 * H)],
    "GRU before": [(D, 3 * H), (H, 3 * H), (3 * H,)], "Bidirectional": [(D, 3 * H), (H, 3 * H), (2, 3 * H)] * 2,
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_weights_in_a_model_that_is_trained_saved_and_drawn(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = gx.Sequential([K.Input((T, D)), MAKERS[name](H, recurrent_dropout=0.1), K.Dense(1)])
    layer = model.layers[0]
    assert [w.shape for w in layer.get_weights()] == SHAPES[name]
    assert [w.name.rpartition("/")[2] for w in layer.weights] == ["kernel", "recurrent_kernel", "bias"] * (len(SHAPES[name]) // 3)
    model.summary()
    assert f"{sum(int(np.prod(s)) for s in SHAPES[name]):,}" in capsys.readouterr().out
    model.compile(gx.optimizers.Adam(0.02), "mse")
    losses = model.fit(X, X.sum((1, 2)), epochs=5, verbose=0, seed=1).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "m")
    again = gx.load_model(tmp_path / "m")
    assert [w.name for w in again.weights] == [w.name for w in model.weights]
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.fit(X, X.sum((1, 2)), epochs=1, verbose=0).history == model.fit(X, X.sum((1, 2)), epochs=1, verbose=0).history
    assert gx.draw(model).svg
    assert gx.draw(model, view="layer").svg
    kept = layer.get_weights()
    layer.trainable = False
    model.train_on_batch(X, X.sum((1, 2)))
    for a, b in zip(kept, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MAKERS)
def test_used_twice_with_slopes_that_differences_confirm(name: str) -> None:
    x = K.Input((2, 2))
    layer = MAKERS[name](1 if name == "Bidirectional" else 2, return_sequences=True)
    loss = gx.sum(gx.sin(layer(layer(x))))
    randomised(layer)
    report = gx.check_gradients(loss, at={x: RNG.normal(size=(1, 2, 2))})
    assert report.ok, report


def test_first_values() -> None:
    layer = K.LSTM(3, bias_initializer="zeros")
    layer(K.Input((T, D)))
    assert layer.bias.value.tolist() == [0] * 3 + [1] * 3 + [0] * 6
    np.testing.assert_allclose(layer.recurrent_kernel.value @ layer.recurrent_kernel.value.T, np.eye(3), atol=1e-12)
    plain = K.LSTM(3, unit_forget_bias=False, use_bias=True)
    plain(K.Input((T, D)))
    assert not plain.bias.value.any()
    bare = K.GRU(3, use_bias=False)
    bare(K.Input((T, D)))
    assert [w.shape for w in bare.weights] == [(D, 9), (3, 9)]


@pytest.mark.parametrize("mode", ["concat", "sum", "ave", "mul", None])
def test_how_two_directions_are_put_together(mode: Any) -> None:
    x = K.Input((T, D))
    layer = K.Bidirectional(K.LSTM(H, return_state=True), merge_mode=mode)
    results = gx.evaluate(list(layer(x)), {x: X})
    a, b = results[-4], results[-2]
    wanted = {"concat": [np.concatenate([a, b], -1)], "sum": [a + b], "ave": [(a + b) / 2], "mul": [a * b], None: [a, b]}[mode]
    for got, want in zip(results[:-4], wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_a_layer_at_each_time() -> None:
    x = K.Input((T, 4, 4, 1))
    inner = K.Conv2D(2, 3)
    y = K.TimeDistributed(inner)(x)
    data = RNG.normal(size=(2, T, 4, 4, 1))
    single = K.Input((4, 4, 1), name="single")
    wanted = np.stack([gx.evaluate(inner(single), {single: data[:, t]}) for t in range(T)], 1)
    np.testing.assert_allclose(gx.evaluate(y, {x: data}), wanted, rtol=1e-12)
    model = gx.Sequential([K.Input(("t", D)), K.TimeDistributed(K.Dense(3))])
    assert [w.name for w in model.weights] == ["time_distributed/dense/kernel", "time_distributed/dense/bias"]
    assert model.predict(np.ones((2, 7, D))).shape == (2, 7, 3)


MISUSES: list[tuple[Any, Any, str]] = [
    (lambda: K.LSTM(0), gx.DeclarationError, r"LSTM\(units=0\)"),
    (lambda: K.GRU(3, dropout=1), gx.DeclarationError, r"GRU\(dropout=1\)"),
    (lambda: K.GRU(3, stateful=True), gx.DeclarationError, r"GRU\(stateful=True\).*initial_state"),
    (lambda: K.LSTM(3, recurrent_initializer="ortogonal"), gx.DeclarationError, r"LSTM: the initializer 'ortogonal' is unknown"),
    (lambda: K.LSTM(3, activation="tahn"), gx.DeclarationError, "tahn"),
    (lambda: K.LSTM(3)(K.Input((4,))), gx.ShapeError, r"lstm takes sequences \(batch, time, features\)"),
    (lambda: K.LSTM(3)(K.Input((4, "d"))), gx.ShapeError, r"lstm takes sequences"),
    (lambda: K.Bidirectional(K.Dense(3)), gx.DeclarationError, r"Bidirectional takes a recurrent layer"),
    (lambda: K.Bidirectional(K.LSTM(3), merge_mode="add"), gx.DeclarationError, r"merge_mode='add'"),
    (lambda: K.Bidirectional(K.LSTM(3), backward_layer=K.LSTM(3)), gx.DeclarationError, "go_backwards"),
    (lambda: K.TimeDistributed("dense"), gx.DeclarationError, "TimeDistributed takes a layer"),
    (lambda: K.TimeDistributed(K.Dense(2))(K.Input((3,))), gx.ShapeError, "no axis of time"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "error", "text"), MISUSES)
def test_misuses_are_told(make: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        make()


ACTIVE = {
    "states too": (lambda r, x: K.LSTM(2, return_state=True, activity_regularizer=r)(x)[0], 3),
    "both ways": (lambda r, x: K.Bidirectional(K.LSTM(2, activity_regularizer=r))(x), 2),
    "both ways, sequences": (lambda r, x: K.Bidirectional(K.GRU(2, return_sequences=True, activity_regularizer=r))(x), 2),
    "scores too": (lambda r, x: K.MultiHeadAttention(2, 2, activity_regularizer=r)(x, x, return_attention_scores=True)[0], 2),
}


@pytest.mark.parametrize("row", ACTIVE)
def test_all_that_a_layer_gives_is_penalised(row: str) -> None:
    call, count = ACTIVE[row]
    inputs = K.Input((4, 3))
    model = gx.Model(inputs, call(gx.regularizers.L2(1.0), inputs))
    assert len(model.losses) == count
    data = np.random.default_rng(0).normal(size=(5, 4, 3))
    model.compile("sgd", "mse", dtype="float64")
    got = model.predict(data)
    assert model.evaluate(data, got, verbose=0) > 0
    if row == "both ways":
        np.testing.assert_allclose(model.evaluate(data, got, verbose=0), (got**2).sum(), rtol=1e-6)
