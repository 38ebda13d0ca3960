"""In which order the chunks of a stream come: roles first, one finish reason a choice, and nothing after it."""

from __future__ import annotations

from typing import Any

from conformance.checks.stream_events import CHUNK, choices
from conformance.core.check import check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unsupported
from conformance.core.reading.json import Value
from conformance.core.requirement import AI_SDK, MUST, NOTE, OPENAI_PYTHON, REPORTS, SHOULD, SPEC, STRANDS
from conformance.probes.chat import COUNT_STREAMED, STREAMED
from conformance.probes.streams import CAPPED_USAGE, TWO_STREAMED

NO_STREAM = "the answer is not a stream"


def by_index(x: Exchange) -> dict[Any, list[Value]]:
    """The choices of the chunks, in order, by what they give as their index."""
    found: dict[Any, list[Value]] = {}
    for choice in choices(x):
        index = choice["index"].value
        found.setdefault(index if isinstance(index, int) else 0, []).append(choice)
    return found


def ended(choice: Value) -> bool:
    """Whether it says why the choice ended. An empty string does not."""
    reason = choice["finish_reason"].value
    return isinstance(reason, str) and bool(reason)


def said(choice: Value) -> Value | None:
    """What a chunk adds to the message: text, a refusal, thoughts, or a call; None where it adds nothing."""
    delta = choice["delta"]
    for name in ("content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call"):
        if delta[name]:
            return delta[name]
    return None


@check(
    "stream.every-choice-ends",
    MUST,
    sends=each(STREAMED, COUNT_STREAMED),
    requires="chat.stream",
    spec=AI_SDK.at("doStream", "a stream without a finish reason is an error: it ended without a finish reason"),
    remedy="the official client raises nothing: take a stream without a finish_reason for one that lost its end",
)
def every_choice_ends(x: Exchange) -> Findings:
    """A stream says why it ended: one chunk has a `finish_reason`."""
    for index, parts in by_index(x).items():
        if not any(ended(choice) for choice in parts):
            yield Finding(
                "stream-ends-without-finish-reason",
                "the stream ends without a finish reason",
                at=parts[-1].pointer,
                found={"index": index},
            )


@check(
    "stream.every-choice-ends-once",
    MUST,
    sends=each(STREAMED, CAPPED_USAGE),
    requires="chat.stream",
    spec=REPORTS.at(
        "openclaude",
        "clients write the message twice, or drop its tool calls",
        "https://github.com/Gitlawb/openclaude/pull/21",
    ),
)
def every_choice_ends_once(x: Exchange) -> Findings:
    """One chunk of a choice has a `finish_reason`, and only one."""
    for parts in by_index(x).values():
        for again in [choice for choice in parts if ended(choice)][1:]:
            yield Finding(
                "choice-ends-more-than-once",
                "a choice ends more than once",
                at=again.pointer,
                found=again["finish_reason"],
            )


@check(
    "stream.nothing-follows-the-finish",
    MUST,
    sends=each(STREAMED, CAPPED_USAGE),
    requires="chat.stream",
    spec=STRANDS.at("OpenAIModel.stream", "what comes after the finish reason is not read: it is lost"),
)
def nothing_follows_the_finish(x: Exchange) -> Findings:
    """Nothing is added to a message after the `finish_reason` of its choice."""
    for parts in by_index(x).values():
        reasons = [place for place, choice in enumerate(parts) if ended(choice)]
        for choice in parts[reasons[0] + 1 :] if reasons else ():
            if (more := said(choice)) is not None:
                yield Finding(
                    "message-goes-after-finish-reason",
                    "a message goes on after its finish reason",
                    at=more.pointer,
                    found=more,
                )


@check(
    "stream.role-is-assistant",
    MUST,
    sends=STREAMED,
    requires="chat.stream",
    spec=AI_SDK.at(
        "chunk schema",
        "a role other than assistant is a validation error; so was an empty one, until it was forgiven",
    ),
)
def role_is_assistant(x: Exchange) -> Findings:
    """Where a delta has a role, it is `assistant`."""
    for choice in choices(x):
        role = choice["delta"]["role"]
        if not role.missing and role.value != "assistant":
            yield Finding(
                "delta-another-role", "a delta has another role", at=role.pointer, expected="assistant", found=role
            )


@check(
    "stream.role-comes-first",
    SHOULD,
    sends=STREAMED,
    requires="chat.stream",
    spec=SPEC.at(f"{CHUNK}, example", '"choices":[{"index":0,"delta":{"role":"assistant","content":""}'),
)
def role_comes_first(x: Exchange) -> Findings:
    """The first delta of a choice has the role."""
    for parts in by_index(x).values():
        if parts[0]["delta"]["role"].missing:
            yield Finding(
                "first-delta-no-role",
                "the first delta has no role",
                at=parts[0]["delta"].pointer,
                found=parts[0]["delta"],
            )


@check(
    "stream.role-comes-once",
    SHOULD,
    sends=STREAMED,
    requires="chat.stream",
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
            yield Finding("role-comes-again", "the role comes again", at=roles[1].pointer, found=roles[1])


@check(
    "stream.choices-are-told-apart",
    MUST,
    sends=TWO_STREAMED,
    requires=("chat.stream", "chat.n"),
    spec=SPEC.at(f"{CHUNK}.choices", "Can contain more than one elements if `n` is greater than 1."),
)
def choices_are_told_apart(x: Exchange) -> Findings:
    """With `n: 2`, a stream has deltas of the indices 0 and 1, and where one ends, so does the other."""
    found = by_index(x)
    if not found:
        yield Unsupported(NO_STREAM)
        return
    if set(found) != {0, 1}:
        yield Finding("indices-not-0-1", "the indices are not 0 and 1", expected=[0, 1], found=sorted(found))
        return
    silent = [index for index, parts in found.items() if not any(ended(choice) for choice in parts)]
    if len(silent) == 1:
        yield Finding(
            "one-two-choices-no-finish",
            "one of two choices has no finish reason",
            at=found[silent[0]][-1].pointer,
            found={"index": silent[0]},
        )


@check("stream.finish-chunk", NOTE, sends=CAPPED_USAGE, requires="chat.stream")
def finish_chunk(x: Exchange) -> Findings:
    """What the chunk with the finish reason holds beside it, and what the first chunk holds."""
    for parts in by_index(x).values():
        ends = [choice for choice in parts if ended(choice)]
        yield Observed(
            [name for name, value in (ends or parts)[-1]["delta"].items() if value], "beside the finish reason"
        )
        yield Observed(parts[0]["delta"]["content"], "first content")
