"""Threads: how many there are, results that do not depend on it, and company: forks, pools, other threads, Ctrl-C, the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.lower import cost
from graphc.runtime import table
from graphc.runtime import threads as counting

posix = pytest.mark.skipif(os.name != "posix", reason="threads are POSIX's")


@pytest.mark.parametrize(("given", "count"), [("1", 1), (" 1 ", 1), ("2", 2), ("48", 48), ("64", 48), ("0001", 1)])
@posix
def test_a_number_of_threads_is_obeyed(given: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", given)
    x = gx.tensor("x", ("n",))
    f = gx.compile(x + 1)
    assert f.threads == count
    assert f([1.0])[0] == 2.0


@pytest.mark.parametrize("target", ["cpu", "numpy"])
@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5", "²", "1 2"])
def test_anything_else_is_refused(given: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", given)
    x = gx.tensor("x", ("n",))
    with pytest.raises(gx.CompileError, match=r"GRAPHC_NUM_THREADS=.*set it to 1, or unset it"):
        gx.compile(x + 1, target=target)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_the_affinity_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHC_NUM_THREADS", raising=False)
    monkeypatch.setattr(counting, "_quotas", list)
    before = os.sched_getaffinity(0)
    x = gx.tensor("x", (3,))
    assert gx.compile(x + 1).threads == min(len(before), 48)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert gx.compile(x + 1).threads == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({"cpu.max": "max 100000"}, 8), ({"cpu.max": "250000 100000"}, 2), ({"cpu.max": "50000 100000"}, 1), ({}, 8),
        ({"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"}, 8), ({"cpu.cfs_quota_us": "300000", "cpu.cfs_period_us": "100000"}, 3),
        ({"cpu.max": "nonsense"}, 8),
    ],
)  # fmt: skip
@posix
def test_the_quota_of_a_control_group_is_respected(files: dict[str, str], count: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GRAPHC_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(counting, "_quotas", lambda: counting.quota(tmp_path))
    assert counting.thread_count() == count


# Equal results ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that can be divided is, and helpers are woken for it."""
    monkeypatch.setattr(cost, "LEAST", 0)
    monkeypatch.setattr(cost, "CHUNK", 20)
    monkeypatch.setattr(table, "WORTH", 0)


def _mlp() -> tuple[Any, dict[Any, Any]]:
    rng = np.random.default_rng(1)
    x, y = gx.tensor("x", ("n", 67)), gx.tensor("y", ("n", 9))
    w, v = gx.parameter("w", (67, 130), init=rng.normal(size=(67, 130)) / 9), gx.parameter("v", (130, 9), init=rng.normal(size=(130, 9)) / 9)
    c = gx.parameter("c", (130,), init=np.zeros(130))
    loss = -gx.mean(gx.sum(y * gx.log_softmax(gx.tanh(x @ w + c) @ v), axis=1))
    feed = {x: rng.normal(size=(53, 67)), y: np.eye(9)[rng.integers(0, 9, 53)]}
    return [loss, *gx.optimizers.Adam(1e-2).updates(loss, [w, c, v])], feed


def _reductions() -> tuple[Any, dict[Any, Any]]:
    x = gx.tensor("x", ("n", 31, "m"))
    made = [f(x, axis=a) for f in (gx.sum, gx.max, gx.prod, gx.mean) for a in (0, 1, 2, (0, 2))]
    made += [*(gx.argmax(x, axis=a) for a in (0, 1, 2)), gx.softmax(x), gx.sum(x), gx.cumsum(x, axis=0)]
    return made, {x: np.random.default_rng(2).normal(size=(37, 31, 45))}


def _convolution() -> tuple[Any, dict[Any, Any]]:
    rng = np.random.default_rng(3)
    x = gx.tensor("x", (3, 17, 13, 5))
    w = gx.parameter("w", (3, 3, 5, 11), init=rng.normal(size=(3, 3, 5, 11)))
    h = gx.nn.max_pool2d(gx.relu(gx.nn.conv2d(x, w, padding="same")), 2)
    loss = gx.sum(h * h)
    return [loss, *gx.grad(loss, [x, w])], {x: rng.normal(size=(3, 17, 13, 5))}


def _scan() -> tuple[Any, dict[Any, Any]]:
    rng = np.random.default_rng(4)
    x = gx.tensor("x", (19, 6, 33))
    w = gx.parameter("u", (33, 33), init=rng.normal(size=(33, 33)) / 9)
    last, every = gx.scan(lambda c, item: (gx.tanh(c @ w + item), c * 2), x, gx.constant(np.zeros((6, 33))))
    loss = gx.sum(last) + gx.mean(every * every)
    return [loss, every, *gx.grad(loss, [x, w])], {x: rng.normal(size=(19, 6, 33))}


def _random() -> tuple[Any, dict[Any, Any]]:
    x = gx.tensor("x", ("n", 41))
    drawn = [gx.random.uniform((61, 41)), gx.random.normal((2501,)), gx.random.bernoulli((77, 3), p=0.3)]
    return [*drawn, gx.nn.dropout(x, 0.4) * 2], {x: np.random.default_rng(5).normal(size=(59, 41))}


def _moved() -> tuple[Any, dict[Any, Any]]:
    x, ids = gx.tensor("x", ("n", 41)), gx.tensor("ids", ("k",), dtype="int")
    joined = gx.concatenate([x, gx.exp(x)], axis=0)
    feed = {x: np.random.default_rng(6).normal(size=(59, 41)), ids: np.arange(300) % 59}
    return [joined, gx.take(x, ids), gx.grad(gx.sum(gx.take(x, ids) ** 2), x), x.T + 0, gx.pad(x, 3)], feed


PROGRAMS: list[Callable[[], tuple[Any, dict[Any, Any]]]] = [_mlp, _reductions, _convolution, _scan, _random, _moved]


def _results(monkeypatch: pytest.MonkeyPatch, make: Callable[[], tuple[Any, dict[Any, Any]]], count: int, dtype: str) -> list[Any]:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", str(count))
    outputs, feed = make()
    f = gx.compile(outputs, inputs=list(feed), dtype=dtype)
    assert f.threads == count
    found = [r for step in range(4) for r in f(*feed.values(), seed=7, step=step)]
    assert count == 1 or f.divided
    return found


@posix
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", PROGRAMS)
@pytest.mark.usefixtures("divided")
def test_results_are_equal_for_any_number_of_threads(make: Any, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = _results(monkeypatch, make, 1, dtype)
    for count in (2, 3, 5):
        for got, want in zip(_results(monkeypatch, make, count, dtype), alone, strict=True):
            np.testing.assert_array_equal(got, want)


@posix
@pytest.mark.usefixtures("divided")
def test_whole_epochs_are_equal_for_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = []
    for count in (1, 2, 4):
        monkeypatch.setenv("GRAPHC_NUM_THREADS", str(count))
        outputs, feed = _mlp()
        f = gx.compile(outputs, inputs=list(feed))
        arrays = {t: np.tile(a, (8, 1)).astype("float32") for t, a in feed.items()}
        order = np.random.default_rng(0).permutation(8 * 53)
        losses.append([f.run(arrays, order, 48, seed=1)[0] for _ in range(3)])  # the last batch is shorter
    assert losses[0] == losses[1] == losses[2]


# Company ---------------------------------------------------------------------------------------------------------------

PROGRAM = """
import os, sys, threading, time
import numpy as np, graphc as gx
from graphc.lower import cost
from graphc.runtime import pool, table
cost.LEAST, cost.CHUNK, table.WORTH = 0, 20, 0
x = gx.tensor("x", ("n", 64))
f = gx.compile([gx.tanh(x) * 2, gx.sum(x, axis=0), gx.max(x, axis=1)])
a = np.random.default_rng(0).normal(size=(200, 64)).astype("float32")
want = f(a)
assert len(pool._pool.threads) == 2, pool._pool.threads
def right():
    return all((g == w).all() for _ in range(50) for g, w in zip(f(a), want))
assert right()
"""


def _script(text: str, **settings: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(gx.__file__).parent.parent), "GRAPHC_NUM_THREADS": "3", **settings}
    done = subprocess.run([sys.executable, "-c", PROGRAM + text], env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


FORK = """
import warnings; warnings.simplefilter("ignore")
for _ in range(3):
    child = os.fork()
    if child == 0:
        assert pool._pool is None
        ok = right()
        assert len(pool._pool.threads) == 2
        grandchild = os.fork()
        if grandchild == 0:
            os._exit(0 if right() else 1)
        os._exit(0 if ok and os.waitpid(grandchild, 0)[1] == 0 else 1)
    assert right()
    assert os.waitpid(child, 0)[1] == 0
"""
FORK_BUSY = """
import warnings; warnings.simplefilter("ignore")
stop = False
def busy():
    while not stop:
        f(a)
thread = threading.Thread(target=busy)
thread.start()
for _ in range(10):
    child = os.fork()
    if child == 0:
        os._exit(0 if right() else 1)
    assert os.waitpid(child, 0)[1] == 0
stop = True
thread.join()
"""
POOLS = """
import multiprocessing, warnings; warnings.simplefilter("ignore")
def task(_):
    return right()
with multiprocessing.get_context("fork").Pool(3) as workers:
    assert all(workers.map(task, range(6)))
assert right()
"""
TOGETHER = """
g = gx.compile(gx.sin(x) + 1)
wanted = g(a)
bad = []
def many(run):
    for _ in range(200):
        if not run():
            bad.append(run)
same = lambda: all((p == w).all() for p, w in zip(f(a), want))
other = lambda: (g(a) == wanted).all()
threads = [threading.Thread(target=many, args=(run,)) for run in (same, same, other, other)]
for t in threads: t.start()
for t in threads: t.join()
assert not bad
"""
GONE = """
for t in pool._pool.threads:
    assert t.is_alive() and t.daemon
threading.Thread(target=lambda: [f(a) for _ in range(10**9)], daemon=True).start()
time.sleep(0.05)
"""
SLEEPS = """
def awake():
    times = os.times()
    return times.user + times.system
time.sleep(0.2)
before = awake()
time.sleep(1.0)
assert awake() - before < 0.5, awake() - before  # two that spin would take 2 seconds, or 1 on a machine that is busy
"""


@posix
@pytest.mark.parametrize(
    "text", [FORK, FORK_BUSY, POOLS, TOGETHER, GONE, SLEEPS, ""], ids=["fork", "fork while busy", "pools", "together", "gone", "sleeps", "end"]
)
def test_threads_in_company(text: str) -> None:
    _script(text)


@posix
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_threads_under_joblib(backend: str) -> None:
    pytest.importorskip("joblib")
    text = f"""
import warnings; warnings.simplefilter("ignore")
import joblib
def task(seed):
    import numpy as np, graphc as gx
    x = gx.tensor("x", ("n", 64))
    a = np.random.default_rng(seed).normal(size=(300, 64))
    return float(gx.compile(gx.sum(gx.tanh(x) ** 2))(a))
found = joblib.Parallel(n_jobs=2, backend={backend!r})(joblib.delayed(task)(s) for s in range(4))
assert found == [task(s) for s in range(4)]
"""
    _script(text)


# Losses and states of training steps by four threads, on all processors and on a single one, where helpers are always late.
STEPS = """
import faulthandler
faulthandler.dump_traceback_later(90, exit=True)  # who waits for ever is told of
from graphc.codegen.division import WORDS
from graphc.runtime import loop
loop._FEWEST, loop._WORTH = 1, 0
L = gx.layers
def lstm():
    s = L.Input((5, 6))
    return s, L.Dense(3)(L.LSTM(8)(s))
def wide():
    s = L.Input((64,))
    return s, L.Dense(3)(L.Dense(48, activation="tanh")(s))
def conv():
    s = L.Input((6, 6, 2))
    return s, L.Dense(3)(L.Flatten()(L.Conv2D(4, 3, padding="same", activation="relu")(s)))
def training(make):
    s, out = make()
    y = gx.tensor("y", (s.shape[0], 3))
    loss = gx.mean((out - y) ** 2)
    weights = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    outputs = [loss, *gx.optimizers.Adam(1e-2).updates(loss, weights)]
    kept = [t for t in gx.leaves(outputs).values() if t.kind in ("parameter", "state")]
    start = [t.value.copy() for t in kept]
    rng = np.random.default_rng(3)
    batched = {s: rng.normal(size=(31, *map(int, s.shape[1:]))).astype("float32"), y: rng.normal(size=(31, 3)).astype("float32")}
    def run(g):
        for t, v in zip(kept, start):
            t.value = v.copy()
        losses = [g.run(batched, np.arange(31), 11)[0] for _ in range(3)]  # the last batch is shorter
        return losses, [t.value.tobytes() for t in kept]
    made = []
    for count in ("1", "4"):
        os.environ["GRAPHC_NUM_THREADS"] = count
        made.append(gx.compile(outputs))
    expected = run(made[0])
    return lambda: run(made[1]) == expected
jobs = [training(make) for make in (lstm, wide, conv)]
assert all(job() for job in jobs)
words = pool._pool.words
def rounds(count):
    for k in range(count):
        words[WORDS["patience"] // 8] = (0, 10_000, 100_000, 10_000_000)[k % 4]
        words[WORDS["alone"] // 8] = 0  # help is wanted at once
        assert jobs[k % 3](), (k, "another result")
rounds(60)
if hasattr(os, "sched_setaffinity"):
    everywhere = os.sched_getaffinity(0)
    for task in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(task), {min(everywhere)})
    rounds(60)
    for task in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(task), everywhere)
bad = []
lock = threading.Lock()
def mixed():
    for k in range(30):
        with lock:  # a run starts from the same states
            if not jobs[k % 3]():
                bad.append(k)
        if not all((g == w).all() for g, w in zip(f(a), want)):
            bad.append(k)
threads = [threading.Thread(target=mixed) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
assert not bad
assert words[WORDS["asleep"] // 8] <= words[WORDS["helpers"] // 8] == 3
"""
# Chunks that take a helper long: the calling thread waits for it, each chunk is run once, and by a worker that the call has.
LATE = """
import ctypes, faulthandler
faulthandler.dump_traceback_later(60, exit=True)
from graphc.codegen.division import SPLIT, WORDS
from graphc.codegen.executor import executor_address
kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
seen = []
def chunk(row, low, high, worker):
    time.sleep(0.003 if worker else 0.0003)
    seen.append((low, high, worker))
body = kind(chunk)
split = kind(executor_address(SPLIT))
words = pool._pool.words
control = np.zeros(8, np.int64)
control[7] = pool._pool.address
helped = waited = 0
for k in range(80):
    chunks = (2, 3, 8, 48)[k % 4]
    extent = 5 * chunks - 2
    row = np.array([control.ctypes.data, ctypes.cast(body, ctypes.c_void_p).value, 0, extent, 5, chunks, 3, 1000, 1], np.int64)
    words[WORDS["alone"] // 8] = words[WORDS["rest"] // 8] = 0
    words[WORDS["patience"] // 8] = (0, 10_000_000)[k // 4 % 2]
    seen.clear()
    split(row.ctypes.data, 0, 0, 0)
    assert sorted(s[:2] for s in seen) == [(c, min(c + 5, extent)) for c in range(0, extent, 5)], seen
    assert {s[2] for s in seen} <= {0, 1, 2}
    helped += any(s[2] for s in seen)
    waited += int(words[WORDS["rest"] // 8]) > 0
assert helped > 0 and waited > 0, (helped, waited)
# Helpers that have saved more than is lost are wanted again at once.
row = np.array([control.ctypes.data, ctypes.cast(body, ctypes.c_void_p).value, 0, 8, 1, 8, 3, 100_000_000, 1], np.int64)
words[WORDS["alone"] // 8] = words[WORDS["rest"] // 8] = words[WORDS["saved"] // 8] = 0
for k in range(20):
    seen.clear()
    split(row.ctypes.data, 0, 0, 0)
    assert len(seen) == 8
    if any(s[2] for s in seen):
        assert words[WORDS["rest"] // 8] == words[WORDS["alone"] // 8] == 0
assert words[WORDS["saved"] // 8] > 0
"""
FEWER = """
old = pool.threading.Thread.start
def start(thread):
    if thread.name == "graphc-3":
        raise RuntimeError("can't start new thread")
    old(thread)
pool.threading.Thread.start = start
os.environ["GRAPHC_NUM_THREADS"] = "6"
g = gx.compile([gx.tanh(x) * 2, gx.sum(x, axis=0), gx.max(x, axis=1)])
for _ in range(50):
    assert all((p == w).all() for p, w in zip(g(a), want))
assert len(pool._pool.threads) == 2
child = os.fork()
if child == 0:
    pool._files = lambda: os.open("/nowhere", 0)  # no more files: nobody helps
    ok = all((p == w).all() for p, w in zip(g(a), want)) and pool._pool is None
    os._exit(0 if ok else 1)
assert os.waitpid(child, 0)[1] == 0
"""
FORK_COMPILING = """
import signal, warnings; warnings.simplefilter("ignore")
stop = False
def compiling():
    k = 0
    while not stop:
        k += 1
        gx.compile(gx.tanh(x * (k + 0.5)) + x ** (k % 9 + 2))
thread = threading.Thread(target=compiling)
thread.start()
for k in range(5):
    time.sleep(0.03)
    child = os.fork()
    if child == 0:
        signal.alarm(60)  # who waits for ever ends
        os._exit(0 if abs(gx.compile(gx.cos(x * (k + 0.25)))(0 * a) - 1).max() < 1e-6 else 1)
    ended = os.waitpid(child, 0)[1]
    if ended:
        os._exit(1)
stop = True
thread.join()
"""


@posix
def test_training_steps_in_threads_end_with_the_numbers_of_one() -> None:
    _script(STEPS)


@posix
def test_the_caller_waits_for_a_late_helper() -> None:
    _script(LATE)


@posix
def test_fewer_helpers_than_wanted_do() -> None:
    _script(FEWER)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_a_child_of_a_process_that_compiles_may_compile(tmp_path: Path) -> None:
    _script(FORK_COMPILING, GRAPHC_CACHE_DIR=str(tmp_path))


@posix
@pytest.mark.usefixtures("divided")
def test_ctrl_c_ends_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHC_NUM_THREADS", "3")
    outputs, feed = _mlp()
    f = gx.compile(outputs, inputs=list(feed))
    arrays = {t: np.tile(a, (40, 1)).astype("float32") for t, a in feed.items()}
    order = np.arange(40 * 53).repeat(2000)
    f.run(arrays, order[:100], 16)
    # A shell's background jobs ignore it, and it would never come.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()

    def until_it_comes() -> None:
        for _ in range(1000):  # however fast a run is
            f.run(arrays, order, 16)

    with pytest.raises(KeyboardInterrupt):
        until_it_comes()
    timer.join()
    signal.signal(signal.SIGINT, before)
    assert np.isfinite(f.run(arrays, order[:100], 16)[0])
