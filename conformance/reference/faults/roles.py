"""Planted faults: messages that are refused, lost, or taken for something else."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from conformance.reference import rows
from conformance.reference.answer import Answer, Request, Respond, compact
from conformance.reference.fault import fault
from conformance.reference.rows import Part, ask, messages, parts, reply, saying, with_message, with_part, with_role

refuse = partial(rows.refuse, param="messages", traced=False)
"""These refusals all name the messages, and have no id."""
KNOWN = ("system", "developer", "user", "assistant", "tool", "function")
EMPTY = with_role("user", content="")


def calls(message: Part) -> bool:
    """Whether a message of the history has tool calls."""
    return bool(message.get("tool_calls"))


REFUSED = (
    refuse("assistant-content-null-tool-turn-rejected",
        when=with_message(lambda message: calls(message) and message.get("content") is None),
        message="Invalid type for 'content': expected a string, but got null instead.",
        says="An assistant message with tool calls and no content is refused."),
    refuse("assistant-content-empty-tool-turn-rejected",
        when=with_message(lambda message: calls(message) and message.get("content") == ""),
        message="messages: text content blocks must be non-empty",
        says="An assistant message with tool calls and an empty content is refused."),
    refuse("consecutive-user-messages-rejected",
        when=lambda request: ("user", "user") in pairwise(message.get("role") for message in messages(request)),
        message="Conversation roles must alternate user/assistant/user/assistant/...",
        says="Two user messages in a row are refused."),
    refuse("content-parts-rejected", when=with_message(lambda message: isinstance(message.get("content"), list)),
        message="Invalid type for 'content': expected a string, but got an array instead.",
        says="A content of parts is refused."),
    refuse("request-tool_calls-null-rejected",
        when=with_message(lambda message: any(value is None and name != "content" for name, value in message.items())),
        message="None is not of type 'array' - 'messages.1.tool_calls'",
        says="A message in which something other than the content is null is refused."),
    refuse("assistant-turn-rejected",
        when=with_message(lambda message: message.get("role") == "assistant" and not calls(message)),
        message="Only user and system messages are allowed.",
        says="A history with an answer of the assistant is refused."),
    refuse("message-name-rejected",
        when=with_message(lambda message: "name" in message and message.get("role") == "user"),
        message="Additional properties are not allowed ('name' was unexpected)",
        says="A user message with a name is refused."),
    refuse("developer-role-refused", when=with_role("developer"), message="Unexpected role 'developer'. Use 'system'.",
        says="A developer message is refused in so many words.", legal=True),
    refuse("empty-content-400", when=EMPTY, message="messages: content must be non-empty",
        says="An empty user message is refused.", legal=True),
    refuse("assistant-last-refused",
        when=lambda request: [message.get("role") for message in messages(request)][-1:] == ["assistant"],
        message="The last message must be from the user.",
        says="A conversation that ends with an assistant message is refused.", legal=True),
)  # fmt: skip


BROKEN = (
    reply("system-role-500-no-body", lambda: Answer(500), when=with_role("system"),
        says="A system message is a server error without a body."),
    refuse("long-history-500", when=lambda request: len(messages(request)) > 4, message="Internal server error",
        status=500, says="A conversation of more than four messages is a server error."),
    refuse("developer-role-500", when=with_role("developer") & ~with_message(parts), message="KeyError", status=500,
        says="A developer message is a server error, where no message has parts."),
    refuse("refusal-part-500", when=with_part("refusal"), message="KeyError: 'text'", status=500,
        says="A refusal in the history is a server error."),
    refuse("empty-content-500", when=EMPTY, message="list index out of range", status=500,
        says="An empty user message is a server error."),
)  # fmt: skip


ignores_instructions = ask(
    "system-dropped",
    saying(lambda message: None if message.get("role") == "system" else message),
    after=200,
    says="System messages do not reach the model.",
)


@fault("history-dropped", instead=True)
def lives_in_the_moment(request: Request, respond: Respond) -> Answer:
    """Of a conversation, only instructions and the last message reach the model."""
    spoken = messages(request)
    if respond(request).status != 200 or not spoken or spoken[-1].get("role") != "user":
        return respond(request)
    kept = [message for message in spoken[:-1] if message.get("role") in ("system", "developer")]
    return respond(request.asking(messages=[*kept, spoken[-1]]) if len(spoken) > 1 else request)


def _as_text(message: Part) -> Part:
    content = message.get("content")
    right = content is None or isinstance(content, str) or (isinstance(content, list) and bool(parts(message)))
    return message if right else message | {"content": str(content)}


def _known_parts(message: Part) -> Part:
    known = ("text", "image_url", "input_audio", "file", "refusal")
    kept = [part for part in parts(message) if part.get("type") in known]
    return message | {"content": kept} if parts(message) else message


def _as_user(message: Part) -> Part:
    return message if message.get("role", "user") in KNOWN else message | {"role": "user"}


MENDED = (
    ask("message-role-optional", saying(lambda message: {"role": "user", **message}), after=400,
        says="A message without a role is taken for the user's."),
    ask("message-content-optional", saying(lambda message: {"content": "", **message}), after=400,
        says="A message without a content is taken for an empty one."),
    ask("content-coerced", saying(_as_text), after=400, says="A content of any type is made text."),
    ask("unknown-part-dropped", saying(_known_parts), after=400, says="A part of an unknown type is left out."),
    ask("unknown-role-behaviour", saying(_as_user), says="A message of an unknown role is taken for the user's."),
)  # fmt: skip


def _last_part(message: Part) -> Part:
    return message | {"content": message["content"][-1:]} if len(parts(message)) > 1 else message


def _printed(message: Part) -> Part:
    return message | {"content": compact(message["content"])} if parts(message) else message


def _on_lines(message: Part) -> Part:
    texts = [part.get("text") for part in parts(message) if part.get("type") == "text"]
    joined = len(texts) == len(parts(message)) > 1 and all(isinstance(text, str) for text in texts)
    return message | {"content": "\n".join(map(str, texts))} if joined else message


PARTS = (
    ask("content-parts-only-last-kept", saying(_last_part), after=200,
        says="Of several text parts, only the last reaches the model."),
    ask("content-parts-as-json", saying(_printed), after=200,
        says="A content of parts reaches the model as JSON text."),
    ask("text-parts-on-lines", saying(_on_lines), after=200,
        says="Text parts are joined by newlines before they reach the model.", legal=True),
)  # fmt: skip
