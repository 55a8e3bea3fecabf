"""Graphs as plain data and back: every expression is saved as what it is, a formula, and loading runs no code.

Formulas are trees of known heads; a head that is not in the table is refused, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sympy

from graphc.errors import DeclarationError, FileFormatError
from graphc.expr import scalar
from graphc.expr.affine import Affine
from graphc.expr.dims import Dim, Extent, FloorDiv
from graphc.expr.graph import topological
from graphc.expr.operation import Alias, Assign, Carry, Cell, Current, Leaf, Linalg, Operation, Phase, Random, Reshape, Scan, next_number
from graphc.expr.origin import Origin
from graphc.expr.stage import REDUCERS, Read, Stage, dimension_symbol, index_symbol, read_symbol
from graphc.expr.tensor import Call, Guard, Node, Tensor
from graphc.layers.core import AutomaticInput
from graphc.layers.mask import Masked, set_mask
from graphc.layers.output import LayerOutput
from graphc.layers.phase import LayerPhase
from graphc.models.bounds import added_guards, check_array

__all__ = ["Decoder", "Encoder", "with_bodies"]

_HEADS: dict[str, Any] = {
    **{
        c.__name__: c
        for c in (
            sympy.Add, sympy.Mul, sympy.Pow, sympy.exp, sympy.log, sympy.sin, sympy.cos, sympy.tan, sympy.tanh, sympy.sinh, sympy.cosh,
            sympy.atan, sympy.erf, sympy.And, sympy.Or, sympy.Not,
        )
    },
    **{c.__name__: c for c in (sympy.Eq, sympy.Ne, sympy.Lt, sympy.Le, sympy.Gt, sympy.Ge)},
    **{name: getattr(scalar, name) for name in scalar.__all__ if isinstance(getattr(scalar, name), type)},
}  # fmt: skip
_CONSTANTS = {"pi": sympy.pi, "E": sympy.E, "true": sympy.true, "false": sympy.false, "oo": sympy.oo, "-oo": -sympy.oo, "nan": sympy.nan}
_MOST_BITS = 1 << 16  # of a number in a formula
_SYMBOLS: dict[str, Callable[[int], Any]] = {"x": read_symbol, "i": index_symbol, "d": dimension_symbol}


def _formula(expr: Any) -> Any:
    for name, value in _CONSTANTS.items():
        if expr is value or (expr == value and name not in ("true", "false")):
            return {"constant": name}
    if isinstance(expr, sympy.Integer):
        return {"int": str(expr)}
    if isinstance(expr, sympy.Rational):
        return {"rational": [str(expr.p), str(expr.q)]}
    if isinstance(expr, sympy.Float):
        sign, mantissa, exponent, _ = expr._mpf_  # pyright: ignore[reportPrivateUsage]
        return {"float": [int(sign), str(int(mantissa)), int(exponent), int(expr._prec)]}  # pyright: ignore[reportPrivateUsage]
    if isinstance(expr, sympy.Symbol):
        return {"symbol": expr.name}
    if isinstance(expr, scalar.Abstract):
        raise DeclarationError(f"a model with the abstract function {expr.label} cannot be saved: give it a formula, gx.function(name, formula)")
    name = type(expr).__name__
    if _HEADS.get(name) is None and isinstance(expr, sympy.core.relational.Relational):
        name = {"Equality": "Eq", "Unequality": "Ne", "StrictLessThan": "Lt", "LessThan": "Le", "StrictGreaterThan": "Gt", "GreaterThan": "Ge"}[name]
    if name not in _HEADS:
        raise DeclarationError(f"the function {name} in a formula cannot be saved")
    return [name, *(_formula(a) for a in expr.args)]


def _read_formula(data: Any) -> Any:
    if isinstance(data, list):
        head = _HEADS.get(data[0])
        if head is None:
            raise FileFormatError(f"the formula has the unknown function {data[0]!r}")
        args = [_read_formula(a) for a in data[1:]]
        # Sums and products stand in SymPy's order already; evaluating them again changes nothing and keeps them canonical.
        if head is sympy.Pow and all(isinstance(a, sympy.Number) for a in args) and not -1 < args[1] < 1:
            raise FileFormatError("a power of numbers is not worked out")  # it may have more digits than there is memory
        return head(*args)
    ((kind, value),) = data.items()
    if kind == "constant":
        return _CONSTANTS[value]
    if kind == "int":
        return sympy.Integer(int(value))
    if kind == "rational":
        return sympy.Rational(int(value[0]), int(value[1]))
    if kind == "float":
        sign, mantissa, exponent, precision = value
        if not 0 < int(precision) <= _MOST_BITS or abs(int(exponent)) > _MOST_BITS:
            raise FileFormatError(f"the number {value} has more digits than are read")
        parts = (int(sign), int(mantissa), int(exponent), int(mantissa).bit_length())
        return sympy.Float._new(parts, int(precision))  # pyright: ignore[reportPrivateUsage]
    return _SYMBOLS[str(value)[0]](int(str(value)[1:]))


def _extent(extent: Extent) -> Any:
    if isinstance(extent, int):
        return extent
    return [
        [[a if isinstance(a, str) else {"div": [_extent(a.numerator), a.denominator]} for a in monomial], coefficient]
        for monomial, coefficient in extent.terms
    ]


def _read_extent(data: Any) -> Extent:
    if isinstance(data, int):
        if isinstance(data, bool) or abs(data) >= 2**63:
            raise FileFormatError(f"the size {data!r} is none")
        return data
    terms: list[Any] = []
    for atoms, coefficient in data:
        read = tuple(a if isinstance(a, str) else FloorDiv(_dim(_read_extent(a["div"][0])), int(a["div"][1])) for a in atoms)
        terms.append((read, int(coefficient)))
    return Dim(tuple(terms))


def _dim(extent: Extent) -> Dim:
    if not isinstance(extent, Dim):
        raise FileFormatError("a dimension is a number where a name is wanted")
    return extent


def _affine(place: Affine) -> Any:
    return [[[v, _extent(c)] for v, c in place.terms], _extent(place.offset)]


def _read_affine(data: Any) -> Affine:
    return Affine(tuple((int(v), _read_extent(c)) for v, c in data[0]), _read_extent(data[1]))


def _extents(extents: Sequence[Extent]) -> list[Any]:
    return [_extent(e) for e in extents]


def _read_extents(data: Any) -> tuple[Extent, ...]:
    return tuple(_read_extent(e) for e in data)


def _stage(op: Stage) -> dict[str, Any]:
    return {
        "op": "stage", "extents": _extents(op.extents), "write": [_affine(p) for p in op.write], "shape": _extents(op.shape),
        "reads": [[r.operand, [_affine(p) for p in r.coords], r.outside] for r in op.reads], "body": _formula(op.body),
        "dims": _extents(op.dims), "reducer": op.reducer, "guarded": op.guarded,
    }  # fmt: skip


def _read_stage(data: Any) -> Stage:
    if data["reducer"] not in (None, *REDUCERS):
        raise FileFormatError(f"the reducer {data['reducer']!r} is unknown")
    reads = tuple(
        Read(int(k), tuple(_read_affine(p) for p in coords), None if outside is None else float(outside)) for k, coords, outside in data["reads"]
    )
    dims = tuple(_dim(d) for d in _read_extents(data["dims"]))
    write = tuple(_read_affine(p) for p in data["write"])
    return Stage(
        _read_extents(data["extents"]),
        write,
        _read_extents(data["shape"]),
        reads,
        _read_formula(data["body"]),
        dims,
        data["reducer"],
        bool(data["guarded"]),
    )


def with_bodies(roots: Iterable[Tensor]) -> list[Node]:
    """Every node of the graphs and of the bodies in them, each once: what two bodies have in common stays one."""
    found: dict[Node, None] = {}
    waiting = [list(roots)]
    while waiting:
        for node in topological(waiting.pop()):
            if node not in found:
                found[node] = None
                if isinstance(node.op, Scan):
                    waiting.append([*node.op.parameters, *node.op.results])
    return list(found)


class Encoder:
    """Graphs as data: each node once, in the order of creation, so that random nodes keep their numbers.

    Attributes:
        arrays: the values of parameters, states and constants, by their place in the file.
        layers: the layers whose outputs stand in the graphs, in the order of their numbers.
    """

    def __init__(self, roots: Sequence[Tensor]) -> None:
        self.arrays: list[Any] = []
        self.layers: list[Any] = []
        # An alias may show tensors that nothing computes from: only what is reached is kept.
        nodes = sorted(with_bodies(roots), key=lambda n: n.serial)
        self._number = {node: k for k, node in enumerate(nodes)}
        self._turns = {k: turn for turn, k in enumerate(sorted({n.op.number for n in nodes if isinstance(n.op, Assign | Current)}))}
        self.nodes = [self._node(n) for n in nodes]

    def ref(self, tensor: Tensor) -> list[int]:
        """Where a tensor stands: its node's number and which output it is."""
        return [self._number[tensor.node], tensor.output]

    def holds(self, tensor: Tensor) -> bool:
        """Whether the file has a tensor."""
        return tensor.node in self._number

    def layer(self, layer: Any) -> int:
        """The number of a layer."""
        if layer not in self.layers:
            self.layers.append(layer)
        return self.layers.index(layer)

    def _node(self, node: Node) -> dict[str, Any]:
        outputs = [{"shape": _extents(t.shape), "dtype": t.dtype, "name": t.name, "call": self._call(t.call)} for t in node.outputs]
        guards = [[_extent(g.left), _extent(g.right), g.message, g.kind] for g in node.guards]
        return {**self._op(node), "inputs": [self.ref(t) for t in node.inputs], "outputs": outputs, "guards": guards}

    def _call(self, call: Call | None) -> Any:
        if call is None or any(t.node not in self._number for t in call.inputs):
            return None
        return [call.symbol, [self.ref(t) for t in call.inputs], call.latex]

    def _mask(self, op: Masked) -> Any:
        return None if op.mask is None or op.mask.node not in self._number else self.ref(op.mask)

    def _op(self, node: Node) -> dict[str, Any]:
        op = node.op
        if isinstance(op, Stage):
            return _stage(op)
        if isinstance(op, Leaf):
            place = None
            if op.cell is not None:
                value = node.outputs[0].value
                self.arrays.append(value)
                place = len(self.arrays) - 1
            return {"op": "leaf", "kind": op.kind, "symmetric": op.symmetric, "automatic": isinstance(op, AutomaticInput), "array": place}
        if isinstance(op, Reshape):
            return {"op": "reshape", "shape": _extents(op.shape)}
        if isinstance(op, LayerOutput):
            given = [self.ref(t) for t in op.inputs if t.node in self._number]
            return {"op": "layer", "layer": self.layer(op.layer), "given": given, "mask": self._mask(op)}
        if isinstance(op, Random):
            return {"op": "random", "shape": _extents(op.shape), "key": op.key}
        if isinstance(op, Scan):
            body = {"parameters": [self.ref(t) for t in op.parameters], "results": [self.ref(t) for t in op.results]}
            return {"op": "scan", **body, "carries": op.carries, "sequences": op.sequences, "length": _extent(op.length), "reverse": op.reverse}
        if isinstance(op, Linalg):
            return {"op": "linalg", "kind": op.kind, "label": op.label}
        if isinstance(op, Assign):
            return {"op": "assign", "number": self._turns[op.number], "chained": op.chained}
        if isinstance(op, Current):
            return {"op": "current", "number": self._turns[op.number]}
        if isinstance(op, LayerPhase):
            return {"op": "layer phase", "layer": self.layer(op.layer), "always": op.always}
        for name, kind in (("masked", Masked), ("carry", Carry), ("alias", Alias), ("phase", Phase)):
            if isinstance(op, kind):
                return {"op": name, "mask": self._mask(op)} if isinstance(op, Masked) else {"op": name}
        raise DeclarationError(f"{node.outputs[0].describe()} cannot be saved: files hold no {type(op).__name__.lower()} yet")


class Decoder:
    """Graphs from data.

    Args:
        nodes: what :class:`Encoder` made.
        arrays: the values by their place.
        layers: the layers by their number.
    """

    def __init__(self, nodes: Sequence[Any], arrays: Sequence[Any], layers: Sequence[Any]) -> None:
        self._arrays, self._layers = arrays, layers
        numbers = sorted({int(data["number"]) for data in nodes if data["op"] in ("assign", "current")})
        self._numbers = {number: next_number() for number in numbers}  # in their order, after all there are
        self._nodes: list[Node] = []
        for data in nodes:
            self._nodes.append(self._node(data))
        for node, data in zip(self._nodes, nodes, strict=True):  # a mask may come after what carries it
            if data.get("mask") is not None:
                set_mask(node.outputs[0], self.tensor(data["mask"]))

    def mark_outputs(self) -> None:
        """Tell each layer which tensor is its output: the last one, as when it was declared."""
        for node in self._nodes:
            if isinstance(node.op, LayerOutput):
                node.op.layer.output = node.outputs[0]

    @property
    def tensors(self) -> list[Tensor]:
        """The first output of every node."""
        return [node.outputs[0] for node in self._nodes]

    def tensor(self, ref: Any) -> Tensor:
        """The tensor at a place."""
        number, output = ref
        if not 0 <= number < len(self._nodes):
            raise FileFormatError(f"node {number} is used before it is defined")
        return self._nodes[number].outputs[output]

    def _node(self, data: Any) -> Node:
        op = self._op(data)
        origin = Origin("<a saved model>", 0)
        guards = [Guard(_read_extent(a), _read_extent(b), str(text), origin, kind) for a, b, text, kind in data["guards"]]
        node = Node(op, [self.tensor(r) for r in data["inputs"]], guards, origin)
        made: list[Tensor] = []
        for k, entry in enumerate(data["outputs"]):
            if entry["dtype"] not in ("float", "int", "bool"):
                raise FileFormatError(f"the type {entry['dtype']!r} is unknown")
            call = entry["call"]
            shown = None if call is None else Call(str(call[0]), tuple(self.tensor(r) for r in call[1]), str(call[2]))
            made.append(Tensor(node, _read_extents(entry["shape"]), entry["dtype"], str(entry["name"]), shown, k))
        node.outputs = tuple(made)
        if isinstance(op, Leaf) and op.cell is not None:
            check_array(op, self._arrays[data["array"]], made[0])
            if op.kind != "constant":
                made[0].value = self._arrays[data["array"]]
        node.guards = (*node.guards, *added_guards(op, node.inputs, made, origin, guards))
        return node

    def _op(self, data: Any) -> Operation:
        kind = data["op"]
        if kind == "stage":
            return _read_stage(data)
        if kind == "leaf":
            return self._leaf(data)
        if kind == "reshape":
            return Reshape(_read_extents(data["shape"]))
        if kind == "layer":
            return LayerOutput(layer=self._layers[data["layer"]], inputs=tuple(self.tensor(r) for r in data["given"]))
        if kind == "random":
            return Random(_read_extents(data["shape"]), None if data["key"] is None else int(data["key"]))
        if kind == "scan":
            return self._scan(data)
        if kind == "linalg":
            return self._linalg(data)
        if kind == "assign":
            return Assign(self._numbers[int(data["number"])], bool(data["chained"]))
        if kind == "current":
            return Current(self._numbers[int(data["number"])])
        if kind == "layer phase":
            return LayerPhase(self._layers[data["layer"]], bool(data["always"]))
        known: dict[str, Operation] = {"alias": Alias(), "carry": Carry(), "phase": Phase(), "masked": Masked()}
        if kind not in known:
            raise FileFormatError(f"the operation {kind!r} is unknown")
        return known[kind]

    def _scan(self, data: Any) -> Scan:
        parameters, results = (tuple(self.tensor(r) for r in data[part]) for part in ("parameters", "results"))
        carries, sequences = int(data["carries"]), int(data["sequences"])
        if not 0 <= carries <= len(results) or not 0 <= sequences <= len(parameters) - carries or len(parameters) != len(data["inputs"]):
            raise FileFormatError("a scan's body does not fit its inputs")
        return Scan(parameters, results, carries, sequences, _read_extent(data["length"]), bool(data["reverse"]))

    def _linalg(self, data: Any) -> Linalg:
        if data["kind"] not in ("inverse", "determinant", "logdet", "cofactor"):
            raise FileFormatError(f"the operation {data['kind']!r} of linear algebra is unknown")
        return Linalg(data["kind"], str(data["label"]))

    def _leaf(self, data: Any) -> Leaf:
        kind, place = data["kind"], data["array"]
        if kind not in ("input", "parameter", "state", "constant") or (place is None) != (kind == "input"):
            raise FileFormatError(f"a leaf of the kind {kind!r} is damaged")
        if kind == "input":
            return AutomaticInput(kind, None, data["symmetric"]) if data["automatic"] else Leaf(kind, None, data["symmetric"])
        cell = Cell(0.0, self._arrays[place] if kind == "constant" else None)
        return Leaf(kind, cell, data["symmetric"])
