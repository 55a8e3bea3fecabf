"""``target="cuda"``: the program as launches on a graphics processor."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.codegen.cuda.device import simulated
from graphc.codegen.cuda.grid import Launch, launches
from graphc.codegen.cuda.machine import allocate, copy
from graphc.codegen.cuda.printer import HEAD, kernel_source
from graphc.errors import CompileError
from graphc.lower.program import Call
from graphc.runtime.batches import ByBatches
from graphc.runtime.device_bound import DeviceBound
from graphc.runtime.formulas import Formulas, calls_of, formulas_of
from graphc.runtime.rewrites import rewrites_text
from graphc.runtime.turns import alone

__all__ = ["CudaCompiled"]

_WORD = 0xFFFFFFFF
_KEPT = 16  # layouts of memory that a program keeps, one for each set of sizes


class CudaCompiled(ByBatches):
    """A function of arrays that runs on the device: arrays go there, results come back, states stay."""

    def _build(self) -> None:
        self.program = self.prepared.program()
        self.control = np.zeros(8, np.int64)
        self._words = allocate(8, np.int64)
        self._layouts: dict[Any, DeviceBound] = {}
        self._by_name = {t.name: k for k, t in enumerate(self.inputs)}

    def __call__(self, /, *arrays: Any, seed: Any = None, step: Any = None, **named: Any) -> Any:
        """The outputs for these arrays; see :meth:`Compiled.__call__`."""
        seed, step = self._draw(seed, step, named)
        given = [None if v is None else self.accept(t, v) for t, v in zip(self.prepared.placed, self._given(arrays, named), strict=True)]
        with alone():
            bound = self._layout(tuple(None if a is None else a.shape for a in given))
            for tensor, array in zip(self.prepared.placed, given, strict=True):
                if array is not None and tensor in bound.memory:
                    copy(bound.memory[tensor], array)
            for mirror in bound.mirrors.values():
                mirror.refresh()
            number = self.step if step is None else step
            self.control[:] = (seed & _WORD, (seed >> 32) & _WORD, int(number) & _WORD, 0, 0, 0, 0, 0)
            self.step += step is None
            copy(self._words, self.control)
            _launch(bound.early)
            if self.program.checks:
                self.control[:] = self._words.copy_to_host()
                self.raise_error(bound.size)
            _launch(bound.late)
            for mirror in bound.written:
                mirror.written()
            results = [bound.fetch(k) for k in range(self.prepared.count)]
        return results if self._many else results[0]

    def _layout(self, shapes: tuple[tuple[int, ...] | None, ...]) -> DeviceBound:
        """The program laid out for inputs of these shapes."""
        if shapes not in self._layouts:
            while len(self._layouts) >= _KEPT:
                del self._layouts[next(iter(self._layouts))]
            self._layouts[shapes] = DeviceBound(self.program, self.sizes(shapes), self.dtype, self._words)
        return self._layouts[shapes]

    # Reading ---------------------------------------------------------------------------------------------------------

    def _kernels(self) -> dict[str, list[tuple[Call, list[str]]]]:
        """The kernels' sources, each with its calls and what they compute."""
        found: dict[str, list[tuple[Call, list[str]]]] = {}
        for call, lines in zip(calls_of(self.program), formulas_of(self.program), strict=True):
            source = "" if call.loop is not None else kernel_source(call.kernel, self.dtype)
            found.setdefault(source, []).append((call, lines))
        return found

    @property
    def source(self) -> str:
        """The generated code: the launches of each kernel under the formulas that they compute."""
        parts = [HEAD]
        for number, (source, uses) in enumerate(self._kernels().items(), 1):
            body = (
                source.removeprefix(HEAD).strip("\n").replace("def kernel_", f"def kernel_{number}_")
                or "# The host launches what follows, for each item."
            )
            parts.append("".join(f"# {line}\n" for _, lines in uses for line in lines) + body + "\n")
        return "\n\n".join(parts)

    def explain(self, measure: bool = True, rewrites: bool = False) -> str:
        """Which stages became which kernels, with their formulas, and what of each the device's threads share out."""
        kernels = self._kernels()
        numbers = {source: number for number, source in enumerate(kernels, 1)}
        by_call = {id(call): source for source, uses in kernels.items() for call, _ in uses}
        calls = calls_of(self.program)
        text = [f"{len(calls)} kernel calls of {len(kernels)} kernels, in {sum(len(launches(c.kernel)) for c in calls if c.loop is None)} launches"]
        for call, lines in zip(calls, formulas_of(self.program), strict=True):
            how = ["a loop of the host's"] if call.loop is not None else [_described(x) for x in launches(call.kernel)]
            text.append(f"kernel_{numbers[by_call[id(call)]]}: {', then '.join(how)}{' (after all checks)' if call.last else ''}")
            text += [f"    {line}" for line in lines]
        return "\n".join([*text, "", rewrites_text(self.prepared, Formulas(self.program))] if rewrites else text)


def _described(launch: Launch) -> str:
    """How a launch is shared out."""
    names = [f"i{s.variable}" for s in launch.shared] + (["rows and columns of a product"] if launch.product is not None else [])
    who = "a thread, or a block," if launch.lanes is not None else "a thread"
    return f"{who} for each of {', '.join(names)}{', added atomically' if launch.atomic else ''}" if names else f"one {who.removeprefix('a ')}"


def _launch(steps: Sequence[Callable[[int], None]]) -> None:
    """Run launches, in their order.

    Raises:
        CompileError: where a kernel cannot be compiled.
    """
    try:
        if not simulated:
            for step in steps:
                step(0)
            return
        with warnings.catch_warnings():  # what is infinite or NaN is so on a device without a word
            warnings.simplefilter("ignore", RuntimeWarning)
            for step in steps:
                step(0)
    except CompileError:
        raise
    except Exception as error:  # noqa: BLE001 - no traceback of the compiler's reaches a user
        raise CompileError(
            f"a kernel could not be run on the device ({type(error).__name__}): please report this, with f.source and {error}"
        ) from None
