"""``graphc draw`` and ``graphc derive``: a formula typed on the command line."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphc.errors import DeclarationError
from graphc.expr.tensor import Tensor
from graphc.ops.parse import parse

__all__ = ["add_commands", "derive_formula", "draw_formula"]


_MOST = 10**8  # the gradient is checked at random values of every variable


def _shapes(given: Sequence[str]) -> dict[str, tuple[int | str, ...]]:
    """``X=m,n`` as a name and its shape; ``a=`` is a scalar."""
    shapes: dict[str, tuple[int | str, ...]] = {}
    for entry in given:
        name, sign, sizes = entry.partition("=")
        if not sign or not name:
            raise DeclarationError(f"{entry!r} gives no shape: write NAME=SIZE,SIZE such as X=m,n, and a= for a scalar")
        if name in shapes:
            raise DeclarationError(f"{entry!r} gives {name} a second shape: give each name once")
        shapes[name] = tuple(_size(entry, s.strip()) for s in sizes.split(",")) if sizes.strip() else ()
        if math.prod(s for s in shapes[name] if isinstance(s, int)) > _MOST:
            raise DeclarationError(f"{entry!r} has more than {_MOST} entries: give smaller sizes, or names")
    return shapes


def _size(entry: str, text: str) -> int | str:
    """One size: a whole number, or a name."""
    if text.isascii() and text.isdigit():
        return int(text)
    if not text.rstrip("'").isidentifier():  # n+1 and 3.5 would be taken for what they look like
        raise DeclarationError(f"{entry!r}: {text!r} is no size: write a whole number of 0 or more, or a name such as n")
    return text


def _formula(given: argparse.Namespace) -> Tensor:
    shapes = _shapes(given.shapes)
    try:
        return parse(given.formula, shapes)
    except DeclarationError as error:
        # The parser speaks of its own arguments; here shapes are given after the formula.
        name = re.search(r"(\w+) has no shape: give it in the second argument", str(error))
        if name is None:
            raise
        place = "" if given.command == "draw" else " and the variable"
        raise DeclarationError(
            f"{given.formula!r}: {name[1]} has no shape: give it after the formula{place}, as {name[1]}=m,n for a matrix, {name[1]}=n for a column "
            f"and {name[1]}= for a scalar (given: {', '.join(given.shapes) or 'none'})"
        ) from None


def draw_formula(given: argparse.Namespace) -> int:
    """Save the picture of a formula."""
    from graphc.view import draw

    picture = draw(_formula(given), backward=given.backward, style=given.style)
    picture.save(given.out)
    sys.stdout.write(f"{given.out}\n")
    return 0


def derive_formula(given: argparse.Namespace) -> int:
    """Print the derivation of a formula's gradient, or save it."""
    from graphc.formula import derive

    if not given.wrt:
        raise DeclarationError("the variable is an empty text: give the name to differentiate by")
    derivation = derive(_formula(given), given.wrt)
    if given.out:
        derivation.save(given.out)
        sys.stdout.write(f"{given.out}\n")
        return 0
    if given.latex:
        sys.stdout.write(f"{derivation.latex}\n")
        return 0
    for step in derivation.steps:
        sys.stdout.write(f"{step.text}\n    {step.reason}\n")
    sys.stdout.write(f"\n{derivation.text}\n")
    for quantity in derivation.where:
        sys.stdout.write(f"    where {quantity.text}\n")
    sys.stdout.write(f"{derivation.verify()}\n")
    return 0


def add_commands(commands: Any) -> None:
    """The two commands and their arguments."""
    draw = commands.add_parser("draw", help="draw a formula", description="Draws the graph of a formula typed as text.")
    derive = commands.add_parser("derive", help="derive a gradient", description="Derives the gradient of a formula typed as text, with its steps.")
    for command in (draw, derive):
        command.add_argument("formula", metavar="FORMULA", help="such as 'sum((X*w - y)^2)': * is the matrix product, ' the transpose, ^ the power")
    derive.add_argument("wrt", metavar="VARIABLE", help="the name to differentiate by")
    for command in (draw, derive):
        command.add_argument("shapes", metavar="NAME=SHAPE", nargs="*", help="the shape of each name: X=m,n a matrix, w=n a column, a= a scalar")
    draw.add_argument("--out", type=Path, default=Path("graph.svg"), help="the file: .svg .png .pdf .dot .html .tex (default graph.svg)")
    draw.add_argument("--backward", action="store_true", help="draw the backward graph too")
    draw.add_argument("--style", default="default", help="default, dark or paper")
    draw.set_defaults(run=draw_formula, command="draw")
    derive.add_argument("--out", type=Path, help="save the derivation: .html .md .tex")
    derive.add_argument("--latex", action="store_true", help="print the result alone, as LaTeX")
    derive.set_defaults(run=derive_formula, command="derive")
