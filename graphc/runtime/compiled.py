"""``gx.compile``: from tensors to a function of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import CompileError, DataError
from graphc.expr.build import operand
from graphc.expr.dims import Extent
from graphc.expr.feed import as_array, bind_sizes, check_guards, float_name, id_message, numpy_dtype
from graphc.expr.graph import topological
from graphc.expr.matrices import singular_message
from graphc.expr.numbers import whole_above
from graphc.expr.tensor import Tensor
from graphc.lower.program import Program, Regular
from graphc.runtime import epoch
from graphc.runtime.bound import Bound
from graphc.runtime.denormals import flushes
from graphc.runtime.explain import explanation
from graphc.runtime.formulas import Formulas
from graphc.runtime.given import draw, tables
from graphc.runtime.measure import Measured
from graphc.runtime.measure import measure as measured
from graphc.runtime.pool import pool_address
from graphc.runtime.prepare import Prepared, prepare
from graphc.runtime.rewrites import rewrites_text
from graphc.runtime.source import kernel_sources, program_source
from graphc.runtime.threads import thread_count
from graphc.runtime.turns import alone

if TYPE_CHECKING:
    from graphc.codegen.cache import Report

__all__ = ["Compiled", "check_target", "compile"]

_KEPT = 16  # layouts of memory that a program keeps, one for each set of sizes


def compile(
    outputs: Tensor | Sequence[Tensor], inputs: Sequence[Tensor | str] | Tensor | str | None = None, target: str = "cpu",
    dtype: Any = "float32", math: str = "vector",
) -> Compiled:  # fmt: skip
    """A function that computes the outputs by compiled kernels.

    Args:
        outputs: a tensor, or a list of tensors (the function then returns a list). They may include :func:`graphc.assign`,
            to states and parameters; other outputs of the same call see the old value.
        inputs: what the function takes, in order: tensors, or names of leaves, in a list or one alone; by default the
            tensors declared by ``gx.tensor`` and ``gx.scalar``, in the order of their first use.
        target: ``"cpu"``, ``"numpy"`` or ``"cuda"``.
        dtype: ``"float32"`` or ``"float64"``, or NumPy's types of these names.
        math: whose exp, sin and their like kernels for the CPU use: ``"vector"`` for our own, which compute several entries
            at once, or ``"libm"`` for the C library's, one entry at a time.

    Raises:
        DeclarationError: where ``inputs`` has anything else, or a tensor twice.
        CompileError: for what the target cannot run, saying what is missing, and for a ``GRAPHC_NUM_THREADS`` or a
            ``GRAPHC_DENORMALS`` that means nothing.

    Example:
        >>> import graphc as gx
        >>> from graphc.runtime import compile
        >>> a, b = gx.scalars("a b")
        >>> f = compile((a + b) * (b + 1), dtype="float64")
        >>> float(f(2, 1))
        6.0
    """
    dtype = float_name(dtype)
    if dtype not in ("float32", "float64"):
        raise CompileError(f"dtype={dtype!r}: compiled programs compute in float32 or float64")
    if math not in ("vector", "libm"):
        raise CompileError(f'math={math!r}: use "vector" for functions that compute several entries at once, or "libm" for the C library\'s')
    check_target(target)
    if target == "numpy":
        from graphc.runtime.numpy_target import NumpyCompiled

        return NumpyCompiled(outputs, inputs, dtype)
    if target == "cuda":
        from graphc.runtime.cuda_target import CudaCompiled

        return CudaCompiled(outputs, inputs, dtype)
    return Compiled(outputs, inputs, dtype, math)


def check_target(target: str) -> None:
    """See that there are kernels for a target, and what they take to run.

    Raises:
        CompileError: where there are none, or where something is missing, saying what and how to get it.
    """
    if target not in ("cpu", "numpy", "cuda"):
        raise CompileError(f'target={target!r} is unknown: use "cpu", "numpy" or "cuda"')
    if target == "cuda":
        from graphc.codegen.cuda.available import missing

        reason = missing()
        if reason is not None:
            raise CompileError(f'target="cuda" cannot be used: {reason}; or use target="cpu"')


def _again(_: Any, kind: Any, outputs: Any, inputs: Any, dtype: str, math: str, step: int) -> Compiled:
    """A compiled function of the same graph."""
    made = kind(outputs, inputs, dtype, math)
    made.step = step
    return made


class Compiled:
    """A compiled function: call it with arrays, by position or by name.

    Attributes:
        inputs: the tensors that it takes, in order.
        step: how many calls there have been; the step that random nodes draw for where none is given.
        threads: how many threads it may run on.
        compiled: how many of its kernels were compiled, how many were found on disk, how long that took, and how many of them all
            Numba compiled, since our own front-end does not know them: linear algebra, and those of ``math="libm"``.
        divided: whether any of its calls so far were worth sharing among them.
        flushes: whether numbers below the normal range are 0 while it runs: those of a training step are (docs/design/functions.md).
    """

    def __init__(self, outputs: Tensor | Sequence[Tensor], inputs: Any, dtype: str, math: str = "vector") -> None:
        self._declared = (outputs, inputs)
        self._many = isinstance(outputs, list | tuple)
        wanted = [operand(t) for t in (outputs if isinstance(outputs, list | tuple) else [outputs])]
        self.threads = thread_count()
        self.divided = False
        self.dtype, self.math = dtype, math
        self.floats = np.dtype(dtype)
        self.step = 0
        self.pace: dict[int, int] = {}  # batch size -> batches in about 50 ms
        self.prepared: Prepared = prepare(wanted, inputs)
        self.inputs: list[Tensor] = self.prepared.inputs
        self._build()

    def __reduce__(self) -> Any:
        """A copy, in this process or another, is compiled anew: it has memory of its own, and the graph's copies of parameters and states."""
        # The graph comes from its leaves on, so that no depth of it matters.
        outputs, inputs = self._declared
        graph = topological([operand(t) for t in (outputs if self._many else [outputs])])
        return _again, (graph, type(self), outputs, inputs, self.dtype, self.math, self.step)

    def _build(self) -> None:
        from graphc.codegen.cache import fetch
        from graphc.codegen.division import HELP, SPLIT
        from graphc.codegen.executor import ONCE, PARTS, PIECE, PIECES, REPEAT, STEPS, executor
        from graphc.codegen.printer import PLACEHOLDER, kernel_source

        self._grouped = self.prepared.program(apart=True)
        self.program = self._grouped.flat
        self.flushes = flushes(self.program.states)
        self._bodies: dict[int, list[int]] = {}
        try:
            sources = kernel_sources(self._grouped, self.dtype, self.math)
            groups = [c.group for c in self._grouped.calls if c.group is not None]
            now = [ONCE, *([PARTS] if REPEAT in sources else []), *([PIECES, PIECE] if groups else []), *sources]
            now += [kernel_source(g.kernel, self.dtype, self.math) for group in groups for g in group.gathers]
            self.compiled: Report = fetch(now, PLACEHOLDER, self.threads, [STEPS, SPLIT, HELP] if self.threads > 1 else [STEPS])
            self.addresses = self._addresses(self._grouped, iter(sources))
            self._execute: Callable[[int], None] = executor(ONCE)
        except CompileError:
            raise
        except Exception as error:  # noqa: BLE001 - no traceback of the compiler's reaches a user
            raise CompileError(f"a kernel could not be compiled ({type(error).__name__}): please report this, with f.source and {error}") from None
        self.control = np.zeros(8, np.int64)
        self._constants: dict[Tensor, Any] = {}
        self._bound: dict[Any, tuple[Bound, Any]] = {}
        self._latest: Bound | None = None  # the layout of the last call
        self._by_name = {t.name: k for k, t in enumerate(self.inputs)}
        self.scalars = [k for k, t in enumerate(self.program.outputs[: self.prepared.count]) if t.ndim == 0 and t.dtype == "float"]
        self.plans: list[epoch.Plan] = []  # of the last runs over batches

    def _addresses(self, program: Program, sources: Iterator[str]) -> list[int]:
        """The addresses of a program's kernels; those inside others are noted beside."""
        from graphc.codegen.executor import PARTS, PIECES, executor_address
        from graphc.codegen.printer import kernel_source

        found: list[int] = []
        for call in program.calls:
            if call.group is not None:
                found.append(executor_address(PIECES))
                self._bodies[id(call.group.body)] = self._addresses(call.group.body, sources)
                self._bodies[id(call.group)] = [executor_address(kernel_source(g.kernel, self.dtype, self.math)) for g in call.group.gathers]
                continue
            source = next(sources)
            found.append(executor_address(source if call.loop is None else PARTS))  # whose parts run the loop itself
            if call.loop is not None:
                self._bodies[id(call.loop.body)] = self._addresses(call.loop.body, sources)
        return found

    # Calling ---------------------------------------------------------------------------------------------------------

    def __call__(self, /, *arrays: Any, seed: Any = None, step: Any = None, **named: Any) -> Any:
        """The outputs for these arrays.

        Args:
            arrays: one for each input, in order.
            seed, step: what random nodes are a function of; without ``step`` the calls are counted. Where an input is
                called so, they are its array.
            named: arrays by the names of their inputs.

        Raises:
            DataError: for arrays that do not fit, or ids out of range; every state is then as it was.
        """
        seed, step = self._draw(seed, step, named)
        with alone():
            given = [None if v is None else self.accept(t, v) for t, v in zip(self.prepared.placed, self._given(arrays, named), strict=True)]
            bound, row = self.bind(tuple(None if a is None else a.shape for a in given))
            for tensor, array in zip(self.prepared.placed, given, strict=True):
                if array is not None:
                    bound.feed(tensor, array)
            for mirror in bound.mirrors.values():
                mirror.refresh()
            self.set_control(seed, self.step if step is None else step)
            if step is None:
                self.step += 1
            try:
                self._execute(row.ctypes.data)
            finally:  # Ctrl-C is noticed as soon as this returns
                if self.control[3] == 0:
                    for mirror in bound.written:
                        mirror.written()
            self.raise_error(bound.size)
            results = [view.copy() for view in bound.outputs[: self.prepared.count]]
        return results if self._many else results[0]

    def _draw(self, seed: Any, step: Any, named: dict[str, Any]) -> tuple[int, int | None]:
        """The seed and the step of a call; what belongs to an input of that name goes among the named arrays."""
        given = {name: value for name, value in (("seed", seed), ("step", step)) if value is not None}
        named.update({name: value for name, value in given.items() if name in self._by_name})
        free = {name: value for name, value in given.items() if name not in self._by_name}
        found = dict(zip(free, draw(**free), strict=True))
        return found.get("seed", 0), found.get("step")

    def _given(self, arrays: Sequence[Any], named: dict[str, Any]) -> list[Any]:
        if not named and len(arrays) == len(self.inputs) and all(a is not None for a in arrays):
            return list(arrays)
        if len(arrays) > len(self.inputs):
            raise DataError(
                f"{len(arrays)} arrays are given, and the function takes {len(self.inputs)}: {', '.join(t.label for t in self.inputs) or 'none'}"
            )
        values: list[Any] = [*arrays, *[None] * (len(self.inputs) - len(arrays))]
        for name, array in named.items():
            position = self._by_name.get(name)
            if position is None:
                raise DataError(f"there is no input called {name}: the function takes {', '.join(self._by_name) or 'none'}")
            if position < len(arrays):
                raise DataError(f"{name} is given twice, by position and by name: give it once")
            values[position] = array
        for tensor, placed, value in zip(self.inputs, self.prepared.placed, values, strict=True):
            if value is None and placed not in self.prepared.spare:
                raise DataError(f"{tensor.describe()} has no array: give one, f({tensor.name}=array)")
        return values

    def accept(self, tensor: Tensor, value: Any) -> Any:
        """An input's array as the kernels read it: row-major, native, of the program's precision."""
        fits = isinstance(value, np.ndarray) and value.dtype == numpy_dtype(tensor.dtype, self.floats) and value.ndim == tensor.ndim
        if fits and value.flags.c_contiguous and value.flags.aligned and value.dtype.isnative:
            return value
        return as_array(tensor, value, self.floats)

    def bind(self, shapes: tuple[tuple[int, ...] | None, ...]) -> tuple[Bound, Any]:
        """The program laid out for inputs of these shapes, and the executor's row."""
        if shapes not in self._bound:
            sizes = self.sizes(shapes)
            bound = Bound(self._grouped, self.addresses, sizes, self.floats, self._constants, self.control, self._bodies, workers=self.threads)
            row = np.array([self.control.ctypes.data, bound.rows.table.ctypes.data, bound.early, len(bound.program.calls)], np.int64)
            self.divided = self.divided or bound.rows.divided
            while len(self._bound) >= _KEPT:
                del self._bound[next(iter(self._bound))]
            self._bound[shapes] = (bound, row)
        self._latest = self._bound[shapes][0]
        return self._bound[shapes]

    def sizes(self, shapes: Sequence[Sequence[int] | None]) -> dict[str, int]:
        """The named sizes that shapes of inputs give, checked against everything that was left open.

        Raises:
            DataError, ShapeError: where they do not fit.
        """
        sizes = bind_sizes((t, s) for t, s in zip(self.prepared.placed, shapes, strict=True) if s is not None)
        check_guards((g for g in self.prepared.guards if g.names <= set(sizes)), sizes)
        return sizes

    def set_control(self, seed: int, step: int) -> None:
        """The control words of a run."""
        pool = pool_address(self.threads - 1) if self.divided else 0
        self.control[:] = (int(seed) & 0xFFFFFFFF, (int(seed) >> 32) & 0xFFFFFFFF, int(step) & 0xFFFFFFFF, 0, 0, 0, self.flushes, pool)

    def raise_error(self, size: Callable[[Extent], int]) -> None:
        """Raise what the kernels noted in the error word; ``size``: the number that an extent was in that run.

        Raises:
            DataError: for an id out of range, or a singular matrix that is to be inverted.
        """
        code, place = int(self.control[3]), int(self.control[5])
        if code == -1:
            raise DataError(f"the position {place} in the order of the samples is out of range")
        if code:
            check = self.program.checks[code - 1]
            if isinstance(check, Regular):
                raise DataError(singular_message(check.label, place, size(check.count), check.origin))
            ids = check.ids.label if check.ids is not None else ""
            target = check.tensor.label if check.tensor.name or check.tensor.call else ""
            raise DataError(id_message(ids, place, target, check.axis, size(check.size)))

    # Whole epochs ----------------------------------------------------------------------------------------------------

    def run(
        self, batched: dict[Tensor, Any], order: Any, batch_size: int, seed: int = 0, first_step: int = 0,
        fixed: dict[Tensor, Any] | None = None, on_slice: Callable[[int, int, list[float]], None] | None = None,
    ) -> list[float]:  # fmt: skip
        """Run over batches of samples inside compiled code, as one epoch of training does.

        Args:
            batched: the arrays whose rows are gathered, by input.
            order: the positions of the samples, in the order of their use.
            batch_size: samples a batch; the last may be shorter.
            seed, first_step: batch ``b`` draws its random numbers for step ``first_step + b``.
            fixed: the arrays of all other inputs.
            on_slice: called about every 50 ms with the batches done, all batches and the means so far; what it raises ends
                the run, between two batches.

        Returns:
            The mean of each scalar output, every batch weighted by its size; NaN for other outputs.

        Raises:
            DataError: for a position or an id out of range; states are then as the batch before left them.
        """
        size = whole_above(1, "batch_size", batch_size, "run")
        seed, first = draw(seed=seed, first_step=first_step)
        arrays, others = tables(batched, fixed)
        with alone():
            return epoch.run(self, arrays, order, size, seed, first & 0xFFFFFFFF, others, on_slice)

    def map(
        self, batched: dict[Tensor, Any], batch_size: int = 256, seed: int = 0, fixed: dict[Tensor, Any] | None = None, first_step: int = 0
    ) -> list[Any]:  # fmt: skip
        """Every output for all samples, computed batch by batch inside compiled code; each must have a row a sample.

        Batch ``b`` draws its random numbers for step ``first_step + b``.
        """
        size = whole_above(1, "batch_size", batch_size, "map")
        seed, first = draw(seed=seed, first_step=first_step)
        arrays, others = tables(batched, fixed)
        with alone():
            return epoch.map_rows(self, arrays, size, seed, others, first & 0xFFFFFFFF)

    # Reading ---------------------------------------------------------------------------------------------------------

    @property
    def source(self) -> str:
        """The generated code: each kernel under the formulas that it computes, and what its buffers are for each."""
        program = self.program if self._latest is None else self._latest.program
        return program_source(program, Formulas(program), self.dtype, self.math)

    def explain(self, measure: bool = True, rewrites: bool = False) -> str:
        """What became of the graph, for a reader.

        Kernels stand in the order in which they run, with the formulas that they compute. Where the function has been called,
        sizes are known, and so are operations and bytes: a multiply-add counts as 2 operations, a division or a square root
        as 4, a function of mathematics or a random number as 20, all else as 1; memory counts once where a kernel reads it
        and once where it writes it. What Numba compiled, instead of our own front-end, says so. States, parameters and later
        results are the same as without a call of this.

        Args:
            measure: whether kernels are timed, each by itself in the memory of the last call: contractions are then compared
                with the machine's peak, all others with what memory carries. It takes about half a second.
            rewrites: whether the passes are told too, with the formulas that went and those that came.

        Example:
            >>> import graphc as gx
            >>> x = gx.tensor("x", ("n", 3))
            >>> f = gx.compile(gx.sum(gx.tanh(x), axis=1).named("s"))
            >>> print(f.explain().split("; ")[0])
            1 kernel calls of 1 kernels
        """
        with alone():
            bound = self._latest
            known = None if bound is None or not measure else self._measured(bound)
        program = self.program if bound is None else bound.program
        formulas = Formulas(program)
        text = explanation(program, self.dtype, self.math, bound, known, formulas)
        head, *rest = text.split("\n")
        parts = ["\n".join([f"{head}; {self.compiled}", *rest])]
        return "\n\n".join([*parts, rewrites_text(self.prepared, formulas)] if rewrites else parts)

    def _measured(self, bound: Bound) -> Measured:
        """The times of the kernels for the sizes of the last call."""
        return measured(bound, self.control, lambda: self.set_control(0, 0), self._execute)
