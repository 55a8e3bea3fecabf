"""One self-contained HTML page: sections of prose, code, pictures, formulas and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from graphc.view.glyphs import glyph
from graphc.view.names import Text

__all__ = ["code", "details", "figure", "formula", "page", "paragraph", "section", "table"]

_STYLE = """
:root { --paper: #fdfdfb; --ink: #1c2330; --soft: #5b6472; --line: #d9dde3; --tint: #f1f4f7; --accent: #0072b2; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14181f; --ink: #e8eaee; --soft: #a3acb9; --line: #343b46; --tint: #1d232c; --accent: #56b4e9; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.6 Georgia, "Times New Roman", serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .6rem; padding-top: .8rem; border-top: 1px solid var(--line); }
p { max-width: 44rem; margin: .6rem 0; }
.lead { color: var(--soft); font-size: 1.1rem; }
pre, code { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .86rem; }
pre { background: var(--tint); border-radius: .5rem; padding: 1rem 1.2rem; overflow-x: auto; line-height: 1.5; }
figure { margin: 1.2rem 0; }
figure svg { max-width: 100%; height: auto; display: block; margin: 0 auto; }
figure.wide { margin-left: calc(50% - min(50vw, 46rem) + 1rem); margin-right: calc(50% - min(50vw, 46rem) + 1rem); }
figure.wide > div { overflow-x: auto; }
figure.wide svg { max-width: none; width: max(100%, 64rem); }
figcaption { color: var(--soft); font-size: .92rem; text-align: center; margin-top: .5rem; }
table { border-collapse: collapse; margin: 1rem 0; width: 100%; font-size: .95rem; }
th, td { text-align: left; padding: .45rem .8rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
th { color: var(--soft); font-weight: normal; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.formula svg { vertical-align: middle; }
.scroll { overflow-x: auto; }
td.short { white-space: nowrap; }
.formula path { fill: currentColor; }
.curve text { fill: var(--ink); font-family: system-ui, sans-serif; }
.curve .grid { stroke: var(--line); } .curve .mark { stroke: var(--soft); }
details { margin: .8rem 0; } summary { cursor: pointer; color: var(--accent); }
.check { border-left: 4px solid #009e73; padding-left: .8rem; }
@media print { body { font-size: 11pt; } figure, tr { break-inside: avoid; } }
"""


def page(title: str, lead: str, sections: Iterable[str]) -> str:
    """The whole document, with no reference to anything outside it."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n<h1>{escape(title)}</h1>\n"
        f'<p class="lead">{escape(lead)}</p>\n{"".join(sections)}</main></body></html>\n'
    )


def section(title: str, *parts: str) -> str:
    """A heading with what belongs to it."""
    return f"<section><h2>{escape(title)}</h2>\n{''.join(parts)}</section>\n"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    return f"<p{f' class={kind!r}' if kind else ''}>{escape(text)}</p>\n"


def code(text: str) -> str:
    """A block of code."""
    return f"<pre><code>{escape(text.strip())}</code></pre>\n"


def details(summary: str, *parts: str) -> str:
    """Parts that open on a click."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>\n"


def figure(svg: str, caption: str, *, wide: bool = False) -> str:
    """A picture with a caption; a wide one may leave the column and scrolls where the window is narrow."""
    body = svg[svg.index("<svg") :]
    return f"<figure{' class=wide' if wide else ''}><div>{body}</div><figcaption>{escape(caption)}</figcaption></figure>\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table of cells that are HTML already; the columns in ``numbers`` are set flush right."""

    def row(cells: Sequence[str], tag: str) -> str:
        kinds = ["number" if k in numbers else "short" if len(c) < 24 and tag == "td" else "" for k, c in enumerate(cells)]
        return "<tr>" + "".join(f"<{tag}{f' class={kind}' if kind else ''}>{c}</{tag}>" for kind, c in zip(kinds, cells, strict=True)) + "</tr>"

    top, body = row([escape(h) for h in head], "th"), "".join(row(r, "td") for r in rows)
    return f"<div class=scroll><table><thead>{top}</thead><tbody>{body}</tbody></table></div>\n"


def formula(latex: str, text: str, size: float = 15.0) -> str:
    """A formula as outlines, readable aloud as ``text``; where it cannot be set, the text itself."""
    shape = glyph(Text(text, latex), size)
    if not shape.path:
        return f"<code>{escape(text)}</code>"
    box = f"{shape.left:.2f} {shape.top:.2f} {shape.width:.2f} {shape.height:.2f}"
    drawn = f'<svg width="{shape.width:.2f}" height="{shape.height:.2f}" viewBox="{box}"><path d="{shape.path}"/></svg>'
    return f'<span class="formula" role="img" aria-label="{escape(text, quote=True)}">{drawn}</span>'
