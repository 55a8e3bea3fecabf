"""Attention as layers: with many heads and weights of its own, or between what is given."""

from __future__ import annotations

import math
from typing import Any

from graphc.errors import DeclarationError, ShapeError
from graphc.expr.build import operand
from graphc.expr.numbers import COUNT, DROPPED, settings
from graphc.expr.tensor import Tensor
from graphc.layers.base import Layer, check_names, entries_of
from graphc.layers.mask import all_of
from graphc.ops.arithmetic import not_equal, tanh, where
from graphc.ops.attention import attention_weights, causal_mask
from graphc.ops.layout import expand_dims, reshape, swapaxes
from graphc.ops.linear import einsum, matmul
from graphc.ops.nn import attention, dropout
from graphc.ops.reduction import sum

__all__ = ["AdditiveAttention", "Attention", "MultiHeadAttention"]


class MultiHeadAttention(Layer):
    r"""Attention of several heads side by side: :math:`\operatorname{softmax}(Q K^\top / \sqrt{d}) V` for each, and a product that joins them.

    Source: Vaswani et al., NeurIPS 2017, arXiv 1706.03762.

    Args:
        num_heads: the number of heads.
        key_dim: the width of each head's queries and keys.
        value_dim: the width of each head's values, by default ``key_dim``.
        dropout: the share of the attention that is dropped in training.
        use_bias: whether the four products add a bias.
        output_shape: the width of the output, by default that of the queries.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer: of all four products.
        activity_regularizer: a penalty on the output.
        seed: taken for Keras's sake.
        options: ``name``, ``trainable``.

    Called as ``layer(query, value, key=None, attention_mask=None, return_attention_scores=False, use_causal_mask=False)``;
    the keys are the values where none are given. ``attention_mask`` (batch, queries, keys) or (queries, keys) is true where
    a query sees a key; what masks of the values and keys leave out is not seen either, and a query that sees no key takes
    nothing.

    Shapes: (batch, queries, d) and (batch, keys, e) to (batch, queries, d), with the scores (batch, heads, queries, keys)
    beside it if asked for. Weights, in this order: ``query/kernel`` (d, heads, key_dim), ``query/bias`` (heads, key_dim), the
    same for ``key`` and ``value``, ``attention_output/kernel`` (heads, value_dim, d), ``attention_output/bias`` (d,).

    Example:
        >>> import graphc as gx
        >>> x = gx.layers.Input((20, 16))
        >>> layer = gx.layers.MultiHeadAttention(num_heads=2, key_dim=8)
        >>> layer(x, x, use_causal_mask=True).shape
        (n, 20, 16)
        >>> layer.weights[0].name, layer.weights[0].shape
        ('multi_head_attention/query/kernel', (16, 2, 8))
    """

    def __init__(
        self, num_heads: int, key_dim: int, value_dim: int | None = None, dropout: float = 0.0, use_bias: bool = True, output_shape: Any = None,
        attention_axes: Any = None, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, seed: int | None = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(activity_regularizer=activity_regularizer, **options)
        kind = type(self).__name__
        width = value_dim if value_dim is not None else key_dim
        self.num_heads, self.key_dim, self.value_dim = settings(kind, COUNT, num_heads=num_heads, key_dim=key_dim, value_dim=width)
        (self.dropout,) = settings(kind, DROPPED, dropout=dropout)
        if attention_axes not in (None, 1, (1,), [1]):
            raise DeclarationError(
                f"MultiHeadAttention(attention_axes={attention_axes!r}): attention is along the axis 1, between batch and features"
            )
        check_names(self, kernel_initializer, bias_initializer, penalties=(kernel_regularizer, bias_regularizer))
        widths = () if output_shape is None else entries_of(output_shape)
        self.output_width = tuple(settings(kind, COUNT, output_shape=w)[0] for w in widths) or None
        self.use_bias = use_bias
        self.kernel_initializer, self.bias_initializer, self.seed = kernel_initializer, bias_initializer, seed
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.products: dict[str, tuple[Tensor, Tensor | None]] = {}

    def __call__(self, query: Any, value: Any = None, key: Any = None, *, training: bool | None = None, **options: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Attention of queries to keys; see the class."""
        if value is None:
            raise DeclarationError(f"{self.name} takes queries and values: {self.name}(x, x) is attention of a sequence to itself")
        return super().__call__(query, value, *([] if key is None else [key]), training=training, **options)

    def build(self, input_shape: Any) -> None:
        """Make the four kernels and their biases."""
        query, value, key = (*input_shape, input_shape[1])[:3] if len(input_shape) < 3 else input_shape
        for what, shape in (("queries", query), ("values", value), ("keys", key)):
            if len(shape) != 3 or not isinstance(shape[-1], int):
                raise ShapeError(f"{self.name} takes {what} (batch, length, features), the features a number, not {shape}")
        self.output_width = self.output_width or (query[-1],)
        heads = self.num_heads
        self._product("query", (query[-1],), (heads, self.key_dim))
        self._product("key", (key[-1],), (heads, self.key_dim))
        self._product("value", (value[-1],), (heads, self.value_dim))
        self._product("attention_output", (heads, self.value_dim), self.output_width)

    def _product(self, name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> None:
        kernel = self.add_weight((*inputs, *outputs), self.kernel_initializer, regularizer=self.kernel_regularizer, name=f"{name}/kernel")
        bias = None
        if self.use_bias:
            bias = self.add_weight(outputs, self.bias_initializer, regularizer=self.bias_regularizer, name=f"{name}/bias")
        self.products[name] = kernel, bias

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The mask of the queries."""
        first = mask[0] if isinstance(mask, list) and mask else None
        return first if isinstance(first, Tensor) else None

    def call(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, query: Tensor, value: Tensor, key: Tensor | None = None, query_mask: Any = None, value_mask: Any = None, key_mask: Any = None,
        attention_mask: Any = None, return_attention_scores: bool = False, use_causal_mask: bool = False, mask: Any = None,
    ) -> Any:  # fmt: skip
        """The output, and if asked for the scores; ``mask`` lists the masks that query, value and key carry."""
        carried = [*(mask if isinstance(mask, list) else []), None, None, None]
        value_mask = value_mask if value_mask is not None else carried[1]
        key_mask = key_mask if key_mask is not None else carried[2]
        key = value if key is None else key
        masks = [None if m is None else expand_dims(_truth(m), (1, 2)) for m in (value_mask, key_mask)]
        if attention_mask is not None:
            masks.append(_over_heads(_truth(attention_mask), self))
        if use_causal_mask:
            masks.append(causal_mask(query.shape[1], value.shape[1]))
        seen = all_of(masks)
        q, k, v = self._heads("query", query), self._heads("key", key), self._heads("value", value)
        if not self.dropout and not return_attention_scores:
            return self._joined(attention(q, k, v, mask=seen))
        weights = attention_weights(matmul(q, swapaxes(k, -1, -2)) * self.key_dim**-0.5, seen)
        result = self._joined(matmul(dropout(weights, self.dropout), v))
        return (result, weights) if return_attention_scores else result

    def _heads(self, name: str, x: Tensor) -> Tensor:
        """(batch, length, features) as (batch, heads, length, width of a head)."""
        kernel, bias = self.products[name]
        y = einsum("ntd,dhk->nhtk", x, kernel)
        return y if bias is None else y + expand_dims(bias, 1)

    def _joined(self, heads: Tensor) -> Tensor:
        kernel, bias = self.products["attention_output"]
        outputs = tuple(self.output_width or ())
        flat = reshape(kernel, (self.num_heads, self.value_dim, math.prod(outputs))) if len(outputs) != 1 else kernel
        y = einsum("nhtv,hvo->nto", heads, flat)
        y = reshape(y, (*y.shape[:2], *outputs)) if len(outputs) != 1 else y
        return y if bias is None else y + bias


class Attention(Layer):
    r"""Attention without kernels: :math:`\operatorname{softmax}(Q K^\top) V`, called on a list ``[query, value]`` or ``[query, value, key]``.

    Source: Luong, Pham and Manning, EMNLP 2015, arXiv 1508.04025.

    Args:
        use_scale: a weight ``scale`` of one entry multiplies the scores.
        score_mode: ``"dot"``, or ``"concat"``: :math:`w \sum \tanh(s (q + k))` with a weight ``concat_score_weight``.
        dropout: the share of the attention that is dropped in training.
        seed: taken for Keras's sake.
        options: ``name``, ``trainable``.

    Shapes: (batch, queries, d), (batch, keys, e) and (batch, keys, d) to (batch, queries, e).

    Example:
        >>> import graphc as gx
        >>> q, v = gx.layers.Input((5, 8), name="q"), gx.layers.Input((7, 8), name="v")
        >>> gx.layers.Attention()([q, v]).shape
        (n, 5, 8)
    """

    def __init__(
        self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0, seed: int | None = None, **options: Any
    ) -> None:  # fmt: skip
        super().__init__(**options)
        (self.dropout,) = settings(type(self).__name__, DROPPED, dropout=dropout)
        if score_mode not in ("dot", "concat"):
            raise DeclarationError(f"{type(self).__name__}(score_mode={score_mode!r}): it is 'dot' or 'concat'")
        self.use_scale, self.score_mode, self.seed = use_scale, score_mode, seed
        self.scale: Any = None
        self.concat_score_weight: Any = None

    def build(self, input_shape: Any) -> None:
        """Make ``scale`` and ``concat_score_weight``, where they are asked for."""
        _several_shapes(self, input_shape)
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The mask of the queries."""
        return mask[0] if isinstance(mask, list | tuple) and mask else None

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """(batch, queries, keys)."""
        if self.score_mode == "dot":
            dots = matmul(query, swapaxes(key, -1, -2))
            return dots if self.scale is None else dots * self.scale
        both = query[:, :, None, :] + key[:, None, :, :]
        return self.concat_score_weight * sum(tanh(both if self.scale is None else self.scale * both), -1)

    def call(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, inputs: Any, mask: Any = None, return_attention_scores: bool = False, use_causal_mask: bool = False
    ) -> Any:
        """The output, and if asked for the scores; ``mask`` is a list of the masks of the queries and of the values."""
        query, value, key = (*inputs, inputs[1])[:3] if len(inputs) == 2 else inputs
        query_mask, value_mask = (*(mask or ()), None, None)[:2]
        masks = [None if value_mask is None else expand_dims(_truth(value_mask), 1)]
        if use_causal_mask:
            masks.append(causal_mask(query.shape[1], value.shape[1]))
        weights = attention_weights(self.scores(query, key), all_of(masks))
        result = matmul(dropout(weights, self.dropout), value)
        if query_mask is not None:
            result = where(expand_dims(_truth(query_mask), 2), result, 0.0)
        return (result, weights) if return_attention_scores else result


class AdditiveAttention(Attention):
    r"""Attention by a sum: :math:`\operatorname{softmax}(\sum_d s_d \tanh(q_d + k_d)) V`, called on ``[query, value]`` or with a key.

    Source: Bahdanau, Cho and Bengio, ICLR 2015, arXiv 1409.0473.

    Args:
        use_scale: a weight ``scale`` (d,); without it all entries count alike.
        dropout: the share of the attention that is dropped in training.
        options: ``name``, ``trainable``.

    Shapes: (batch, queries, d), (batch, keys, e) and (batch, keys, d) to (batch, queries, e).
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **options: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **options)

    def build(self, input_shape: Any) -> None:
        """Make ``scale``, where it is asked for."""
        shapes = _several_shapes(self, input_shape)
        if self.use_scale:
            self.scale = self.add_weight((shapes[0][-1],), "glorot_uniform", name="scale")

    def scores(self, query: Tensor, key: Tensor) -> Tensor:
        """(batch, queries, keys)."""
        both = tanh(query[:, :, None, :] + key[:, None, :, :])
        return sum(both if self.scale is None else self.scale * both, -1)


def _several_shapes(layer: Layer, shapes: Any) -> Any:
    if not isinstance(shapes, list) or len(shapes) not in (2, 3) or not all(isinstance(s, tuple) and len(s) == 3 for s in shapes):
        raise ShapeError(f"{layer.name} is called on a list, [query, value] or [query, value, key], each (batch, length, features), not on {shapes}")
    return shapes


def _truth(mask: Any) -> Tensor:
    """A mask of any numbers as truth values."""
    given = operand(mask)
    return given if given.dtype == "bool" else not_equal(given, 0)


def _over_heads(mask: Tensor, layer: Layer) -> Tensor:
    if mask.ndim not in (2, 3, 4):
        raise ShapeError(f"attention_mask {mask.describe()} of {layer.name}: it is (batch, queries, keys) or (queries, keys)")
    return expand_dims(mask, 1) if mask.ndim == 3 else mask
