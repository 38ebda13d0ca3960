"""More about plain answers: that they are whole where nobody asked for less."""

from __future__ import annotations

from conformance.core.check import check, each
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unwitnessed
from conformance.core.requirement import SHOULD, SPEC
from conformance.probes.chat import HELLO, STREAMED

FEW = 260
"""Tokens up to which a limit is no model's window, but a server's default: 16, 20, 100 and 256 are common."""


@check(
    "chat.short-answers-are-not-cut-off",
    SHOULD,
    sends=each(HELLO, STREAMED),
    spec=SPEC.at(
        "CreateChatCompletionResponse.choices.finish_reason",
        "`length` if the maximum number of tokens specified in the request was reached",
    ),
    remedy="Send max_completion_tokens with every request, or raise the server's default.",
)
def short_answers_are_not_cut_off(x: Exchange) -> Findings:
    """An answer is not cut off after a few tokens where the request has no cap."""
    spent = x.usage["completion_tokens"].value
    tokens = spent if isinstance(spent, int) else len((x.choice.text + x.choice.reasoning).split())
    if x.choice.finish_reason != "length":
        return
    if tokens > FEW:
        yield Unwitnessed("the model does not come to an end")
    else:
        yield Finding(
            "answer-cut-off-nothing-cut",
            "an answer is cut off that nothing was to cut",
            expected="stop",
            found={"tokens": tokens},
        )
