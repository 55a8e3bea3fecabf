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

from graphc.autodiff import grad, hessian, hvp, jacobian, vjp
from graphc.errors import CompileError, DataError, DeclarationError, DerivationError, FileFormatError, GraphcError, ShapeError
from graphc.expr.build import constant
from graphc.expr.define import Max, Min, Prod, Sum, define, indices
from graphc.expr.graph import inference, leaves
from graphc.expr.scope import scope
from graphc.expr.tensor import METHODS as _METHODS
from graphc.expr.tensor import Tensor
from graphc.initializers import initialise as _initialise
from graphc.ops import linalg, nn, random
from graphc.ops.arithmetic import (
    abs,
    add,
    arctan,
    clip,
    cos,
    cosh,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floor,
    greater,
    greater_equal,
    isfinite,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    reciprocal,
    relu,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    where,
)
from graphc.ops.function import function
from graphc.ops.joining import concatenate, flip, pad, split, stack
from graphc.ops.layout import broadcast_to, expand_dims, reshape, squeeze, swapaxes, transpose
from graphc.ops.linear import diag, diagonal, dot, einsum, matmul, outer, trace
from graphc.ops.parse import parse
from graphc.ops.picking import one_hot, take
from graphc.ops.recurrence import cumsum, scan
from graphc.ops.reduction import argmax, argmin, log_softmax, logsumexp, max, mean, min, norm, prod, softmax, std, sum, var
from graphc.ops.state import assign, by_phase, parameter, scalar, scalars, state, tensor
from graphc.reference import GradientReport, check_gradients, evaluate

__version__ = "0.1.0"

# Every public name, by what it is for; the lazily imported ones too.
__all__ = [
    # declaring
    "Tensor", "constant", "leaves", "parameter", "parse", "scalar", "scalars", "scope", "state", "tensor",
    # index notation
    "Max", "Min", "Prod", "Sum", "define", "function", "indices",
    # phases, states, recurrences
    "assign", "by_phase", "cumsum", "inference", "scan",
    # entry by entry
    "abs", "add", "arctan", "clip", "cos", "cosh", "divide", "equal", "erf", "exp", "expm1", "floor", "greater", "greater_equal", "isfinite",
    "less", "less_equal", "log", "log1p", "logical_and", "logical_not", "logical_or", "maximum", "minimum", "multiply", "negative", "not_equal",
    "power", "reciprocal", "relu", "sigmoid", "sign", "sin", "sinh", "softplus", "sqrt", "square", "subtract", "tan", "tanh", "where",
    # reductions
    "argmax", "argmin", "log_softmax", "logsumexp", "max", "mean", "min", "norm", "prod", "softmax", "std", "sum", "var",
    # layout
    "broadcast_to", "concatenate", "expand_dims", "flip", "one_hot", "pad", "reshape", "split", "squeeze", "stack", "swapaxes", "take", "transpose",
    # products
    "diag", "diagonal", "dot", "einsum", "matmul", "outer", "trace",
    # values and gradients
    "GradientReport", "check_gradients", "evaluate", "grad", "hessian", "hvp", "jacobian", "vjp",
    # derivations, pictures, compiled code
    "Compiled", "Derivation", "Frames", "Paths", "Picture", "compile", "derive", "draw", "frames", "paths",
    # models
    "Model", "Sequential", "load_model",
    # namespaces
    "activations", "callbacks", "data", "initializers", "layers", "linalg", "losses", "metrics", "models", "nn", "optimizers", "random",
    "regularizers", "schedules",
    # errors
    "CompileError", "DataError", "DeclarationError", "DerivationError", "FileFormatError", "GraphcError", "ShapeError",
]  # fmt: skip

if TYPE_CHECKING:
    from graphc import activations, callbacks, data, initializers, layers, losses, metrics, models, optimizers, regularizers, schedules
    from graphc.formula import Derivation, derive
    from graphc.models import Model, Sequential, load_model
    from graphc.runtime import Compiled, compile
    from graphc.view import Frames, Paths, Picture, draw, frames, paths

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
    return sorted({*globals(), *__all__})


def _later(name: str) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        return __getattr__(name)(*args, **options)

    return call


# What tensors, models and optimizers reach without importing upwards.
_METHODS.update(grad=grad, evaluate=evaluate, initialise=_initialise, draw=_later("draw"), derive=_later("derive"))
_METHODS["mimebundle"] = lambda tensor: __getattr__("draw")(tensor)._repr_mimebundle_()
