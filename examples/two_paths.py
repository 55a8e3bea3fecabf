"""Backpropagation on the smallest graph that has two paths: e = (a + b)(b + 1)."""

from __future__ import annotations

import graphc as gx

a, b = gx.scalars("a b")
c = (a + b).named("c")
d = (b + 1).named("d")
e = (c * d).named("e")
values = {a: 2, b: 1}

print("forward")
for tensor in (a, b, c, d, e):
    print(f"  {tensor.name} = {float(gx.evaluate(tensor, values)):g}")

print("backward")
for tensor in (c, d, a, b):
    print(f"  ∂e/∂{tensor.name} = {float(gx.evaluate(gx.grad(e, tensor), values)):g}")

print("b reaches e by two paths, through c and through d; their products add up to ∂e/∂b")
