"""Gradients: SymPy differentiates each stage's body, the sweep walks the graph in reverse."""

from __future__ import annotations

from graphc.autodiff.higher import hessian, hvp, jacobian
from graphc.autodiff.sweep import grad, vjp

__all__ = ["grad", "hessian", "hvp", "jacobian", "vjp"]
