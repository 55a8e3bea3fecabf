"""Every operation of the table can be drawn: as valid SVG, the same each time, with its arguments on it; and so can its gradient."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zlib

import pytest

import graphc as gx
from tests.operations import ROWS
from tests.rows.row import Row
from tests.test_compiled import some

FLOATS = [row for row in ROWS if row.dtype == "float" and any(a.kind == "float" for a in row.args) and row.smooth]


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


@pytest.mark.parametrize("row", [row for row in FLOATS if zlib.crc32(row.id.encode()) % 8 == 0], ids=lambda r: r.id)
def test_a_gradient_is_drawn(row: Row) -> None:
    y = row.make(*row.tensors())
    loss = gx.sum(y * y).named("L") if y.ndim else (y * y).named("L")
    picture = gx.draw(loss, backward=True)
    assert "∂L/∂L is 1" in picture.description
    formulas = re.findall(r"\{\$(.+)\$\}", picture.tex)
    for formula in formulas:
        left, _, right = formula.partition(" = ")
        assert left != right, formula
    assert any(f.startswith(r"\frac{\partial L}{\partial ") for f in formulas)
    assert not re.search(r"\d\.0*[1-9]\d{4}", "".join(formulas)), "numbers have four digits"
