"""The way back: calls and their results in the history of the next request.

Variants of a history are judged against a plain one: a server that takes no results at all is another check's business.
"""

from __future__ import annotations

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.probe import Probe
from conformance.core.reading.calls import called
from conformance.core.requirement import ERRORS, MUST, NOTE, OPENAI_PYTHON, REPORTS, SHOULD, SPEC
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


@check(
    "tool_results.requests-are-accepted",
    MUST,
    sends=each(ANSWERED, BOTH_ANSWERED),
    spec=SPEC.at(TOOL_MESSAGE, "required: [role, content, tool_call_id]"),
    needs=REPLY,
    requires="tools",
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A history with calls and their results is answered."""
    if feature := named(x, ("tools",)):
        yield Unsupported(f"the server refuses `{feature}`")
    elif not x.ok:
        yield Finding(
            "history-tool-results-not-answered",
            "a history with tool results is not answered",
            expected="2xx",
            found=x.status,
        )


def taken(plain: Exchange, other: Exchange, finding: str) -> Findings:
    """Whether a server that takes a plain history takes this one as well."""
    if not plain.ok:
        yield Unsupported("the server refuses a plain history with tool results as well")
    elif not other.ok:
        yield Finding("", finding, expected="2xx", found=other.text[:300] or other.status, on=other.key)


def continued(x: Exchange, message: object) -> Probe | str:
    """The next request after an answer: its message in the history, and a result for each of its calls."""
    if not x.ok or not x.choice.calls:
        return "the model made no call"
    say = x.probe.wish["messages"][-1]["content"]
    results = [result(call.id, "21 degrees" if n == 0 else "25 degrees") for n, call in enumerate(x.choice.calls)]
    return chat(messages=[user(say), message, *results], tools=[GET_WEATHER])


def own(x: Exchange) -> Probe | str:
    """The answer's calls, with standard members only."""
    return continued(x, x.choice.wire)


def echo(x: Exchange) -> Probe | str:
    """The answer's message, byte for byte as the server sent it."""
    return continued(x, x.json["choices"][0]["message"].value)


@check(
    "tool_results.own-calls-can-be-answered",
    MUST,
    sends=each((ANSWERED, WEATHER.then(own)), (ANSWERED, BOTH.then(own)), (ANSWERED, WEATHER_STREAMED.then(own))),
    spec=RESPONDING,
    needs=REPLY,
    requires="tools",
)
def own_calls_can_be_answered(plain: Exchange, first: Exchange, second: Exchange) -> Findings:
    """The server takes its own calls back, id and arguments as they were, with the results, whole or streamed.

    Only the members that the contract knows are sent back: no client keeps others.
    """
    yield from taken(plain, second, "the server refuses its own call")


@check(
    "tool_results.own-message-can-be-echoed",
    MUST,
    sends=(ANSWERED, WEATHER.then(echo)),
    spec=OPENAI_PYTHON.at("chat.completions.create", "The message of an answer can be appended to messages as it is."),
    needs=REPLY,
    requires="tools",
)
def own_message_can_be_echoed(plain: Exchange, first: Exchange, second: Exchange) -> Findings:
    """The message of an answer is valid in the next request, with every member that the server put into it."""
    yield from taken(plain, second, "the server refuses its own message")


@check(
    "tool_results.ids-are-opaque", MUST, sends=foreign_ids, spec=RESPONDING, needs=REPLY, requires="tools", examples=6
)
def ids_are_opaque(plain: Exchange, foreign: Exchange) -> Findings:
    """An id of a call is any string: a conversation that began at another server can go on at this one."""
    yield from taken(plain, foreign, "an id of another form is refused")


@check(
    "tool_results.parts-are-accepted",
    MUST,
    sends=(ANSWERED, ANSWERED_IN_PARTS),
    spec=SPEC.at(
        f"{TOOL_MESSAGE}.content",
        "An array of content parts with a defined type. For tool messages, only type `text` is supported.",
    ),
    needs=REPLY,
    requires="tools",
)
def parts_are_accepted(plain: Exchange, parts: Exchange) -> Findings:
    """A result may be a list of text parts."""
    yield from taken(plain, parts, "a result in parts is refused")


@check(
    "tool_results.parts-are-read-as-text",
    SHOULD,
    sends=(ANSWERED, ANSWERED_IN_PARTS),
    spec=REPORTS.at(
        "SGLang",
        "Templates that expect a string render a list of parts as nothing, or as code.",
        "https://github.com/sgl-project/sglang/pull/22595",
    ),
    requires="tools",
    remedy="send results as strings",
)
def parts_are_read_as_text(plain: Exchange, parts: Exchange) -> Findings:
    """A result in one part takes as many prompt tokens as the same text, give or take four."""
    one, other = (x.usage["prompt_tokens"] for x in (plain, parts))
    if one.type != "integer" or other.type != "integer":
        yield Unwitnessed("the server reports no prompt tokens")
    elif abs(one.value - other.value) > 4:
        yield Finding(
            "part-not-read-text",
            "a part is not read as its text",
            at=other.pointer,
            expected=one,
            found=other,
            on=parts.key,
        )


@check(
    "tool_results.result-may-be-empty",
    MUST,
    sends=each(*((ANSWERED, probe) for probe in ANSWERED_WITH_NOTHING)),
    spec=SPEC.at(f"{TOOL_MESSAGE}.content", "The contents of the tool message."),
    needs=REPLY,
    requires="tools",
    remedy='send "ok" or "(no output)" in the place of nothing',
)
def result_may_be_empty(plain: Exchange, empty: Exchange) -> Findings:
    """A tool may return nothing: an empty string, or an empty list in JSON."""
    yield from taken(plain, empty, "an empty result is refused")


@check(
    "tool_results.result-is-any-text",
    SHOULD,
    sends=outputs,
    spec=SPEC.at(f"{TOOL_MESSAGE}.content", "The contents of the tool message."),
    needs=REPLY,
    requires="tools",
    examples=8,
)
def result_is_any_text(plain: Exchange, other: Exchange) -> Findings:
    """A result may be JSON, an error, markup, control characters, or long."""
    yield from taken(plain, other, "a result is refused for its text")


@check(
    "tool_results.results-reach-the-model",
    SHOULD,
    sends=(ANSWERED, ANSWERED_AT_LENGTH),
    spec=REPORTS.at(
        "oMLX",
        "Results were taken out before the template saw them, and the model made the same call for ever.",
        "https://github.com/jundot/omlx/pull/789",
    ),
    requires="tools",
)
def results_reach_the_model(short: Exchange, long: Exchange) -> Findings:
    """A longer result takes more prompt tokens: it is in the prompt."""
    one, other = (x.usage["prompt_tokens"] for x in (short, long))
    if one.type != "integer" or other.type != "integer":
        yield Unwitnessed("the server reports no prompt tokens")
    elif other.value < one.value + 20:
        yield Finding(
            "forty-words-more-make-no",
            "forty words more make no longer prompt",
            at=other.pointer,
            expected="more",
            found=other,
            on=long.key,
        )


@check("tool_results.result-is-used", NOTE, sends=each(ANSWERED, BOTH_ANSWERED), requires="tools")
def result_is_used(x: Exchange) -> Findings:
    """Whether the answer repeats the numbers of the results is noted."""
    wanted = ("21",) if x.probe.key == ANSWERED.key else ("21", "25")
    yield Observed(all(number in x.choice.text for number in wanted), "one" if len(wanted) == 1 else "two")


def silent(x: Exchange) -> bool:
    """Whether the model calls nothing."""
    return not called(x)


@check(
    "tool_results.last-answer-says-stop",
    MUST,
    sends=each(ANSWERED, BOTH_ANSWERED),
    spec=SPEC.at(
        "CreateChatCompletionResponse.choices.finish_reason",
        "The reason the model stopped generating tokens. "
        "This will be `stop` if the model hit a natural stop point or a provided stop sequence,",
    ),
    requires="tools",
    witness=silent,
    tries=2,
)
def last_answer_says_stop(x: Exchange) -> Findings:
    """The answer to the results, where it calls nothing more, has the finish reason `stop`: the agent's loop ends."""
    if x.choice.finish_reason in ("tool_calls", "function_call"):
        yield Finding(
            "last-answer-does-not-say",
            "the last answer does not say stop",
            expected="stop",
            found=x.choice.finish_reason,
        )


@check(
    "tool_results.order-is-free",
    SHOULD,
    sends=(BOTH_ANSWERED, BOTH_ANSWERED_SWAPPED),
    spec=RESPONDING,
    needs=REPLY,
    requires="tools",
)
def order_is_free(plain: Exchange, swapped: Exchange) -> Findings:
    """Results may come in another order than the calls: the ids say what belongs together."""
    yield from taken(plain, swapped, "results in another order are refused")


@check(
    "tool_results.null-calls-are-none",
    SHOULD,
    sends=(EARLIER, EARLIER_NULL),
    spec=REPORTS.at(
        "SWE-agent",
        "Histories that were serialised with every member have tool_calls: null, and were refused.",
        "https://github.com/SWE-agent/SWE-agent/pull/967",
    ),
    needs=REPLY,
)
def null_calls_are_none(plain: Exchange, null: Exchange) -> Findings:
    """`tool_calls: null` in an assistant message is taken as if it were not there."""
    yield from taken(plain, null, "tool_calls: null in the history is refused")


@check(
    "tool_results.id-is-required",
    SHOULD,
    sends=(ANSWERED, ANSWERED_WITHOUT_ID),
    spec=SPEC.at(TOOL_MESSAGE, "required: [role, content, tool_call_id]"),
    needs=REPLY,
    requires="tools",
)
def id_is_required(plain: Exchange, other: Exchange) -> Findings:
    """A result that does not say which call it belongs to is refused with a 4xx."""
    if not plain.ok:
        yield Unsupported("the server refuses a plain history with tool results as well")
    elif other.ok or (other.status is not None and other.status >= 500):
        yield Finding(
            "result-without-tool-call-id",
            "a result without tool_call_id is not refused",
            expected="4xx",
            found=other.status,
            on=other.key,
        )


@check(
    "tool_results.orphans-are-no-server-error",
    SHOULD,
    sends=each(*((ANSWERED, orphan) for orphan in ORPHANS.values())),
    spec=ERRORS.at("500", "The server had an error while processing your request"),
    needs=REPLY,
    requires="tools",
    remedy="repair the history in the client: an agent that retries a server error never gets out of it",
)
def orphans_are_no_server_error(plain: Exchange, orphan: Exchange) -> Findings:
    """Histories that some servers take and others refuse are a server error nowhere.

    A result of no call, a call without a result, arguments that a model broke off: what a target answers is recorded.
    """
    if not plain.ok:
        yield Unsupported("the server refuses a plain history with tool results as well")
        return
    yield Observed(orphan.status, next(name for name, probe in ORPHANS.items() if probe.key == orphan.key))
    if orphan.status is not None and orphan.status >= 500:
        yield Finding(
            "odd-history-server-error",
            "an odd history is a server error",
            expected="2xx or 4xx",
            found=orphan.status,
            on=orphan.key,
        )


@check("tool_results.tools-left-out", NOTE, sends=ANSWERED_WITHOUT_TOOLS, needs=REPLY, requires="tools")
def tools_left_out(x: Exchange) -> Findings:
    """What a server answers to results whose tools are not offered again is noted."""
    yield Observed(x.status)
