"""The networks in PyTensor: those of dense layers, as one compiled function with updates."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from graphc.bench import parts as p
from graphc.bench.peers import Epochs
from graphc.bench.workloads import Data, Workload

__all__ = ["epochs"]


def _loss(tensor: Any, workload: Workload, weights: list[list[Any]], x: Any, beside: Any) -> Any:
    h, divergence = x, None
    for part, w in zip(workload.parts, weights, strict=True):
        if isinstance(part, p.Dense):
            h = h @ w[0] + w[1]
            h = tensor.maximum(h, np.float32(0)) if part.activation == "relu" else tensor.tanh(h) if part.activation else h
        else:
            m, s = h @ w[0] + w[1], h @ w[2] + w[3]
            h = m + tensor.exp(np.float32(0.5) * s) * beside
            divergence = np.float32(-0.5) * (1 + s - m * m - tensor.exp(s)).sum(axis=1).mean()
    if divergence is not None:
        return (tensor.softplus(h) - x * h).sum(axis=1).mean() + divergence
    return -(beside * tensor.special.log_softmax(h, axis=1)).sum(axis=1).mean()


def epochs(workload: Workload, data: Data) -> Epochs:
    """One way: a compiled step, called for each batch; none for networks of other parts."""
    if not all(isinstance(part, p.Dense | p.Latent) for part in workload.parts):
        return {}
    pytensor: Any = import_module("pytensor")
    tensor: Any = import_module("pytensor.tensor")
    pytensor.config.floatX = "float32"
    x, beside, batch = pytensor.shared(data.x), pytensor.shared(data.beside), tensor.lvector()
    weights = [[pytensor.shared(a.copy()) for a in part] for part in data.weights]
    loss = _loss(tensor, workload, weights, x[batch], beside[batch])
    flat = [w for part in weights for w in part]
    t = pytensor.shared(np.float32(0))
    now = t + np.float32(1)
    rate = np.float32(1e-3) / (1 - np.float32(0.9) ** now)
    correction = tensor.sqrt(1 - np.float32(0.999) ** now)
    updates: dict[Any, Any] = {t: now}
    for w, g in zip(flat, tensor.grad(loss, flat), strict=True):
        first, second = (pytensor.shared(np.zeros_like(w.get_value())) for _ in range(2))
        m = np.float32(0.9) * first + np.float32(0.1) * g
        v = np.float32(0.999) * second + np.float32(0.001) * g * g
        updates |= {first: m, second: v, w: w - rate * m / (tensor.sqrt(v) / correction + np.float32(1e-7))}
    step = pytensor.function([batch], loss, updates=updates)

    def epoch(order: Any) -> float:
        return float(np.mean([float(step(batch)) for batch in order.reshape(-1, workload.batch)]))

    return {"function": epoch}
