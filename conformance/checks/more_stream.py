"""More about streams: thoughts before the answer, what a chunk holds and how much, usage that comes all along."""

from __future__ import annotations

from conformance.core.check import REPLY, check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Observed, Unwitnessed
from conformance.core.requirement import MAY, NOTE, SHOULD, SPEC
from conformance.judging.refusal import named
from conformance.probes.chat import COUNT_STREAMED, HELLO, STREAMED, streamed
from conformance.probes.streams import CAPPED_USAGE, GREEDY_USAGE

THOUGHTS = ("reasoning_content", "reasoning")
"""Where servers put thoughts: OpenAI does not show any."""
CONTINUOUS = streamed(HELLO, include_usage=True, continuous_usage_stats=True)


@check("stream.thoughts-come-first", MAY, sends=each(STREAMED, COUNT_STREAMED), requires="chat.stream")
def thoughts_come_first(x: Exchange) -> Findings:
    """Where a stream has thoughts in a member of their own, they come before the text of the answer."""
    said, seen = False, False
    for chunk in x.data:
        delta = chunk["choices"][0]["delta"]
        thought = next((delta[name] for name in THOUGHTS if isinstance(delta[name].value, str) and delta[name]), None)
        if thought is not None and said:
            yield Finding(
                "thought-follows-text-answer",
                "a thought follows the text of the answer",
                at=thought.pointer,
                found=thought,
            )
            return
        seen = seen or thought is not None
        said = said or bool(delta["content"])
    if not seen:
        yield Unwitnessed("the model does not think, or does not show it")


@check(
    "stream.tokens-per-chunk", NOTE, sends=each(GREEDY_USAGE, CAPPED_USAGE), requires=("chat.stream", "usage.stream")
)
def tokens_per_chunk(x: Exchange) -> Findings:
    """How many tokens a chunk holds, on average."""
    chunks = sum(bool(chunk["choices"][0]["delta"]["content"]) for chunk in x.data)
    spent = x.usage["completion_tokens"].value
    if not chunks or not isinstance(spent, int):
        yield Unwitnessed("there is no text, or it is not counted")
    else:
        yield Observed(round(spent / chunks, 1), "capped" if x.key == CAPPED_USAGE.key else "whole")


@check("stream_options.continuous-usage", NOTE, sends=CONTINUOUS, needs=REPLY, requires="chat.stream")
def continuous_usage(x: Exchange) -> Findings:
    """What becomes of `continuous_usage_stats`, which vLLM has: usage in every chunk, or not, or a refusal."""
    counts = [chunk["usage"].type == "object" for chunk in x.data if chunk["choices"]]
    if not x.ok:
        yield Observed("refused" if named(x) else x.status, "continuous_usage_stats")
    else:
        yield Observed("honoured" if counts and all(counts) else "ignored", "continuous_usage_stats")


MEMBERS = {
    "model": ("string",),
    "service_tier": ("string", "null"),
    "system_fingerprint": ("string", "null"),
    "usage": ("object", "null"),
    "obfuscation": ("string", "null"),
    "moderation": ("object", "null"),
}
"""Members of a chunk beyond those with a check of their own, and their types."""


@check(
    "stream.members-have-their-types",
    SHOULD,
    sends=GREEDY_USAGE,
    requires="chat.stream",
    spec=SPEC.at(
        "CreateChatCompletionStreamResponse",
        "An obfuscation string added to normalize the size of streamed chunks",
    ),
)
def members_have_their_types(x: Exchange) -> Findings:
    """The other documented members of a chunk have the documented types, where they are there."""
    for chunk in x.data:
        parts = [(chunk[name], kinds) for name, kinds in MEMBERS.items()]
        parts += [(choice["logprobs"], ("object", "null")) for choice in chunk["choices"]]
        for value, kinds in parts:
            if not value.absent and value.type not in kinds:
                yield Finding(
                    "member-not-type", "a member has not its type", at=value.pointer, expected=list(kinds), found=value
                )
                return
