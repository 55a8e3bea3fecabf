"""The contraction's micro-kernel: a block of rows and vectors of C in registers, one fused multiply-add for each pair.

    C[r, v] = D[r, v] + sum_k A[r, k] * B[k, v], or 0 where that, or an entry E[r, v], is not greater

A is broadcast entry by entry: a table says where each of its rows lies, and others where each term of the sum lies in a row
and in B. So rows may be the places of an image in all images of a batch, and the terms its taps and channels, or a batch's times:
the kernel sees one long matrix, and nothing is copied. The last vector's columns are masked, which costs nothing with masked
registers. Where a block has more rows than are left, the tables repeat the last row: it is computed again, and written again.

No term is unrolled: a block of 14 rows by 2 vectors has 28 independent sums and 28 multiplications a term, while the loads
and the loop take half of what the processor can do besides them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.codegen.blocks import register_letter
from graphc.codegen.words import WORD, Code, Word, function

__all__ = ["block_function"]

_I32 = ir.IntType(32)


def block_function(module: Any, bits: int, lanes: int, rows: int, vectors: int, *, beside: bool = False, sums: bool = False) -> Any:
    """The function of one block, made once in a module.

    Its arguments, all of them whole numbers: the addresses of A, of the table of its rows, of the table of its terms, how many terms;
    the addresses of B and of the table of its terms; the addresses of C and D and of the tables of their rows, of C first; how many
    columns of the last vector count; 1 to start from D, and 4 to end with 0 for what is not greater, or 8 where E is not; how far behind C
    that lies. All tables and steps are in bytes.

    Args:
        beside: whether A is read vector by vector, ``C[r, v] = sum_k A[r, k] * B[k, v]`` for each lane. Three arguments in place of the last one
            then say how far the vectors lie apart in B, C and D, and all of them are masked.
        sums: whether, besides, the lanes of each of these vectors are summed at the end, and C and D have single numbers.
    """
    beside = beside or sums
    name = f"{'sums' if sums else 'beside' if beside else 'block'}_{bits}_{rows}x{vectors}_{lanes}"

    def emit(code: Code, given: list[Word]) -> None:
        _Block(code, bits, lanes, rows, vectors, beside=beside, sums=sums).emit(*given[:12], more=given[12:])

    return function(module, name, 15 if beside else 13, emit)


class _Block:
    def __init__(self, code: Code, bits: int, lanes: int, rows: int, vectors: int, *, beside: bool, sums: bool) -> None:
        self.sums = sums
        self.code, self.b, self.lanes, self.rows, self.vectors = code, code.builder, lanes, rows, vectors
        self.float = ir.FloatType() if bits == 32 else ir.DoubleType()
        self.size = bits // 8
        self.vector = ir.VectorType(self.float, lanes)
        self.beside = beside
        self.suffix = f"v{lanes}f{bits}"
        self.zero = ir.Constant(self.vector, [ir.Constant(self.float, 0.0)] * lanes)

    def emit(
        self, a: Word, rows_a: Word, terms_a: Word, count: Word, b: Word, terms_b: Word, c: Word, rows_c: Word, d: Word, rows_d: Word,
        columns: Word, flags: Word, *, more: list[Word],
    ) -> None:  # fmt: skip
        """The block: accumulators from D or 0, a loop over the terms, the stores."""
        self.b_step, self.c_step, self.d_step = more if self.beside else [self.code.word(self.size * self.lanes)] * 3
        self.mask = last_mask(self.code, columns, self.lanes)
        rows = [a + self.code.load(rows_a + 8 * r) for r in range(self.rows)]
        if self.sums:
            sums = self._loop(rows, (terms_a, terms_b), count, b, [[self.zero] * self.vectors for _ in rows])
            self._total(sums, (c, rows_c, self.c_step), (d, rows_d, self.d_step), flags)
            return
        sums = self._loop(rows, (terms_a, terms_b), count, b, self._start(d, rows_d, flags))
        targets = [c + self.code.load(rows_c + 8 * r) for r in range(self.rows)]
        if not self.beside:
            sums = self._end(sums, [t + more[0] for t in targets], flags)
        for target, row in zip(targets, sums, strict=True):
            for v, value in enumerate(row):
                self._store(value, target + self.c_step * v, v)

    def _load(self, address: Word, number: int) -> Any:
        """A vector of B or D, of which the last is masked."""
        at = self.code.pointer(address, self.vector)
        if number < self.vectors - 1 and not self.beside:
            return self.b.load(at, typ=self.vector, align=self.size)
        return masked_load(self.b, at, self.mask, self.vector, self.suffix, self.size)

    def _store(self, value: Any, address: Word, number: int) -> None:
        at = self.code.pointer(address, self.vector)
        if number < self.vectors - 1 and not self.beside:
            self.b.store(value, at, align=self.size)
            return
        masked_store(self.b, value, at, self.mask, self.suffix, self.size)

    def _total(self, sums: list[list[Any]], c: tuple[Word, Word, Word], d: tuple[Word, Word, Word], flags: Word) -> None:
        """The numbers that the lanes of each vector add up to, with those of D."""
        b, code = self.b, self.code
        given, zero = (flags & 1).compare("!=", 0), ir.Constant(self.float, 0.0)
        kind = ir.FunctionType(self.float, [self.float, self.vector])
        reduce = b.module.declare_intrinsic(f"llvm.vector.reduce.fadd.{self.suffix}", (), kind)
        # Where there is no D, its place is one that can be read.
        source, rows_d, d_step = (code.choose(given, one, other) for one, other in zip(d, c, strict=True))
        begins = [source + code.load(rows_d + 8 * r) for r in range(self.rows)]
        # All is read before anything is written: the last row may stand in the tables several times.
        before = [[b.select(given, code.load(at + d_step * v, self.float), zero) for v in range(self.vectors)] for at in begins]
        for r, row in enumerate(sums):
            target = c[0] + code.load(c[1] + 8 * r)
            for v, value in enumerate(row):
                total = b.fadd(before[r][v], b.call(reduce, [zero, value], fastmath=("reassoc",)))
                code.store(total, target + c[2] * v, self.size)

    def _start(self, d: Word, rows_d: Word, flags: Word) -> list[list[Any]]:
        """What the accumulators begin with."""
        b, before = self.b, self.b.block
        given, begin = b.append_basic_block("given"), b.append_basic_block("begin")
        b.cbranch((flags & 1).compare("!=", 0), given, begin)
        b.position_at_end(given)
        sources = [d + self.code.load(rows_d + 8 * r) for r in range(self.rows)]
        loaded = [[self._load(s + self.d_step * v, v) for v in range(self.vectors)] for s in sources]
        b.branch(begin)
        b.position_at_end(begin)
        sums: list[list[Any]] = []
        for row in loaded:
            sums.append([])
            for value in row:
                start = b.phi(self.vector)
                start.add_incoming(self.zero, before)
                start.add_incoming(value, given)
                sums[-1].append(start)
        return sums

    def _end(self, sums: list[list[Any]], chosen: list[Word], flags: Word) -> list[list[Any]]:
        """The sums, with 0 in place of those that are not greater, or where the entries at ``chosen`` are not."""
        b, before = self.b, self.b.block
        some, own, other, done = (b.append_basic_block(name) for name in ("some", "own", "other", "end"))
        b.cbranch((flags & 12).compare("!=", 0), some, done)
        b.position_at_end(some)
        b.cbranch((flags & 8).compare("!=", 0), other, own)

        def ended(by: list[list[Any]]) -> list[list[Any]]:
            pairs = [list(zip(values, choice, strict=True)) for values, choice in zip(sums, by, strict=True)]
            made = [[b.select(b.fcmp_ordered("<=", choice, self.zero), self.zero, value) for value, choice in row] for row in pairs]
            b.branch(done)
            return made

        b.position_at_end(own)
        first = ended(sums)
        b.position_at_end(other)
        second = ended([[self._load(at + self.c_step * v, v) for v in range(self.vectors)] for at in chosen])
        b.position_at_end(done)
        found: list[list[Any]] = []
        for rows in zip(sums, first, second, strict=True):
            found.append([])
            for values in zip(*rows, strict=True):
                result = b.phi(self.vector)
                for value, block in zip(values, (before, own, other), strict=True):
                    result.add_incoming(value, block)
                found[-1].append(result)
        return found

    def _here(self, value: Any) -> Any:
        """A vector that is in a register before anything behind it is loaded: else all of A's loads would come first, and fill them."""
        letter = register_letter() if self.lanes > 1 else None
        if letter is None:
            return value
        kind = ir.FunctionType(self.vector, [self.vector])
        return self.b.call(ir.InlineAsm(kind, "", f"={letter},0,~{{memory}}", side_effect=True), [value])

    def _loop(self, rows: list[Word], tables: tuple[Word, Word], count: Word, right: Word, start: list[list[Any]]) -> list[list[Any]]:
        b, before = self.b, self.b.block
        loop, body, done = (b.append_basic_block(name) for name in ("k", "body", "store"))
        b.branch(loop)
        b.position_at_end(loop)
        k = b.phi(WORD)
        k.add_incoming(ir.Constant(WORD, 0), before)
        sums = [[b.phi(self.vector) for _ in row] for row in start]
        for values, firsts in zip(sums, start, strict=True):
            for value, first in zip(values, firsts, strict=True):
                value.add_incoming(first, before)
        b.cbranch(b.icmp_signed("<", k, count.value), body, done)
        b.position_at_end(body)
        fma = b.module.declare_intrinsic(f"llvm.fmuladd.{self.suffix}", (), ir.FunctionType(self.vector, [self.vector] * 3))
        term, there = (self.code.load(table + Word(b, k) * 8) for table in tables)
        columns = [self._load(right + there + self.b_step * v, v) for v in range(self.vectors)]
        for address, row in zip(rows, sums, strict=True):
            left = self._load(address + term, 0) if self.beside else splat(b, self.code.load(address + term, self.float), self.vector)
            made = [b.call(fma, [left, column, value]) for value, column in zip(row, columns, strict=True)]
            made = [self._here(m) for m in made]
            for value, result in zip(row, made, strict=True):
                value.add_incoming(result, body)
        k.add_incoming((Word(b, k) + 1).value, body)
        b.branch(loop)
        b.position_at_end(done)
        return sums


def splat(builder: Any, value: Any, kind: Any) -> Any:
    """A vector of one number."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, kind.count), [ir.Constant(_I32, 0)] * kind.count)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)


def last_mask(code: Code, columns: Word, lanes: int) -> Any:
    """Which lanes of a vector count, where the first ``columns`` do."""
    kind = ir.VectorType(_I32, lanes)
    steps = ir.Constant(kind, [ir.Constant(_I32, k) for k in range(lanes)])
    return code.builder.icmp_signed("<", steps, splat(code.builder, code.builder.trunc(columns.value, _I32), kind))


def masked_load(builder: Any, at: Any, mask: Any, kind: Any, suffix: str, size: int) -> Any:
    """A vector of which the masked lanes are read, and the others 0."""
    load = builder.module.declare_intrinsic(f"llvm.masked.load.{suffix}.p0", (), ir.FunctionType(kind, [at.type, _I32, mask.type, kind]))
    zero = ir.Constant(kind, [ir.Constant(kind.element, 0.0)] * kind.count)
    return builder.call(load, [at, ir.Constant(_I32, size), mask, zero])


def masked_store(builder: Any, value: Any, at: Any, mask: Any, suffix: str, size: int) -> None:
    """Write the masked lanes of a vector."""
    kind = ir.FunctionType(ir.VoidType(), [value.type, at.type, _I32, mask.type])
    store = builder.module.declare_intrinsic(f"llvm.masked.store.{suffix}.p0", (), kind)
    builder.call(store, [value, at, ir.Constant(_I32, size), mask])
