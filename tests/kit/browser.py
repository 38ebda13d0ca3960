"""A real headless Chromium, driven by Playwright. Not tests. A page is judged as a person has it before them: sizes, keys, media."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
expect.set_options(timeout=60_000)  # milliseconds: machines are busy


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser, gone when the block ends."""
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=PROGRAM, args=FLAGS) as one:
        yield one
