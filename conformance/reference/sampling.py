"""From what the model would say to the tokens that it gets to say: biases, penalties, stop strings, the cap."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from conformance.reference.model import Saying
from conformance.reference.task import Task
from conformance.reference.tokens import VOCABULARY, decode, encode, groups, piece

_FORCED = 16
"""How often a token that is forced by a bias is repeated: a real model would go on until the cap."""
_ALONE = 100
"""The bias that leaves no other token."""


@dataclass(frozen=True)
class Made:
    """A call as it was generated: cut off where the cap was reached."""

    id: str
    name: str
    kind: Literal["function", "custom"]
    tokens: list[int]

    @property
    def arguments(self) -> str:
        """The text of the arguments, or of a custom tool's input."""
        return decode(self.tokens)


@dataclass(frozen=True)
class Said:
    """One choice as it was generated."""

    tokens: list[int] | None
    """The tokens of the content, whole characters only; None where there is no content."""
    calls: list[Made]
    finish: str
    spent: int
    """How many tokens were generated, calls included."""
    refusal: list[int] | None = None
    """The tokens of a refusal; None where nothing was refused."""

    @property
    def text(self) -> str | None:
        """The content."""
        return None if self.tokens is None else decode(self.tokens)


def said(saying: Saying, task: Task, room: int) -> Said:
    """What is generated of a saying when at most `room` tokens fit."""
    left = min(room, task.cap if task.cap is not None else room)
    if saying.refusal is not None:
        declined = encode(saying.refusal)
        cut = len(declined) >= left
        return Said(None, [], "length" if cut else "stop", min(len(declined), left), declined[:left])
    tokens: list[int] | None = None
    spent, finish = 0, "stop"
    if saying.text is not None:
        wanted = encode(saying.text)
        if saying.free and not saying.calls:
            wanted = _biased(_penalised(saying.text, wanted, task), task, left)
        tokens, finish = _stopped(wanted, task.stops, left)
        if saying.filtered and len(tokens) > len(wanted) // 2:
            tokens, finish = wanted[: len(wanted) // 2], "content_filter"
        spent = len(tokens)
        tokens = [one for _, run in groups(tokens) for one in run]
    calls: list[Made] = []
    for call in saying.calls:
        if finish == "length" or spent >= left:
            finish = "length"
            break
        spent += 1  # for the name and what holds the call together
        wanted = encode(call.arguments)
        kept = wanted[: left - spent]
        spent += len(kept)
        calls.append(Made(f"call_{secrets.token_hex(12)}", call.tool.name, call.tool.kind, kept))
        if spent >= left:
            finish = "length"
    if saying.calls and finish != "length":
        finish = "stop" if task.call == "named" else "function_call" if task.legacy else "tool_calls"
    return Said(tokens, calls, finish, spent)


def _stopped(wanted: list[int], stops: tuple[str, ...], left: int) -> tuple[list[int], str]:
    """The tokens before the first stop string, or up to the cap; whichever a model reaches first."""
    text = decode(wanted)
    found = min(((at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0), default=None)
    if found is not None:
        end, at = found  # the one that is complete first, as it would be noticed
        if _reaching(wanted, text[:end]) <= left:
            return _prefix(wanted, text[:at]), "stop"
    if len(wanted) >= left:
        return wanted[:left], "length"
    return wanted, "stop"


def _reaching(tokens: list[int], text: str) -> int:
    """How many tokens it takes to say the beginning of a text."""
    size = len(text.encode())
    for number, token in enumerate(tokens):
        if size <= 0:
            return number
        size -= len(piece(token))
    return len(tokens)


def _prefix(tokens: list[int], text: str) -> list[int]:
    """The tokens of the beginning of a text; the last one is split where the beginning ends within it."""
    kept: list[int] = []
    rest = text.encode()
    for token in tokens:
        raw = piece(token)
        if not rest.startswith(raw):
            break
        kept.append(token)
        rest = rest[len(raw) :]
    return kept + encode(rest.decode())


def _biased(wanted: list[int], task: Task, left: int) -> list[int]:
    """The tokens that are left when `logit_bias` forces one, or forbids some."""
    forced = [token for token, bias in task.biases.items() if bias >= _ALONE]
    if forced:
        return [forced[0]] * min(left, _FORCED)
    banned = {token for token, bias in task.biases.items() if bias <= -_ALONE}
    if not banned.intersection(wanted):
        return wanted
    other = next(token for token in (*range(ord("a"), ord("z")), *range(256, VOCABULARY)) if token not in banned)
    chosen: list[int] = []
    for _, run in groups(wanted):
        chosen += [other] if banned.intersection(run) else run
    return chosen


def _penalised(text: str, wanted: list[int], task: Task) -> list[int]:
    """The tokens up to where a penalty makes the model stop repeating a word."""
    most = min(
        (
            int(patience / penalty)
            for name, patience in (("frequency_penalty", 6.0), ("presence_penalty", 10.0))
            if (penalty := task.get(name, 0)) > 0
        ),
        default=None,
    )
    if most is None:
        return wanted
    seen: Counter[str] = Counter()
    words = text.split(" ")
    for index, word in enumerate(words):
        seen[word] += 1
        if seen[word] > most:
            return encode(" ".join(words[:index]))
    return wanted
