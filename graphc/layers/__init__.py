"""Layers; ``gx.layers``. A layer of one's own subclasses :class:`Layer` with ``build`` and ``call``, in tensors."""

from __future__ import annotations

from graphc.layers.activation import ELU, LeakyReLU, PReLU, ReLU, RReLU, Softmax
from graphc.layers.base import Layer
from graphc.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, Reshape

__all__ = [
    "Activation", "Dense", "Dropout", "ELU", "Flatten", "Input", "InputLayer", "Layer", "LeakyReLU", "PReLU", "RReLU", "ReLU",
    "Reshape", "Softmax",
]  # fmt: skip
