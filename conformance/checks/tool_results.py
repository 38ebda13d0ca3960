"""Calls and their results in the history of the next request.

Variants of a history are judged beside a plain one: a server that accepts no results at all is for another check.
"""

from __future__ import annotations

from conformance.core.check import REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.reading.calls import called
from conformance.core.reading.json import Value
from conformance.core.requirement import ERRORS, OPENAI_PYTHON, REPORTS, SPEC
from conformance.judging.refusal import named
from conformance.probes.chat import chat, user
from conformance.probes.tool_drawn import ORPHANS, foreign_ids, outputs
from conformance.probes.tools import (
    ANSWERED,
    ANSWERED_AT_LENGTH,
    ANSWERED_IN_PARTS,
    ANSWERED_WITH_NOTHING,
    ANSWERED_WITHOUT_ID,
    ANSWERED_WITHOUT_TOOLS,
    BOTH,
    BOTH_ANSWERED,
    BOTH_ANSWERED_SWAPPED,
    EARLIER,
    EARLIER_NULL,
    GET_WEATHER,
    WEATHER,
    WEATHER_STREAMED,
    result,
)

TOOL_MESSAGE = "ChatCompletionRequestToolMessage"
RESPONDING = SPEC.at(f"{TOOL_MESSAGE}.tool_call_id", "Tool call that this message is responding to.")
CONTENTS = SPEC.at(f"{TOOL_MESSAGE}.content", "The contents of the tool message.")


def plain_history_is_accepted(plain: Exchange, *_: Exchange) -> None:
    """Raises Unsupported for a server that refuses a plain history: its refusal of another says nothing."""
    if not plain.ok:
        raise Unsupported("the server refuses a plain history with tool results as well")


area = Area("tool_results", requires="tools")
beside_plain = Area("tool_results", needs=REPLY, requires="tools", given=plain_history_is_accepted)


@area.must(
    "requests-are-accepted",
    sends=each(ANSWERED, BOTH_ANSWERED),
    spec=SPEC.at(TOOL_MESSAGE, "required: [role, content, tool_call_id]"),
    needs=REPLY,
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A history with calls and their results is answered."""
    if feature := named(x, ("tools",)):
        raise Unsupported(f"the server refuses `{feature}`")
    if not x.ok:
        yield Finding("not-answered", "A history with tool results is not answered", expected="2xx", found=x.status)


def continued(x: Exchange, message: object) -> Probe | str:
    """The next request after an answer: its message in the history, and a result for each of its calls."""
    if not x.ok or not x.choice.calls:
        return "the model made no call"
    question = x.probe.wish["messages"][-1]["content"]
    results = [result(call.id, "21 degrees" if n == 0 else "25 degrees") for n, call in enumerate(x.choice.calls)]
    return chat(messages=[user(question), message, *results], tools=[GET_WEATHER])


def own(x: Exchange) -> Probe | str:
    """The answer's calls, with standard members only."""
    return continued(x, x.choice.wire)


def echo(x: Exchange) -> Probe | str:
    """The answer's message, with every member that the server put into it."""
    return continued(x, x.json["choices"][0]["message"].value)


def accepted(*exchanges: Exchange) -> Findings:
    """A server that accepts a plain history accepts the last request as well."""
    x = exchanges[-1]
    if not x.ok:
        yield Finding(
            "refused",
            "The history is refused, but a plain one is accepted",
            expected="2xx",
            found=x.text[:300] or x.status,
            on=x.key,
        )


@beside_plain.must(
    "own-calls-can-be-answered",
    sends=each((ANSWERED, WEATHER.then(own)), (ANSWERED, BOTH.then(own)), (ANSWERED, WEATHER_STREAMED.then(own))),
    spec=RESPONDING,
)
def own_calls_can_be_answered(*exchanges: Exchange) -> Findings:
    """A server accepts its own calls, whole or streamed, back with their results, ids and arguments unchanged.

    Only the members that the contract knows are sent back: no client keeps others.
    """
    yield from accepted(*exchanges)


ACCEPTED = (
    beside_plain.must(
        "own-message-can-be-echoed",
        title="The message of an answer is accepted in the next request, with every member the server put into it.",
        sends=(ANSWERED, WEATHER.then(echo)),
        spec=OPENAI_PYTHON.at(
            "chat.completions.create", "The message of an answer can be appended to messages as it is."
        ),
    )(accepted),
    beside_plain.must(
        "ids-are-opaque",
        title="The id of a call is any string: a conversation that began at another server can go on at this one.",
        sends=foreign_ids,
        spec=RESPONDING,
        examples=6,
    )(accepted),
    beside_plain.must(
        "parts-are-accepted",
        title="A result may be a list of text parts.",
        sends=(ANSWERED, ANSWERED_IN_PARTS),
        spec=SPEC.at(
            f"{TOOL_MESSAGE}.content",
            "An array of content parts with a defined type. For tool messages, only type `text` is supported.",
        ),
    )(accepted),
    beside_plain.must(
        "result-may-be-empty",
        title="A tool may return nothing: an empty string, or an empty list in JSON.",
        sends=each(*((ANSWERED, probe) for probe in ANSWERED_WITH_NOTHING)),
        spec=CONTENTS,
        remedy='send "ok" or "(no output)" in the place of nothing',
    )(accepted),
    beside_plain.should(
        "result-is-any-text",
        title="A result may be JSON, an error, markup, control characters, or a long text.",
        sends=outputs,
        spec=CONTENTS,
        examples=8,
    )(accepted),
    beside_plain.should(
        "order-is-free",
        title="Results may come in another order than the calls: the ids say what belongs together.",
        sends=(BOTH_ANSWERED, BOTH_ANSWERED_SWAPPED),
        spec=RESPONDING,
    )(accepted),
    beside_plain.should(
        "null-calls-are-none",
        title="`tool_calls: null` in an assistant message is accepted as if it were not there.",
        sends=(EARLIER, EARLIER_NULL),
        spec=REPORTS.at(
            "SWE-agent",
            "Histories that were serialised with every member have tool_calls: null, and were refused.",
            "https://github.com/SWE-agent/SWE-agent/pull/967",
        ),
        requires=(),
    )(accepted),
)


@beside_plain.should(
    "id-is-required",
    sends=(ANSWERED, ANSWERED_WITHOUT_ID),
    spec=SPEC.at(TOOL_MESSAGE, "required: [role, content, tool_call_id]"),
)
def id_is_required(_: Exchange, x: Exchange) -> Findings:
    """A result that does not say which call it belongs to is refused with a 4xx."""
    if x.ok or (x.crashed):
        yield Finding(
            "not-refused",
            "A result without `tool_call_id` is not refused with a 4xx",
            expected="4xx",
            found=x.status,
            on=x.key,
        )


@beside_plain.should(
    "orphans-are-no-server-error",
    sends=each(*((ANSWERED, orphan) for orphan in ORPHANS.values())),
    spec=ERRORS.at("500", "The server had an error while processing your request"),
    remedy="repair the history in the client: an agent that retries a server error never gets out of it",
)
def orphans_are_no_server_error(_: Exchange, orphan: Exchange) -> Findings:
    """Histories that some servers accept and others refuse never cause a server error.

    A result of no call, a call without a result, arguments that a model broke off: what a target answers is recorded.
    """
    yield Observed(orphan.status, next(name for name, probe in ORPHANS.items() if probe.key == orphan.key))
    if orphan.crashed:
        yield Finding(
            "server-error",
            "An odd history is a server error",
            expected="2xx or 4xx",
            found=orphan.status,
            on=orphan.key,
        )


@area.should(
    "parts-are-read-as-text",
    sends=(ANSWERED, ANSWERED_IN_PARTS),
    spec=REPORTS.at(
        "SGLang",
        "Templates that expect a string render a list of parts as nothing, or as code.",
        "https://github.com/sgl-project/sglang/pull/22595",
    ),
    remedy="send results as strings",
)
def parts_are_read_as_text(plain: Exchange, parts: Exchange) -> Findings:
    """A result in one part takes as many prompt tokens as the same text, give or take four."""
    as_text, in_parts = _prompt_tokens(plain, parts)
    if abs(as_text.value - in_parts.value) > 4:
        yield Finding(
            "tokens-differ",
            "A result in one part takes more or fewer prompt tokens than the same text",
            at=in_parts.pointer,
            expected=as_text,
            found=in_parts,
            on=parts.key,
        )


@area.should(
    "results-reach-the-model",
    sends=(ANSWERED, ANSWERED_AT_LENGTH),
    spec=REPORTS.at(
        "oMLX",
        "Results were taken out before the template saw them, and the model made the same call for ever.",
        "https://github.com/jundot/omlx/pull/789",
    ),
)
def results_reach_the_model(short: Exchange, long: Exchange) -> Findings:
    """A longer result takes more prompt tokens: it is in the prompt."""
    fewer, more = _prompt_tokens(short, long)
    if more.value < fewer.value + 20:
        yield Finding(
            "prompt-not-longer",
            "A result with forty more words does not make the prompt longer",
            at=more.pointer,
            expected="more",
            found=more,
            on=long.key,
        )


def _prompt_tokens(*exchanges: Exchange) -> list[Value]:
    """The prompt tokens of each. Raises Unwitnessed where they are not reported."""
    counts = [x.usage["prompt_tokens"] for x in exchanges]
    if any(count.type != "integer" for count in counts):
        raise Unwitnessed("the server reports no prompt tokens")
    return counts


@area.note("result-is-used", sends=each(ANSWERED, BOTH_ANSWERED))
def result_is_used(x: Exchange) -> Findings:
    """Whether the answer repeats the numbers of the results is noted."""
    numbers = ("21",) if x.probe.key == ANSWERED.key else ("21", "25")
    yield Observed(all(number in x.choice.text for number in numbers), "one" if len(numbers) == 1 else "two")


def calls_nothing(x: Exchange) -> bool:
    """Whether the model calls nothing."""
    return not called(x)


@area.must(
    "last-answer-says-stop",
    sends=each(ANSWERED, BOTH_ANSWERED),
    spec=SPEC.at(
        "CreateChatCompletionResponse.choices.finish_reason",
        "The reason the model stopped generating tokens. "
        "This will be `stop` if the model hit a natural stop point or a provided stop sequence,",
    ),
    witness=calls_nothing,
    tries=2,
)
def last_answer_says_stop(x: Exchange) -> Findings:
    """The answer to the results, if it calls nothing more, has the finish reason `stop`: the agent's loop ends."""
    if x.choice.finish_reason in ("tool_calls", "function_call"):
        yield Finding(
            "other-finish-reason",
            "The finish reason of an answer without calls is not `stop`",
            expected="stop",
            found=x.choice.finish_reason,
        )


@area.note("tools-left-out", sends=ANSWERED_WITHOUT_TOOLS, needs=REPLY)
def tools_left_out(x: Exchange) -> Findings:
    """The answer to results whose tools are not offered again is noted."""
    yield Observed(x.status)
