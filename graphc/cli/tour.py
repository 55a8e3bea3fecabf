"""``graphc tour``: one network, from its declaration to a page that shows all that follows from it."""

from __future__ import annotations

import inspect
import platform
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

import graphc as gx
from graphc.cli import page
from graphc.cli.curve import learning_curve

__all__ = ["tour"]

PATIENCE, EPOCHS, BATCH = 25, 600, 32


def network() -> tuple[gx.Tensor, gx.Tensor, gx.Tensor, gx.Tensor]:
    """The network of the tour: 30 measurements, two hidden layers with dropout, one probability."""
    X, y = gx.tensor("X", ("n", 30)), gx.tensor("y", ("n", 1))
    W1, b1 = gx.parameter("W1", (30, 30), init="he_normal"), gx.parameter("b1", (30,), init=0)
    W2, b2 = gx.parameter("W2", (30, 15), init="he_normal"), gx.parameter("b2", (15,), init=0)
    W3, b3 = gx.parameter("W3", (15, 1)), gx.parameter("b3", (1,), init=0)

    h1 = gx.relu(X @ W1 + b1).named("h1")
    h2 = gx.relu(gx.nn.dropout(h1, 0.5) @ W2 + b2).named("h2")
    p = gx.sigmoid(gx.nn.dropout(h2, 0.5) @ W3 + b3).named("p")
    L = gx.mean(-(y * gx.log(p) + (1 - y) * gx.log(1 - p))).named("L")
    return X, y, p, L


@dataclass(frozen=True)
class Data:
    """Standardised measurements and labels (1: benign), split by the seed."""

    x: Any
    y: Any
    x_test: Any
    y_test: Any


def tour(out: Path, seed: int = 0) -> Path:
    """Run the tour, print what happens, and leave one page in ``out``.

    Raises:
        GraphcError: where scikit-learn, which holds the data, is not installed.
    """
    started = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    data = breast_cancer(seed)
    X, _, p, L = network()
    _say(f"declared    30-30-15-1, {sum(t.value.size for t in gx.leaves(L).values() if t.kind == 'parameter')} parameters")
    forward, backward = _timed("drawn       forward and backward", lambda: (gx.draw(L), gx.draw(L, backward=True)))
    derivation = _timed("derived     the gradient of W2", lambda: gx.derive(L, "W2"))
    _say(f"            {derivation.text}")
    for quantity in derivation.where:
        _say(f"            where {quantity.text}")
    verified = derivation.verify()
    _say(f"            {verified}")
    model = gx.Model(X, p)
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    stopping = gx.callbacks.EarlyStopping(patience=PATIENCE)
    options: dict[str, Any] = {"batch_size": BATCH, "validation_split": 0.2, "callbacks": [stopping], "seed": seed, "verbose": 0}
    _timed("compiled    the training step, first epoch", lambda: model.fit(data.x, data.y, epochs=1, **options))
    history = _timed("trained     with dropout and early stopping", lambda: model.fit(data.x, data.y, epochs=EPOCHS, **options))
    loss, accuracy = model.evaluate(data.x_test, data.y_test, verbose=0)
    kept = int(np.argmin(history.history["val_loss"])) + 1
    _say(f"            validation loss {min(history.history['val_loss']):.4f} (epoch {kept}), test loss {loss:.4f}, test accuracy {accuracy:.3f}")
    step = gx.compile([L, *gx.optimizers.Adam(1e-3).updates(L, [t for t in gx.leaves(L).values() if t.kind == "parameter"])])
    sections = [
        _declared(),
        page.section("The graph", page.figure(forward.svg, "Forward: from the measurements to the loss. Dropout acts in training alone.", wide=True)),
        page.section(
            "Backpropagation", page.figure(backward.svg, "Each gradient, with the values of the forward pass that it reads (dotted).", wide=True)
        ),
        _derived(derivation, verified),
        _trained(history.history, kept, loss, accuracy, model.predict(data.x_test), data.y_test),
        _compiled(step),
        _repeat(seed, time.perf_counter() - started),
    ]
    target = out / "tour.html"
    lead = "A neural network declared once, as formulas. Its pictures, its exact gradients and its compiled training all come from that declaration."
    target.write_text(page.page("A tour of graphc", lead, sections), encoding="utf-8")
    _say(f"the page    {target}   ({time.perf_counter() - started:.1f} s in all)")
    return target


def breast_cancer(seed: int) -> Data:
    """The Wisconsin breast-cancer data: 569 tumours, 30 measurements each, a quarter held out for the test.

    Raises:
        GraphcError: where scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_breast_cancer
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise gx.GraphcError("the tour takes its data from scikit-learn, which is not installed: pip install 'graphc[tour]'") from None
    features, labels = load_breast_cancer(return_X_y=True)
    parts: list[Any] = train_test_split(features, labels, test_size=0.25, random_state=seed, stratify=labels)
    x, x_test, y, y_test = parts
    mean, deviation = x.mean(0), x.std(0)
    return Data((x - mean) / deviation, y.reshape(-1, 1), (x_test - mean) / deviation, y_test.reshape(-1, 1))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _timed(what: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = work()
    _say(f"{what}, {time.perf_counter() - start:.2f} s")
    return result


def _declared() -> str:
    lines = inspect.getsource(network).split('"""')[2].rstrip().rsplit("\n", 1)[0]
    return page.section(
        "The declaration",
        page.paragraph("The network of this page, as it is written in Python. Nothing else about it is written anywhere."),
        page.code(textwrap.dedent(lines.strip("\n"))),
        page.paragraph("The data are the Wisconsin breast-cancer measurements: 569 tumours with 30 measurements each, benign (1) or malignant (0)."),
    )


def _derived(derivation: Any, verified: Any) -> str:
    rows = [(page.formula(s.latex, s.text), escape(s.reason), escape(_shape(s.shape))) for s in derivation.steps]
    where = [(page.formula(q.latex, q.text), escape(_shape(q.shape))) for q in derivation.where]
    return page.section(
        "One gradient, derived",
        page.paragraph("The gradient of the second layer's weights, step by step. Every line is true by itself."),
        page.table(("step", "why", "shape"), rows),
        page.paragraph("The result:"),
        f'<p class="result">{page.formula(derivation.latex, derivation.text, 20)}</p>',
        page.table(("where", "shape"), where) if where else "",
        page.paragraph(str(verified), "check"),
        page.details("The same as NumPy code", page.code(derivation.numpy())),
    )


def _shape(shape: tuple[Any, ...]) -> str:
    return " × ".join(map(str, shape)) or "scalar"


def _trained(history: dict[str, list[float]], kept: int, loss: float, accuracy: float, predicted: Any, truth: Any) -> str:
    curve = learning_curve({"training loss (with dropout)": history["loss"], "validation loss": history["val_loss"]}, kept)
    guessed, labels = np.asarray(predicted).reshape(-1) > 0.5, np.asarray(truth).reshape(-1) > 0.5
    counts = [[int(np.sum((labels == t) & (guessed == g))) for g in (False, True)] for t in (False, True)]
    rows = [(f"truly {name}", str(row[0]), str(row[1])) for name, row in zip(("malignant", "benign"), counts, strict=True)]
    return page.section(
        "Training",
        page.paragraph(f"Adam, batches of {BATCH}, dropout of one half, stopped when the validation loss had not improved for {PATIENCE} epochs."),
        page.figure(curve, f"After {len(history['loss'])} epochs the weights of epoch {kept}, the best, were put back."),
        page.paragraph(f"On the {len(labels)} tumours of the test, which took no part in training: loss {loss:.4f}, accuracy {accuracy:.1%}."),
        page.table(("", "called malignant", "called benign"), rows, numbers=(1, 2)),
    )


def _compiled(step: Any) -> str:
    # How much of it came from the cache differs from run to run; the page does not.
    explained = str(step.explain(measure=False)).replace(f"; {step.compiled}", "")
    return page.section(
        "What was compiled",
        page.paragraph("Forward pass, backward pass and Adam's update became the kernels below; whole epochs run inside compiled code."),
        page.code(explained),
        page.details("The generated source", page.code(step.source)),
    )


def _repeat(seed: int, seconds: float) -> str:
    versions = f"graphc {gx.__version__}, Python {platform.python_version()}, NumPy {np.__version__}"
    return page.section(
        "Do it again",
        page.code(f"graphc tour --seed {seed}"),
        page.paragraph(f"Made in {seconds:.1f} s with {versions}. The same seed gives the same numbers."),
    )
