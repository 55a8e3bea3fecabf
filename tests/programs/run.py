"""Seeds run one after the other: each program compared, and what fails made smaller."""

from __future__ import annotations

import signal
from collections import Counter
from functools import partial
from typing import Any

from tests.programs.compare import Plan, check
from tests.programs.generate import generate
from tests.programs.program import Program, Step, Unfit
from tests.programs.shrink import shrink

__all__ = ["plan_of", "run_seeds"]

_SECONDS = 240  # for one program


class _Late(BaseException):
    """What the alarm raises: nothing on the way takes it for a failure of the program."""


def _alarm(*_: Any) -> None:
    raise _Late("it took too long")


def _fails(program: Program, kind: str, plan: Plan) -> bool:
    """Whether a program still fails in the same way; one that PyTorch does not take does not."""
    try:
        return any(k == kind for k, _ in check(program, plan).failures)
    except (Unfit, RuntimeError, IndexError):
        return False


def plan_of(seed: int, every: dict[str, int]) -> Plan:
    """What a seed is compared by, where ``every`` says how many seeds each comparison is for."""
    return Plan(**{name: bool(step) and seed % step == 0 for name, step in every.items()}, again=seed % 16 == 0)


def run_seeds(seeds: list[int], every: dict[str, int]) -> tuple[Counter[str], Counter[str], list[tuple[int, str, str, str]]]:
    """Counts of comparisons, counts of rows, and what failed: seed, kind, details, program."""
    done: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    failures: list[tuple[int, str, str, str]] = []
    signal.signal(signal.SIGALRM, _alarm)
    for seed in seeds:
        signal.alarm(_SECONDS)
        try:
            program = generate(seed)
            rows.update(item.row.name for item in program.items if isinstance(item, Step))
            plan = plan_of(seed, every)
            report = check(program, plan)
            done.update(report.done)
            done["programs"] += 1
            if report.failures:
                kind, detail = report.failures[0]
                small = shrink(program, partial(_fails, kind=kind, plan=plan))
                failures.append((seed, kind, detail, small.text()))
        except _Late as late:
            failures.append((seed, "time", str(late), ""))
        except Exception as error:
            failures.append((seed, f"generator: {type(error).__name__}", str(error), ""))
        finally:
            signal.alarm(0)
    return done, rows, failures
