"""Which samples are held out for validation, and in which order the others come."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import DataError
from graphc.expr.numbers import is_real

__all__ = ["epoch_order", "holdout"]

Array = np.ndarray[Any, Any]
# Told apart from each other and from initial weights by these numbers in the generator's seed.
_SPLIT, _ORDER = 1_000_003, 1_000_033


def holdout(count: int, fraction: float, seed: int, labels: Array | None = None) -> tuple[Array, Array]:
    """The positions of the training and of the validation samples, each in the data's order.

    Args:
        count: the number of samples.
        fraction: ``round(fraction * count)`` of them are held out.
        seed: what the draw depends on.
        labels: class labels; each class is then held out in the same share.

    Raises:
        DataError: where one of the parts would be empty.
    """
    if not is_real(fraction) or not 0 < fraction < 1:
        raise DataError(f"validation_split={fraction!r}: it is a share between 0 and 1")
    held = round(float(fraction) * count)
    if not 0 < held < count:
        raise DataError(f"validation_split={fraction} of {count} samples holds out {held}: give more data, or validation_data")
    generator = np.random.default_rng([seed, _SPLIT])
    if labels is None:
        chosen = generator.permutation(count)[:held]
    else:
        classes, members = np.unique(labels, return_inverse=True)
        sizes = np.bincount(members, minlength=len(classes))
        chosen = np.concatenate([
            generator.permutation(np.flatnonzero(members == k))[:share] for k, share in enumerate(_shares(sizes, held))
        ])  # fmt: skip
    mask = np.zeros(count, dtype=bool)
    mask[chosen] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def _shares(sizes: Array, held: int) -> list[int]:
    """``held`` divided in proportion to ``sizes``: rounded down, the rest to the largest remainders."""
    exact = sizes * held / sizes.sum()
    shares = np.floor(exact).astype(int)
    rest = held - int(shares.sum())
    for k in np.argsort(-(exact - shares), kind="stable")[:rest]:
        shares[k] += 1
    return [int(s) for s in shares]


def epoch_order(count: int, seed: int, epoch: int, shuffle: bool = True) -> Array:
    """The order of the samples in one epoch: a function of the seed and of the epochs that the model has completed."""
    if not shuffle:
        return np.arange(count, dtype=np.int64)
    return np.random.default_rng([seed, _ORDER, epoch]).permutation(count).astype(np.int64)
