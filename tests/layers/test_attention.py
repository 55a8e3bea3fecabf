"""Attention layers: PyTorch's numbers from the same weights, masks of every kind, and what a model does with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import layers as K

RNG = np.random.default_rng(6)
N, T, S, D, HEADS, WIDTH = 2, 4, 5, 6, 3, 2
X, V = RNG.normal(size=(N, T, D)), RNG.normal(size=(N, S, D))
CAUSAL, CAUSAL_ACROSS = np.tril(np.ones((T, T), bool)), np.tril(np.ones((T, S), bool))


def randomised(layer: Any) -> Any:
    layer.set_weights([RNG.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def theirs(layer: Any) -> Any:
    """PyTorch's layer with our weights: heads side by side, matrices turned."""
    torch = pytest.importorskip("torch")
    made = torch.nn.MultiheadAttention(D, HEADS, batch_first=True, dtype=torch.float64)
    weights = [torch.tensor(w) for w in layer.get_weights()]
    made.in_proj_weight.data = torch.cat([w.reshape(D, D).T for w in weights[0:6:2]])
    made.in_proj_bias.data = torch.cat([b.reshape(D) for b in weights[1:6:2]])
    made.out_proj.weight.data, made.out_proj.bias.data = weights[6].reshape(D, D).T.contiguous(), weights[7]
    return made


@pytest.mark.parity
@pytest.mark.parametrize(("causal", "own"), [(False, True), (True, True), (False, False)])
def test_values_scores_and_gradients_are_pytorchs(causal: bool, own: bool) -> None:
    torch = pytest.importorskip("torch")
    x, v = K.Input((T, D), name="x"), K.Input((S, D), name="v")
    layer = K.MultiHeadAttention(HEADS, WIDTH)
    y, scores = layer(x, x if own else v, use_causal_mask=causal, return_attention_scores=True)
    plain = layer(x, x if own else v, use_causal_mask=causal)
    peer = theirs(randomised(layer))
    a, b = torch.tensor(X, requires_grad=True), torch.tensor(V, requires_grad=True)
    mask = torch.tensor(~CAUSAL) if causal else None
    wanted, wanted_scores = peer(a, a if own else b, a if own else b, attn_mask=mask, average_attn_weights=False)
    feed = {x: X} if own else {x: X, v: V}
    for got, want in zip(gx.evaluate([y, scores, plain], feed), [wanted, wanted_scores, wanted], strict=True):
        np.testing.assert_allclose(got, want.detach().numpy(), rtol=1e-9, atol=1e-12)
    torch.sin(wanted).sum().backward()
    leaves = [x, *layer.weights[::2], *([] if own else [v])]
    slopes = gx.evaluate(gx.grad(gx.sum(gx.sin(plain)), leaves), feed)
    inner = [w.T for w in peer.in_proj_weight.grad.numpy().reshape(3, D, D)]
    expected = [a.grad, *(w.reshape(D, HEADS, WIDTH) for w in inner), peer.out_proj.weight.grad.numpy().T.reshape(HEADS, WIDTH, D)]
    for got, want in zip(slopes, [*expected, *([] if own else [b.grad])], strict=True):
        np.testing.assert_allclose(got, np.asarray(want), rtol=1e-9, atol=1e-11)


def by_hand(layer: Any, query: Any, value: Any, key: Any, seen: Any) -> np.ndarray:
    w = layer.get_weights()
    q, k, v = (np.einsum("ntd,dhk->nhtk", t, w[j]) + w[j + 1][:, None] for t, j in ((query, 0), (key, 2), (value, 4)))
    scores = np.where(seen, q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]), -np.inf)
    powers = np.exp(scores - np.max(scores, -1, keepdims=True, initial=-1e300))
    return np.einsum("nhtv,hvo->nto", powers / np.maximum(powers.sum(-1, keepdims=True), 1e-300) @ v, w[6]) + w[7]


BATCHED = RNG.random((N, T, S)) < 0.6
BATCHED[0, 1] = False  # one that sees nothing
MASKS: dict[str, tuple[dict[str, Any], Any]] = {
    "none": ({}, np.ones((T, S), bool)),
    "one for all": ({"attention_mask": CAUSAL_ACROSS}, CAUSAL_ACROSS),
    "one a sample": ({"attention_mask": BATCHED}, BATCHED[:, None]),
    "numbers": ({"attention_mask": BATCHED.astype(int)}, BATCHED[:, None]),
    "causal": ({"use_causal_mask": True}, CAUSAL_ACROSS),
    "both": ({"attention_mask": BATCHED, "use_causal_mask": True}, BATCHED[:, None] & CAUSAL_ACROSS),
    "values": ({"value_mask": BATCHED[:, 0]}, BATCHED[:, None, None, 0]),
    "keys": ({"key_mask": BATCHED[:, 2]}, BATCHED[:, None, None, 2]),
}


@pytest.mark.parametrize("row", MASKS)
def test_masks(row: str) -> None:
    options, seen = MASKS[row]
    x, v, k = K.Input((T, D), name="x"), K.Input((S, 3), name="v"), K.Input((S, 5), name="k")
    layer = K.MultiHeadAttention(HEADS, WIDTH, value_dim=4, output_shape=7)
    y = layer(x, v, k, **options)
    randomised(layer)
    feed = {x: X, v: RNG.normal(size=(N, S, 3)), k: RNG.normal(size=(N, S, 5))}
    wanted = by_hand(layer, X, feed[v], feed[k], seen)
    np.testing.assert_allclose(gx.evaluate(y, feed), wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gx.compile(y, inputs=[x, v, k], dtype="float64")(*feed.values()), wanted, rtol=1e-7, atol=1e-9)


def test_a_mask_that_comes_as_an_input() -> None:
    x, mask = K.Input((T, D)), K.Input((T, T), dtype="bool", name="mask")
    layer = K.MultiHeadAttention(HEADS, WIDTH)
    for training in (None, False):
        y = layer(query=x, value=x, attention_mask=mask, training=training)
        given = RNG.random((N, T, T)) < 0.7
        wanted = by_hand(layer, X, X, X, given[:, None])
        np.testing.assert_allclose(gx.evaluate(y, {x: X, mask: given}), wanted, rtol=1e-9, atol=1e-12)
    model = gx.Model([x, mask], y)
    np.testing.assert_allclose(model.predict([X, given]), wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["heads", "plain"])
def test_what_an_embedding_masks_is_not_seen(kind: str) -> None:
    ids, x = K.Input((T,), dtype="int"), K.Input(("t", D))
    table = K.Embedding(9, D, mask_zero=True)
    e = table(ids)
    layer: Any = K.MultiHeadAttention(HEADS, WIDTH) if kind == "heads" else K.Attention()
    y, plain = (layer(a, a) if kind == "heads" else layer([a, a]) for a in (e, x))
    pooled = K.GlobalAveragePooling1D()(y)
    rows = np.array([[3, 4, 0, 0], [5, 0, 0, 2], [1, 2, 3, 4]])
    means = gx.evaluate(pooled, {ids: rows})
    for row, whole, mean in zip(rows, gx.evaluate(y, {ids: rows}), means, strict=True):
        wanted = gx.evaluate(plain, {x: table.embeddings.value[row[row != 0]][None]})[0]
        np.testing.assert_allclose(whole[row != 0], wanted, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(mean, wanted.mean(0), rtol=1e-9, atol=1e-12)


def softmax(s: np.ndarray) -> np.ndarray:
    return np.exp(s) / np.exp(s).sum(-1, keepdims=True)


SCORES: dict[str, tuple[Any, list[str], Any]] = {
    "dot": (K.Attention, [], lambda q, k: q @ np.swapaxes(k, 1, 2)),
    "scaled": (lambda: K.Attention(use_scale=True), ["scale"], lambda q, k, s: s * (q @ np.swapaxes(k, 1, 2))),
    "concat": (lambda: K.Attention(score_mode="concat"), ["concat_score_weight"], lambda q, k, w: w * np.tanh(q[:, :, None] + k[:, None]).sum(-1)),
    "both": (
        lambda: K.Attention(True, "concat"), ["scale", "concat_score_weight"],
        lambda q, k, s, w: w * np.tanh(s * (q[:, :, None] + k[:, None])).sum(-1),
    ),
    "additive": (K.AdditiveAttention, ["scale"], lambda q, k, s: (s * np.tanh(q[:, :, None] + k[:, None])).sum(-1)),
    "additive, all alike": (lambda: K.AdditiveAttention(use_scale=False), [], lambda q, k: np.tanh(q[:, :, None] + k[:, None]).sum(-1)),
}  # fmt: skip


@pytest.mark.parametrize("row", SCORES)
def test_attention_without_kernels(row: str) -> None:
    make, names, formula = SCORES[row]
    layer = make()
    q, v, k = K.Input((T, D), name="q"), K.Input((S, 3), name="v"), K.Input((S, D), name="k")
    y, scores = layer([q, v, k], return_attention_scores=True)
    assert [w.name.rpartition("/")[2] for w in layer.weights] == names
    randomised(layer)
    values = RNG.normal(size=(N, S, 3))
    wanted = softmax(formula(X, V, *layer.get_weights()))
    got = gx.evaluate([y, scores], {q: X, v: values, k: V})
    np.testing.assert_allclose(got[1], wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(got[0], wanted @ values, rtol=1e-9, atol=1e-12)
    masked = layer([q, v, k], mask=[gx.constant(np.array([[True] * 3 + [False]] * N)), gx.constant(np.array([[True] * 4 + [False]] * N))])
    less = softmax(formula(X, V[:, :4], *layer.get_weights())) @ values[:, :4]
    less[:, 3] = 0
    np.testing.assert_allclose(gx.evaluate(masked, {q: X, v: values, k: V}), less, rtol=1e-9, atol=1e-12)
    assert gx.check_gradients(gx.sum(gx.sin(y)), at={q: X[:1], v: values[:1], k: V[:1]}).ok


def test_dropped_attention() -> None:
    x = K.Input((20, D))
    data = RNG.normal(size=(N, 20, D))
    y, scores = K.MultiHeadAttention(HEADS, WIDTH, dropout=0.5)(x, x, return_attention_scores=True)
    inert = gx.evaluate(gx.inference(y), {x: data})
    assert np.abs(gx.evaluate(y, {x: data}, seed=1) - inert).max() > 1e-3
    np.testing.assert_array_equal(gx.evaluate(gx.inference(y), {x: data}, seed=1), inert)
    np.testing.assert_allclose(gx.evaluate(scores, {x: data}).sum(-1), 1.0)


def test_weights_in_a_model_that_is_trained_saved_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = K.Input(("t", D))
    layer = K.MultiHeadAttention(HEADS, WIDTH, value_dim=4)
    h = K.LayerNormalization()(x + layer(x, x))
    model = gx.Model(x, K.Dense(1)(K.GlobalAveragePooling1D()(h)))
    assert [(w.name.split("/", 1)[1], w.shape) for w in layer.weights] == [
        ("query/kernel", (D, HEADS, WIDTH)), ("query/bias", (HEADS, WIDTH)), ("key/kernel", (D, HEADS, WIDTH)), ("key/bias", (HEADS, WIDTH)),
        ("value/kernel", (D, HEADS, 4)), ("value/bias", (HEADS, 4)), ("attention_output/kernel", (HEADS, 4, D)), ("attention_output/bias", (D,)),
    ]  # fmt: skip
    model.summary()
    assert f"{2 * 42 + 84 + 78:,}" in capsys.readouterr().out
    model.compile(gx.optimizers.Adam(0.02), "mse")
    losses = model.fit(X, X[:, 0, 0], epochs=5, verbose=0, seed=1).history["loss"]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "m")
    again = gx.load_model(tmp_path / "m")
    assert [w.name for w in again.weights] == [w.name for w in model.weights]
    np.testing.assert_array_equal(again.predict(V), model.predict(V))
    assert again.train_on_batch(X, X[:, 0, 0]) == model.train_on_batch(X, X[:, 0, 0])
    assert gx.draw(model).svg
    assert gx.draw(model, view="layer").svg
    kept = layer.get_weights()
    layer.trainable = False
    model.train_on_batch(X, X[:, 0, 0])
    for a, b in zip(kept, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_options_of_the_output() -> None:
    x = K.Input((T, D))
    bare = K.MultiHeadAttention(HEADS, WIDTH, use_bias=False, output_shape=(2, 3))
    assert [str(e) for e in bare(x, x).shape] == ["n", "4", "2", "3"]
    assert [w.shape for w in bare.weights] == [(D, HEADS, WIDTH)] * 3 + [(HEADS, WIDTH, 2, 3)]


def test_slopes_that_differences_confirm() -> None:
    x = K.Input((2, 3))
    layer = K.MultiHeadAttention(2, 1)
    loss = gx.sum(gx.sin(layer(layer(x, x, use_causal_mask=True), x)))
    randomised(layer)
    report = gx.check_gradients(loss, at={x: RNG.normal(size=(1, 2, 3))})
    assert report.ok, report


MISUSES: list[tuple[Any, Any, str]] = [
    (lambda: K.MultiHeadAttention(0, 2), gx.DeclarationError, r"MultiHeadAttention\(num_heads=0\)"),
    (lambda: K.MultiHeadAttention(2, 2, dropout=1.0), gx.DeclarationError, r"dropout=1.0"),
    (lambda: K.MultiHeadAttention(2, 2, attention_axes=(1, 2)), gx.DeclarationError, "attention_axes"),
    (lambda: K.MultiHeadAttention(2, 2)(K.Input((4, 3))), gx.DeclarationError, "takes queries and values"),
    (lambda: K.MultiHeadAttention(2, 2)(K.Input((3,)), K.Input((3,))), gx.ShapeError, r"takes queries \(batch, length, features\)"),
    (lambda: K.Attention(score_mode="cos"), gx.DeclarationError, "score_mode='cos'"),
    (lambda: K.Attention()(K.Input((4, 3))), gx.ShapeError, r"is called on a list, \[query, value\]"),
]


@pytest.mark.parametrize(("make", "error", "text"), MISUSES)
def test_misuses_are_told(make: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=text):
        make()
