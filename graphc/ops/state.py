"""Leaves: inputs, parameters, constants and states; assignments and the two phases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.errors import DeclarationError
from graphc.expr.build import constant, keeps_its_value, operand, same_extent
from graphc.expr.carry import carry, in_a_call, note, take_turn
from graphc.expr.dims import Dim, Extent, as_extent
from graphc.expr.graph import unalias
from graphc.expr.numbers import listed
from graphc.expr.operation import Alias, Assign, Cell, DType, Leaf, Phase, next_number
from graphc.expr.scope import scoped
from graphc.expr.tensor import METHODS, Call, Guard, Tensor, make
from graphc.ops.layout import broadcast_to

__all__ = ["as_value", "assign", "by_phase", "choice", "constant", "named", "parameter", "scalar", "scalars", "shape_of", "state", "tensor"]


def shape_of(shape: Any, name: str) -> tuple[Extent, ...]:
    """A shape as the user gives it: a tuple or a list, or one entry alone."""
    given = listed(shape)
    entries = tuple(given) if isinstance(given, tuple | list) else (given,)
    try:
        return tuple(as_extent(e) for e in entries)
    except DeclarationError as error:
        raise DeclarationError(f"the shape {shape!r} of {name}: {error}") from None


def _leaf_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise DeclarationError(f"a tensor's name is a text that is not empty, not {name!r}")
    return scoped(name)


def _dtype(dtype: Any, name: str) -> DType:
    kinds: dict[Any, DType] = {"float": "float", "int": "int", "bool": "bool", float: "float", int: "int", bool: "bool"}
    if not isinstance(dtype, str | type) or dtype not in kinds:
        raise DeclarationError(f"dtype={dtype!r} of {name}: it is 'float', 'int' or 'bool'; how many bits is chosen when compiling")
    return kinds[dtype]


def tensor(name: str, shape: Any, dtype: str = "float", symmetric: bool = False) -> Tensor:
    """An input: a symbolic array whose values come later.

    Args:
        name: any text; formulas, pictures and errors use it.
        shape: one entry an axis, each a whole number or a name that tensors share: ``("n", 30)``.
        dtype: ``"float"``, ``"int"`` or ``"bool"``.
        symmetric: whether a square matrix equals its transpose; gradients respect it.

    Example:
        >>> import graphc as gx
        >>> gx.tensor("x", ("n", 30))
        <input x(n, 30)>
    """
    full = _leaf_name(name)
    extents = shape_of(shape, name)
    if symmetric and (len(extents) != 2 or extents[0] != extents[1]):
        raise DeclarationError(f"{name} of shape {shape} cannot be symmetric: only a square matrix can")
    return make(Leaf("input", None, symmetric), (), extents, _dtype(dtype, name), name=full)


def scalar(name: str, dtype: str = "float") -> Tensor:
    """An input of rank 0.

    Example:
        >>> import graphc as gx
        >>> gx.scalar("a").shape
        ()
    """
    return tensor(name, (), dtype)


def scalars(names: str | Sequence[str]) -> tuple[Tensor, ...]:
    """Several inputs of rank 0: ``a, b = gx.scalars("a b")``, or their names in a list.

    Raises:
        DeclarationError: where there is no name.
    """
    given = names.replace(",", " ").split() if isinstance(names, str) else list(names) if isinstance(names, list | tuple) else []
    if not given:
        raise DeclarationError(f'gx.scalars({names!r}): give names in one text, gx.scalars("a b"), or in a list')
    return tuple(scalar(n) for n in given)


def parameter(name: str, shape: Any, init: Any = "glorot_uniform", dtype: str = "float") -> Tensor:
    """A tensor that training changes.

    Args:
        name: any text.
        shape: whole numbers; a parameter's size is known when it is declared.
        init: an initializer's name, an initializer, a number, or an array of that shape.

    Example:
        >>> import graphc as gx
        >>> gx.parameter("b", (3,), init=0.0).value
        array([0., 0., 0.])
    """
    return _variable("parameter", name, shape, init, dtype)


def state(name: str, shape: Any, init: Any = 0.0, dtype: str = "float") -> Tensor:
    """A tensor that keeps its value between calls and is given its next one by :func:`assign`; it is not trained."""
    return _variable("state", name, shape, init, dtype)


def _variable(kind: Any, name: str, shape: Any, init: Any, dtype: str) -> Tensor:
    full = _leaf_name(name)
    extents = shape_of(shape, name)
    if any(isinstance(e, Dim) for e in extents):
        raise DeclarationError(f"the {kind} {name} has the shape {shape}: its sizes must be numbers, so that it can be stored")
    if isinstance(init, str) and "initializer" in METHODS:
        try:
            METHODS["initializer"](init)
        except DeclarationError as error:
            raise DeclarationError(f"the {kind} {name}: {error}") from None
    made = make(Leaf(kind, Cell(init)), (), extents, _dtype(dtype, name), name=full)
    if not callable(init) and not isinstance(init, str):
        made.value = np.broadcast_to(np.asarray(init), ()) if np.ndim(init) == 0 else init
    return made


def as_value(target: Tensor, array: Any) -> np.ndarray[Any, Any]:
    """An array for a parameter or a state, in double precision; a number fills it."""
    kind = {"float": np.float64, "int": np.int64, "bool": np.bool_}[target.dtype]
    try:
        given = np.asarray(array)
    except (TypeError, ValueError):
        given = np.asarray(None)
    if given.dtype.kind not in "fiub":
        raise DeclarationError(f"the value of {target.describe()} is {array!r}, which is no array of numbers")
    if not keeps_its_value(given, target.dtype):
        raise DeclarationError(
            f"the value of {target.describe()}, which keeps {target.dtype} entries, is {array!r} and would be changed: round it first"
        )
    value = given.astype(kind)
    if value.ndim == 0:
        # Zeros, as optimizers begin with, take memory only once something else is written there.
        plain = value.tobytes() == bytes(value.itemsize)  # not so -0.0
        value = np.zeros(target.shape, kind) if plain else np.full(target.shape, value, dtype=kind)
    if value.shape != target.shape:
        raise DeclarationError(f"the value of {target.describe()} has shape {value.shape}: give one of shape {target.shape}")
    return np.ascontiguousarray(value).reshape(value.shape)


def named(x: Any, name: str) -> Tensor:
    """The same tensor under a name; see :meth:`Tensor.named`."""
    x = operand(x)
    return make(Alias(), (x,), x.shape, x.dtype, name=_leaf_name(name), call=x.call)


def assign(target: Tensor, value: Any) -> Tensor:
    """The next value of a state or a parameter, as an expression whose value is the new value.

    It is carried out where a compiled function has it among its outputs or computes one from it. One that nothing uses
    can be carried by a value: see ``updates`` of :func:`by_phase`; those made in a layer's ``call`` are carried by what
    the layer gives in training, and take turns where the layer is used more than once.

    Raises:
        DeclarationError: for a target that is no state or parameter, a value of another shape, or floats for whole numbers.
    """
    target = unalias(target) if isinstance(target, Tensor) else target
    if not isinstance(target, Tensor) or target.kind not in ("state", "parameter"):
        raise DeclarationError(f"gx.assign gives a value to a state or a parameter, not to {getattr(target, 'label', target)!r}")
    value = operand(value)
    if value.dtype == "float" and target.dtype != "float":
        raise DeclarationError(
            f"{target.describe()} keeps {target.dtype} entries, and {value.describe()} is float, so that its fractions would be lost: "
            'declare it with dtype="float", or give it a value without fractions'
        )
    if value.shape != target.shape and value.ndim:
        raise DeclarationError(f"{target.describe()} cannot get the value {value.describe()}: the shapes must agree")
    if value.ndim != target.ndim:
        value = broadcast_to(value, target.shape)
    op = Assign(next_number(), in_a_call())
    return note(make(op, (target, value), target.shape, target.dtype, call=Call("←", (target, value), r"{0} \leftarrow {1}")))


def by_phase(*, training: Any, inference: Any, updates: Any = ()) -> Tensor:
    """Different in training and in inference.

    ``gx.evaluate``, ``gx.grad`` and ``gx.compile`` take the training branch; :func:`inference` gives the other.

    Args:
        training, inference: the two branches, of one shape.
        updates: assignments, made by :func:`assign`, that a compiled function carries out where it computes the training
            branch. Several such values may update one state: each in its turn, in the order of their declaration.

    Raises:
        DeclarationError: for branches of different shapes, and for updates that are no assignments, or two of one state.

    Example:
        >>> import graphc as gx
        >>> x, seen = gx.tensor("x", ("n",)), gx.state("seen", (), init=0.0)
        >>> y = gx.by_phase(training=x - gx.mean(x), inference=x - seen, updates=[gx.assign(seen, gx.mean(x))])
        >>> f = gx.compile(y)
        >>> float(f([1.0, 3.0])[0]), float(seen.value)
        (-1.0, 2.0)
    """
    return choice(Phase(), training, inference, updates)


def choice(op: Phase, training: Any, inference: Any, updates: Any = ()) -> Tensor:
    """What :func:`by_phase` gives, under a phase that a layer may freeze."""
    a, b = operand(training), operand(inference)
    if not a.ndim or not b.ndim:  # a number may stand wherever a tensor may
        a, b = (broadcast_to(t, other.shape) if t.ndim < other.ndim else t for t, other in ((a, b), (b, a)))
    if a.ndim != b.ndim:
        raise DeclarationError(f"the branches {a.describe()} and {b.describe()} of gx.by_phase differ in shape")
    guards: list[Guard] = []
    for axis, (left, right) in enumerate(zip(a.shape, b.shape, strict=True)):
        guard = same_extent(left, right, f"the branches {a.describe()} and {b.describe()} of gx.by_phase differ on axis {axis}")
        guards += [guard] if guard else []
    dtype: DType = a.dtype if a.dtype == b.dtype else "float"
    assigned = _assignments(updates)
    carrying = carry(a, take_turn(assigned, a)) if assigned else a
    return make(op, (carrying, b), a.shape, dtype, call=Call("phase", (a, b)), guards=guards)


def _assignments(updates: Any) -> list[Tensor]:
    given = [updates] if isinstance(updates, Tensor) else list(updates)
    given = [unalias(t) if isinstance(t, Tensor) else t for t in given]
    for entry in given:
        if not isinstance(entry, Tensor) or not isinstance(entry.op, Assign):
            label = entry.describe() if isinstance(entry, Tensor) else repr(entry)
            raise DeclarationError(f"updates of gx.by_phase are assignments, not {label}: give gx.assign(state, next value)")
    return given
