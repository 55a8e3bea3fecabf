"""Names as text and as LaTeX: digits become subscripts, Greek names symbols, and what LaTeX would misread is escaped."""

from __future__ import annotations

import re

__all__ = ["GREEK", "identifier", "latex_name", "text_name", "to_subscript"]

_NAMES = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega"
_SIGNS = "αβγδεζηθικλμνξπρστυφχψω"
GREEK = dict(zip(_NAMES.split(), _SIGNS, strict=True)) | {
    n.capitalize(): s
    for n, s in zip(_NAMES.split(), _SIGNS.upper(), strict=True)
    if n in "gamma delta theta lambda xi pi sigma upsilon phi psi omega".split()
}
_BACK = {sign: name for name, sign in GREEK.items()}
_SUBSCRIPTS = dict(zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))
_MARKS = {"\u0302": "hat", "\u0304": "bar"}
_ESCAPED = {
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "^": r"\hat{}", "~": r"\sim{}", " ": r"\ ", "<": "<", ">": ">",
}  # fmt: skip
_MARKED = re.compile(r"[A-Za-zα-ωΑ-Ω](\^\{[\w(),+\-]+\})?(_\{?[\w,]+\}?)?(\^\{[\w(),+\-]+\})?")


def to_subscript(text: str) -> str:
    """``12`` as ``₁₂``; unchanged in brackets where a sign has no subscript form."""
    return "".join(_SUBSCRIPTS[c] for c in text) if all(c in _SUBSCRIPTS for c in text) else f"_({text})" if len(text) > 1 else f"_{text}"


def _one_line(name: str) -> str:
    """A name with a space in place of each character that breaks a line or steers a terminal."""
    return "".join(c if c.isprintable() else " " for c in name)


def text_name(name: str) -> str:
    """A name in a line of text: ``W1`` as ``W₁``, ``lambda`` as ``λ``, anything else as it is, in one line."""
    name = _one_line(name)
    match = re.fullmatch(r"([^\W\d_]+[\u0302\u0304]?)_?(\d+)", name)
    if match:
        return GREEK.get(match[1], match[1]) + to_subscript(match[2])
    gradient = re.fullmatch(r"∂([^/∂]+)/∂([^/∂]+)", name)
    if gradient:
        return f"∂{text_name(gradient[1])}/∂{text_name(gradient[2])}"
    return GREEK.get(name, name)


def _word(word: str) -> str:
    """One word of a name in LaTeX."""
    if word[1:2] in _MARKS:
        return rf"\{_MARKS[word[1]]}{{{_word(word[0])}}}" + (f"_{{{_word(word[2:])}}}" if word[2:] else "")
    if word in GREEK:
        return f"\\{word}"
    if word in _BACK:
        return f"\\{_BACK[word]}"
    if len(word) == 1 and word.isalpha():
        return word
    return rf"\mathrm{{{_escaped(word)}}}"


def _escaped(text: str) -> str:
    return "".join(_ESCAPED.get(c, c) for c in text)


def latex_name(name: str) -> str:
    r"""A name in LaTeX: ``W1`` as ``W_{1}``, ``a_prev`` as ``a_{\mathrm{prev}}``, ``W^{(1)}`` as it is."""
    name = _one_line(name)
    if "{" in name and _MARKED.fullmatch(name):
        return name
    gradient = re.fullmatch(r"∂([^/∂]+)/∂([^/∂]+)", name)
    if gradient:
        return rf"\frac{{\partial {latex_name(gradient[1])}}}{{\partial {latex_name(gradient[2])}}}"
    if "/" in name:
        return "/".join(latex_name(part) for part in name.split("/"))
    match = re.fullmatch(r"([^\W\d_]+[\u0302\u0304]?)_?(\d+)", name)
    if match:
        return f"{_word(match[1])}_{{{match[2]}}}"
    head, _, tail = name.partition("_")
    if tail and head and (len(head) == 1 or head in GREEK) and re.fullmatch(r"\w+", tail):
        return f"{_word(head)}_{{{tail if tail.isdigit() else _word(tail)}}}"
    return _word(name)


def identifier(name: str) -> str:
    """A Python name made from any name."""
    text = "".join(_BACK.get(c, c) for c in name)
    # Digits such as ₂ count as letters for \w and are none in Python's names.
    text = "".join(c if f"a{c}".isidentifier() else "_" for c in text).strip("_") or "value"
    return f"_{text}" if text[0].isdigit() else text
