"""Arrays from what users have, and splits."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.data import as_numbers, check_finite, epoch_order, holdout, is_batches
from graphc.errors import DataError

GIVEN = {
    "lists": [[1, 2], [3, 4]],
    "float16": np.array([[1, 2], [3, 4]], dtype=np.float16),
    "byte-swapped": np.array([[1, 2], [3, 4]], dtype=">f8"),
    "strided": np.arange(1, 9).reshape(2, 4)[:, :2] * 0 + np.array([[1, 2], [3, 4]]),
    "Fortran": np.asfortranarray(np.array([[1.0, 2], [3, 4]])),
    "objects": np.array([[1, 2.0], [3, 4]], dtype=object),
}


@pytest.mark.parametrize("row", GIVEN)
def test_whatever_means_the_same_numbers(row):
    np.testing.assert_array_equal(as_numbers("x", GIVEN[row]).array.astype(float), [[1, 2], [3, 4]])


def test_frames():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"height": [1, 2], "width": [0.5, np.nan]})
    column = as_numbers("x", frame)
    assert column.names == ("height", "width")
    with pytest.raises(DataError, match=r"x is NaN in the column 'width' \(row 1\)"):
        check_finite(column)
    with pytest.raises(DataError, match=r"column 'city' of x has entries that are no numbers"):
        as_numbers("x", pandas.DataFrame({"height": [1, 2], "city": ["Oslo", "Rome"]}))
    assert as_numbers("y", frame["height"]).array.tolist() == [1, 2]


def test_nan_by_number():
    x = np.zeros((5, 3))
    x[2, 1] = x[4, 1] = np.nan
    with pytest.raises(DataError, match=r"x is NaN in the column 1 \(row 2 and 1 more rows\)"):
        check_finite(as_numbers("x", x))
    with pytest.raises(DataError, match=r"y is NaN in row 1"):
        check_finite(as_numbers("y", [1.0, None]))


def test_what_are_no_numbers():
    with pytest.raises(DataError, match=r"rows of unequal lengths"):
        as_numbers("x", [[1, 2], [3]])
    with pytest.raises(DataError, match=r"y has entries of type <U4.*classes as 0, 1, 2"):
        as_numbers("y", ["cat", "bird"])
    with pytest.raises(DataError, match=r"x is the number 3"):
        as_numbers("x", 3)


@pytest.mark.parametrize(("count", "fraction"), [(10, 0.25), (569, 0.25), (7, 0.5), (100, 0.999 - 0.5)])
def test_holdout_size(count, fraction):
    kept, held = holdout(count, fraction, seed=1)
    assert len(held) == round(fraction * count)
    assert sorted([*kept, *held]) == list(range(count))
    assert not np.array_equal(holdout(count, fraction, seed=2)[1], held)
    np.testing.assert_array_equal(holdout(count, fraction, seed=1)[1], held)


def test_holdout_keeps_the_shares_of_the_classes():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    _, held = holdout(100, 0.2, 0, labels)
    assert np.bincount(labels[held]).tolist() == [12, 6, 2]
    _, held = holdout(100, 0.25, 0, labels)
    assert len(held) == 25
    with pytest.raises(DataError, match=r"holds out 0"):
        holdout(3, 0.1, 0)


def test_orders():
    first = epoch_order(100, 0, 0)
    assert sorted(first) == list(range(100))
    np.testing.assert_array_equal(first, epoch_order(100, 0, 0))
    assert not np.array_equal(first, epoch_order(100, 0, 1))
    assert not np.array_equal(first, epoch_order(100, 1, 0))
    assert epoch_order(3, 0, 5, shuffle=False).tolist() == [0, 1, 2]


def test_what_is_an_iterable_of_batches():
    x, y = np.zeros((4, 2)), np.zeros(4)
    assert is_batches(b for b in [(x, y)])
    assert is_batches([(x, y), (x, y)])
    assert not is_batches(x)
    assert not is_batches([[1, 2], [3, 4]])
    assert not is_batches([(1, 2), (3, 4)])
