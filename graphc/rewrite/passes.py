"""The passes in their order, each switchable by its name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from graphc.expr.tensor import Node, Tensor
from graphc.rewrite.bodies import improve_bodies
from graphc.rewrite.borders import split_borders
from graphc.rewrite.chains import sum_in_turn
from graphc.rewrite.columns import gather_columns
from graphc.rewrite.common import merge_common
from graphc.rewrite.constants import fold_constants
from graphc.rewrite.factors import take_out_factors
from graphc.rewrite.fission import split_recurrences
from graphc.rewrite.kept import keep_values
from graphc.rewrite.lanes import widen_products
from graphc.rewrite.layouts import lay_out_products
from graphc.rewrite.moves import fold_moves
from graphc.rewrite.padding import pad_windows
from graphc.rewrite.partial import reduce_in_parts
from graphc.rewrite.residues import split_residues
from graphc.rewrite.shared import share_functions
from graphc.rewrite.signs import read_signs
from graphc.rewrite.spread import spread_results
from graphc.rewrite.stored import read_stored
from graphc.rewrite.tiles import compute_by_tiles
from graphc.rewrite.turned import turn_sources

__all__ = ["BODIES", "PASSES", "PURPOSES", "rewrite"]

Pass = Callable[[Sequence[Tensor], Mapping[Node, int]], list[Tensor]]
Note = Callable[[str, Sequence[Tensor], Sequence[Tensor], int], None]

BODIES = "bodies"  # the pass that has a body of a recurrence go through all of them

PASSES: dict[str, Pass] = {
    "constants": lambda outputs, _: fold_constants(outputs),
    "moves": lambda outputs, _: fold_moves(outputs),
    "kept": keep_values,
    "fission": lambda outputs, _: split_recurrences(outputs),
    BODIES: lambda outputs, numbers: improve_bodies(outputs, lambda results: rewrite(results, numbers)),
    "factors": lambda outputs, _: take_out_factors(outputs),
    "shared": lambda outputs, numbers: share_functions(merge_common(outputs, numbers)),
    "chains": lambda outputs, _: sum_in_turn(outputs),
    "turned": lambda outputs, _: turn_sources(outputs),
    "columns": lambda outputs, _: gather_columns(outputs),
    "residues": lambda outputs, _: split_residues(outputs),
    "padding": lambda outputs, _: pad_windows(outputs),
    "tiles": lambda outputs, _: compute_by_tiles(outputs),
    "lanes": lambda outputs, _: widen_products(outputs),
    "spread": lambda outputs, _: spread_results(outputs),
    "layouts": lambda outputs, _: lay_out_products(outputs),
    "signs": lambda outputs, _: read_signs(outputs),
    "stored": lambda outputs, _: read_stored(outputs),
    "partial": lambda outputs, _: reduce_in_parts(outputs),
    "borders": lambda outputs, _: split_borders(outputs),
    "common": merge_common,
}

# What each is for, in one line.
PURPOSES: dict[str, str] = {
    "constants": "what depends on numbers alone is computed once, when the program is made",
    "moves": "slices, transposes, new axes and broadcasts are read where they are used, and not carried out",
    "kept": "what a recurrence has computed is not computed again by its adjoint",
    "fission": "what needs no carry of a recurrence is done for all items at once, before the loop or after it",
    "bodies": "what no iteration changes leaves its recurrence, and the body goes through all passes",
    "factors": "what does not depend on a sum's index leaves the sum",
    "shared": "a function that stands in several formulas is computed once, and read",
    "chains": "a sum of many factors is summed one index after the other",
    "turned": "what is only read with its axes in another order is computed in that order",
    "columns": "columns of a sum of products that lie apart in its result are moved to its end, where they run on as one",
    "residues": "a scatter along strides becomes gathers, one for each class of places",
    "padding": "what a window reads around a tensor is written around a copy of it",
    "tiles": "a convolution by a small filter is computed tile by tile, with a part of the multiplications",
    "lanes": "a sum of products with few columns is turned so that places and samples are its columns",
    "spread": "what is computed entry by entry from a spread tensor is computed where it is spread",
    "layouts": "a small operand that is used again and again is laid out for the contraction",
    "signs": "where a rectifier cuts off is read from its result, so that what it was given needs no memory",
    "stored": "what a sum would compute again is read where a stage has stored it",
    "partial": "a long sum to few entries is first carried out for each entry of its outermost index, which threads share",
    "borders": "a stage that asks at each entry where it is falls apart into boxes that need not ask",
    "common": "equal stages of equal tensors become one",
}


def rewrite(outputs: Sequence[Tensor], numbers: Mapping[Node, int], without: Collection[str] = (), note: Note | None = None) -> list[Tensor]:
    """The graph after every pass.

    Args:
        outputs, numbers: the graph, and the numbers of its random nodes.
        without: names of passes that it does not go through, nor do bodies of recurrences.
        note: called after each pass with its name, the graph before it and after it, and in how many recurrences that graph is.
    """
    return _rewritten(outputs, numbers, without, note, 0)


def _rewritten(outputs: Sequence[Tensor], numbers: Mapping[Node, int], without: Collection[str], note: Note | None, depth: int) -> list[Tensor]:
    result = list(outputs)
    for name, apply in PASSES.items():
        if name in without:
            continue
        before = result
        if name == BODIES:
            result = improve_bodies(before, lambda results: _rewritten(results, numbers, without, note, depth + 1))
        else:
            result = apply(before, numbers)
        if note is not None:
            note(name, before, result, depth)
    return result
