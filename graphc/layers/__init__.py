"""Layers; ``gx.layers``. A layer of one's own subclasses :class:`Layer` with ``build`` and ``call``, in tensors."""

from __future__ import annotations

from graphc.layers.activation import ELU, LeakyReLU, PReLU, ReLU, RReLU, Softmax
from graphc.layers.attention import AdditiveAttention, Attention, MultiHeadAttention
from graphc.layers.base import Layer
from graphc.layers.convolution import (
    AveragePooling1D,
    AveragePooling2D,
    Conv1D,
    Conv2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from graphc.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, Reshape
from graphc.layers.lookup import Embedding
from graphc.layers.merging import Add, Average, Concatenate, Maximum, Minimum, Multiply, Subtract
from graphc.layers.normalization import BatchNormalization
from graphc.layers.recurrent import GRU, LSTM, SimpleRNN
from graphc.layers.regularization import ActivityRegularization, GaussianDropout, GaussianNoise, LayerNormalization
from graphc.layers.wrappers import Bidirectional, TimeDistributed

__all__ = [
    "Activation", "ActivityRegularization", "Add", "AdditiveAttention", "Attention", "Average", "AveragePooling1D", "AveragePooling2D",
    "BatchNormalization", "Bidirectional", "Concatenate", "Conv1D", "Conv2D", "Dense", "Dropout", "ELU", "Embedding", "Flatten", "GRU",
    "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "Input",
    "InputLayer", "LSTM", "Layer", "LayerNormalization", "LeakyReLU", "MaxPooling1D", "MaxPooling2D", "Maximum", "Minimum", "MultiHeadAttention",
    "Multiply", "PReLU", "RReLU", "ReLU", "Reshape", "SimpleRNN", "Softmax", "Subtract", "TimeDistributed",
]  # fmt: skip
