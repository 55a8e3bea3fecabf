"""Data on its way into a model; ``gx.data``."""

from __future__ import annotations

from graphc.data.arrays import Column, as_floats, as_numbers, check_finite, column_names, is_batches
from graphc.data.split import epoch_order, holdout

__all__ = ["Column", "as_floats", "as_numbers", "check_finite", "column_names", "epoch_order", "holdout", "is_batches"]
