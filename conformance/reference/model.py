"""The model: what it says to a task, and which tools it calls. No tokens, no limits, no wire yet."""

from __future__ import annotations

import json
from dataclasses import dataclass

from conformance.reference.answer import compact
from conformance.reference.conversation import Conversation, conversation
from conformance.reference.instances import Unsatisfiable
from conformance.reference.patterns import matching
from conformance.reference.policy import DECLINED, policy
from conformance.reference.schemas import made, valid
from conformance.reference.script import Turn, scripted, turns
from conformance.reference.talk import fixed, reply, sea
from conformance.reference.task import Task, Tool
from conformance.reference.wrong import Wrong

_SEA = "Tell me about the sea"
"""The scripted prompt that leaves something to chance, for those who ask for chance."""
_SHAPES = 7
"""How many instances of one schema a model writes, at most."""


@dataclass(frozen=True)
class Call:
    """A call as the model makes it. `arguments` is JSON text, or a custom tool's input."""

    tool: Tool
    arguments: str


@dataclass(frozen=True)
class Saying:
    """What the model says in one choice. No text is not the same as an empty one."""

    text: str | None
    calls: tuple[Call, ...] = ()
    free: bool = True
    """Whether the words are the model's own, so that penalties and biases move them; a grammar's are not."""
    refusal: str | None = None
    """What it says instead, where it declines to answer."""
    filtered: bool = False
    """Whether a filter stops it half-way."""


def sayings(task: Task) -> list[Saying]:
    """One saying for each choice asked for."""
    talk = conversation(task.messages)
    turn = scripted(talk, frozenset(tool.name for tool in task.tools))
    first = 0 if task.greedy else int(task.get("seed", 0))
    step = 0 if task.greedy else 1
    return [_saying(task, talk, turn, first + index * step) for index in range(task.n)]


def _saying(task: Task, talk: Conversation, turn: Turn | None, variation: int) -> Saying:
    rule = policy(talk.say)
    if rule == "declines":
        return Saying(None, refusal=DECLINED)
    calls = _calls(task, talk, turn, variation)
    if calls:
        aloud = turn.reply if turn is not None and task.call == "auto" else None
        return Saying(aloud, calls)
    if task.form == "json_schema":
        return Saying(made(task.schema, variation % _SHAPES), free=False)
    text = _text(task, talk, turn, variation)
    if task.form == "json_object":
        return Saying(text if _is_object(text) else compact({"answer": text}), free=False)
    return Saying(text, filtered=rule == "filters")


def _text(task: Task, talk: Conversation, turn: Turn | None, variation: int) -> str:
    if talk.results_last:
        return _closing(talk) or f"The tools returned: {', '.join(one.content for one in talk.returned)}."
    if turn is not None and not turn.calls and turn.reply is not None:
        if turn.system or turn.before:
            return turn.reply
        chance = task.get("temperature", 0) >= 1 and (task.n > 1 or "seed" in task.raw)
        if turn.say == _SEA and chance and not task.greedy:
            return sea(variation)
        exact = fixed(talk.say, talk.system, talk.before)
        return turn.reply if exact is None else exact
    return reply(talk.say, talk.system, talk.before, variation)


def _closing(talk: Conversation) -> str:
    """What the script says after exactly these results; "" where they are other ones."""
    contents = tuple(one.content for one in talk.returned)
    names = [one.name for one in talk.returned]
    for turn in turns().get(talk.say.strip(), ()):
        if turn.calls and turn.results == contents and [name for name, _ in turn.calls] == names:
            return turn.then
    return ""


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _calls(task: Task, talk: Conversation, turn: Turn | None, variation: int) -> tuple[Call, ...]:
    """The calls that the model makes now. Under `auto` it makes the scripted ones that it has not made yet."""
    if task.call == "none":
        return ()
    script = turn.calls if turn is not None else ()
    tools = {tool.name: tool for tool in task.tools}
    names = [one.name for one in talk.returned]
    left = script[len(names) :] if names == [name for name, _ in script[: len(names)]] else ()
    if task.call == "auto":
        wanted = [(tools[name], arguments) for name, arguments in left]
    elif task.call == "named":
        (tool,) = task.tools
        wanted = [(tool, arguments) for name, arguments in script if name == tool.name][:1] or [(tool, "")]
    else:
        wanted = [(tools[name], arguments) for name, arguments in left or script] or [(task.tools[0], "")]
    if task.get("parallel_tool_calls") is False or task.legacy:
        wanted = wanted[:1]
    return tuple(Call(tool, _arguments(tool, arguments, talk, variation)) for tool, arguments in wanted)


def _arguments(tool: Tool, script: str, talk: Conversation, variation: int) -> str:
    """The scripted arguments where they fit the tool as it is declared here, else others that do."""
    if tool.kind == "custom":
        return matching(tool.pattern) if tool.pattern is not None else talk.say
    if script and valid(compact(tool.schema), script):
        return script
    try:
        return made(tool.schema, variation % _SHAPES)
    except Unsatisfiable as none:
        raise Wrong(
            f"Invalid schema for function '{tool.name}': {none}.", param="tools", code="invalid_function_parameters"
        ) from None
