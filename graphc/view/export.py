"""Files other than SVG: PNG by resvg, PDF by svglib and ReportLab, HTML by hand. This module alone knows those libraries."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from typing import Any

from graphc.errors import GraphcError

__all__ = ["html", "pdf_bytes", "png_bytes"]


def _missing(error: ImportError) -> GraphcError:
    return GraphcError(f"this file type needs {error.name}, which is not installed: pip install {error.name}")


def png_bytes(svg: str, zoom: float = 2.0) -> bytes:
    """A drawing as PNG, ``zoom`` pixels a point."""
    try:
        import resvg_py
    except ImportError as error:
        raise _missing(error) from None
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom))  # type: ignore[arg-type]


def pdf_bytes(pages: Sequence[str]) -> bytes:
    """Drawings as PDF, one a page, as vectors; the same bytes for the same drawings."""
    try:
        from reportlab.graphics import renderPDF
        from reportlab.pdfgen.canvas import Canvas
        from svglib.svglib import svg2rlg
    except ImportError as error:
        raise _missing(error) from None
    buffer = io.BytesIO()
    canvas: Any = Canvas(buffer, invariant=1)
    for page in pages:
        drawing: Any = svg2rlg(io.BytesIO(page.encode()))
        canvas.setPageSize((drawing.width, drawing.height))
        renderPDF.draw(drawing, canvas, 0, 0)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def html(title: str, svg: str) -> str:
    """A page of its own around a drawing; nothing is loaded from elsewhere."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>:root{{color-scheme:light dark}}body{{margin:1em;font-family:sans-serif}}"
        f"svg{{max-width:100%;height:auto}}</style></head>\n<body>\n{svg}</body></html>\n"
    )
