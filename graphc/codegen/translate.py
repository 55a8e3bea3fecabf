"""Kernels' source straight to LLVM: the few constructs that printed kernels have, without a general compiler's analysis.

A kernel is one function of numbers, buffers and intrinsics, whose types follow from left to right. Variables are places on the
stack, which LLVM's first pass turns into values. What is not known here raises :class:`Unknown`, and is left to Numba, for
which the same source means the same.
"""

from __future__ import annotations

import ast
import importlib
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.intrinsics import Context, Intrinsic
from graphc.codegen.pointers import get_entry, set_entry

__all__ = ["Unknown", "translate"]

_WORD, _BIT = ir.IntType(64), ir.IntType(1)
_FLAGS = ("contract",)  # see numba_compiler.py
_COMPARE: dict[type[ast.cmpop], str] = {ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_FLOATS: dict[type[ast.operator], str] = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_WHOLE: dict[type[ast.operator], str] = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_"}
_NUMPY = {"float32": types.float32, "float64": types.float64, "int64": types.int64}
_FLAGGED = frozenset(["fadd", "fsub", "fmul", "fdiv", "frem", "fcmp"])
Typed = tuple[types.Type, Any]  # a type and LLVM's value


class Unknown(Exception):  # noqa: N818 - no error of anybody's: another compiler is asked
    """A construct that this translation does not know."""


def translate(source: str) -> ir.Module:
    """The LLVM module of a kernel's source.

    Args:
        source: a module of imports, constants and one function.

    Raises:
        Unknown: for what only a general compiler knows.
    """
    tree = ast.parse(source)
    constants: dict[str, Typed] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            constants[statement.targets[0].id] = _constant(statement.value)
    functions = [s for s in tree.body if isinstance(s, ast.FunctionDef)]
    if len(functions) != 1:
        raise Unknown("a module of other than one function")
    module = ir.Module(functions[0].name)
    _Function(module, functions[0], constants, _imported(tree)).emit()
    _flag(module)
    return module


def _constant(node: ast.expr) -> Typed:
    """A number of the module: ``np.float32(0.5)`` and its like."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _NUMPY:
        value = ast.literal_eval(node.args[0])
        return _number(_NUMPY[node.func.attr], value)
    raise Unknown(ast.unparse(node))


def _imported(tree: ast.Module) -> dict[str, Any]:
    """What imported names stand for; those that a module makes only when asked are left to Numba, which they need."""
    found: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module is not None:
            given = vars(importlib.import_module(statement.module))
            names = [a.name for a in statement.names]
            found |= given if names == ["*"] else {n: given[n] for n in names if n in given}
    return found


def _number(kind: types.Type, value: Any) -> Typed:
    if kind == types.float32:
        return kind, ir.Constant(types.value_type(kind), struct.unpack("f", struct.pack("f", float(value)))[0])
    return kind, ir.Constant(types.value_type(kind), float(value) if isinstance(kind, types.Float) else int(value))


def _flag(module: ir.Module) -> None:
    """Give what has no flags of its own the kernel's."""
    for function in module.functions:
        for block in function.blocks:
            for instruction in block.instructions:
                if instruction.opname in _FLAGGED and not instruction.flags:
                    instruction.flags.extend(_FLAGS)
                elif isinstance(instruction, ir.CallInstr) and isinstance(instruction.type, ir.FloatType | ir.DoubleType):
                    instruction.fastmath.update(_FLAGS)


class _Function:
    def __init__(self, module: ir.Module, node: ast.FunctionDef, constants: Mapping[str, Typed], names: Mapping[str, Any]) -> None:
        self.node, self.constants, self.names = node, constants, names
        parameters = [a.arg for a in node.args.args]
        row, *rest = parameters
        kind = ir.FunctionType(ir.VoidType(), [_WORD.as_pointer(), *[_WORD] * len(rest)])
        function = ir.Function(module, kind, node.name)
        function.attributes.add("nounwind")
        self.entry = function.append_basic_block("entry")
        self.b: Any = ir.IRBuilder(function.append_basic_block("body"))
        self.bound: dict[str, Typed] = {row: (types.ROW, self.b.bitcast(function.args[0], ir.IntType(8).as_pointer()))}
        self.bound |= {name: (types.int64, value) for name, value in zip(rest, function.args[1:], strict=True)}
        self.variables: dict[str, Typed] = {}  # name -> type, place on the stack

    def emit(self) -> None:
        """The whole function."""
        first = self.b.block
        self.block(self.node.body)
        if not self.b.block.is_terminated:
            self.b.ret_void()
        ir.IRBuilder(self.entry).branch(first)

    # Statements ------------------------------------------------------------------------------------------------------

    def block(self, body: Sequence[ast.stmt]) -> None:
        """Statements in order; what follows a return is unreachable."""
        for statement in body:
            if self.b.block.is_terminated:
                return
            method = getattr(self, f"on_{type(statement).__name__.lower()}", None)
            if method is None:
                raise Unknown(ast.unparse(statement))
            method(statement)

    def on_pass(self, node: ast.Pass) -> None:
        """Nothing."""

    def on_return(self, node: ast.Return) -> None:
        """The end, without a value."""
        if node.value is not None:
            raise Unknown(ast.unparse(node))
        self.b.ret_void()

    def on_expr(self, node: ast.Expr) -> None:
        """A call for its effect, or a docstring."""
        if not isinstance(node.value, ast.Constant):
            self.value(node.value)

    def on_assign(self, node: ast.Assign) -> None:
        """A variable, or an entry of a buffer."""
        (target,) = node.targets
        if isinstance(target, ast.Name):
            kind, value = self.value(node.value)
            if isinstance(kind, types.Pointer):
                self.bound[target.id] = kind, value
            else:
                self.store(target.id, kind, value)
        elif isinstance(target, ast.Subscript):
            pointer, base = self.value(target.value)
            if not isinstance(pointer, types.Pointer):
                raise Unknown(ast.unparse(target))
            index = self.whole(target.slice)
            kind, value = self.value(node.value)
            set_entry(self.b, pointer, base, index, self.cast(kind, value, pointer.dtype))
        else:
            raise Unknown(ast.unparse(node))

    def on_for(self, node: ast.For) -> None:
        """A loop over a range."""
        call = node.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range" and isinstance(node.target, ast.Name)):
            raise Unknown(ast.unparse(node))
        limits = [self.whole(a) for a in call.args]
        if len(limits) > 2 or node.orelse:
            raise Unknown(ast.unparse(node))
        start, stop = (ir.Constant(_WORD, 0), limits[0]) if len(limits) == 1 else limits
        before, head, body, end = self.b.block, *(self.b.append_basic_block(name) for name in ("head", "loop", "end"))
        self.b.branch(head)
        self.b.position_at_end(head)
        index = self.b.phi(_WORD)
        index.add_incoming(start, before)
        self.b.cbranch(self.b.icmp_signed("<", index, stop), body, end)
        self.b.position_at_end(body)
        self.store(node.target.id, types.int64, index)
        self.block(node.body)
        if not self.b.block.is_terminated:
            index.add_incoming(self.b.add(index, ir.Constant(_WORD, 1), flags=("nsw",)), self.b.block)
            self.b.branch(head)
        self.b.position_at_end(end)

    def on_if(self, node: ast.If) -> None:
        """One branch or the other."""
        condition = self.truth(node.test)
        then, other, end = (self.b.append_basic_block(name) for name in ("then", "else", "endif"))
        self.b.cbranch(condition, then, other)
        for block, body in ((then, node.body), (other, node.orelse)):
            self.b.position_at_end(block)
            self.block(body)
            if not self.b.block.is_terminated:
                self.b.branch(end)
        self.b.position_at_end(end)

    def store(self, name: str, kind: types.Type, value: Any) -> None:
        """A value into its variable, whose type is that of its first one."""
        kind = types.int64 if isinstance(kind, types.Integer) else kind
        if name not in self.variables:
            place = ir.IRBuilder(self.entry).alloca(types.value_type(kind))
            self.variables[name] = kind, place
        if self.variables[name][0] != kind:
            raise Unknown(f"{name} of two types")
        self.b.store(value, self.variables[name][1])

    # Expressions -----------------------------------------------------------------------------------------------------

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
            return _number(types.float64, node.value)
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
        kind, value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return types.boolean, self.b.not_(self.truth(node.operand))
        if isinstance(node.op, ast.USub) and isinstance(kind, types.Float):
            return kind, self.b.fneg(value, flags=_FLAGS)
        if isinstance(node.op, ast.USub) and isinstance(kind, types.Integer):
            return types.int64, self.b.neg(value)
        raise Unknown(ast.unparse(node))

    def joined(self, left: Typed, right: Typed) -> tuple[types.Type, Any, Any]:
        """Two values of one type: the wider of theirs."""
        kinds = (left[0], right[0])
        if all(isinstance(k, types.Integer) for k in kinds):
            wanted: types.Type = types.int64
        elif types.float64 in kinds:
            wanted = types.float64
        elif kinds[0] == kinds[1]:
            wanted = kinds[0]
        elif types.boolean in kinds and any(isinstance(k, types.Integer) for k in kinds):
            wanted = types.int64
        else:
            raise Unknown(f"{kinds[0]} with {kinds[1]}")
        return wanted, self.cast(*left, wanted), self.cast(*right, wanted)

    def of_binop(self, node: ast.BinOp) -> Typed:
        """Arithmetic."""
        kind, left, right = self.joined(self.value(node.left), self.value(node.right))
        if isinstance(kind, types.Float) and type(node.op) in _FLOATS:
            return kind, getattr(self.b, _FLOATS[type(node.op)])(left, right, flags=_FLAGS)
        if type(node.op) in _WHOLE and (kind == types.int64 or (kind == types.boolean and isinstance(node.op, ast.BitAnd | ast.BitOr))):
            return kind, getattr(self.b, _WHOLE[type(node.op)])(left, right)
        raise Unknown(ast.unparse(node))

    def of_compare(self, node: ast.Compare) -> Typed:
        """A comparison; of floats, NaN is unequal to all."""
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            raise Unknown(ast.unparse(node))
        kind, left, right = self.joined(self.value(node.left), self.value(node.comparators[0]))
        sign = _COMPARE[type(node.ops[0])]
        if isinstance(kind, types.Float):
            compare = self.b.fcmp_unordered if sign == "!=" else self.b.fcmp_ordered
            return types.boolean, compare(sign, left, right, flags=_FLAGS)
        if kind == types.int64:
            return types.boolean, self.b.icmp_signed(sign, left, right)
        if kind == types.boolean and sign in ("==", "!="):
            return types.boolean, self.b.icmp_unsigned(sign, left, right)
        raise Unknown(ast.unparse(node))

    def of_ifexp(self, node: ast.IfExp) -> Typed:
        """One of two values, neither of which has an effect."""
        condition = self.truth(node.test)
        kind, left, right = self.joined(self.value(node.body), self.value(node.orelse))
        return kind, self.b.select(condition, left, right)

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
        return self.intrinsic(node.func.id, given)

    def library(self, name: str, given: Sequence[Typed]) -> Typed:
        """``np.float32`` and its like, ``math.sqrt`` and ``abs``."""
        (kind, value), *rest = given
        wanted = _NUMPY.get(name.removeprefix("np."))
        if name.startswith("np.") and wanted is not None and not rest:
            return wanted, self.converted(kind, value, wanted)
        if name in ("abs", "math.sqrt") and isinstance(kind, types.Float) and not rest:
            return kind, self.b.call(
                self.b.module.declare_intrinsic(f"llvm.{'fabs' if name == 'abs' else 'sqrt'}", [types.value_type(kind)]), [value], fastmath=_FLAGS
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
