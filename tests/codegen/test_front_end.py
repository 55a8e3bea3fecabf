"""Kernels of ordinary models are compiled by our own front-end: what it does not know would go to Numba, which is slower to
compile and whose code does not bear the same promises, and nobody would notice."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import graphc as gx
from graphc import layers as K
from graphc import optimizers
from graphc.bench.peers.with_graphc import declare
from graphc.codegen import cache
from graphc.codegen.executor import ONCE, PARTS, REPEAT, STEPS
from graphc.codegen.native import SUPPORTED
from graphc.codegen.translate import Unknown, translate
from graphc.expr.graph import inference
from graphc.runtime.pool import HELP
from graphc.runtime.prepare import prepare
from graphc.runtime.source import kernel_sources
from graphc.runtime.table import SPLIT
from tests.bench.test_workloads import TINY
from tests.operations import ROWS
from tests.optimizers.test_optimizers import KERAS, TORCH, problem
from tests.test_compiled import reading, some

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="objects are read where they are ELF of 64 bits")

_LINEAR_ALGEBRA = re.compile(r"^    (inverse|logdet|determinant|cofactor)\d?\(", re.MULTILINE)
_known: set[str] = set()  # sources that have been seen to be translated


def left_over(outputs: Sequence[gx.Tensor], inputs: Sequence[gx.Tensor] | None = None) -> Iterator[tuple[str, str]]:
    """The kernels that the front-end does not know, and why."""
    program = prepare(outputs, inputs).program()
    for dtype in ("float32", "float64"):
        for source in kernel_sources(program, dtype, "vector"):
            if source not in _known:
                try:
                    translate(source)
                    _known.add(source)
                except Unknown as reason:
                    yield source, str(reason)


def trained(loss: gx.Tensor, optimizer: Any = None) -> list[gx.Tensor]:
    """A step of training."""
    weights = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    return [loss, *(optimizer or optimizers.Adam()).updates(loss, weights)] if weights else [loss]


@pytest.mark.parametrize("family", sorted({row.make.__module__ for row in ROWS}))
def test_operations(family: str) -> None:
    rows = some([row for row in ROWS if row.make.__module__ == family], 6)
    found = [(row.id, *found) for row in rows for found in left_over(*reading(row, gradients=True)[:2])]
    assert [f for f in found if not _LINEAR_ALGEBRA.search(f[1])] == []
    assert bool(found) == any(row.name.startswith("linalg.") for row in rows)


@pytest.mark.parametrize("name", TINY)
def test_measured_networks(name: str) -> None:
    *_, loss = declare(TINY[name], TINY[name].data().weights)
    assert list(left_over(trained(loss))) == []


@pytest.mark.parametrize("row", [*KERAS.values(), *TORCH.values()], ids=[*(f"keras: {k}" for k in KERAS), *(f"torch: {k}" for k in TORCH)])
def test_optimizers(row: Any) -> None:
    weights, loss = problem()
    assert list(left_over(row[0].updates(loss, [weights]))) == []


SEQUENCE, IMAGE, ROW = (7, 3), (9, 8, 4), (6,)
LAYERS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "Activation": (lambda: K.Activation("gelu"), ROW), "ActivityRegularization": (lambda: K.ActivityRegularization(0.1), ROW),
    "AdditiveAttention": (K.AdditiveAttention, SEQUENCE), "Attention": (K.Attention, SEQUENCE),
    "AveragePooling1D": (K.AveragePooling1D, SEQUENCE), "AveragePooling2D": (K.AveragePooling2D, IMAGE),
    "BatchNormalization": (K.BatchNormalization, IMAGE), "Bidirectional": (lambda: K.Bidirectional(K.LSTM(3)), SEQUENCE),
    "Conv1D": (lambda: K.Conv1D(5, 3), SEQUENCE), "Conv1DTranspose": (lambda: K.Conv1DTranspose(5, 3, strides=2), SEQUENCE),
    "Conv2D": (lambda: K.Conv2D(5, 3, strides=2, padding="same"), IMAGE), "Conv2DTranspose": (lambda: K.Conv2DTranspose(5, 3, strides=2), IMAGE),
    "Cropping1D": (lambda: K.Cropping1D(1), SEQUENCE), "Cropping2D": (lambda: K.Cropping2D(1), IMAGE), "Dense": (lambda: K.Dense(4), ROW),
    "DepthwiseConv1D": (lambda: K.DepthwiseConv1D(3), SEQUENCE), "DepthwiseConv2D": (lambda: K.DepthwiseConv2D(3, strides=2), IMAGE),
    "Dropout": (lambda: K.Dropout(0.5), ROW), "ELU": (K.ELU, ROW), "Embedding": (lambda: K.Embedding(10, 3, mask_zero=True), ROW),
    "Flatten": (K.Flatten, IMAGE), "GRU": (lambda: K.GRU(5), SEQUENCE), "GaussianDropout": (lambda: K.GaussianDropout(0.3), ROW),
    "GaussianNoise": (lambda: K.GaussianNoise(0.3), ROW), "GlobalAveragePooling1D": (K.GlobalAveragePooling1D, SEQUENCE),
    "GlobalAveragePooling2D": (K.GlobalAveragePooling2D, IMAGE), "GlobalMaxPooling1D": (K.GlobalMaxPooling1D, SEQUENCE),
    "GlobalMaxPooling2D": (K.GlobalMaxPooling2D, IMAGE), "GroupNormalization": (lambda: K.GroupNormalization(2), IMAGE),
    "LSTM": (lambda: K.LSTM(5, return_sequences=True), SEQUENCE), "LayerNormalization": (K.LayerNormalization, SEQUENCE),
    "LeakyReLU": (K.LeakyReLU, ROW), "Masking": (K.Masking, SEQUENCE), "MaxPooling1D": (K.MaxPooling1D, SEQUENCE),
    "MaxPooling2D": (lambda: K.MaxPooling2D(3, strides=2), IMAGE), "MultiHeadAttention": (lambda: K.MultiHeadAttention(2, 3), SEQUENCE),
    "PReLU": (K.PReLU, ROW), "Permute": (lambda: K.Permute((2, 1)), SEQUENCE), "RMSNormalization": (K.RMSNormalization, ROW),
    "RReLU": (K.RReLU, ROW), "ReLU": (K.ReLU, ROW), "RepeatVector": (lambda: K.RepeatVector(3), ROW), "Reshape": (lambda: K.Reshape((3, 2)), ROW),
    "SeparableConv1D": (lambda: K.SeparableConv1D(5, 3), SEQUENCE), "SeparableConv2D": (lambda: K.SeparableConv2D(5, 3), IMAGE),
    "SimpleRNN": (lambda: K.SimpleRNN(5), SEQUENCE), "Softmax": (K.Softmax, ROW), "SpatialDropout1D": (lambda: K.SpatialDropout1D(0.5), SEQUENCE),
    "SpatialDropout2D": (lambda: K.SpatialDropout2D(0.5), IMAGE), "TimeDistributed": (lambda: K.TimeDistributed(K.Dense(2)), SEQUENCE),
    "UnitNormalization": (K.UnitNormalization, ROW), "UpSampling1D": (K.UpSampling1D, SEQUENCE), "UpSampling2D": (K.UpSampling2D, IMAGE),
    "ZeroPadding1D": (K.ZeroPadding1D, SEQUENCE), "ZeroPadding2D": (K.ZeroPadding2D, IMAGE),
}  # fmt: skip
MERGES = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"]


def test_every_layer_is_tried() -> None:
    public = {name for name in K.__all__ if name[0].isupper()}
    assert {*LAYERS, *MERGES, "Input", "InputLayer", "Layer"} == public


@pytest.mark.parametrize("name", [*LAYERS, *MERGES])
def test_layers(name: str) -> None:
    make, shape = LAYERS.get(name, (lambda: K.Dot(1) if name == "Dot" else getattr(K, name)(), ROW))
    x = K.Input(shape, dtype="int" if name == "Embedding" else "float")
    given = x if name == "Embedding" else x * gx.parameter("scale", shape, init=1.0)
    two = [given, x] if name in (*MERGES, "Attention", "AdditiveAttention") else given
    y = make()(given, x) if name == "MultiHeadAttention" else make()(two)
    assert list(left_over(trained(gx.mean(y**2)))) == []
    assert list(left_over([inference(y)])) == []


LESSONS = [path.stem for path in sorted(Path(__file__).parent.parent.glob("lessons/test_*.py"))]


@pytest.mark.parametrize("name", LESSONS)
def test_lessons(name: str) -> None:
    module = vars(importlib.import_module(f"tests.lessons.{name}"))
    made = [f() for f in module.values() if "Lesson" in getattr(f, "__annotations__", {}).get("return", "")]
    assert made
    for lesson in [m[0] if isinstance(m, tuple) else m for m in made]:
        for loss, over in zip(lesson.losses, lesson.over, strict=True):
            assert list(left_over([loss, *optimizers.Adam().updates(loss, list(over))])) == []


@pytest.mark.parametrize("source", [ONCE, PARTS, REPEAT, STEPS, HELP, SPLIT], ids=["once", "parts", "repeat", "steps", "help", "split"])
def test_what_runs_the_kernels(source: str) -> None:
    translate(source)


X = gx.tensor("x", (3, 3))
TOLD: dict[str, tuple[gx.Tensor, str, list[str]]] = {
    "ordinary": (gx.sum(gx.exp(X) @ X), "vector", []),
    "linear algebra": (gx.linalg.inv(X + 1), "vector", ["linear algebra, inverse, by Numba"]),
    "the C library's functions": (gx.tanh(X), "libm", ["entry by entry, by Numba"]),
}


@pytest.mark.parametrize("name", TOLD)
def test_who_compiled_a_kernel_is_told(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    y, math, expected = TOLD[name]
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    for compiled_now in (True, False):  # what lies on disk tells it too
        monkeypatch.setattr(cache, "_loaded", {})
        monkeypatch.setattr(cache, "_by_numba", set())
        f = gx.compile(y, math=math)
        assert (f.compiled.compiled > 0) == compiled_now
        assert f.compiled.by_numba == len(expected)
        head, *rest = f.explain().splitlines()
        assert head.endswith(f"; {len(expected)} by Numba") == bool(expected)
        assert [line.split(": ", 1)[1] for line in rest if "Numba" in line] == expected
