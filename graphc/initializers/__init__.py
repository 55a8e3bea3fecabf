"""Initializers; ``gx.initializers``."""

from __future__ import annotations

from graphc.expr.tensor import METHODS
from graphc.initializers import catalogue
from graphc.initializers.catalogue import *  # noqa: F403
from graphc.initializers.initialise import NAMES, get, initialise

__all__ = ["get", "initialise"]
__all__ += catalogue.__all__

# The lower-case names are the classes too: gx.initializers.glorot_uniform().
globals().update(NAMES)

# What Tensor.value calls where a parameter has no value yet.
METHODS["initialise"] = initialise
# What gx.parameter looks a name up with, so that a misspelt one is told on its line.
METHODS["initializer"] = get
