"""Layers in pictures: what belongs to a call of a layer stands in its frame, and nothing else does."""

from __future__ import annotations

from typing import Any

import graphc as gx
from graphc.view.op_view import scopes_of
from graphc.view.reading import read
from tests.lessons import test_vae
from tests.view.test_language import titles

L = gx.layers


def scopes(target: Any) -> dict[str, set[str]]:
    """The operations in each frame."""
    reading = read([target])
    found: dict[str, set[str]] = {}
    for tensor, scope in scopes_of(reading).items():
        if reading.items[tensor].kind == "value":
            found.setdefault("/".join(scope), set()).add(reading.items[tensor].operator.plain)
    return found


def test_steps_between_layers_stand_outside_their_frames() -> None:
    found = scopes(test_vae.lesson().losses[0])
    assert found["logvar"] == found["mean"] == found["out"] == {"@", "+"}
    assert found["decode"] == found["hidden"] == {"@", "+", "tanh"}
    assert {"0.5 ⊙", "exp", "⊙"} <= found[""]


def test_a_model_that_is_called_twice_has_no_box_beside_its_layers() -> None:
    x, y = gx.tensor("x", ("n", 4)), gx.tensor("y", ("n", 4))
    judge = gx.Sequential([L.Dense(5, activation="relu"), L.Flatten(), L.Dropout(0.5), L.Dense(1)], name="judge")
    loss = (gx.mean(judge(x)) - gx.mean(judge(y))).named("L")
    assert "operation judge" not in titles(gx.draw(loss))
    layers = titles(gx.draw(loss, view="layer"))
    assert {
        "judge/dense: Dense, @ → + → ReLU (2 times), n × 5, 25 parameters",
        "judge/flatten: Flatten, reshape (2 times), n × 5",
        "judge/dropout: Dropout, dropout (2 times), n × 5",
        "judge/dense_1: Dense, @ → + (2 times), n × 1, 6 parameters",
    } <= set(layers)
    assert not any(t.startswith("judge:") for t in layers)


def test_the_result_of_a_model_bears_its_name() -> None:
    model = gx.Sequential([L.Dense(2)], name="tower")
    assert any(t.startswith("tensor tower, shape") for t in titles(gx.draw(model(gx.tensor("x", ("n", 3))))))


def test_a_name_within_a_layer_stays_in_its_frame() -> None:
    class Squared(L.Layer):
        def build(self, input_shape: Any) -> None:
            self.gain = self.add_weight(shape=(input_shape[-1],), name="gain")

        def call(self, x: Any) -> Any:
            return ((x * self.gain) ** 2).named("h")

    y = Squared(name="squared")(gx.tensor("x", ("n", 3)))
    reading = read([gx.sum(y)])
    (h,) = [t for t, item in reading.items.items() if item.name == "h"]
    assert scopes_of(reading)[h] == ("squared",)
    assert not any(item.operator.plain == "squared" for item in reading.items.values())
