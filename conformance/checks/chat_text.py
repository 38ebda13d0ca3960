"""What a chat answer says, and what may be said to it: text stays text on the way there and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import JSON, MAY, MUST, OPENAI_PYTHON, SHOULD, SPEC
from conformance.judging.refusal import message
from conformance.probes.chat import COUNT, GREEDY, HELLO, STREAMED, chat
from conformance.probes.chat import get as getting
from conformance.probes.unicode import CONTROLS, LONG, UNICODE, prompts

CONTENT = SPEC.at("ChatCompletionRequestUserMessage.content", "The text contents of the message.")


def answered(x: Exchange, sentence: str) -> Findings:
    """A finding where a valid request is not answered 2xx, in the words of `sentence`."""
    if not x.ok:
        yield Finding(
            "", sentence, at="status", expected="200", found={"status": x.status, "message": message(x)[:300]}
        )


def alive(x: Exchange) -> Findings:
    """A finding where a request, right or wrong, is answered with a server error."""
    if x.status is not None and x.status >= 500:
        found = {"status": x.status, "message": message(x)[:300]}
        yield Finding(
            "request-answered-server-error",
            "the request is answered with a server error",
            at="status",
            expected="2xx or 4xx",
            found=found,
        )


@check(
    "chat.any-unicode-is-accepted",
    MUST,
    sends=prompts,
    needs=REPLY,
    spec=CONTENT,
    examples=5,
)
def any_unicode_is_accepted(x: Exchange) -> Findings:
    """A question may hold any characters of Unicode."""
    yield from answered(x, "a question beyond ASCII is not answered 2xx")


@check(
    "chat.control-characters-do-no-harm",
    SHOULD,
    sends=CONTROLS,
    needs=REPLY,
    spec=JSON.at("7. Strings", "Any character may be escaped."),
)
def control_characters_do_no_harm(x: Exchange) -> Findings:
    """A question with control characters, NUL among them, is answered or refused, and not with a server error."""
    yield from alive(x)


@check(
    "chat.long-question-is-accepted",
    SHOULD,
    sends=LONG,
    needs=REPLY,
    spec=CONTENT,
)
def long_question_is_accepted(x: Exchange) -> Findings:
    """A question of 2,000 characters is answered."""
    yield from answered(x, "a question of 2,000 characters is not answered 2xx")


def beyond_ascii(x: Exchange) -> bool:
    """Whether the model wrote anything in whose encoding something could go wrong."""
    return not x.choice.text.isascii()


@check(
    "chat.unicode-comes-back-whole",
    MUST,
    sends=UNICODE,
    spec=JSON.at("8.1. Character Encoding", "MUST be encoded using UTF-8"),
    witness=beyond_ascii,
    tries=2,
)
def unicode_comes_back_whole(x: Exchange) -> Findings:
    """An answer beyond ASCII is UTF-8 once, with no character replaced or cut in half."""
    text, at = x.choice.text, "/choices/0/message/content"
    if "\ufffd" in text:
        yield Finding("character-replaced-u-fffd", "a character was replaced by U+FFFD", at=at, found=text[:200])
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        yield Finding(
            "half-surrogate-pair-stands-alone", "half of a surrogate pair stands alone", at=at, found=ascii(text[:200])
        )
    for coding in ("latin-1", "cp1252"):
        try:
            twice = text.encode(coding).decode()
        except UnicodeError:
            continue
        yield Finding(
            "text-encoded-utf-8-twice",
            "the text was encoded as UTF-8 twice",
            at=at,
            expected=twice[:200],
            found=text[:200],
        )
        break


TEMPLATE = re.compile(
    r"<\|(?:im_start|im_end|im_sep|endoftext|begin_of_text|end_of_text|eot_id|eom_id|start_header_id|end_header_id|python_tag"
    r"|start|end|return|message|channel|call|system|user|assistant|observation|END_OF_TURN_TOKEN)\|>"
    r"|<｜[^｜<>]{1,40}｜>|</?s>|<(?:eos|bos|pad|unk)>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
)
"""What chat templates put between messages. None of it occurs in an answer to the questions asked here."""
THOUGHTS = re.compile(
    r"</?(?:think|thinking|thought|reasoning|mm:think|seed:think)>|\[/?THINK\]|◁/?think▷", re.IGNORECASE
)
"""What models put around their thoughts, before a server takes them out."""


def leaked(x: Exchange, pattern: re.Pattern[str], sentence: str) -> Findings:
    """A finding where the content of any choice has what does not belong to it."""
    for choice in x.choices.values():
        if match := pattern.search(choice.text):
            around = choice.text[max(0, match.start() - 40) : match.end() + 40]
            yield Finding("", sentence, at=f"choice {choice.index} content", found=around)


@check(
    "chat.no-template-tokens-in-content",
    SHOULD,
    sends=each(HELLO, COUNT, STREAMED),
    spec=SPEC.at("ChatCompletionResponseMessage.content", "The contents of the message."),
    remedy="check the model's end-of-turn tokens (generation_config.json) and that special tokens are skipped",
)
def no_template_tokens_in_content(x: Exchange) -> Findings:
    """The content of an answer has none of the marks that a chat template puts between messages."""
    yield from leaked(x, TEMPLATE, "a mark of the chat template is in the content")


@check(
    "chat.no-thoughts-in-content",
    SHOULD,
    sends=each(HELLO, COUNT, STREAMED),
    spec=OPENAI_PYTHON.at(
        "chat.completions.parse", "content has to be the answer alone: `<think>` before it is a ValidationError"
    ),
    remedy="let the server take the thoughts out (vLLM: --reasoning-parser)",
)
def no_thoughts_in_content(x: Exchange) -> Findings:
    """The content of an answer has no thoughts in it, streamed or not."""
    yield from leaked(x, THOUGHTS, "thoughts are in the content")


COMING_AND_GOING = {
    "": ("id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier"),
    "/choices/0": ("index", "message", "finish_reason", "logprobs"),
    "/choices/0/message": ("role", "content", "refusal", "annotations"),
}
"""Documented members that have no reason to be in one of two answers to the same request and not in the other."""


def members(body: Value) -> Iterator[str]:
    """The pointers of those members that an answer has."""
    places: dict[str, Value] = {
        "": body,
        "/choices/0": body["choices"][0],
        "/choices/0/message": body["choices"][0]["message"],
    }
    for place, names in COMING_AND_GOING.items():
        yield from (places[place][name].pointer for name in names if name in places[place])


@check(
    "chat.same-request-same-members",
    SHOULD,
    sends=(GREEDY, GREEDY.again()),
    spec=SPEC.at(
        "CreateChatCompletionResponse",
        "Represents a chat completion response returned by model, based on the provided input.",
    ),
)
def same_request_same_members(one: Exchange, other: Exchange) -> Findings:
    """The same request, sent twice, is answered with the same members."""
    for pointer in sorted(set(members(one.json)) ^ set(members(other.json))):
        yield Finding("member-one-two-answers-only", "a member is in one of two answers only", at=pointer)


names = st.sampled_from(("x_conformance", "frobnicate", "Temperature", "stream ", "", "ü", "__proto__", "constructor"))
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.just(1e300), st.sampled_from(("", "x", "😀", "\x00"))
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=6,
)


@check(
    "chat.unknown-members-do-no-harm",
    SHOULD,
    sends=st.dictionaries(names, values, min_size=1, max_size=2).map(lambda more: chat().asking(**more)),
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest", "a member that is not among the 37 documented ones"),
    examples=5,
)
def unknown_members_do_no_harm(x: Exchange) -> Findings:
    """A request with members that nobody knows is answered or refused, and not with a server error."""
    yield from alive(x)


def related(asked: str, answered: str) -> bool:
    """Whether a model's name can be that of the model asked for: the same, dated, or with a vendor before it."""
    one, other = asked.lower(), answered.lower()
    return bool(one and other) and (
        one in other or other in one or one.split("/")[-1] in other or other.split("/")[-1] in one
    )


@check(
    "chat.model-is-a-known-name",
    MAY,
    sends=(HELLO, getting("models")),
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionResponse.model", "The model used for the chat completion."),
)
def model_is_a_known_name(x: Exchange, listing: Exchange) -> Findings:
    """The `model` of an answer is the one asked for, with or without a date or a vendor, or a listed one."""
    model = x.json["model"]
    if not x.ok or model.type != "string":
        yield Unwitnessed("there is no answer that names a model")
    elif not x.model:
        yield Unwitnessed("the request names no model")
    elif not related(x.model, model.value) and model.value not in [one["id"].value for one in listing.json["data"]]:
        yield Finding(
            "answer-names-model-nobody-asked",
            "the answer names a model that nobody asked for",
            at="/model",
            expected=x.model,
            found=model,
        )
