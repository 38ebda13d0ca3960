"""A run on disk: `exchanges.jsonl` (raw bytes with their times) and `run.jsonl` (header, outcomes, footer).

Both are appended as things happen, one line a thing, so that a killed run keeps all that had arrived. Reading is lazy: only an
index of offsets stays in memory, and a bounded cache of what was read last. A damaged file says which line, and what is left.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from conformance.core.exchange import Chunk, Ending, Exchange, How, Wait
from conformance.core.guard import Guard
from conformance.core.mistake import Mistake
from conformance.core.probe import Probe
from conformance.evidence.journal import Journal, account, lines_of

VERSION = 1
"""Of both files' form. It is raised when a reader of the form before would misread a file: a new member or a new type of line,
which old readers pass over, does not raise it. Readers read every form there ever was, and refuse a newer one."""

EXCHANGES = "exchanges.jsonl"

CACHE = 8 * 1024 * 1024
"""Bytes of lines whose exchanges are kept in memory, where they take up to ten times as much with all that is read from
them. Whole runs fit: a thousand answers of the usual length are three megabytes."""


def exchange_to_json(x: Exchange) -> dict[str, Any]:
    """An exchange as a JSON value. A chunk is [seconds, text], or [seconds, base64, "b"] where it is not UTF-8."""
    chunks: list[list[Any]] = []
    for chunk in x.chunks:
        at = round(chunk.at, 6)
        try:
            chunks.append([at, chunk.data.decode()])
        except UnicodeDecodeError:
            chunks.append([at, base64.b64encode(chunk.data).decode(), "b"])
    value: dict[str, Any] = {
        "key": x.key,
        "target": x.target,
        "at": round(x.at, 6),
        "probe": x.probe.to_json(),
        "status": x.status,
        "http": x.http,
        "headers": [list(header) for header in x.headers],
        "answered": None if x.answered is None else round(x.answered, 6),
        "ended": round(x.ended, 6),
        "chunks": chunks,
        "ending": [x.ending.how.value, x.ending.phase, x.ending.detail],
    }
    if x.waits:
        value["waits"] = [[wait.status, wait.seconds] for wait in x.waits]
    if x.model:
        value["model"] = x.model
    if x.resent:
        value["resent"] = x.resent
    return value


def exchange_from_json(value: dict[str, Any]) -> Exchange:
    """The exchange that `exchange_to_json` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    chunks = tuple(
        Chunk(chunk[0], base64.b64decode(chunk[1]) if len(chunk) > 2 else chunk[1].encode())
        for chunk in value["chunks"]
    )
    how, phase, detail = value["ending"]
    return Exchange(
        probe=Probe.from_json(value["probe"]),
        target=value["target"],
        at=value["at"],
        status=value["status"],
        headers=tuple((name, text) for name, text in value["headers"]),
        chunks=chunks,
        ending=Ending(How(how), phase, detail),
        answered=value["answered"],
        ended=value["ended"],
        http=value["http"],
        waits=tuple(Wait(status, seconds) for status, seconds in value.get("waits", ())),
        model=value.get("model", ""),
        resent=value.get("resent", 0),
    )


Passed = Callable[[dict[str, Any]], bool]
"""Whether the exchange that a line holds is passed over, as if it were not there."""


class Recording:
    """The exchanges of one run. Safe to use from two threads: one appends, one reads.

    A `forgiving` one goes on without what is damaged: `damage` says what that is. Any other raises Mistake.
    """

    def __init__(
        self,
        directory: Path,
        guard: Guard | None = None,
        *,
        forgiving: bool = False,
        passed: Passed = lambda line: False,
    ) -> None:
        self.directory = directory
        self.path = directory / EXCHANGES
        self.guard = guard or Guard()
        self.lost: list[Mistake] | None = [] if forgiving else None
        self._offsets: dict[str, tuple[int, int]] = {}
        self._cache: OrderedDict[str, tuple[Exchange, int]] = OrderedDict()
        self._cached = 0
        self._held: WeakValueDictionary[str, Exchange] = WeakValueDictionary()
        """What somebody still has: he who asks again gets the same, with all that was read from it."""
        self._lock = threading.Lock()
        self._journal = Journal(self.path)
        self._in: int | None = None
        if self.path.exists():
            self._index(passed)

    def _index(self, passed: Passed) -> None:
        for number, start, value in lines_of(self.path, self.lost):
            if value.get("version", VERSION) > VERSION:
                raise Mistake(f"made by a newer version of the suite (form {value['version']})", where=f"{self.path}:1")
            if not isinstance(key := value.get("key"), str):
                mistake = Mistake(f"line {number} is damaged: no exchange", where=f"{self.path}:{number}")
                if self.lost is None:
                    raise mistake
                self.lost.append(mistake)
            else:
                if passed(value):
                    self._offsets.pop(key, None)
                else:
                    self._offsets[key] = (start, number)

    @property
    def damage(self) -> str:
        """What was lost so far and what was saved, in one line; "" where nothing was lost."""
        return account(self.lost or (), len(self), "exchanges are")

    def __contains__(self, key: str) -> bool:
        return key in self._offsets

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._offsets))

    def append(self, x: Exchange) -> None:
        """Write an exchange down. Raises Leak where it still holds a secret, and Unwritable where the disk does not take it."""
        line = self.guard.check(json.dumps(exchange_to_json(x), ensure_ascii=False), "an exchange")
        try:
            data = line.encode() + b"\n"
        except UnicodeEncodeError:
            data = json.dumps(exchange_to_json(x)).encode() + b"\n"
        with self._lock:
            self._offsets[x.key] = (self._journal.append(data), 0)
            self._remember(x, len(data))

    def _remember(self, x: Exchange, size: int) -> None:
        size += len(x.body) if x.packed else 0  # a few bytes of a file may be megabytes in memory
        old = self._cache.pop(x.key, None)
        self._cached += size - (old[1] if old else 0)
        self._cache[x.key] = (x, size)
        self._held[x.key] = x
        while self._cached > CACHE and len(self._cache) > 1:
            _, (_, gone) = self._cache.popitem(last=False)
            self._cached -= gone

    def __getitem__(self, key: str) -> Exchange:
        """The exchange of a probe. Raises KeyError where there is none, Mistake where its line is damaged."""
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key][0]
            if (held := self._held.get(key)) is not None:
                return held
            start, number = self._offsets[key]
            if self._in is None:
                self._in = os.open(self.path, os.O_RDONLY)
            data = bytearray()
            while not data.endswith(b"\n"):
                more = os.pread(self._in, 1 << 16, start + len(data))
                if not more:
                    break
                end = more.find(b"\n")
                data += more if end < 0 else more[: end + 1]
            try:
                x = exchange_from_json(json.loads(data))
            except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as problem:
                where = f"{self.path}:{number}" if number else str(self.path)
                mistake = Mistake(f"the exchange {key} cannot be read: {problem!r}", where=where)
                if self.lost is None:
                    raise mistake from None
                del self._offsets[key]
                self.lost.append(mistake)
                raise KeyError(key) from None
            self._remember(x, len(data))
            return x

    def get(self, key: str) -> Exchange | None:
        """The exchange of a probe; None where there is none, or where a forgiving recording cannot read it."""
        try:
            return self[key]
        except KeyError:
            return None

    def close(self) -> None:
        """Let go of the files; reading opens them again."""
        with self._lock:
            self._journal.close()
            if self._in is not None:
                os.close(self._in)
            self._in = None
