"""Runs one command for a parent that may die: when the parent is gone, so is the command and all that it started.

A program, not a module to import: `python -I -S warden.py LOG -- COMMAND...`. It ends the command's process
group when its own standard input reaches its end (the parent closed it, or died of anything, SIGKILL
included), on SIGTERM, or when the command itself ends; then it exits with the command's status, 128 + n for
signal n as a shell does. It knows nothing of servers, and imports nothing outside the standard library, so
that it starts in a few hundredths of a second.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE = 5.0
"""Seconds between asking a group to end and ending it. An engine needs one or two to free its memory."""
NOT_STARTED = 127
"""Exit status where the command could not be started: what a shell answers."""


def main(arguments: list[str]) -> int:
    """Run `LOG -- COMMAND...` to its end, or to the parent's."""
    if len(arguments) < 3 or arguments[1] != "--":
        sys.stderr.write("usage: warden.py LOG -- COMMAND...\n")
        return 2
    log, _, *command = arguments
    bell = _bell()
    _adopt()
    with Path(log).open("ab", buffering=0) as output:
        try:
            child = subprocess.Popen(  # noqa: S603  - the user's own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as problem:
            output.write(f"could not start {command[0]}: {problem.strerror}\n".encode())
            return NOT_STARTED
    _wait(child, bell)
    _end(child)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


_asked_to_stop = False


def _bell() -> int:
    """A file descriptor that can be read whenever a signal came: SIGTERM, or SIGCHLD when the command ended."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, _stop)
    # Ctrl-C and a closed terminal reach the parent too, and are its to decide on; the end of stdin then tells.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return reader


def _stop(*_: object) -> None:
    global _asked_to_stop
    _asked_to_stop = True


def _wait(child: subprocess.Popen[bytes], bell: int) -> None:
    """Return when the command has ended, the parent is gone, or SIGTERM came."""
    with selectors.DefaultSelector() as selector:
        selector.register(bell, selectors.EVENT_READ)
        # A file or a terminal as standard input cannot tell that the parent is gone; then only signals count.
        with contextlib.suppress(OSError, ValueError):
            selector.register(0, selectors.EVENT_READ)
        while _running(child) and not _asked_to_stop:
            for key, _ in selector.select():
                if not _read(key.fd) and key.fd == 0:
                    return


def _running(child: subprocess.Popen[bytes]) -> bool:
    _reap(child)
    return child.returncode is None


def _read(descriptor: int) -> bytes:
    """What there is to read, and nothing (as at the end) where there is none."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the whole group, and be sure of it. The command may have ended and left others behind."""
    _signal(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    _signal(child.pid, signal.SIGKILL)
    child.wait()
    deadline = time.monotonic() + GRACE
    # Those that had left the group. Killing one may bring its children here.
    while (strays := _orphans()) and time.monotonic() < deadline:
        for stray in strays:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)
        _reap(child)
        time.sleep(0.01)


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _alive(child: subprocess.Popen[bytes]) -> bool:
    """Whether anything of the group is left. The dead are reaped first: they would count."""
    _reap(child)
    try:
        os.killpg(child.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of zombies
        return False
    return True


# Orphans


def _adopt() -> None:
    """Let orphans below come to this process (Linux), to be reaped at once and ended at the end.

    Elsewhere the system's first process reaps them: late, or in a bare container never.
    """
    with contextlib.suppress(Exception):
        import ctypes

        pr_set_child_subreaper = 36
        ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def _reap(child: subprocess.Popen[bytes]) -> None:
    """Collect the dead. The command's own status is left for `child` to take."""
    child.poll()
    if sys.platform != "linux":
        return
    with contextlib.suppress(ChildProcessError):
        while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if dead.si_pid == child.pid:
                child.poll()
            else:
                os.waitpid(dead.si_pid, 0)


def _orphans() -> list[int]:
    """The processes that have come to this one. Empty where the system does not tell."""
    try:
        return [int(word) for word in Path("/proc/thread-self/children").read_text().split()]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
