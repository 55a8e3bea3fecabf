"""A stage as LaTeX in index notation, under the names that pictures give to tensors."""

from __future__ import annotations

from graphc.expr.tensor import Tensor
from graphc.formula import stage_form
from graphc.formula.stage_form import Labels, body_latex, is_part
from graphc.view.names import name_text

__all__ = ["body_latex", "is_part", "plain_latex", "stage_latex"]


def _label(tensor: Tensor) -> str:
    return (name_text(tensor.name.rpartition("/")[2] or tensor.name).latex or r"\text{x}") if tensor.name else r"\cdot"


def stage_latex(tensor: Tensor, label: Labels = _label) -> str:
    """The formula of a stage's entry, such as ``\\sum_{k} X_{ik} W_{kj}``."""
    return stage_form.stage_latex(tensor, label)


def plain_latex(tensor: Tensor, label: Labels = _label) -> str:
    """An element-wise stage over whole tensors, ``2 z``, and anything else as :func:`stage_latex` has it."""
    return stage_form.plain_latex(tensor, label)
