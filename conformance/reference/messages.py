"""What is checked about `messages`: roles, contents, and that calls and their results belong together."""

from __future__ import annotations

from typing import Any

from conformance.reference.contents import content
from conformance.reference.wrong import Wrong, array, mapping, mistyped, need, one_of, string

ROLES = ("system", "assistant", "user", "function", "tool", "developer")


def messages(value: Any) -> list[dict[str, Any]]:
    """The conversation, each message as it may be, and the whole in an order that makes sense."""
    given = array(value, "messages", fewest=1)
    for index, message in enumerate(given):
        path = f"messages[{index}]"
        role = one_of(need(mapping(message, path), "role", path), f"{path}.role", ROLES)
        if message.get("name") is not None:
            string(message["name"], f"{path}.name")
        match role:
            case "system" | "developer":
                content(need(message, "content", path), f"{path}.content", ("text",))
            case "user":
                content(need(message, "content", path), f"{path}.content", ("text", "image_url", "input_audio", "file"))
            case "assistant":
                _assistant(message, path)
            case "tool":
                content(need(message, "content", path), f"{path}.content", ("text",))
                string(need(message, "tool_call_id", path), f"{path}.tool_call_id")
            case "function":
                string(need(message, "name", path), f"{path}.name")
                if need(message, "content", path) is not None:
                    string(message["content"], f"{path}.content")
    _linked(given)
    return given


def _assistant(message: dict[str, Any], path: str) -> None:
    calls, call = message.get("tool_calls"), message.get("function_call")
    if calls is not None:
        for index, one in enumerate(array(calls, f"{path}.tool_calls", fewest=1)):
            _call(one, f"{path}.tool_calls[{index}]")
    if call is not None:
        _named(mapping(call, f"{path}.function_call"), f"{path}.function_call", "arguments")
    for member in ("refusal", "audio"):
        if message.get(member) is not None:
            (string if member == "refusal" else mapping)(message[member], f"{path}.{member}")
    said = message.get("content")
    if said is not None:
        content(said, f"{path}.content", ("text", "refusal"))
    elif all(message.get(other) is None for other in ("tool_calls", "function_call", "refusal", "audio")):
        need(message, "content", path)
        raise mistyped(f"{path}.content", "a string", None)


def _call(call: Any, path: str) -> None:
    """One call in the history. Its arguments may be any string: a model wrote them."""
    mapping(call, path)
    string(need(call, "id", path), f"{path}.id")
    kind = one_of(need(call, "type", path), f"{path}.type", ("function", "custom"))
    _named(
        mapping(need(call, kind, path), f"{path}.{kind}"),
        f"{path}.{kind}",
        "arguments" if kind == "function" else "input",
    )


def _named(call: dict[str, Any], path: str, member: str) -> None:
    string(need(call, "name", path), f"{path}.name")
    string(need(call, member, path), f"{path}.{member}")


def _linked(given: list[dict[str, Any]]) -> None:
    """Every result answers a call of the assistant message before it, and every call gets its result."""
    open_ids: list[str] = []
    known: set[str] = set()
    asked = 0
    for index, message in enumerate(given):
        if message["role"] == "tool":
            path = f"messages[{index}]"
            if not known:
                raise Wrong(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with "
                    "'tool_calls'.",
                    param=f"{path}.role",
                    code="invalid_value",
                )
            identity = message["tool_call_id"]
            if identity not in known:
                raise Wrong(
                    f"Invalid parameter: 'tool_call_id' of '{identity[:60]}' not found in 'tool_calls' of the previous "
                    "message.",
                    param=f"{path}.tool_call_id",
                    code="invalid_value",
                )
            open_ids = [one for one in open_ids if one != identity]
            continue
        _answered(open_ids, asked)
        calls = message.get("tool_calls") or [] if message["role"] == "assistant" else []
        open_ids, known, asked = [call["id"] for call in calls], {call["id"] for call in calls}, index
    _answered(open_ids, asked)


def _answered(open_ids: list[str], index: int) -> None:
    if open_ids:
        raise Wrong(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(open_ids)[:200]}",
            param=f"messages[{index}].tool_calls",
            code="invalid_value",
        )
