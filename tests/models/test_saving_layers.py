"""Layers of a model from a file, called again: the same numbers as those of the model that was saved, or an error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc import layers as L

T, V = 5, 7
RNG = np.random.default_rng(2)
IDS = RNG.integers(0, V, (20, T)) * (np.arange(T) < RNG.integers(1, T + 1, (20, 1)))
SEQ, VEC = RNG.normal(size=(20, T, 3)), RNG.normal(size=(20, 4))
Build = Callable[[], gx.Model]


class Both(L.Layer):
    """A layer of two outputs and an option, with a term of the loss."""

    def call(self, x: Any, factor: float = 2.0, shift: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.add_loss(gx.mean(x * x))
        return [x * factor, x + (0.0 if shift is None else shift)]


class Within(L.Layer):
    """A layer that has masks to do within."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.last = L.GRU(3, return_sequences=True), L.LSTM(2)

    def call(self, x: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.last(self.rows(x))


def reader(**options: Any) -> gx.Model:
    ids = L.Input((T,), dtype="int")
    seq = L.Embedding(V, 3, mask_zero=True, name="embedding")(ids)
    rows = L.Dense(3, name="dense", kernel_regularizer="l2", activity_regularizer="l2")(seq)
    enc = L.LSTM(4, name="enc", return_state=True)(rows)
    dlstm = L.LSTM(4, name="dlstm", return_sequences=True)(rows, initial_state=enc[1:])
    far = L.MultiHeadAttention(2, 2, name="attention")(dlstm, rows, return_attention_scores=True)[0]
    back = L.Bidirectional(L.GRU(2, return_state=True), name="bidirectional")(far)[0]
    two = Both(name="both")(Within()(rows), 3.0)[0]
    drop = L.Dropout(0.5, name="drop")(two, training=True)
    return gx.Model(ids, L.Dense(1)(L.Concatenate(name="join")([enc[0], back, drop])))


def pair(tmp_path: Path) -> tuple[gx.Model, gx.Model]:
    """A model, and what comes back of it after it was saved twice."""
    model = reader()
    model.compile(optimizer="sgd", loss="mse")
    model.save(tmp_path / "m")
    gx.load_model(tmp_path / "m").save(tmp_path / "again")
    return model, gx.load_model(tmp_path / "again")


def sequence(model: gx.Model, x: Any) -> Any:
    return model.get_layer("dense")(model.get_layer("embedding")(x))


# What is made of a model's layers and of new ids.
CALLS: dict[str, Callable[..., Any]] = {
    "a mask": lambda m, x, s, v: L.GlobalAveragePooling1D()(m.get_layer("embedding")(x)),
    "a mask that passes": lambda m, x, s, v: L.GlobalAveragePooling1D()(sequence(m, x)),
    "the mask of an output": lambda m, *_: L.GlobalAveragePooling1D()(m.get_layer("embedding").output),
    "several outputs": lambda m, x, s, v: gx.concatenate(m.get_layer("enc")(sequence(m, x)), -1),
    "an initial state": lambda m, x, s, v: m.get_layer("dlstm")(sequence(m, x), initial_state=m.get_layer("enc")(sequence(m, x))[:2]),
    "other states": lambda m, x, s, v: m.get_layer("dlstm")(sequence(m, x), initial_state=[v, 2 * v]),
    "without a mask": lambda m, x, s, v: m.get_layer("enc")(s)[1],
    "another mask": lambda m, x, s, v: m.get_layer("enc")(L.Masking(0.0)(s * (s > 0.5)))[1],
    "options": lambda m, x, s, v: m.get_layer("both")(m.get_layer("within")(sequence(m, x)), factor=4.0)[0],
    "masks within": lambda m, x, s, v: m.get_layer("within")(sequence(m, x)),
    "attention": lambda m, x, s, v: gx.concatenate([
        gx.sum(t, axis=-1) for t in m.get_layer("attention")(attended(m, x), sequence(m, x), return_attention_scores=True)[:1]
    ], -1),
    "attention without masks": lambda m, x, s, v: m.get_layer("attention")(gx.concatenate([s, s[:, :, :1]], -1), s, return_attention_scores=True)[0],
    "both directions": lambda m, x, s, v: gx.concatenate(m.get_layer("bidirectional")(attended(m, x)), -1),
    "a list": lambda m, x, s, v: m.get_layer("join")([m.get_layer("enc")(sequence(m, x))[0], v, v[:, :2]]),
}  # fmt: skip


def attended(model: gx.Model, x: Any) -> Any:
    return CALLS["an initial state"](model, x, None, None)


@pytest.mark.parametrize("row", CALLS)
def test_a_layer_called_again_gives_the_same_numbers(row: str, tmp_path: Path) -> None:
    made: list[Any] = []
    for model in pair(tmp_path):
        x = model.inputs[0] if row == "the mask of an output" else L.Input((T,), dtype="int", name="new")
        seq, vec = L.Input((T, 3), name="seq"), L.Input((4,), name="vec")
        other = gx.Model([x, seq, vec], CALLS[row](model, x, seq, vec))
        other.compile(optimizer="sgd", loss="mse")
        values = other.predict([IDS, SEQ, VEC])
        made.append((values, other.evaluate([IDS, SEQ, VEC], np.zeros_like(values), verbose=0), [w.name for w in other.weights]))
    np.testing.assert_allclose(made[0][0], made[1][0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made[0][1], made[1][1], rtol=1e-5)


def test_terms_of_the_loss_come_along(tmp_path: Path) -> None:
    made: list[float] = []
    for model in pair(tmp_path):
        assert len(model.losses) == 3
        x = L.Input((T, 3), name="new")
        other = gx.Model(x, model.get_layer("dense")(x))
        other.compile(optimizer="sgd", loss="mse")
        made.append(other.evaluate(SEQ, np.zeros((20, T, 3)), verbose=0))
        assert len(other.losses) == 2
    assert made[0] == pytest.approx(made[1], rel=1e-6)


# What the saved calls do not have, and what the error says of it.
REFUSED: dict[str, tuple[Callable[[gx.Model], Any], str]] = {
    "an option": (lambda m: m.get_layer("both")(gx.constant(VEC[:, :2])), r"both\(x, factor\) and no code, and is called as both\(x\)"),
    "another option": (
        lambda m: m.get_layer("attention")(gx.constant(SEQ), gx.constant(SEQ)),
        r"_scores=True, mask=\[2 tensors\]\) and no",
    ),
    "a new argument": (lambda m: m.get_layer("enc")(gx.constant(SEQ), initial_state=[gx.constant(VEC)] * 2), r"initial_state=\[2 tensors\]"),
    "an argument less": (lambda m: m.get_layer("dlstm")(gx.constant(SEQ)), r"dlstm\(sequences, initial_state=\[2 tensors\], mask\)"),
    "the other reading": (lambda m: m.get_layer("drop")(gx.constant(VEC[:, :2])), r"drop\(x, training=True\) and no code"),
    "an unknown argument": (lambda m: m.get_layer("dense")(gx.constant(SEQ), depth=3), r"is called as dense\(x, depth=3\)"),
    "a list for a tensor": (lambda m: m.get_layer("dense")([gx.constant(SEQ)] * 2), r"is called as dense\(x=\[2 tensors\]\)"),
    "numbers for ids": (lambda m: m.get_layer("embedding")(gx.constant(SEQ[:, :, 0])), r"x\(n, 5\) takes int, and a constant.* is float"),
    "what stood within": (lambda m: m.get_layer("bidirectional").parts[0](gx.constant(SEQ)), r"was saved inside another layer"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_a_call_that_the_file_has_no_formula_for_is_refused(row: str, tmp_path: Path) -> None:
    _, model = pair(tmp_path)
    call, message = REFUSED[row]
    with pytest.raises(gx.DeclarationError, match=message):
        call(model)


def test_a_mask_where_there_was_none_is_refused_or_passes(tmp_path: Path) -> None:
    x = L.Input((T, 3))
    gx.Model(x, L.LSTM(2, name="lstm")(L.Dense(3, name="dense")(x))).save(tmp_path / "m")
    model = gx.load_model(tmp_path / "m")
    seq = L.Masking()(L.Input((T, 3)))
    assert L.mask.mask_of(model.get_layer("dense")(seq)) is L.mask.mask_of(seq)
    with pytest.raises(gx.DeclarationError, match=r"lstm\(sequences\) and no code, and is called as lstm\(sequences, mask\)"):
        model.get_layer("lstm")(seq)


def test_a_second_output_of_an_operation_is_replaced(tmp_path: Path) -> None:
    x = L.Input((T, 3))
    _, rows = gx.scan(lambda h, v: (h + v, 2 * h + v), gx.swapaxes(x, 0, 1), gx.broadcast_to(0.0, (x.shape[0], 3)))
    gx.Model(x, L.Dense(2, name="dense")(rows)).save(tmp_path / "m")
    y = gx.load_model(tmp_path / "m").get_layer("dense")(gx.tensor("z", (T, 6, 3)))
    assert [t.name for t in gx.leaves(y).values() if t.kind == "input"] == ["z"]


def row() -> gx.Sequential:
    model = gx.Sequential([L.Input((4,)), L.Dense(5, "tanh", kernel_regularizer="l2"), L.Dropout(0.2), L.Dense(3, kernel_regularizer="l1")])
    model.compile(optimizer="adam", loss="mse")
    return model


def test_a_sequential_stays_one(tmp_path: Path) -> None:
    a = row()
    a.fit(VEC, VEC[:, :3], verbose=0)
    a.save(tmp_path / "m")
    b = gx.load_model(tmp_path / "m")
    assert isinstance(b, gx.Sequential)
    assert a.fit(VEC, VEC[:, :3], verbose=0).history == b.fit(VEC, VEC[:, :3], verbose=0).history
    assert [layer.name for layer in b.layers] == [layer.name for layer in a.layers]
    head = [L.Dense(2, name="head") for _ in range(2)]
    for model, new in zip((a, b), head, strict=True):
        assert model.pop().name == "dense_1"
        model.add(new)
        model.compile(optimizer="adam", loss="mse")
    np.testing.assert_array_equal(a.predict(VEC), b.predict(VEC))
    assert [w.name for w in a.weights] == [w.name for w in b.weights]
    assert len(b.losses) == len(a.losses) == 1
    assert a.fit(VEC, VEC[:, :2], verbose=0).history == b.fit(VEC, VEC[:, :2], verbose=0).history


def test_a_model_that_others_call_too_is_saved_by_itself(tmp_path: Path) -> None:
    inner, x = row(), L.Input((4,), name="outer")
    gx.Model(x, L.Dense(1)(inner(2 * x)))
    inner.layers[0](L.Dense(4, name="stranger")(L.Input((9,), name="far")))
    inner.save(tmp_path / "m")
    again = gx.load_model(tmp_path / "m")
    np.testing.assert_array_equal(inner.predict(VEC), again.predict(VEC))
    assert b"stranger" not in (tmp_path / "m").read_bytes()
    assert [layer.name for layer in again.layers] == ["dense", "dropout", "dense_1"]
