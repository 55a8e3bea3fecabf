"""The networks of the course, each written by operators and by index notation with other letters."""

from __future__ import annotations

from typing import Any

import sympy

import graphc as gx
from graphc.expr.scalar import Sigmoid

Pair = tuple[gx.define, gx.define]

FUNCTIONS = {"sigmoid": (gx.sigmoid, Sigmoid), "tanh": (gx.tanh, sympy.tanh), "max": (gx.relu, lambda v: sympy.Max(v, 0))}


def columns(function: str) -> Any:
    """z = W1 x, h = f(z), o = W2 h, J = ½ Σ (o − y)², by operators and by index notation."""
    x, y = gx.tensor("x", ("d",)), gx.tensor("y", ("q",))
    W1, W2 = gx.tensor("W1", ("m", "d")), gx.tensor("W2", ("q", "m"))
    f, scalar = FUNCTIONS[function]
    h = f((W1 @ x).named("z")).named("h")
    o = (W2 @ h).named("o")
    one = (0.5 * gx.sum((o - y) ** 2)).named("J")
    r, s = gx.indices("r s")
    z = gx.define("z", (s,), gx.Sum(W1[s, r] * x[r], r))
    h = gx.define("h", (r,), scalar(z[r]))
    o = gx.define("o", (s,), gx.Sum(h[r] * W2[s, r], r))
    two = gx.define("J", (), gx.Sum((o[r] - y[r]) ** 2, r) / 2)
    return one, two


def rows(function: str) -> Any:
    """Z = X W1 + b1, h = f(Z), o = h W2 + b2, L the mean of squares, a batch of rows."""
    X, y = gx.tensor("X", ("n", 3)), gx.tensor("y", ("n", 2))
    W1, b1, W2, b2 = gx.tensor("W1", (3, 4)), gx.tensor("b1", (4,)), gx.tensor("W2", (4, 2)), gx.tensor("b2", (2,))
    f, scalar = FUNCTIONS[function]
    h = f((X @ W1 + b1).named("z")).named("h")
    o = (h @ W2 + b2).named("o")
    one = gx.mean((o - y) ** 2).named("L")
    u, v, w = gx.indices("u v w")
    z = gx.define("z", (u, v), gx.Sum(X[u, w] * W1[w, v], w) + b1[v])
    h = gx.define("h", (v, w), scalar(z[v, w]))
    o = gx.define("o", (u, w), b2[w] + gx.Sum(W2[v, w] * h[u, v], v))
    two = gx.define("L", (), gx.Sum((o[w, u] - y[w, u]) ** 2, w, u) / (2 * X.shape[0]))
    return one, two


def neuron() -> Any:
    """a = σ(w a_prev + b), C = (a − y)²."""
    w, previous, b, y = (gx.scalar(n) for n in ("w", "a_prev", "b", "y"))
    one = ((gx.sigmoid(w * previous + b).named("a") - y) ** 2).named("C")
    a = gx.define("a", (), Sigmoid(b[()] + w[()] * previous[()]))
    return one, gx.define("C", (), (a[()] - y[()]) ** 2)


def chain() -> Any:
    """a2 = w1 a1, ..., a5 = w4 a4, L = ½ (a5 − y)²."""
    a1, w1, w2, w3, w4, y = gx.scalars("a1 w1 w2 w3 w4 y")
    a, b = a1, a1
    for k, w in enumerate((w1, w2, w3, w4), start=2):
        a, b = (w * a).named(f"a{k}"), gx.define(f"a{k}", (), w[()] * b[()])
    return ((a - y) ** 2 / 2).named("L"), gx.define("L", (), (b[()] - y[()]) ** 2 / 2)


def least_squares(penalty: bool) -> Any:
    """‖X w − y‖², with λ ‖w‖²."""
    X, w, y, rate = gx.tensor("X", ("n", "d")), gx.tensor("w", ("d",)), gx.tensor("y", ("n",)), gx.scalar("lambda")
    one = gx.sum((X @ w - y) ** 2)
    a, c = gx.indices("a c")
    two: Any = gx.Sum((gx.Sum(X[a, c] * w[c], c) - y[a]) ** 2, a)
    if penalty:
        one, two = one + rate * gx.sum(w * w), two + gx.Sum(w[c] ** 2, c) * rate[()]
    return one.named("L"), gx.define("L", (), two)


def logistic() -> Any:
    """Mean binary cross-entropy of p = σ(X w)."""
    X, w, y = gx.tensor("X", ("n", "d")), gx.tensor("w", ("d",)), gx.tensor("y", ("n",))
    p = gx.sigmoid(X @ w).named("p")
    one = (-gx.mean(y * gx.log(p) + (1 - y) * gx.log(1 - p))).named("L")
    a, c = gx.indices("a c")
    p = gx.define("p", (a,), Sigmoid(gx.Sum(X[a, c] * w[c], c)))
    terms = y[c] * sympy.log(p[c]) + (1 - y[c]) * sympy.log(1 - p[c])
    return one, gx.define("L", (), -gx.Sum(terms, c) / X.shape[0])


def classes() -> Any:
    """Mean categorical cross-entropy of p = softmax(z), z = X W."""
    X, W, y = gx.tensor("X", ("n", 4)), gx.tensor("W", (4, 3)), gx.tensor("y", ("n", 3))
    p = gx.softmax((X @ W).named("z")).named("p")
    one = (-gx.mean(gx.sum(y * gx.log(p), axis=1))).named("L")
    a, c, e = gx.indices("a c e")
    z = gx.define("z", (a, e), gx.Sum(W[c, e] * X[a, c], c))
    p = gx.define("p", (c, a), sympy.exp(z[c, a]) / gx.Sum(sympy.exp(z[c, e]), e))
    return one, gx.define("L", (), -gx.Sum(y[c, a] * sympy.log(p[c, a]), c, a) / X.shape[0])


def quadratic() -> Any:
    """wᵀ A w."""
    w, A = gx.tensor("w", ("d",)), gx.tensor("A", ("d", "d"))
    u, v = gx.indices("u v")
    return (w @ A @ w).named("q"), gx.define("q", (), gx.Sum(w[u] * gx.Sum(A[u, v] * w[v], v), u))


def trace() -> Any:
    """tr(A X)."""
    A, X = gx.tensor("A", ("k", "m")), gx.tensor("X", ("m", "k"))
    u, v = gx.indices("u v")
    return gx.trace(A @ X).named("t"), gx.define("t", (), gx.Sum(A[u, v] * X[v, u], u, v))


def products() -> Any:
    """e = (a + b)(b + 1)."""
    a, b = gx.scalars("a b")
    return ((a + b) * (b + 1)).named("e"), gx.define("e", (), (a[()] + b[()]) * (b[()] + 1))


def sine() -> Any:
    """f = x1 x2 + sin x1."""
    x1, x2 = gx.scalars("x1 x2")
    return (x1 * x2 + gx.sin(x1)).named("f"), gx.define("f", (), sympy.sin(x1[()]) + x1[()] * x2[()])


def penalty() -> Any:
    """λ/2 ‖w‖²."""
    w, rate = gx.tensor("w", ("d",)), gx.scalar("lambda")
    u = gx.indices("u")
    return (rate / 2 * gx.sum(w**2)).named("R"), gx.define("R", (), gx.Sum(w[u] ** 2, u) * rate[()] / 2)


def masked() -> Any:
    """h′ = h ⊙ r / 0.8 with a mask r, and a sum of squares after it."""
    X, W, v = gx.tensor("X", ("n", 3)), gx.tensor("W", (3, 4)), gx.tensor("v", ("n", 4))
    r = gx.random.bernoulli(("n", 4), 0.8).named("r")
    h = (X @ W).named("h")
    one = gx.sum(v * (h * r / 0.8)).named("s")
    a, c = gx.indices("a c")
    return one, gx.define("s", (), gx.Sum(v[a, c] * h[a, c] * r[a, c] / 0.8, a, c))
