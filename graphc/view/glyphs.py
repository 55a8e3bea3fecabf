"""Text as outlines: formulas by ziamath, other text by ziafont, measured before layout and independent of fonts.

This module alone knows the two libraries.
"""

from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from graphc.errors import GraphcError
from graphc.view.mathml import flattened
from graphc.view.names import Text

__all__ = ["Glyph", "glyph"]

_TALL = 9.0
_WORDS = re.compile(r"\\text\{[^{}]*\}")
_DIGITS = re.compile(r"\\(?:operatorname|mathrm)\{([A-Za-z]*\d[A-Za-z0-9]*)\}")
_FIXED = re.compile(r"\\(?:left|right)(?=[()\[\]|])")


@dataclass(frozen=True, slots=True)
class Glyph:
    """A piece of text ready to be drawn: its box, and the path of its outlines relative to (``left``, ``top``).

    ``text`` is set instead of ``path`` where the font at hand lacks a character, so that the viewer's fonts draw it.
    """

    width: float
    height: float
    left: float
    top: float
    path: str
    text: str = ""
    size: float = 12.0


def glyph(text: Text, size: float = 14.0) -> Glyph:
    """The outlines of a text at a font size in points."""
    if text.latex:
        drawn = _formula(text.latex, size)
        if drawn is not None:
            return drawn
    return _plain(text.plain, size)


@contextmanager
def _plain_svg() -> Generator[tuple[Any, Any], None, None]:
    """Both libraries, set to write self-contained paths and set back afterwards."""
    with warnings.catch_warnings():  # how they find their fonts is deprecated, and no affair of the user's
        warnings.simplefilter("ignore")
        try:
            import ziafont
            import ziamath
        except ImportError as error:
            raise GraphcError(f"pictures need {error.name}, which is not installed: pip install {error.name}") from None
        math: Any = ziamath
        font: Any = ziafont
        old = math.config.svg2, font.config.svg2, font.config.precision
        math.config.svg2 = font.config.svg2 = False
        font.config.precision = 2
        try:
            yield math, font
        finally:
            math.config.svg2, font.config.svg2, font.config.precision = old


@lru_cache(maxsize=8192)
def _formula(latex: str, size: float) -> Glyph | None:
    """``None`` where the formula cannot be set."""
    latex = _DIGITS.sub(r"\\text{\1}", latex)  # it sets a digit as the end of an upright word
    latex = _WORDS.sub(lambda m: m[0].replace(r"\_", "_"), latex)  # ziamath takes words as they are
    with _plain_svg() as (ziamath, _):
        try:
            drawn = _set(ziamath, latex, size)
            if drawn.height > _TALL * size and r"\left" in latex:  # stretched brackets outgrow a sum with limits
                drawn = _set(ziamath, _FIXED.sub("", latex), size)
        except Exception:  # noqa: BLE001  a formula of a user's own making may be anything; it is then written as text
            return None
    return drawn


def _set(ziamath: Any, latex: str, size: float) -> Glyph:
    return _outlines(ziamath.Math(flattened(ziamath.zmath.tex2mml(latex)), size=size).svg(), size)


@cache
def _font(ziafont: Any) -> Any:
    """The sans-serif font that ziafont carries; read once."""

    class Font(ziafont.Font):
        """Without the table that places accents and kerns: reading it takes ten times as long as all the rest."""

        def _readtables(self) -> None:
            super()._readtables()
            self.tables.pop("GPOS", None)

    return Font()


@lru_cache(maxsize=8192)
def _plain(text: str, size: float) -> Glyph:
    shown = "".join(c if c.isprintable() else " " for c in text) or " "
    with _plain_svg() as (_, ziafont):
        font = _font(ziafont)
        if any(font.glyphindex(c) == 0 for c in shown):
            width = sum(1.0 if ord(c) > 0x1100 else 0.62 for c in shown) * size
            return Glyph(width, size * 1.2, 0.0, -size * 0.95, "", shown, size)
        drawn = font.text(shown, size=size)
        svg = drawn.svg()
        width = drawn.getsize()[0]
    found = _outlines(svg, size)
    return Glyph(max(width, found.width), size * 1.05, found.left, -size * 0.82, found.path, "", size)


def _outlines(svg: str, size: float) -> Glyph:
    """One path of all outlines; the colour is the drawing's affair."""
    root = ET.fromstring(svg)  # noqa: S314  drawn here a moment ago
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    pieces: list[str] = []
    for element in root.iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "path":
            pieces.append(_compact(element.attrib["d"]))
        elif tag == "rect" and element.attrib.get("fill") != "none":
            x, y, w, h = (float(element.attrib[k]) for k in ("x", "y", "width", "height"))
            pieces.append(f"M{x:g} {y:g}h{w:g}v{h:g}h{-w:g}z")
    return Glyph(width, height, left, top, "".join(pieces), "", size)


def _compact(d: str) -> str:
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", d).replace(" -", "-")
