"""The text of chat answers and questions: it stays whole in both directions, and nothing else is mixed in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import JSON, OPENAI_PYTHON, SPEC
from conformance.judging.refusal import status_and_message
from conformance.probes.chat import COUNT, GREEDY, HELLO, STREAMED, chat
from conformance.probes.chat import get as getting
from conformance.probes.unicode import CONTROLS, LONG, UNICODE, prompts

CONTENT = SPEC.at("ChatCompletionRequestUserMessage.content", "The text contents of the message.")

DEFAULT_CAP = 260
"""Tokens up to which a limit is a server's default, and not a model's window: 16, 20, 100 and 256 are common."""

area = Area("chat")


def answered(x: Exchange) -> Findings:
    """A finding where a valid question is not answered 2xx."""
    if not x.ok:
        found = status_and_message(x)
        yield Finding("not-2xx", "The question is not answered 2xx", at="status", expected="200", found=found)


def survived(x: Exchange) -> Findings:
    """A finding where a request, valid or not, is answered with a server error."""
    if x.crashed:
        found = status_and_message(x)
        yield Finding("server-error", "The answer is a server error", at="status", expected="2xx or 4xx", found=found)


@area.must("any-unicode-is-accepted", sends=prompts, needs=REPLY, spec=CONTENT, examples=5)
def any_unicode_is_accepted(x: Exchange) -> Findings:
    """A question may contain any Unicode characters."""
    yield from answered(x)


@area.should(
    "control-characters-do-no-harm",
    sends=CONTROLS,
    needs=REPLY,
    spec=JSON.at("7. Strings", "Any character may be escaped."),
)
def control_characters_do_no_harm(x: Exchange) -> Findings:
    """A question with control characters, NUL among them, is answered or refused, and not with a server error."""
    yield from survived(x)


@area.should("long-question-is-accepted", sends=LONG, needs=REPLY, spec=CONTENT)
def long_question_is_accepted(x: Exchange) -> Findings:
    """A question of 2,000 characters is answered."""
    yield from answered(x)


def beyond_ascii(x: Exchange) -> bool:
    """Whether the model wrote anything whose encoding could go wrong."""
    return not x.choice.text.isascii()


@area.must(
    "unicode-comes-back-whole",
    sends=UNICODE,
    spec=JSON.at("8.1. Character Encoding", "MUST be encoded using UTF-8"),
    witness=beyond_ascii,
    tries=2,
)
def unicode_comes_back_whole(x: Exchange) -> Findings:
    """An answer beyond ASCII is encoded as UTF-8 exactly once, and no character is replaced or cut in half."""
    text, at = x.choice.text, "/choices/0/message/content"
    if "\ufffd" in text:
        yield Finding("replacement-character", "A character was replaced by U+FFFD", at=at, found=text[:200])
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        yield Finding("lone-surrogate", "Half of a surrogate pair stands alone", at=at, found=ascii(text[:200]))
    for coding in ("latin-1", "cp1252"):
        try:
            decoded = text.encode(coding).decode()
        except UnicodeError:
            continue
        yield Finding(
            "encoded-twice", "The text was encoded as UTF-8 twice", at=at, expected=decoded[:200], found=text[:200]
        )
        break


TEMPLATE = re.compile(
    r"<\|(?:im_start|im_end|im_sep|endoftext|begin_of_text|end_of_text|eot_id|eom_id|start_header_id|end_header_id|python_tag"
    r"|start|end|return|message|channel|call|system|user|assistant|observation|END_OF_TURN_TOKEN)\|>"
    r"|<｜[^｜<>]{1,40}｜>|</?s>|<(?:eos|bos|pad|unk)>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
)
"""What chat templates put between messages. None of it belongs in an answer to the questions asked here."""
THOUGHTS = re.compile(
    r"</?(?:think|thinking|thought|reasoning|mm:think|seed:think)>|\[/?THINK\]|◁/?think▷", re.IGNORECASE
)
"""What models put around their thoughts, before a server takes them out."""


def matches(x: Exchange, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Where the content of a choice first matches, and the text around it; for each choice that has a match."""
    for choice in x.choices.values():
        if match := pattern.search(choice.text):
            yield f"choice {choice.index} content", choice.text[max(0, match.start() - 40) : match.end() + 40]


@area.should(
    "no-template-tokens-in-content",
    sends=each(HELLO, COUNT, STREAMED),
    spec=SPEC.at("ChatCompletionResponseMessage.content", "The contents of the message."),
    remedy="check the model's end-of-turn tokens (generation_config.json) and that special tokens are skipped",
)
def no_template_tokens_in_content(x: Exchange) -> Findings:
    """The content of an answer has none of the tokens that a chat template puts between messages."""
    for at, around in matches(x, TEMPLATE):
        yield Finding("template-token", "The content has a token of the chat template in it", at=at, found=around)


@area.should(
    "no-thoughts-in-content",
    sends=each(HELLO, COUNT, STREAMED),
    spec=OPENAI_PYTHON.at(
        "chat.completions.parse", "content has to be the answer alone: `<think>` before it is a ValidationError"
    ),
    remedy="let the server take the thoughts out (vLLM: --reasoning-parser)",
)
def no_thoughts_in_content(x: Exchange) -> Findings:
    """The content of an answer has no thoughts in it, streamed or not."""
    for at, around in matches(x, THOUGHTS):
        yield Finding("thoughts", "The content has the model's thoughts in it", at=at, found=around)


STABLE_MEMBERS = {
    "": ("id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier"),
    "/choices/0": ("index", "message", "finish_reason", "logprobs"),
    "/choices/0/message": ("role", "content", "refusal", "annotations"),
}
"""Documented members that have no reason to be in only one of two answers to the same request."""


def stable_members(body: Value) -> Iterator[str]:
    """The pointers of those members that an answer has."""
    choice = body["choices"][0]
    holders: dict[str, Value] = {"": body, "/choices/0": choice, "/choices/0/message": choice["message"]}
    for pointer, names in STABLE_MEMBERS.items():
        yield from (holders[pointer][name].pointer for name in names if name in holders[pointer])


@area.should(
    "same-request-same-members",
    sends=(GREEDY, GREEDY.again()),
    spec=SPEC.at(
        "CreateChatCompletionResponse",
        "Represents a chat completion response returned by model, based on the provided input.",
    ),
)
def same_request_same_members(first: Exchange, second: Exchange) -> Findings:
    """The same request, sent twice, is answered with the same members."""
    for pointer in sorted(set(stable_members(first.json)) ^ set(stable_members(second.json))):
        yield Finding("only-in-one", "Only one of the two answers has this member", at=pointer)


names = st.sampled_from(("x_conformance", "frobnicate", "Temperature", "stream ", "", "ü", "__proto__", "constructor"))
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.just(1e300), st.sampled_from(("", "x", "😀", "\x00"))
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=6,
)


@area.should(
    "unknown-members-do-no-harm",
    sends=st.dictionaries(names, values, min_size=1, max_size=2).map(lambda more: chat().asking(**more)),
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest", "a member that is not among the 37 documented ones"),
    examples=5,
)
def unknown_members_do_no_harm(x: Exchange) -> Findings:
    """A request with unknown members is answered or refused, and not with a server error."""
    yield from survived(x)


def related(asked: str, answered: str) -> bool:
    """Whether an answer's model can be the one asked for: by the same name, with a date after it, or a vendor before it."""
    asked, answered = asked.lower(), answered.lower()
    return bool(asked and answered) and (
        asked in answered or answered in asked or asked.split("/")[-1] in answered or answered.split("/")[-1] in asked
    )


@area.may(
    "model-is-a-known-name",
    sends=(HELLO, getting("models")),
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionResponse.model", "The model used for the chat completion."),
)
def model_is_a_known_name(x: Exchange, listing: Exchange) -> Findings:
    """The `model` of an answer is the one asked for, with or without a date or a vendor, or a listed one."""
    model = x.json["model"]
    if not x.ok or model.type != "string":
        raise Unwitnessed("there is no answer that names a model")
    if not x.model:
        raise Unwitnessed("the request names no model")
    if not related(x.model, model.value) and model.value not in [entry["id"].value for entry in listing.json["data"]]:
        yield Finding(
            "other-model",
            "`model` is neither the model asked for nor a listed one",
            at="/model",
            expected=x.model,
            found=model,
        )


@area.should(
    "short-answers-are-not-cut-off",
    sends=each(HELLO, STREAMED),
    spec=SPEC.at(
        "CreateChatCompletionResponse.choices.finish_reason",
        "`length` if the maximum number of tokens specified in the request was reached",
    ),
    remedy="send max_completion_tokens with every request, or raise the server's default",
)
def short_answers_are_not_cut_off(x: Exchange) -> Findings:
    """An answer is not cut off after a few tokens where the request has no cap."""
    if x.choice.finish_reason != "length":
        return
    counted = x.usage["completion_tokens"].value
    tokens = counted if isinstance(counted, int) else len((x.choice.text + x.choice.reasoning).split())
    if tokens > DEFAULT_CAP:
        raise Unwitnessed("the model does not come to an end")
    yield Finding(
        "cut-off", "The answer is cut off though the request has no cap", expected="stop", found={"tokens": tokens}
    )
