"""The pictures of these pages, drawn anew: ``python docs/images/redraw.py``. A test compares them with what ``gx.draw`` gives now."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import Any

import graphc as gx
from graphc.bench import bars, growth, markdown, read

__all__ = ["SHOWN", "pictures", "with_figures"]

_HERE = Path(__file__).parent
SHOWN = ("exclusive_or", "residual_block", "recurrent_rolled", "recurrent_unrolled", "attention_block", "adversarial")


class Drawing:
    """Figures of ``graphc bench``, drawn."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def save(self, path: Path) -> Path:
        """Leave it in a file."""
        path.write_text(self.svg, encoding="utf-8")
        return path


def with_figures(page: str) -> str:
    """A page with the table of the figures between its marks."""
    before, begin, rest = page.partition("<!-- figures -->\n")
    _, end, after = rest.partition("<!-- end of figures -->")
    return f"{before}{begin}\n{markdown(read(_HERE / 'benchmarks.json'))}\n{end}{after}"


def pictures() -> dict[str, Any]:
    """Each picture by the name of its file."""
    a, b = gx.scalars("a b")
    c, d = (a + b).named("c"), (b + 1).named("d")
    e = (c * d).named("e")
    own: dict[str, Any] = {"two-paths.svg": gx.draw(e, backward=True, at={a: 2, b: 1}), "neuron.svg": gx.draw(_neuron()), "network.svg": _network()}
    gallery = run_path(str(Path(__file__).parents[2] / "examples" / "gallery.py"))["PICTURES"]
    own |= {"benchmarks.svg": Drawing(bars(read(_HERE / "benchmarks.json"))), "sizes.svg": Drawing(growth(read(_HERE / "sizes.json")))}
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
    page = _HERE.parent / "benchmarks.md"
    page.write_text(with_figures(page.read_text(encoding="utf-8")), encoding="utf-8")
