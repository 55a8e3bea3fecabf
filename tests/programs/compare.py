"""A program computed every way there is, and what does not agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import graphc as gx
from graphc.expr.verify import verify
from tests.programs.generate import sinks, torch_gradients, weights
from tests.programs.program import Program, Step, torch_leaves, torch_run

__all__ = ["Plan", "Report", "check"]

_NOISE = 1e-7
_DERIVING = ("grad", "vjp", "jacobian", "hessian", "hvp")
Array = np.ndarray[Any, Any]


@dataclass
class Report:
    """What was compared, how often, and what went wrong: the kind of the comparison, then the details."""

    done: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class _Wanted:
    """PyTorch's numbers, and how far rounding may move each."""

    labels: list[str]
    values: list[Array]
    noise: list[float]


@dataclass(frozen=True)
class Plan:
    """What a program is compared by, besides the evaluator against PyTorch.

    Attributes:
        written: the formulas as written, without stable forms.
        source: the NumPy target.
        kernels: compiled in float64.
        single: compiled in float32.
        again: whether the generated source of the same declaration is the same.
    """

    written: bool = True
    source: bool = True
    kernels: bool = False
    single: bool = False
    again: bool = False


def check(program: Program, plan: Plan | None = None) -> Report:
    """Compare, and tell what does not agree."""
    report = Report()
    wanted = _by_torch(program)
    stage = ["declaring"]
    try:
        _check(program, plan or Plan(), report, wanted, stage)
    except Exception as error:
        report.failures.append((f"{stage[-1]}: {type(error).__name__}", str(error)[:600]))
    return report


def _check(program: Program, plan: Plan, report: Report, wanted: _Wanted, stage: list[str]) -> None:
    tensors, outputs = _declare(program)
    stage.append("verifying")
    verify(outputs)
    report.done["verified"] += 1
    feeds = program.feeds(tensors)
    stage.append("evaluating")
    reference = gx.evaluate(outputs, feeds)
    _compare(report, "evaluator against PyTorch", wanted, reference, 1e-9, 1e-3)
    if plan.written:
        stage.append("evaluating as written")
        _compare(report, "as written against PyTorch", wanted, gx.evaluate(outputs, feeds, stabilise=False), 1e-9, 1e-3)
    stage.append("inference")
    _inference(report, program, tensors, feeds, wanted)
    ours = _Wanted(wanted.labels, reference, wanted.noise)
    inputs, arrays = list(feeds), list(feeds.values())

    def compiled(kind: str, target: str, dtype: str, relative: float, noisy: float, skip: float = 0.0) -> None:
        stage.append(kind)
        f = gx.compile(outputs, inputs=inputs, target=target, dtype=dtype)
        _compare(report, kind, ours, f(*arrays), relative, noisy, skip)
        if plan.again and dtype == "float64":
            _again(report, program, target, f.source)

    if plan.source:
        compiled("numpy target against evaluator", "numpy", "float64", 1e-9, 1e-3)
    if plan.kernels:
        compiled("kernels in float64 against evaluator", "cpu", "float64", 1e-9, 1e-3)
    if plan.single:
        compiled("kernels in float32 against float64", "cpu", "float32", 3e-5, 60.0, 1e-3)


def _by_torch(program: Program) -> _Wanted:
    labels, values = _numbers(program, 0.0, 0)
    moved = [_numbers(program, _NOISE, seed)[1] for seed in (1, 2)]
    noise = [max(float(np.abs(m[k] - v).max(initial=0.0)) if v.dtype.kind == "f" else 0.0 for m in moved) for k, v in enumerate(values)]
    return _Wanted(labels, values, noise)


def _numbers(program: Program, noise: float, seed: int) -> tuple[list[str], list[Array]]:
    leaves = torch_leaves(program)
    run = torch_run(program, leaves, noise, seed=seed)
    loss, gradients = torch_gradients(program, run, leaves)
    kept = [k for k, v in enumerate(run) if isinstance(program.items[k], Step) and not isinstance(v, tuple)]
    labels = [*(f"t{k}" for k in kept), "loss", *(f"∂loss/∂t{k}" for k in program.leaves("float"))]
    return labels, [v.detach().numpy(force=True) for v in (*(run[k] for k in kept), loss, *gradients)]


def _declare(program: Program) -> tuple[list[Any], list[gx.Tensor]]:
    """All variables, and what is computed: those of steps, the loss, its gradients."""
    tensors = program.declare()
    kept = [t for item, t in zip(program.items, tensors, strict=True) if isinstance(item, Step) and not isinstance(t, tuple)]
    loss: Any = gx.constant(0.0)
    run = torch_run(program, torch_leaves(program))
    for k in sinks(program):
        if not isinstance(tensors[k], tuple) and tensors[k].dtype == "float":
            loss = loss + gx.sum(tensors[k] * gx.constant(weights(k, tuple(run[k].shape)).numpy(), dtype="float"))
    gradients = gx.grad(loss, [tensors[k] for k in program.leaves("float")], unconnected="zero")
    return tensors, [*kept, loss, *gradients]


def _compare(report: Report, kind: str, wanted: _Wanted, found: list[Array], relative: float, noisy: float, skip: float = 0.0) -> None:
    report.done[kind] += 1
    for label, want, got, noise in zip(wanted.labels, wanted.values, found, wanted.noise, strict=True):
        if got.shape != want.shape or got.dtype.kind != want.dtype.kind:
            report.failures.append((kind, f"{label} is {got.dtype} {got.shape}, not {want.dtype} {want.shape}"))
            continue
        scale = float(np.abs(want).max(initial=1.0))
        report.done[f"{kind}: arrays"] += 1
        if skip and noise > skip * scale:
            report.done[f"{kind}: ill-conditioned arrays"] += 1
            continue
        allowed = relative * scale + noisy * noise if want.dtype.kind == "f" else 0.0
        with np.errstate(all="ignore"):
            off = float(np.abs(got.astype(np.float64) - want.astype(np.float64)).max(initial=0.0))
        if not off <= allowed:
            report.failures.append((kind, f"{label} is off by {off:.3g} (allowed {allowed:.2g}):\n{got}\nwanted\n{want}"))


def _inference(report: Report, program: Program, tensors: list[Any], feeds: Any, wanted: _Wanted) -> None:
    """The other reading of phases; what is differentiated within a program is the training branch."""
    steps = [item.row for item in program.items if isinstance(item, Step)]
    if not any(r.phases for r in steps) or any(r.name in _DERIVING for r in steps):
        return
    run = torch_run(program, torch_leaves(program), phase="inference")
    kept = [k for k, v in enumerate(run) if isinstance(program.items[k], Step) and not isinstance(v, tuple)]
    # Random nodes are numbered among those that are reached: the training reading keeps its own, so nothing random may be left.
    if any(r.draws and not r.phases for r in steps):
        return
    values = gx.evaluate([gx.inference(tensors[k]) for k in kept], feeds)
    there = _Wanted([f"t{k}" for k in kept], [run[k].detach().numpy() for k in kept], [0.0] * len(kept))
    _compare(report, "inference against PyTorch", there, values, 1e-7, 0.0)


def _again(report: Report, program: Program, target: str, source: str) -> None:
    tensors, outputs = _declare(program)
    second = gx.compile(outputs, inputs=list(program.feeds(tensors)), target=target, dtype="float64").source
    report.done[f"{target} source again"] += 1
    if second != source:
        report.failures.append((f"{target} source again", "another source"))
