"""Keeps secrets out of whatever is written down.

`Guard.clean` masks them in an exchange before anybody reads it, byte for byte, so that offsets stay true. `Guard.check` refuses
a line of text that still holds one: the last lock before the disk.
"""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from conformance.core.exchange import Chunk, Ending, Exchange, How
from conformance.core.finding import Outcome
from conformance.core.secret import SHAPES

FOREIGN = tuple((tuple(part.encode() for part in one.parts), re.compile(one.pattern.encode())) for one in SHAPES)
"""What keys look like, in bytes. Every byte of a run passes here twice."""

SHORTEST = 6
"""Secrets shorter than this are not searched for: `key` or `none` would mask half of every answer."""


class Leak(RuntimeError):
    """Something was about to be written that holds a secret. The message never repeats it."""


def forms(secret: str) -> set[bytes]:
    """A secret as it may turn up: as it is, in JSON, in a URL, in base64."""
    plain = secret.encode()
    escaped = json.dumps(secret)[1:-1].encode()
    encoded = {base64.b64encode(plain).rstrip(b"="), base64.urlsafe_b64encode(plain).rstrip(b"=")}
    return {plain, escaped, quote(secret, safe="").encode(), *encoded}


SLICE, OVERLAP = 1 << 18, 1 << 15
"""Bytes looked at together for escapes, and how far beyond: the longest key, every character of it escaped."""
ESCAPE = re.compile(rb"\\+(?:u00([2-7][0-9A-Fa-f])|(/))")
"""How JSON may spell a character that keys are made of; with more backslashes, JSON within JSON."""


class Unescaped:
    """Data with such escapes undone, and where each place of it lies in the data as it was."""

    def __init__(self, data: bytes) -> None:
        self._at: list[int] = []
        self._shrunk = [0]
        parts: list[bytes] = []
        last = 0
        for match in ESCAPE.finditer(data):
            parts += [data[last : match.start()], bytes([int(match[1], 16)]) if match[1] else b"/"]
            last = match.end()
            self._at.append(match.start() - self._shrunk[-1])
            self._shrunk.append(self._shrunk[-1] + len(match[0]) - 1)
        self.text = b"".join([*parts, data[last:]])

    def place(self, offset: int) -> int:
        """An offset in the text as an offset in the data."""
        return offset + self._shrunk[bisect_left(self._at, offset)]


@dataclass(frozen=True)
class Guard:
    """Knows the secrets of a run, and what foreign ones look like."""

    secrets: tuple[str, ...] = ()
    _known: tuple[bytes, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_known", ())
        self.learn(*self.secrets)

    def learn(self, *secrets: str) -> None:
        """Know further secrets from now on: those that are made while a run goes on, such as tokens."""
        words = {form for secret in secrets if len(secret) >= SHORTEST for form in forms(secret)}
        object.__setattr__(self, "_known", tuple(sorted(words.union(self._known))))

    def __repr__(self) -> str:
        return f"Guard({len(self.secrets)} secrets)"

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Where in the data secrets lie, also those that are spelled with escapes of JSON."""
        found = self._plain_spans(data)
        if b"\\u00" in data or b"\\/" in data:
            for first in range(0, len(data), SLICE):  # escapes are counted one by one: not those of megabytes at once
                view = Unescaped(data[first : first + SLICE + OVERLAP])
                spans = self._plain_spans(view.text)
                found += [(first + view.place(start), first + view.place(end)) for start, end in spans]
        return found

    def _plain_spans(self, data: bytes) -> list[tuple[int, int]]:
        found = [
            match.span()
            for parts, shape in FOREIGN
            if any(part in data for part in parts)
            for match in shape.finditer(data)
        ]
        found += [match.span() for word in self._known if word in data for match in re.finditer(re.escape(word), data)]
        return found

    def mask(self, data: bytes) -> bytes:
        """The data with asterisks in the place of secrets; as long as before."""
        masked = bytearray(data)
        for start, end in self.spans(data):
            masked[start:end] = b"*" * (end - start)
        return bytes(masked)

    def mask_text(self, text: str) -> str:
        """The same for text."""
        data = text.encode(errors="surrogatepass")
        return text if not self.spans(data) else self.mask(data).decode(errors="surrogatepass")

    def clean(self, x: Exchange) -> Exchange:
        """The exchange without secrets, as a server may echo them in its headers or its body."""
        if self.spans("\n".join(text for header in x.headers for text in header).encode(errors="surrogatepass")):
            x = replace(x, headers=tuple((self.mask_text(name), self.mask_text(value)) for name, value in x.headers))
        if x.ending.detail and self.spans(x.ending.detail.encode(errors="surrogatepass")):
            x = replace(x, ending=replace(x.ending, detail=self.mask_text(x.ending.detail)))
        if x.body != x.raw and self.spans(x.body):
            # Masking inside compressed bytes is not possible: keep the decoded body, and say so in the headers.
            kept = tuple((name, value) for name, value in x.headers if name != "content-encoding")
            at = x.chunks[-1].at if x.chunks else 0.0
            return replace(x, headers=(*kept, ("x-conformance-decoded", "yes")), chunks=(Chunk(at, self.mask(x.body)),))
        if not self.spans(x.raw):
            return x
        masked, chunks, seen = self.mask(x.raw), [], 0
        for chunk in x.chunks:
            chunks.append(Chunk(chunk.at, masked[seen : seen + len(chunk.data)]))
            seen += len(chunk.data)
        return replace(x, chunks=tuple(chunks))

    @staticmethod
    def withheld(x: Exchange) -> Exchange:
        """The exchange without anything that the server sent: where a secret is hidden in a way that cannot be masked."""
        why = "the answer was withheld: it holds a secret in a form that cannot be masked"
        return replace(x, headers=(), chunks=(), ending=Ending(How.CUT, "guard", why))

    def clean_outcome(self, outcome: Outcome) -> Outcome:
        """The outcome without secrets: what is `\\u0073k-...` in a body is found as `sk-...` by whoever reads it."""
        findings = tuple(
            replace(
                one,
                at=self._clean(one.at) if isinstance(one.at, str) else one.at,
                expected=self._clean(one.expected),
                found=self._clean(one.found),
            )
            for one in outcome.findings
        )
        observed = self._clean(outcome.observed)
        return replace(outcome, findings=findings, reason=self.mask_text(outcome.reason), observed=observed)

    def _clean(self, value: Any) -> Any:
        """A JSON value without secrets."""
        if isinstance(value, str):
            return self.mask_text(value)
        if isinstance(value, list):
            return [self._clean(one) for one in value]
        if isinstance(value, dict):
            return {self.mask_text(key): self._clean(one) for key, one in value.items()}
        return value

    def check(self, text: str, what: str) -> str:
        """The text, unless it holds a secret. Raises Leak, naming what was to be written."""
        if self.spans(text.encode(errors="surrogatepass")):
            raise Leak(f"{what} was not written: it holds a secret (this is a bug of the suite; nothing has leaked)")
        return text


def guard_of(secrets: Iterable[str]) -> Guard:
    """A guard for these secrets."""
    return Guard(tuple(dict.fromkeys(secrets)))
