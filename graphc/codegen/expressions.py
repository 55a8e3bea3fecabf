"""Expressions of kernels' source as instructions of LLVM's, with types that follow from left to right."""

from __future__ import annotations

import ast
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.intrinsics import Context, Intrinsic
from graphc.codegen.pointers import get_entry

__all__ = ["FLAGS", "NUMBERS", "Expressions", "Typed", "Unknown", "number"]

_WORD, _BIT = ir.IntType(64), ir.IntType(1)
FLAGS = ("contract",)  # see numba_compiler.py
NUMBERS = {"float32": types.float32, "float64": types.float64, "int64": types.int64}  # NumPy's
_COMPARE: dict[type[ast.cmpop], str] = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_FLOATS: dict[type[ast.operator], str] = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_WHOLE: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_", ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "ashr",
}  # fmt: skip
_OF_BITS = (ast.BitAnd, ast.BitOr, ast.BitXor)
_EXTREMES = {"min": "<", "max": ">"}
Typed = tuple[types.Type, Any]  # a type and LLVM's value


class Unknown(Exception):  # noqa: N818 - no error of anybody's: another compiler is asked
    """A construct that this front-end does not know."""


def number(kind: types.Type, value: Any) -> Typed:
    """A number of a type."""
    if kind == types.float32:
        return kind, ir.Constant(types.value_type(kind), struct.unpack("f", struct.pack("f", float(value)))[0])
    return kind, ir.Constant(types.value_type(kind), float(value) if isinstance(kind, types.Float) else int(value))


class Expressions:
    """Expressions over some variables, at the place where a builder stands."""

    def __init__(self, builder: Any, entry: Any, bound: dict[str, Typed], constants: Mapping[str, Typed], names: Mapping[str, Any]) -> None:
        self.b, self.entry, self.bound, self.constants, self.names = builder, entry, bound, constants, names
        self.variables: dict[str, Typed] = {}  # name -> type, place on the stack

    def value(self, node: ast.expr) -> Typed:
        """An expression's type and value."""
        method = getattr(self, f"of_{type(node).__name__.lower()}", None)
        if method is None:
            raise Unknown(ast.unparse(node))
        return method(node)

    def whole(self, node: ast.expr) -> Any:
        """A whole number's value."""
        kind, value = self.value(node)
        return self.cast(kind, value, types.int64)

    def truth(self, node: ast.expr) -> Any:
        """A condition's value."""
        kind, value = self.value(node)
        if kind == types.boolean:
            return value
        if isinstance(kind, types.Integer):
            return self.b.icmp_signed("!=", value, ir.Constant(_WORD, 0))
        raise Unknown(ast.unparse(node))

    def cast(self, kind: types.Type, value: Any, wanted: types.Type) -> Any:
        """A value as one of another type, where nothing is rounded but by :func:`np.float32` and its like."""
        if kind == wanted or (isinstance(kind, types.Integer) and isinstance(wanted, types.Integer)):
            return value
        if kind == types.boolean and isinstance(wanted, types.Integer):
            return self.b.zext(value, _WORD)
        if isinstance(kind, types.Float) and isinstance(wanted, types.Float) and wanted.bits > kind.bits:
            return self.b.fpext(value, types.value_type(wanted))
        if isinstance(kind, types.Integer) and wanted == types.float64:
            return self.b.sitofp(value, types.value_type(wanted))
        raise Unknown(f"{kind} as {wanted}")

    def of_name(self, node: ast.Name) -> Typed:
        """A variable, a parameter or a constant."""
        if node.id in self.variables:
            kind, place = self.variables[node.id]
            return kind, self.b.load(place, typ=types.value_type(kind))
        found = self.bound.get(node.id) or self.constants.get(node.id)
        if found is None:
            raise Unknown(node.id)
        return found

    def of_constant(self, node: ast.Constant) -> Typed:
        """A number that stands in the source."""
        if isinstance(node.value, bool):
            return types.boolean, ir.Constant(_BIT, node.value)
        if isinstance(node.value, int):
            return types.IntegerLiteral(node.value), ir.Constant(_WORD, node.value)
        if isinstance(node.value, float):
            return number(types.float64, node.value)
        raise Unknown(repr(node.value))

    def of_subscript(self, node: ast.Subscript) -> Typed:
        """An entry of a buffer."""
        pointer, base = self.value(node.value)
        if not isinstance(pointer, types.Pointer):
            raise Unknown(ast.unparse(node))
        return get_entry(self.b, pointer, base, self.whole(node.slice))

    def of_unaryop(self, node: ast.UnaryOp) -> Typed:
        """A sign, or a negation."""
        if isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant) and isinstance(node.operand.value, int):
            return self.of_constant(ast.Constant(-node.operand.value))
        if isinstance(node.op, ast.Not):
            return types.boolean, self.b.not_(self.truth(node.operand))
        kind, value = self.value(node.operand)
        if isinstance(node.op, ast.USub) and isinstance(kind, types.Float):
            return kind, self.b.fneg(value, flags=FLAGS)
        if isinstance(node.op, ast.USub) and isinstance(kind, types.Integer):
            return types.int64, self.b.neg(value)
        if isinstance(node.op, ast.Invert) and isinstance(kind, types.Integer):
            return types.int64, self.b.not_(value)
        raise Unknown(ast.unparse(node))

    def wider(self, left: types.Type, right: types.Type) -> types.Type:
        """The type that values of two types are computed in."""
        kinds = (left, right)
        if all(isinstance(k, types.Integer) for k in kinds):
            return types.int64
        if types.float64 in kinds:
            return types.float64
        if left == right:
            return left
        if types.boolean in kinds and any(isinstance(k, types.Integer) for k in kinds):
            return types.int64
        raise Unknown(f"{left} with {right}")

    def joined(self, left: Typed, right: Typed) -> tuple[types.Type, Any, Any]:
        """Two values of one type: the wider of theirs."""
        wanted = self.wider(left[0], right[0])
        return wanted, self.cast(*left, wanted), self.cast(*right, wanted)

    def of_binop(self, node: ast.BinOp) -> Typed:
        """Arithmetic."""
        kind, left, right = self.joined(self.value(node.left), self.value(node.right))
        if isinstance(kind, types.Float) and type(node.op) in _FLOATS:
            return kind, getattr(self.b, _FLOATS[type(node.op)])(left, right, flags=FLAGS)
        if type(node.op) in _WHOLE and (kind == types.int64 or (kind == types.boolean and isinstance(node.op, _OF_BITS))):
            return kind, getattr(self.b, _WHOLE[type(node.op)])(left, right)
        if isinstance(node.op, ast.FloorDiv) and kind == types.int64:
            return kind, self.quotient(left, right)
        raise Unknown(ast.unparse(node))

    def quotient(self, left: Any, right: Any) -> Any:
        """The quotient of whole numbers, rounded down; 0 where the divisor is."""
        zero, one = ir.Constant(_WORD, 0), ir.Constant(_WORD, 1)
        none = self.b.icmp_signed("==", right, zero)
        divisor = self.b.select(none, one, right)
        whole, rest = self.b.sdiv(left, divisor), self.b.srem(left, divisor)
        opposed = self.b.icmp_signed("<", self.b.xor(rest, divisor), zero)
        lower = self.b.and_(opposed, self.b.icmp_signed("!=", rest, zero))
        return self.b.select(none, zero, self.b.sub(whole, self.b.zext(lower, _WORD)))

    def of_compare(self, node: ast.Compare) -> Typed:
        """A comparison; of floats, NaN is unequal to all."""
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            raise Unknown(ast.unparse(node))
        kind, left, right = self.joined(self.value(node.left), self.value(node.comparators[0]))
        sign = _COMPARE[type(node.ops[0])]
        if isinstance(kind, types.Float):
            compare = self.b.fcmp_unordered if sign == "!=" else self.b.fcmp_ordered
            return types.boolean, compare(sign, left, right, flags=FLAGS)
        if kind == types.int64:
            return types.boolean, self.b.icmp_signed(sign, left, right)
        if kind == types.boolean and sign in ("==", "!="):
            return types.boolean, self.b.icmp_unsigned(sign, left, right)
        raise Unknown(ast.unparse(node))

    def of_ifexp(self, node: ast.IfExp) -> Typed:
        """One of two values; only that one is computed."""
        condition = self.truth(node.test)
        return self.either(condition, lambda: self.value(node.body), lambda: self.value(node.orelse))

    def of_boolop(self, node: ast.BoolOp) -> Typed:
        """Conditions up to the one that decides."""
        first, *rest = node.values
        kind, condition = self.value(first)
        if kind != types.boolean:
            raise Unknown(ast.unparse(node))
        if not rest:
            return kind, condition
        others = ast.BoolOp(node.op, rest)
        decided = types.boolean, ir.Constant(_BIT, isinstance(node.op, ast.Or))
        if isinstance(node.op, ast.And):
            return self.either(condition, lambda: self.of_boolop(others), lambda: decided)
        return self.either(condition, lambda: decided, lambda: self.of_boolop(others))

    def either(self, condition: Any, first: Callable[[], Typed], second: Callable[[], Typed]) -> Typed:
        """The value of one of two branches."""
        start, end = self.b.block, self.b.append_basic_block("either")
        ends: list[tuple[Typed, Any]] = []
        blocks: list[Any] = []
        for make in (first, second):
            blocks.append(self.b.append_basic_block("branch"))
            self.b.position_at_end(blocks[-1])
            ends.append((make(), self.b.block))
        kind = self.wider(ends[0][0][0], ends[1][0][0])
        values: list[Any] = []
        for (found, value), block in ends:
            self.b.position_at_end(block)
            values.append(self.cast(found, value, kind))
            self.b.branch(end)
        self.b.position_at_end(start)
        self.b.cbranch(condition, *blocks)
        self.b.position_at_end(end)
        result = self.b.phi(types.value_type(kind))
        for value, (_, block) in zip(values, ends, strict=True):
            result.add_incoming(value, block)
        return kind, result

    def of_call(self, node: ast.Call) -> Typed:
        """A conversion, a function of LLVM's, or an intrinsic."""
        if node.keywords:
            raise Unknown(ast.unparse(node))
        given = [self.value(a) for a in node.args]
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            return self.library(f"{node.func.value.id}.{node.func.attr}", given)
        if not isinstance(node.func, ast.Name):
            raise Unknown(ast.unparse(node))
        if node.func.id == "abs":
            return self.library("abs", given)
        if node.func.id in _EXTREMES and len(given) == 2 and all(isinstance(k, types.Integer) for k, _ in given):
            (_, left), (_, right) = given
            return types.int64, self.b.select(self.b.icmp_signed(_EXTREMES[node.func.id], left, right), left, right)
        return self.intrinsic(node.func.id, given)

    def library(self, name: str, given: Sequence[Typed]) -> Typed:
        """``np.float32`` and its like, ``math.sqrt`` and ``abs``."""
        (kind, value), *rest = given
        wanted = NUMBERS.get(name.removeprefix("np."))
        if name.startswith("np.") and wanted is not None and not rest:
            return wanted, self.converted(kind, value, wanted)
        if name in ("abs", "math.sqrt") and isinstance(kind, types.Float) and not rest:
            return kind, self.b.call(
                self.b.module.declare_intrinsic(f"llvm.{'fabs' if name == 'abs' else 'sqrt'}", [types.value_type(kind)]), [value], fastmath=FLAGS
            )
        if name == "abs" and isinstance(kind, types.Integer):
            return types.int64, self.b.select(self.b.icmp_signed("<", value, ir.Constant(_WORD, 0)), self.b.neg(value), value)
        raise Unknown(name)

    def converted(self, kind: types.Type, value: Any, wanted: types.Type) -> Any:
        """A number as one of another type, rounded where it must be."""
        to = types.value_type(wanted)
        if isinstance(kind, types.Float) and isinstance(wanted, types.Float):
            return value if kind == wanted else (self.b.fpext if wanted.bits > kind.bits else self.b.fptrunc)(value, to)
        if isinstance(kind, types.Float):
            return self.b.fptosi(value, to)
        if kind == types.boolean:
            return self.b.uitofp(value, to) if isinstance(wanted, types.Float) else self.b.zext(value, to)
        if isinstance(kind, types.Integer):
            return self.b.sitofp(value, to) if isinstance(wanted, types.Float) else value
        raise Unknown(f"{kind} as {wanted}")

    def intrinsic(self, name: str, given: Sequence[Typed]) -> Typed:
        """A call of an intrinsic, whose definition says what it makes of these types."""
        function = self.names.get(name)
        if not isinstance(function, Intrinsic):
            raise Unknown(name)
        found = function.resolve([k for k, _ in given])
        if found is None:
            raise Unknown(f"{name} of {', '.join(str(k) for k, _ in given)}")
        signature, codegen = found
        values = [self.cast(kind, value, wanted) for (kind, value), wanted in zip(given, signature.args, strict=True)]
        return signature.return_type, codegen(Context(), self.b, signature, values)
