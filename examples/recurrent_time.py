"""How long training steps of recurrent networks take, what each pass over recurrences saves, and where an iteration's time goes.

Float32, batch 32, 32 items of 16 features, 64 units, ten classes, Adam; the least of the rounds, in µs of processor time. The
passes are turned off here through the table that the compiler reads; it is no public name.

    GRAPHC_NUM_THREADS=1 python examples/recurrent_time.py [ROUNDS [LAYER ...]]

A LAYER is LSTM, GRU or SimpleRNN; without one all of them are taken.
"""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any

import numpy as np

import graphc as gx
from graphc.rewrite.passes import PASSES

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
LAYERS = sys.argv[2:] or ["LSTM", "GRU", "SimpleRNN"]
WITHOUT = ((), ("kept",), ("fission",), ("bodies",), ("kept", "fission", "bodies"))
COUNT, BATCH = 1024, 32
RNG = np.random.default_rng(0)


def step(kind: str, without: tuple[str, ...]) -> tuple[Any, dict[gx.Tensor, Any]]:
    """A compiled training step and its data."""
    x, y = gx.layers.Input((32, 16)), gx.tensor("y", ("n", 10))
    out = gx.layers.Dense(10)(getattr(gx.layers, kind)(64)(x))
    loss = -gx.mean(gx.sum(y * gx.log_softmax(out), axis=1))
    weights = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    kept = dict(PASSES)
    for name in without:
        del PASSES[name]
    try:
        f = gx.compile([loss, *gx.optimizers.Adam(1e-3).updates(loss, weights)])
    finally:
        PASSES.clear()
        PASSES.update(kept)
    data = RNG.normal(size=(COUNT, 32, 16)).astype("float32")
    return f, {x: data, y: np.eye(10, dtype="float32")[RNG.integers(0, 10, COUNT)]}


def run(table: Any, k: int) -> float:
    """Run one call of a table; how many µs it takes."""
    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(int(table[4 * k]))
    start = time.perf_counter()
    kernel(int(table[4 * k + 1]), 0, int(table[4 * k + 2]), 0)
    return (time.perf_counter() - start) * 1e6


def calls(f: Any, feed: dict[gx.Tensor, Any]) -> list[tuple[str, float]]:
    """The kernels in the loops' bodies, and what one run of each takes with its data in the cache."""
    from graphc.runtime.formulas import formulas_of

    arrays = [feed[t][:BATCH] for t in f.inputs]
    bound, _ = f.bind(tuple(a.shape for a in arrays))
    for tensor, array in zip(f.prepared.placed, arrays, strict=True):
        bound.feed(tensor, array)
    for mirror in bound.mirrors.values():
        mirror.refresh()
    f.set_control(0, 0)
    lines, found = iter(formulas_of(bound.program)), list[tuple[str, float]]()
    for number, call in enumerate(bound.program.calls):
        next(lines)
        run(bound.rows.table, number)  # in order, since memory serves again and again
        if call.loop is None:
            continue
        table = list(bound.loops[number].body._rows.values())[-1].table
        for k in range(len(call.loop.body.calls)):
            found.append(("; ".join(next(lines)), min(run(table, k) for _ in range(300))))
    return found


for kind in LAYERS:
    programs = [step(kind, without) for without in WITHOUT]
    best = [float("inf")] * len(programs)
    order = np.arange(COUNT)
    for _ in range(ROUNDS + 1):
        for k, (f, feed) in enumerate(programs):
            start = time.process_time()
            f.run(feed, order, BATCH)
            best[k] = min(best[k], (time.process_time() - start) / (COUNT // BATCH) * 1e6)
    for without, least in zip(WITHOUT, best, strict=True):
        print(f"{kind:10} {'without ' + ', '.join(without) if without else 'all passes':32} {least:8.0f}")
    for text, least in calls(*programs[0]):
        print(f"    {least:6.2f}  {text[:120]}")
