"""Data that comes batch by batch: generators, loaders, lists of batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from graphc.data import is_batches
from graphc.errors import DataError
from graphc.models.program import Logs, Measured, Program, weighted_mean

__all__ = ["Batches", "Tally", "inputs_of", "parts", "streamed"]


class Batches:
    """An iterable of batches that may be walked once or many times."""

    def __init__(self, source: Any, epochs: int, steps: int | None) -> None:
        self.source, self.steps = source, steps
        # A generator can be walked once only: what it gives is kept for the other epochs.
        once = hasattr(source, "__iter__") and iter(source) is source
        self.kept: list[Any] | None = list(source) if once and epochs > 1 and steps is None else None

    def __iter__(self) -> Iterator[Any]:
        walked: Iterable[Any] = self.kept if self.kept is not None else self.source
        if not hasattr(walked, "__iter__"):
            walked = (self.source[k] for k in range(len(self.source)))
        for k, batch in enumerate(walked):
            yield batch
            if self.steps is not None and k + 1 >= self.steps:
                return

    @property
    def again(self) -> bool:
        """Whether another walk gives the same batches."""
        return self.kept is not None or not (hasattr(self.source, "__iter__") and iter(self.source) is self.source)


class Tally:
    """The measured numbers of batches, of which only some may have weights: the samples of the others weigh 1, as in Keras."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Sequence[float], Measured]] = []
        self.what: Measured | None = None  # with weights, where a batch has some: its numbers are those of all

    def add(self, size: int, means: Sequence[float], program: Program) -> None:
        """Take the numbers of a batch."""
        assert program.what is not None
        self.rows.append((size, means, program.what))
        if self.what is None or program.weight is not None:
            self.what = program.what

    def logs(self) -> Logs:
        """The named numbers of all batches.

        Raises:
            DataError: where there are none.
        """
        what = self.what
        if what is None:
            raise DataError("the iterable of batches is empty: give one that has a batch each time it is walked, such as a list")
        return what.finish(weighted_mean([(size, what.means_of(means, own)) for size, means, own in self.rows]))


def streamed(x: Any, y: Any, sample_weight: Any) -> bool:
    """Whether the data of a run is an iterable of batches: without targets beside it, a list of tuples is nothing else.

    Raises:
        DataError: for weights beside one.
    """
    if y is not None or not is_batches(x, rows=False):
        return False
    if sample_weight is not None:
        raise DataError("sample_weight is given beside an iterable of batches: let each batch be (x, y, sample_weight)")
    return True


def parts(batch: Any) -> tuple[Any, Any, Any]:
    """Inputs, targets and weights of a batch to train or measure."""
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        raise DataError("an iterable of batches gives (x, y) or (x, y, sample_weight) for each")
    return batch[0], batch[1], batch[2] if len(batch) == 3 else None


def inputs_of(batch: Any, count: int, rank: int) -> Any:
    """The inputs of a batch to predict: the batch itself, or the first part of ``(x,)``, ``(x, y)`` or ``(x, y, sample_weight)``.

    Args:
        batch: what the iterable gave; loaders give lists where they mean such parts.
        count, rank: how many inputs the model has, and the axes of the first; a list of several inputs or of rows stays as it is.
    """
    listed = isinstance(batch, list) and len(batch) in (1, 2, 3)
    if listed and count > 1:
        listed = len(batch) != count
    elif listed:
        listed = getattr(batch[0], "ndim", None) == rank
    return batch[0] if listed or (isinstance(batch, tuple) and len(batch) in (1, 2, 3)) else batch
