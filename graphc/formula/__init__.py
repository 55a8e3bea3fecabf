"""Formulas: gradients derived in closed form, written with the user's own names; a tensor's formula in index notation."""

from __future__ import annotations

from graphc.formula.derivation import Derivation, Named, Step, derive
from graphc.formula.index_form import index_latex, index_text
from graphc.formula.verify import Verification

__all__ = ["Derivation", "Named", "Step", "Verification", "derive", "index_latex", "index_text"]
