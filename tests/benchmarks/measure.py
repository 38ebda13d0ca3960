"""What the benchmarks share: a row of the table, processes and what they took, and the reference server as one of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

ROOT = Path(__file__).parent.parent.parent
"""The checkout."""
LONGEST = 120.0
"""Seconds after which a process that is being measured has failed."""
FOREIGN = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "PYTHONDONTWRITEBYTECODE")
"""Variables that would change what is measured."""


class Failed(Exception):
    """Something could not be measured. The message says what."""


@dataclass(frozen=True)
class Row:
    """One ratio. `target` is the most that it may be; None where none was set."""

    name: str
    ratio: float | None
    target: float | None
    how: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False

    @property
    def verdict(self) -> str:
        """Whether the target is met; "" where there is none."""
        if self.failed:
            return "failed"
        if self.target is None or self.ratio is None:
            return ""
        return "met" if self.ratio <= self.target else "missed"

    def to_json(self) -> dict[str, Any]:
        """The row with its facts as a JSON value."""
        return {
            "name": self.name,
            "ratio": None if self.ratio is None else round(self.ratio, 4),
            "target": self.target,
            "verdict": self.verdict,
            "how": self.how,
            **self.facts,
        }


@dataclass(frozen=True)
class Took:
    """What a process took: unix times of its begin and end, seconds of processor time, and what it said."""

    begun: float
    ended: float
    processor: float
    code: int
    output: str

    @property
    def clock(self) -> float:
        """Seconds on the clock."""
        return self.ended - self.begun


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that is measured."""
    return {**{name: value for name, value in os.environ.items() if name not in FOREIGN}, **more}


def took(arguments: Sequence[str], cwd: Path, *, good: tuple[int, ...] = (0,), **variables: str) -> Took:
    """What `python ARGUMENTS` takes. Raises Failed where it ends with another code than a good one, or not in time."""
    with TemporaryFile() as output:
        begun = time.time()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=cwd,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            status, usage = _waited(process)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        ended = time.time()
        output.seek(0)
        said = output.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    if code not in good:
        raise Failed(f"`python {' '.join(arguments)}` ended with {code}: {' '.join(said.split())[-400:]}")
    return Took(begun, ended, usage.ru_utime + usage.ru_stime, code, said)


def _waited(process: subprocess.Popen[bytes]) -> tuple[int, Any]:
    """The status and the usage of a process. Popen keeps the latter to itself, so it is waited for here."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        found, status, usage = os.wait4(process.pid, os.WNOHANG)
        if found:
            process.returncode = os.waitstatus_to_exitcode(status)
            return status, usage
        time.sleep(0.002)
    raise Failed(f"{process.args!r} did not end in {LONGEST:g} s")


@contextmanager
def served(delay: float = 0.0) -> Iterator[str]:
    """The base URL of the reference server in a process of its own, gone when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "conformance", "serve", "--port", "0", "--delay", str(delay)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()  # nothing until it answers; the end of the file where it never will
        if not said.startswith("serving at "):
            raise Failed(f"the reference server did not start: {said} {process.stdout.read()[-400:]}")
        yield said.split()[2]
    finally:
        process.terminate()
        try:
            process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
