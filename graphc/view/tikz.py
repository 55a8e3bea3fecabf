"""A scene as TikZ: the same places, the formulas set by LaTeX itself."""

from __future__ import annotations

from graphc.view.names import escape_latex
from graphc.view.scene import Area, Curve, Label, Polygon, Primitive, Scene
from graphc.view.styles import Style
from graphc.view.svg import clean

__all__ = ["tikz"]


def tikz(scene: Scene, style: Style) -> str:
    """A document of the class ``standalone``; compile it with LuaLaTeX or XeLaTeX where names hold other scripts."""
    colours = "\n".join(rf"\definecolor{{gc-{role}}}{{HTML}}{{{colour[1:].upper()}}}" for role, colour in style.light.items())
    lines = [
        r"\documentclass[border=2pt]{standalone}",
        r"\usepackage{amsmath}",
        r"\usepackage{tikz}",
        colours,
        r"\begin{document}",
        r"\begin{tikzpicture}[x=1bp, y=-1bp, every node/.style={inner sep=0pt}]",
        rf"\fill[gc-background] (0,0) rectangle ({scene.width:g},{scene.height:g});",
    ]
    for group in scene.groups:
        lines.append(f"% {clean(group.title or group.kind)}")
        lines += [_primitive(p) for p in group.parts]
    return "\n".join([*lines, r"\end{tikzpicture}", r"\end{document}", ""])


def _point(x: float, y: float) -> str:
    return f"({round(x, 2) + 0.0:g},{round(y, 2) + 0.0:g})"


def _options(fill: str, line: str, thickness: float, dash: str, opacity: float = 1.0) -> list[str]:
    options = [f"fill=gc-{fill}"] if fill else []
    if line:
        options += [f"draw=gc-{line}", f"line width={thickness:g}bp"]
    if dash:
        on, off = dash.split()
        options.append(f"dash pattern=on {on}bp off {off}bp")
    if opacity != 1:
        options.append(f"fill opacity={opacity:g}")
    return options


def _primitive(part: Primitive) -> str:
    if isinstance(part, Area):
        options = _options(part.fill, part.line, part.thickness, part.dash, part.opacity)
        if part.radius:
            options.append(f"rounded corners={min(part.radius, part.width / 2, part.height / 2):.2f}bp")
        return rf"\path[{', '.join(options)}] {_point(part.x, part.y)} rectangle {_point(part.x + part.width, part.y + part.height)};"
    if isinstance(part, Curve):
        points = [_point(*p) for p in part.points]
        pieces = "".join(f" .. controls {points[k]} and {points[k + 1]} .. {points[k + 2]}" for k in range(1, len(points) - 2, 3))
        return rf"\path[{', '.join(_options('', part.line, part.thickness, part.dash))}] {points[0]}{pieces};"
    if isinstance(part, Polygon):
        outline = " -- ".join(_point(*p) for p in part.points)
        return rf"\path[{', '.join(_options(part.fill, part.line, part.thickness, part.dash))}] {outline} -- cycle;"
    return _label(part)


def _label(label: Label) -> str:
    text = f"${label.text.latex}$" if label.text.latex else escape_latex(clean(label.text.plain))
    size = f"{label.size:g}"
    font = rf"\fontsize{{{size}bp}}{{{size}bp}}\selectfont"
    return rf"\node[text=gc-{label.role}, font={font}] at {_point(label.x, label.y)} {{{text}}};"
