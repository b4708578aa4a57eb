"""What holds for every test."""

import importlib
import logging
import os
import pkgutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import cloudpemda
import tests.patience  # noqa: F401 - the whole suite waits so

# Everywhere as in CI: the same examples on each run, and none that is too slow for somebody. Who
# looks for new ones says `pytest --hypothesis-profile=default`.
settings.load_profile("ci")

_ALLOWED = tuple(
    line.split("  ")[0]
    for line in (Path(__file__).parent / "skips.txt").read_text().splitlines()
    if line and not line.startswith("#")
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skip is a failure unless `skips.txt` names it: nothing goes unnoticed."""
    report = yield
    if report.skipped and os.environ.get("CI") and not item.nodeid.startswith(_ALLOWED or ("-",)):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI without a line in tests/skips.txt: {report.longrepr}"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Storms first: at the end of a run on several workers, one long test keeps all waiting."""
    items.sort(key=lambda item: "/storm/" not in item.nodeid)


def pytest_collection_finish() -> None:
    """Hypothesis draws on the constants of all modules of ours that are loaded. Which these are
    must not hang on what a worker happened to do before, or its examples do, too."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        for found in pkgutil.walk_packages(cloudpemda.__path__, "cloudpemda."):
            if not found.name.endswith(("__main__", ".make")):  # those are programs
                importlib.import_module(found.name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests want to be read although they pass (`record_property("told", …)`)."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "told":
                    terminalreporter.write_line(str(value))


@pytest.fixture(autouse=True)
def _own_log() -> Iterator[None]:
    """The command line sets up our log for its process; in tests that process is shared."""
    log = logging.getLogger("cloudpemda")
    before = log.level, log.propagate, list(log.handlers)
    yield
    log.setLevel(before[0])
    log.propagate = before[1]
    log.handlers[:] = before[2]
