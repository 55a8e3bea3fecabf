"""Names as mathematics: ``W1`` becomes W with a subscript, ``alpha`` the Greek letter, ``y_hat`` a y with a hat.

What is no mathematical name stays plain text, so that any text may name a tensor.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Text", "escape_latex", "filled", "name_text", "operator_text", "shape_text", "slug", "split_scope"]

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
).split()
_LETTERS = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _GREEK, strict=True)) | {"ϵ": "epsilon", "ϕ": "phi"}
_ACCENTS = {"\u0302": "hat", "\u0304": "bar", "\u0303": "tilde", "\u0307": "dot", "\u0305": "overline"}
_MARKS = ("hat", "bar", "tilde", "dot", "vec")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_BASE = rf"(?:[A-Za-z]|{'|'.join(_GREEK)})"
_NAME = re.compile(
    rf"(?P<base>{_BASE})(?:_(?P<mark>{'|'.join(_MARKS)}))?(?:_?(?P<digits>\d+)|_(?P<sub>{_BASE}|[A-Za-z][A-Za-z0-9]*|[A-Za-z][+-][0-9]+))?(?P<primes>'*)"
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*")
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """What a picture writes: ``latex`` where it is mathematics (else empty), and ``plain`` for DOT, titles and speech."""

    plain: str
    latex: str = ""


def split_scope(name: str) -> tuple[tuple[str, ...], str]:
    """``encoder/block/h`` as its scopes and its own name; slashes that enclose nothing belong to the name."""
    if name.startswith("∂"):
        return (), name
    *scopes, last = name.split("/")
    return (tuple(scopes), last) if last and all(scopes) else ((), name)


def _letter(text: str) -> str:
    return f"\\{text}" if text in _GREEK else text


def _upright(word: str) -> str:
    if "_" not in word and word.isalpha():
        return f"\\mathrm{{{word}}}"
    escaped = word.replace("_", "\\_")
    return f"\\text{{{escaped}}}"


def _subscript(text: str) -> str:
    return _letter(text) if len(text) == 1 or text in _GREEK or "-" in text or "+" in text else _upright(text)


def _decomposed(name: str) -> str:
    """Greek letters, accents and subscript digits spelt out: ``ŷ₁`` as ``y_hat_1``."""
    spelt = ""
    for character in unicodedata.normalize("NFD", name.translate(_SUBSCRIPTS)):
        spelt += f"_{_ACCENTS[character]}" if character in _ACCENTS else _LETTERS.get(character, character)
    return spelt.replace("′", "'")


def name_text(name: str) -> Text:
    r"""A tensor's name as it is drawn.

    Example:
        >>> name_text("W1").latex, name_text("theta").latex, name_text("y_hat").latex, name_text("a | b").latex
        ('W_{1}', '\\theta', '\\hat{y}', '')
    """
    over, _, under = name.partition("/")
    if over.startswith("∂") and under.startswith("∂") and len(over) > 1 and len(under) > 1:
        above, below = name_text(over[1:]), name_text(split_scope(under[1:])[1])
        if above.latex and below.latex:
            return Text(name, rf"\frac{{\partial {above.latex}}}{{\partial {below.latex}}}")
        return Text(name)
    spelt = _decomposed(name)
    found = _NAME.fullmatch(spelt)
    if found is not None:
        base, mark, digits, sub, primes = (found[g] or "" for g in ("base", "mark", "digits", "sub", "primes"))
        if sub in _MARKS:
            mark, sub = sub, ""
        latex = f"\\{mark}{{{_letter(base)}}}" if mark else _letter(base)
        if digits or sub:
            latex += f"_{{{digits or _subscript(sub)}}}"
        return Text(name, latex + primes)
    if _WORD.fullmatch(name):
        return Text(name, _upright(name))
    return Text(" ".join(name.split()) or "(blank)")


# Symbols of operations that read better as a formula than as the text that a call shows.
_OPERATORS = {
    "+": "+", "−": "-", "-": "-", "⊙": r"\odot", "×": r"\times", "÷": r"\div", "@": "@", "·": r"\cdot", "⊗": r"\otimes",
    "Σ": r"\Sigma", "∏": r"\Pi", "σ": r"\sigma", "√": r"\sqrt{\;\cdot\;}", "‖·‖": r"\lVert\cdot\rVert", "ᵀ": r"(\cdot)^{\top}", "²": r"(\cdot)^2",
    "^": r"x^y", "1/·": r"1/\cdot", "←": r"\leftarrow", "<": "<", ">": ">", "≤": r"\le", "≥": r"\ge", "=": "=", "≠": r"\neq",
    "∧": r"\land", "∨": r"\lor", "¬": r"\lnot", "abs": r"\lvert\cdot\rvert", "sin": r"\sin", "cos": r"\cos", "tan": r"\tan", "exp": r"\exp",
    "log": r"\log", "tanh": r"\tanh", "sinh": r"\sinh", "cosh": r"\cosh", "max": r"\max", "min": r"\min", "[ ]": r"[\;\cdot\;]",
    "inv": r"(\cdot)^{-1}", "det": r"\det", "logdet": r"\log\lvert\det\rvert",
}  # fmt: skip


def filled(pattern: str, arguments: Sequence[str]) -> str:
    """A pattern of LaTeX with ``{0}``, ``{1}`` replaced, all at once, by arguments in braces."""
    return re.sub(r"\{(\d)\}", lambda m: f"{{{arguments[int(m[1])]}}}" if int(m[1]) < len(arguments) else m[0], pattern)


def operator_text(symbol: str) -> Text:
    """The symbol of an operation as it is drawn."""
    latex = _OPERATORS.get(symbol, "")
    if not latex and _WORD.fullmatch(symbol):
        latex = _upright(symbol)
    return Text(symbol, latex) if latex else name_text(symbol)


def shape_text(shape: tuple[object, ...]) -> str:
    """A shape as pictures show it: ``n × 30``; empty for a scalar."""
    return " × ".join(map(str, shape))


def slug(text: str) -> str:
    """Letters, digits and dashes made of any text: part of an identifier."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-") or "node"


def escape_latex(text: str) -> str:
    """Plain text for a LaTeX document; characters that a plain LaTeX cannot set become their code points."""
    return "".join(_SPECIAL.get(c, c) for c in text)
