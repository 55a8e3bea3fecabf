"""The loop language: what stages are lowered to, and what each target prints.

A :class:`Kernel` is a function of buffers and whole numbers that are known when it runs. Its body is a tree of statements:

* ``Loop`` runs its body for ``variable`` from 0 to ``extent - 1``. Loop variables are numbered within the kernel. Loops marked
  ``parallel`` may be divided among threads: the kernel is told from where to where they run. None lies in another, they have
  one extent, everything that is written is written in one of them, and no iteration touches what another writes.
* ``Literal``, ``Load``, ``Integer``, ``Compute``, ``Uniform`` and ``Checked`` each define one scalar value, once, and before
  it is used; a value defined in a loop is visible in that loop and in those inside it.
* ``Start`` sets a running result (one number, or two: value and winner) and ``Accumulate`` combines a value into it; both
  refer to it by one number, which is readable as a value after the loops that accumulate into it.
* ``Store`` writes a value to a place of a buffer, and to another one for each tuple of the variables in its place; ``Update`` combines
  a value into a place, where its condition holds.
* ``Contract`` is a sum of products of two operands, ``C[rows, j] (+)= sum over terms of A[rows, terms] * B[terms, j]``, that each
  target expands its own way. It is alone in its kernel, but for the parallel loop over its chunks around it.
* ``Matrices`` is an operation of linear algebra on a stack of square matrices, row by row in whole buffers.

A ``Place`` is an integer-affine map with run-time coefficients: its variables are loop variables (``v >= 0``) and integer
values (``-(value + 1)``). A coefficient is an ``int``, or a ``Param``: a whole number given when the kernel runs. Buffers are
flat; a place is a flat position. Distinct buffers do not overlap where one of them is written. Kinds are ``float`` (of the
program's precision), ``double`` (64 bits, for scratch memory alone), ``int`` (64 bits) and ``bool``. Arithmetic is typed: both
arguments have the result's kind, except for comparisons, selections and conversions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal as OneOf

__all__ = [
    "Accumulate", "Checked", "Coefficient", "Compute", "Contract", "Integer", "Kernel", "Kind", "Literal", "Load", "Loop", "Matrices", "Param",
    "Place", "Start", "Statement", "Store", "Uniform", "Update",
]  # fmt: skip

Kind = OneOf["float", "int", "bool", "double"]


@dataclass(frozen=True, slots=True)
class Param:
    """A whole number given when the kernel runs, by its position among the kernel's parameters."""

    number: int


Coefficient = int | Param


@dataclass(frozen=True, slots=True)
class Place:
    """``sum(coefficient * variable) + offset``."""

    terms: tuple[tuple[int, Coefficient], ...] = ()
    offset: Coefficient = 0


@dataclass(frozen=True, slots=True)
class Literal:
    """A number."""

    value: int
    number: float | int | bool
    kind: Kind


@dataclass(frozen=True, slots=True)
class Load:
    """An entry of a buffer; bools load as whole numbers 0 and 1."""

    value: int
    buffer: int
    place: Place
    kind: Kind


@dataclass(frozen=True, slots=True)
class Integer:
    """The whole number that a place is."""

    value: int
    place: Place
    kind: Kind = "int"


@dataclass(frozen=True, slots=True)
class Compute:
    """A scalar function of values."""

    value: int
    function: str
    arguments: tuple[int, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Uniform:
    """A random number in [0, 1) for a position of the node ``number``."""

    value: int
    position: Place
    number: Param
    kind: Kind = "float"


@dataclass(frozen=True, slots=True)
class Checked:
    """A whole number that must lie in ``0 ... size - 1``; where it does not, the program's error word becomes ``code`` and it is 0."""

    value: int
    argument: int
    size: Coefficient
    code: Param
    kind: Kind = "int"


@dataclass(frozen=True, slots=True)
class Start:
    """A running result at its reducer's identity; ``winner``: the value that holds the position of the extreme."""

    value: int
    reducer: str
    kind: Kind
    winner: int | None = None


@dataclass(frozen=True, slots=True)
class Accumulate:
    """A value combined into a running result; ``position`` says where it stands, for the winner."""

    target: int
    reducer: str
    argument: int
    kind: Kind
    winner: int | None = None
    position: Place | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """A value written to a place."""

    buffer: int
    place: Place
    argument: int


@dataclass(frozen=True, slots=True)
class Update:
    """A value combined into a place, where the condition holds (always, without one)."""

    buffer: int
    place: Place
    reducer: str
    argument: int
    kind: Kind
    condition: int | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """``C[c + rows + j] = D[d + rows + j] + sum over sums of A[a + rows + sums + j*an] * B[b + sums + j*bn]``, for each tuple of ``outer``.

    It may end with 0 in place of some entries: of those that are not greater (``ends`` is 1: a rectifier), or of those where E is not
    greater (``ends`` is 2: the gradient of one). NaN stays, or has its entry stay.

    Rows, sums and outer loops are given by levels, the outermost first: an extent and the strides in C, A, B and D that it has. So
    the rows may be the places of all images of a batch, and the sum one over a filter's taps and channels.

    Attributes:
        chunk: the variable of the loop around it. A target may divide the result by it into ``row_chunks * column_chunks`` for
            each index tuple of ``outer``, or let one iteration of it do everything.
        c, a, b, d, e: the buffers; ``c_at``, ``a_at``, ``b_at``, ``d_at``: where they begin. E's entries lie as C's.
        m, n, k: how many rows, columns and terms there are.
        bn: B's stride along the columns; C's and D's are 1.
        an: A's: 0, or 1 where both operands lie along the columns, side by side; then ``bn`` is 1.
        others: how many rectangles of the result there are for the same rows of A, and the strides in B, C and D from one to the next;
            more than one where ``an`` is 1, or where there is one column and the last of the sums lies along both operands.
        starts: where it is 0, there is no D: the sums start from 0.
        ends: 0, 1 or 2, see above; 0 where ``an`` is 1, or ``others`` are several.
        row_chunks, column_chunks: see ``chunk``.
        rows: levels of extent, stride in A, stride in C.
        sums: levels of extent, stride in A, stride in B.
        outer: levels of extent, strides in C, A, B and D.
        first: where the sums start from, row by row: for each level of ``rows`` its extent, its stride in D, and 0.
        scratch: a buffer of 64-bit words, of which each thread has ``piece``.
        beside: whether the operands may lie beside each other: ``an`` may be 1, or there is one column.
    """

    chunk: int
    c: int
    a: int
    b: int
    d: int
    e: int
    scratch: int
    c_at: Coefficient
    a_at: Coefficient
    b_at: Coefficient
    d_at: Coefficient
    m: Coefficient
    n: Coefficient
    k: Coefficient
    bn: Coefficient
    an: Coefficient
    others: tuple[Coefficient, Coefficient, Coefficient, Coefficient]
    starts: Coefficient
    ends: Coefficient
    row_chunks: Coefficient
    column_chunks: Coefficient
    rows: tuple[tuple[Coefficient, Coefficient, Coefficient], ...]
    sums: tuple[tuple[Coefficient, Coefficient, Coefficient], ...]
    outer: tuple[tuple[Coefficient, Coefficient, Coefficient, Coefficient, Coefficient], ...]
    first: tuple[tuple[Coefficient, Coefficient, Coefficient], ...]
    piece: Coefficient
    beside: bool

    @property
    def numbers(self) -> tuple[Coefficient, ...]:
        """All whole numbers, in the order in which they are a kernel's parameters; the levels' counts stand before ``piece``."""
        plain = (self.c_at, self.a_at, self.b_at, self.d_at, self.m, self.n, self.k, self.bn, self.an, *self.others)
        plain = (*plain, self.starts, self.ends, self.row_chunks, self.column_chunks)
        counts = (len(self.rows), len(self.sums), len(self.outer))
        return (*plain, *counts, self.piece, *(x for level in (*self.rows, *self.sums, *self.outer, *self.first) for x in level))


@dataclass(frozen=True, slots=True)
class Matrices:
    """``kind`` (inverse, determinant, logdet, cofactor) of each of ``count`` matrices of ``size`` rows, computed in 64 bits.

    ``operands``: the matrices and, after them, the directions that cofactors are differentiated along. Where a matrix that is to
    be inverted is singular, the program's error word becomes ``code``, and the matrix's number is noted. ``scratch`` is a
    buffer of 64-bit floats of its own.
    """

    kind: str
    result: int
    operands: tuple[int, ...]
    scratch: int
    count: Param
    size: Param
    code: Param | None


@dataclass(frozen=True, slots=True)
class Loop:
    """The body for each value of the variable.

    ``parallel``: from where to where is an argument of the kernel. ``short``: the iterations rather fill part of a vector than run
    one by one; what they compute is the same. ``apart``: no iteration touches what another one writes.
    """

    variable: int
    extent: Coefficient
    body: tuple[Statement, ...]
    parallel: bool = False
    short: bool = False
    apart: bool = False


Statement = Literal | Load | Integer | Compute | Uniform | Checked | Start | Accumulate | Store | Update | Contract | Matrices | Loop


@dataclass(frozen=True, slots=True)
class Kernel:
    """A function of buffers and whole numbers.

    Attributes:
        buffers: the kind of each buffer's entries.
        written: which buffers it writes.
        params: how many whole numbers it takes.
        body: its statements.
        scratch: buffers of which every thread has a piece of its own, and how long that is, in entries.
    """

    buffers: tuple[Kind, ...]
    written: tuple[bool, ...]
    params: int
    body: tuple[Statement, ...] = field(default=())
    scratch: tuple[tuple[int, Coefficient], ...] = ()

    @property
    def extent(self) -> Coefficient:
        """The extent of its parallel loops; 0 where it has none."""
        level: list[Statement] = list(self.body)
        while level:
            loops = [s for s in level if isinstance(s, Loop)]
            found = next((s for s in loops if s.parallel), None)
            if found is not None:
                return found.extent
            level = [s for loop in loops for s in loop.body]
        return 0
