"""A picture: a scene in a style, and the files that it can become."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from graphc.formula.files import write_file
from graphc.view.dot import dot
from graphc.view.export import html, pdf_bytes, png_bytes
from graphc.view.outline import Outline
from graphc.view.scene import Scene
from graphc.view.styles import Style, choose
from graphc.view.svg import svg
from graphc.view.tikz import tikz

__all__ = ["Picture"]

SUFFIXES = (".svg", ".png", ".pdf", ".dot", ".html", ".tex")


class Picture:
    """A drawn graph: ``svg`` and ``dot`` are text, ``save`` writes a file, and a notebook shows it by itself.

    Attributes:
        title: what it shows, in a few words.
        description: the graph in sentences that can be read aloud.
    """

    def __init__(self, scene: Scene, style: Style, outline: Outline | None = None) -> None:
        self._scene = scene
        self._style = style
        self._outline = outline
        self.title = scene.title
        self.description = scene.description

    @cached_property
    def svg(self) -> str:
        """The picture as SVG, byte for byte the same for the same graph."""
        return svg(self._scene, self._style)

    @cached_property
    def dot(self) -> str:
        """The graph as DOT, with plain text for the formulas; any Graphviz reads it."""
        return dot(self._outline, self._style) if self._outline is not None else dot(Outline([], [], self.title, ""), self._style)

    @property
    def tex(self) -> str:
        """The picture as a LaTeX document of its own, drawn with TikZ."""
        return tikz(self._scene, self._style)

    def save(self, path: Any) -> Path:
        """Write the picture; the suffix says how: .svg, .png, .pdf, .dot, .html or .tex. Returns the path.

        Raises:
            DeclarationError: for another suffix, listing these.
            DataError: for a folder that does not exist, or a file that may not be written.
        """
        target = Path(path)
        suffix = choose("the file type", target.suffix.lower(), SUFFIXES)
        write_file(target, self._bytes(suffix))
        return target

    def _bytes(self, suffix: str) -> bytes:
        plain = svg(self._scene, self._style, plain=True)
        if suffix == ".png":
            return png_bytes(plain)
        if suffix == ".pdf":
            return pdf_bytes([plain])
        text = {".svg": lambda: self.svg, ".dot": lambda: self.dot, ".tex": lambda: self.tex, ".html": lambda: html(self.title, self.svg)}
        return text[suffix]().encode()

    def bundle(self) -> dict[str, str]:
        """What a notebook shows: HTML, so that hovering works, SVG for those that want an image, and text."""
        return {"text/html": f'<div class="graphc-picture">{self.svg}</div>', "image/svg+xml": self.svg, "text/plain": repr(self)}

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self.bundle()

    def __repr__(self) -> str:
        return f"<Picture: {self.title}, {self._scene.width:.0f} × {self._scene.height:.0f} points>"
