"""Mistakes in neural operations, picks and joins."""

from __future__ import annotations

import numpy as np

import graphc as gx
from tests.errors.common import Mistake, W, ids, image, taps, v

NEURAL: list[Mistake] = [
    (
        "channels that differ",
        lambda: gx.nn.conv2d(image(), gx.tensor("taps", (3, 3, 5, 2))),
        gx.ShapeError,
        ("image(n, 6, 6, 4)", "taps(3, 3, 5, 2)"),
    ),
    ("an image of rank 3", lambda: gx.nn.conv2d(gx.tensor("image", (6, 6, 4)), taps()), gx.ShapeError, ("image(6, 6, 4)",)),
    ("a kernel of rank 2", lambda: gx.nn.conv2d(image(), W()), gx.ShapeError, ("W(4, 2)",)),
    ("a kernel larger than the image", lambda: gx.nn.conv2d(image(), gx.tensor("taps", (7, 3, 4, 2))), gx.GraphcError, ("image(n, 6, 6, 4)",)),
    ("groups that do not divide", lambda: gx.nn.conv2d(image(), taps(), groups=3), gx.GraphcError, ("groups", "3")),
    ("no groups", lambda: gx.nn.conv2d(image(), taps(), groups=0), gx.GraphcError, ("groups", "0")),
    ("a stride of 0", lambda: gx.nn.conv2d(image(), taps(), strides=0), gx.GraphcError, ("strides", "0")),
    ("three strides", lambda: gx.nn.conv2d(image(), taps(), strides=(1, 1, 1)), gx.GraphcError, ("strides", "(1, 1, 1)")),
    ("a dilation of 0", lambda: gx.nn.conv2d(image(), taps(), dilation=0), gx.GraphcError, ("dilation", "0")),
    ("an unknown padding", lambda: gx.nn.conv2d(image(), taps(), padding="full"), gx.GraphcError, ("padding", "full")),
    ("a negative padding", lambda: gx.nn.conv2d(image(), taps(), padding=-1), gx.GraphcError, ("padding", "-1")),
    ("text for a stride", lambda: gx.nn.conv2d(image(), taps(), strides="two"), gx.GraphcError, ("strides", "two")),
    ("a pool of size 0", lambda: gx.nn.max_pool2d(image(), 0), gx.GraphcError, ("0",)),
    ("a pool of a vector", lambda: gx.nn.max_pool2d(v(), 2), gx.GraphcError, ("v(5,)",)),
    ("a pool larger than its input", lambda: gx.nn.avg_pool2d(image(), 7), gx.GraphcError, ("image(n, 6, 6, 4)",)),
    (
        "a transposed convolution of channels that differ",
        lambda: gx.nn.conv2d_transpose(image(), gx.tensor("taps", (3, 3, 2, 5))),
        gx.ShapeError,
        ("image(n, 6, 6, 4)", "taps(3, 3, 2, 5)"),
    ),
    ("ids of floats", lambda: gx.nn.embedding(W(), v()), gx.GraphcError, ("v(5,)", "int")),
    ("a table of rank 0", lambda: gx.nn.embedding(gx.scalar("a"), ids()), gx.GraphcError, ("a (scalar)",)),
    ("attention of another width", lambda: gx.nn.attention(W(), gx.tensor("K", (3, 5)), W()), gx.ShapeError, ("W(4, 2)", "K(3, 5)")),
    ("attention of other values", lambda: gx.nn.attention(W(), W(), gx.tensor("V", (3, 5))), gx.ShapeError, ("attention", "W(4, 2)", "V(3, 5)")),
    ("attention of a vector", lambda: gx.nn.attention(v(), W(), W()), gx.ShapeError, ("attention", "v(5,)")),
    ("a mask of another shape", lambda: gx.nn.attention(W(), W(), W(), mask=gx.tensor("mask", (4, 5), dtype="bool")), gx.ShapeError, ("mask(4, 5)", "(4, 4)")),
    ("a mask of more axes", lambda: gx.nn.attention(W(), W(), W(), mask=gx.tensor("mask", (2, 4, 4), dtype="bool")), gx.ShapeError, ("mask(2, 4, 4)", "(4, 4)")),
    ("text for a mask", lambda: gx.nn.attention(W(), W(), W(), mask="causal"), gx.DeclarationError, ("mask", "causal")),
    ("text for a scale", lambda: gx.nn.attention(W(), W(), W(), scale="half"), gx.DeclarationError, ("scale", "half")),
    ("a mask of zeros that are no truth values", lambda: gx.nn.attention(W(), W(), W(), mask=np.zeros((4, 4))), gx.DeclarationError, ("mask", "booleans")),
    ("padding as wide as the window", lambda: gx.nn.max_pool2d(image(), 2, padding=2), gx.ShapeError, ("image(n, 6, 6, 4)", "2")),
    ("padding wider than the window on one side", lambda: gx.nn.avg_pool2d(image(), (3, 2), padding=((0, 0), (0, 5))), gx.ShapeError, ("axis 2", "less than 2")),
    ("a batch of numbers", lambda: gx.nn.batch_norm(v(), 1.0, 0.0), gx.ShapeError, ("v(5,)", "[:, None]")),
    ("a negative epsilon", lambda: gx.nn.layer_norm(W(), 1.0, 0.0, epsilon=-1e-5), gx.DeclarationError, ("W(4, 2)", "-1e-05")),
    ("a gamma that adds entries", lambda: gx.nn.layer_norm(gx.tensor("x", (5, 1)), gx.tensor("gamma", (4,)), 0.0), gx.ShapeError, ("x(5, 1)", "gamma(4,)")),
    ("a beta of more axes", lambda: gx.nn.batch_norm(W(), 1.0, gx.tensor("beta", (3, 4, 2))), gx.ShapeError, ("W(4, 2)", "beta(3, 4, 2)")),
    ("a gamma of another size", lambda: gx.nn.batch_norm(W(), v(), v()), gx.ShapeError, ("v(5,)",)),
    ("a beta of another size", lambda: gx.nn.layer_norm(W(), gx.tensor("gamma", (2,)), v()), gx.ShapeError, ("v(5,)",)),
    ("joined widths that differ", lambda: gx.concatenate([W(), gx.tensor("Z", (2, 3))]), gx.ShapeError, ("W(4, 2)", "Z(2, 3)")),
    ("joined ranks that differ", lambda: gx.concatenate([W(), v()]), gx.GraphcError, ("W(4, 2)", "v(5,)")),
    ("nothing joined", lambda: gx.concatenate([]), gx.GraphcError, ("concatenate",)),
    ("nothing stacked", lambda: gx.stack([]), gx.GraphcError, ("stack",)),
    ("stacked shapes that differ", lambda: gx.stack([W(), v()]), gx.GraphcError, ("v(5,)",)),
    ("a split that does not divide", lambda: gx.split(W(), 3), gx.GraphcError, ("W(4, 2)", "3")),
    ("a split of nothing", lambda: gx.split(W(), 0), gx.GraphcError, ("0",)),
    ("a negative pad", lambda: gx.pad(W(), -1), gx.GraphcError, ("-1",)),
    ("a pad of too many axes", lambda: gx.pad(W(), ((1, 1), (1, 1), (1, 1))), gx.GraphcError, ("W(4, 2)",)),
    ("a pick by floats", lambda: gx.take(W(), v()), gx.GraphcError, ("v(5,)", "int")),
    ("a pick along no axis", lambda: gx.take(W(), ids(), axis=2), gx.GraphcError, ("W(4, 2)", "2")),
    ("one_hot of floats", lambda: gx.one_hot(v(), 4), gx.GraphcError, ("v(5,)", "int")),
    ("one_hot of a broken depth", lambda: gx.one_hot(ids(), 2.5), gx.GraphcError, ("2.5",)),
    ("a reshaped sample that is too short", lambda: gx.layers.Reshape((4, 2))(gx.layers.Input((6,), name="s")), gx.ShapeError, ("s(n, 6)", "6", "(4, 2)")),
    ("a reshaped sample that does not divide", lambda: gx.layers.Reshape((4, -1))(gx.layers.Input((6,), name="s")), gx.ShapeError, ("s(n, 6)", "(4, -1)")),
    ("two open sizes of a sample", lambda: gx.layers.Reshape((-1, -1)), gx.ShapeError, ("(-1, -1)", "only one")),
    ("a sample of half a size", lambda: gx.layers.Reshape((2.5,)), gx.DeclarationError, ("2.5",)),
    ("noise for other axes", lambda: gx.layers.Dropout(0.5, noise_shape=(1, 2))(v()), gx.ShapeError, ("v(5,)", "(1, 2)")),
    ("an input of half a size", lambda: gx.layers.Input(np.array([2.5])), gx.DeclarationError, ("2.5",)),
    ("one_hot of a negative depth", lambda: gx.one_hot(ids(), -1), gx.GraphcError, ("-1",)),
]

MISTAKES: list[Mistake] = [*NEURAL]
