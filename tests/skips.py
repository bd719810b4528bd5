"""In CI a skipped test is a failure: there everything that a test needs is installed (`.ci/run`)."""

import os
from collections.abc import Iterator
from typing import Any

import pytest


def _fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    report: pytest.TestReport = yield
    _fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[Any]:
    """A whole file, too, may be skipped: `pytest.importorskip` at its top does it."""
    report: pytest.CollectReport = yield
    _fail_if_skipped(report)
    return report
