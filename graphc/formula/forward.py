"""The forward pass as definitions: each named tensor as a formula of the named tensors before it.

What has no name is put into its users, in exact algebra, so that the same network reads the same however it was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.errors import DerivationError
from graphc.expr.carry import carried
from graphc.expr.graph import topological, training, unalias
from graphc.expr.matrices import linalg
from graphc.expr.operation import Alias, Assign, Leaf, Linalg, Random, Reshape, Scan
from graphc.expr.stage import Stage
from graphc.expr.tensor import Node, Tensor
from graphc.formula.algebra import size_of
from graphc.formula.atoms import Entry, Source
from graphc.formula.definition import LONGEST, Definition, axes, exact, number_of, stage_formula
from graphc.formula.known import with_known_functions
from graphc.formula.matrices import matrix_source, own_transpose
from graphc.formula.radix import reshaped_places
from graphc.formula.ranges import decided
from graphc.formula.recurrent import unfold
from graphc.formula.structure import automatic_names, random_only

__all__ = ["Forward"]


class Forward:
    """The definitions of everything that ``outputs`` need.

    Attributes:
        definitions: by tensor, inputs before their users.
        outputs: the tensors asked for, as they stand in ``definitions``.
        asked: the training reading of the tensors asked for.
    """

    def __init__(self, outputs: Sequence[Tensor], *, automatic: bool = True, resolved: bool = False) -> None:
        self.asked = list(outputs) if resolved else carried(training(outputs))[0]
        order = topological(self.asked)
        self.outputs = [unalias(t) for t in self.asked]
        self.positions = {node: k for k, node in enumerate(order)}
        self.names = _names(order)
        self.automatic = automatic_names(order, self.names) if automatic else {}
        self.random = random_only(order)
        self.definitions: dict[Tensor, Definition] = {}
        self._inlined: dict[Tensor, Any] = {}
        self._automatic: dict[Any, Definition] = {}
        self._matrices: dict[tuple[str, Source], Definition] = {}
        self.taken = {*self.names.values(), *self.automatic.values()}
        for node in order:
            if not isinstance(node.op, Alias):
                self._add(node)
        if automatic:
            self.definitions = with_known_functions(self.definitions)

    def _add(self, node: Node) -> None:
        out = node.outputs[0]
        name = self.names.get(out, "")
        number = number_of(out) if not name else None
        if number is not None:
            self._inlined[out] = number
            return
        if isinstance(node.op, Leaf | Random) or (out in self.random and (name or out in self.automatic)):
            self._keep(out, name or self.automatic.get(out, ""), None, self._drawn(node))
            return
        made = self._unfolded(node) if isinstance(node.op, Scan) else {}
        for output in node.outputs:
            expr = made[output] if made else self._formula(node, output)
            twin = self._automatic.get((expr, output.shape)) if output not in self.names and output not in self.outputs else None
            if twin is not None:
                self._inlined[output] = twin.entry  # what has a name of ours already is not spelled out again
                continue
            name = self.names.get(output, "") or self.automatic.get(output, "")
            if name or output in self.outputs or size_of(expr) > LONGEST:
                self._keep(output, name, expr)
                if output in self.automatic:
                    self._automatic[expr, output.shape] = self.definitions[output]
            else:
                self._inlined[output] = expr

    def _unfolded(self, node: Node) -> dict[Tensor, Any]:
        """A scan's outputs as entries of what it makes over time, each item at its place."""
        definitions, outputs = unfold(self, node, {t: n for t, n in self.names.items() if t not in self.outputs})
        self.definitions.update((d.tensor, d) for d in definitions)
        # What bears the name of a carry is that carry's rows, and needs none of its own.
        for output, expr in outputs.items():
            if self.names.get(output) == expr.args[0].tensor.name and output not in self.outputs:
                del self.names[output]
        return outputs

    def called(self, order: Sequence[Node]) -> dict[Tensor, str]:
        """The names that users gave to the tensors of a graph."""
        return _names(order)

    def _keep(self, tensor: Tensor, name: str, expr: Any, drawn: Any = None) -> None:
        source = Source.of(tensor, order=self.positions[tensor.node])
        self.definitions[tensor] = Definition(tensor, source, name, expr, drawn)

    def _matrix(self, kind: Any, x: Tensor, order: int) -> Definition:
        """The inverse or the determinant of a matrix, each once; the matrix is a quantity of its own then."""
        if x not in self.definitions:
            self._keep(x, "", self._inlined.pop(x))
        operand = self.definitions[x].source
        if (kind, operand) not in self._matrices:
            tensor = linalg(kind, [x])
            i, j = axes(x)[-2:]
            same = operand.symmetric or own_transpose(self.definitions[x].expr, i, j)
            source = matrix_source(tensor, order, same and kind == "inverse")
            inverse = source if kind == "inverse" else self._matrix("inverse", x, order).source
            self.definitions[tensor] = Definition(tensor, source, "", None, operand=operand, inverse=inverse)
            self._matrices[kind, operand] = self.definitions[tensor]
        return self._matrices[kind, operand]

    def _unturned(self, x: Tensor) -> tuple[Tensor, bool]:
        """The matrix whose transpose one without a name is, and whether it is one."""
        expr = self._inlined.get(x)
        *lead, i, j = axes(x)
        if isinstance(expr, Entry) and expr.places == (*lead, j, i) and expr.source.tensor in self.definitions:
            return expr.source.tensor, True
        return x, False

    def _drawn(self, node: Node) -> Any:
        """The formula of random numbers; ``None`` where there is none, as for a recurrence over them."""
        if isinstance(node.op, Leaf | Random):
            return None
        try:
            return self._formula(node, node.outputs[0])
        except DerivationError:
            return None

    def read(self, tensor: Tensor, places: Sequence[Any]) -> Any:
        """The entry of a tensor at places: a named one's symbol, else its formula there."""
        tensor = unalias(tensor)
        known = self.definitions.get(tensor)
        if known is not None:
            return Entry(known.source, *places)
        return decided(self._inlined[tensor].xreplace(dict(zip(axes(tensor), places, strict=True))))

    def _formula(self, node: Node, output: Tensor) -> Any:
        op = node.op
        if isinstance(op, Stage):
            return exact(stage_formula(self, node, op, output))
        if isinstance(op, Assign):
            return self.read(node.inputs[1], axes(output))
        if isinstance(op, Linalg) and op.kind != "cofactor":
            x, turned = self._unturned(unalias(node.inputs[0]))
            places = axes(output)
            places = (*places[:-2], places[-1], places[-2]) if turned and op.kind == "inverse" else places
            return Entry(self._matrix(op.kind, x, self.positions[node]).source, *places)
        if not isinstance(op, Reshape):
            raise DerivationError(
                f"{output.describe()} is computed by {type(op).__name__.lower()}, for which no closed form is known: derive up to it"
            )
        return exact(self.read(node.inputs[0], reshaped_places(node.inputs[0], output)))


def _names(order: Iterable[Node]) -> dict[Tensor, str]:
    """Each tensor's name: its own, or that of an alias; a repeated one is numbered."""
    found: dict[Tensor, str] = {}
    taken: dict[str, int] = {}
    for node in order:
        for t in node.outputs:
            target = unalias(t)
            winner = t.output == 1
            if t.name and not winner and (target not in found or (not target.name and t is not target and target not in found)):
                count = taken[t.name] = taken.get(t.name, 0) + 1
                found[target] = t.name if count == 1 else f"{t.name}_{count}"
    return found
