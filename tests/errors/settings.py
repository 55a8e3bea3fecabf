"""Settings that mean nothing: of layers, activations, losses, optimizers, metrics; each row is what takes them, and for each its wrong values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import graphc as gx
from tests.errors.common import Mistake, v

__all__ = ["MISTAKES"]

Settings = Mapping[str, Sequence[Any]]
# What SymPy would carry out, if it were given the text.
CODE = "__import__('os').abort()"
NAN, INFINITE = float("nan"), float("inf")

FUNCTIONS: list[tuple[str, Callable[..., Any], Settings]] = [
    (
        "relu",
        lambda **options: gx.activations.relu(v(), **options),
        {"negative_slope": (CODE, None, True), "max_value": (CODE, INFINITE), "threshold": (CODE, NAN)},
    ),
    ("leaky_relu", lambda **options: gx.activations.leaky_relu(v(), **options), {"negative_slope": (CODE, None, [0.1])}),
    ("elu", lambda **options: gx.activations.elu(v(), **options), {"alpha": (CODE, "1", 1j)}),
    ("celu", lambda **options: gx.activations.celu(v(), **options), {"alpha": (CODE, 0, -1.0)}),
    ("huber", lambda **options: gx.losses.huber(v(), v(), **options), {"delta": (CODE, 0, -1)}),
    ("binary_crossentropy", lambda **options: gx.losses.binary_crossentropy(v(), v(), **options), {"label_smoothing": (CODE, 2, -0.1)}),
    ("categorical_crossentropy", lambda **options: gx.losses.categorical_crossentropy(v(), v(), **options), {"label_smoothing": ("a", 2, None)}),
]
WITH_OTHERS: list[tuple[str, Callable[..., Any], Settings]] = [
    ("Conv2D", lambda **options: gx.layers.Conv2D(**{"filters": 4, "kernel_size": 3, **options}), {
        "filters": (0, "a", True), "kernel_size": (0, (3, 3, 3), "3"), "strides": (0, (1, 0)), "dilation_rate": (0,), "groups": (0, -1, 1.5),
    }),
    ("SeparableConv2D", lambda **options: gx.layers.SeparableConv2D(**{"filters": 4, "kernel_size": 3, **options}), {
        "filters": (0,), "strides": ("a",), "depth_multiplier": (0,),
    }),
    ("Embedding", lambda **options: gx.layers.Embedding(**{"input_dim": 4, "output_dim": 3, **options}), {"input_dim": (0, 2.5), "output_dim": (True,)}),
    ("MultiHeadAttention", lambda **options: gx.layers.MultiHeadAttention(**{"num_heads": 2, "key_dim": 3, **options}), {
        "num_heads": (0,), "key_dim": (0.5,), "value_dim": (0,), "dropout": ("a", 1), "output_shape": (0,),
    }),
    ("ExponentialDecay", lambda **options: gx.schedules.ExponentialDecay(**{"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5, **options}), {
        "initial_learning_rate": ("a", -1), "decay_steps": ("a", 0), "decay_rate": ("a",),
    }),
    ("InverseTimeDecay", lambda **options: gx.schedules.InverseTimeDecay(0.1, 5, **options), {"decay_rate": ("a", -1)}),
    ("PolynomialDecay", lambda **options: gx.schedules.PolynomialDecay(0.1, 5, **options), {"power": ("a", NAN), "end_learning_rate": (-1,)}),
    ("CosineDecay", lambda **options: gx.schedules.CosineDecay(0.1, 5, **options), {"alpha": ("a", -1), "warmup_steps": ("a",), "warmup_target": ("a",)}),
    ("OneCycle", lambda **options: gx.schedules.OneCycle(0.1, 5, **options), {"pct_start": ("a", 2), "div_factor": ("a", 0), "final_div_factor": (-1,)}),
    ("PiecewiseConstantDecay", lambda boundaries: gx.schedules.PiecewiseConstantDecay([boundaries], [0.1, 0.2]), {"boundaries": ("a", None)}),
    ("LSTM", lambda **options: gx.layers.LSTM(3, **options), {"dropout": (1, "a"), "recurrent_dropout": (-1,)}),
]  # fmt: skip
CLASSES: list[tuple[Callable[..., Any], Settings]] = [
    (gx.losses.Huber, {"delta": (CODE, 0, -1, None)}),
    (gx.losses.BinaryCrossentropy, {"label_smoothing": ("a", 1.5)}),
    (gx.losses.CategoricalCrossentropy, {"label_smoothing": ("a", -0.5)}),
    (gx.optimizers.SGD, {"momentum": ("a", 1.5, -0.1, None), "dampening": ("a", 2), "clipnorm": ("a", -1, NAN), "weight_decay": (-1,)}),
    (gx.optimizers.RMSprop, {"rho": ("a", 1), "momentum": (1.0,), "epsilon": ("a", -1, INFINITE)}),
    (gx.optimizers.Adagrad, {"initial_accumulator_value": ("a", -1), "epsilon": (-1,), "learning_rate_decay": ("a", -0.1)}),
    (gx.optimizers.Adadelta, {"rho": ("a", -1), "epsilon": (-1,)}),
    (gx.optimizers.Adam, {"beta_1": ("a", 1), "beta_2": (-0.5, True), "epsilon": ("a", -1, NAN), "clipvalue": ([1],)}),
    (gx.optimizers.Adamax, {"epsilon": (-1,)}),
    (gx.optimizers.Nadam, {"momentum_decay": ("a", -1)}),
    (gx.optimizers.Lion, {"beta_2": (2,), "global_clipnorm": ("1",)}),
    (gx.layers.ReLU, {"negative_slope": ("a", None), "max_value": ("a",), "threshold": (NAN,)}),
    (gx.layers.LeakyReLU, {"negative_slope": (None, CODE)}),
    (gx.layers.ELU, {"alpha": ("a",)}),
    (gx.layers.RReLU, {"lower": ("a",), "upper": (None,)}),
    (gx.layers.Dense, {"units": (0, 2.0, True, "2", None)}),
    (gx.layers.Dropout, {"rate": ("a", 1, -0.1, True, NAN)}),
    (gx.layers.GaussianDropout, {"rate": ("a", 1)}),
    (gx.layers.GaussianNoise, {"stddev": ("a", -1)}),
    (gx.layers.Masking, {"mask_value": ("a", NAN)}),
    (gx.layers.BatchNormalization, {"axis": ("a", True), "momentum": ("a", 1.5), "epsilon": ("a", -1)}),
    (gx.layers.LayerNormalization, {"axis": ("a", True), "epsilon": ("a", -1)}),
    (gx.layers.RMSNormalization, {"axis": (0.5,), "epsilon": ("a", -1)}),
    (gx.layers.UnitNormalization, {"axis": ("a",)}),
    (gx.layers.GroupNormalization, {"groups": (0, -2, "a")}),
    (gx.layers.GRU, {"units": (0, 2.5)}),
    (gx.layers.RepeatVector, {"n": (0, "a")}),
    (gx.layers.Permute, {"dims": (2, "ab", (1, 3), (True, 2))}),
    (gx.layers.Cropping1D, {"cropping": ((1,), -1, True)}),
    (gx.layers.ZeroPadding2D, {"padding": ("a", ((1, 2), (3, -4)))}),
    (gx.layers.UpSampling1D, {"size": (0, "a")}),
    (gx.layers.MaxPooling2D, {"pool_size": (0, "a", (2, 2, 2)), "strides": (0,)}),
    (gx.layers.AveragePooling1D, {"pool_size": (0, True)}),
    (gx.layers.DepthwiseConv1D, {"kernel_size": (0, "a", None)}),
    (gx.regularizers.L2, {"l2": ("a", -1)}),
    (gx.initializers.RandomNormal, {"mean": ("a", NAN), "stddev": ("a", -1), "seed": ("a", -1, 0.5)}),
    (gx.initializers.TruncatedNormal, {"stddev": (-1,)}),
    (gx.initializers.RandomUniform, {"minval": ("a", 1), "maxval": (None,)}),
    (gx.initializers.VarianceScaling, {"scale": ("a", 0)}),
    (gx.initializers.GlorotUniform, {"seed": (-1,)}),
    (gx.initializers.Orthogonal, {"gain": ("a",)}),
    (gx.initializers.Identity, {"gain": (NAN,)}),
    (gx.metrics.BinaryAccuracy, {"threshold": (CODE, None, NAN)}),
    (gx.metrics.Precision, {"thresholds": (CODE, [0.5])}),
    (gx.metrics.Recall, {"thresholds": (CODE, INFINITE)}),
    (gx.metrics.TopKCategoricalAccuracy, {"k": (CODE, 0, 2.5, True)}),
]


def _rows(name: str, make: Callable[..., Any], settings: Settings) -> list[Mistake]:
    return [
        (f"{name} {option}={value!r}", lambda o=option, v=value: make(**{o: v}), gx.DeclarationError, (name, f"{option}={value!r}"))
        for option, values in settings.items()
        for value in values
    ]



def _moved(rule: Any) -> Any:
    return gx.optimizers.rule(rule, state={"m": 0.0}).updates(gx.sum(w := gx.parameter("w", (3,))), [w])


RULES: list[Mistake] = [
    ("a rule that returns one value", lambda: _moved(lambda p, g, state, t, lr: p - lr * g), gx.DeclarationError, ("rule", "pair")),
    ("a rule that returns nothing", lambda: _moved(lambda p, g, state, t, lr: None), gx.DeclarationError, ("rule", "None", "pair")),
    ("a rule that returns three values", lambda: _moved(lambda p, g, state, t, lr: (p, g, state)), gx.DeclarationError, ("rule", "pair")),
    ("a rule whose states have no names", lambda: _moved(lambda p, g, state, t, lr: (p, [state["m"]])), gx.DeclarationError, ("rule", "by name")),
    ("a rule that returns a scalar", lambda: _moved(lambda p, g, state, t, lr: (gx.mean(p), state)), gx.ShapeError, ("w(3,)", "scalar", "shape")),
    ("a rule that returns a matrix", lambda: _moved(lambda p, g, state, t, lr: (p[None], state)), gx.ShapeError, ("w(3,)", "(1, 3)")),
]

MISTAKES: list[Mistake] = [
    *RULES,
    *(row for name, make, settings in (*FUNCTIONS, *WITH_OTHERS) for row in _rows(name, make, settings)),
    *(row for make, settings in CLASSES for row in _rows(make.__name__, make, settings)),
]
