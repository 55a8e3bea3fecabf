"""The learning curve: training and validation loss over the epochs, as a small self-contained SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

__all__ = ["learning_curve"]

_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 20, 48
# Okabe and Ito's palette; the dash tells the lines apart without colour.
_LINES = (("#0072B2", ""), ("#D55E00", "7 4"), ("#009E73", "2 3"))


def learning_curve(series: Mapping[str, Sequence[float]], kept: int | None = None) -> str:
    """Lines over epochs 1, 2, ..., with a mark at the epoch whose weights were kept.

    Args:
        series: name -> one value an epoch.
        kept: the epoch, counted from 1.
    """
    epochs = max((len(v) for v in series.values()), default=0)
    finite = [v for values in series.values() for v in values if math.isfinite(v)]
    top = _round_up(max(finite, default=1.0))
    parts = [*_axes(epochs, top), *(_mark(kept, epochs) if kept else [])]
    for number, (name, values) in enumerate(series.items()):
        colour, dash = _LINES[number % len(_LINES)]
        points = " ".join(f"{_x(k + 1, epochs):.1f},{_y(v, top):.1f}" for k, v in enumerate(values) if math.isfinite(v))
        stroke = f'stroke="{colour}"' + (f' stroke-dasharray="{dash}"' if dash else "")
        parts.append(f'<polyline points="{points}" fill="none" {stroke} stroke-width="2"/>')
        y = _TOP + 16 + 20 * number
        parts.append(f'<line x1="{_WIDTH - 260}" y1="{y - 4}" x2="{_WIDTH - 226}" y2="{y - 4}" {stroke} stroke-width="2"/>')
        parts.append(f'<text x="{_WIDTH - 218}" y="{y}">{escape(name)}</text>')
    ends = "; ".join(f"{name} from {values[0]:.3g} to {values[-1]:.3g}" for name, values in series.items() if values)
    described = f"Over {epochs} epochs: {ends}." + (f" The weights of epoch {kept} were kept." if kept else "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" class="curve" font-size="13">'
        f"<title>Learning curve</title><desc>{escape(described)}</desc>{''.join(parts)}</svg>"
    )


def _axes(epochs: int, top: float) -> list[str]:
    parts: list[str] = []
    for k in range(5):
        value = top * k / 4
        y = _y(value, top)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    parts += [f'<text x="{_x(e, epochs):.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">{e}</text>' for e in _ticks(epochs)]
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    parts.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">epoch</text>')
    parts.append(f'<text x="16" y="{middle}" transform="rotate(-90 16 {middle})" text-anchor="middle">loss</text>')
    return parts


def _mark(kept: int, epochs: int) -> list[str]:
    x = _x(kept, epochs)
    side = "end" if x > _WIDTH / 2 else "start"
    shift = -6 if side == "end" else 6
    return [
        f'<line class="mark" x1="{x:.1f}" y1="{_TOP + 52}" x2="{x:.1f}" y2="{_HEIGHT - _BOTTOM}" stroke-dasharray="3 3"/>',
        f'<text x="{x + shift:.1f}" y="{_TOP + 72}" text-anchor="{side}">kept: epoch {kept}</text>',
    ]


def _x(epoch: float, epochs: int) -> float:
    return _LEFT + (epoch - 1) / max(epochs - 1, 1) * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - min(value / top, 1.0) * (_HEIGHT - _TOP - _BOTTOM)


def _round_up(value: float) -> float:
    """A little more than ``value``, so that ticks at its quarters read well."""
    if value <= 0:
        return 1.0
    scale = 10 ** math.floor(math.log10(value))
    return next(m * scale for m in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8, 10) if m * scale >= value * 0.999)


def _ticks(epochs: int) -> list[int]:
    if epochs <= 1:
        return [1] * epochs
    step = max(1, round(_round_up(epochs / 8)))
    return [1, *(e for e in range(step, epochs + 1, step) if e > 1)]
