"""Starts a server for the length of a block, waits until it is healthy, and makes sure that it ends.

It does not install engines (`servers.py` does) and sends no probes. What it starts runs under `warden.py`,
so that no end of this process, SIGKILL included, leaves gigabytes of engine behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Progress = Callable[[float, str], None]
"""Told, about once a second, the seconds gone and the last line of the log."""

WARDEN = Path(__file__).with_name("warden.py")
PATIENCE = 10.0
"""Seconds to wait for the warden to end the group: its own grace of five, and some for a busy machine."""
TOLD_EVERY = 1.0
"""Seconds between two reports of progress."""
PAUSE = 0.1
"""Seconds between two looks at a server that is starting."""
LOOKED_AT = 64 * 1024
"""Bytes at the end of a log that are read to explain a failure. A server may have written gigabytes."""
LONGEST_LINE = 300


class LaunchFailed(Exception):
    """The server did not become healthy. One line: what was run, how it ended, what its log says and where it is."""


@dataclass(frozen=True)
class Running:
    """A healthy server: its log, its process and how long the start took, in seconds."""

    command: tuple[str, ...]
    log: Path
    seconds: float
    warden: subprocess.Popen[bytes]

    @property
    def ended(self) -> bool:
        """Whether the server has ended by itself since."""
        return self.warden.poll() is not None


def free_port() -> int:
    """A TCP port on the loopback interface that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def launched(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    health: str,
    log: Path,
    timeout: float,
    progress: Progress | None = None,
) -> Iterator[Running]:
    """A server for the length of a block: healthy when it begins; gone, with its children, when it ends.

    `env` is added to the environment of this process. `health` is the URL that answers 200 when the server
    is ready. The log is written anew. Raises LaunchFailed when the server ends early, or is not ready after
    `timeout` seconds.
    """
    began = time.monotonic()
    if _healthy(health):
        raise LaunchFailed(f"another server is healthy at {health} already; `{_shown(command)}` was not started")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    with _warden(command, env, log) as warden:
        _await_health(warden, command, health=health, log=log, began=began, timeout=timeout, progress=progress)
        yield Running(tuple(command), log, time.monotonic() - began, warden)


@contextlib.contextmanager
def _warden(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The warden with its command; at the end of the block its standard input is closed, which ends both."""
    warden = subprocess.Popen(  # noqa: S603  - the user's own command
        # -I and -S: it starts fast, and `http.py` beside the warden is not taken for the library's.
        [sys.executable, "-I", "-S", str(WARDEN), str(log), "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **env},
        start_new_session=True,  # else Ctrl-C in a terminal would reach the server before the block has ended
    )
    assert warden.stdin
    try:
        yield warden
    finally:
        warden.stdin.close()
        try:
            warden.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            warden.kill()
            warden.wait()


def _await_health(
    warden: subprocess.Popen[bytes],
    command: Sequence[str],
    *,
    health: str,
    log: Path,
    began: float,
    timeout: float,
    progress: Progress | None,
) -> None:
    told = began
    while not _healthy(health):
        now = time.monotonic()
        if (status := warden.poll()) is not None:
            raise LaunchFailed(_account(command, _ending(status, now - began), log))
        if now - began > timeout:
            raise LaunchFailed(_account(command, f"was not healthy after {timeout:g} s ({health})", log))
        if progress and now - told >= TOLD_EVERY:
            told = now
            progress(now - began, last_line(log))
        time.sleep(PAUSE)


# A server on this machine is never behind the proxy that the environment names.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _healthy(url: str) -> bool:
    try:
        with _opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, urllib.error.URLError):
        return False
    except Exception:  # http.client.HTTPException: something that is not HTTP, or not yet
        return False


# What went wrong, in one line


def _ending(status: int, seconds: float) -> str:
    how = f"was killed by signal {status - 128}" if status > 128 else f"ended with status {status}"
    return f"{how} after {seconds:.1f} s, before it was healthy"


def _account(command: Sequence[str], how: str, log: Path) -> str:
    said = telling_line(log)
    return f"`{_shown(command)}` {how}; {f'it said: {said}' if said else 'it said nothing'} (log: {log})"


def _shown(command: Sequence[str]) -> str:
    """A command to be shown, without the values of flags that are named like secrets."""
    flag = r"(--[\w-]*(?:key|token(?!s|iz)|secret|password)[\w-]*)[= ]('[^']*'|\S+)"
    return _short(re.sub(flag, r"\1 ***", " ".join(shlex.join(command).split())))


def last_line(log: Path) -> str:
    """The last line of a log that is not blank, without colours; "" where there is none."""
    lines = _tail(log)
    return lines[-1] if lines else ""


def telling_line(log: Path) -> str:
    """The line of a log that says most about a failure: the last error that does not point at another one.

    vLLM's parent process ends with "See root cause above"; the cause is an error of its engine process, earlier.
    Where it refuses a setting, the line after the error's says what is wrong ("Value error, ...", from pydantic).
    """
    lines = _tail(log)
    errors = [line for line in lines if re.search(r"\b\w*(Error|Exception)\b: *\S|\berror: \S|^Value error, ", line)]
    causes = [line for line in errors if "root cause above" not in line]
    return (causes or errors or lines or [""])[-1]


def _tail(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOOKED_AT))
            text = file.read(LOOKED_AT).decode(errors="replace")
    except OSError:
        return []
    bare = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    lines = (re.sub(r"[\x00-\x1f\x7f]+", " ", line).strip() for line in re.split(r"[\r\n]+", bare))
    return [_short(line) for line in lines if line]


def _short(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"
