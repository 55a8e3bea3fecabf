"""Styles: the colours of a picture by role, from Okabe and Ito's palette, which the colour-blind tell apart.

Colour never stands alone: every kind of node has a border or shape of its own as well (see :data:`SHAPES`).
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.errors import DeclarationError

__all__ = ["KINDS", "ROLES", "SHAPES", "STYLES", "Look", "Style", "choose", "style_named"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a kind of node is drawn: its shape, how its border is dashed, how thick it is, and whether it is double."""

    shape: str
    dash: str = ""
    width: float = 1.3
    double: bool = False


SHAPES: dict[str, Look] = {
    "input": Look("pill"),
    "parameter": Look("box", width=2.2),
    "constant": Look("box", dash="4 2.5"),
    "state": Look("octagon", width=1.5),
    "random": Look("pill", dash="1.5 2.5"),
    "value": Look("round"),
    "output": Look("round", width=1.5, double=True),
    "operation": Look("circle", width=1.1),
    "layer": Look("round", width=1.6),
    "folded": Look("stack"),
    "adjoint": Look("round", dash="5 3", width=1.3),
}
KINDS: dict[str, str] = {
    "input": "input", "parameter": "parameter", "constant": "constant", "state": "state", "random": "random draw", "value": "intermediate",
    "output": "result", "operation": "operation", "layer": "layer", "folded": "folded scope", "adjoint": "gradient",
}  # fmt: skip

_LIGHT = {
    "background": "#ffffff", "ink": "#1b1f24", "muted": "#57606a", "edge": "#6b7480", "value": "#00694a", "gradient": "#a83c00",
    "cluster": "#c4ccd4", "cluster-fill": "#f8fafb", "positive": "#0072b2", "negative": "#d55e00",
    "input-line": "#009e73", "input-fill": "#e2f4ed", "parameter-line": "#0072b2", "parameter-fill": "#e0eef8",
    "constant-line": "#6b7480", "constant-fill": "#f1f3f5", "state-line": "#b5568a", "state-fill": "#f9eaf2",
    "random-line": "#b87d00", "random-fill": "#fdf3dc", "value-line": "#4b5560", "value-fill": "#ffffff",
    "output-line": "#d55e00", "output-fill": "#fdeee4", "operation-line": "#4b5560", "operation-fill": "#f4f6f8",
    "layer-line": "#4b5560", "layer-fill": "#ffffff", "folded-line": "#4b5560", "folded-fill": "#ffffff",
    "adjoint-line": "#d55e00", "adjoint-fill": "#fff7f1",
}  # fmt: skip
_DARK = _LIGHT | {
    "background": "#14181d", "ink": "#eef1f4", "muted": "#a5afba", "edge": "#95a0ac", "value": "#4fd6a8", "gradient": "#ff9d5c",
    "cluster": "#3a444f", "cluster-fill": "#191e24", "positive": "#56b4e9", "negative": "#ff9d5c",
    "input-line": "#2fc79a", "input-fill": "#12342a", "parameter-line": "#56b4e9", "parameter-fill": "#13304a",
    "constant-line": "#95a0ac", "constant-fill": "#252c34", "state-line": "#e09bc2", "state-fill": "#3a2231",
    "random-line": "#e6a73c", "random-fill": "#3a2c10", "value-line": "#b4bec9", "value-fill": "#1b2128",
    "output-line": "#ff8a3d", "output-fill": "#40220f", "operation-line": "#b4bec9", "operation-fill": "#222931",
    "layer-line": "#b4bec9", "layer-fill": "#1b2128", "folded-line": "#b4bec9", "folded-fill": "#1b2128",
    "adjoint-line": "#ff8a3d", "adjoint-fill": "#2a1c13",
}  # fmt: skip
ROLES: tuple[str, ...] = tuple(_LIGHT)
_PAPER = {
    role: "#ffffff" if role.endswith("fill") or role == "background" else "#9a9a9a" if role == "cluster" else "#000000" for role in ROLES
} | {"muted": "#444444", "parameter-fill": "#eeeeee", "constant-fill": "#f7f7f7"}  # fmt: skip
_CONTRAST = _LIGHT | {
    role: "#ffffff" if role.endswith("fill") else _LIGHT[role] for role in ROLES
} | {"ink": "#000000", "muted": "#222222", "edge": "#000000", "operation-line": "#000000", "value-line": "#000000"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """Colours by role, and those that take their place where the reader prefers a dark page."""

    name: str
    light: dict[str, str]
    dark: dict[str, str] | None = None


STYLES: dict[str, Style] = {
    "default": Style("default", _LIGHT, _DARK),
    "light": Style("light", _LIGHT),
    "dark": Style("dark", _DARK),
    "paper": Style("paper", _PAPER),
    "contrast": Style("contrast", _CONTRAST),
}


def choose(what: str, value: object, allowed: tuple[str, ...]) -> str:
    """``value`` where it is one of ``allowed``.

    Raises:
        DeclarationError: listing what is allowed.
    """
    if isinstance(value, str) and value in allowed:
        return value
    raise DeclarationError(f"{what} {value!r} is unknown: choose one of {', '.join(repr(a) for a in allowed)}")


def style_named(name: object) -> Style:
    """The style of that name."""
    return STYLES[choose("the style", name, tuple(STYLES))]
