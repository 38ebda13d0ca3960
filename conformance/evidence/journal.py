"""Lines of JSON on disk, appended whole or not at all, and read back however the process or the disk ended.

It knows nothing of what the lines mean. A process that is killed loses at most the line that it was writing; a disk that is full
loses the line that did not fit, and none before it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from conformance.core.mistake import Mistake

TOLD = 3
"""Damaged lines that are named; of more, only how many there are."""
KEPT_AS = ".damaged"
"""What is added to the name of a file that was mended, as it was before."""


class Unwritable(Mistake):
    """A line could not be written: the disk is full, or it takes nothing at all. What had been written is still there."""


class Torn(Mistake):
    """The last line of a file has no end. That of a run that was killed while writing it is no surprise."""


def lines_of(path: Path, lost: list[Mistake] | None = None) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """(line number, byte offset, value) of each whole line; a torn last line is left out.

    Raises Mistake, naming the line, for one that is no JSON object; where `lost` is given it is put there instead, and so is a torn
    last line, and reading goes on. Raises Mistake for a file that cannot be read at all.
    """
    offset = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                start, offset = offset, offset + len(line)
                where = f"{path}:{number}"
                if not line.endswith(b"\n"):  # the process died while writing it
                    if lost is not None:
                        lost.append(Torn(f"line {number} is torn: {len(line)} bytes without an end", where=where))
                    return
                value = _object(line)
                if value is not None:
                    yield number, start, value
                    continue
                saved = f"; {number - 1} lines before it are readable" if lost is None else ""
                mistake = Mistake(f"line {number} is damaged: not a JSON object{saved}", where=where)
                if lost is None:
                    raise mistake
                lost.append(mistake)
    except OSError as problem:
        raise Mistake(f"cannot be read: {problem.strerror}", where=str(path)) from None


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def account(lost: Sequence[Mistake], saved: int, what: str) -> str:
    """What was lost of a file and what was saved, in one line; "" where nothing was lost."""
    if not lost:
        return ""
    named = "; ".join(str(one) if number == 0 else one.message for number, one in enumerate(lost[:TOLD]))
    more = f"; and {len(lost) - TOLD} more lines" if len(lost) > TOLD else ""
    return f"{named}{more}; {saved} {what} saved"


def heal(path: Path) -> None:
    """Cut off a torn last line, so that what is appended does not continue it."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) == b"\n":
            return
        size = file.seek(0, os.SEEK_END)
        whole = 0
        while size > 0:
            start = max(0, size - 65536)
            file.seek(start)
            found = file.read(size - start).rfind(b"\n")
            if found >= 0:
                whole = start + found + 1
                break
            size = start
        file.truncate(whole)


def mend(path: Path, sound: Callable[[dict[str, Any]], bool]) -> tuple[list[Mistake], Path | None]:
    """Take out of a file what cannot be read or is not `sound`, so that it can be appended to and read without forgiving.

    Gives what was lost, and where the file is kept as it was; a torn last line alone is cut off without keeping it.
    Raises Unwritable.
    """
    lost: list[Mistake] = []
    kept: list[bytes] = []
    if not path.exists():
        return [], None
    for number, _, value in lines_of(path, lost):
        if sound(value):
            kept.append(json.dumps(value, ensure_ascii=True).encode() + b"\n")
        else:
            lost.append(Mistake(f"line {number} is damaged: not what belongs here", where=f"{path}:{number}"))
    try:
        if all(isinstance(one, Torn) for one in lost):
            heal(path)
            return lost, None
        old = next(one for number in range(1, 1000) if not (one := _aside(path, number)).exists())
        fresh = path.with_name(f"{path.name}.mended")
        fresh.write_bytes(b"".join(kept))
        os.link(path, old)
        fresh.replace(path)
    except OSError as problem:
        raise _unwritable(path, problem) from None
    return lost, old


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}{KEPT_AS}{'' if number == 1 else f'-{number}'}")


def _unwritable(path: Path, problem: OSError) -> Unwritable:
    return Unwritable(
        f"cannot be written: {problem.strerror or problem}; what was written before is still there",
        where=str(path),
        fix="free some space or choose another place with --conformance-reports; `pytest --conformance-resume DIR`"
        " goes on where a run ended",
    )


class Journal:
    """A file that lines are appended to. Opened when the first one comes; safe in one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._out: int | None = None

    def _open(self) -> int:
        if self._out is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            heal(self.path)
            self._out = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        return self._out

    def claim(self) -> bool:
        """Whether the file is ours alone from now on, until it is closed or the process ends. Raises Unwritable."""
        try:
            out = self._open()
        except OSError as problem:
            raise _unwritable(self.path, problem) from None
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: nobody can know
            return True
        return True

    def append(self, line: bytes) -> int:
        """Write a line, which ends with a line break, and say at which offset. Raises Unwritable; nothing of it is there then."""
        try:
            out = self._open()
            start = os.lseek(out, 0, os.SEEK_END)
        except OSError as problem:
            raise _unwritable(self.path, problem) from None
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(out, rest) :]
        except BaseException as problem:
            with suppress(OSError):
                os.ftruncate(out, start)  # half a line would swallow the next one
            if isinstance(problem, OSError):
                raise _unwritable(self.path, problem) from None
            raise
        return start

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._out is not None:
            os.close(self._out)
        self._out = None
