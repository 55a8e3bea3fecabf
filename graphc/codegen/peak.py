"""How many fused multiply-adds the machine can do at all, measured: what every contraction is compared with."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from graphc.codegen.blocks import vector_bytes
from graphc.codegen.rates import best_together

__all__ = ["peak_flops"]

_CHAINS = 28  # sums beside each other: enough to fill the latency of two units, and no more than there are registers
_STEPS = 200_000
_LOOP = """
define void @peak(i64 %n, ptr %memory) {{
entry:
  %y = load {vector}, ptr %memory
  br label %loop
loop:
  %k = phi i64 [0, %entry], [%next, %loop]
{starts}
{sums}
  %next = add i64 %k, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
{stores}
  ret void
}}
declare {vector} @llvm.fma.{suffix}({vector}, {vector}, {vector})
"""


def _source(lanes: int, chains: int) -> str:
    vector, suffix = f"<{lanes} x float>", f"v{lanes}f32"
    starts = [f"  %a{i} = phi {vector} [zeroinitializer, %entry], [%b{i}, %loop]" for i in range(chains)]
    sums = [f"  %b{i} = call {vector} @llvm.fma.{suffix}({vector} %y, {vector} %y, {vector} %a{i})" for i in range(chains)]
    stores = [f"  %p{i} = getelementptr {vector}, ptr %memory, i64 {i}\n  store {vector} %b{i}, ptr %p{i}" for i in range(chains)]
    return _LOOP.format(vector=vector, suffix=suffix, starts="\n".join(starts), sums="\n".join(sums), stores="\n".join(stores))


@cache
def _kernel() -> tuple[Any, Any, int]:
    """The engine, which must stay alive, the function, and its operations a step."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    lanes = vector_bytes() // 4
    chains = _CHAINS if lanes == 16 else _CHAINS // 2
    features = llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(_source(lanes, chains)), machine)
    engine.finalize_object()
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(engine.get_function_address("peak"))
    return engine, function, 2 * lanes * chains


def peak_flops(threads: int = 1, seconds: float = 0.3) -> float:
    """The single-precision operations a second that the machine reaches on so many threads, a fused multiply-add as two.

    Each thread's best of many short runs counts, all running at once, so that a neighbour on the machine lowers it little.
    """
    _, function, operations = _kernel()

    def prepare(_: int) -> Callable[[], float]:
        memory = np.zeros(4096, np.uint8)

        def run() -> float:
            function(_STEPS, (memory.ctypes.data + 63) // 64 * 64)
            return float(_STEPS * operations)

        return run

    return best_together(threads, seconds, prepare)
