"""A stage as LaTeX in index notation, under the names that pictures give to tensors."""

from __future__ import annotations

import re

from graphc.expr.stage import Stage
from graphc.expr.tensor import Tensor
from graphc.formula import stage_form
from graphc.formula.stage_form import Labels, body_latex, is_part
from graphc.view.names import filled, name_text

__all__ = ["alike_latex", "body_latex", "is_part", "plain_latex", "stage_latex"]

_NUMBER = re.compile(r"_\{\d+\}$")
_LONGEST = 80
_UNKNOWN = r"\cdot"


def _label(tensor: Tensor, deep: int = 2) -> str:
    if tensor.name:
        return name_text(tensor.name.rpartition("/")[2] or tensor.name).latex or r"\text{x}"
    written = _written(tensor, deep)
    if not written or len(written) > _LONGEST:
        return _UNKNOWN
    entry = tensor.call is not None and tensor.call.symbol == "[ ]"
    if tensor.ndim == 0:
        return written if entry or tensor.kind == "constant" else rf"\left({written}\right)"
    return rf"\left[{written}\right]"


def _written(tensor: Tensor, deep: int) -> str:
    """What the user wrote for an unnamed operand, where it is a call or two on named tensors and numbers: ``tanh x``; else nothing."""
    if tensor.kind == "constant":
        return f"{tensor.value.item():.4g}" if tensor.ndim == 0 else ""
    call = tensor.call
    if call is None or not call.latex or not deep:
        return ""
    words = [_label(t, deep - 1) for t in call.inputs]
    pattern = r"{0} \, {1}" if call.symbol == "⊙" and tensor.ndim == 0 else call.latex
    return "" if _UNKNOWN in words else filled(pattern, words)


def stage_latex(tensor: Tensor, label: Labels = _label) -> str:
    r"""The formula of a stage's entry, such as ``\sum_{k} X_{ik} W_{kj}``."""
    return stage_form.stage_latex(tensor, label)


def plain_latex(tensor: Tensor, label: Labels = _label) -> str:
    """An element-wise stage over whole tensors, ``2 z``, and anything else as :func:`stage_latex` has it."""
    return stage_form.plain_latex(tensor, label)


def alike_latex(tensor: Tensor, known: dict[tuple[Stage, tuple[str, ...]], str]) -> str:
    """As :func:`plain_latex`, with the names of operands less their numbers, so that stages of one form have one formula, made once."""
    assert isinstance(tensor.op, Stage)
    names = {t: _NUMBER.sub("", _label(t)) for t in tensor.inputs}
    if any(is_part(t) for t in tensor.inputs):
        return plain_latex(tensor)
    key = tensor.op, tuple(names[t] for t in tensor.inputs)
    if key not in known:
        known[key] = plain_latex(tensor, lambda t: names[t])
    return known[key]
