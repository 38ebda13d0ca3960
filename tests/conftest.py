"""For all tests: nothing of the machine's own leaks in."""

from __future__ import annotations

import pytest


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
