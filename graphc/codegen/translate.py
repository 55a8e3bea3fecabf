"""Kernels' source straight to LLVM: the few constructs that printed kernels have, without a general compiler's analysis.

A kernel is one function of numbers, buffers and intrinsics, whose types follow from left to right. Variables are places on the
stack, which LLVM's first pass turns into values. What is not known here raises :class:`Unknown`, and is left to Numba, for
which the same source means the same.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from llvmlite import ir

from graphc.codegen import types
from graphc.codegen.expressions import FLAGS, NUMBERS, Expressions, Typed, Unknown, number
from graphc.codegen.pointers import set_entry

__all__ = ["Unknown", "translate"]

_WORD, _BIT = ir.IntType(64), ir.IntType(1)
_FLAGGED = frozenset(["fadd", "fsub", "fmul", "fdiv", "frem", "fcmp"])


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
    _widen(module, functions[0])
    return module


def _constant(node: ast.expr) -> Typed:
    """A number of the module: ``np.float32(0.5)`` and its like."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in NUMBERS:
        value = ast.literal_eval(node.args[0])
        return number(NUMBERS[node.func.attr], value)
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


def _flag(module: ir.Module) -> None:
    """Give what has no flags of its own the kernel's."""
    for function in module.functions:
        for block in function.blocks:
            for instruction in block.instructions:
                if instruction.opname in _FLAGGED and not instruction.flags:
                    instruction.flags.extend(FLAGS)
                elif isinstance(instruction, ir.CallInstr) and isinstance(instruction.type, ir.FloatType | ir.DoubleType):
                    instruction.fastmath.update(FLAGS)


# Functions of so many instructions that wide vectors pay; LLVM takes half of them by itself where a processor's clock may suffer.
_LONG = {
    "arctan", "cos", "cosh", "erf", "exp", "expm1", "log", "log1p", "power", "sigmoid", "sin", "sinh", "softplus", "tan", "tanh",
}  # fmt: skip


def _widen(module: ir.Module, node: ast.FunctionDef) -> None:
    """Ask for the processor's widest vectors where the kernel computes long functions."""
    called = {n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    if called & _LONG or "apart" in called:
        for function in module.functions:
            # An attribute with a value is none of those that llvmlite knows by name.
            set.add(function.attributes, '"prefer-vector-width"="512"')


def _masked(module: ir.Module) -> Any:
    """The note on a loop that its last iterations take part of a vector, under a mask."""
    text: Any = ir.MetaDataString
    return _note(module, [text(module, "llvm.loop.vectorize.predicate.enable"), ir.Constant(_BIT, 1)])


class _Group(ir.MDValue):  # type: ignore[misc, name-defined]
    """A group of reads and writes: a note that is nothing but itself."""

    def __eq__(self, other: object) -> bool:
        """No other group is the same."""
        return self is other

    def __hash__(self) -> int:
        """By what it is."""
        return id(self)

    def descr(self, buf: Any) -> None:
        """Its text."""
        buf += ("distinct !{}", "\n")


def _apart(module: ir.Module, blocks: Sequence[Any]) -> Any:
    """The note on a loop, and on what it reads and writes, that no iteration touches what another one writes."""
    group: Any = _Group(module, [], name=str(len(module.metadata)))
    for block in blocks:
        for instruction in block.instructions:
            if "alias.scope" in instruction.metadata:
                instruction.set_metadata("llvm.access.group", group)
    return _note(module, [ir.MetaDataString(module, "llvm.loop.parallel_accesses"), group])


def _note(module: ir.Module, hint: Sequence[Any]) -> Any:
    """A note on a loop; it is of that loop alone, so it names itself."""
    hinted = module.add_metadata(list(hint))
    note: Any = module.add_metadata([ir.MetaDataString(module, f"loop {len(module.metadata)}")])
    note.operands = (note, hinted)
    return note


class _Function(Expressions):
    def __init__(self, module: ir.Module, node: ast.FunctionDef, constants: Mapping[str, Typed], names: Mapping[str, Any]) -> None:
        self.node = node
        row, *rest = (a.arg for a in node.args.args)
        kind = ir.FunctionType(ir.VoidType(), [_WORD.as_pointer(), *[_WORD] * len(rest)])
        function: Any = ir.Function(module, kind, node.name)
        function.attributes.add("nounwind")
        entry, self.first = function.append_basic_block("entry"), function.append_basic_block("body")
        builder: Any = ir.IRBuilder(self.first)
        bound: dict[str, Typed] = {row: (types.ROW, builder.bitcast(function.args[0], ir.IntType(8).as_pointer()))}
        super().__init__(builder, entry, bound, constants, names)
        for name, value in zip(rest, function.args[1:], strict=True):
            self.store(name, types.int64, value)
        self.loops: list[tuple[Any, Any]] = []  # where each loop around goes on, and where it ends

    def emit(self) -> None:
        """The whole function."""
        self.block(self.node.body)
        if not self.b.block.is_terminated:
            self.b.ret_void()
        ir.IRBuilder(self.entry).branch(self.first)

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
                if self.b.block is not self.first:
                    raise Unknown(f"{target.id} bound in a branch")
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
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and isinstance(node.target, ast.Name)):
            raise Unknown(ast.unparse(node))
        if self.names.get(call.func.id, range if call.func.id == "range" else None) is not range:
            raise Unknown(ast.unparse(node))
        limits = [self.whole(a) for a in call.args]
        if len(limits) > 2 or node.orelse:
            raise Unknown(ast.unparse(node))
        start, stop = (ir.Constant(_WORD, 0), limits[0]) if len(limits) == 1 else limits
        number = len(self.b.function.blocks)
        before, head, body, following, end = self.b.block, *(self.b.append_basic_block(name) for name in ("head", "loop", "next", "end"))
        self.b.branch(head)
        self.b.position_at_end(head)
        index = self.b.phi(_WORD)
        index.add_incoming(start, before)
        self.b.cbranch(self.b.icmp_signed("<", index, stop), body, end)
        self.b.position_at_end(body)
        self.store(node.target.id, types.int64, index)
        self.body(node.body, following, end)
        # What is below a limit can be one more.
        index.add_incoming(self.b.add(index, ir.Constant(_WORD, 1), flags=("nsw",)), following)
        again = self.b.branch(head)
        if call.func.id == "partial":
            again.set_metadata("llvm.loop", _masked(self.b.module))
        elif call.func.id == "apart":
            again.set_metadata("llvm.loop", _apart(self.b.module, self.b.function.blocks[number:]))
        self.b.position_at_end(end)

    def on_while(self, node: ast.While) -> None:
        """A loop while a condition holds."""
        if node.orelse:
            raise Unknown(ast.unparse(node))
        head, body, end = (self.b.append_basic_block(name) for name in ("while", "loop", "end"))
        self.b.branch(head)
        self.b.position_at_end(head)
        self.b.cbranch(self.truth(node.test), body, end)
        self.b.position_at_end(body)
        self.body(node.body, head, end)
        self.b.position_at_end(end)

    def body(self, body: Sequence[ast.stmt], following: Any, end: Any) -> None:
        """The body of a loop, and the way to its next turn, where the builder is left."""
        self.loops.append((following, end))
        self.block(body)
        self.loops.pop()
        if not self.b.block.is_terminated:
            self.b.branch(following)
        self.b.position_at_end(following)

    def on_break(self, node: ast.Break) -> None:
        """The end of a loop."""
        self.b.branch(self.loops[-1][1])

    def on_continue(self, node: ast.Continue) -> None:
        """The next turn of a loop."""
        self.b.branch(self.loops[-1][0])

    def on_augassign(self, node: ast.AugAssign) -> None:
        """A variable that is changed by a value."""
        if not isinstance(node.target, ast.Name):
            raise Unknown(ast.unparse(node))
        self.store(node.target.id, *self.of_binop(ast.BinOp(ast.Name(node.target.id), node.op, node.value)))

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
