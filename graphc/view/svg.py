"""A scene as SVG: byte-stable, self-contained, without fonts or scripts, light and dark in one file."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from graphc.view.glyphs import glyph
from graphc.view.scene import Area, Curve, Group, Label, Polygon, Primitive, Scene
from graphc.view.styles import Style

__all__ = ["clean", "style_sheet", "svg", "svg_body"]


def clean(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() or c == " " else " " for c in text if not 0xD800 <= ord(c) <= 0xDFFF)


def svg(scene: Scene, style: Style, plain: bool = False) -> str:
    """The whole drawing.

    ``plain`` leaves the style sheet out and keeps one set of colours, for programs that read no CSS.
    """
    width, height = _number(scene.width), _number(scene.height)
    sheet = not plain and style.dark is not None
    name = "graphc graphc-auto" if sheet else "graphc"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{name}" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label={quoteattr(clean(scene.title))}>'
    )
    parts = [head, f"<title>{escape(clean(scene.title))}</title>", f"<desc>{escape(clean(scene.description))}</desc>"]
    if sheet:
        parts.append(style_sheet(style))
    parts += [svg_body(scene, style), "</svg>\n"]
    return "\n".join(parts)


def svg_body(scene: Scene, style: Style) -> str:
    """The background and all groups."""
    background = Area(0, 0, scene.width, scene.height, 0, "background")
    return "\n".join([_primitive(background, style), *(_group(g, style) for g in scene.groups)])


def style_sheet(style: Style) -> str:
    """Colours as CSS variables, which a page may override; readers without CSS see the attributes. Empty for one set of colours."""
    if style.dark is None:
        return ""
    light = "".join(f"--gc-{role}:{colour};" for role, colour in style.light.items())
    dark = "".join(f"--gc-{role}:{colour};" for role, colour in style.dark.items())
    rules = "".join(f".graphc-auto .f-{r}{{fill:var(--gc-{r})}}.graphc-auto .l-{r}{{stroke:var(--gc-{r})}}" for r in style.light)
    return (
        f"<style>@supports (color:var(--gc)){{svg.graphc-auto{{{light}}}{rules}"
        f"@media (prefers-color-scheme:dark){{svg.graphc-auto{{{dark}}}}}}}</style>"
    )


def _number(value: float) -> str:
    return f"{round(value, 2) + 0.0:g}" if abs(value) < 1e5 else f"{value:.1f}"


def _group(group: Group, style: Style) -> str:
    title = f"<title>{escape(clean(group.title))}</title>" if group.title else ""
    body = "".join(_primitive(p, style) for p in group.parts)
    return f'<g id={quoteattr(group.id)} class="gc-{group.kind}">{title}{body}</g>'


def _paint(style: Style, fill: str, line: str, thickness: float, dash: str) -> str:
    classes = " ".join([*([f"f-{fill}"] if fill else []), *([f"l-{line}"] if line else [])])
    text = f' class="{classes}"' if classes else ""
    text += f' fill="{style.light[fill] if fill else "none"}"'
    if line:
        text += f' stroke="{style.light[line]}" stroke-width="{_number(thickness)}"'
        text += f' stroke-dasharray="{dash.replace(" ", ",")}"' if dash else ""
    return text


def _primitive(part: Primitive, style: Style) -> str:
    if isinstance(part, Area):
        rounded = f' rx="{_number(part.radius)}"' if part.radius else ""
        faint = f' fill-opacity="{part.opacity:g}"' if part.opacity != 1 else ""
        place = f'x="{_number(part.x)}" y="{_number(part.y)}" width="{_number(part.width)}" height="{_number(part.height)}"'
        return f"<rect {place}{rounded}{_paint(style, part.fill, part.line, part.thickness, part.dash)}{faint}/>"
    if isinstance(part, Curve):
        (x, y), *rest = part.points
        steps = " ".join(f"{_number(a)},{_number(b)}" for a, b in rest)
        faint = f' stroke-opacity="{part.opacity:g}"' if part.opacity != 1 else ""
        return f'<path d="M{_number(x)},{_number(y)}C{steps}"{_paint(style, "", part.line, part.thickness, part.dash)}{faint}/>'
    if isinstance(part, Polygon):
        points = " ".join(f"{_number(a)},{_number(b)}" for a, b in part.points)
        return f'<polygon points="{points}"{_paint(style, part.fill, part.line, part.thickness, part.dash)}/>'
    return _label(part, style)


def _label(label: Label, style: Style) -> str:
    drawn = glyph(label.text, label.size)
    left, top = label.x - drawn.width / 2, label.y - drawn.height / 2
    paint = f'class="f-{label.role}" fill="{style.light[label.role]}"'
    if drawn.text:
        baseline = _number(top - drawn.top)
        font = f'font-family="sans-serif" font-size="{_number(drawn.size)}"'
        return f'<text x="{_number(label.x)}" y="{baseline}" text-anchor="middle" {font} {paint}>{escape(clean(drawn.text))}</text>'
    return f'<path transform="translate({_number(left - drawn.left)},{_number(top - drawn.top)})" d="{drawn.path}" {paint}/>'
