"""Linear algebra in model files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphc as gx
from graphc.models.encoding import Decoder, Encoder


def made() -> gx.Model:
    x = gx.tensor("x", ("n", 2))
    w = gx.parameter("w", (2, 2), init=np.array([[2.0, 1.0], [0.5, 1.0]]))
    return gx.Model(x, x @ gx.linalg.inv(w) * gx.linalg.det(w) + gx.linalg.logdet(w))


def test_a_model_is_saved_and_trains_on(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(20, 2))
    model = made()
    model.compile(optimizer="adam", loss="mse")
    model.fit(x, 3 * x, epochs=2, verbose=0)
    model.save(tmp_path / "m.graphc")
    again = gx.load_model(tmp_path / "m.graphc")
    np.testing.assert_array_equal(model.predict(x), again.predict(x))
    first = model.fit(x, 3 * x, epochs=2, verbose=0, seed=1).history["loss"]
    assert again.fit(x, 3 * x, epochs=2, verbose=0, seed=1).history["loss"] == first


def test_a_singular_parameter_is_named_after_loading(tmp_path: Path) -> None:
    model = made()
    model.save(tmp_path / "m.graphc")
    again = gx.load_model(tmp_path / "m.graphc")
    again.set_weights([np.ones((2, 2))])
    with pytest.raises(gx.DataError, match="w is singular"):
        again.predict(np.ones((3, 2)))


def test_an_unknown_kind_is_refused() -> None:
    encoder = Encoder([gx.linalg.inv(gx.tensor("a", (2, 2)))])
    nodes = [dict(n) for n in encoder.nodes]
    nodes[-1]["kind"] = "eigenvalues"
    with pytest.raises(gx.FileFormatError, match="eigenvalues"):
        Decoder(nodes, encoder.arrays, encoder.layers)
