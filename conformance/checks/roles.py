"""Messages of every documented role and form: they are accepted, and they reach the model.

Whether a message reached the model shows in the answer, or else in the count of prompt tokens: a model may ignore an
instruction, but a server that passed it on has counted it.
"""

from __future__ import annotations

from conformance.core.check import ANSWER, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.requirement import REPORTS, SPEC
from conformance.judging.refusal import named, status_and_message
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

CONVERSATION = SPEC.at("CreateChatCompletionRequest.messages", "A list of messages comprising the conversation so far.")
ARRAY_OF_PARTS = SPEC.at(f"{USER}.content", "An array of content parts with a defined type.")

area = Area("roles", needs=REPLY)


def accepted(x: Exchange, *requires: str) -> Findings:
    """A finding where a valid conversation is not answered 2xx. Raises Unsupported where the server names what it refuses."""
    if x.ok:
        return
    if feature := named(x, requires):
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    found = status_and_message(x)
    yield Finding("not-2xx", "The conversation is not answered 2xx", at="status", expected="200", found=found, on=x.key)


def developer_accepted(x: Exchange) -> Findings:
    """The same, where the server may not know the role `developer`."""
    yield from accepted(x, "developer_role")


def call_accepted(x: Exchange) -> Findings:
    """The same, where the server may not know tools."""
    yield from accepted(x, "tools")


ACCEPTED = (
    area.must(
        "requests-are-accepted",
        title="A conversation in which user and assistant take turns is answered.",
        sends=each(SOMETHING, WHO, REMEMBERED, WHOLE),
        spec=CONVERSATION,
    )(accepted),
    area.must(
        "long-history-is-accepted",
        title="A conversation of five or more turns is answered.",
        sends=histories,
        spec=CONVERSATION,
        examples=5,
    )(accepted),
    area.must(
        "system-is-accepted",
        title="A conversation may begin with a message of the role `system`.",
        sends=INSTRUCTED,
        spec=SPEC.at(
            "ChatCompletionRequestSystemMessage.role", "The role of the messages author, in this case `system`."
        ),
        remedy="give the server a chat template that knows the role, or put the instruction into the first user message",
    )(accepted),
    area.should(
        "developer-is-accepted",
        title="A conversation may begin with a message of the role `developer`.",
        sends=DEVELOPER,
        requires="developer_role",
        spec=SPEC.at(
            "ChatCompletionRequestDeveloperMessage", "`developer` messages replace the previous `system` messages."
        ),
        remedy="send the role `system`: every server knows it",
    )(developer_accepted),
    area.must(
        "text-parts-are-accepted",
        title="The content of a user or system message may be a list of text parts.",
        sends=each(PARTS, SYSTEM_PARTS),
        spec=ARRAY_OF_PARTS,
        remedy="send the text as a string",
    )(accepted),
    area.must(
        "name-is-accepted",
        title="A message may have a `name`.",
        sends=NAMED,
        spec=SPEC.at(f"{USER}.name", "An optional name for the participant."),
    )(accepted),
    area.should(
        "same-role-twice-is-accepted",
        title="Two user messages may follow one another.",
        sends=TWICE,
        spec=REPORTS.at(
            "vLLM",
            "agents that put two user messages after each other get 400 from templates which want roles to alternate",
            "https://github.com/vllm-project/vllm/issues/6862",
        ),
        remedy="give the server a chat template that does not require alternating roles, or join such messages",
    )(accepted),
    area.must(
        "call-without-content-is-accepted",
        title="The content of an assistant message with tool calls may be null or absent.",
        sends=each(CALLED_NULL, CALLED_ABSENT),
        requires="tools",
        spec=SPEC.at(
            f"{ASSISTANT}.content",
            "The contents of the assistant message. Required unless `tool_calls` or `function_call` is specified.",
        ),
        remedy='send "" as the content',
    )(call_accepted),
    area.should(
        "call-with-empty-content-is-accepted",
        title="The content of an assistant message with tool calls may be empty.",
        sends=CALLED_EMPTY,
        requires="tools",
        spec=SPEC.at(f"{ASSISTANT}.content", "The contents of the assistant message."),
        remedy="send null as the content",
    )(call_accepted),
    area.should(
        "null-stands-for-absent",
        title="The nullable members of an assistant message are accepted as null.",
        sends=NULLS,
        spec=SPEC.at(ASSISTANT, "refusal, audio, function_call: anyOf [..., {type: null}]"),
    )(accepted),
    area.should(
        "refusal-part-is-accepted",
        title="An assistant message in the history may be a refusal.",
        sends=REFUSED,
        spec=SPEC.at(f"{ASSISTANT}.content", "Can be one or more of type `text`, or exactly one of type `refusal`."),
    )(accepted),
)


def prompt_tokens(x: Exchange) -> int | None:
    """The prompt tokens that an answer counts; None where it does not say."""
    tokens = x.usage["prompt_tokens"]
    return tokens.value if tokens.type == "integer" else None


def reaches(x: Exchange, question: Exchange, longer: Exchange, word: str) -> Findings:
    """A finding where what comes before a question is neither heeded (the answer has no `word`) nor counted.

    `question` is the question alone, and `longer` a much longer one: where both have as many tokens, tokens are not counted.
    """
    if word in x.choice.text.lower():
        return
    more, less = prompt_tokens(x), prompt_tokens(question)
    if more is None or less is None or less == prompt_tokens(longer):
        raise Unwitnessed("the model did not heed it, and tokens are not counted")
    if more > less:
        raise Unwitnessed("the model did not heed it, though its tokens are counted")
    yield Finding(
        "not-counted",
        "The messages before the question are neither heeded nor counted",
        at="/usage/prompt_tokens",
        expected=f"more than {less}",
        found=more,
    )


@area.must(
    "system-reaches-the-model",
    sends=(INSTRUCTED, SOMETHING, WHOLE),
    needs=ANSWER,
    spec=SPEC.at(
        "ChatCompletionRequestSystemMessage",
        "Developer-provided instructions that the model should follow, regardless of messages sent by the user.",
    ),
)
def system_reaches_the_model(instructed: Exchange, question: Exchange, longer: Exchange) -> Findings:
    """A system message is heeded, or at least counted."""
    yield from reaches(instructed, question, longer, "banana")


@area.must("history-reaches-the-model", sends=(REMEMBERED, WHO, WHOLE), needs=ANSWER, spec=CONVERSATION)
def history_reaches_the_model(remembered: Exchange, question: Exchange, longer: Exchange) -> Findings:
    """Earlier turns of a conversation are remembered, or at least counted."""
    yield from reaches(remembered, question, longer, "ada")


@area.should(
    "one-part-equals-a-string",
    sends=(PARTS, HELLO),
    needs=ANSWER,
    spec=SPEC.at(f"{USER}.content", "oneOf: Text content (string), Array of content parts"),
)
def one_part_equals_a_string(parts: Exchange, whole: Exchange) -> Findings:
    """Content of one text part is the same prompt as that text in a string."""
    counted, expected = prompt_tokens(parts), prompt_tokens(whole)
    if counted is None or expected is None:
        raise Unwitnessed("tokens are not counted")
    if counted != expected:
        yield Finding(
            "other-length",
            "The prompt has a different number of tokens",
            at="/usage/prompt_tokens",
            expected=expected,
            found=counted,
        )


@area.must(
    "no-part-is-lost",
    sends=cuts.map(lambda cut: (cut, WHOLE)),
    needs=ANSWER,
    spec=ARRAY_OF_PARTS,
    examples=4,
)
def no_part_is_lost(cut: Exchange, whole: Exchange) -> Findings:
    """A text in several parts, wherever it is cut, reaches the model with all of them."""
    counted, expected = prompt_tokens(cut), prompt_tokens(whole)
    if counted is None or expected is None:
        raise Unwitnessed("tokens are not counted")
    if counted < expected * 0.9:  # a part is a quarter or more; spaces between parts may come or go
        yield Finding(
            "part-lost",
            "A part does not reach the model",
            at="/usage/prompt_tokens",
            expected=f"about {expected}",
            found=counted,
        )


def fed_back(x: Exchange) -> Probe | str:
    """The conversation that goes on from an answer, with its message as it came; with a role where it lacks one."""
    own = x.json["choices"][0]["message"]
    if not x.ok or own.type != "object":
        return "there is no message to feed back"
    return talk(user("Say hello"), {"role": "assistant"} | own.value, user("Say something"))


@area.must(
    "own-message-is-accepted",
    sends=HELLO.then(fed_back),
    spec=SPEC.at(ASSISTANT, "Messages sent by the model in response to user messages."),
    remedy="take everything but role, content and tool_calls out of a message before sending it back",
)
def own_message_is_accepted(_: Exchange, second: Exchange) -> Findings:
    """A message is accepted in the history exactly as the server itself sent it, with all its members."""
    yield from accepted(second)
