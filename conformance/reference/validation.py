"""What is checked about a chat completion request: every parameter that OpenAI documents, and no other.

Null stands for an absent parameter. What this server does not do is refused by name, never ignored: output of audio,
web search, moderation. What is only a hint to a server (effort, verbosity, caching, users) is checked, and no more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

from conformance.reference.instances import Unsatisfiable
from conformance.reference.messages import messages
from conformance.reference.offers import offered
from conformance.reference.schemas import checked, made
from conformance.reference.task import Task
from conformance.reference.tokens import VOCABULARY
from conformance.reference.wrong import (
    Wrong,
    array,
    boolean,
    integer,
    kind,
    mapping,
    missing,
    mistyped,
    name,
    need,
    number,
    one_of,
    string,
    unknown,
)

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_INT64 = 2**63


def parsed(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Refuses other encodings than UTF-8, numbers that are none, and lone surrogates."""
    try:
        value = json.loads(body.decode(), parse_constant=_constant)
        if _SURROGATE.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        why = "We could not parse the JSON body of your request."
        raise Wrong(f"{why} (The body has to be a JSON object in UTF-8: {_why(error)}.)") from None
    if not isinstance(value, dict):
        raise Wrong(f"Invalid body: expected a JSON object, but got {kind(value)} instead.")
    return value


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at position {error.pos}"
    if isinstance(error, UnicodeError):
        return "it has bytes or escapes that are no characters"
    return "it nests too deeply" if isinstance(error, RecursionError) else "it has a number that cannot be read"


def _constant(word: str) -> NoReturn:
    raise ValueError(word)


def task(body: dict[str, Any], models: tuple[str, ...]) -> Task:
    """The request as a task for the model. Raises Wrong."""
    raw = {name: value for name, value in body.items() if value is not None or name in ("model", "messages")}
    for member in raw:
        if member not in PARAMETERS:
            raise unknown(member)
    for member in ("model", "messages"):
        if member not in raw:
            raise missing(member)
    found: dict[str, Any] = {}
    for member, value in raw.items():
        found[member] = PARAMETERS[member](value, member)
    _together(raw)
    tools, call, legacy = offered(raw)
    form, schema = found.get("response_format") or ("text", None)
    if raw["model"] not in models:
        raise no_model(raw["model"])
    return Task(
        model=raw["model"],
        messages=raw["messages"],
        raw=raw,
        tools=tools,
        call=call,
        legacy=legacy,
        form=form,
        schema=schema,
        stops=found.get("stop", ()),
        cap=raw.get("max_completion_tokens", raw.get("max_tokens")),
        biases=found.get("logit_bias", {}),
    )


def no_model(model: str) -> Wrong:
    """The refusal of a model that is not served."""
    return Wrong(
        f"The model '{model[:200]}' does not exist or you do not have access to it.",
        param="model",
        code="model_not_found",
        status=404,
    )


def _together(raw: dict[str, Any]) -> None:
    """What has to come with something else, or must not."""
    needed(raw, "top_logprobs", "logprobs")
    stream_needed(raw)
    if "max_tokens" in raw and "max_completion_tokens" in raw:
        raise Wrong(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )


def needed(raw: dict[str, Any], member: str, other: str) -> None:
    """Refuse a member that is only allowed where another one is true."""
    if member in raw and raw.get(other) is not True:
        raise Wrong(
            f"Invalid value for '{member}': '{member}' is only allowed when '{other}' is set to true.",
            param=member,
            code="invalid_value",
        )


def stream_needed(raw: dict[str, Any]) -> None:
    """Refuse options for a stream that is not asked for."""
    needed(raw, "stream_options", "stream")


def _within(low: float, high: float) -> Callable[[Any, str], Any]:
    return lambda value, path: number(value, path, low, high)


def whole(low: int, high: int | None = None) -> Callable[[Any, str], Any]:
    """The check of an integer within these bounds."""
    return lambda value, path: integer(value, path, low, high)


def _among(*known: str) -> Callable[[Any, str], Any]:
    return lambda value, path: one_of(value, path, known)


def _text(most: int | None = None) -> Callable[[Any, str], Any]:
    return lambda value, path: string(value, path, most=most)


def _model(value: Any, path: str) -> str:
    if value == "":
        raise Wrong("You must provide a model parameter.", param=path, code="missing_required_parameter")
    return string(value, path)


def _stop(value: Any, path: str) -> tuple[str, ...]:
    if isinstance(value, str):
        given = [value]
    elif isinstance(value, list):
        given = [string(one, f"{path}[{index}]") for index, one in enumerate(array(value, path, fewest=1, most=4))]
    else:
        raise mistyped(path, "one of a string or array of strings", value)
    return tuple(one for one in given if one)


def _biases(value: Any, path: str) -> dict[int, float]:
    found = {}
    for token, bias in mapping(value, path).items():
        if not re.fullmatch(r"[0-9]{1,9}", token) or int(token) >= VOCABULARY:
            raise Wrong(
                f"Invalid key in '{path}': {token[:60]}. Expected a token id, from 0 to {VOCABULARY - 1}.",
                param=path,
                code="invalid_value",
            )
        found[int(token)] = float(integer(bias, f"{path}.{token}", -100, 100))
    return found


def _metadata(value: Any, path: str) -> None:
    if len(mapping(value, path)) > 16:
        raise Wrong(
            f"Invalid '{path}': too many properties. Expected an object with at most 16 properties.",
            param=path,
            code="object_above_max_properties",
        )
    for key, one in value.items():
        string(key, path, most=64)
        string(one, f"{path}.{key[:64]}", most=512)


def _stream_options(value: Any, path: str) -> None:
    for member, one in mapping(value, path, ("include_usage", "include_obfuscation")).items():
        if one is not None:
            boolean(one, f"{path}.{member}")


def _response_format(value: Any, path: str) -> tuple[str, Any]:
    form = one_of(need(mapping(value, path), "type", path), f"{path}.type", ("json_object", "json_schema", "text"))
    if form != "json_schema":
        return form, None
    inside = f"{path}.json_schema"
    given = mapping(need(value, "json_schema", path), inside)
    called = name(need(given, "name", inside), f"{inside}.name")
    if given.get("description") is not None:
        string(given["description"], f"{inside}.description")
    strict = given.get("strict") is not None and boolean(given["strict"], f"{inside}.strict")
    schema = mapping(need(given, "schema", inside), f"{inside}.schema")
    what = f"response_format '{called}'"
    checked(schema, what, path, "invalid_json_schema", strict=strict)
    try:
        made(schema, 0)
    except Unsatisfiable as none:
        raise Wrong(f"Invalid schema for {what}: {none}.", param=path, code="invalid_json_schema") from None
    return form, schema


def _modalities(value: Any, path: str) -> None:
    for index, one in enumerate(array(value, path, fewest=1)):
        one_of(one, f"{path}[{index}]", ("text", "audio"))
    if "audio" in value:
        raise Wrong("This model does not support output of audio.", param=path, code="unsupported_value")


def _prediction(value: Any, path: str) -> None:
    one_of(need(mapping(value, path), "type", path), f"{path}.type", ("content",))
    given = need(value, "content", path)
    if not isinstance(given, str):
        for index, part in enumerate(array(given, f"{path}.content", fewest=1)):
            here = f"{path}.content[{index}]"
            one_of(need(mapping(part, here), "type", here), f"{here}.type", ("text",))
            string(need(part, "text", here), f"{here}.text")


def _cache_options(value: Any, path: str) -> None:
    mapping(value, path, ("mode", "ttl"))
    if value.get("mode") is not None:
        one_of(value["mode"], f"{path}.mode", ("implicit", "explicit"))
    if value.get("ttl") is not None:
        one_of(value["ttl"], f"{path}.ttl", ("30m",))


def _unsupported(value: Any, path: str) -> NoReturn:
    mapping(value, path)
    raise Wrong(
        f"Unsupported parameter: '{path}' is not supported with this model.",
        param=path,
        code="unsupported_parameter",
    )


def _later(value: Any, path: str) -> None:
    """Checked together with what it belongs to, in `offers`."""


PARAMETERS: dict[str, Callable[[Any, str], Any]] = {
    "model": _model,
    "messages": lambda value, path: messages(value),
    "audio": _unsupported,
    "frequency_penalty": _within(-2, 2),
    "function_call": _later,
    "functions": _later,
    "logit_bias": _biases,
    "logprobs": boolean,
    "max_completion_tokens": whole(1),
    "max_tokens": whole(1),
    "metadata": _metadata,
    "modalities": _modalities,
    "moderation": _unsupported,
    "n": whole(1, 128),
    "parallel_tool_calls": boolean,
    "prediction": _prediction,
    "presence_penalty": _within(-2, 2),
    "prompt_cache_key": _text(),
    "prompt_cache_options": _cache_options,
    "prompt_cache_retention": _among("in_memory", "24h"),
    "reasoning_effort": _among("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "response_format": _response_format,
    "safety_identifier": _text(128),
    "seed": whole(-_INT64, _INT64 - 1),
    "service_tier": _among("auto", "default", "flex", "scale", "priority", "fast"),
    "stop": _stop,
    "store": boolean,
    "stream": boolean,
    "stream_options": _stream_options,
    "temperature": _within(0, 2),
    "tool_choice": _later,
    "tools": _later,
    "top_logprobs": whole(0, 20),
    "top_p": _within(0, 1),
    "user": _text(),
    "verbosity": _among("low", "medium", "high"),
    "web_search_options": _unsupported,
}
"""Each parameter and its check."""
