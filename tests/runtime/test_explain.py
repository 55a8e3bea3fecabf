"""What ``explain`` and ``source`` say, and that saying it changes nothing."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.expr.dims import Dim
from graphc.expr.graph import topological
from graphc.expr.stage import Stage
from graphc.rewrite.passes import PASSES, PURPOSES, rewrite
from graphc.rewrite.trace import changed, trace
from graphc.runtime import measure
from graphc.runtime.formulas import Formulas, calls_of
from graphc.runtime.prepare import prepare
from graphc.runtime.work import work_of

RNG = np.random.default_rng(0)


def mlp() -> tuple[list[gx.Tensor], list[Any]]:
    """A training step with dropout, so that it draws random numbers, and with states that are written in place."""
    x, y = gx.tensor("x", ("n", 6)), gx.tensor("y", ("n", 3))
    h = gx.layers.Dropout(0.3)(gx.layers.Dense(8, activation="tanh", name="hidden")(x))
    loss = gx.mean(gx.sum((gx.layers.Dense(3, name="out")(h) - y) ** 2, axis=1)).named("loss")
    parameters = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    return [loss, *gx.optimizers.Adam(1e-2).updates(loss, parameters)], [RNG.normal(size=(9, 6)), RNG.normal(size=(9, 3))]


def recurrent() -> tuple[list[gx.Tensor], list[Any]]:
    """A training step with two loops, forwards and backwards."""
    x, y = gx.tensor("x", ("n", 5, 4)), gx.tensor("y", ("n", 8))
    loss = gx.mean((gx.layers.LSTM(8, name="memory")(x) - y) ** 2).named("loss")
    parameters = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    return [loss, *gx.optimizers.SGD(0.1).updates(loss, parameters)], [RNG.normal(size=(7, 5, 4)), RNG.normal(size=(7, 8))]


def table() -> tuple[list[gx.Tensor], list[Any]]:
    """Rows by their ids, and the scatter of their gradient."""
    ids = gx.tensor("ids", ("n",), dtype="int")
    rows = gx.parameter("rows", (10, 4), init=1.0)
    loss = gx.sum(gx.tanh(gx.take(rows, ids, axis=0) * 0.5)).named("loss")
    return [loss, *gx.optimizers.SGD(0.1).updates(loss, [rows])], [np.array([3, 1, 3, 9])]


def image() -> tuple[list[gx.Tensor], list[Any]]:
    """Windows, in parts."""
    x = gx.tensor("x", ("n", 9, 9, 2))
    h = gx.layers.AveragePooling2D(2)(gx.layers.Conv2D(3, 3, padding="same", activation="relu")(x))
    loss = gx.mean(h**2).named("loss")
    parameters = [t for t in gx.leaves(loss).values() if t.kind == "parameter"]
    return [loss, *gx.optimizers.SGD(0.1).updates(loss, parameters)], [RNG.normal(size=(3, 9, 9, 2))]


PROGRAMS: dict[str, Callable[[], tuple[list[gx.Tensor], list[Any]]]] = {"mlp": mlp, "recurrent": recurrent, "table": table, "image": image}


@pytest.fixture(scope="module")
def quick() -> Any:
    """No more time than a test needs."""
    kept = measure._SECONDS, measure._WHOLE, measure._QUICK
    measure._SECONDS, measure._WHOLE, measure._QUICK = 0.01, 0.005, 0.005
    yield None
    measure._SECONDS, measure._WHOLE, measure._QUICK = kept


def states(program: Any) -> list[np.ndarray[Any, Any]]:
    return [t.value for t in program.program.states]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_explaining_changes_nothing(name: str, dtype: str, quick: None) -> None:
    outputs, arrays = PROGRAMS[name]()
    leaves = [t for t in gx.leaves(outputs).values() if t.kind in ("parameter", "state")]
    beginning = [t.value for t in leaves]
    f = gx.compile(outputs, dtype=dtype)

    def run(explain: bool) -> list[Any]:
        f.step = 0
        for tensor, value in zip(leaves, beginning, strict=True):
            tensor.value = value
        seen: list[Any] = []
        for _ in range(3):
            seen += [*f(*arrays, seed=5), *states(f)]
            memory = [f.control, *(m.array for m in f._latest.mirrors.values())]
            before = [a.copy() for a in memory]
            if explain:
                f.explain()
            for array, value in zip(memory, before, strict=True):
                np.testing.assert_array_equal(array, value)
        assert f.step == 3
        return seen

    for one, other in zip(run(False), run(True), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_interrupted_measurement_leaves_everything_as_it_was(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs, arrays = mlp()
    f = gx.compile(outputs)
    f(*arrays)
    before, words = states(f), f.control.copy()
    done = f._execute
    count = 0

    def interrupted(row: int) -> None:
        nonlocal count
        done(row)
        count += 1
        if count == len(f.program.calls):
            raise KeyboardInterrupt

    monkeypatch.setattr(f, "_execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        f.explain()
    assert count == len(f.program.calls)
    np.testing.assert_array_equal(f.control, words)
    for mirror, value in zip(f._latest.written, before, strict=True):
        np.testing.assert_array_equal(mirror.array.astype(value.dtype), value)


def test_large_inputs_are_not_read_where_their_callers_had_them(quick: None) -> None:
    x = gx.tensor("x", ("n", 64))
    w = gx.parameter("w", (64, 3), init=0.5)
    f = gx.compile([gx.sum(x @ w, axis=0), gx.assign(w, w * 0.5)])
    array = RNG.normal(size=(512, 64)).astype(np.float32)  # large enough to be read in place
    first = f(array)[0]
    bound = f._latest
    address, lent = array.ctypes.data, f.prepared.placed[0]
    assert lent in bound.patched
    assert address in bound.rows.words
    copy = array.copy()
    del array
    gc.collect()
    seen: list[bool] = []
    done = f._execute
    f._execute = lambda row: (seen.append(address in bound.rows.words), done(row))[1]
    f.explain()
    assert seen
    assert not any(seen)
    f._execute = done
    np.testing.assert_array_equal(np.asarray(f(copy)[0]) * 2, first)  # the weights were halved once, by the call before


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_call_has_its_figures(name: str, quick: None) -> None:
    outputs, arrays = PROGRAMS[name]()
    f = gx.compile(outputs)
    assert "operations" not in f.explain()
    f(*arrays)
    text = f.explain()
    assert max(len(line) for line in text.splitlines()[1:]) <= 100
    heads = [line for line in text.splitlines() if re.match(r" *kernel_\d+: ", line)]
    costs = re.findall(r"([\d,]+) operations, ([\d,]+) bytes: ([\d.,]+) (µs|ms|ns), (\d+) % of the time", text.replace("\n        ", " "))
    assert len(heads) == len(calls_of(f.program))
    assert len(costs) == len(heads)
    assert all(np.isfinite(float(c[2].replace(",", ""))) and float(c[2].replace(",", "")) >= 0 for c in costs)
    for words in ("One run takes", "one by one", "the peak of", "GB/s", "take longest:"):
        assert words in text.replace("\n", " ")
    if any(": contraction" in h for h in heads):
        assert re.search(r"GFLOP/s,\s+\d+ % of the peak", text)
    timeless = f.explain(measure=False)
    assert "operations" in timeless
    assert "µs" not in timeless
    assert timeless == f.explain(measure=False)


def test_operations_and_bytes_are_counted_by_hand() -> None:
    n, k, m = 7, 5, 3
    x, ids = gx.tensor("x", ("n", k)), gx.tensor("ids", ("n",), dtype="int")
    w, b = gx.parameter("w", (k, m), init=1.0), gx.parameter("b", (m,), init=1.0)
    cases: dict[str, tuple[gx.Tensor, list[Any], int, int]] = {
        "product": (x @ w, [np.ones((n, k))], 2 * n * k * m, 4 * (n * k + k * m + n * m)),
        "started": (x @ w + b, [np.ones((n, k))], 2 * n * k * m + n * m, 4 * (n * k + k * m + m + n * m)),
        "entries": (x * 2 + 1, [np.ones((n, k))], 2 * n * k, 4 * 2 * n * k),
        "function": (gx.tanh(x), [np.ones((n, k))], 20 * n * k, 4 * 2 * n * k),
        "reduced": (gx.sum(x, axis=1), [np.ones((n, k))], n * k, 4 * (n * k + n)),
        "integers": (ids + 1, [np.ones(n, np.int64)], n, 8 * 2 * n),
        "bools": (x > 0, [np.ones((n, k))], n * k, (4 + 1) * n * k),
    }
    for name, (tensor, arrays, operations, moved) in cases.items():
        f = gx.compile(tensor)
        f(*arrays)
        (call,) = f.program.calls
        work = work_of(call, f._latest.sizes, f.floats)
        assert (name, work.operations, work.bytes) == (name, operations, moved)


def test_a_recurrence_does_what_its_body_does_in_each_iteration() -> None:
    outputs, arrays = recurrent()
    f = gx.compile(outputs)
    f(*arrays)
    loops = [c for c in f.program.calls if c.loop is not None]
    assert len(loops) == 2
    for call in loops:
        assert call.loop is not None
        whole = work_of(call, f._latest.sizes, f.floats)
        sizes = call.loop.body.sizes(f._latest.sizes)
        parts = [work_of(c, sizes, f.floats) for c in call.loop.body.calls]
        assert whole.operations == 5 * sum(p.operations for p in parts) > 0
        assert whole.bytes == 5 * sum(p.bytes for p in parts) > 0


def test_the_last_call_gives_the_sizes(quick: None) -> None:
    x = gx.tensor("x", ("n", 3))
    f = gx.compile(gx.tanh(x))
    for rows in (4, 6, 4):
        f(np.ones((rows, 3)))
        assert f"{rows * 3 * 20} operations, {rows * 3 * 8} bytes" in f.explain()


def test_formulas_speak_of_what_is_in_memory() -> None:
    outputs, _ = mlp()
    program = gx.compile(outputs)
    formulas = Formulas(program.program)
    text = "\n".join(line for lines in formulas.lines for line in lines)
    named = {re.split(r"\[| = ", line.removeprefix("where "))[0] for line in text.splitlines()}
    used = set(re.findall(r"\bt\d+\b", text))
    assert used <= named, used - named
    for words in ("hidden[i, j] = ", "loss = ", "hidden/kernel'[i, j] = hidden/kernel[i, j] - ", "sum over k: "):
        assert words in text


@pytest.mark.parametrize(
    ("shape", "wanted"), [(("n",), "t1/n"), (("n", 4), "t1/(4*n)"), (("n", "m"), "t1/(m*n)"), ((Dim.named("n") + 1,), "t1/(n + 1)")], ids=str
)
def test_a_dimension_below_a_fraction_stays_there(shape: Any, wanted: str) -> None:
    f = gx.compile(gx.mean(gx.tensor("x", shape)).named("mean"))
    assert f"    mean = {wanted}\n" in f.explain(measure=False) + "\n"


def test_source_tells_what_buffers_are() -> None:
    x, w, b = gx.tensor("x", ("n", 3)), gx.parameter("w", (3, 2), init=1.0), gx.parameter("b", (2,), init=1.0)
    source = gx.compile([gx.tanh(x).named("h"), (x @ w + b).named("y")]).source
    assert "# h[i, j] = tanh(x[i, j])\n#     b0 = x, b1 = h, n0 = 3*n\n" in source
    assert "# y[i, j] = (sum over k: w[k, j]*x[i, k]) + b[j]\n#     for r in range(n), j in range(2):\n" in source
    assert "#         y[2*r + j] = b[j] + sum(x[3*r + s] * w[2*s + j] for s in range(3))\n" in source


@pytest.mark.parametrize("name", PROGRAMS)
def test_source_is_the_same_for_the_same_graph(name: str) -> None:
    def text() -> str:
        with gx.scope("same"):
            return gx.compile(PROGRAMS[name]()[0]).source

    source = text()
    compile(source, "source", "exec")  # it is Python
    assert source.count("\n@compiled") == len({line for line in source.splitlines() if line.startswith("def kernel_")})
    assert all(len(line) <= 150 for line in source.splitlines())


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_rewrite_is_told(name: str) -> None:
    outputs, _ = PROGRAMS[name]()
    f = gx.compile(outputs)
    text = f.explain(rewrites=True)
    assert text == f.explain(rewrites=True)
    told = text.split("What the passes changed", 1)[1]
    _, changes = trace(f.prepared.before()[1], f.prepared.numbers)
    for change in changes:
        assert re.search(rf"^{change.name}.*: {re.escape(PURPOSES[change.name][:20])}", told, re.MULTILINE)
    assert max(len(line) for line in told.splitlines()) <= 100
    assert re.search(r"^    \+ ", told, re.MULTILINE)
    if name == "recurrent":
        assert "in the body of a recurrence" in told


def test_a_trace_ends_where_the_passes_end() -> None:
    for make in PROGRAMS.values():
        prepared = prepare(make()[0], None)
        final, _ = trace(prepared.before()[1], prepared.numbers)
        again = rewrite(prepared.before()[1], prepared.numbers)
        for one, other in zip(topological(final), topological(again), strict=True):
            assert type(one.op) is type(other.op)
            assert not isinstance(one.op, Stage) or one.op == other.op


def test_a_change_is_what_differs() -> None:
    x = gx.tensor("x", (3,))
    y = gx.tanh(x)
    went, came = changed([gx.exp(y)], [gx.exp(gx.sin(x))])
    assert [str(n.op.body) for n in went if isinstance(n.op, Stage)] == ["tanh(x0)", "exp(x0)"]
    assert [str(n.op.body) for n in came if isinstance(n.op, Stage)] == ["sin(x0)", "exp(x0)"]
    assert changed([y], [y]) == ([], [])


def test_every_pass_has_its_purpose() -> None:
    assert list(PURPOSES) == list(PASSES)
    assert all(PURPOSES.values())


def test_nothing_changed_is_told_too() -> None:
    x = gx.tensor("x", ("n",))
    assert "No pass changed anything." in gx.compile(gx.tanh(x)).explain(rewrites=True)


def test_stable_forms_are_told() -> None:
    z = gx.tensor("z", ("n",))
    text = gx.compile(gx.log(1 + gx.exp(z)).named("s")).explain(rewrites=True)
    assert "stable forms: " in text
    assert "+ s[i] = softplus(z[i])" in text
