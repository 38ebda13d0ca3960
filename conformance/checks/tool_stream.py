"""Tool calls in streams: the members of the fragments, and their order.

What they add up to is in `tool_stream_sums.py`; what holds for whole and streamed calls, in `tools.py` and `tool_arguments.py`.
"""

from __future__ import annotations

from conformance.core.check import ANYTHING, REPLY, Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported
from conformance.core.reading.calls import called, called_twice, fragments
from conformance.core.requirement import AI_SDK, OPENAI_PYTHON, REPORTS, SPEC, STRANDS
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
area = Area("tool_stream", requires=NEEDS)
calling = Area("tool_stream", requires=NEEDS, witness=called, tries=2)

FREE_AND_DEMANDED = each(WEATHER_STREAMED, REQUIRED_STREAMED, NAMED_STREAMED)


@area.must(
    "requests-are-accepted",
    sends=each(WEATHER_STREAMED, BOTH_STREAMED, REQUIRED_STREAMED, NAMED_STREAMED),
    spec=SPEC.at("ChatCompletionStreamResponseDelta.tool_calls", "items: ChatCompletionMessageToolCallChunk"),
    needs=REPLY,
)
def requests_are_accepted(x: Exchange) -> Findings:
    """A request with tools that asks for a stream is answered with a stream."""
    if feature := named(x, NEEDS):
        raise Unsupported(f"the server refuses `{feature}`")
    if not x.ok:
        yield Finding("refused", "A valid streamed request with tools is refused", expected="2xx", found=x.status)
    elif not x.streamed:
        yield Finding(
            "not-a-stream",
            "The answer is not a stream",
            at="content-type",
            expected="text/event-stream",
            found=x.media_type,
        )


@calling.must(
    "fragments-have-an-index",
    sends=FREE_AND_DEMANDED,
    spec=SPEC.at("ChatCompletionMessageToolCallChunk", "required: [index]"),
)
def fragments_have_an_index(x: Exchange) -> Findings:
    """Every fragment of a call has an integer `index`."""
    for fragment in fragments(x):
        index = fragment.value["index"]
        if index.type != "integer":
            yield Finding(
                "no-index",
                "The `index` of a fragment is missing or not an integer",
                at=index.pointer,
                expected="an integer",
                found=index,
            )


@calling.must(
    "indices-count-from-zero",
    sends=each(WEATHER_STREAMED, NAMED_STREAMED, BOTH_STREAMED, PINGED_STREAMED),
    spec=OPENAI_PYTHON.at(
        "chat.completions.stream", "The index is a place in a list: beyond its end is an IndexError."
    ),
)
def indices_count_from_zero(x: Exchange) -> Findings:
    """The calls of a choice are numbered 0, 1, 2 in the order in which they begin."""
    begun: dict[int, int] = {}
    for fragment in fragments(x):
        index = fragment.value["index"]
        if fragment.first and index.type == "integer":
            following = begun.get(fragment.choice, 0)
            begun[fragment.choice] = following + 1
            if index.value != following:
                yield Finding(
                    "index-out-of-order",
                    "The index of a new call is not the next number",
                    at=index.pointer,
                    expected=following,
                    found=index,
                )


@calling.must(
    "first-fragment-introduces-the-call",
    sends=each(WEATHER_STREAMED, REQUIRED_STREAMED, NAMED_STREAMED, BOTH_STREAMED, PINGED_STREAMED),
    spec=AI_SDK.at("doStream", "Without an id and a name in its first fragment, a call is an error."),
)
def first_fragment_introduces_the_call(x: Exchange) -> Findings:
    """The first fragment of a call has an id, a name, and the type `function`."""
    for fragment in fragments(x):
        if not fragment.first:
            continue
        for value in (fragment.value["id"], fragment.value["function"]["name"]):
            if value.type != "string" or not value:
                yield Finding(
                    "no-id-or-name", "The first fragment of a call has no id or no name", at=value.pointer, found=value
                )
        kind = fragment.value["type"]
        if kind.value != "function":
            yield Finding(
                "wrong-type",
                "The `type` of the first fragment of a call is not `function`",
                at=kind.pointer,
                found=kind,
            )


@calling.must(
    "ids-and-names-come-once",
    sends=each(WEATHER_STREAMED, REQUIRED_STREAMED, NAMED_STREAMED, BOTH_STREAMED),
    spec=OPENAI_PYTHON.at(
        "chat.completions.stream",
        "Strings of the fragments of a call are added up, ids and names too: one that comes twice is doubled.",
    ),
)
def ids_and_names_come_once(x: Exchange) -> Findings:
    """Only the first fragment of a call has an id and a name, as clients concatenate repeated ones.

    A null is not a repetition.
    """
    for fragment in fragments(x):
        for value in (fragment.value["id"], fragment.value["function"]["name"]):
            if not fragment.first and isinstance(fragment.index, int) and value.type == "string" and value:
                yield Finding(
                    "repeated-id-or-name",
                    "A later fragment repeats the id or the name of its call",
                    at=value.pointer,
                    expected="absent",
                    found=value,
                )


@calling.should(
    "nothing-empty-comes-later",
    sends=FREE_AND_DEMANDED,
    spec=REPORTS.at(
        "lmdeploy",
        "Later fragments have empty ids, and clients that take the last one lose the id of the call.",
        "https://github.com/InternLM/lmdeploy/issues/3412",
    ),
)
def nothing_empty_comes_later(x: Exchange) -> Findings:
    """Later fragments of a call have no empty id or name."""
    for fragment in fragments(x):
        for value in (fragment.value["id"], fragment.value["function"]["name"]):
            if not fragment.first and value.value == "":
                yield Finding(
                    "empty-id-or-name",
                    "A later fragment has an empty id or an empty name",
                    at=value.pointer,
                    expected="absent",
                    found=value,
                )


@calling.must(
    "type-is-never-another",
    sends=FREE_AND_DEMANDED,
    spec=OPENAI_PYTHON.at(
        "chat.completions.stream", "The last type counts: an assertion fails where it is no function."
    ),
)
def type_is_never_another(x: Exchange) -> Findings:
    """Later fragments of a call have no `type`, or the type `function` again."""
    for fragment in fragments(x):
        value = fragment.value["type"]
        if not fragment.first and not value.absent and value.value != "function":
            yield Finding(
                "wrong-type",
                "The `type` of a later fragment is not `function`",
                at=value.pointer,
                expected="absent or function",
                found=value,
            )


@calling.must(
    "arguments-are-strings",
    sends=FREE_AND_DEMANDED,
    spec=SPEC.at("ChatCompletionMessageToolCallChunk.function.arguments", "type: string"),
)
def arguments_are_strings(x: Exchange) -> Findings:
    """Where a fragment has `arguments`, they are a string."""
    for fragment in fragments(x):
        arguments = fragment.value["function"]["arguments"]
        if not arguments.missing and arguments.type != "string":
            yield Finding(
                "not-a-string", "The `arguments` of a fragment are not a string", at=arguments.pointer, found=arguments
            )


@calling.must(
    "calls-end-before-the-finish",
    sends=each(WEATHER_STREAMED, BOTH_STREAMED, NAMED_STREAMED),
    spec=STRANDS.at("OpenAIModel.stream", "What comes of a call after the finish reason is lost."),
)
def calls_end_before_the_finish(x: Exchange) -> Findings:
    """No fragment of a call comes after the chunk with the finish reason."""
    for fragment in fragments(x):
        if fragment.finished and not fragment.finishing:
            yield Finding(
                "fragment-after-finish",
                "A fragment follows the finish reason",
                at=fragment.value.pointer,
                found=fragment.value,
            )


@calling.should(
    "finish-has-a-chunk-of-its-own",
    sends=each(WEATHER_STREAMED, BOTH_STREAMED, NAMED_STREAMED),
    spec=REPORTS.at(
        "vLLM",
        "The last piece of the arguments is in the chunk of the finish reason, where clients have stopped reading.",
        "https://github.com/vllm-project/vllm/issues/44098",
    ),
)
def finish_has_a_chunk_of_its_own(x: Exchange) -> Findings:
    """The chunk with the finish reason has no fragment of a call."""
    for fragment in fragments(x):
        if fragment.finishing:
            yield Finding(
                "fragment-with-finish",
                "The chunk with the finish reason also has a fragment of a call",
                at=fragment.value.pointer,
                found=fragment.value,
            )


@area.should(
    "calls-come-one-after-the-other",
    sends=BOTH_STREAMED,
    spec=OPENAI_PYTHON.at("chat.completions.stream", "A call is reported as done once a fragment of another comes."),
    requires=(*NEEDS, "tools.parallel"),
    witness=called_twice,
    tries=2,
)
def calls_come_one_after_the_other(x: Exchange) -> Findings:
    """Once a call has begun, no fragment of an earlier one follows."""
    latest: dict[int, int] = {}
    for fragment in fragments(x):
        if isinstance(fragment.index, int):
            if fragment.index < latest.get(fragment.choice, 0):
                yield Finding(
                    "calls-interleaved",
                    "A fragment of an earlier call follows the beginning of a later one",
                    at=fragment.value.pointer,
                    found=fragment.value,
                )
            latest[fragment.choice] = max(fragment.index, latest.get(fragment.choice, 0))


@area.note("pieces", sends=ORDER_STREAMED, witness=called)
def pieces(x: Exchange) -> Findings:
    """The number of pieces of the arguments of a long call is recorded: a single one is legal, but is not streaming."""
    yield Observed(sum(bool(fragment.value["function"]["arguments"]) for fragment in fragments(x)))


@area.must(
    "runs-to-its-end",
    sends=each(WEATHER_STREAMED, REQUIRED_STREAMED),
    spec=REPORTS.at(
        "vLLM",
        "An error within the server ends the stream in the middle of a call.",
        "https://github.com/vllm-project/vllm/issues/36849",
    ),
    needs=ANYTHING,
)
def runs_to_its_end(x: Exchange) -> Findings:
    """A stream with calls does not break off, and contains no error."""
    if x.status != 200 or not x.streamed:
        return
    if not x.complete:
        yield Finding("cut-off", "The stream breaks off", expected="[DONE]", found=str(x.ending))
    for value in x.data:
        if not value["error"].missing:
            yield Finding(
                "error-in-stream", "The stream contains an error", at=value["error"].pointer, found=value["error"]
            )
