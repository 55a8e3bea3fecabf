"""Derivations as pages: HTML with MathML, Markdown and LaTeX."""

from __future__ import annotations

import html as _html
import importlib
import os
from pathlib import Path
from typing import Any

from graphc.errors import DeclarationError
from graphc.formula.files import write_file

__all__ = ["html", "markdown", "save", "tex"]

_STYLE = (
    "<style>.graphc-derivation{font-family:system-ui,sans-serif;line-height:1.5}.graphc-derivation ol{padding-left:1.5em}"
    ".graphc-derivation li{margin:.5em 0}.graphc-derivation .reason{opacity:.75;font-size:.9em}"
    ".graphc-derivation math{font-size:1.15em}</style>"
)


def _math(latex: str, text: str) -> str:
    """A formula as MathML, readable aloud."""
    convert: Any = importlib.import_module("latex2mathml.converter").convert
    return str(convert(latex)).replace("<math ", f'<math aria-label="{_html.escape(text, quote=True)}" ', 1)


def _shape(shape: tuple[Any, ...]) -> str:
    return "scalar" if not shape else " × ".join(map(str, shape))


def _layout(derivation: Any) -> str:
    return f"{derivation.layout.capitalize()} layout."


def html(derivation: Any) -> str:
    """A part of an HTML page: the result, what it uses, the steps."""
    parts = [_STYLE, '<div class="graphc-derivation">', f"<p>{_math(derivation.latex, derivation.text)}</p>"]
    if derivation.where:
        parts.append("<p>where</p><ul>")
        parts += [f"<li>{_math(n.latex, n.text)} <span class='reason'>({_shape(n.shape)})</span></li>" for n in derivation.where]
        parts.append("</ul>")
    parts.append("<details><summary>Steps</summary><ol>")
    for s in derivation.steps:
        parts.append(f"<li>{_math(s.latex, s.text)}<br><span class='reason'>{_html.escape(s.reason)} ({_shape(s.shape)})</span></li>")
    parts.append(f"</ol></details><p class='reason'>{_layout(derivation)}</p></div>")
    return "\n".join(parts)


def markdown(derivation: Any) -> str:
    """The derivation in Markdown, its formulas between dollar signs."""
    lines = [f"$$\n{derivation.latex}\n$$", ""]
    if derivation.where:
        lines += ["where", "", *(f"- ${n.latex}$ ({_shape(n.shape)})" for n in derivation.where), ""]
    lines += ["Steps", ""]
    lines += [f"{k}. ${s.latex}$\n   {s.reason} ({_shape(s.shape)})" for k, s in enumerate(derivation.steps, start=1)]
    return "\n".join([*lines, "", _layout(derivation), ""])


_ESCAPES = {"\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "^": r"\^{}", "~": r"\~{}"}


def tex(derivation: Any) -> str:
    """A LaTeX document, for a Unicode engine such as LuaLaTeX or XeLaTeX."""

    def plain(text: str) -> str:
        return "".join(_ESCAPES.get(c, c) for c in text)

    lines = [r"\documentclass{article}", r"\usepackage{amsmath,amssymb}", r"\usepackage{fontspec}", r"\begin{document}", rf"\[ {derivation.latex} \]"]
    if derivation.where:
        lines += [
            "where",
            r"\begin{itemize}",
            *(rf"\item $\displaystyle {n.latex}$ \quad ({plain(_shape(n.shape))})" for n in derivation.where),
            r"\end{itemize}",
        ]
    lines += ["Steps", r"\begin{enumerate}"]
    lines += [rf"\item $\displaystyle {s.latex}$ \\ {plain(s.reason)} ({plain(_shape(s.shape))})" for s in derivation.steps]
    return "\n".join([*lines, r"\end{enumerate}", plain(_layout(derivation)), r"\end{document}", ""])


def _document(derivation: Any) -> str:
    title = _html.escape(derivation.text)
    head = f'<meta charset="utf-8">\n<title>{title}</title>'
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{html(derivation)}\n</body>\n</html>\n'


def save(derivation: Any, path: Any) -> None:
    """Write a derivation to a file of one of the endings that are known.

    Raises:
        DeclarationError: for another ending.
        DataError: for a folder that does not exist, or a file that may not be written.
    """
    writers = {".html": _document, ".md": markdown, ".tex": tex}
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in writers:
        raise DeclarationError(
            f"a derivation is saved as {', '.join(writers)}, not as {ending or 'a file without an ending'}: change the name {path}"
        )
    write_file(Path(path), writers[ending](derivation).encode())
