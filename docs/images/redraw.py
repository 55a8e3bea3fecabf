"""The pictures of these pages, drawn anew: ``python docs/images/redraw.py``. A test compares them with what ``gx.draw`` gives now."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import graphc as gx

__all__ = ["SHOWN", "pictures"]

SHOWN = ("exclusive_or", "residual_block", "recurrent_rolled", "recurrent_unrolled", "attention_block", "adversarial")


def pictures() -> dict[str, gx.Picture]:
    """Each picture by the name of its file."""
    a, b = gx.scalars("a b")
    c, d = (a + b).named("c"), (b + 1).named("d")
    e = (c * d).named("e")
    own = {"two-paths.svg": gx.draw(e, backward=True, at={a: 2, b: 1}), "neuron.svg": gx.draw(_neuron()), "network.svg": _network()}
    gallery = run_path(str(Path(__file__).parents[2] / "examples" / "gallery.py"))["PICTURES"]
    return own | {f"{name}.svg": gallery[name]() for name in SHOWN}


def _neuron() -> gx.Tensor:
    X, y = gx.tensor("X", ("n", 2)), gx.tensor("y", ("n",))
    w, bias = gx.parameter("w", (2,), init=0.0), gx.parameter("b", (), init=0.0)
    p = gx.sigmoid(X @ w + bias).named("p")
    return gx.mean(-y * gx.log(p) - (1 - y) * gx.log(1 - p)).named("L")


def _network() -> gx.Picture:
    model = gx.Sequential([gx.layers.Dense(4, activation="tanh"), gx.layers.Dense(1, activation="sigmoid")])
    model.compile(optimizer=gx.optimizers.Adam(0.1), loss="binary_crossentropy")
    model.fit([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], batch_size=4, epochs=200, seed=0, verbose=0)
    return gx.draw(model, view="neuron")


if __name__ == "__main__":
    for name, picture in pictures().items():
        print(picture.save(Path(__file__).with_name(name)))
