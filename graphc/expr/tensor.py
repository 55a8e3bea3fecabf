"""Tensors and the nodes that define them: the graph that everything else reads.

A :class:`Node` applies an operation to input tensors and has one or several output tensors. Nodes and tensors are
immutable, hashed by identity, and numbered in the order of their creation.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import sympy

from graphc.errors import DeclarationError
from graphc.expr.dims import Dim, Extent, evaluate_extent
from graphc.expr.operation import Cell, DType, Leaf, Operation, Scan
from graphc.expr.origin import Origin, caller, within_package
from graphc.expr.stage import Stage

__all__ = ["METHODS", "Call", "Guard", "Node", "Tensor", "make", "make_scan", "next_serial"]

_serial = itertools.count()


def next_serial() -> int:
    """A number between those of the nodes made so far and those made from now on."""
    return next(_serial)


class _NoValueError(DeclarationError, AttributeError):
    """Reading ``value`` where there is none, so that ``hasattr`` and what lists the members of an object get their answer."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What sizes must fulfil once they are known, and what to say if they do not.

    ``kind`` is ``"equal"`` (``left == right``) or ``"inside"`` (both are 0 or more).
    """

    left: Extent
    right: Extent
    message: str
    origin: Origin
    kind: Literal["equal", "inside"] = "equal"

    @property
    def names(self) -> set[str]:
        """The named sizes that it is about."""
        return {n for e in (self.left, self.right) if isinstance(e, Dim) for n in e.names}

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether the sizes fulfil it."""
        left, right = evaluate_extent(self.left, sizes), evaluate_extent(self.right, sizes)
        return left == right if self.kind == "equal" else left >= 0 and right >= 0


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What the user wrote: a named operation on tensors, for pictures. The compiler reads the stages instead.

    Attributes:
        symbol: the operation as text, such as ``+`` or ``softmax``.
        inputs: the tensors that the user gave.
        latex: the operation as LaTeX; ``{0}``, ``{1}`` in it stand for its arguments, all else is plain LaTeX.
        inner: the last step of it, where it is made of several.
    """

    symbol: str
    inputs: tuple[Tensor, ...]
    latex: str = ""
    inner: Call | None = None

    def on(self, others: Mapping[Tensor, Tensor]) -> Call:
        """The same on other tensors."""
        inner = None if self.inner is None else self.inner.on(others)
        return Call(self.symbol, tuple(others.get(t, t) for t in self.inputs), self.latex, inner)


class Node:
    """An operation applied to tensors."""

    __slots__ = ("__weakref__", "guards", "inputs", "op", "origin", "outputs", "serial")

    def __init__(self, op: Operation, inputs: Sequence[Tensor], guards: Sequence[Guard] = (), origin: Origin | None = None) -> None:
        self.op = op
        self.inputs = tuple(inputs)
        self.guards = tuple(guards)
        self.origin = origin or caller()
        self.serial = next(_serial)
        self.outputs: tuple[Tensor, ...] = ()


# Filled by the catalogue of operations: the functions behind a tensor's operators and methods.
METHODS: dict[str, Callable[..., Any]] = {}


def _method(name: str) -> Callable[..., Any]:
    def call(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return METHODS[name](self, *args, **kwargs)

    call.__name__ = name
    return call


def _reflected(name: str) -> Callable[..., Any]:
    def call(self: Tensor, other: Any) -> Any:
        return METHODS[name](other, self)

    call.__name__ = name
    return call


class Tensor:
    """A symbolic array: a leaf, or the result of an operation. Made by :func:`graphc.tensor` and its kin.

    Attributes:
        shape: the extents, each an ``int`` or a dimension such as ``n``.
        dtype: ``"float"``, ``"int"`` or ``"bool"``.
        name: the user's name, empty for an unnamed intermediate result.
        stands_for: the tensor that was declared, where a gradient uses another form of it; ``None`` for a tensor of its own.
    """

    __slots__ = ("call", "dtype", "name", "node", "output", "shape", "stands_for")
    __array_priority__ = 1000
    _op_priority = 1000.0  # SymPy's number times a tensor is the tensor's own operation

    def __init__(self, node: Node, shape: tuple[Extent, ...], dtype: DType, name: str = "", call: Call | None = None, output: int = 0) -> None:
        self.node = node
        self.output = output
        self.shape = shape
        self.dtype: DType = dtype
        self.name = name
        self.call = call
        self.stands_for: Tensor | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "value" and not within_package(1) and hasattr(self, name):  # a copy that is being made has nothing yet
            raise DeclarationError(
                f"{self.label}.{name} cannot change, for tensors are immutable: .named(...) gives another name, gx.assign a next value"
            )
        object.__setattr__(self, name, value)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def op(self) -> Operation:
        """The operation that defines this tensor."""
        return self.node.op

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that its operation reads."""
        return self.node.inputs

    @property
    def origin(self) -> Origin:
        """The line that declared it."""
        return self.node.origin

    @property
    def kind(self) -> str:
        """``input``, ``parameter``, ``state``, ``constant``, or ``computed``."""
        return self.op.kind if isinstance(self.op, Leaf) else "computed"

    @property
    def value(self) -> np.ndarray[Any, Any]:
        """The current value of a parameter, state or constant, as a copy; assign to it to change it."""
        cell = self._cell("value")
        if cell.array is None:
            METHODS["initialise"](self, seed=0)
        assert cell.array is not None
        return cell.array.copy()

    @value.setter
    def value(self, array: Any) -> None:
        cell = self._cell("value")
        if self.kind == "constant":
            raise DeclarationError(f"the constant {self.label} cannot change: declare it as gx.parameter or gx.state")
        cell.array = METHODS["as_value"](self, array)

    def _cell(self, what: str) -> Cell:
        if not isinstance(self.op, Leaf) or self.op.cell is None:
            raise _NoValueError(f"{self.label} has no {what} of its own: evaluate it with gx.evaluate({self.label}, {{...}})")
        return self.op.cell

    @property
    def label(self) -> str:
        """A name for messages: the user's, or the operation with its arguments' names."""
        if self.name:
            return self.name
        if self.call is not None:
            return _written(self.call)
        if self.kind == "constant":
            return f"the constant {self.value}" if self.ndim == 0 else "a constant"
        return "an unnamed tensor"

    def describe(self) -> str:
        """``name(shape)``, or ``name (scalar)``, for messages."""
        label = f"({self.label})" if not self.name and self.call is not None and " " in self.label.partition("(")[0] else self.label
        return f"{label}{_shape_text(self.shape)}" if self.shape else f"{label} (scalar)"

    def named(self, name: str) -> Tensor:
        """The same tensor under ``name``: formulas, pictures and errors use it from here on."""
        return METHODS["named"](self, name)

    def called(self, symbol: str, *inputs: Tensor, latex: str = "") -> Tensor:
        """This tensor as the result of the operation ``symbol`` on ``inputs``: what pictures show."""
        self.call = Call(symbol, inputs, latex, self.call)
        return self

    # Operators: each is a declared operation of the catalogue.
    __add__, __radd__ = _method("add"), _reflected("add")
    __sub__, __rsub__ = _method("subtract"), _reflected("subtract")
    __mul__, __rmul__ = _method("multiply"), _reflected("multiply")
    __truediv__, __rtruediv__ = _method("divide"), _reflected("divide")
    __pow__, __rpow__ = _method("power"), _reflected("power")
    __matmul__, __rmatmul__ = _method("matmul"), _reflected("matmul")
    __neg__ = _method("negative")
    __pos__ = _method("positive")
    __abs__ = _method("abs")
    __lt__, __le__ = _method("less"), _method("less_equal")
    __gt__, __ge__ = _method("greater"), _method("greater_equal")
    __invert__ = _method("logical_not")
    __and__, __rand__ = _method("logical_and"), _reflected("logical_and")
    __or__, __ror__ = _method("logical_or"), _reflected("logical_or")
    __getitem__ = _method("getitem")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise DeclarationError(
            f"entries of {self.label} cannot be assigned to, for tensors are immutable: choose with gx.where, join with gx.concatenate"
        )

    sum, mean, prod, max, min = (_method(n) for n in ("sum", "mean", "prod", "max", "min"))
    reshape = _method("reshape")

    def transpose(self, *axes: Any) -> Tensor:
        """The axes in another order, given one by one or as a tuple; without them all of them reversed."""
        return METHODS["transpose"](self, axes[0] if len(axes) == 1 and not hasattr(axes[0], "__index__") else axes or None)

    @property
    def T(self) -> Tensor:
        """The transpose: all axes in reverse order."""
        return METHODS["transpose"](self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Tensor) or other is None:
            return self is other
        if isinstance(other, int | float | complex | list | tuple | np.ndarray | np.generic | sympy.Basic):
            raise DeclarationError(f"{self.label} == {other!r} would compare objects, not entries: use gx.equal({self.label}, ...)")
        return NotImplemented

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = object.__hash__  # by identity, and without a call of Python: walks over graphs ask for little else

    def __bool__(self) -> bool:
        raise DeclarationError(f"{self.label} has no truth value before it is evaluated: use gx.where(condition, a, b) to choose")

    def __float__(self) -> float:
        raise DeclarationError(f"{self.label} has no number yet: evaluate it with gx.evaluate({self.label}, {{...}})")

    __int__ = __index__ = __float__  # type: ignore[assignment]

    def __len__(self) -> int:
        if self.shape and isinstance(self.shape[0], int):
            return self.shape[0]
        raise DeclarationError(f"{self.describe()} has no length" + (" known before arrays arrive" if self.shape else ": it is one number"))

    def __iter__(self) -> Any:
        return iter([self[k] for k in range(len(self))])

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise DeclarationError(f"{self.label} is symbolic and NumPy cannot take it: use graphc's function of the same name")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """``array + tensor``: NumPy's operators are ours where one side is a tensor; its functions are not."""
        if method == "__call__" and not kwargs and ufunc.__name__ in METHODS:
            return METHODS[ufunc.__name__](*inputs)
        name = {"true_divide": "divide", "absolute": "abs"}.get(ufunc.__name__, ufunc.__name__)
        raise DeclarationError(f"{self.label} is symbolic and NumPy's {ufunc.__name__} cannot take it: use graphc's function of that name, gx.{name}")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """``np.sum(tensor)``: refused, but for the rank and the shape, which a tensor has."""
        if function.__name__ in ("ndim", "shape"):
            return getattr(self, function.__name__)
        name = function.__name__
        raise DeclarationError(f"{self.label} is symbolic and NumPy's {name} cannot take it: use graphc's function of that name, gx.{name}")

    def _sympy_(self) -> Any:
        return METHODS["as_formula"](self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return METHODS["mimebundle"](self)

    def draw(self, **options: Any) -> Any:
        """A picture of the graph that computes this tensor; see :func:`graphc.draw`."""
        return METHODS["draw"](self, **options)

    def derive(self, wrt: Any, **options: Any) -> Any:
        """The derivation of its gradient; see :func:`graphc.derive`."""
        return METHODS["derive"](self, wrt, **options)

    def __repr__(self) -> str:
        kind = "" if self.dtype == "float" else f", {self.dtype}"
        return f"<{self.kind} {self.describe()}{kind}>"


def _written(call: Call) -> str:
    """An operation as one writes it: ``a ⊙ b``, ``Aᵀ``, ``‖a‖``, ``softmax(a)``; what has no name is ``…``."""
    words = [t.name or (f"{t.value.item():g}" if t.kind == "constant" and not t.ndim else "…") for t in call.inputs]
    symbol = call.symbol
    if len(words) == 2 and symbol and not symbol[0].isalpha() and len(symbol) == 1:
        return f"{words[0]} {symbol} {words[1]}"
    if len(words) == 1 and symbol in ("ᵀ", "²", "−"):
        return f"{words[0]}{symbol}" if symbol != "−" else f"−{words[0]}"
    if len(words) == 1 and "·" in symbol:
        return symbol.replace("·", words[0])
    return f"{words[0]}[…]" if symbol == "[ ]" and words else f"{symbol}({', '.join(words)})"


def _shape_text(shape: tuple[Extent, ...]) -> str:
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def make(
    op: Operation,
    inputs: Sequence[Tensor],
    shape: tuple[Extent, ...],
    dtype: DType,
    *,
    name: str = "",
    call: Call | None = None,
    guards: Sequence[Guard] = (),
    origin: Origin | None = None,
) -> Tensor:
    """A node with its tensors; the first is returned.

    A stage that reduces by max or min has a second output, the winner's flat position among the reduced indices.
    """
    node = Node(op, inputs, guards, origin)
    tensor = Tensor(node, shape, dtype, name, call)
    node.outputs = (tensor,)
    if isinstance(op, Stage) and op.reducer in ("max", "min"):
        node.outputs = (tensor, Tensor(node, shape, "int", f"arg{op.reducer}", None, 1))
    return tensor


def make_scan(op: Scan, inputs: Sequence[Tensor], guards: Sequence[Guard] = (), origin: Origin | None = None) -> Node:
    """The node of a scan, with its outputs: last carries, stacked outputs, saved carries."""
    node = Node(op, inputs, guards, origin)
    carries, outputs = op.results[: op.carries], op.results[op.carries :]
    shapes = [(t.shape, t) for t in carries] + [((op.length, *t.shape), t) for t in (*outputs, *carries)]
    node.outputs = tuple(Tensor(node, shape, t.dtype, "", None, k) for k, (shape, t) in enumerate(shapes))
    return node
