"""Messages of every role and form that the contract has: they are accepted, and they reach the model.

Whether something reached the model is seen in the answer, or else in the count of prompt tokens: a model may ignore an
instruction, but a server that passed it on has counted it.
"""

from __future__ import annotations

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.requirement import MUST, REPORTS, SHOULD, SPEC
from conformance.judging.refusal import message, named
from conformance.probes.chat import HELLO, user
from conformance.probes.history import (
    CALLED_ABSENT,
    CALLED_EMPTY,
    CALLED_NULL,
    DEVELOPER,
    INSTRUCTED,
    NAMED,
    NULLS,
    PARTS,
    REFUSED,
    REMEMBERED,
    SOMETHING,
    SYSTEM_PARTS,
    TWICE,
    WHO,
    WHOLE,
    cuts,
    histories,
    talk,
)

ASSISTANT = "ChatCompletionRequestAssistantMessage"
USER = "ChatCompletionRequestUserMessage"


def accepted(x: Exchange, sentence: str, *requires: str) -> Findings:
    """A finding, in the words of `sentence`, where a valid request is not answered 2xx, nor refused as unsupported."""
    if x.ok:
        return
    if feature := named(x, requires):
        yield Unsupported(f"the server refuses `{feature}` ({x.status})")
    else:
        found = {"status": x.status, "message": message(x)[:300]}
        yield Finding("", sentence, at="status", expected="200", found=found, on=x.key)


def spent(x: Exchange) -> int | None:
    """The prompt tokens that an answer counts; None where it does not say."""
    tokens = x.usage["prompt_tokens"]
    return tokens.value if tokens.type == "integer" else None


def reaches(with_: Exchange, without: Exchange, longer: Exchange, word: str, sentence: str) -> Findings:
    """A finding where something was neither heeded (the answer has no `word`) nor counted.

    `longer` is a much longer question: where it has as many tokens, tokens are not counted at all.
    """
    more, less = spent(with_), spent(without)
    if word in with_.choice.text.lower():
        return
    if more is None or less is None or less == spent(longer):
        yield Unwitnessed("the model did not heed it, and tokens are not counted")
    elif more <= less:
        yield Finding("", sentence, at="/usage/prompt_tokens", expected=f"more than {less}", found=more)
    else:
        yield Unwitnessed("the model did not heed it, though its tokens are counted")


@check(
    "roles.requests-are-accepted",
    MUST,
    sends=each(SOMETHING, WHO, REMEMBERED, WHOLE),
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest.messages", "A list of messages comprising the conversation so far."),
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A conversation of user and assistant by turns is answered."""
    yield from accepted(x, "a plain conversation is not answered 2xx")


@check(
    "roles.long-history-is-accepted",
    MUST,
    sends=histories,
    needs=REPLY,
    spec=SPEC.at("CreateChatCompletionRequest.messages", "A list of messages comprising the conversation so far."),
    examples=5,
)
def long_history_is_accepted(x: Exchange) -> Findings:
    """A conversation of five turns and more is answered."""
    yield from accepted(x, "a longer conversation is not answered 2xx")


@check(
    "roles.system-is-accepted",
    MUST,
    sends=INSTRUCTED,
    needs=REPLY,
    spec=SPEC.at("ChatCompletionRequestSystemMessage.role", "The role of the messages author, in this case `system`."),
    remedy="give the server a chat template that knows the role, or put the instruction into the first user message",
)
def system_is_accepted(x: Exchange) -> Findings:
    """A conversation may begin with a message of the role `system`."""
    yield from accepted(x, "a system message is not answered 2xx")


@check(
    "roles.system-reaches-the-model",
    MUST,
    sends=(INSTRUCTED, SOMETHING, WHOLE),
    spec=SPEC.at(
        "ChatCompletionRequestSystemMessage",
        "Developer-provided instructions that the model should follow, regardless of messages sent by the user.",
    ),
)
def system_reaches_the_model(instructed: Exchange, plain: Exchange, longer: Exchange) -> Findings:
    """A system message is heeded, or at least counted."""
    yield from reaches(instructed, plain, longer, "banana", "the system message was neither heeded nor counted")


@check(
    "roles.developer-is-accepted",
    SHOULD,
    sends=DEVELOPER,
    needs=REPLY,
    requires="developer_role",
    spec=SPEC.at(
        "ChatCompletionRequestDeveloperMessage", "`developer` messages replace the previous `system` messages."
    ),
    remedy="send the role `system`: every server knows it",
)
def developer_is_accepted(x: Exchange) -> Findings:
    """A conversation may begin with a message of the role `developer`."""
    yield from accepted(x, "a developer message is not answered 2xx", "developer_role")


@check(
    "roles.history-reaches-the-model",
    MUST,
    sends=(REMEMBERED, WHO, WHOLE),
    spec=SPEC.at("CreateChatCompletionRequest.messages", "A list of messages comprising the conversation so far."),
)
def history_reaches_the_model(remembered: Exchange, plain: Exchange, longer: Exchange) -> Findings:
    """Earlier turns of a conversation are remembered, or at least counted."""
    yield from reaches(remembered, plain, longer, "ada", "earlier turns were neither remembered nor counted")


@check(
    "roles.text-parts-are-accepted",
    MUST,
    sends=each(PARTS, SYSTEM_PARTS),
    needs=REPLY,
    spec=SPEC.at(f"{USER}.content", "An array of content parts with a defined type."),
    remedy="send the text as a string",
)
def text_parts_are_accepted(x: Exchange) -> Findings:
    """The content of a user or system message may be a list of text parts."""
    yield from accepted(x, "a content of text parts is not answered 2xx")


@check(
    "roles.one-part-equals-a-string",
    SHOULD,
    sends=(PARTS, HELLO),
    spec=SPEC.at(f"{USER}.content", "oneOf: Text content (string), Array of content parts"),
)
def one_part_equals_a_string(parts: Exchange, whole: Exchange) -> Findings:
    """A content of one text part is the same prompt as that text in a string."""
    counted, expected = spent(parts), spent(whole)
    if counted is None or expected is None:
        yield Unwitnessed("tokens are not counted")
    elif counted != expected:
        yield Finding(
            "prompt-another-length",
            "the prompt has another length",
            at="/usage/prompt_tokens",
            expected=expected,
            found=counted,
        )


@check(
    "roles.no-part-is-lost",
    MUST,
    sends=cuts.map(lambda cut: (cut, WHOLE)),
    spec=SPEC.at(f"{USER}.content", "An array of content parts with a defined type."),
    examples=4,
)
def no_part_is_lost(cut: Exchange, whole: Exchange) -> Findings:
    """A text in several parts, wherever it is cut, reaches the model with all of them."""
    counted, expected = spent(cut), spent(whole)
    if counted is None or expected is None:
        yield Unwitnessed("tokens are not counted")
    elif counted < expected * 0.9:  # a part is a quarter or more; spaces between parts may come or go
        at = "/usage/prompt_tokens"
        yield Finding(
            "part-did-not-reach-model",
            "a part did not reach the model",
            at=at,
            expected=f"about {expected}",
            found=counted,
        )


@check(
    "roles.name-is-accepted",
    MUST,
    sends=NAMED,
    needs=REPLY,
    spec=SPEC.at(f"{USER}.name", "An optional name for the participant."),
)
def name_is_accepted(x: Exchange) -> Findings:
    """A message may have a `name`."""
    yield from accepted(x, "a message with a name is not answered 2xx")


@check(
    "roles.same-role-twice-is-accepted",
    SHOULD,
    sends=TWICE,
    needs=REPLY,
    spec=REPORTS.at(
        "vLLM",
        "agents that put two user messages after each other get 400 from templates which want roles to alternate",
        "https://github.com/vllm-project/vllm/issues/6862",
    ),
    remedy="give the server a chat template that does not insist on turns, or join such messages before sending them",
)
def same_role_twice_is_accepted(x: Exchange) -> Findings:
    """Two user messages may follow one another."""
    yield from accepted(x, "two user messages in a row are not answered 2xx")


@check(
    "roles.call-without-content-is-accepted",
    MUST,
    sends=each(CALLED_NULL, CALLED_ABSENT),
    needs=REPLY,
    requires="tools",
    spec=SPEC.at(
        f"{ASSISTANT}.content",
        "The contents of the assistant message. Required unless `tool_calls` or `function_call` is specified.",
    ),
    remedy='send "" as the content',
)
def call_without_content_is_accepted(x: Exchange) -> Findings:
    """An assistant message with tool calls may have null for a content, or none."""
    yield from accepted(x, "a tool call without content in the history is not answered 2xx", "tools")


@check(
    "roles.call-with-empty-content-is-accepted",
    SHOULD,
    sends=CALLED_EMPTY,
    needs=REPLY,
    requires="tools",
    spec=SPEC.at(f"{ASSISTANT}.content", "The contents of the assistant message."),
    remedy="send null as the content",
)
def call_with_empty_content_is_accepted(x: Exchange) -> Findings:
    """An assistant message with tool calls may have an empty content."""
    yield from accepted(x, "a tool call with empty content in the history is not answered 2xx", "tools")


@check(
    "roles.null-stands-for-absent",
    SHOULD,
    sends=NULLS,
    needs=REPLY,
    spec=SPEC.at(ASSISTANT, "refusal, audio, function_call: anyOf [..., {type: null}]"),
)
def null_stands_for_absent(x: Exchange) -> Findings:
    """The members of an assistant message that may be null are accepted as null."""
    yield from accepted(x, "an assistant message with nulls is not answered 2xx")


@check(
    "roles.refusal-part-is-accepted",
    SHOULD,
    sends=REFUSED,
    needs=REPLY,
    spec=SPEC.at(f"{ASSISTANT}.content", "Can be one or more of type `text`, or exactly one of type `refusal`."),
)
def refusal_part_is_accepted(x: Exchange) -> Findings:
    """An assistant message in the history may be a refusal."""
    yield from accepted(x, "a refusal in the history is not answered 2xx")


def fed_back(x: Exchange) -> Probe | str:
    """The conversation that goes on from an answer, with its message as it came; with a role where it lacks one."""
    own = x.json["choices"][0]["message"]
    if not x.ok or own.type != "object":
        return "there is no message to feed back"
    return talk(user("Say hello"), {"role": "assistant"} | own.value, user("Say something"))


@check(
    "roles.own-message-is-accepted",
    MUST,
    sends=HELLO.then(fed_back),
    needs=REPLY,
    spec=SPEC.at(ASSISTANT, "Messages sent by the model in response to user messages."),
    remedy="take everything but role, content and tool_calls out of a message before sending it back",
)
def own_message_is_accepted(first: Exchange, second: Exchange) -> Findings:
    """A message is accepted in the history exactly as the server itself sent it, with all its members."""
    yield from accepted(second, "the server's own message is not accepted back")
