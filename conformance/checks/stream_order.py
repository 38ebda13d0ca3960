"""The order of the chunks of a stream: the role first, one finish reason per choice, and nothing after it."""

from __future__ import annotations

from typing import Any

from conformance.checks.stream_events import CHUNK, choices
from conformance.core.check import Area, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported, Unwitnessed
from conformance.core.reading.json import Value
from conformance.core.requirement import AI_SDK, OPENAI_PYTHON, REPORTS, SPEC, STRANDS
from conformance.probes.chat import COUNT_STREAMED, STREAMED
from conformance.probes.streams import CAPPED_USAGE, TWO_STREAMED

area = Area("stream", requires="chat.stream")

NO_STREAM = "the answer is not a stream"
THOUGHTS = ("reasoning_content", "reasoning")
"""Where servers put thoughts: OpenAI shows none."""


def by_index(x: Exchange) -> dict[Any, list[Value]]:
    """The choices of all chunks in order, grouped by their index (0 where it is not an integer)."""
    found: dict[Any, list[Value]] = {}
    for choice in choices(x):
        index = choice["index"].value
        found.setdefault(index if isinstance(index, int) else 0, []).append(choice)
    return found


def ended(choice: Value) -> bool:
    """Whether a chunk's choice has a finish reason. An empty string is none."""
    reason = choice["finish_reason"].value
    return isinstance(reason, str) and bool(reason)


def addition(choice: Value) -> Value | None:
    """What a chunk adds to the message: text, a refusal, thoughts or a call; None where it adds nothing."""
    delta = choice["delta"]
    for name in ("content", "refusal", *THOUGHTS, "tool_calls", "function_call"):
        if delta[name]:
            return delta[name]
    return None


@area.must(
    "every-choice-ends",
    sends=each(STREAMED, COUNT_STREAMED),
    spec=AI_SDK.at("doStream", "a stream without a finish reason is an error: it ended without a finish reason"),
    remedy="the official client raises nothing: treat a stream without a finish_reason as one that lost its end",
)
def every_choice_ends(x: Exchange) -> Findings:
    """Every choice of a stream has a chunk with a `finish_reason`."""
    for index, parts in by_index(x).items():
        if not any(ended(choice) for choice in parts):
            yield Finding(
                "no-finish-reason",
                "A choice ends without a finish reason",
                at=parts[-1].pointer,
                found={"index": index},
            )


@area.must(
    "every-choice-ends-once",
    sends=each(STREAMED, CAPPED_USAGE),
    spec=REPORTS.at(
        "openclaude",
        "clients write the message twice, or drop its tool calls",
        "https://github.com/Gitlawb/openclaude/pull/21",
    ),
)
def every_choice_ends_once(x: Exchange) -> Findings:
    """Only one chunk of a choice has a `finish_reason`."""
    for parts in by_index(x).values():
        for second in [choice for choice in parts if ended(choice)][1:]:
            yield Finding(
                "several-finish-reasons",
                "A choice has more than one finish reason",
                at=second.pointer,
                found=second["finish_reason"],
            )


@area.must(
    "nothing-follows-the-finish",
    sends=each(STREAMED, CAPPED_USAGE),
    spec=STRANDS.at("OpenAIModel.stream", "what comes after the finish reason is not read: it is lost"),
)
def nothing_follows_the_finish(x: Exchange) -> Findings:
    """Nothing is added to a message after the `finish_reason` of its choice."""
    for parts in by_index(x).values():
        reasons = [place for place, choice in enumerate(parts) if ended(choice)]
        for choice in parts[reasons[0] + 1 :] if reasons else ():
            if (more := addition(choice)) is not None:
                yield Finding(
                    "content-after-finish", "A message continues after its finish reason", at=more.pointer, found=more
                )


@area.must(
    "role-is-assistant",
    sends=STREAMED,
    spec=AI_SDK.at(
        "chunk schema", "a role other than assistant is a validation error; so was an empty one, until it was forgiven"
    ),
)
def role_is_assistant(x: Exchange) -> Findings:
    """Where a delta has a role, it is `assistant`."""
    for choice in choices(x):
        role = choice["delta"]["role"]
        if not role.missing and role.value != "assistant":
            yield Finding(
                "wrong-role",
                "The role of a delta is not `assistant`",
                at=role.pointer,
                expected="assistant",
                found=role,
            )


@area.should(
    "role-comes-first",
    sends=STREAMED,
    spec=SPEC.at(f"{CHUNK}, example", '"choices":[{"index":0,"delta":{"role":"assistant","content":""}'),
)
def role_comes_first(x: Exchange) -> Findings:
    """The first delta of a choice has the role."""
    for parts in by_index(x).values():
        if parts[0]["delta"]["role"].missing:
            yield Finding(
                "no-role",
                "The first delta of a choice has no role",
                at=parts[0]["delta"].pointer,
                found=parts[0]["delta"],
            )


@area.should(
    "role-comes-once",
    sends=STREAMED,
    spec=OPENAI_PYTHON.at(
        "accumulate_delta", "roles are concatenated like text: the message ends up as `assistantassistant`"
    ),
    remedy="the `.stream()` helper of the official client misreads this: iterate over `create(stream=True)`",
)
def role_comes_once(x: Exchange) -> Findings:
    """Only one delta of a choice has the role."""
    for parts in by_index(x).values():
        roles = [choice["delta"]["role"] for choice in parts if choice["delta"]["role"]]
        if len(roles) > 1:
            yield Finding("repeated-role", "A later delta repeats the role", at=roles[1].pointer, found=roles[1])


@area.may("thoughts-come-first", sends=each(STREAMED, COUNT_STREAMED))
def thoughts_come_first(x: Exchange) -> Findings:
    """Where a stream has thoughts in a member of their own, they come before the text of the answer."""
    answering = thinking = False
    for chunk in x.data:
        delta = chunk["choices"][0]["delta"]
        thought = next((delta[name] for name in THOUGHTS if isinstance(delta[name].value, str) and delta[name]), None)
        if thought is not None and answering:
            yield Finding(
                "thought-after-text", "Thoughts follow the text of the answer", at=thought.pointer, found=thought
            )
            return
        thinking = thinking or thought is not None
        answering = answering or bool(delta["content"])
    if not thinking:
        raise Unwitnessed("the model does not think, or does not show it")


@area.must(
    "choices-are-told-apart",
    sends=TWO_STREAMED,
    requires=("chat.stream", "chat.n"),
    spec=SPEC.at(f"{CHUNK}.choices", "Can contain more than one elements if `n` is greater than 1."),
)
def choices_are_told_apart(x: Exchange) -> Findings:
    """With `n: 2`, a stream has choices with the indices 0 and 1, and both have a finish reason or neither."""
    found = by_index(x)
    if not found:
        raise Unsupported(NO_STREAM)
    if set(found) != {0, 1}:
        yield Finding(
            "wrong-indices", "The indices of the two choices are not 0 and 1", expected=[0, 1], found=sorted(found)
        )
        return
    silent = [index for index, parts in found.items() if not any(ended(choice) for choice in parts)]
    if len(silent) == 1:
        yield Finding(
            "no-finish-reason",
            "Only one of the two choices has a finish reason",
            at=found[silent[0]][-1].pointer,
            found={"index": silent[0]},
        )


@area.note("finish-chunk", sends=CAPPED_USAGE)
def finish_chunk(x: Exchange) -> Findings:
    """The other content of the chunk with the finish reason is recorded, and the content of the first chunk."""
    for parts in by_index(x).values():
        ends = [choice for choice in parts if ended(choice)]
        yield Observed(
            [name for name, value in (ends or parts)[-1]["delta"].items() if value], "beside the finish reason"
        )
        yield Observed(parts[0]["delta"]["content"], "first content")
