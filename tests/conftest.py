"""For all tests: nothing of the machine's own leaks in."""

from __future__ import annotations

import gc
from collections.abc import Callable

import anyio._backends._asyncio  # noqa: F401
import httpcore2._backends.anyio  # noqa: F401
import pytest
from hypothesis import HealthCheck, settings

import conformance.plugin.hooks  # noqa: F401

# Runs within this process forget what they import. What is imported above stays: two copies of a library's exceptions
# would not know each other.

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")  # how long drawing takes is the machine's affair

pytest_plugins = ["pytester"]
pytest.register_assert_rewrite("tests.kit")


@pytest.fixture(autouse=True)
def of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no proxy of the machine's."""
    for name in (
        "OPENAI_API_KEY",
        "CONFORMANCE_KEY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def pytester(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty folder for runs within tests, but for an option without which pytest-asyncio warns."""
    pytester.makefile(".ini", pytest="[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return pytester


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty project with a target."""
    pytester.makefile(".yaml", targets="targets:\n  mine: {kind: reference}\n")
    return pytester


@pytest.fixture
def spread(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """A run in so many processes, without the other plugins that are installed: they are slow to start."""

    def run(workers: int, *arguments: str) -> pytest.RunResult:
        with monkeypatch.context() as lean:
            lean.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            return pytester.runpytest_subprocess("-p", "conformance", "-p", "xdist", "-n", str(workers), *arguments)

    return run


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was collected stays to the end: no search for garbage need look at it, and each run within a test makes several."""
    gc.collect()
    gc.freeze()
