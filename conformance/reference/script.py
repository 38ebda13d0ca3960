"""The script: what the model answers to the suite's own prompts, from the file that the fixture model is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from conformance.core.fixtures import fixture
from conformance.reference.answer import compact
from conformance.reference.conversation import Conversation

Calls = tuple[tuple[str, str], ...]
"""(name, JSON text of the arguments) of each call."""


@dataclass(frozen=True)
class Turn:
    """One turn of the script."""

    say: str
    system: str = ""
    before: tuple[tuple[str, str], ...] = ()
    tools: frozenset[str] = frozenset()
    reply: str | None = None
    calls: Calls = ()
    results: tuple[str, ...] = ()
    then: str = ""


@cache
def turns() -> dict[str, tuple[Turn, ...]]:
    """The turns, by what the user says."""
    found: dict[str, tuple[Turn, ...]] = {}
    for turn in fixture("model/turns.yaml"):
        one = _turn(turn)
        found[one.say] = (*found.get(one.say, ()), one)
    return found


def _turn(turn: dict[str, Any]) -> Turn:
    calls = [(name, compact(arguments)) for call in turn.get("calls", ()) for name, arguments in call.items()]
    return Turn(
        say=turn["say"],
        system=turn.get("system", ""),
        before=tuple((role, text) for role, text in turn.get("before", ())),
        tools=frozenset(turn.get("tools", ())),
        reply=turn.get("broken", turn.get("reply")),
        calls=tuple(calls),
        results=tuple(turn.get("results", ())),
        then=turn.get("then", ""),
    )


def scripted(talk: Conversation, offered: frozenset[str]) -> Turn | None:
    """The turn that fits best: one with calls that can be made, then one with these tools, this system, this past."""
    fitting = [
        turn
        for turn in turns().get(talk.say.strip(), ())
        if turn.system in ("", talk.system.strip())
        and turn.before == talk.before[len(talk.before) - len(turn.before) :]
        and {name for name, _ in turn.calls} <= offered
        and (turn.tools <= offered)
    ]
    return max(
        fitting,
        key=lambda turn: (turn.system, len(turn.before), bool(turn.calls), turn.tools == offered, len(turn.tools)),
        default=None,
    )
