"""The table of a model's layers."""

from __future__ import annotations

import math
from typing import Any

from graphc.expr.tensor import Tensor

__all__ = ["summary_text"]


def summary_text(model: Any) -> str:
    """Layers with their output shapes and numbers of parameters, as a table in plain text."""
    rows = [("Layer (type)", "Output shape", "Parameters")]
    for layer in model.layers:
        shape = "?" if layer.output is None else _shape(layer.output)
        kind = getattr(layer, "kind", type(layer).__name__)
        rows.append((f"{layer.name} ({kind})", shape, f"{layer.count_params():,}"))
    mine = {w for layer in model.layers for w in layer.weights}
    rows += [(f"{w.name} ({w.kind})", _shape(w), f"{_size(w):,}") for w in model.weights if w not in mine]
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows]
    rule = "─" * len(lines[0])
    total = sum(_size(w) for w in model.weights)
    trained = sum(_size(w) for w in model.trainable_weights)
    return "\n".join([
        f"Model: {model.name}", rule, lines[0], rule, *lines[1:], rule, f"Total parameters: {total:,}", f"Trainable parameters: {trained:,}",
        f"Non-trainable parameters: {total - trained:,}",
    ])  # fmt: skip


def _shape(t: Tensor) -> str:
    return "(" + ", ".join(map(str, t.shape)) + ("," if t.ndim == 1 else "") + ")"


def _size(t: Tensor) -> int:
    return math.prod(int(e) for e in t.shape)
