"""Ctrl-C, once and again.

The first ends a run in order: requests are let go, servers stopped, a summary written. The second ends it at once, wherever it
is: what has been written is whole, and servers that were started end with the process that started them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

INTERRUPTED = 2
"""The exit code that pytest has for it."""


class Interrupts:
    """Hears Ctrl-C from `begin` to `end`. It does so in the main thread of a process only: no other hears it at all."""

    def __init__(self, descriptor: Callable[[], int], directories: Callable[[], Iterable[Path]]) -> None:
        self.descriptor = descriptor
        """Where to say so: a signal comes in the midst of things, so nothing that is buffered will do."""
        self.directories = directories
        self._count = 0
        self._before: Any = None

    def begin(self) -> None:
        """Hear."""
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._heard)

    def end(self) -> None:
        """Leave it to whoever heard before."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
        self._before = None

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count == 1:
            signal.default_int_handler(number, frame)
        lines = [f"to finish this run: pytest --conformance-resume {directory}" for directory in self.directories()]
        with suppress(OSError, ValueError):
            os.write(self.descriptor(), "\n".join(["", "interrupted again: left at once", *lines, ""]).encode())
        os._exit(INTERRUPTED)
