"""Every operation of the table can be drawn: as valid SVG, the same each time, with its arguments on it."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

import graphc as gx
from tests.operations import ROWS
from tests.rows.row import Row
from tests.test_compiled import some


@pytest.mark.parametrize("row", some(ROWS, 4), ids=lambda r: r.id)
def test_an_operation_is_drawn(row: Row) -> None:
    tensors = row.tensors()
    y = row.make(*tensors)
    picture = gx.draw(y)
    root = ET.fromstring(picture.svg)
    assert root.tag.endswith("svg")
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert root.find("{http://www.w3.org/2000/svg}desc") is not None
    assert picture.svg == gx.draw(y).svg
    assert picture.dot.startswith("digraph")
