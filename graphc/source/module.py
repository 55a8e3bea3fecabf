"""A graph as a NumPy module: one function from the leaves' arrays to the outputs."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import CompileError
from graphc.expr.carry import carried
from graphc.expr.dims import Dim, Extent
from graphc.expr.graph import random_numbers, topological, training, unalias
from graphc.expr.operation import Alias, Assign, DType, Leaf, Linalg, Random, Reshape, Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor
from graphc.source.matrices import MATRIX_HELPERS, linalg_source
from graphc.source.places import PLACE_HELPERS, extent_text
from graphc.source.scalars import HELPERS
from graphc.source.stages import STAGE_HELPERS, StageSource

__all__ = ["RANDOM_HELPERS", "literal", "numpy_source"]

_PHILOX = '''def _uniform(shape, seed, step, number, iteration=0):
    """Uniform numbers k / 2**24 by Philox 4x32-10: a function of seed, step, the node's number and the position."""
    low = np.uint64(0xFFFFFFFF)
    words = [np.arange(math.prod(shape)), number & 0xFFFFFFFF, step & 0xFFFFFFFF, iteration]
    c0, c1, c2, c3 = np.broadcast_arrays(*(np.asarray(w, np.uint64) & low for w in words))
    k0, k1 = seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1 = (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0), p1 & low
        c2, c3 = (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1), p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return ((c0 >> np.uint64(8)).astype(np.float64) * 2.0**-24).reshape(shape)
'''
RANDOM_HELPERS = {"_uniform": _PHILOX}
_ALL_HELPERS = {**HELPERS, **PLACE_HELPERS, **STAGE_HELPERS, **MATRIX_HELPERS, **RANDOM_HELPERS}
_RESERVED = {"np", "math", "values", "seed", "step", *_ALL_HELPERS}


def numpy_source(
    outputs: Tensor | Sequence[Tensor], inputs: Sequence[Tensor] | None = None, name: str = "gradient", floats: str = "float64",
    numbers: Mapping[Node, int] | None = None,
) -> str:  # fmt: skip
    """The source of a module with one function that computes the outputs with NumPy and the standard library alone.

    Args:
        outputs: a tensor, or a list of tensors (the function then returns a tuple).
        inputs: tensors that the function takes besides the leaves, or in their place: leaves or intermediates.
        name: the function's name. Its keyword arguments are the names of the inputs; what is no Python name comes
            through ``**values``.
        floats: ``"float64"`` or ``"float32"``.
        numbers: what random nodes are numbered by, where the outputs are cut off from some of them.

    Raises:
        CompileError: for a node without a NumPy form, such as an abstract function, naming it.

    Example:
        >>> import graphc as gx
        >>> a = gx.scalar("a")
        >>> print(numpy_source(a * a + 1, name="f").split("def ")[1].splitlines()[0])
        f(*, a):
    """
    many = not isinstance(outputs, Tensor)
    read = training([outputs] if isinstance(outputs, Tensor) else list(outputs))
    wanted, _ = carried(read)
    return _Module(wanted, list(inputs or ()), name, floats, random_numbers(read) if numbers is None else numbers).text(many)


def _all_nodes(nodes: Sequence[Node]) -> list[Node]:
    """The nodes, with those of the bodies of recurrences."""
    found: list[Node] = []
    for node in nodes:
        found.append(node)
        if isinstance(node.op, Scan):
            found += _all_nodes(topological(node.op.results))
    return found


class _Module:
    def __init__(self, outputs: list[Tensor], inputs: list[Tensor], name: str, floats: str, numbers: Mapping[Node, int]) -> None:
        self.outputs, self.name, self.floats = outputs, name, floats
        self.nodes = topological(outputs, stop=inputs)
        self.numbers = numbers
        reached = [n.outputs[0] for n in self.nodes if isinstance(n.op, Leaf) and n.op.kind != "constant"]
        self.arguments = list(dict.fromkeys([*inputs, *reached]))
        self.lines: list[str] = []
        self.taken: set[str] = set(_RESERVED)
        self.known: dict[Tensor, str] = {}
        self.sizes: dict[str, str] = {}
        self.count = 0
        self.iteration = ""
        self.wanted: set[Tensor] = {*outputs, *(t for n in _all_nodes(self.nodes) for t in n.inputs)}
        self.wanted |= {r for n in _all_nodes(self.nodes) if isinstance(n.op, Scan) for r in n.op.results}

    def text(self, many: bool) -> str:
        """The module."""
        signature, prologue = self._signature()
        for node in self.nodes:
            if not all(t in self.known for t in node.outputs):
                self._node(node)
        results = [self.known[t] if t.ndim else f"np.asarray({self.known[t]})" for t in self.outputs]
        returned = f"({', '.join(results)}{',' if len(results) == 1 else ''})" if many else results[0]
        rest = "\n".join([*self.lines, returned])
        size_lines = {f"{local} = " for local in self.sizes.values()}
        unused = {s for s in size_lines if not re.search(rf"\b{s[:-3]}\b", rest)}
        prologue = [line for line in prologue if not any(line.startswith(s) and ".shape[" in line for s in unused)]
        body = [*prologue, *self.lines, f"return {returned}"]
        source = "\n".join(body)
        used = [h for h in _ALL_HELPERS if f"{h}(" in source]
        used += [h for h in _ALL_HELPERS if h not in used and any(f"{h}(" in _ALL_HELPERS[u].split("\n", 1)[1] for u in used)]
        helpers = "".join(f"{_ALL_HELPERS[h]}\n\n" for h in _ALL_HELPERS if h in used)
        imports = "import math\n\n" if "math." in source + helpers else ""
        function = f'@np.errstate(all="ignore")\ndef {self.name}({signature}):\n' + "".join(f"    {line}\n" for line in body)
        return f"{imports}import numpy as np\n\n\n{helpers}{function}"

    def _signature(self) -> tuple[str, list[str]]:
        """The function's parameters, and the lines that take the arrays and their sizes."""
        names = [t.label for t in self.arguments]
        plain = [n.isidentifier() and not keyword.iskeyword(n) and n not in self.taken and names.count(n) == 1 for n in names]
        self.taken.update(n for n, p in zip(names, plain, strict=True) if p)
        parameters = [n for n, p in zip(names, plain, strict=True) if p]
        lines: list[str] = []
        for tensor, label, is_plain in zip(self.arguments, names, plain, strict=True):
            key = label if names.count(label) == 1 else f"{label}#{self.arguments.index(tensor)}"
            local = label if is_plain else self._fresh(label)
            lines.append(f"{local} = np.asarray({label if is_plain else f'values[{key!r}]'}, dtype={self._dtype(tensor)})")
            self.known[tensor] = local
        lines += self._sizes()
        tail = ["seed=0", "step=0"] if self.numbers else []
        parts = [*parameters, *tail, *([] if all(plain) else ["**values"])]
        lead = ["*"] if parameters or tail else []
        return ", ".join([*lead, *parts]), lines

    def _sizes(self) -> list[str]:
        """Lines that read the named sizes off the arrays' shapes."""
        lines: list[str] = []
        for tensor in self.arguments:
            for axis, extent in enumerate(tensor.shape):
                if isinstance(extent, Dim) and extent == Dim.named(extent.names[0]) and extent.names[0] not in self.sizes:
                    local = self._fresh(extent.names[0])
                    self.sizes[extent.names[0]] = local
                    lines.append(f"{local} = {self.known[tensor]}.shape[{axis}]")
        return lines

    def _dtype(self, tensor: Tensor) -> str:
        return {"float": f"np.{self.floats}", "int": "np.int64", "bool": "np.bool_"}[tensor.dtype]

    def _fresh(self, wanted: str) -> str:
        """A local name that is not taken, close to the one wanted."""
        base = re.sub(r"\W", "_", wanted, flags=re.ASCII).strip("_") or "v"
        base = f"v_{base}" if base[0].isdigit() or keyword.iskeyword(base) else base
        name, k = base, 1
        while name in self.taken:
            k += 1
            name = f"{base}_{k}"
        self.taken.add(name)
        return name

    def _emit(self, text: str, wanted: str = "") -> str:
        if not wanted:
            self.count += 1
            wanted = f"v{self.count}"
        name = self._fresh(wanted)
        self.lines.append(f"{name} = {text}")
        return name

    def _node(self, node: Node) -> None:
        """The lines of one node."""
        op, out = node.op, node.outputs[0]
        if isinstance(op, Stage):
            missing = sorted({n for e in (*op.extents, *op.shape, *op.dims) if isinstance(e, Dim) for n in e.names} - set(self.sizes))
            if missing:
                raise CompileError(f"the dimension {missing[0]} of {out.describe()} cannot be read off any input: add an input that has it")
            inputs: list[tuple[str, tuple[Extent, ...], DType]] = [(self.known[t], t.shape, t.dtype) for t in node.inputs]
            texts = StageSource(op, inputs, out.dtype, self.floats, self.sizes, self._emit).outputs(
                2 if node.outputs[-1] in self.wanted and len(node.outputs) == 2 else 1
            )
            for tensor, text in zip(node.outputs, texts, strict=False):
                self.known[tensor] = text if text.isidentifier() else self._emit(text, tensor.name)
            return
        if isinstance(op, Scan):
            self._scan(node, op)
            return
        self.known[out] = self._other(node)

    def _scan(self, node: Node, op: Scan) -> None:
        """A recurrence as a loop that appends to lists."""
        n = op.carries
        given = [self.known[t] for t in node.inputs]
        carries = [self._emit(text, p.name or "carry") for text, p in zip(given[:n], op.parameters[:n], strict=True)]
        rows = [self._emit("[]", "rows") if t in self.wanted else "" for t in node.outputs[n:]]
        length, t = extent_text(op.length, self.sizes), self._fresh("t")
        outer, self.lines = self.lines, []
        around = self.iteration
        self.iteration = f"({around}) * ({length}) + {t}" if around else t
        outside = dict(self.known)  # what the body computes is known within it alone
        self.known |= dict(zip(op.parameters[:n], carries, strict=True))
        for p, text in zip(op.parameters[n : n + op.sequences], given[n:], strict=False):
            self.known[p] = self._emit(f"{text}[{t}]", p.name or "item")
        self.known |= dict(zip(op.parameters[n + op.sequences :], given[n + op.sequences :], strict=True))
        for inner in topological(op.results):
            if not all(o in self.known for o in inner.outputs):
                self._node(inner)
        results = [self.known[r] for r in op.results]
        self.lines += [f"{r}.append({v})" for r, v in zip(rows, [*results[n:], *carries], strict=True) if r]
        self.lines.append(f"{', '.join(carries)} = {', '.join(results[:n])}")
        body, self.lines, self.iteration = self.lines, outer, around
        walked = f"reversed(range({length}))" if op.reverse else f"range({length})"
        self.lines += [f"for {t} in {walked}:", *(f"    {line}" for line in body)]
        self.known = outside | dict(zip(node.outputs[:n], carries, strict=True))
        for r, out in zip(rows, node.outputs[n:], strict=True):
            if r:
                back = "[::-1]" if op.reverse else ""
                shape = f"({', '.join(extent_text(e, self.sizes) for e in out.shape)}{',' if out.ndim == 1 else ''})"
                self.known[out] = self._emit(f"np.array({r}{back}, dtype={self._dtype(out)}).reshape({shape})", out.name)

    def _other(self, node: Node) -> str:
        op, out = node.op, node.outputs[0]
        if isinstance(op, Leaf):
            return self._emit(f"np.array({literal(out.value)}, dtype={self._dtype(out)}){_shaped(out)}", out.name)
        shape = f"({', '.join(extent_text(e, self.sizes) for e in out.shape)}{',' if out.ndim == 1 else ''})"
        if isinstance(op, Reshape):
            return self._emit(f"{self.known[node.inputs[0]]}.reshape({shape})", out.name)
        if isinstance(op, Random):
            text = f"_uniform({shape}, seed, step, {self.numbers[node]}{f', {self.iteration}' if self.iteration else ''})"
            return self._emit(text if self.floats == "float64" else f"{text}.astype(np.float32)", out.name)
        if isinstance(op, Linalg):
            return self._emit(linalg_source(op, [self.known[t] for t in node.inputs], self.floats), out.name)
        if isinstance(op, Assign):
            return self.known[node.inputs[1]]
        if isinstance(op, Alias):
            source = self.known[node.inputs[0]]
            leaf = isinstance(unalias(out).op, Leaf)
            return source if leaf or not re.fullmatch(r"v\d+", source) else self._renamed(source, out.name)
        raise CompileError(f"{out.describe()} is a {type(op).__name__}, which has no NumPy form")

    def _renamed(self, source: str, wanted: str) -> str:
        """The user's name for a value that has only a number so far, where its line is the last."""
        if not self.lines or not self.lines[-1].startswith(f"{source} = "):
            return source
        name = self._fresh(wanted)
        self.lines[-1] = f"{name} = " + self.lines[-1].removeprefix(f"{source} = ")
        for tensor, known in list(self.known.items()):
            if known == source:
                self.known[tensor] = name
        return name


def literal(array: Any) -> str:
    """An array as nested lists, in Python."""
    text = repr(array.tolist())
    return text if np.isfinite(array.astype(np.float64)).all() else re.sub(r"\b(nan|inf)\b", r"np.\1", text)


def _shaped(tensor: Tensor) -> str:
    """A reshape where nested lists lose a size of 0."""
    return f".reshape({tuple(tensor.shape)})" if 0 in tensor.shape and tensor.ndim > 1 else ""
