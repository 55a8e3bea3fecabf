"""The kernel of sums of products: chunks of the result, slices of the sum, stripes of columns, blocks of rows in registers.

    C[rows, j] = D[rows, j] + sum over terms of A[rows, terms] * B[terms, j], or 0 where that, or E[rows, j], is not greater

Rows and terms may be given by any number of levels, each with an extent and a stride in both operands that have it: tables say
where each row and each term lies, so an image's places and a filter's taps are one long matrix, without a copy and without a
pass over C for each tap. It is compiled once for each precision, and is itself the kernel of every contraction: sizes, strides
and levels are numbers of its row of arguments. Sums whose operands may lie beside each other have one more, in
:mod:`graphc.codegen.beside`.

A stripe of B is copied to where its rows lie side by side, unless it is so little used that this does not pay, and stays there for
the chunks below, where there is room; A is copied where many stripes read it and its rows or terms meet in a few sets of the first cache.
"""

# ruff: noqa: ARG001 - the arguments of an intrinsic are read by its types
from __future__ import annotations

from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.blocks import Shapes, shapes
from graphc.codegen.intrinsics import intrinsic
from graphc.codegen.levels import LEVEL, OUTER_LEVEL, TOGETHER, fill_function, offsets
from graphc.codegen.micro_kernel import block_function, splat
from graphc.codegen.packing import rows_function, turned_function
from graphc.codegen.words import WORD, WRITTEN_OUT, Code, Variable, Word, function

__all__ = ["FIELDS", "Product", "product_intrinsic", "contraction"]

# The words of a row of arguments behind the control words: six buffers, and these; then rows, sums, loops around, and the rows of D,
# by levels.
FIELDS = (
    "c", "a", "b", "d", "e", "scratch", "c_at", "a_at", "b_at", "d_at", "m", "n", "k", "bn", "an", "others", "b_other",
    "c_other", "d_other", "starts", "ends", "row_chunks", "column_chunks", "row_levels", "sum_levels", "outer_levels", "piece",
)  # fmt: skip
_FEW_ROWS = 48  # rows of A for which a stripe of B is read where it is
_LARGE = 1 << 16  # entries of a B that is copied for fewer of them
_MANY_STRIPES = 8  # stripes that read the same rows of A, from which on these are copied where they lie badly
_KEPT = 24  # stripes of B, at most, that stay copied for the chunks that go on below
_TOGETHER = 4  # stripes of B that are copied at a time, so that a line of it is read on and not in pieces
_MOST_LEVELS = 64  # of a sum
_PAGE, _FAR = 4096, 1536  # bytes


class Product:
    """The kernel through a :class:`Code`.

    Args:
        module: where its functions go.
        bits: of a float.
        width: bytes of a vector.
        most: rows of a chunk, at most.
    """

    def __init__(self, code: Code, module: Any, bits: int, width: int, most: int) -> None:
        self.code, self.module, self.bits, self.size, self.most = code, module, bits, bits // 8, most
        self.shapes: Shapes = shapes(width, bits)
        self.lanes = self.shapes.lanes
        self.pitch = -(-self.shapes.most // self.lanes) * self.lanes * self.size  # bytes of a term in a copy of A
        self.slice = 384 if bits == 32 else 256  # terms that are taken at a time

    def emit(self, row: Word, low: Word, high: Word, worker: Word) -> None:
        """Chunks from ``low`` to before ``high``."""
        code = self.code
        self.v = {name: code.load(row + 8 * (k + 1)) for k, name in enumerate(FIELDS)}
        v = self.v
        self.rows_at = row + 8 * (len(FIELDS) + 1)
        self.sums_at = self.rows_at + v["row_levels"] * LEVEL
        self.outer_at = self.sums_at + v["sum_levels"] * LEVEL
        self.first_at = self.outer_at + v["outer_levels"] * OUTER_LEVEL
        self._lay_out((v["scratch"] + worker * v["piece"] * 8 + 63) & -64)
        self._plan()
        self.last_rows, self.last_slice, self.last_columns = Variable(code, -1), Variable(code, -1), Variable(code, -1)
        with code.loop(low, high) as chunk:
            self._chunk(chunk)

    def _lay_out(self, base: Word) -> None:
        """Where the tables and the copies lie in the scratch memory."""
        rows, terms = 8 * (self.most + 32), 8 * (self.slice + 32)
        sizes = {"row_a": rows, "row_c": rows, "row_d": rows, "unused": rows, "term_a": terms, "term_b": terms, "copied_a": terms, "copied_b": terms}
        sizes |= {"lanes": 256, "columns": 256, "levels": _MOST_LEVELS * LEVEL}
        self.at: dict[str, Word] = {}
        for name, size in sizes.items():
            self.at[name] = base
            base = base + size
        self.at["right"] = base
        self.stripe = self.slice * 2 * self.lanes * self.size  # bytes of a stripe of B
        self.at["left"] = base + _KEPT * self.stripe

    def _plan(self) -> None:
        """What does not depend on the chunk: slices, and what is copied."""
        code, v, b = self.code, self.v, self.code.builder
        self.slices = code.choose(v["k"].compare(">", self.slice), (v["k"] + (self.slice - 1)) // self.slice, 1)
        self.length = (v["k"] + self.slices - 1) // self.slices
        inner = self.sums_at + (v["sum_levels"] - 1) * LEVEL
        blocks = self._blocks_only(inner)
        # Rows that lie whole pages apart meet in one set of the first cache, and so do terms, of which each is in a line of its own.
        apart = code.load(self.rows_at + (v["row_levels"] - 1) * LEVEL + 8) * self.size
        term = code.load(inner + 8) * self.size
        self.across = b.and_(v["row_levels"].compare("==", 1), apart.compare("==", self.size))
        far = b.and_(self.across, term.compare(">=", _FAR))
        meet = b.and_((apart & (_PAGE - 1)).compare("==", 0), apart.compare("!=", 0))
        width = v["n"] // v["column_chunks"]
        used = b.and_(width.compare(">=", _MANY_STRIPES * 2 * self.lanes), v["m"].compare(">", _FEW_ROWS))
        self.copies_left = b.and_(b.and_(b.or_(far, meet), b.and_(used, blocks)), v["k"].compare(">=", 2 * self.lanes))
        # Chunks below each other read the same columns of B: their copies stay, where there is room for all of them.
        self.wide = ((v["n"] + v["column_chunks"] - 1) // v["column_chunks"] + (2 * self.lanes - 1)) // (2 * self.lanes)
        room = b.and_((self.wide * self.slices).compare("<=", _KEPT), v["row_chunks"].compare(">", 1))
        self.keeps = b.and_(b.and_(room, v["bn"].compare("==", 1)), blocks)
        code.cases(self.copies_left, self._copy_tables)

    def _blocks_only(self, inner: Word) -> Any:
        """Whether all is computed in blocks of rows of A by columns of B; ``inner``: the last level of the sum."""
        return ir.Constant(ir.IntType(1), 1)

    def _copy_tables(self) -> None:
        """Where terms and rows lie in a copy of A's rows."""
        for name, step, count in (("copied_a", self.pitch, self.slice), ("lanes", self.size, self.shapes.most)):
            with self.code.loop(0, count) as k:
                self.code.store(k * step, self.at[name] + k * 8)

    def _chunk(self, chunk: Word) -> None:
        """A rectangle of the result of one of the products around."""
        code, v = self.code, self.v
        each = v["row_chunks"] * v["column_chunks"]
        outer, inside = chunk // each, chunk % each
        across = code.choose(self.keeps, inside // v["row_chunks"], inside % v["column_chunks"])
        down = code.choose(self.keeps, inside % v["row_chunks"], inside // v["column_chunks"])
        at = offsets(code, self.outer_at, v["outer_levels"], outer, 4)
        self.c, self.a, self.b, self.d = (v[n] + (v[f"{n}_at"] + place) * self.size for n, place in zip("cabd", at, strict=True))
        high = (v["m"] + v["row_chunks"] - 1) // v["row_chunks"]
        wide = self.wide * (2 * self.lanes)
        columns, start, first = outer * v["column_chunks"] + across, down * high, across * wide
        self.fresh = columns.compare("!=", self.last_columns.now)
        self.last_columns.set(columns)
        self.rows = high.least(v["m"] - start)
        self.stop = (first + wide).least(v["n"])
        code.cases(code.builder.and_(self.rows.compare(">", 0), first.compare("<", self.stop)), lambda: self._rectangle(down, start, first))

    def _rectangle(self, down: Word, start: Word, first: Word) -> None:
        code = self.code
        code.cases(down.compare("!=", self.last_rows.now), lambda: self._row_tables(down, start))
        self._whole(first)

    def _whole(self, first: Word) -> None:
        """All of the sum, for the rows and columns of a chunk."""
        self._slices(first)

    def _slices(self, first: Word) -> None:
        """The sum, some terms at a time."""
        code, v, at = self.code, self.v, self.at
        with code.loop(0, self.slices) as number:
            k0 = number * self.length
            self.count = self.length.least(v["k"] - k0)
            code.cases(number.compare("!=", self.last_slice.now), lambda: self._term_tables(number, k0))
            self._go_on(number, number.compare("==", self.slices - 1))
            self.kept = code.choose(self.keeps, at["right"] + number * self.wide * self.stripe - first // (2 * self.lanes) * self.stripe, 0)
            code.cases(self.copies_left, self._copy_left)
            self._columns(first)

    def _columns(self, first: Word) -> None:
        """All columns of a chunk, for some terms."""
        self._stripes(first)

    def _go_on(self, passes: Word, last: Any) -> None:
        """What the next pass over the result starts from: D, or what earlier passes wrote; how the last one ends."""
        code, at = self.code, self.at
        later = passes.compare(">", 0)
        self.flags = code.choose(later, 1, self.v["starts"]) + code.choose(last, self.v["ends"] * 4, 0)
        self.source, self.source_rows = code.choose(later, self.c, self.d), code.choose(later, at["row_c"], at["row_d"])
        self.source_other = code.choose(later, self.v["c_other"], self.v["d_other"])

    def _row_tables(self, down: Word, start: Word) -> None:
        """Where the rows lie; behind them the last one again, for blocks of more rows than are left."""
        code, at = self.code, self.at
        code.call(fill_function(self.module, self.size), [at["row_a"], at["row_c"], self.rows_at, self.v["row_levels"], start, self.rows])
        arguments = [at["row_d"], at["unused"], self.first_at, self.v["row_levels"], start, self.rows]
        code.cases(self.v["starts"].compare("!=", 0), lambda: code.call(fill_function(self.module, self.size), arguments))
        for name in ("row_a", "row_c", "row_d"):
            last = at[name] + self.rows * 8
            again = splat(code.builder, code.load(last - 8).value, ir.VectorType(WORD, TOGETHER))
            for k in range(0, self.shapes.most + self.lanes, TOGETHER):
                code.store(again, last + 8 * k, 8)
        self.last_rows.set(down)

    def _term_tables(self, number: Word, k0: Word) -> None:
        at = self.at
        fill = fill_function(self.module, self.size)
        self.code.call(fill, [at["term_a"], at["term_b"], self.sums_at, self.v["sum_levels"], k0, self.count])
        self.last_slice.set(number)

    def _copy_left(self) -> None:
        """A's rows, block by block of two vectors' blocks, with the entries of a term side by side."""
        code, at = self.code, self.at
        turned = turned_function(self.module, self.bits, self.lanes)
        straight = rows_function(self.module, self.bits, self.lanes, self.pitch // self.lanes // self.size)
        row, place = Variable(code, 0), Variable(code, at["left"])
        with code.during(lambda: row.now.compare("<", self.rows)):
            left = self.rows - row.now
            rows = self._choice(2, left)
            lines = at["row_a"] + row.now * 8

            def lies(left: Word = left, lines: Word = lines) -> None:
                code.call(straight, [place.now, self.a + code.load(lines), at["term_a"], self.count, left, code.word(1), code.word(0)])

            def turns(rows: Word = rows, lines: Word = lines) -> None:
                with code.loop(0, rows, self.lanes) as part:
                    arguments = [place.now + part * self.size, code.word(self.pitch), self.a, lines + part * 8]
                    code.call(turned, [*arguments, at["term_a"], self.count])

            # Rows beyond the last are to be the last one again, which only turning does.
            code.cases(code.builder.and_(self.across, rows.compare("<=", left)), lies, turns)
            place.set(place.now + self.count * self.pitch)
            row.set(row.now + rows)

    def _choice(self, vectors: int, left: Word) -> Word:
        """How many rows the next block has."""
        table = self.shapes.first(vectors)
        name = f"choice_{self.bits}_{vectors}"
        if name not in self.module.globals:
            kind = ir.ArrayType(WORD, len(table))
            made: Any = ir.GlobalVariable(self.module, kind, name)
            made.linkage, made.global_constant, made.initializer = "internal", True, ir.Constant(kind, list(table))
        start = Word(self.code.builder, self.code.builder.ptrtoint(self.module.globals[name], WORD))
        return self.code.load(start + left.least(len(table) - 1) * 8)

    def _stripes(self, first: Word) -> None:
        """Stripes of two vectors, and one of one vector, or of half of one, where no more is left."""
        code, lanes = self.code, self.lanes
        rest = (self.stop - first) % (2 * lanes)
        single = code.builder.and_(rest.compare(">", 0), rest.compare("<=", lanes))
        stop = code.choose(single, self.stop - rest, self.stop)
        self.right = Variable(code, 0)  # where the next stripe's copy lies
        self.there = Variable(code, 0)  # how many stripes are copied already
        with code.loop(first, stop, 2 * lanes) as j:
            self._stripe(2, lanes, j)

        def last() -> None:
            if self.shapes.half:
                half = rest.compare("<=", lanes // 2)
                code.cases(half, lambda: self._stripe(1, lanes // 2, stop), lambda: self._stripe(1, lanes, stop))
            else:
                self._stripe(1, lanes, stop)

        code.cases(single, last)

    def _stripe(self, vectors: int, lanes: int, j: Word) -> None:
        """All rows of a stripe of columns."""
        code, v, b, at = self.code, self.v, self.code.builder, self.at
        columns, width = self.stop - j, vectors * lanes
        source = self.b + j * v["bn"] * self.size
        straight = v["bn"].compare("==", 1)
        large = b.and_(self.rows.compare(">", _FEW_ROWS // 2), (v["k"] * v["n"]).compare(">", _LARGE))
        much = b.and_(b.or_(self.rows.compare(">", _FEW_ROWS), large), v["n"].compare(">", width))
        copied = b.or_(b.not_(straight), much)
        last = (columns - (vectors - 1) * lanes).least(lanes)

        self.right.set(self.right.now + self.stripe)

        def places() -> None:
            with code.loop(0, self.count) as k:
                code.store(k * (width * self.size), at["copied_b"] + k * 8)

        def copies() -> None:
            places()
            many = (columns // width).least(_TOGETHER)
            self.there.set(code.choose(many.compare(">", 1), many, 1))
            self.right.set(code.choose(self.keeps, self.kept + j // (2 * self.lanes) * self.stripe, at["right"]))
            rows = rows_function(self.module, self.bits, lanes, vectors)
            arguments = [self.right.now, source, at["term_b"], self.count, columns, many, code.word(self.stripe)]
            code.cases(b.or_(self.fresh, b.not_(self.keeps)), lambda: code.call(rows, arguments))

        def lies() -> None:
            code.cases(self.there.now.compare("<=", 0), copies)
            self.there.set(self.there.now - 1)

        def turns() -> None:
            places()
            self.right.set(at["right"])
            with code.loop(0, vectors * self.lanes) as column:
                code.store(column.least(columns - 1) * v["bn"] * self.size, at["columns"] + column * 8)
            # Of half a vector the turned lines are whole ones: each but the last one's second half is written over.
            turned = turned_function(self.module, self.bits, self.lanes)
            for shift in range(0, width, self.lanes):
                arguments = [at["right"] + shift * self.size, code.word(width * self.size), source, at["columns"] + 8 * shift]
                code.call(turned, [*arguments, at["term_b"], self.count])

        code.cases(copied, lambda: code.cases(straight, lies, turns))
        right = code.choose(copied, self.right.now, source), code.choose(copied, at["copied_b"], at["term_b"])
        self._blocks((vectors, lanes), right, j, last)

    def _blocks(self, shape: tuple[int, int], right: tuple[Word, Word], j: Word, last: Word) -> None:
        """Blocks of some vectors of some lanes, one below the other.

        Args:
            right: the address of B, and of the table of its terms.
        """
        code, v, at, (vectors, lanes) = self.code, self.v, self.at, shape
        # A copy of A is made for the blocks of two vectors; the few blocks of one vector take A where it lies.
        copied = self.copies_left if vectors == 2 else ir.Constant(ir.IntType(1), 0)
        row, place = Variable(code, 0), Variable(code, at["left"])
        c = self.c + j * self.size
        with code.during(lambda: row.now.compare("<", self.rows)):
            here = row.now * 8
            a = code.choose(copied, place.now, self.a)
            rows_a = code.choose(copied, at["lanes"], at["row_a"] + here)
            terms = code.choose(copied, at["copied_a"], at["term_a"])
            d, rows_d = self.source + j * self.size, self.source_rows + here
            arguments = [a, rows_a, terms, self.count, *right, c, at["row_c"] + here, d, rows_d, last, self.flags, v["e"] - v["c"]]
            rows = self._choice(vectors, self.rows - row.now)
            for number in self.shapes.rows[vectors]:
                made = block_function(self.module, self.bits, lanes, number, vectors)
                code.cases(rows.compare("==", number), lambda made=made: code.call(made, arguments))
            place.set(place.now + self.count * self.pitch)
            row.set(row.now + rows)


def product_intrinsic(of: type[Product], name: str) -> Any:
    """The function of kernels that a way of computing products is."""

    def definition(typingctx: Any, row: Any, low: Any, high: Any, worker: Any, bits: Any, width: Any, most: Any) -> Any:
        word, literals = types.int64, (bits, width, most)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            def emit(code: Code, arguments: list[Word]) -> None:
                of(code, builder.module, *(kind.literal_value for kind in literals)).emit(*arguments)

            made = function(builder.module, f"product_{bits.literal_value}", 4, emit)
            builder.module.add_named_metadata(WRITTEN_OUT)
            builder.call(made, [builder.ptrtoint(args[0], WORD), *args[1:4]])
            return context.get_dummy_value()

        if not all(isinstance(kind, types.IntegerLiteral) for kind in literals):
            return None
        return types.none(row, word, word, word, *literals), codegen

    definition.__name__ = name
    definition.__doc__ = f"""{of.__doc__}
    Chunks ``low`` to ``high - 1`` of the sum of products that a row of arguments describes; ``bits``, ``width`` and ``most`` are the class's.
    """
    return intrinsic(definition, prefer_literal=True)


contraction = product_intrinsic(Product, "contraction")
