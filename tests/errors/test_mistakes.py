"""Mistakes and what is said about them: each error is graphc's own, names the tensor, and says what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc as gx
from tests.errors import declaring, definitions, neural, operations, programs, settings, values

ALL = [mistake for table in (declaring, operations, neural, definitions, settings, values, programs) for mistake in table.MISTAKES]


@pytest.mark.parametrize(("wrong", "error", "texts"), [m[1:] for m in ALL], ids=[m[0] for m in ALL])
def test_a_mistake_is_named(wrong: Callable[[], Any], error: type[gx.GraphcError], texts: tuple[str, ...]) -> None:
    with pytest.raises(gx.GraphcError) as caught:
        wrong()
    assert isinstance(caught.value, error), repr(caught.value)
    message = str(caught.value)
    assert [t for t in texts if t not in message] == [], message
    assert not caught.value.__cause__ or isinstance(caught.value.__cause__, gx.GraphcError)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert len(message) > 20
    assert not re.search(r"#\d|0x[0-9a-f]{6}", message), message  # numbers and addresses of our own


def test_an_error_of_a_size_quotes_the_line_that_declared_it() -> None:
    a, b = gx.tensor("A", ("n",)), gx.tensor("B", ("m",))
    total = a + b  # this line
    with pytest.raises(gx.ShapeError, match=r"test_mistakes\.py") as caught:
        gx.evaluate(total, {a: np.ones(2), b: np.ones(3)})
    line = int(re.search(r"test_mistakes\.py:(\d+)", str(caught.value))[1])  # type: ignore[index]
    with open(__file__, encoding="utf-8") as source:
        assert "# this line" in source.readlines()[line - 1]


def test_every_error_is_caught_by_the_root() -> None:
    for name in ("CompileError", "DataError", "DeclarationError", "DerivationError", "FileFormatError", "ShapeError"):
        assert issubclass(getattr(gx, name), gx.GraphcError)
