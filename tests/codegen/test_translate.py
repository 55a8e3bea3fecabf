"""Our own front-end and Numba make the same of a kernel's source, construct by construct; what is not known is left to Numba."""

from __future__ import annotations

import ctypes
import itertools
import math
from typing import Any

import numpy as np
import pytest

from graphc.codegen import cache
from graphc.codegen.native import SUPPORTED, link, object_code, outside
from graphc.codegen.translate import Unknown, translate

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="objects are read where they are ELF of 64 bits")

HEAD = """import math

import numpy as np

from graphc.codegen.kernel import *

C0 = np.float32(0.1)
C1 = np.float64('-inf')
C2 = np.int64(-7)


@compiled
"""
RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
NUMBERS = itertools.count()
# x: floats, k: whole numbers, p: bools, and results: y of floats, d of doubles, q of whole numbers; n = 6.
KINDS = {"x": "floats32", "k": "integers", "p": "bools", "y": "floats32", "d": "floats64", "q": "integers"}
BODIES = {
    "entries": """
for i in range(n):
    y[i] = x[i] + C0
    q[i] = k[i] + C2 - p[i]
""",
    "arithmetic": """
for i in range(n):
    y[i] = -x[i] * x[i] / (x[i] - C0)
    q[i] = -k[i] * 3 - (k[i] & 6 | 1)
""",
    "comparisons": """
for i in range(n):
    q[i] = np.int64(x[i] < C0) + 2 * np.int64(x[i] != x[i]) + 4 * np.int64(x[i] >= C0) + 8 * np.int64(x[i] == C0)
    p[i] = (k[i] > 1) | (k[i] == -7)
    y[i] = np.float32(not (k[i] <= 0))
""",
    "conversions": """
for i in range(n):
    d[i] = np.float64(k[i]) - np.float64(x[i])
    y[i] = np.float32(k[i] != 0) + np.float32(d[i])
    q[i] = np.int64(x[i]) if math.sqrt(abs(x[i])) < C0 * C0 else 9
""",
    "a running sum": """
running = C0
for i in range(n):
    running = total(running, x[i])
    y[i] = running
q[0] = i
""",
    "branches": """
for i in range(n):
    if k[i] > 2:
        q[i] = 1
    elif p[i]:
        q[i] = 2
    else:
        q[i] = 3
        continue
    if i == 4:
        break
""",
    "an early end": """
for i in range(n):
    q[i] = 5
    if i == 3:
        return
q[0] = 8
""",
    "waiting": """
left = n
while True:
    left -= 1
    q[left] = q[left] + left
    if left == 2:
        break
while left < 5:
    left += 2
q[0] = left
""",
    "whole quotients": """
for i in range(n):
    q[i] = (k[i] // 4) * 1000 + (-k[i] // 3) + (k[i] // (i - 1))
""",
    "bits": """
for i in range(n):
    q[i] = (k[i] << 3) ^ (k[i] >> 1) ^ ~k[i] ^ min(k[i], 2) ^ max(-3, k[i])
""",
    "conditions": """
for i in range(n):
    p[i] = k[i] > 0 and k[i] < 4 or i == 5
""",
    "ranges": """
for i in range(low, high):
    q[i] = worker
    for j in range(i):
        q[i] = q[i] + j
""",
    "intrinsics": """
for i in range(n):
    y[i] = exp(x[i]) + maximum(sin(x[i]), C0) + select(p[i] != 0, x[i], C0)
    q[i] = checked(q, k[i], 5, 2)
""",
    "part of a vector": """
for i in range(n):
    for j in partial(n):
        d[j] = d[j] + np.float64(x[i])
        y[j] = exp(x[j]) + C0
running = C0
for j in partial(n):
    running = total(running, x[n - 1])
y[0] = running
""",
    "iterations apart": """
for i in range(2):
    for j in apart(n - 2):
        y[j + i] = x[j] * C0
    for j in apart(i, n):
        y[j] = y[j] + C0
        d[j] = d[j] * 2.0
""",
    "exchanged axes": """
turned(y, 0, 2, x, 0, 3, 0, 3, 0, 2)
turned(q, 1, 2, k, 1, 2, low - 1, n // 3, 0, 2)
""",
    "precision": """
for i in range(n):
    d[i] = np.float64(x[i]) * 2.0 + k[i] * 0.5 + C1 * 0.25
""",
    "sizes": """
for i in range(n):
    q[i] = abs(k[i])
    y[i] = abs(x[i])
""",
}
UNKNOWN = [
    "q[0] = k[0] % 3", "q[0] = len(x)", "y[0] = k[0]", "y[0] = x[0] + k[0]", "a = 1\na = x[0]", "y[0] = unheard(x[0])", "y[0] = z", "return n",
    "q[0] = k[0] or 2", "for i in range(0, n, 2):\n    q[i] = 1", "for i in k:\n    q[i] = 1", "if n > 1:\n    x = y\nx[0] = C0",
    "y[0], y[1] = C0, C0", "while n > 9:\n    q[0] = 1\nelse:\n    q[0] = 2", "y[0] += C0", "y[0] = math.exp(x[0])", "q[0] = 1 < k[0] < 3",
    "lambda: 0", "q[0] = logdet(d, d, d, 1, 1)",
]  # fmt: skip


def arrays() -> list[Any]:
    x = np.array([0.1, -2.5, math.nan, math.inf, 0.0, 1e-3], np.float32)
    k = np.array([3, -7, 0, 1, 100, 5], np.int64)
    return [x, k, np.array([1, 0, 1, 0, 0, 1], np.uint8), np.zeros(6, np.float32), np.zeros(6), np.zeros(6, np.int64)]


def source(body: str, name: str) -> str:
    lines = [*(f"{b} = {kind}(row, {i})" for i, (b, kind) in enumerate(KINDS.items())), "n = integer(row, 6)", *body.strip().splitlines()]
    return f"{HEAD}def {name}(row, low, high, worker):\n" + "".join(f"    {line}\n" for line in lines)


def run(address: int) -> list[Any]:
    given = arrays()
    row = np.array([a.ctypes.data for a in given] + [6], np.int64)
    RUN(address)(row.ctypes.data, 1, 5, 3)
    return given


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_both_compilers_make_the_same_of_it(body: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    name = f"kernel_of_a_test_{next(NUMBERS)}"
    code = object_code(translate(source(body, name)))
    ours = link(name, outside(code), code)
    assert ours is not None
    monkeypatch.setenv("GRAPHC_CACHE_DIR", str(tmp_path))
    function = cache.numbas(source(body, f"{name}_by_numba"), f"{name}_by_numba")
    changed = False
    for got, want, before in zip(run(ours), run(int(function.address)), arrays(), strict=True):
        np.testing.assert_array_equal(got, want)
        changed |= not np.array_equal(got, before, equal_nan=got.dtype.kind == "f")
    assert changed


@pytest.mark.parametrize("body", UNKNOWN)
def test_what_it_does_not_know_is_left_to_numba(body: str) -> None:
    with pytest.raises(Unknown):
        translate(source(body, "kernel_of_a_test"))


# Each has one addition of 1 to a word, or one exchange of its 0 for 1, in every place where an expression may stand.
ONCE = [
    "if not swap(at, 0, 1):\n    store(at, 9)", "if True and not swap(at, 0, 1):\n    store(at, 9)",
    "if False or not swap(at, 0, 1):\n    store(at, 9)",
    "n = -add(at, 1)", "n = ~add(at, 1)", "n = add(at, 1) // 3 + 1", "n = 2 if add(at, 1) == 0 else 3", "n = min(add(at, 1), 4)",
    "for _ in range(add(at, 1)):\n    store(at, 9)", "while not swap(at, 0, 1):\n    store(at, 9)\n    break", "n = 1\nn += add(at, 1)",
    "q = integers(row, 0)\nq[add(at, 1) + 1] = 5", "q = integers(row, 0)\nn = q[add(at, 1) + 1]", "q = integers(row, 0)\nq[1] = add(at, 1)",
]  # fmt: skip


@pytest.mark.parametrize("body", ONCE)
def test_what_has_an_effect_happens_once(body: str) -> None:
    name = f"effect{next(NUMBERS)}"
    lines = "".join(f"    {line}\n" for line in ["at = integer(row, 0)", *body.split("\n")])
    head = "from graphc.codegen.atomics import *\nfrom graphc.codegen.kernel import *\n\n\n@compiled\n"
    code = object_code(translate(f"{head}def {name}(row, low, high, worker):\n{lines}"))
    address = link(name, outside(code), code)
    assert address is not None
    words = np.zeros(4, np.int64)
    row = np.array([words.ctypes.data], np.int64)
    RUN(address)(row.ctypes.data, 0, 0, 0)
    assert words[0] == 1
