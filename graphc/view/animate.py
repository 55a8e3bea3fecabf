"""Several scenes as one file: an SVG that moves, a GIF, a page with a slider."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from html import escape
from xml.sax.saxutils import escape as xml_escape
from xml.sax.saxutils import quoteattr

from graphc.view.export import png_bytes
from graphc.view.scene import Scene
from graphc.view.styles import Style
from graphc.view.svg import clean, style_sheet, svg_body

__all__ = ["animated_svg", "gif_bytes", "slider_page"]

SECONDS = 1.6


def animated_svg(scenes: Sequence[Scene], style: Style) -> str:
    """The scenes one after the other, for ever; a reader without animation sees the last."""
    first, count = scenes[-1], len(scenes)
    name = "graphc graphc-auto" if style.dark is not None else "graphc"
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="{name}" width="{first.width:g}" height="{first.height:g}" '
            f'viewBox="0 0 {first.width:g} {first.height:g}" role="img" aria-label={quoteattr(clean(first.title))}>'
        ),
        f"<title>{xml_escape(clean(first.title))}</title><desc>{xml_escape(clean(first.description))}</desc>",
        style_sheet(style),
    ]
    for k, scene in enumerate(scenes):
        start, stop = k / count, (k + 1) / count
        times = [(0.0, "none"), (start, "inline"), (stop, "none")]
        times = [t for t in times if t[0] < 1 and not (t[0] == 0 and t[1] == "none" and start == 0)]
        timing = (
            f'<animate attributeName="display" values="{";".join(v for _, v in times)}" keyTimes="{";".join(f"{t:.4f}" for t, _ in times)}" '
            f'dur="{count * SECONDS:g}s" calcMode="discrete" repeatCount="indefinite"/>'
        )
        body = svg_body(scene, style).replace(' id="', f' id="frame-{k}-')
        parts.append(f'<g display="{"inline" if k == count - 1 else "none"}">{timing}{body}</g>')
    return "\n".join([p for p in parts if p] + ["</svg>\n"])


def gif_bytes(pages: Sequence[str]) -> bytes:
    """Drawings as a GIF that runs for ever."""
    from PIL import Image

    images = [Image.open(io.BytesIO(png_bytes(page))).convert("RGB").quantize(64, dither=Image.Dither.NONE) for page in pages]
    buffer = io.BytesIO()
    images[0].save(buffer, format="GIF", save_all=True, append_images=images[1:], duration=int(SECONDS * 1000), loop=0)
    return buffer.getvalue()


def slider_page(title: str, pages: Sequence[str], notes: Sequence[str]) -> str:
    """A page that shows one drawing at a time: a slider, two buttons, the arrow keys; nothing is loaded from elsewhere."""
    frames = "\n".join(f'<div class="frame"{"" if k == 0 else " hidden"}>{page}</div>' for k, page in enumerate(pages))
    last = len(pages) - 1
    words = json.dumps(list(notes)).replace("<", "\\u003c")
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>
<style>:root{{color-scheme:light dark}}body{{margin:1em;font-family:sans-serif}}svg{{max-width:100%;height:auto}}
nav{{display:flex;gap:.6em;align-items:center;max-width:44em}}input{{flex:1}}</style></head>
<body>
<nav><button id="back" aria-label="previous step">&#9664;</button>
<input id="step" type="range" min="0" max="{last}" value="0" aria-label="step">
<button id="next" aria-label="next step">&#9654;</button><output id="count">1 / {last + 1}</output></nav>
<p id="note" role="status"></p>
{frames}
<script>
const frames = document.querySelectorAll(".frame"), step = document.getElementById("step"), words = {words};
function show(k) {{
  k = Math.max(0, Math.min({last}, k)); step.value = k;
  frames.forEach((f, i) => f.hidden = i !== k);
  document.getElementById("count").textContent = (k + 1) + " / {last + 1}";
  document.getElementById("note").textContent = words[k];
}}
step.oninput = () => show(+step.value);
document.getElementById("back").onclick = () => show(+step.value - 1);
document.getElementById("next").onclick = () => show(+step.value + 1);
addEventListener("keydown", e => {{
  if (e.target === step) return;
  if (e.key === "ArrowRight") show(+step.value + 1);
  if (e.key === "ArrowLeft") show(+step.value - 1);
}});
show(0);
</script>
</body></html>
"""
