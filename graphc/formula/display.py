"""A formula as it is shown, and its two printers: one tree, LaTeX and one line of Unicode.

A :class:`Show` has a kind, parts and, for atoms, its two texts. How tightly each kind binds, and how it is written, stands
in the tables below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphc.formula.names import to_subscript

__all__ = [
    "Show", "add", "atom", "call", "fraction", "gradient_name", "hadamard", "latex", "negative", "power", "product", "scale", "text", "transpose",
]  # fmt: skip

ADD, TOTAL, HADAMARD, PRODUCT, POWER, ATOM = 1.0, 2.0, 3.0, 3.5, 4.0, 5.0
_BINDING = {
    "atom": ATOM, "add": ADD, "negative": ADD, "scale": HADAMARD, "hadamard": HADAMARD, "product": PRODUCT, "fraction": PRODUCT,
    "power": POWER, "elementpower": POWER, "transpose": POWER, "root": ATOM, "length": ATOM, "call": ATOM, "total": TOTAL, "norm": ATOM,
    "inverse": POWER,
    "bracket": ATOM, "cases": ATOM, "compare": ADD, "and": ADD, "or": ADD, "not": ATOM, "quotient": ATOM, "remainder": ADD,
    "tuple": ATOM, "between": ADD,
}  # fmt: skip
_RAISED = (r"\sin", r"\cos", r"\tan", r"\tanh", r"\sinh", r"\cosh")  # whose powers are written as in sin² x
_SUPERSCRIPTS = dict(zip("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻", strict=True))


@dataclass(frozen=True)
class Show:
    """A part of a shown formula; ``plain`` and ``tex`` are an atom's texts, or the name of what is called."""

    kind: str
    parts: tuple[Show, ...] = ()
    plain: str = ""
    tex: str = ""

    @property
    def binding(self) -> float:
        """How tightly it binds."""
        return _BINDING[self.kind]


def atom(plain: str, tex: str) -> Show:
    """A name or a number."""
    return Show("atom", (), plain, tex)


def add(parts: Sequence[Show]) -> Show:
    """A sum; negative parts are subtracted."""
    return parts[0] if len(parts) == 1 else Show("add", tuple(parts))


def negative(part: Show) -> Show:
    """Minus a part."""
    return part.parts[0] if part.kind == "negative" else Show("negative", (part,))


def product(parts: Sequence[Show]) -> Show:
    """Factors side by side: numbers, or matrices whose shapes chain."""
    flat: list[Show] = []
    for p in parts:
        flat.extend(p.parts if p.kind == "product" else (p,))
    return flat[0] if len(flat) == 1 else Show("product", tuple(flat))


def scale(parts: Sequence[Show], body: Show) -> Show:
    """Numbers times an array."""
    return Show("scale", (*parts, body)) if parts else body


def hadamard(parts: Sequence[Show]) -> Show:
    """A product entry by entry."""
    flat: list[Show] = []
    for p in parts:
        flat.extend(p.parts if p.kind == "hadamard" else (p,))
    return flat[0] if len(flat) == 1 else Show("hadamard", tuple(flat))


def fraction(above: Show, below: Show) -> Show:
    """A quotient."""
    return Show("fraction", (above, below))


def power(base: Show, exponent: Show, elements: bool = False) -> Show:
    """A power; of each entry where ``elements``."""
    return Show("elementpower" if elements else "power", (base, exponent))


def transpose(part: Show) -> Show:
    """The transpose; twice is nothing."""
    if part.kind == "transpose":
        return part.parts[0]
    if part.kind == "product":
        return product([transpose(p) for p in reversed(part.parts)])
    if part.kind == "call" and part.plain == "diag":
        return part
    return Show("transpose", (part,))


def call(plain: str, tex: str, parts: Sequence[Show]) -> Show:
    """A function of its arguments, entry by entry."""
    return Show("call", tuple(parts), plain, tex)


def _group(part: Show, least: float, show: Callable[[Show], str], left: str, right: str) -> str:
    inner = show(part)
    return inner if part.binding >= least else f"{left}{inner}{right}"


def text(show: Show) -> str:
    """The formula in one line of Unicode."""
    return _TEXT[show.kind](show)


def latex(show: Show) -> str:
    """The formula in LaTeX."""
    return _LATEX[show.kind](show)


def _t(part: Show, least: float) -> str:
    return _group(part, least, text, "(", ")")


def _l(part: Show, least: float) -> str:
    return _group(part, least, latex, r"\left(", r"\right)")


def _signed(show: Show, one: Callable[[Show, float], str], minus: str) -> str:
    line = ""
    for k, part in enumerate(show.parts):
        if part.kind == "negative":
            inner = one(part.parts[0], TOTAL)
            line += f"{minus}{inner}" if not k else f" {minus} {inner}"
        else:
            line += one(part, TOTAL if k else ADD) if not k else f" + {one(part, TOTAL)}"
    return line


def _row(show: Show, one: Callable[[Show, float], str], least: float, last: float) -> list[str]:
    *front, end = show.parts
    return [*(one(p, least) for p in front), one(end, last)]


def _product_text(show: Show) -> str:
    return " ".join(_row(show, _t, POWER, POWER))


def _product_latex(show: Show) -> str:
    pieces = _row(show, _l, POWER, POWER)
    line = pieces[0]
    for k, piece in enumerate(pieces[1:], start=1):
        line += (r" \cdot " if piece[:1].isdigit() and show.parts[k - 1].plain[-1:].isdigit() else r" \, ") + piece
    return line


def _scale_latex(show: Show) -> str:
    pieces = [*(_l(p, PRODUCT) for p in show.parts[:-1]), _l(show.parts[-1], TOTAL)]
    return r" \, ".join(pieces)


def _scale_text(show: Show) -> str:
    coefficients = [f"({text(p)})" if p.kind == "fraction" else _t(p, POWER) for p in show.parts[:-1]]
    return " ".join([*coefficients, _t(show.parts[-1], TOTAL)])


def _power_text(show: Show) -> str:
    base, exponent = show.parts
    digits = text(exponent)
    if all(c in _SUPERSCRIPTS for c in digits):
        raised = "".join(_SUPERSCRIPTS[c] for c in digits)
        return _t(base, ATOM) + raised
    return f"{_t(base, ATOM)}^{_t(exponent, ATOM)}"


def _power_latex(show: Show) -> str:
    base, exponent = show.parts
    if base.kind == "call" and base.tex in _RAISED and exponent.kind == "atom" and exponent.plain.isdigit():
        return rf"{base.tex}^{{{exponent.tex}}}" + _call_latex(base)[len(base.tex) :]
    return f"{_l(base, ATOM)}^{{{latex(exponent)}}}"


def _transpose_text(show: Show) -> str:
    (part,) = show.parts
    if part.kind == "inverse":
        return part.plain.removesuffix("¹") + "ᵀ"
    return (f"({text(part)})" if part.kind == "call" else _t(part, ATOM)) + "ᵀ"


def _transpose_latex(show: Show) -> str:
    (part,) = show.parts
    if part.kind == "inverse":
        return part.tex.removesuffix("{-1}") + r"{-\top}"
    return _l(part, ATOM + (part.kind == "call")) + r"^{\top}"


def _call_text(show: Show) -> str:
    if len(show.parts) == 1 and show.plain in ("sin", "cos", "tan", "log") and show.parts[0].kind == "atom":
        return f"{show.plain} {text(show.parts[0])}"
    return f"{show.plain}({', '.join(map(text, show.parts))})"


def _call_latex(show: Show) -> str:
    if show.tex == "e^":
        return f"e^{{{latex(show.parts[0])}}}"
    if show.tex == "abs":
        return rf"\left|{latex(show.parts[0])}\right|"
    if len(show.parts) == 1 and show.plain in ("sin", "cos", "tan", "log") and show.parts[0].kind == "atom":
        return f"{show.tex} {latex(show.parts[0])}"
    return rf"{show.tex}\left({', '.join(map(latex, show.parts))}\right)"


def _total_text(show: Show) -> str:
    return f"{show.plain} {_t(show.parts[0], TOTAL)}"


def _cases_latex(show: Show) -> str:
    condition, yes, no = map(latex, show.parts)
    return rf"\begin{{cases}} {yes} & \text{{if }} {condition} \\ {no} & \text{{else}} \end{{cases}}"


_TEXT: dict[str, Callable[[Show], str]] = {
    "atom": lambda s: s.plain,
    "add": lambda s: _signed(s, _t, "−"),
    "negative": lambda s: "−" + _t(s.parts[0], TOTAL),
    "scale": _scale_text,
    "product": _product_text,
    "hadamard": lambda s: " ⊙ ".join(_t(p, POWER) for p in s.parts),
    "fraction": lambda s: f"{_t(s.parts[0], POWER)}/{_t(s.parts[1], POWER)}",
    "power": _power_text,
    "elementpower": lambda s: f"{_t(s.parts[0], ATOM)}^⊙{_t(s.parts[1], ATOM)}",
    "inverse": lambda s: s.plain,
    "transpose": _transpose_text,
    "quotient": lambda s: f"⌊{_t(s.parts[0], POWER)}/{_t(s.parts[1], POWER)}⌋",
    "remainder": lambda s: f"{_t(s.parts[0], TOTAL)} mod {_t(s.parts[1], TOTAL)}",
    "root": lambda s: "√" + _t(s.parts[0], ATOM),
    "length": lambda s: f"‖{text(s.parts[0])}‖",
    "call": _call_text,
    "total": _total_text,
    "norm": lambda s: f"‖{text(s.parts[0])}‖²",
    "bracket": lambda s: f"𝟏[{text(s.parts[0])}]",
    "tuple": lambda s: f"({', '.join(map(text, s.parts))})",
    "between": lambda s: f"{text(s.parts[0])} ≤ {text(s.parts[1])} < {text(s.parts[2])}",
    "cases": lambda s: f"({text(s.parts[1])} if {text(s.parts[0])} else {text(s.parts[2])})",
    "compare": lambda s: f"{_t(s.parts[0], ADD)} {s.plain} {_t(s.parts[1], ADD)}",
    "and": lambda s: " and ".join(map(text, s.parts)),
    "or": lambda s: " or ".join(map(text, s.parts)),
    "not": lambda s: f"not ({text(s.parts[0])})",
}
_LATEX: dict[str, Callable[[Show], str]] = {
    "atom": lambda s: s.tex,
    "add": lambda s: _signed(s, _l, "-"),
    "negative": lambda s: "-" + _l(s.parts[0], TOTAL),
    "scale": _scale_latex,
    "product": _product_latex,
    "hadamard": lambda s: r" \odot ".join(_l(p, POWER) for p in s.parts),
    "fraction": lambda s: rf"\frac{{{latex(s.parts[0])}}}{{{latex(s.parts[1])}}}",
    "power": _power_latex,
    "elementpower": lambda s: rf"{_l(s.parts[0], ATOM)}^{{\odot {latex(s.parts[1])}}}",
    "inverse": lambda s: s.tex,
    "transpose": _transpose_latex,
    "quotient": lambda s: rf"\left\lfloor \frac{{{latex(s.parts[0])}}}{{{latex(s.parts[1])}}} \right\rfloor",
    "remainder": lambda s: rf"{_l(s.parts[0], TOTAL)} \bmod {_l(s.parts[1], TOTAL)}",
    "root": lambda s: rf"\sqrt{{{latex(s.parts[0])}}}",
    "length": lambda s: rf"\lVert {latex(s.parts[0])} \rVert",
    "call": _call_latex,
    "total": lambda s: f"{s.tex} {_l(s.parts[0], TOTAL)}",
    "norm": lambda s: rf"\lVert {latex(s.parts[0])} \rVert^{{2}}",
    "bracket": lambda s: rf"\mathbf{{1}}\left[{latex(s.parts[0])}\right]",
    "tuple": lambda s: rf"\left({', '.join(map(latex, s.parts))}\right)",
    "between": lambda s: rf"{latex(s.parts[0])} \le {latex(s.parts[1])} < {latex(s.parts[2])}",
    "cases": _cases_latex,
    "compare": lambda s: f"{_l(s.parts[0], ADD)} {s.tex} {_l(s.parts[1], ADD)}",
    "and": lambda s: r" \wedge ".join(map(latex, s.parts)),
    "or": lambda s: r" \vee ".join(map(latex, s.parts)),
    "not": lambda s: rf"\neg \left({latex(s.parts[0])}\right)",
}


def indexed(name: Show, places: Sequence[Show]) -> Show:
    """An entry of a named array."""
    if not places:
        return name
    letters = [text(p) for p in places]
    short = "".join(letters)
    marked = "_" in name.tex or name.kind == "inverse"
    simple = all(len(t) == 1 for t in letters)
    subscript = to_subscript(short)
    if simple and not marked and not subscript.startswith("_") and len(bare := name.plain.rstrip("\u0302\u0304")) == 1 and bare.isalpha():
        plain = name.plain + subscript
    else:
        plain = f"{name.plain}[{', '.join(letters)}]"
    joined = (" " if simple else ", ").join(latex(p) for p in places) if not simple else "".join(latex(p) for p in places)
    return atom(plain, rf"[{name.tex}]_{{{joined}}}" if marked else f"{name.tex}_{{{joined}}}")


def gradient_name(above: Show, below: Show) -> Show:
    """``∂L/∂w``; where ``L`` is such a derivative itself it is one of second order, ``∂²L/∂w²``."""
    first = re.fullmatch(r"∂([^/]*)/∂([^/]*)", above.plain)
    tex = re.fullmatch(r"\\frac\{\\partial (.*)\}\{\\partial (.*)\}", above.tex)
    if first and tex and "∂" not in first[1] + first[2]:
        under = f"∂{below.plain}∂{first[2]}", rf"\partial {below.tex} \, \partial {tex[2]}"
        if first[2] == below.plain:
            under = f"∂{first[2]}²", rf"\partial {tex[2]}^{{2}}"
        return atom(f"∂²{first[1]}/{under[0]}", rf"\frac{{\partial^{{2}} {tex[1]}}}{{{under[1]}}}")
    return atom(f"∂{above.plain}/∂{below.plain}", rf"\frac{{\partial {above.tex}}}{{\partial {below.tex}}}")
