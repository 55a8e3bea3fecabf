"""MathML with as few nested rows as its look allows: a formula is laid out in a time that doubles with each row in a row."""

from __future__ import annotations

import xml.etree.ElementTree as ET

__all__ = ["flattened"]

_ROWS = frozenset({"math", "mrow", "mtd"})
_TALL = frozenset({"mfrac", "mtable", "munder", "munderover", "msqrt", "mroot"})
_OPENING, _CLOSING = frozenset("([{⌊⌈⟨"), frozenset(")]}⌋⌉⟩")


def flattened(mathml: str) -> ET.Element:
    """The formula with rows put into the rows around them, and brackets that stretch only around what is tall."""
    root = ET.fromstring(mathml)  # noqa: S314  written here a moment ago
    elements = list(root.iter())
    for element in elements:
        element.tag = element.tag.rpartition("}")[2]
    for element in elements:
        if element.tag in _ROWS:
            _forms(element)
    for element in reversed(elements):  # what is inside comes before what is around it
        _merge(element)
    return root


def _forms(row: ET.Element) -> None:
    """Say of every operator whether it stands before, between or after, as long as its row tells."""
    after_operator = True
    for k, child in enumerate(row):
        text = (child.text or "").strip()
        if child.tag == "mi" and len(text) > 1:
            child.attrib.setdefault("form", "prefix")  # the name of a function
        if child.tag != "mo":
            after_operator = after_operator and child.tag == "mspace"
            continue
        if text in _OPENING:
            form = "prefix"
        elif text in _CLOSING:
            form = "postfix"
        else:
            form = "none" if len(row) == 1 else "prefix" if after_operator else "postfix" if k == len(row) - 1 else "infix"
        child.attrib.setdefault("form", form)
        after_operator = child.attrib["form"] != "postfix"


def _merge(element: ET.Element) -> None:
    tall: bool | None = None
    for k in range(len(element) - 1, -1, -1):
        inner = element[k]
        if inner.tag != "mrow" or inner.attrib:
            continue
        fences = [c for c in inner if c.tag == "mo" and c.attrib.get("stretchy") == "true"]
        if element.tag not in _ROWS:
            if len(inner) == 1 and inner[0].tag not in ("mo", "mrow"):
                element[k] = inner[0]
            continue
        if fences:
            tall = any(e.tag in _TALL for e in inner.iter())
            if tall:
                continue
            for fence in fences:
                fence.set("stretchy", "false")
        element[k : k + 1] = list(inner)
