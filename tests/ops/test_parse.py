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
    ("1./(1 + exp(-w))", 1 / (1 + np.exp(-w))),
    ("2.^w .* 3.*w", 2**w * 3 * w),
    ("vector(1)'*w", w.sum()),
    ("vector(2*a)'*X*w", 2 * a * (X @ w).sum()),
    ("X*vector(1) + y", X.sum(axis=1) + y),
    ("sum(log(exp(-y.*(X*w)) + vector(1)))", np.log1p(np.exp(-y * (X @ w))).sum()),
    ("tr(matrix(1)*A)", A.sum()),
    ("X'*matrix(lambda)*X", lam * np.outer(X.sum(axis=0), X.sum(axis=0))),
    ("w*vector(1)'*w", w * w.sum()),
    ("matrix(1)*w + w", w.sum() + w),
    ("inv(A'*A + lambda*eye)*X'*y", np.linalg.solve(A.T @ A + lam * np.eye(3), X.T @ y)),
    ("w'*eye*w", w @ w),
    ("X*eye*eye*w", X @ w),
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
    ("vector(1)", r"size of this, at 'vector\(1\)' \(position 1\)"),
    ("w + matrix(1)*vector(1)", r"size of this, at 'matrix\(1\)\*ve' \(position 5\)"),
    ("vector(w)'*w", "takes the number that all its entries are"),
    ("w + w'*w + X", r"at '\+ X' \(position 10\)"),
    ("w ./ X", r"at './ X' \(position 3\)"),
    ("w / w", r"at '/ w' \(position 3\)"),
    ("w'*X", r"X\(4, 3\).*at '\*X' \(position 3\)"),
    ("w + y", r"w\(3,\) and y\(4,\).*at '\+ y' \(position 3\)"),
    ("w + one", r"one\(1,\).*at '\+ one' \(position 3\)"),
    ("tr(X)", r"at 'tr\(X\)' \(position 1\)"),
    ("diag(a)", "a vector or a matrix"),
    ("__import__('os')", "unknown"),
    ("w; w", "no part of a formula"),
    ("w[0]", "no part of a formula"),
    ("(" * 500 + "a" + ")" * 500, "nested more than 100 deep"),
    ("X*y", "axis 0 of y"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=[row[0][:20] for row in REFUSED])
def test_what_is_refused(text: str, message: str) -> None:
    shapes = SHAPES if any(t in text for t in ("A", "a")) else {"X": (4, 3), "y": (4,), "w": (3,), "one": (1,)}
    with pytest.raises(gx.GraphcError, match=message):
        gx.parse(text, shapes)


def test_a_text_alone_is_read() -> None:
    with pytest.raises(gx.DeclarationError, match="reads a text"):
        gx.parse(3, {})  # type: ignore[arg-type]
    with pytest.raises(gx.ShapeError, match="3 axes"):
        gx.parse("T", {"T": (1, 2, 3)})
    with pytest.raises(gx.DeclarationError, match="in a dict"):
        gx.parse("w", [("w", 3)])  # type: ignore[arg-type]


def test_fills_have_gradients_and_derivations() -> None:
    loss = gx.parse("vector(1)'*log(exp(X*w) + vector(1)) + w'*eye*w", SHAPES)
    assert gx.leaves(loss).keys() == {"X", "w"}
    assert gx.check_gradients(loss).ok
    assert gx.derive(loss, "w").verify().ok
    own = gx.parameter("w", (3,), init=1.0)
    assert gx.leaves(gx.parse("w'*vector(1)", {"w": own}))["w"] is own
