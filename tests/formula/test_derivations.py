"""What the textbook prints comes out, however the network was written, and every formula is right by numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gx
from graphc.errors import DataError, DeclarationError, DerivationError
from graphc.formula.derivation import derive
from tests.formula import networks as nets

ROWS: list[tuple[str, Callable[[], Any], str, str, tuple[str, ...]]] = [
    ("columns, o", lambda: nets.columns("sigmoid"), "o", "∂J/∂o = o − y", ()),
    ("columns, W2", lambda: nets.columns("sigmoid"), "W2", "∂J/∂W₂ = (o − y) hᵀ", ("z", "h", "o")),
    ("columns, h", lambda: nets.columns("sigmoid"), "h", "∂J/∂h = W₂ᵀ (o − y)", ("o",)),
    ("columns, z", lambda: nets.columns("sigmoid"), "z", "∂J/∂z = (W₂ᵀ (o − y)) ⊙ h ⊙ (1 − h)", ("h", "o")),
    ("columns, W1", lambda: nets.columns("sigmoid"), "W1", "∂J/∂W₁ = δ xᵀ", ("δ", "z", "h", "o")),
    ("columns, tanh", lambda: nets.columns("tanh"), "z", "∂J/∂z = (W₂ᵀ (o − y)) ⊙ (1 − h ⊙ h)", ("h", "o")),
    ("columns, kink", lambda: nets.columns("max"), "z", "∂J/∂z = (W₂ᵀ (o − y)) ⊙ 𝟏[z > 0]", ("h", "o")),
    ("rows, W2", lambda: nets.rows("sigmoid"), "W2", "∂L/∂W₂ = hᵀ δ", ("δ", "z", "h", "o")),
    ("rows, b2", lambda: nets.rows("sigmoid"), "b2", "∂L/∂b₂ = 𝟏ᵀ δ", ("δ", "z", "h", "o")),
    ("rows, W1", lambda: nets.rows("sigmoid"), "W1", "∂L/∂W₁ = Xᵀ δ₁", ("δ₂", "δ₁", "z", "h", "o")),
    ("rows, b1", lambda: nets.rows("max"), "b1", "∂L/∂b₁ = 𝟏ᵀ δ₁", ("δ₂", "δ₁", "z", "h", "o")),
    ("rows, z", lambda: nets.rows("tanh"), "z", "∂L/∂z = (δ W₂ᵀ) ⊙ (1 − h ⊙ h)", ("δ", "h", "o")),
    ("neuron", nets.neuron, "w", "∂C/∂w = 2 (a − y) a (1 − a) a_prev", ("a",)),
    ("chain", nets.chain, "w1", "∂L/∂w₁ = (a₅ − y) w₄ w₃ w₂ a₁", ("a2", "a3", "a4", "a5")),
    ("least squares", lambda: nets.least_squares(False), "w", "∂L/∂w = 2 Xᵀ (X w − y)", ()),
    ("ridge", lambda: nets.least_squares(True), "w", "∂L/∂w = 2 Xᵀ (X w − y) + 2 λ w", ()),
    ("logistic", nets.logistic, "w", "∂L/∂w = (1/n) Xᵀ (p − y)", ("p",)),
    ("classes, z", nets.classes, "z", "∂L/∂z = (1/n) (diag(y 𝟏) p − y)", ("p",)),
    ("quadratic", nets.quadratic, "w", "∂q/∂w = (A + Aᵀ) w", ()),
    ("trace", nets.trace, "X", "∂t/∂X = Aᵀ", ()),
    ("products, b", nets.products, "b", "∂e/∂b = a + 2 b + 1", ()),
    ("products, a", nets.products, "a", "∂e/∂a = b + 1", ()),
    ("sine", nets.sine, "x1", "∂f/∂x₁ = x₂ + cos x₁", ()),
    ("penalty", nets.penalty, "w", "∂R/∂w = λ w", ()),
    ("mask", nets.masked, "h", "∂s/∂h = 1.25 v ⊙ r", ()),
]


@pytest.mark.parametrize(("build", "wrt", "text", "used"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_textbook_form_in_both_spellings(build: Callable[[], Any], wrt: str, text: str, used: tuple[str, ...]) -> None:
    texts: list[tuple[str, ...]] = []
    for y in build():
        d = derive(y, wrt)
        assert d.text == text
        assert {n.name for n in d.where} >= set(used[:1])
        report = d.verify()
        assert report.ok, str(report)
        texts.append((d.latex, d.index_latex, *(s.text for s in d.steps), *(n.text for n in d.where)))
    assert texts[0] == texts[1]


def test_where_names_everything_the_result_rests_on() -> None:
    d = derive(nets.rows("sigmoid")[0], "W1")
    assert [n.text for n in d.where] == [
        "δ₂ = ∂L/∂o = (1/n) (o − y)",
        "δ₁ = ∂L/∂z = (δ₂ W₂ᵀ) ⊙ h ⊙ (1 − h)",
        "z = X W₁ + b₁",
        "h = σ(z)",
        "o = h W₂ + b₂",
    ]
    assert [n.shape for n in d.where] == [("n", 2), ("n", 4), ("n", 4), ("n", 4), ("n", 2)]
    assert [n.name for n in d.where] == ["δ₂", "δ₁", "z", "h", "o"]


def test_steps_have_reasons_and_shapes() -> None:
    d = derive(nets.rows("max")[0], "b1")
    assert [s.text for s in d.steps] == [
        "z = X W₁ + b₁",
        "h = max(0, z)",
        "o = h W₂ + b₂",
        "L = (1/(2 n)) ‖o − y‖²",
        "δ₂ = ∂L/∂o = (1/n) (o − y)",
        "∂L/∂h = δ₂ W₂ᵀ",
        "δ₁ = ∂L/∂z = (δ₂ W₂ᵀ) ⊙ 𝟏[z > 0]",
        "∂L/∂b₁ = 𝟏ᵀ δ₁",
    ]
    assert d.steps[-1].shape == (4,)
    assert d.steps[-1].reason == "chain rule through z = X W₁ + b₁: b₁ is broadcast, so the contributions are summed over the axes that it lacks"
    assert "has derivative 0 at 0, by convention" in d.steps[-2].reason
    assert d.steps[4].shape == ("n", 2)


def test_targets_that_sum_to_one_are_remarked() -> None:
    reason = derive(nets.classes()[0], "z").steps[-1].reason
    assert reason.endswith("where each row of y sums to 1 this is (1/n) (p − y)")
    z, y, w = gx.tensor("z", ("k",)), gx.tensor("y", ("k",)), gx.tensor("w", ("k",))
    one = (-gx.sum(y * gx.log_softmax(z))).named("L")
    assert derive(one, z).steps[-1].reason.endswith("where the entries of y sum to 1 this is p − y")
    for loss in (gx.sum(w * z) * gx.sum(y) - gx.sum(z * w), nets.rows("max")[0]):
        assert not any("to 1 this is" in s.reason for s in derive(loss, [z, "b1"][loss.name == "L"]).steps)


DECIMALS = [
    (1 / 3, "∂L/∂x = (1/3) x"),
    (1 / (1 - 0.25), "∂L/∂x = (4/3) x"),
    (0.044715, "∂L/∂x = 0.044715 x"),
    (0.79788456080286, "∂L/∂x = 0.79788456080286 x"),
    (1.23e12, "∂L/∂x = 1230000000000 x"),
    (2.5e-9, "∂L/∂x = 2.5e-9 x"),
    (1e-7, "∂L/∂x = 1e-7 x"),
    (0.1, "∂L/∂x = 0.1 x"),
]


@pytest.mark.parametrize(("value", "text"), DECIMALS)
def test_decimals_are_short(value: float, text: str) -> None:
    x = gx.tensor("x", (3,))
    d = derive((gx.sum(x**2) * (value / 2)).named("L"), x)
    assert d.text == text
    assert d.verify().ok


WRITTEN_OUT: list[tuple[Callable[[Any], Any], str, str]] = [
    (lambda v: 1 / (1 + sympy.exp(-v)), "h = σ(x)", "∂L/∂x = h ⊙ (1 − h)"),
    (lambda v: 1 / (1 + sympy.exp(v)), "h = σ(−x)", "∂L/∂x = −h ⊙ (1 − h)"),
    (lambda v: sympy.exp(v) / (1 + sympy.exp(v)), "h = σ(x)", "∂L/∂x = h ⊙ (1 − h)"),
    (lambda v: 1 / (1 + sympy.exp(-2 * v - 1)), "h = σ(2 x + 1)", "∂L/∂x = 2 h ⊙ (1 − h)"),
]


@pytest.mark.parametrize(("body", "named", "text"), WRITTEN_OUT)
def test_sigmoids_written_out_fold(body: Callable[[Any], Any], named: str, text: str) -> None:
    x, i = gx.tensor("x", ("n",)), gx.indices("i")
    d = derive(gx.sum(gx.define("h", (i,), body(x[i]))).named("L"), x)
    assert ([n.text for n in d.where], d.text) == ([named], text)
    assert d.verify().ok


def test_reasons_name_the_rule() -> None:
    a, b = gx.scalars("a b")
    c, d = (a + b).named("c"), (b + 1).named("d")
    e = (c * d).named("e")
    assert [s.reason for s in derive(e, b).steps[3:5]] == ["chain rule through e = c d: product rule, the other factor stays"] * 2
    assert derive(e, b).steps[-1].reason.count("sum rule") == 2
    assert derive(e, b).steps[-1].reason.endswith("two paths meet here, and their contributions add")
    assert derive(nets.sine()[0], "x1").steps[-1].reason.endswith("sum rule and product rule")


def test_the_rounding_of_a_product_is_not_shown() -> None:
    x = gx.tensor("x", ("n",))
    d = derive(gx.mean(x * 0.1) * 0.2 * gx.constant(3.0), x)
    assert "00000" not in d.text
    assert d.verify().ok
    assert derive(0.1 * gx.sum(x**2) * 0.2, x).text == "∂L/∂x = 0.04 x"


def test_long_decimals_stay_decimals() -> None:
    x = gx.tensor("x", ("n",))
    gelu = 0.5 * x * (1 + gx.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)))
    d = derive(gx.sum(gelu).named("L"), x)
    assert "(0.10703222440890038 x ⊙ x + 0.7978845608028654)" in d.text
    assert d.verify().ok


def test_numpy_source_runs_alone() -> None:
    d = derive(nets.rows("sigmoid")[0], "W1")
    namespace: dict[str, Any] = {}
    exec(d.numpy(), namespace)
    rng = np.random.default_rng(0)
    given = {n: rng.normal(size=s) for n, s in {"X": (5, 3), "y": (5, 2), "W1": (3, 4), "b1": (4,), "W2": (4, 2), "b2": (2,)}.items()}
    result = namespace["gradient"](**given)
    h = 1 / (1 + np.exp(-(given["X"] @ given["W1"] + given["b1"])))
    delta = 2 * (h @ given["W2"] + given["b2"] - given["y"]) / 10
    np.testing.assert_allclose(result, given["X"].T @ ((delta @ given["W2"].T) * h * (1 - h)), rtol=1e-12)
    assert d.operations == 12


def test_softmax_does_not_overflow_in_the_source() -> None:
    d = derive(nets.classes()[0], "z")
    namespace: dict[str, Any] = {}
    exec(d.numpy(), namespace)
    X = np.array([[1000.0, 0.0, 0.0, 0.0]])
    result = namespace["gradient"](X=X, W=np.eye(4, 3), y=np.array([[0.0, 1.0, 0.0]]))
    np.testing.assert_allclose(result, [[1.0, -1.0, 0.0]])


def test_jacobians_and_products() -> None:
    A, x = gx.tensor("A", ("m", "d")), gx.tensor("x", ("d",))
    y = (A @ x).named("y")
    assert derive(y, x).text == "∂y/∂x = Aᵀ"
    assert derive(y, x, layout="numerator").text == "∂y/∂x = A"
    assert derive(gx.sigmoid(x).named("s"), x).text == "∂s/∂x = diag(s ⊙ (1 − s))"
    d = derive(y, [x, A], cotangent="ybar")
    assert [one.text for one in d] == ["∂⟨ybar, y⟩/∂x = Aᵀ ybar", "∂⟨ybar, y⟩/∂A = ybar xᵀ"]
    for one in (*d, derive(y, x), derive(y, x, layout="numerator"), derive(gx.softmax(x).named("p"), x), derive(y, A)):
        assert one.verify().ok


def test_zero_everywhere_is_said_in_words() -> None:
    x, w = gx.tensor("x", (3,)), gx.tensor("w", (3,))
    d = derive((gx.sum(gx.sign(w)) + gx.sum(x)).named("L"), w)
    assert d.text == "∂L/∂w = 0 (zero everywhere, because L is piecewise constant in w)"
    assert d.verify().ok
    assert "zero everywhere" in d.latex


def test_refusals() -> None:
    a, b = gx.scalars("a b")
    with pytest.raises(DerivationError, match="does not depend on b"):
        derive(a * a, b)
    with pytest.raises(DeclarationError, match="no tensor called 'c': there are a, b"):
        derive(a * b, "c")
    with pytest.raises(DeclarationError, match="'denominator' or 'numerator'"):
        derive(a * b, a, layout="mixed")
    with pytest.raises(DeclarationError, match="cotangent"):
        derive(a * b, a, cotangent="")
    n = gx.tensor("n", (), dtype="int")
    with pytest.raises(DerivationError, match="int"):
        derive(a * n, n)


def test_names_stay_and_hostile_ones_are_escaped() -> None:
    names = ["W^{(1)}", "dense/kernel", "running_mean", "α", "x 1%", "lambda", "W_{ij}\\end", "class", "np"]
    for name in names:
        w = gx.tensor(name, (3,))
        d = derive(gx.sum(w**2).named("L"), w)
        assert name in d.text or (name == "lambda" and "λ" in d.text)
        assert d.verify().ok
    assert derive(gx.sum(gx.tensor("W^{(1)}", (3,)) ** 2), "W^{(1)}").latex.endswith("2 \\, W^{(1)}")


def test_user_name_delta_is_not_taken() -> None:
    one = nets.rows("sigmoid")[0]
    delta = gx.scalar("δ")
    d = derive((one * delta).named("M"), "W1")
    assert "∂M/∂z" in d.text
    assert d.verify().ok


def test_rendering(tmp_path: Any) -> None:
    ziamath = pytest.importorskip("ziamath")
    for _, build, wrt, _, _ in ROWS:
        d = derive(build()[0], wrt)
        for line in (d.latex, d.index_latex, *(s.latex for s in d.steps), *(n.latex for n in d.where)):
            assert "<svg" in ziamath.Latex(line).svg()
    d = derive(nets.rows("sigmoid")[0], "W1")
    for ending in ("html", "md", "tex"):
        d.save(tmp_path / f"d.{ending}")
        written = (tmp_path / f"d.{ending}").read_text(encoding="utf-8")
        assert "chain rule through" in written
    assert "<math" in (tmp_path / "d.html").read_text(encoding="utf-8")
    assert "<math" in d._repr_html_()
    with pytest.raises(DeclarationError, match=r"\.html, \.md, \.tex"):
        d.save(tmp_path / "d.pdf")


def test_abstract_functions_keep_their_names() -> None:
    x, y = gx.tensor("x", ("d",)), gx.tensor("y", ("q",))
    W1, W2 = gx.tensor("W1", ("m", "d")), gx.tensor("W2", ("q", "m"))
    phi = gx.function("phi")
    o = (W2 @ phi((W1 @ x).named("z")).named("h")).named("o")
    J = (0.5 * gx.sum((o - y) ** 2)).named("J")
    assert derive(J, "z").text == "∂J/∂z = (W₂ᵀ (o − y)) ⊙ φ′(z)"
    assert derive(J, "z").latex.endswith(r"\odot \phi'\left(z\right)")
    a, b = gx.scalars("a b")
    g, h = gx.function("g"), gx.function("h")
    assert derive(g(h(a).named("u")).named("y"), a).text == "∂y/∂a = g′(u) h′(a)"
    d = derive(g(a, a * b).named("y"), a)
    assert d.text == "∂y/∂a = b ∂₂g(a, a b) + ∂₁g(a, a b)"
    with pytest.raises(DerivationError, match="the function g has no value: it is abstract"):
        d.numpy()


FLAT, KERNEL = gx.tensor("X", ("n", 2, 3)), gx.tensor("W", (6, 4))
RESHAPES = [
    (gx.sum(gx.reshape(FLAT, (-1, 6)) @ KERNEL), "∂L/∂Xᵢⱼₖ = Σₗ W[k + 3 j, l]"),
    (gx.sum(gx.reshape(FLAT, (-1,)) ** 2), "∂L/∂X = 2 X"),
    (gx.sum(gx.sin(gx.reshape(FLAT, ("n", 3, 2)))), "∂L/∂X = cos X"),
    (gx.sum(gx.max(gx.reshape(FLAT, (-1, 3, 2)), axis=2) ** 2), ""),
    (gx.sum(gx.reshape(gx.reshape(FLAT, (-1, 6)), ("n", 3, 2, 1))[:, 1:] ** 2), ""),
]


@pytest.mark.parametrize(("loss", "text"), RESHAPES, ids=[str(k) for k in range(len(RESHAPES))])
def test_reshapes(loss: Any, text: str) -> None:
    d = derive(loss.named("L"), FLAT)
    assert not text or d.text == text
    report = d.verify()
    assert report.ok, str(report)


def test_constant_and_symmetric_results() -> None:
    A, B, x = gx.tensor("A", ("m", "d")), gx.tensor("B", ("d", "d")), gx.tensor("x", ("d",))
    S = gx.tensor("S", ("d", "d"), symmetric=True)
    rows = [
        (gx.sum(A @ x), A, "∂L/∂A = 𝟏 xᵀ"),
        (gx.mean(x), x, "∂L/∂x = (1/d) 𝟏"),
        (gx.sum(3 * A), A, "∂L/∂A = 3 𝟏 𝟏ᵀ"),
        (gx.trace(B @ S), S, "∂L/∂S = ½ (B + Bᵀ)"),
        (x @ S @ x, x, "∂L/∂x = 2 S x"),
    ]
    for y, wrt, text in rows:
        d = derive(y.named("L"), wrt)
        assert d.text == text
        assert d.verify().ok


def test_a_cotangent_has_a_name_of_its_own() -> None:
    x, W = gx.tensor("x", ("m", "n")), gx.tensor("W", ("n", "k"))
    with pytest.raises(DeclarationError, match=r"cotangent='x': .* has a tensor of that name already"):
        derive(x @ W, W, cotangent="x")
    assert derive(x @ W, W, cotangent="V").text == "∂⟨V, Y⟩/∂W = xᵀ V"


@pytest.mark.parametrize("ending", ["html", "md", "tex"])
def test_a_folder_that_is_not_there_is_named(ending: str, tmp_path: Path) -> None:
    d = derive(gx.sum(gx.tensor("x", (3,)) ** 2), "x")
    target = tmp_path / "nodir" / "deep" / f"o.{ending}"
    with pytest.raises(DataError, match=r"nodir does not exist; make it first"):
        d.save(target)
    (tmp_path / f"taken.{ending}").mkdir()
    with pytest.raises(DataError, match=r"taken.* cannot be written"):
        d.save(tmp_path / f"taken.{ending}")
    d.save(str(tmp_path / f"o.{ending}"))
    assert (tmp_path / f"o.{ending}").stat().st_size > 100


STEPPED: list[tuple[str, Callable[[Any], Any]]] = [
    ("a winner", lambda x: gx.sum(gx.argmax(x, axis=1) * 1.0)),
    ("a loser", lambda x: gx.sum(gx.argmin(x, axis=0) * 2.0)),
    ("a named winner", lambda x: gx.sum(gx.argmax(x, axis=1).named("k") * 1.0)),
    ("a named condition", lambda x: gx.sum(gx.where((x > 0).named("c"), 1.0, 2.0))),
    ("a sign", lambda x: gx.sum(gx.sign(x))),
]


@pytest.mark.parametrize(("name", "build"), STEPPED, ids=[name for name, _ in STEPPED])
def test_what_moves_in_steps_has_a_gradient_of_zero_and_says_so(name: str, build: Callable[[Any], Any]) -> None:
    x = gx.tensor("x", ("m", "n"))
    d = derive(build(x).named("L"), x)
    assert d.zero, name
    assert d.text == "∂L/∂x = 0 (zero everywhere, because L is piecewise constant in x)"
    assert d.steps[-1].text == d.text and "piecewise constant" in d.steps[-1].reason
    mixed = derive((build(x) + gx.sum(x**2)).named("L"), x)
    assert mixed.text == "∂L/∂x = 2 x"


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x07b", "a\u2028b", "\x1b[31m", "\r\n"])
def test_a_name_of_any_characters_stays_in_one_line(name: str) -> None:
    d = derive(gx.sum(gx.tensor(name, (3,)) ** 2), name)
    for line in (d.text, d.latex, d.index_latex, *(s.text + s.latex for s in d.steps)):
        assert line.isprintable()
    assert d.verify().ok
