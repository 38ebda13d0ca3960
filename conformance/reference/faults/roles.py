"""Planted faults: messages that are refused, lost, or taken for something else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.wrong import Wrong

Message = dict[str, Any]


def refuse(message: str, status: int = 400, param: str | None = "messages") -> Answer:
    """An error as this server writes it."""
    return Wrong(message, param=param, status=status, headers={"content-type": "application/json"}).answer()


def history(request: Request) -> list[Message]:
    """The messages of a chat request that are objects."""
    messages = request.wish.get("messages")
    return [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []


def saying(request: Request, change: Callable[[Message], Message | None]) -> Request:
    """The same request with each message changed; one that becomes None is left out. The same where none changes."""
    before = history(request)
    after = [found for one in before if (found := change(dict(one))) is not None]
    return request if after == before or not after else request.asking(messages=after)


def parts(message: Message) -> list[Message]:
    """The parts of a message's content; none where it is a string."""
    content = message.get("content")
    return [one for one in content if isinstance(one, dict)] if isinstance(content, list) else []


def calls(message: Message) -> bool:
    """Whether a message of the history has tool calls."""
    return bool(message.get("tool_calls"))


@fault("assistant-content-null-tool-turn-rejected", instead=True)
def wants_content_with_calls(request: Request, respond: Respond) -> Answer:
    """An assistant message with tool calls and no content is refused."""
    if any(calls(one) and one.get("content") is None for one in history(request)):
        return refuse("Invalid type for 'content': expected a string, but got null instead.")
    return respond(request)


@fault("assistant-content-empty-tool-turn-rejected", instead=True)
def wants_text_with_calls(request: Request, respond: Respond) -> Answer:
    """An assistant message with tool calls and an empty content is refused."""
    if any(calls(one) and one.get("content") == "" for one in history(request)):
        return refuse("messages: text content blocks must be non-empty")
    return respond(request)


@fault("consecutive-user-messages-rejected", instead=True)
def insists_on_turns(request: Request, respond: Respond) -> Answer:
    """Two user messages in a row are refused."""
    roles = [one.get("role") for one in history(request)]
    if any(one == other == "user" for one, other in pairwise(roles)):
        return refuse("Conversation roles must alternate user/assistant/user/assistant/...")
    return respond(request)


@fault("content-parts-only-last-kept", instead=True)
def keeps_the_last_part(request: Request, respond: Respond) -> Answer:
    """Of several text parts, only the last reaches the model."""

    def change(message: Message) -> Message:
        return message | {"content": message["content"][-1:]} if len(parts(message)) > 1 else message

    answer = respond(request)
    return respond(saying(request, change)) if answer.status == 200 else answer


@fault("content-parts-rejected", instead=True)
def wants_strings(request: Request, respond: Respond) -> Answer:
    """A content of parts is refused."""
    if any(isinstance(one.get("content"), list) for one in history(request)):
        return refuse("Invalid type for 'content': expected a string, but got an array instead.")
    return respond(request)


@fault("content-parts-as-json", instead=True)
def prints_parts(request: Request, respond: Respond) -> Answer:
    """A content of parts reaches the model as JSON text."""

    def change(message: Message) -> Message:
        return message | {"content": compact(message["content"])} if parts(message) else message

    answer = respond(request)
    return respond(saying(request, change)) if answer.status == 200 else answer


@fault("request-tool_calls-null-rejected", instead=True)
def has_no_nulls(request: Request, respond: Respond) -> Answer:
    """A message with a member that is null, other than the content, is refused."""
    if any(value is None and name != "content" for one in history(request) for name, value in one.items()):
        return refuse("None is not of type 'array' - 'messages.1.tool_calls'")
    return respond(request)


@fault("system-role-500-no-body", instead=True)
def has_no_place_for_instructions(request: Request, respond: Respond) -> Answer:
    """A system message is a server error without a body."""
    if any(one.get("role") == "system" for one in history(request)):
        return Answer(500)
    return respond(request)


@fault("unknown-role-behaviour", instead=True)
def knows_every_role(request: Request, respond: Respond) -> Answer:
    """A message of an unknown role is taken for the user's."""
    known = ("system", "developer", "user", "assistant", "tool", "function")

    def change(message: Message) -> Message:
        return message | {"role": "user"} if message.get("role", "user") not in known else message

    return respond(saying(request, change))


@fault("system-dropped", instead=True)
def ignores_instructions(request: Request, respond: Respond) -> Answer:
    """System messages do not reach the model."""
    answer = respond(request)
    return (
        respond(saying(request, lambda one: None if one.get("role") == "system" else one))
        if answer.status == 200
        else answer
    )


@fault("history-dropped", instead=True)
def lives_in_the_moment(request: Request, respond: Respond) -> Answer:
    """Of a conversation, only instructions and the last message reach the model."""
    messages = history(request)
    if respond(request).status != 200 or not messages or messages[-1].get("role") != "user":
        return respond(request)
    kept = [one for one in messages[:-1] if one.get("role") in ("system", "developer")]
    return respond(request.asking(messages=[*kept, messages[-1]]) if len(messages) > 1 else request)


@fault("assistant-turn-rejected", instead=True)
def hears_only_users(request: Request, respond: Respond) -> Answer:
    """A history with an answer of the assistant's is refused."""
    if any(one.get("role") == "assistant" and not calls(one) for one in history(request)):
        return refuse("Only user and system messages are allowed.")
    return respond(request)


@fault("long-history-500", instead=True)
def forgets_how_to_count(request: Request, respond: Respond) -> Answer:
    """A conversation of more than four messages is a server error."""
    return refuse("Internal server error", 500) if len(history(request)) > 4 else respond(request)


@fault("developer-role-500", instead=True)
def does_not_know_developers(request: Request, respond: Respond) -> Answer:
    """A developer message is a server error, where there are no parts."""
    if not any(map(parts, history(request))) and any(one.get("role") == "developer" for one in history(request)):
        return refuse("KeyError", 500)
    return respond(request)


@fault("message-name-rejected", instead=True)
def wants_no_names(request: Request, respond: Respond) -> Answer:
    """A message with a name is refused."""
    if any("name" in one and one.get("role") == "user" for one in history(request)):
        return refuse("Additional properties are not allowed ('name' was unexpected)")
    return respond(request)


@fault("refusal-part-500", instead=True)
def cannot_take_a_no(request: Request, respond: Respond) -> Answer:
    """A refusal in the history is a server error."""
    if any(part.get("type") == "refusal" for one in history(request) for part in parts(one)):
        return refuse("KeyError: 'text'", 500)
    return respond(request)


@fault("empty-content-500", instead=True)
def falls_over_silence(request: Request, respond: Respond) -> Answer:
    """An empty user message is a server error."""
    if any(one.get("role") == "user" and one.get("content") == "" for one in history(request)):
        return refuse("list index out of range", 500)
    return respond(request)


def forgiving(id_: str, title: str, change: Callable[[Message], Message]) -> Any:
    """A fault that mends broken messages and answers as if they had been right."""

    def mends(request: Request, respond: Respond) -> Answer:
        answer = respond(request)
        return respond(saying(request, change)) if answer.status == 400 else answer

    mends.__doc__ = title
    return fault(id_, instead=True)(mends)


assumes_users = forgiving(
    "message-role-optional", "A message without a role is taken for the user's.", lambda one: {"role": "user", **one}
)
assumes_silence = forgiving(
    "message-content-optional",
    "A message without a content is taken for an empty one.",
    lambda one: {"content": "", **one},
)


def _text(message: Message) -> Message:
    content = message.get("content")
    right = content is None or isinstance(content, str) or (isinstance(content, list) and bool(parts(message)))
    return message if right else message | {"content": str(content)}


prints_anything = forgiving("content-coerced", "A content of any type is made text.", _text)


def _without_strangers(message: Message) -> Message:
    known = ("text", "image_url", "input_audio", "file", "refusal")
    return (
        message | {"content": [one for one in parts(message) if one.get("type") in known]}
        if parts(message)
        else message
    )


leaves_parts_out = forgiving("unknown-part-dropped", "A part of an unknown type is left out.", _without_strangers)


@fault("developer-role-refused", legal=True, instead=True)
def says_that_it_knows_no_developers(request: Request, respond: Respond) -> Answer:
    """A developer message is refused in so many words."""
    if any(one.get("role") == "developer" for one in history(request)):
        return refuse("Unexpected role 'developer'. Use 'system'.")
    return respond(request)


@fault("empty-content-400", legal=True, instead=True)
def wants_something_said(request: Request, respond: Respond) -> Answer:
    """An empty user message is refused."""
    if any(one.get("role") == "user" and one.get("content") == "" for one in history(request)):
        return refuse("messages: content must be non-empty")
    return respond(request)


@fault("assistant-last-refused", legal=True, instead=True)
def wants_the_last_word_to_be_the_users(request: Request, respond: Respond) -> Answer:
    """A conversation that ends with an assistant message is refused."""
    messages = history(request)
    if messages and messages[-1].get("role") == "assistant":
        return refuse("The last message must be from the user.")
    return respond(request)


@fault("text-parts-on-lines", legal=True, instead=True)
def joins_parts_with_newlines(request: Request, respond: Respond) -> Answer:
    """Text parts are joined by newlines before they reach the model."""

    def change(message: Message) -> Message:
        texts = [one.get("text") for one in parts(message) if one.get("type") == "text"]
        whole = len(texts) == len(parts(message)) > 1 and all(isinstance(text, str) for text in texts)
        return message | {"content": "\n".join(map(str, texts))} if whole else message

    answer = respond(request)
    return respond(saying(request, change)) if answer.status == 200 else answer
