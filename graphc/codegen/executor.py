"""The kernels that run other kernels: one program once, and a whole run of training steps.

A kernel is ``void kernel(int64 *row, int64 low, int64 high, int64 worker)``: it runs its parallel loop from ``low`` to before
``high``, where it has one, in the scratch memory of the thread ``worker``. A program is a table of four words a call: the
kernel's address, the address of its row of arguments, the extent of its parallel loop, and how many iterations of it a thread
takes at a time, 0 where the call is not worth dividing. The control words that all kernels see are: the seed's two words, the
step, the error word, the iteration of a loop, the place that was out of range, whether numbers below the normal range
are taken as 0 (:mod:`graphc.codegen.modes`), and the address of the pool of threads (:mod:`graphc.codegen.division`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from graphc.codegen.cache import kernel_address
from graphc.codegen.printer import PLACEHOLDER

__all__ = ["COMPILED", "ONCE", "PARTS", "PIECE", "PIECES", "REPEAT", "STEPS", "executor", "executor_address", "helper"]

_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
COMPILED = """from graphc.codegen.kernel import *


@compiled
"""
_HEAD = f"""from graphc.codegen.invoke import address_of, call, copy_bytes, float32_at, float64_at, put_word
from graphc.codegen.modes import flushing, mode, set_mode
{COMPILED}"""
_FLUSH = """    before = mode()
    if control[6] != 0:
        set_mode(flushing(before))
"""

# Row: control, table, how many kernels come before any state changes, how many there are.
ONCE = (
    _HEAD
    + f"""def {PLACEHOLDER}(row, low, high, worker):
    control = integers(row, 0)
    table = integers(row, 1)
    early = integer(row, 2)
    count = integer(row, 3)
{_FLUSH}    for k in range(early):
        call(table[4 * k], table[4 * k + 1], 0, table[4 * k + 2], 0)
    if control[3] == 0:
        for k in range(early, count):
            call(table[4 * k], table[4 * k + 1], 0, table[4 * k + 2], 0)
    set_mode(before)
"""
)

# Row: control, table of full batches, table of the last, kernels before states change, kernels; order, samples, batch size,
# first batch, end, first step; gathers (source, target, bytes a row) and how many; means (address, is double), how many, and
# where they are summed; results (source, target, bytes a row) and how many; where the batches done are noted.
STEPS = (
    _HEAD
    + f"""def {PLACEHOLDER}(row, low, high, worker):
    control = integers(row, 0)
    full = integers(row, 1)
    short = integers(row, 2)
    early = integer(row, 3)
    count = integer(row, 4)
    order = integers(row, 5)
    samples = integer(row, 6)
    size = integer(row, 7)
    first = integer(row, 8)
    end = integer(row, 9)
    step = integer(row, 10)
    gathers = integers(row, 11)
    gather_count = integer(row, 12)
    means = integers(row, 13)
    mean_count = integer(row, 14)
    sums = floats64(row, 15)
    results = integers(row, 16)
    result_count = integer(row, 17)
    done = integers(row, 18)
    limit = integer(row, 19)
{_FLUSH}    for batch in range(first, end):
        start = batch * size
        rows = samples - start if samples - start < size else size
        for r in range(rows):
            at = checked(control, order[start + r], limit, -1)
            for g in range(gather_count):
                width = gathers[3 * g + 2]
                copy_bytes(gathers[3 * g + 1] + r * width, gathers[3 * g] + at * width, width)
        control[2] = step + batch
        if control[3] == 0:
            for k in range(early):
                if rows == size:
                    call(full[4 * k], full[4 * k + 1], 0, full[4 * k + 2], 0)
                else:
                    call(short[4 * k], short[4 * k + 1], 0, short[4 * k + 2], 0)
        if control[3] != 0:
            break
        for k in range(early, count):
            if rows == size:
                call(full[4 * k], full[4 * k + 1], 0, full[4 * k + 2], 0)
            else:
                call(short[4 * k], short[4 * k + 1], 0, short[4 * k + 2], 0)
        for o in range(mean_count):
            if means[2 * o + 1] == 1:
                sums[o] = sums[o] + float64_at(means[2 * o]) * rows
            else:
                sums[o] = sums[o] + float32_at(means[2 * o]) * rows
        for o in range(result_count):
            width = results[3 * o + 2]
            copy_bytes(results[3 * o + 1] + start * width, results[3 * o], rows * width)
        done[0] = batch + 1
    set_mode(before)
"""
)


# Row: the address of REPEAT, those of its rows for each of the parts of the loop, which may run beside each other.
PARTS = (
    _HEAD
    + f"""def {PLACEHOLDER}(row, low, high, worker):
    repeat = integer(row, 0)
    rows = integers(row, 1)
    for part in range(low, high):
        call(repeat, rows[part], 0, 0, worker)
"""
)

# Row: the address of PIECE; for each worker the addresses of two of its rows, for most pieces and for the last one; how many pieces there
# are, how many in a lane. Pieces are the samples that calls run for at a time; lanes may run beside each other.
PIECES = (
    _HEAD
    + f"""def {PLACEHOLDER}(row, low, high, worker):
    run = integer(row, 0)
    rows = integers(row, 1)
    pieces = integer(row, 2)
    each = integer(row, 3)
    for piece in range(low * each, min(high * each, pieces)):
        call(run, rows[2 * worker + (1 if piece == pieces - 1 else 0)], piece, piece + 1, worker)
"""
)

# Row: table of the calls, how many there are; pieces in a lane; words that move with the piece (that of a row; what it is in the first one,
# and its step) and how many; those that move with the lane, and how many; those that are 0 in the first piece of a lane, else 1,
# and how many.
PIECE = (
    _HEAD
    + f"""def {PLACEHOLDER}(row, low, high, worker):
    table = integers(row, 0)
    count = integer(row, 1)
    each = integer(row, 2)
    moves = integers(row, 3)
    move_count = integer(row, 4)
    lanes = integers(row, 5)
    lane_count = integer(row, 6)
    again = integers(row, 7)
    again_count = integer(row, 8)
    lane = low // each
    for m in range(move_count):
        put_word(moves[3 * m], moves[3 * m + 1] + low * moves[3 * m + 2])
    for m in range(lane_count):
        put_word(lanes[3 * m], lanes[3 * m + 1] + lane * lanes[3 * m + 2])
    for m in range(again_count):
        put_word(again[m], 1 if low > lane * each else 0)
    for j in range(count):
        call(table[4 * j], table[4 * j + 1], 0, table[4 * j + 2], 0)
"""
)

# Row: control (0 where nothing asks for the number of the iteration), table of the body, its kernels, iterations, whether they run
# backwards; addresses that move (that of the word which holds it; where it starts, its step, what is added in odd iterations,
# what it is in the first and in the last one) and how many; copies before an iteration (source and target, each an address
# that moves; bytes) and how many; copies after it, and how many; copies before and after the loop.
REPEAT = (
    _HEAD
    + f"""def {PLACEHOLDER}(row, low, high, worker):
    control = integers(row, 0)
    table = integers(row, 1)
    count = integer(row, 2)
    length = integer(row, 3)
    reverse = integer(row, 4)
    moves = integers(row, 5)
    move_count = integer(row, 6)
    before = integers(row, 7)
    before_count = integer(row, 8)
    after = integers(row, 9)
    after_count = integer(row, 10)
    first = integers(row, 11)
    first_count = integer(row, 12)
    final = integers(row, 13)
    final_count = integer(row, 14)
    numbered = integer(row, 0) != 0
    outer = 0
    if numbered:
        outer = control[4]
    for c in range(first_count):
        copy_bytes(first[11 * c + 5], first[11 * c], first[11 * c + 10])
    for k in range(length):
        if numbered:
            control[4] = outer * length + (length - 1 - k if reverse != 0 else k)
        for c in range(move_count):
            put_word(moves[6 * c], address_of(moves, 6 * c + 1, k, length))
        for c in range(before_count):
            copy_bytes(address_of(before, 11 * c + 5, k, length), address_of(before, 11 * c, k, length), before[11 * c + 10])
        for j in range(count):
            call(table[4 * j], table[4 * j + 1], 0, table[4 * j + 2], 0)
        for c in range(after_count):
            copy_bytes(address_of(after, 11 * c + 5, k, length), address_of(after, 11 * c, k, length), after[11 * c + 10])
    for c in range(final_count):
        copy_bytes(final[11 * c + 5], final[11 * c], final[11 * c + 10])
    if numbered:
        control[4] = outer
"""
)


def executor_address(source: str) -> int:
    """The address of one of the sources above, compiled."""
    return kernel_address(source, PLACEHOLDER)


def executor(source: str) -> Callable[[int], None]:
    """:data:`ONCE` or :data:`STEPS` as a function of its row's address."""
    run = _KERNEL(executor_address(source))
    return lambda row: run(row, 0, 0, 0)


def helper(source: str) -> Callable[[int, int], None]:
    """The loop of a helper, as a function of its row's address and the thread's number."""
    run = _KERNEL(executor_address(source))
    return lambda row, worker: run(row, 0, 0, worker)
