"""Formulas typed as text: what they mean, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx

SHAPES = {"X": ("m", "n"), "A": ("n", "n"), "w": ("n",), "y": ("m",), "a": (), "lambda": ()}
RNG = np.random.default_rng(3)
VALUES = {
    "X": RNG.normal(size=(4, 3)), "A": RNG.normal(size=(3, 3)), "w": RNG.normal(size=3), "y": RNG.normal(size=4),
    "a": np.array(0.7), "lambda": np.array(0.3),
}  # fmt: skip
X, A, w, y, a, lam = VALUES.values()

MEANINGS = [
    ("sum((X*w - y)^2)", ((X @ w - y) ** 2).sum()),
    ("w'*A*w", w @ A @ w),
    ("w*w'", np.outer(w, w)),
    ("w'*w", w @ w),
    ("X'*y", X.T @ y),
    ("y'*X", y @ X),
    ("tr(A*A')", np.trace(A @ A.T)),
    ("norm2(X*w - y)^2 + lambda*norm2(w)^2", ((X @ w - y) ** 2).sum() + lam * w @ w),
    ("-2^2", -4),
    ("2^-1", 0.5),
    ("2^3^2", 512),
    ("a - -a", 2 * a),
    ("1 - 2 - 3", -4),
    ("8/4/2", 1),
    ("sigmoid(X*w) .* y ./ (1 + exp(-y))", 1 / (1 + np.exp(-X @ w)) * y / (1 + np.exp(-y))),
    ("1/a + a^a", 1 / a + a**a),
    ("A''", A),
    ("diag(w)*diag(A)", w * np.diag(A)),
    ("norm1(w) + .5e1", np.abs(w).sum() + 5),
    (" sum ( log( 1+exp( -y.*(X*w) ) ) ) ", np.log1p(np.exp(-y * (X @ w))).sum()),
    ("w .^ 2", w**2),
    ("w'*inv(A)*w", w @ np.linalg.inv(A) @ w),
    ("A^-1*w", np.linalg.inv(A) @ w),
    ("(A*A')^(-1)", np.linalg.inv(A @ A.T)),
    ("inv(A)'*w", np.linalg.inv(A).T @ w),
    ("det(A)", np.linalg.det(A)),
    ("logdet(A'*A)", 2 * np.log(abs(np.linalg.det(A)))),
    ("log(det(A'*A))", 2 * np.log(abs(np.linalg.det(A)))),
    ("tr(inv(A'))", np.trace(np.linalg.inv(A))),
]


@pytest.mark.parametrize(("text", "value"), MEANINGS, ids=[row[0] for row in MEANINGS])
def test_meaning(text: str, value: np.ndarray) -> None:
    formula = gx.parse(text, SHAPES)
    feeds = {leaf: VALUES[name] for name, leaf in gx.leaves(formula).items()}
    np.testing.assert_allclose(gx.evaluate(formula, feeds), value, rtol=1e-12)
    variables = list(feeds)
    assert not variables or gx.check_gradients(formula, variables, at={t: np.abs(v) for t, v in feeds.items()}).ok


REFUSED = [
    ("", r"a number, a name or \( is missing"),
    ("w +", "the end"),
    ("(w", r"\) is missing"),
    ("w w", "an operator such as"),
    ("v", "v has no shape"),
    ("foo(w)", "the function foo is unknown"),
    ("w*w", "write x'\\*y"),
    ("w + w'", "transpose one of them"),
    ("w / w", "entry by entry"),
    ("tr(w)", "takes a matrix"),
    ("inv(w)", "takes a matrix"),
    ("A^-2", "entry by entry"),
    ("A^a", "entry by entry"),
    ("logdet(X)", "square"),
    ("diag(a)", "a vector or a matrix"),
    ("__import__('os')", "unknown"),
    ("w; w", "no part of a formula"),
    ("w[0]", "no part of a formula"),
    ("(" * 500 + "a" + ")" * 500, "nested more than 100 deep"),
    ("X*y", "axis 0 of y"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[row[0][:20] for row in REFUSED])
def test_what_is_refused(text: str, message: str) -> None:
    shapes = SHAPES if text not in ("X*y", "logdet(X)") else {"X": (4, 3), "y": (4,)}
    with pytest.raises(gx.GraphcError, match=message):
        gx.parse(text, shapes)


def test_a_text_alone_is_read() -> None:
    with pytest.raises(gx.DeclarationError, match="reads a text"):
        gx.parse(3, {})  # type: ignore[arg-type]
    with pytest.raises(gx.ShapeError, match="3 axes"):
        gx.parse("T", {"T": (1, 2, 3)})
