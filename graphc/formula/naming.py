"""What a derivation calls its quantities: the users' names, δ for the input of an activation, ∂L/∂h or h̄ for other adjoints."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.expr.operation import Leaf, Random
from graphc.expr.tensor import Tensor
from graphc.formula.atoms import Source
from graphc.formula.display import Show, atom, gradient_name
from graphc.formula.index_form import words_of
from graphc.formula.matrices import formula_name, matrix_names
from graphc.formula.spell import Vocabulary, symbol
from graphc.formula.sweep import Adjoint, Sweep

__all__ = ["Naming", "gradient_of"]


class Naming:
    """Names of everything in a sweep.

    Attributes:
        words: how sources are shown.
        names: their names as plain text, which become keywords and variables of source.
        spelled: those that are called by their own formula.
    """

    def __init__(self, sweep: Sweep, cotangent: str | None) -> None:
        self.sweep = sweep
        self.words: Vocabulary = words_of(sweep.forward)
        self.names: dict[Source, str] = {}
        self.spelled: set[Source] = set()
        self.used = {d.name for d in sweep.forward.definitions.values()}
        self._name_definitions()
        if sweep.cotangent is not None:
            assert cotangent is not None
            self._name(sweep.cotangent, cotangent)
        self._name_adjoints()
        # What stands for rows or columns reads better with its indices.
        self.words.indexed |= sweep.normals.statistics

    def _name_definitions(self) -> None:
        sweep, used = self.sweep, self.used
        counts = dict.fromkeys("utM", 0)
        operands = {d.operand for d in sweep.forward.definitions.values()}
        for d in sweep.forward.definitions.values():
            if d.operand is not None:
                self.words.late.setdefault(d.source, d.source.order)
                self.words.names[d.source], self.names[d.source] = matrix_names(d.tensor, self.words.name(d.operand), self.names[d.operand])
                continue
            name = d.name
            if not name and d is sweep.y:
                name = next(n for n in (("L", "J", "L_0") if not d.tensor.ndim else ("Y", "F", "Y_0")) if n not in used)
                used.add(name)
            base = "u" if isinstance(d.tensor.op, Random) else "M" if d.source in operands else "t"
            while not name:
                counts[base] += 1
                name = f"{base}{counts[base]}" if f"{base}{counts[base]}" not in used else ""
            self._name(d.source, name)
            if not d.name and (infinity := _infinity(d.tensor)) is not None:
                self.words.names[d.source] = infinity
            if d.source in operands and not d.name and d is not sweep.y and (shown := formula_name(d.expr, d.letters, self.words)):
                self.words.names[d.source] = shown
                self.spelled.add(d.source)

    def _name(self, source: Source, name: str) -> None:
        self.names[source] = name
        self.words.names[source] = symbol(name)
        self.words.late.setdefault(source, source.order)

    def _name_adjoints(self) -> None:
        named = [a for a in self.sweep.adjoints.values() if a.source is not None]
        clash = any(n == "δ" or n.startswith(("delta", "δ")) for n in self.used)
        layers = [a for a in named if a.definition in self.sweep.layers]
        for a in named:
            assert a.source is not None
            if a.definition in self.sweep.normals and "g" not in self.used:
                hats = [b for b in named if b.definition in self.sweep.normals]
                self._name(a.source, "g" if len(hats) == 1 else f"g{len(hats) - hats.index(a)}")
            elif a.definition in self.sweep.layers and not clash:
                # Only those layers count whose adjoint bears a name.
                number = sum(d in [b.definition for b in layers] or not self._timed() for d in self._layers_before(a)) + 1
                self._name(a.source, "δ" if len(layers) == 1 else f"δ{number}")
            else:
                self.names[a.source] = f"d_{self.names[a.definition.source]}"
                self.words.names[a.source] = self._adjoint_name(a)
            self.words.late[a.source] = a.source.order + 0.5

    def _timed(self) -> bool:
        return any(d.recurrence is not None for d in self.sweep.layers)

    def _layers_before(self, a: Adjoint) -> list[Any]:
        return self.sweep.layers[: self.sweep.layers.index(a.definition)]

    def _adjoint_name(self, a: Adjoint) -> Show:
        """``∂L/∂h``; with a bar where that says too little or too much: over time, and for a product with a cotangent."""
        below = self.words.name(a.definition.source)
        head = below.plain.rstrip("₀₁₂₃₄₅₆₇₈₉")
        barred = f"{head}\u0304{below.plain[len(head) :]}"
        if (a.definition.recurrence is not None or self.sweep.cotangent is not None) and len(head) == 1 and barred not in self.used:
            base, _, rest = below.tex.partition("_")
            return atom(barred, rf"\bar{{{base}}}" + (f"_{rest}" if rest else ""))
        return gradient_of(self.words, self.sweep, a.definition.source)


def _infinity(tensor: Tensor) -> Show | None:
    """How an infinite number is written; ``None`` for any other tensor."""
    if tensor.ndim or not isinstance(tensor.op, Leaf) or tensor.kind != "constant" or not np.isinf(tensor.value):
        return None
    return atom("∞", r"\infty") if tensor.value > 0 else atom("−∞", r"-\infty")


def gradient_of(words: Vocabulary, sweep: Sweep, source: Source, below: Show | None = None) -> Show:
    """``∂L/∂w``, the derivative of the output by a source, or of its product with the cotangent."""
    above, below = words.name(sweep.y.source), below or words.name(source)
    if sweep.cotangent is not None:
        bar = words.name(sweep.cotangent)
        above = atom(f"⟨{bar.plain}, {above.plain}⟩", rf"\langle {bar.tex}, {above.tex} \rangle")
    return gradient_name(above, below)
