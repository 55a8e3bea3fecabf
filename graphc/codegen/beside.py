"""The kernel of sums of products whose operands may lie beside each other: then vectors of both are multiplied, lane by lane.

    C[rows, o, j] = D[rows, o, j] + sum over terms of A[rows, terms, j] * B[terms, o, j]      operands beside each other along the columns
    C[rows, o] = D[rows, o] + sum over terms of A[rows, terms] * B[terms, o]                  ... or along the last of the sums

The first is a depthwise convolution, the second a product with few columns, where a register would be nearly empty. It is a kernel of its
own because a program without such sums need not wait until these blocks are compiled; where nothing lies so, it does what the other does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from graphc.codegen.contraction import Product, product_intrinsic
from graphc.codegen.levels import LEVEL, fill_function
from graphc.codegen.micro_kernel import block_function
from graphc.codegen.words import Variable, Word

__all__ = ["contraction_beside"]


class _Beside(Product):
    """The kernel through a :class:`Code`, with blocks of vectors of both operands."""

    def _blocks_only(self, inner: Word) -> Any:
        code, v, b = self.code, self.v, self.code.builder
        self.beside = v["an"].compare("!=", 0)
        # One column, and terms that lie beside each other in both operands: vectors of terms are multiplied.
        lies = b.and_(code.load(inner + 8).compare("==", 1), code.load(inner + 16).compare("==", 1))
        self.along = b.and_(b.and_(v["n"].compare("==", 1), b.not_(self.beside)), lies)
        return b.not_(b.or_(self.beside, self.along))

    def _whole(self, first: Word) -> None:
        self.code.cases(self.along, self._sums, lambda: self._slices(first))

    def _columns(self, first: Word) -> None:
        self.code.cases(self.beside, lambda: self._vectors(first), lambda: self._stripes(first))

    def _sums(self) -> None:
        """Vectors of terms: whole ones first, then what is left of the innermost level of the sum."""
        code, v, lanes, levels = self.code, self.v, self.lanes, self.at["levels"]
        with code.loop(0, v["sum_levels"] * (LEVEL // 8)) as k:
            code.store(code.load(self.sums_at + k * 8), levels + k * 8)
        inner = levels + (v["sum_levels"] - 1) * LEVEL
        extent = code.load(inner)
        around, whole, rest = v["k"] // code.choose(extent.compare(">", 0), extent, 1), extent // lanes, extent % lanes
        self.passes = Variable(code, 0)  # how often the result has been written

        def terms(count: Word, shift: Word, last: Word) -> None:
            code.store(count, inner)
            for stride in (8, 16):
                code.store(code.word(lanes), inner + stride)
            self._sum_slices(around * count, shift * self.size, last)

        code.cases(rest.compare("==", 0), lambda: terms(whole, code.word(0), code.word(lanes)), lambda: self._with_rest(terms, whole, rest))

    def _with_rest(self, terms: Callable[[Word, Word, Word], None], whole: Word, rest: Word) -> None:
        code, lanes = self.code, self.lanes
        code.cases(whole.compare(">", 0), lambda: terms(whole, code.word(0), code.word(lanes)))
        terms(code.word(1), whole * lanes, rest)

    def _sum_slices(self, total: Word, shift: Word, last: Word) -> None:
        """Some vectors of terms at a time; ``shift``: where the first begins, ``last``: how many lanes of each count."""
        code, v, at = self.code, self.v, self.at
        slices = code.choose(total.compare(">", self.slice), (total + (self.slice - 1)) // self.slice, 1)
        length = (total + slices - 1) // slices
        with code.loop(0, slices) as number:
            start = number * length
            self.count = length.least(total - start)
            fill = fill_function(self.module, self.size)
            code.call(fill, [at["term_a"], at["term_b"], at["levels"], v["sum_levels"], start, self.count])
            self._go_on(self.passes.now, ir.Constant(ir.IntType(1), 0))
            self._others(shift, code.word(0), last, sums=True)
            self.passes.set(self.passes.now + 1)

    def _vectors(self, first: Word) -> None:
        """Vectors of both operands along the columns."""
        with self.code.loop(first, self.stop, self.lanes) as j:
            self._others(j * self.size, j * self.size, (self.stop - j).least(self.lanes), sums=False)

    def _others(self, operands: Word, result: Word, last: Word, *, sums: bool) -> None:
        """Two of the other rectangles at a time, and the last of an odd number; ``operands``, ``result``: where in them, in bytes."""
        code, others = self.code, self.v["others"]
        single = others % 2
        with code.loop(0, others - single, 2) as other:
            self._other(2, other, (operands, result, last), sums=sums)
        code.cases(single.compare("!=", 0), lambda: self._other(1, others - 1, (operands, result, last), sums=sums))

    def _other(self, vectors: int, other: Word, places: tuple[Word, Word, Word], *, sums: bool) -> None:
        """Blocks of a vector of some rectangles, one below the other."""
        code, v, at, (operands, result, last) = self.code, self.v, self.at, places
        steps = [step * self.size for step in (v["b_other"], v["c_other"], self.source_other)]
        moved = zip((self.b, self.c, self.source), (operands, result, result), steps, strict=True)
        right, c, d = (start + shift + other * step for start, shift, step in moved)
        row = Variable(code, 0)
        with code.during(lambda: row.now.compare("<", self.rows)):
            here = row.now * 8
            left = [self.a + operands, at["row_a"] + here, at["term_a"], self.count]
            arguments = [*left, right, at["term_b"], c, at["row_c"] + here, d, self.source_rows + here, last, self.flags, *steps]
            rows = self._choice(vectors, self.rows - row.now)
            for number in self.shapes.rows[vectors]:
                made = block_function(self.module, self.bits, self.lanes, number, vectors, beside=True, sums=sums)
                code.cases(rows.compare("==", number), lambda made=made: code.call(made, arguments))
            row.set(row.now + rows)


contraction_beside = product_intrinsic(_Beside, "contraction_beside")
