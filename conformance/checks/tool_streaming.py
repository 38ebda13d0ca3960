"""Tool calls in streams: what the fragments carry, and in which order they come.

What they add up to is in `tool_stream_sums.py`; what holds of calls whole and streamed, in `tools.py` and
`tool_arguments.py`.
"""

from __future__ import annotations

from conformance.core.check import ANYTHING, REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported
from conformance.core.reading.calls import called, called_twice, fragments
from conformance.core.requirement import AI_SDK, MUST, NOTE, OPENAI_PYTHON, REPORTS, SHOULD, SPEC, STRANDS
from conformance.judging.refusal import named
from conformance.probes.tools import (
    BOTH_STREAMED,
    NAMED_STREAMED,
    ORDER_STREAMED,
    PINGED_STREAMED,
    REQUIRED_STREAMED,
    WEATHER_STREAMED,
)

NEEDS = ("tools", "chat.stream")
CHUNK = SPEC.at("ChatCompletionMessageToolCallChunk", "required: [index]")
ADDED_UP = OPENAI_PYTHON.at(
    "chat.completions.stream",
    "Strings of the fragments of a call are added up, ids and names too: one that comes twice is doubled.",
)
FREE_AND_DEMANDED = each(WEATHER_STREAMED, REQUIRED_STREAMED, NAMED_STREAMED)


@check(
    "tool_stream.requests-are-accepted",
    MUST,
    sends=each(WEATHER_STREAMED, BOTH_STREAMED, REQUIRED_STREAMED, NAMED_STREAMED),
    spec=SPEC.at("ChatCompletionStreamResponseDelta.tool_calls", "items: ChatCompletionMessageToolCallChunk"),
    needs=REPLY,
    requires=NEEDS,
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request with tools that asks for a stream is answered with one."""
    if feature := named(x, NEEDS):
        yield Unsupported(f"the server refuses `{feature}`")
    elif not x.ok:
        yield Finding(
            "streamed-request-tools-not-answered",
            "a streamed request with tools is not answered",
            expected="2xx",
            found=x.status,
        )
    elif not x.streamed:
        yield Finding(
            "answer-no-stream",
            "the answer is no stream",
            at="content-type",
            expected="text/event-stream",
            found=x.media_type,
        )


@check(
    "tool_stream.fragments-have-an-index",
    MUST,
    sends=FREE_AND_DEMANDED,
    spec=CHUNK,
    requires=NEEDS,
    witness=called,
    tries=2,
)
def fragments_have_an_index(x: Exchange) -> Findings:
    """Every fragment of a call has an integer `index`."""
    for one in fragments(x):
        if one.value["index"].type != "integer":
            index = one.value["index"]
            yield Finding(
                "fragment-no-index", "the fragment has no index", at=index.pointer, expected="an integer", found=index
            )


@check(
    "tool_stream.indices-count-from-zero",
    MUST,
    sends=each(WEATHER_STREAMED, NAMED_STREAMED, BOTH_STREAMED, PINGED_STREAMED),
    spec=OPENAI_PYTHON.at(
        "chat.completions.stream", "The index is a place in a list: beyond its end is an IndexError."
    ),
    requires=NEEDS,
    witness=called,
    tries=2,
)
def indices_count_from_zero(x: Exchange) -> Findings:
    """The calls of a choice are numbered 0, 1, 2 in the order in which they begin."""
    begun: dict[int, int] = {}
    for one in fragments(x):
        if one.first and one.value["index"].type == "integer":
            wanted = begun.get(one.choice, 0)
            begun[one.choice] = wanted + 1
            if one.index != wanted:
                index = one.value["index"]
                yield Finding(
                    "call-does-not-next-index",
                    "a call does not have the next index",
                    at=index.pointer,
                    expected=wanted,
                    found=index,
                )


@check(
    "tool_stream.first-fragment-introduces-the-call",
    MUST,
    sends=each(WEATHER_STREAMED, REQUIRED_STREAMED, NAMED_STREAMED, BOTH_STREAMED, PINGED_STREAMED),
    spec=AI_SDK.at("doStream", "Without an id and a name in its first fragment, a call is an error."),
    requires=NEEDS,
    witness=called,
    tries=2,
)
def first_fragment_introduces_the_call(x: Exchange) -> Findings:
    """The first fragment of a call has its id, the type `function`, and the name."""
    for one in fragments(x):
        if not one.first:
            continue
        name = one.value["function"]["name"]
        for value in (one.value["id"], name):
            if value.type != "string" or not value:
                yield Finding(
                    "first-fragment-call-lacks-member",
                    "the first fragment of a call lacks a member",
                    at=value.pointer,
                    found=value,
                )
        if one.value["type"].value != "function":
            kind = one.value["type"]
            yield Finding(
                "first-fragment-call-not-type",
                "the first fragment of a call has not the type function",
                at=kind.pointer,
                found=kind,
            )


@check(
    "tool_stream.ids-and-names-come-once",
    MUST,
    sends=each(WEATHER_STREAMED, REQUIRED_STREAMED, NAMED_STREAMED, BOTH_STREAMED),
    spec=ADDED_UP,
    requires=NEEDS,
    witness=called,
    tries=2,
)
def ids_and_names_come_once(x: Exchange) -> Findings:
    """Only the first fragment of a call has an id and a name: clients add repeated ones up.

    A null is no repetition.
    """
    for one in fragments(x):
        for value in (one.value["id"], one.value["function"]["name"]):
            if not one.first and isinstance(one.index, int) and value.type == "string" and value:
                yield Finding(
                    "later-fragment-id-name-again",
                    "a later fragment has an id or a name again",
                    at=value.pointer,
                    expected="absent",
                    found=value,
                )


@check(
    "tool_stream.nothing-empty-comes-later",
    SHOULD,
    sends=FREE_AND_DEMANDED,
    spec=REPORTS.at(
        "lmdeploy",
        "Later fragments have empty ids, and clients that take the last one lose the id of the call.",
        "https://github.com/InternLM/lmdeploy/issues/3412",
    ),
    requires=NEEDS,
    witness=called,
    tries=2,
)
def nothing_empty_comes_later(x: Exchange) -> Findings:
    """Later fragments of a call have no empty id or name."""
    for one in fragments(x):
        for value in (one.value["id"], one.value["function"]["name"]):
            if not one.first and value.value == "":
                yield Finding(
                    "later-fragment-empty-id-name",
                    "a later fragment has an empty id or name",
                    at=value.pointer,
                    expected="absent",
                    found=value,
                )


@check(
    "tool_stream.type-is-never-another",
    MUST,
    sends=FREE_AND_DEMANDED,
    spec=OPENAI_PYTHON.at(
        "chat.completions.stream", "The last type counts: an assertion fails where it is no function."
    ),
    requires=NEEDS,
    witness=called,
    tries=2,
)
def type_is_never_another(x: Exchange) -> Findings:
    """Later fragments of a call have no `type`, or the type `function` again."""
    for one in fragments(x):
        value = one.value["type"]
        if not one.first and not value.absent and value.value != "function":
            yield Finding(
                "later-fragment-another-type",
                "a later fragment has another type",
                at=value.pointer,
                expected="absent or function",
                found=value,
            )


@check(
    "tool_stream.arguments-are-strings",
    MUST,
    sends=FREE_AND_DEMANDED,
    spec=SPEC.at("ChatCompletionMessageToolCallChunk.function.arguments", "type: string"),
    requires=NEEDS,
    witness=called,
    tries=2,
)
def arguments_are_strings(x: Exchange) -> Findings:
    """Where a fragment has `arguments`, they are a piece of text."""
    for one in fragments(x):
        arguments = one.value["function"]["arguments"]
        if not arguments.missing and arguments.type != "string":
            yield Finding(
                "arguments-fragment-no-text",
                "the arguments of a fragment are no text",
                at=arguments.pointer,
                found=arguments,
            )


@check(
    "tool_stream.calls-end-before-the-finish",
    MUST,
    sends=each(WEATHER_STREAMED, BOTH_STREAMED, NAMED_STREAMED),
    spec=STRANDS.at("OpenAIModel.stream", "What comes of a call after the finish reason is lost."),
    requires=NEEDS,
    witness=called,
    tries=2,
)
def calls_end_before_the_finish(x: Exchange) -> Findings:
    """No fragment of a call comes after the chunk with the finish reason."""
    for one in fragments(x):
        if one.finished and not one.finishing:
            yield Finding(
                "fragment-comes-after-finish-reason",
                "a fragment comes after the finish reason",
                at=one.value.pointer,
                found=one.value,
            )


@check(
    "tool_stream.finish-has-a-chunk-of-its-own",
    SHOULD,
    sends=each(WEATHER_STREAMED, BOTH_STREAMED, NAMED_STREAMED),
    spec=REPORTS.at(
        "vLLM",
        "The last piece of the arguments is in the chunk of the finish reason, where clients have stopped reading.",
        "https://github.com/vllm-project/vllm/issues/44098",
    ),
    requires=NEEDS,
    witness=called,
    tries=2,
)
def finish_has_a_chunk_of_its_own(x: Exchange) -> Findings:
    """The chunk with the finish reason has no fragment of a call in it."""
    for one in fragments(x):
        if one.finishing:
            yield Finding(
                "fragment-chunk-finish-reason",
                "a fragment is in the chunk with the finish reason",
                at=one.value.pointer,
                found=one.value,
            )


@check(
    "tool_stream.calls-come-one-after-the-other",
    SHOULD,
    sends=BOTH_STREAMED,
    spec=OPENAI_PYTHON.at("chat.completions.stream", "A call is reported as done once a fragment of another comes."),
    requires=(*NEEDS, "tools.parallel"),
    witness=called_twice,
    tries=2,
)
def calls_come_one_after_the_other(x: Exchange) -> Findings:
    """Once a call has begun, no fragment of an earlier one follows."""
    latest: dict[int, int] = {}
    for one in fragments(x):
        if isinstance(one.index, int):
            if one.index < latest.get(one.choice, 0):
                yield Finding(
                    "fragment-earlier-call-comes-late",
                    "a fragment of an earlier call comes late",
                    at=one.value.pointer,
                    found=one.value,
                )
            latest[one.choice] = max(one.index, latest.get(one.choice, 0))


@check("tool_stream.pieces", NOTE, sends=ORDER_STREAMED, requires=NEEDS, witness=called)
def pieces(x: Exchange) -> Findings:
    """The number of pieces is noted in which the arguments of a long call come: one is legal, and no streaming."""
    yield Observed(sum(1 for one in fragments(x) if one.value["function"]["arguments"]))


@check(
    "tool_stream.runs-to-its-end",
    MUST,
    sends=each(WEATHER_STREAMED, REQUIRED_STREAMED),
    spec=REPORTS.at(
        "vLLM",
        "An error within the server ends the stream in the middle of a call.",
        "https://github.com/vllm-project/vllm/issues/36849",
    ),
    needs=ANYTHING,
    requires=NEEDS,
)
def runs_to_its_end(x: Exchange) -> Findings:
    """A stream with calls is not broken off, and has no error in it."""
    if x.status != 200 or not x.streamed:
        return
    if not x.complete:
        yield Finding(
            "stream-call-broken-off", "the stream of a call is broken off", expected="[DONE]", found=str(x.ending)
        )
    for value in x.data:
        if not value["error"].missing:
            yield Finding(
                "error-stream-call",
                "there is an error in the stream of a call",
                at=value["error"].pointer,
                found=value["error"],
            )
