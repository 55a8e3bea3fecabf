"""graphc: write a neural network once, as formulas, and get its gradients, derivations, pictures and fast kernels.

Example:
    >>> import graphc as gx
    >>> a, b = gx.scalars("a b")
    >>> e = (a + b) * (b + 1)
    >>> float(gx.evaluate(gx.grad(e, b), {a: 2, b: 1}))
    5.0
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphc import ops as ops
from graphc.autodiff import grad as grad
from graphc.autodiff import hessian as hessian
from graphc.autodiff import hvp as hvp
from graphc.autodiff import jacobian as jacobian
from graphc.autodiff import vjp as vjp
from graphc.errors import CompileError as CompileError
from graphc.errors import DataError as DataError
from graphc.errors import DeclarationError as DeclarationError
from graphc.errors import DerivationError as DerivationError
from graphc.errors import FileFormatError as FileFormatError
from graphc.errors import GraphcError as GraphcError
from graphc.errors import ShapeError as ShapeError
from graphc.expr.build import constant as constant
from graphc.expr.define import Max as Max
from graphc.expr.define import Min as Min
from graphc.expr.define import Prod as Prod
from graphc.expr.define import Sum as Sum
from graphc.expr.define import define as define
from graphc.expr.define import indices as indices
from graphc.expr.graph import inference as inference
from graphc.expr.graph import leaves as leaves
from graphc.expr.scope import scope as scope
from graphc.expr.tensor import METHODS as _METHODS
from graphc.expr.tensor import Tensor as Tensor
from graphc.initializers import initialise as _initialise
from graphc.ops import nn as nn
from graphc.ops import random as random
from graphc.ops.arithmetic import abs as abs
from graphc.ops.arithmetic import add as add
from graphc.ops.arithmetic import arctan as arctan
from graphc.ops.arithmetic import clip as clip
from graphc.ops.arithmetic import cos as cos
from graphc.ops.arithmetic import cosh as cosh
from graphc.ops.arithmetic import divide as divide
from graphc.ops.arithmetic import equal as equal
from graphc.ops.arithmetic import erf as erf
from graphc.ops.arithmetic import exp as exp
from graphc.ops.arithmetic import expm1 as expm1
from graphc.ops.arithmetic import floor as floor
from graphc.ops.arithmetic import greater as greater
from graphc.ops.arithmetic import greater_equal as greater_equal
from graphc.ops.arithmetic import isfinite as isfinite
from graphc.ops.arithmetic import less as less
from graphc.ops.arithmetic import less_equal as less_equal
from graphc.ops.arithmetic import log as log
from graphc.ops.arithmetic import log1p as log1p
from graphc.ops.arithmetic import logical_and as logical_and
from graphc.ops.arithmetic import logical_not as logical_not
from graphc.ops.arithmetic import logical_or as logical_or
from graphc.ops.arithmetic import maximum as maximum
from graphc.ops.arithmetic import minimum as minimum
from graphc.ops.arithmetic import multiply as multiply
from graphc.ops.arithmetic import negative as negative
from graphc.ops.arithmetic import not_equal as not_equal
from graphc.ops.arithmetic import power as power
from graphc.ops.arithmetic import reciprocal as reciprocal
from graphc.ops.arithmetic import relu as relu
from graphc.ops.arithmetic import sigmoid as sigmoid
from graphc.ops.arithmetic import sign as sign
from graphc.ops.arithmetic import sin as sin
from graphc.ops.arithmetic import sinh as sinh
from graphc.ops.arithmetic import softplus as softplus
from graphc.ops.arithmetic import sqrt as sqrt
from graphc.ops.arithmetic import square as square
from graphc.ops.arithmetic import subtract as subtract
from graphc.ops.arithmetic import tan as tan
from graphc.ops.arithmetic import tanh as tanh
from graphc.ops.arithmetic import where as where
from graphc.ops.function import function as function
from graphc.ops.joining import concatenate as concatenate
from graphc.ops.joining import flip as flip
from graphc.ops.joining import pad as pad
from graphc.ops.joining import split as split
from graphc.ops.joining import stack as stack
from graphc.ops.layout import broadcast_to as broadcast_to
from graphc.ops.layout import expand_dims as expand_dims
from graphc.ops.layout import reshape as reshape
from graphc.ops.layout import squeeze as squeeze
from graphc.ops.layout import swapaxes as swapaxes
from graphc.ops.layout import transpose as transpose
from graphc.ops.linear import diag as diag
from graphc.ops.linear import diagonal as diagonal
from graphc.ops.linear import dot as dot
from graphc.ops.linear import einsum as einsum
from graphc.ops.linear import matmul as matmul
from graphc.ops.linear import outer as outer
from graphc.ops.linear import trace as trace
from graphc.ops.parse import parse as parse
from graphc.ops.picking import one_hot as one_hot
from graphc.ops.picking import take as take
from graphc.ops.recurrence import cumsum as cumsum
from graphc.ops.recurrence import scan as scan
from graphc.ops.reduction import argmax as argmax
from graphc.ops.reduction import argmin as argmin
from graphc.ops.reduction import log_softmax as log_softmax
from graphc.ops.reduction import logsumexp as logsumexp
from graphc.ops.reduction import max as max
from graphc.ops.reduction import mean as mean
from graphc.ops.reduction import min as min
from graphc.ops.reduction import norm as norm
from graphc.ops.reduction import prod as prod
from graphc.ops.reduction import softmax as softmax
from graphc.ops.reduction import std as std
from graphc.ops.reduction import sum as sum
from graphc.ops.reduction import var as var
from graphc.ops.state import assign as assign
from graphc.ops.state import by_phase as by_phase
from graphc.ops.state import parameter as parameter
from graphc.ops.state import scalar as scalar
from graphc.ops.state import scalars as scalars
from graphc.ops.state import state as state
from graphc.ops.state import tensor as tensor
from graphc.reference import GradientReport as GradientReport
from graphc.reference import check_gradients as check_gradients
from graphc.reference import evaluate as evaluate

__version__ = "0.1.0"

if TYPE_CHECKING:
    from graphc import activations as activations
    from graphc import callbacks as callbacks
    from graphc import data as data
    from graphc import initializers as initializers
    from graphc import layers as layers
    from graphc import losses as losses
    from graphc import metrics as metrics
    from graphc import models as models
    from graphc import optimizers as optimizers
    from graphc import regularizers as regularizers
    from graphc import schedules as schedules
    from graphc.formula import Derivation as Derivation
    from graphc.formula import derive as derive
    from graphc.models import Model as Model
    from graphc.models import Sequential as Sequential
    from graphc.models import load_model as load_model
    from graphc.runtime import Compiled as Compiled
    from graphc.runtime import compile as compile
    from graphc.view import Frames as Frames
    from graphc.view import Paths as Paths
    from graphc.view import Picture as Picture
    from graphc.view import draw as draw
    from graphc.view import frames as frames
    from graphc.view import paths as paths

# What is imported when it is first used, so that `import graphc` stays quick: name -> where it lives.
_LATER = {
    "Compiled": "graphc.runtime", "compile": "graphc.runtime",
    "Derivation": "graphc.formula", "derive": "graphc.formula",
    "Model": "graphc.models", "Sequential": "graphc.models", "load_model": "graphc.models",
    "Frames": "graphc.view", "Paths": "graphc.view", "Picture": "graphc.view", "draw": "graphc.view", "frames": "graphc.view", "paths": "graphc.view",
}  # fmt: skip
_NAMESPACES = (
    "activations", "callbacks", "data", "initializers", "layers", "losses", "metrics", "models", "optimizers", "regularizers", "schedules",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _NAMESPACES:
        return import_module(f"graphc.{name}")
    if name in _LATER:
        value = getattr(import_module(_LATER[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'graphc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_NAMESPACES})


def _later(name: str) -> Callable[..., Any]:
    return lambda *args, **options: __getattr__(name)(*args, **options)


# What tensors, models and optimizers reach without importing upwards.
_METHODS.update(grad=grad, evaluate=evaluate, initialise=_initialise, draw=_later("draw"), derive=_later("derive"))
_METHODS["mimebundle"] = lambda tensor: __getattr__("draw")(tensor)._repr_mimebundle_()
