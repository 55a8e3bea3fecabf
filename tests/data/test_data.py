"""Arrays from what users have, and splits."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gx
from graphc.data import as_floats, as_numbers, check_finite, epoch_order, holdout, is_batches
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


def test_a_nullable_column_has_nan_where_it_has_nothing():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"height": pandas.array([1, None], dtype="Int64"), "width": [0.5, 1.5]})
    with pytest.raises(DataError, match=r"x is NaN in the column 'height' \(row 1\)"):
        check_finite(as_numbers("x", frame))
    with pytest.raises(DataError, match=r"y is NaN in row 1"):
        check_finite(as_numbers("y", frame["height"]))
    np.testing.assert_array_equal(as_numbers("x", frame.iloc[:1]).array, [[1, 0.5]])
    with pytest.raises(DataError, match=r"column 'city' of x has entries that are no numbers"):
        as_numbers("x", frame.assign(city=["Oslo", None]))


class Graded:
    """A tensor of a library that computes gradients, which NumPy may not read."""

    def __array__(self, *args, **kwargs):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    def detach(self):
        return self


class Sparse:
    def toarray(self):
        return np.eye(2)


UNREADABLE = {
    "gradients": (Graded(), r"x carries gradients or lies on a device: give \.detach\(\)\.cpu\(\)\.numpy\(\) of it"),
    "sparse": (Sparse(), r"x is a sparse matrix: give \.toarray\(\) of it"),
    "nothing": (None, r"x is None: give an array"),
    "a formula": (gx.constant([1.0], name="c"), r"x is the tensor c\(1,\), which is a formula"),
}


@pytest.mark.parametrize("row", UNREADABLE)
def test_what_cannot_be_read_is_told(row):
    value, message = UNREADABLE[row]
    with pytest.raises(DataError, match=message):
        as_numbers("x", value)
    assert not is_batches(value)
    x = gx.tensor("x", ("n",))
    for call in (lambda: gx.evaluate(x, {x: value}), lambda: gx.compile(x)(value), lambda: gx.compile(x, target="numpy")(value)):
        with pytest.raises(DataError, match="the value of x" if value is not None else r"None|has no array: give one, f\(x=array\)"):
            call()


def test_numbers_beyond_the_precision():
    pandas = pytest.importorskip("pandas")
    column = as_numbers("x", pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, -1e300]}))
    with pytest.raises(DataError, match=r"x has -1e\+300 in the column 'b' \(row 1\), which is beyond float32: scale .*dtype='float64'"):
        as_floats(column, column.array, np.dtype("float32"))
    assert as_floats(column, column.array, np.dtype("float64"))[1, 1] == -1e300
    large = np.full((5, 2), 3e38)  # whose sum is beyond it, and no entry
    np.testing.assert_array_equal(as_floats(as_numbers("x", large), large, np.dtype("float32")), large.astype(np.float32))


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
    np.testing.assert_array_equal(holdout(count, np.float32(fraction), seed=1)[1], held)


def test_holdout_keeps_the_shares_of_the_classes():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    _, held = holdout(100, 0.2, 0, labels)
    assert np.bincount(labels[held]).tolist() == [12, 6, 2]
    _, held = holdout(100, 0.25, 0, labels)
    assert len(held) == 25
    with pytest.raises(DataError, match=r"holds out 0"):
        holdout(3, 0.1, 0)


@pytest.mark.parametrize("fraction", [np.float32(0.25), np.array(0.25)])
def test_a_share_may_be_a_number_of_numpy(fraction):
    np.testing.assert_array_equal(holdout(40, fraction, 1)[1], holdout(40, 0.25, 1)[1])
    with pytest.raises(DataError, match=r"validation_split=True"):
        holdout(40, True, 1)


def test_orders():
    first = epoch_order(100, 0, 0)
    assert sorted(first) == list(range(100))
    np.testing.assert_array_equal(first, epoch_order(100, 0, 0))
    assert not np.array_equal(first, epoch_order(100, 0, 1))
    assert not np.array_equal(first, epoch_order(100, 1, 0))
    assert epoch_order(3, 0, 5, shuffle=False).tolist() == [0, 1, 2]


A, B = np.zeros((4, 2)), np.zeros(4)
STREAMS = {
    "a generator": ((b for b in [(A, B)]), True, True),
    "arrays": ([(A, B), (A, B)], True, True),
    "a tuple of batches": (((A, B), (A, B, B)), True, True),
    "several inputs": ([([A, A], B), ([A, A], B)], True, True),
    "inputs in a tuple": ([((A, A), B, None)], True, True),
    "inputs by name": ([({"a": A}, B)], True, True),
    "targets in a list": ([(A, [1.0, 2.0, 3.0, 4.0])], True, True),
    "inputs alone": ([([A, A],), (A,)], True, True),
    "lists alone": ([([[1, 2], [3, 4]], [0, 1])], False, True),
    "an array": (A, False, False),
    "lists": ([[1, 2], [3, 4]], False, False),
    "rows of numbers": ([(1, 2), (3.0, 4.0)], False, False),
    "rows of NumPy's numbers": (list(zip(B, B, strict=True)), False, False),
    "rows of numbers of no dimension": ([(np.array(1.0), np.array(2.0))], False, False),
    "rows of one number": ([(1.0,), (2.0,)], False, False),
    "longer rows": ([(A, B, B, B)], False, False),
    "by name": ({"a": [(A, B)]}, False, False),
    "nothing": ([], False, False),
}


@pytest.mark.parametrize("row", STREAMS)
def test_what_is_an_iterable_of_batches(row):
    value, among_rows, alone = STREAMS[row]
    assert (is_batches(value), is_batches(value, rows=False)) == (among_rows, alone)
