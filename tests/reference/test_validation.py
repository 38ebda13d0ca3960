"""What the reference server refuses, and that it names what it refuses in OpenAI's words."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from conformance.probes.tools import GET_TIME, GET_WEATHER, PING
from conformance.reference.answer import Answer, Request
from conformance.reference.engine import DEFAULT_KEY, Settings, responder
from conformance.reference.validation import PARAMETERS

WINDOW = 700
RESPOND = responder(Settings(window=WINDOW, body_limit=100_000))
KEY = {"authorization": f"Bearer {DEFAULT_KEY}", "content-type": "application/json"}
HELLO = [{"role": "user", "content": "Say hello"}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
ASKED = [*HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "21"}
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


def post(body: bytes, path: str = "/v1/chat/completions", method: str = "POST", **headers: str) -> Answer:
    """The answer to these bytes."""
    return RESPOND(Request(method, path, {**KEY, **headers}, body))


def ask(**wishes: Any) -> Answer:
    """The answer to a request; a wish that is `...` is left out."""
    body = {"model": "reference", "messages": HELLO, **wishes}
    return post(json.dumps({name: value for name, value in body.items() if value is not ...}).encode())


def refusal(answer: Answer, status: int = 400) -> dict[str, Any]:
    """The error object of a clean refusal."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    assert answer.events is None
    assert list(answer.body) == ["error"]
    error: dict[str, Any] = answer.body["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert isinstance(error["message"], str)
    assert error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] is None or isinstance(error["code"], str)
    return error


def user(*parts: Any) -> list[dict[str, Any]]:
    """A conversation of one user message with these parts."""
    return [{"role": "user", "content": list(parts)}]


def image(url: Any, **more: Any) -> dict[str, Any]:
    """A part with an image."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def function(**more: Any) -> dict[str, Any]:
    """A request's `tools` with one function, made of these members."""
    return {"tools": [{"type": "function", "function": more}]}


def schema(schema: Any = ..., name: Any = "answer", **more: Any) -> dict[str, Any]:
    """A request's `response_format` with a schema."""
    inner = {key: value for key, value in {"name": name, "schema": schema, **more}.items() if value is not ...}
    return {"response_format": {"type": "json_schema", "json_schema": inner}}


STRICT = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
BELOW, ABOVE = "integer_below_min_value", "integer_above_max_value"
UNDER, OVER = "decimal_below_min_value", "decimal_above_max_value"
TYPE, VALUE, MISSING = "invalid_type", "invalid_value", "missing_required_parameter"
FUNCTION = "invalid_function_parameters"

WRONG: list[tuple[dict[str, Any], str, str | None]] = [
    ({"messages": ...}, "messages", MISSING),
    ({"messages": None}, "messages", TYPE),
    ({"messages": []}, "messages", "empty_array"),
    ({"messages": "hi"}, "messages", TYPE),
    ({"messages": [1]}, "messages[0]", TYPE),
    ({"messages": [{}]}, "messages[0].role", MISSING),
    ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role", VALUE),
    ({"messages": [{"role": 1, "content": "x"}]}, "messages[0].role", TYPE),
    ({"messages": [{"role": "user"}]}, "messages[0].content", MISSING),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content", TYPE),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", TYPE),
    ({"messages": [{"role": "user", "content": {}}]}, "messages[0].content", TYPE),
    ({"messages": [{"role": "user", "content": True}]}, "messages[0].content", TYPE),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content", "empty_array"),
    ({"messages": [{"role": "user", "content": "x", "name": 5}]}, "messages[0].name", TYPE),
    ({"messages": [{"role": "system", "content": [image(PIXEL)]}]}, "messages[0].content[0].type", VALUE),
    ({"messages": user({"type": "video"})}, "messages[0].content[0].type", VALUE),
    ({"messages": user({"type": "text"})}, "messages[0].content[0].text", MISSING),
    ({"messages": user("x")}, "messages[0].content[0]", TYPE),
    ({"messages": user({"type": "image_url", "image_url": PIXEL})}, "messages[0].content[0].image_url", TYPE),
    ({"messages": user(image("file:///etc/passwd"))}, "messages[0].content[0].image_url.url", "invalid_image_url"),
    ({"messages": user(image("../x.png"))}, "messages[0].content[0].image_url.url", "invalid_image_url"),
    (
        {"messages": user(image("http://169.254.169.254/x"))},
        "messages[0].content[0].image_url.url",
        "invalid_image_url",
    ),
    ({"messages": user(image("http://localhost/x.png"))}, "messages[0].content[0].image_url.url", "invalid_image_url"),
    ({"messages": user(image("http://[::1]/x.png"))}, "messages[0].content[0].image_url.url", "invalid_image_url"),
    ({"messages": user(image("data:image/png;base64,@@@"))}, "messages[0].content[0].image_url.url", "invalid_base64"),
    ({"messages": user(image("data:image/png;base64,aGk="))}, "messages[0].content[0].image_url.url", "invalid_image"),
    (
        {"messages": user(image("data:text/plain;base64,aGk="))},
        "messages[0].content[0].image_url.url",
        "invalid_image_url",
    ),
    ({"messages": user(image(PIXEL, detail="huge"))}, "messages[0].content[0].image_url.detail", VALUE),
    (
        {"messages": user({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "ogg"}})},
        "messages[0].content[0].input_audio.format",
        VALUE,
    ),
    (
        {"messages": user({"type": "input_audio", "input_audio": {"data": "!", "format": "wav"}})},
        "messages[0].content[0].input_audio.data",
        "invalid_base64",
    ),
    ({"messages": user({"type": "file", "file": {}})}, "messages[0].content[0].file.file_data", MISSING),
    ({"messages": [{"role": "assistant"}]}, "messages[0].content", MISSING),
    ({"messages": [{"role": "assistant", "content": None}]}, "messages[0].content", TYPE),
    ({"messages": [{"role": "assistant", "content": "", "tool_calls": []}]}, "messages[0].tool_calls", "empty_array"),
    (
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [{"id": "a", "type": "function"}]}]},
        "messages[0].tool_calls[0].function",
        MISSING,
    ),
    ({"messages": [*ASKED, {"role": "tool", "content": "x"}]}, "messages[2].tool_call_id", MISSING),
    ({"messages": [*HELLO, RESULT]}, "messages[1].role", VALUE),
    ({"messages": [*ASKED, {**RESULT, "tool_call_id": "call_2"}]}, "messages[2].tool_call_id", VALUE),
    ({"messages": ASKED}, "messages[1].tool_calls", VALUE),
    ({"messages": [*ASKED, *HELLO]}, "messages[1].tool_calls", VALUE),
    (
        {"messages": [*HELLO, {**ASKED[1], "tool_calls": [CALL, {**CALL, "id": "call_2"}]}, RESULT, *HELLO]},
        "messages[1].tool_calls",
        VALUE,
    ),
    ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].name", MISSING),
    ({"model": ...}, "model", MISSING),
    ({"model": ""}, "model", MISSING),
    ({"model": 5}, "model", TYPE),
    ({"model": None}, "model", TYPE),
    ({"temperature": 2.1}, "temperature", OVER),
    ({"temperature": -0.1}, "temperature", UNDER),
    ({"temperature": "1"}, "temperature", TYPE),
    ({"temperature": True}, "temperature", TYPE),
    ({"top_p": 1.1}, "top_p", OVER),
    ({"top_p": -0.1}, "top_p", UNDER),
    ({"frequency_penalty": 2.1}, "frequency_penalty", OVER),
    ({"presence_penalty": -2.1}, "presence_penalty", UNDER),
    ({"n": 0}, "n", BELOW),
    ({"n": -1}, "n", BELOW),
    ({"n": 129}, "n", ABOVE),
    ({"n": 1.5}, "n", TYPE),
    ({"n": True}, "n", TYPE),
    ({"max_tokens": 0}, "max_tokens", BELOW),
    ({"max_tokens": "5"}, "max_tokens", TYPE),
    ({"max_completion_tokens": -1}, "max_completion_tokens", BELOW),
    ({"max_completion_tokens": 1, "max_tokens": 1}, "max_tokens", "invalid_parameter_combination"),
    ({"max_completion_tokens": WINDOW + 1}, "messages", "context_length_exceeded"),
    ({"messages": [{"role": "user", "content": "word " * 600}]}, "messages", "context_length_exceeded"),
    ({"messages": [{"role": "user", "content": "word " * 600}], "stream": True}, "messages", "context_length_exceeded"),
    ({"seed": 2**63}, "seed", ABOVE),
    ({"seed": -(2**63) - 1}, "seed", BELOW),
    ({"seed": 1.5}, "seed", TYPE),
    ({"stop": []}, "stop", "empty_array"),
    ({"stop": list("abcde")}, "stop", "array_above_max_length"),
    ({"stop": 5}, "stop", TYPE),
    ({"stop": ["a", 5]}, "stop[1]", TYPE),
    ({"logit_bias": {"x": 1}}, "logit_bias", VALUE),
    ({"logit_bias": {"999999999": 1}}, "logit_bias", VALUE),
    ({"logit_bias": {"5": 101}}, "logit_bias.5", ABOVE),
    ({"logit_bias": {"5": -101}}, "logit_bias.5", BELOW),
    ({"logit_bias": [[5, 1]]}, "logit_bias", TYPE),
    ({"logprobs": 1}, "logprobs", TYPE),
    ({"top_logprobs": 1}, "top_logprobs", VALUE),
    ({"top_logprobs": 1, "logprobs": False}, "top_logprobs", VALUE),
    ({"top_logprobs": 21, "logprobs": True}, "top_logprobs", ABOVE),
    ({"top_logprobs": -1, "logprobs": True}, "top_logprobs", BELOW),
    ({"stream": "true"}, "stream", TYPE),
    ({"stream_options": {"include_usage": True}}, "stream_options", VALUE),
    ({"stream_options": {"include_usage": 1}, "stream": True}, "stream_options.include_usage", TYPE),
    ({"stream_options": {"every": True}, "stream": True}, "stream_options.every", "unknown_parameter"),
    ({"metadata": {str(number): "x" for number in range(17)}}, "metadata", "object_above_max_properties"),
    ({"metadata": {"k" * 65: "x"}}, "metadata", "string_above_max_length"),
    ({"metadata": {"k": "x" * 513}}, "metadata.k", "string_above_max_length"),
    ({"metadata": {"k": 1}}, "metadata.k", TYPE),
    ({"modalities": ["text", "smell"]}, "modalities[1]", VALUE),
    ({"modalities": ["text", "audio"]}, "modalities", "unsupported_value"),
    ({"audio": {"voice": "alloy", "format": "wav"}}, "audio", "unsupported_parameter"),
    ({"web_search_options": {}}, "web_search_options", "unsupported_parameter"),
    ({"moderation": {"model": "m"}}, "moderation", "unsupported_parameter"),
    ({"reasoning_effort": "huge"}, "reasoning_effort", VALUE),
    ({"verbosity": "loud"}, "verbosity", VALUE),
    ({"service_tier": "gold"}, "service_tier", VALUE),
    ({"store": "yes"}, "store", TYPE),
    ({"user": 5}, "user", TYPE),
    ({"safety_identifier": "x" * 129}, "safety_identifier", "string_above_max_length"),
    ({"prompt_cache_key": 5}, "prompt_cache_key", TYPE),
    ({"prompt_cache_retention": "1h"}, "prompt_cache_retention", VALUE),
    ({"prompt_cache_options": {"mode": "x"}}, "prompt_cache_options.mode", VALUE),
    ({"prediction": {"type": "content"}}, "prediction.content", MISSING),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls", TYPE),
    ({"top_k": 5}, "top_k", "unknown_parameter"),
    ({"tools": []}, "tools", "empty_array"),
    ({"tools": {}}, "tools", TYPE),
    ({"tools": [1]}, "tools[0]", TYPE),
    ({"tools": [{}]}, "tools[0].type", MISSING),
    ({"tools": [{"type": "retrieval"}]}, "tools[0].type", VALUE),
    ({"tools": [{"type": "function"}]}, "tools[0].function", MISSING),
    (function(), "tools[0].function.name", MISSING),
    (function(name=""), "tools[0].function.name", "empty_string"),
    (function(name="a b"), "tools[0].function.name", VALUE),
    (function(name="a" * 65), "tools[0].function.name", "string_above_max_length"),
    (function(name="f", description=5), "tools[0].function.description", TYPE),
    (function(name="f", strict="yes"), "tools[0].function.strict", TYPE),
    (function(name="f", parameters=[]), "tools[0].function.parameters", TYPE),
    (function(name="f", parameters={"type": "string"}), "tools[0].function.parameters", FUNCTION),
    (
        function(name="f", parameters={"properties": {"a": {"type": "strnig"}}}),
        "tools[0].function.parameters",
        FUNCTION,
    ),
    (function(name="f", strict=True, parameters={"type": "object"}), "tools[0].function.parameters", FUNCTION),
    ({"tools": [PING, PING]}, "tools[1].function.name", VALUE),
    ({"tool_choice": "auto"}, "tool_choice", None),
    ({"tool_choice": "required"}, "tool_choice", None),
    ({"tools": [PING], "tool_choice": "never"}, "tool_choice", VALUE),
    ({"tools": [PING], "tool_choice": {}}, "tool_choice.type", MISSING),
    ({"tools": [PING], "tool_choice": 5}, "tool_choice", TYPE),
    ({"tools": [PING], "tool_choice": {"type": "function"}}, "tool_choice.function", MISSING),
    (
        {"tools": [PING], "tool_choice": {"type": "function", "function": {"name": "pong"}}},
        "tool_choice.function.name",
        VALUE,
    ),
    (
        {"tools": [PING], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "none", "tools": [PING]}}},
        "tool_choice.allowed_tools.mode",
        VALUE,
    ),
    (
        {
            "tools": [PING],
            "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [GET_TIME]}},
        },
        "tool_choice.allowed_tools.tools[0].function.name",
        VALUE,
    ),
    (
        {"tools": [{"type": "custom", "custom": {"name": "c", "format": {"type": "grammar"}}}]},
        "tools[0].custom.format.grammar",
        MISSING,
    ),
    ({"tools": [GET_WEATHER], "functions": [{"name": "f"}]}, "functions", "invalid_parameter_combination"),
    ({"function_call": "auto"}, "function_call", None),
    ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call.name", VALUE),
    ({"functions": [{"name": "f"}] * 129}, "functions", "array_above_max_length"),
    ({"response_format": "json"}, "response_format", TYPE),
    ({"response_format": {}}, "response_format.type", MISSING),
    ({"response_format": {"type": "xml"}}, "response_format.type", VALUE),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", MISSING),
    (schema(STRICT, name=...), "response_format.json_schema.name", MISSING),
    (schema(STRICT, name="a b"), "response_format.json_schema.name", VALUE),
    (schema(), "response_format.json_schema.schema", MISSING),
    (schema([]), "response_format.json_schema.schema", TYPE),
    (schema(STRICT, strict="yes"), "response_format.json_schema.strict", TYPE),
    (schema({"type": "strnig"}), "response_format", "invalid_json_schema"),
    (schema({"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}}), "response_format", "invalid_json_schema"),
    (schema({"type": "integer", "minimum": 2, "maximum": 1}), "response_format", "invalid_json_schema"),
    (schema({"type": "string", "pattern": "("}), "response_format", "invalid_json_schema"),
    (schema({**STRICT, "additionalProperties": True}, strict=True), "response_format", "invalid_json_schema"),
    (schema({**STRICT, "required": []}, strict=True), "response_format", "invalid_json_schema"),
    (schema({**STRICT, "allOf": [{}]}, strict=True), "response_format", "invalid_json_schema"),
    (schema({"anyOf": [STRICT]}, strict=True), "response_format", "invalid_json_schema"),
    (schema({"type": "array", "items": STRICT}, strict=True), "response_format", "invalid_json_schema"),
]


@pytest.mark.parametrize(("wishes", "param", "code"), WRONG, ids=lambda value: json.dumps(value, default=str)[:60])
def test_what_is_wrong_is_named(wishes: dict[str, Any], param: str, code: str | None) -> None:
    """400 with the path of the parameter and its code; never a stream."""
    error = refusal(ask(**wishes))
    assert (error["param"], error["code"]) == (param, code)


def test_every_parameter_refuses_what_it_is_not() -> None:
    """An object that nobody expects is refused for every parameter, by name."""
    for name in PARAMETERS:
        value: Any = {"unexpected": {}} if name not in ("logit_bias", "metadata") else 5
        if name in ("tool_choice", "function_call"):
            value = 5
        wishes = {name: value, **({"tools": [PING]} if name == "tool_choice" else {})}
        wishes.update({"stream": True} if name == "stream_options" else {})
        wishes.update({"functions": [{"name": "f"}]} if name == "function_call" else {})
        assert str(refusal(ask(**wishes))["param"]).startswith(name)


GOOD: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": ""}]},
    {"messages": [{"role": "system", "content": "x"}]},
    {"messages": [*HELLO, *HELLO]},
    {"messages": [*HELLO, {"role": "assistant", "content": "Hel"}]},
    {
        "messages": [
            *HELLO,
            {"role": "assistant", "content": "Hi", "tool_calls": None, "reasoning_content": "hm"},
            *HELLO,
        ]
    },
    {"messages": [*HELLO, {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, *HELLO]},
    {"messages": [*HELLO, {"role": "assistant", "content": None, "refusal": "no"}, *HELLO]},
    {"messages": [*ASKED, RESULT]},
    {"messages": [HELLO[0], {**ASKED[1], "content": ""}, {**RESULT, "content": [{"type": "text", "text": "21"}]}]},
    {"messages": [*ASKED, {**RESULT, "content": ""}, *HELLO]},
    {
        "messages": [
            HELLO[0],
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": "{"}}]},
            RESULT,
        ]
    },
    {"messages": user({"type": "text", "text": "x"}, image(PIXEL), image("https://example.com/a.png", detail="high"))},
    {"messages": user(image("data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n....").decode()))},
    {"messages": user({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}})},
    {
        "messages": user(
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERg==", "filename": "a.pdf"}}
        )
    },
    {"temperature": 0},
    {"temperature": 2, "top_p": 1, "presence_penalty": -2, "frequency_penalty": 2},
    {"top_p": 0},
    {"n": 128, "max_tokens": 1},
    {"seed": 2**63 - 1},
    {"seed": -(2**63)},
    {"stop": ""},
    {"stop": ["a", "b", "c", "d"]},
    {"logit_bias": {}},
    {"stream_options": None, "stream": False},
    {"stream_options": {}, "stream": True},
    {"tool_choice": "none"},
    {"parallel_tool_calls": True},
    {"tools": [PING], "tool_choice": None},
    {"functions": [{"name": "f"}], "function_call": "none"},
    {"metadata": {"k" * 64: "x" * 512}, "store": False, "user": "u", "safety_identifier": "s" * 64},
    {
        "prompt_cache_key": "k",
        "prompt_cache_retention": "24h",
        "prompt_cache_options": {"mode": "implicit", "ttl": "30m"},
    },
    {"modalities": ["text"], "reasoning_effort": "none", "verbosity": "low", "service_tier": "auto"},
    {"response_format": {"type": "text"}},
    {"response_format": {"type": "json_object"}},
    schema(STRICT, strict=True),
    schema({"type": "array", "items": {"type": "string"}}),
    schema({}),
    schema({"type": "object", "properties": {"first name": {"type": "string"}}, "patternProperties": {"^x": {}}}),
    function(name="no_parameters"),
    function(name="nothing", parameters={}),
    function(name="x" * 64, parameters={"type": "object", "properties": {}}, strict=None),
    {"tools": [PING, {"type": "custom", "custom": {"name": "c", "description": "d", "format": {"type": "text"}}}]},
]


@pytest.mark.parametrize("wishes", GOOD, ids=lambda wishes: json.dumps(wishes)[:60])
def test_what_is_right_is_taken(wishes: dict[str, Any]) -> None:
    """What OpenAI documents, at its limits, and what clients send back of what they were sent."""
    answer = ask(**wishes)
    assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'"x"', b"null", b"5", b"{'a': 1}", b"\xff\xfe", b'{"a": NaN}', b"[" * 10_000,
        b'{"x": "\\ud800"}', "\ufeff{}".encode(), '{"model": "x"}'.encode("utf-16"), b'{"n": ' + b"9" * 5000 + b"}",
        b'{"a": 1} x',
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    """Malformed JSON, other encodings, other values: 400, and nothing breaks."""
    error = refusal(post(body))
    assert error["param"] is None
    assert ask().status == 200


def test_deep_and_large_values_are_refused_or_taken_never_failed_on() -> None:
    """Nesting as deep as the parser lets through, and numbers beyond any range."""
    deep: Any = {"type": "string"}
    for _ in range(300):
        deep = {"type": "array", "items": deep}
    assert ask(**schema(deep)).status in (200, 400)
    refusal(post(b'{"model":"reference","messages":' + b'[{"a":' * 300 + b"1" + b"}]" * 300 + b"}"))
    error = refusal(post(b'{"model":"reference","messages":[{"role":"user","content":"x"}],"temperature":1e400}'))
    assert error["param"] == "temperature"


def test_the_last_of_two_equal_names_counts() -> None:
    """As most parsers have it."""
    body = b'{"model":"x","model":"reference","messages":[{"role":"user","content":"Say hello"}]}'
    assert post(body).status == 200


def test_an_unknown_model_is_not_found() -> None:
    """404 with `model_not_found`, in a request and in the list, streamed or not."""
    for answer in (ask(model="gpt-0"), ask(model="gpt-0", stream=True), post(b"", "/v1/models/gpt-0", "GET")):
        error = refusal(answer, 404)
        assert (error["param"], error["code"]) == ("model", "model_not_found")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer wrong", DEFAULT_KEY, f"Basic {DEFAULT_KEY}", "Bearer ключ"]
)
def test_a_key_is_needed(header: str) -> None:
    """401 with `invalid_api_key`, on every path, and the key is not repeated."""
    for path, method in (("/v1/chat/completions", "POST"), ("/v1/models", "GET"), ("/v1/nothing", "GET")):
        answer = post(b"{}", path, method, authorization=header)
        error = refusal(answer, 401)
        assert (error["param"], error["code"]) == (None, "invalid_api_key")
        assert "wrong" not in error["message"]
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", [f"bearer {DEFAULT_KEY}", f"BEARER  {DEFAULT_KEY} "])
def test_the_scheme_has_no_case(header: str) -> None:
    """As RFC 9110 has it."""
    assert post(b"", "/v1/models", "GET", authorization=header).status == 200


def test_other_paths_and_methods_are_refused() -> None:
    """404 and 405 with error objects, and the methods that there are."""
    for path in ("/v1/nothing", "/v1", "/v1/", "/", "/v1/chat/completions/", "/v1//chat/completions", "/v2/models"):
        assert refusal(post(b"{}", path), 404)["code"] == "unknown_url"
    answer = post(b"", "/v1/chat/completions", "GET")
    assert refusal(answer, 405)["code"] == "method_not_supported"
    assert answer.headers["allow"] == "POST"
    answer = post(b"{}", "/v1/models", "POST")
    refusal(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"
    head = post(b"", "/v1/chat/completions", "HEAD")
    assert (head.status, head.body) == (405, None)


@pytest.mark.parametrize(
    "media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_other_content_types_are_refused(media: str) -> None:
    """415 with an error object."""
    body = json.dumps({"model": "reference", "messages": HELLO}).encode()
    assert refusal(post(body, **{"content-type": media}), 415)["code"] == "unsupported_content_type"
    assert post(body, **{"content-type": "Application/JSON; charset=utf-8"}).status == 200


def test_a_body_has_a_limit() -> None:
    """413 with an error object."""
    assert refusal(post(b" " * 100_001), 413)["code"] == "request_too_large"


def test_the_window_is_kept_to_the_token() -> None:
    """Prompt and cap may fill the window, and not one token more."""
    prompt = ask().body["usage"]["prompt_tokens"]
    assert ask(max_tokens=WINDOW - prompt).status == 200
    error = refusal(ask(max_tokens=WINDOW + 1 - prompt))
    assert error["code"] == "context_length_exceeded"
    assert f"maximum context length is {WINDOW} tokens" in error["message"]
    assert refusal(ask(messages=[{"role": "user", "content": "x" * 90_000}]))["code"] == "context_length_exceeded"


def test_an_unlimited_answer_ends_with_the_window() -> None:
    """Without a cap, the window is the cap."""
    body = ask(messages=[{"role": "user", "content": "Count to 2000"}]).body
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["total_tokens"] == WINDOW
