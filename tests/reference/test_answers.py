"""The reference server's whole answers: what it says, how it samples, what it counts."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.probes.tools import GET_WEATHER, TOOLS
from conformance.reference.answer import Answer, Request
from conformance.reference.engine import DEFAULT_KEY, Settings, responder
from conformance.reference.script import turns
from conformance.reference.tokens import VOCABULARY, count, decode, encode, groups, piece, shown

RESPOND = responder(Settings(clock=lambda: 1_800_000_000.5, models=("reference", "org/other")))
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def send(body: Any, method: str = "POST", path: str = "/v1/chat/completions", **headers: str) -> Answer:
    """The answer to one request with the right key."""
    headers = {"authorization": f"Bearer {DEFAULT_KEY}", **headers}
    return RESPOND(Request(method, path, headers, json.dumps(body).encode()))


def ask(say: Any, **wishes: Any) -> dict[str, Any]:
    """The chat completion for what the user says."""
    messages = say if isinstance(say, list) and "role" in say[0] else [{"role": "user", "content": say}]
    answer = send({"model": "reference", "messages": messages, **wishes})
    assert answer.status == 200, answer.body
    body: dict[str, Any] = answer.body
    return body


def said(*args: Any, **wishes: Any) -> str:
    """The content of the first choice."""
    content = ask(*args, **wishes)["choices"][0]["message"]["content"]
    assert isinstance(content, str)
    return content


def test_the_answer_has_openais_shape() -> None:
    """All members, in OpenAI's order."""
    body = ask("Say hello")
    assert list(body) == [
        "id", "object", "created", "model", "choices", "usage", "service_tier", "system_fingerprint",
    ]  # fmt: skip
    assert (body["object"], body["created"], body["model"]) == ("chat.completion", 1_800_000_000, "reference")
    assert body["id"].startswith("chatcmpl-")
    assert body["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant", "content": "Hello from the tiny model.", "refusal": None, "annotations": [],
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]  # fmt: skip
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    assert set(body["usage"]["completion_tokens_details"]) == {
        "reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens",
    }  # fmt: skip
    assert set(body["usage"]["prompt_tokens_details"]) == {"cached_tokens", "audio_tokens"}


def test_the_headers_are_openais() -> None:
    """A request id of its own, the processing time, the version."""
    first, second = (send({"model": "reference", "messages": [{"role": "user", "content": "x"}]}) for _ in range(2))
    assert first.headers["content-type"] == "application/json"
    assert first.headers["openai-version"] == "2020-10-01"
    assert int(first.headers["openai-processing-ms"]) >= 1
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.body["id"] != second.body["id"]


@pytest.mark.parametrize(
    "turn",
    [turn for said in turns().values() for turn in said],
    ids=lambda turn: f"{turn.say}-{'-'.join(sorted(turn.tools))}",
)
def test_the_script_is_followed(turn: Any) -> None:
    """Every scripted turn is answered word for word, calls and what follows their results included."""
    messages = [{"role": "system", "content": turn.system}] if turn.system else []
    messages += [{"role": role, "content": content} for role, content in turn.before]
    messages.append({"role": "user", "content": turn.say})
    tools = {"tools": [TOOLS[name] for name in sorted(turn.tools)]} if turn.tools else {}
    choice = ask(messages, **tools)["choices"][0]
    message = choice["message"]
    assert message["content"] == turn.reply
    made = tuple((call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", ()))
    assert made == turn.calls
    assert choice["finish_reason"] == ("tool_calls" if turn.calls else "stop")
    if turn.calls:
        results = [
            {"role": "tool", "tool_call_id": call["id"], "content": result}
            for call, result in zip(message["tool_calls"], turn.results, strict=True)
        ]
        assert said([*messages, message, *results], **tools) == turn.then


@pytest.mark.parametrize(
    ("say", "answer"),
    [
        ("Say exactly: {\"x\": '😀'}\n", "{\"x\": '😀'}\n"),
        ("Repeat after me: a: b", "a: b"),
        ("Reply with exactly this text: \u202bשלום\u202c", "\u202bשלום\u202c"),
        ("Count to twelve", "1 2 3 4 5 6 7 8 9 10 11 12"),
        ("Please count from 1 to 3, slowly.", "1 2 3"),
        ("Answer with the single word 'zebra'.", "zebra"),
        ("My name is Grace Hopper!", "Hello Grace Hopper."),
    ],
)
def test_it_does_what_is_plainly_asked(say: str, answer: str) -> None:
    """It repeats and counts, whatever it is that it is to repeat or to count to."""
    assert said(say) == answer


def test_it_remembers_what_was_said_before() -> None:
    """A name, or any fact told earlier, also in the instruction."""
    history = [
        {"role": "system", "content": "The secret code is 4711."},
        {"role": "user", "content": "My name is Grace and the colour of my boat is teal."},
        {"role": "assistant", "content": "Noted."},
    ]
    ask_ = [{"role": "user", "content": "What is my name?"}]
    assert (
        said([history[0], {"role": "user", "content": "My name is Grace."}, history[2], *ask_]) == "Your name is Grace."
    )
    assert said([*history, {"role": "user", "content": "What is the secret code?"}]) == "The secret code is 4711."
    assert said(ask_) == "You have not told me your name."


def test_the_instruction_is_followed() -> None:
    """By either name, over the script, the last one where there are several."""
    for role in ("system", "developer"):
        order = {"role": role, "content": "Always answer with the word KIWI."}
        assert said([order, {"role": "user", "content": "Say hello"}]) == "KIWI"


def test_parts_are_the_same_as_their_text() -> None:
    """Text parts are joined, and cost the same."""
    parts = [{"type": "text", "text": "Say exactly: a"}, {"type": "text", "text": "b"}]
    whole, split = ask("Say exactly: ab"), ask(parts)
    assert whole["choices"] == split["choices"]
    assert whole["usage"] == split["usage"]


@given(text)
def test_what_is_not_scripted_is_still_answered_the_same_twice(say: str) -> None:
    """Any text gets some answer, and at temperature 0 the same in every choice and with every seed."""
    first = ask(say, temperature=0, n=2, seed=1)
    second = ask(say, temperature=0, seed=2)
    contents = [choice["message"]["content"] for choice in (*first["choices"], *second["choices"])]
    assert len(set(contents)) == 1


def test_chance_is_real_where_it_is_asked_for() -> None:
    """Choices and seeds differ at temperature 1; the same seed gives the same text."""
    for say in ("Tell me about the sea", "Tell me about the moon"):
        wishes = {"temperature": 1.2}
        choices = ask(say, n=5, **wishes)["choices"]
        assert [choice["index"] for choice in choices] == list(range(5))
        assert len({choice["message"]["content"] for choice in choices}) == 5
        assert said(say, seed=7, **wishes) == said(say, seed=7, **wishes)
        assert len({said(say, seed=seed, **wishes) for seed in range(-2, 9)}) == 11
        assert len({said(say, seed=seed, temperature=1, top_p=0) for seed in range(5)}) == 1
    assert said("Tell me about the sea", temperature=2) == "The sea is wide and blue, and it is never quite still."
    assert said("Say hello", temperature=2, seed=5) == "Hello from the tiny model."


@pytest.mark.parametrize(
    ("stop", "left"),
    [
        (" 5", "1 2 3 4"),
        (["9", "3 4"], "1 2 "),
        ([" 2", " 3", " 4", " 5"], "1"),
        ("1", ""),
        ("2 3 4 5 6", "1 "),
        ("never", None),
        ("", None),
        ("世", None),
    ],
)
def test_a_stop_string_ends_the_answer_before_it(stop: Any, left: str | None) -> None:
    """The text ends before the first of them, and the reason is `stop`."""
    whole = said("Count to forty")
    choice = ask("Count to forty", stop=stop)["choices"][0]
    assert choice["message"]["content"] == (whole if left is None else left)
    assert choice["finish_reason"] == "stop"


@given(text, st.lists(st.text("abc 12é😀", min_size=1, max_size=3), min_size=1, max_size=4), st.integers(1, 30))
def test_stops_and_caps_keep_their_word(words: str, stops: list[str], cap: int) -> None:
    """Nothing of a stop string, never more tokens than the cap, a reason that is true, and a beginning of the text."""
    body = ask(f"Say exactly: {words}abc 1 2é😀 end", stop=stops, max_completion_tokens=cap)
    choice, tokens = body["choices"][0], body["usage"]["completion_tokens"]
    content = choice["message"]["content"]
    whole = said(f"Say exactly: {words}abc 1 2é😀 end")
    assert whole.startswith(content)
    assert not any(stop in content for stop in stops)
    assert tokens <= cap
    assert (choice["finish_reason"] == "length") <= (tokens == cap)
    if content != whole and choice["finish_reason"] == "stop":
        assert any(whole[len(content) :].startswith(stop) for stop in stops)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_cap_cuts(name: str) -> None:
    """The answer is cut with reason `length`; one that fits ends by itself."""
    body = ask("Count to forty", **{name: 5})
    assert body["choices"][0]["message"]["content"] == "1 2 3 4 5"
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 5
    assert ask("Count to forty", **{name: 41})["choices"][0]["finish_reason"] == "stop"
    assert ask("Say nothing", **{name: 1})["choices"][0]["finish_reason"] == "stop"


def test_a_bias_forces_and_forbids() -> None:
    """+100 leaves one token, -100 takes one away, anything between changes nothing here."""
    token = encode(" 7")[0]
    forced = ask("Say hello", logit_bias={str(token): 100}, max_tokens=3, logprobs=True)["choices"][0]
    assert forced["message"]["content"] == " 7 7 7"
    assert forced["finish_reason"] == "length"
    assert said("Say hello", logit_bias={str(token): 100}) == " 7" * 16
    assert " 7 " not in said("Count to forty", logit_bias={str(token): -100})
    assert said("Count to forty", logit_bias={str(token): -1}) == said("Count to forty")
    assert "é" not in said("Write unicode", logit_bias={str(encode("é")[0]): -100})


def test_penalties_end_repetition() -> None:
    """A high penalty ends what repeats itself, and leaves alone what does not."""
    again = "Say exactly: " + " ".join(["la"] * 30)
    assert said(again, frequency_penalty=2) == "la la la"
    assert len(said(again, presence_penalty=0.5)) < len(said(again))
    assert said(again, frequency_penalty=-2) == said(again)
    assert said("Count to forty", frequency_penalty=2, presence_penalty=2) == said("Count to forty")


@given(text, st.integers(0, 20))
@settings(max_examples=30)
def test_logprobs_belong_to_the_text(words: str, top: int) -> None:
    """Bytes join to the content, values are finite and no probability, the chosen one leads N distinct ones."""
    choice = ask(f"Say exactly: {words}é😀", logprobs=True, top_logprobs=top)["choices"][0]
    entries = choice["logprobs"]["content"]
    assert choice["logprobs"]["refusal"] is None
    assert bytes(byte for entry in entries for byte in entry["bytes"]).decode() == choice["message"]["content"]
    for entry in entries:
        assert set(entry) == {"token", "logprob", "bytes", "top_logprobs"}
        tops = entry["top_logprobs"]
        assert len(tops) == top
        values = [one["logprob"] for one in tops]
        assert values == sorted(values, reverse=True)
        assert all(-100 < value <= 0 for value in [entry["logprob"], *values])
        assert sum(map(math.exp, values)) <= 1 + 1e-9
        assert len({one["token"] for one in tops}) == top
        if top:
            assert tops[0] == {key: entry[key] for key in ("token", "logprob", "bytes")}


def test_usage_grows_with_what_is_sent_and_said() -> None:
    """Messages, names, tools, schemas, images and sound cost; choices add up; true predictions are counted."""
    plain = ask("Say hello")["usage"]
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACw="
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}}
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    image = {"type": "image_url", "image_url": {"url": pixel}}
    small = {"type": "image_url", "image_url": {"url": pixel, "detail": "low"}}
    words = {"type": "text", "text": "Say hello"}
    prompts = [
        plain,
        ask([{"role": "user", "name": "ada", "content": "Say hello"}])["usage"],
        ask([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Say hello"}])["usage"],
        ask("Say hello", tools=[GET_WEATHER])["usage"],
        ask("Say hello", response_format={"type": "json_schema", "json_schema": {"name": "c", "schema": schema}})[
            "usage"
        ],
        ask([words, small])["usage"],
        ask([words, image])["usage"],
    ]
    assert len({usage["prompt_tokens"] for usage in prompts[1:]} - {plain["prompt_tokens"]}) >= 5
    assert all(usage["prompt_tokens"] > plain["prompt_tokens"] for usage in prompts[1:])
    assert prompts[-1]["prompt_tokens"] > prompts[-2]["prompt_tokens"]
    assert ask([words, sound])["usage"]["prompt_tokens_details"]["audio_tokens"] > 0
    assert ask("Say hello", n=3)["usage"]["completion_tokens"] == 3 * plain["completion_tokens"]
    guess = {"type": "content", "content": "Hello from the large model."}
    right = ask("Say hello", prediction=guess)["usage"]["completion_tokens_details"]["accepted_prediction_tokens"]
    assert 0 < right < plain["completion_tokens"]


def test_a_long_beginning_is_cached() -> None:
    """From 1024 tokens, in steps of 128, by the server that saw it; another beginning is not."""
    memory: dict[str, Any] = {}

    def cached(*words: str) -> int:
        body = {"model": "reference", "messages": [{"role": "user", "content": word} for word in words]}
        headers = {"authorization": f"Bearer {DEFAULT_KEY}"}
        answer = RESPOND(Request("POST", "/v1/chat/completions", headers, json.dumps(body).encode(), memory))
        found: int = answer.body["usage"]["prompt_tokens_details"]["cached_tokens"]
        return found

    long = " a" * 1200
    assert [cached(long), cached(long), cached(long, "more"), cached("more", long)] == [0, 1152, 1152, 0]
    assert [cached("short"), cached("short")] == [0, 0]


@pytest.mark.parametrize(
    ("asked", "shown_"), [(None, "default"), ("auto", "default"), ("flex", "flex"), ("fast", "priority")]
)
def test_the_service_tier_is_told(asked: str | None, shown_: str) -> None:
    """`fast` is shown as `priority`, `auto` as what it came to."""
    assert ask("Say hello", **({"service_tier": asked} if asked else {}))["service_tier"] == shown_


def test_null_is_the_same_as_absent() -> None:
    """For every optional parameter."""
    from conformance.reference.validation import PARAMETERS

    nulls = {name: None for name in PARAMETERS if name not in ("model", "messages")}
    assert len(PARAMETERS) == 37
    assert ask("Say hello", **nulls)["choices"] == ask("Say hello")["choices"]


def test_models_are_listed_and_found() -> None:
    """Also one with a slash in its name, raw or encoded; HEAD has no body."""
    listed = send(None, "GET", "/v1/models").body
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["reference", "org/other"]
    for path in ("/v1/models/org/other", "/v1/models/org%2Fother"):
        assert send(None, "GET", path).body == listed["data"][1]
    assert set(listed["data"][0]) == {"id", "object", "created", "owned_by"}
    head = send(None, "HEAD", "/v1/models")
    assert (head.status, list(head.pieces())) == (200, [])


@given(text)
def test_tokens_are_reversible(words: str) -> None:
    """Any text becomes tokens and the same text again; deltas never split a character."""
    tokens = encode(words)
    assert decode(tokens) == words
    assert count(words) == len(tokens)
    assert "".join(text for text, _ in groups(tokens)) == words
    assert b"".join(map(piece, tokens)) == words.encode()


@given(st.integers(0, VOCABULARY - 1))
def test_every_token_has_its_own_bytes(token: int) -> None:
    """An id stands for one piece of text, and that piece for the id."""
    if token < 128 or token > 255:
        assert encode(shown(token)) == [token]
    else:
        assert shown(token).startswith("\\x")
