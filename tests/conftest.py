"""What every test shares: a deterministic Hypothesis, and a kernel cache that is not the user's."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("GRAPHC_CACHE_DIR", str(Path(__file__).parent.parent / ".pytest_cache" / "graphc"))

_SHARED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large], "print_blob": True}
settings.register_profile("ci", derandomize=True, max_examples=200, **_SHARED)
settings.register_profile("default", derandomize=True, max_examples=60, **_SHARED)
settings.register_profile("search", max_examples=5000, **_SHARED)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

PARITY_LIBRARIES = ("torch", "scipy", "sklearn")


def _must_not_skip(report: Any, marked: bool) -> bool:
    """Whether a report is of a comparison with another library that did not take place though it is required."""
    if not report.skipped or hasattr(report, "wasxfail") or os.environ.get("GRAPHC_REQUIRE_PARITY") != "1":
        return False
    reason = str(report.longrepr)
    return marked or any(re.search(rf"could not import ['\"]{name}\b", reason) for name in PARITY_LIBRARIES)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """A parity test that skips has failed where the parity tests are required."""
    report = yield
    if _must_not_skip(report, item.get_closest_marker("parity") is not None):
        report.outcome, report.longrepr = "failed", f"skipped where parity is required: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """The same for a whole module that skips while it is imported."""
    report = yield
    if _must_not_skip(report, False):
        report.outcome, report.longrepr = "failed", f"skipped where parity is required: {report.longrepr}"
    return report
