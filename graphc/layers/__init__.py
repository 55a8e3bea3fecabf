"""Layers; ``gx.layers``. A layer of one's own subclasses :class:`Layer` with ``build`` and ``call``, in tensors."""

from __future__ import annotations

from graphc.layers.activation import ELU, LeakyReLU, PReLU, ReLU, RReLU, Softmax
from graphc.layers.base import Layer
from graphc.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, Reshape
from graphc.layers.lookup import Embedding
from graphc.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from graphc.layers.regularization import ActivityRegularization, GaussianDropout, GaussianNoise, LayerNormalization

__all__ = [
    "Activation", "ActivityRegularization", "Add", "Average", "Concatenate", "Dense", "Dropout", "ELU", "Embedding", "Flatten", "GaussianDropout",
    "GaussianNoise", "Input", "InputLayer", "Layer", "LayerNormalization", "LeakyReLU", "Maximum", "Minimum", "Multiply", "PReLU", "RReLU",
    "ReLU", "Reshape", "Softmax", "Subtract",
]  # fmt: skip
