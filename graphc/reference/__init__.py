"""The oracle: an evaluator that interprets stages, and the gradient checker."""

from __future__ import annotations

from graphc.reference.check import GradientReport, check_gradients
from graphc.reference.evaluate import evaluate

__all__ = ["GradientReport", "check_gradients", "evaluate"]
