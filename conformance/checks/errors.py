"""How errors are reported: by status, in a stream, for a prompt that is too long; and whether the server survives them.

Which requests are refused is in `errors_invalid`, what the error object looks like in `errors_shape`.
"""

from __future__ import annotations

import re
from typing import Any

from conformance.core.check import ANYTHING, REPLY, Area, each
from conformance.core.exchange import Exchange, How
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.probe import Chain, Probe
from conformance.core.reading.json import Value
from conformance.core.requirement import ERRORS, OPENAI_NODE, OPENAI_PYTHON, OVERVIEW, REPORTS, SPEC, STRANDS
from conformance.judging.refusal import message, named
from conformance.probes.chat import GREEDY, HELLO, chat, streamed
from conformance.probes.invalid import HOT, HUGE_CAP, IN_MEMBERS, INVALID, INVALID_STREAMED, NO_CHOICE, NOWHERE
from conformance.probes.malformed import BROKEN
from conformance.probes.structured import BAD_REFERENCE
from conformance.probes.windows import overlong

area = Area("errors", needs=REPLY)


def _holds_error(value: Value) -> bool:
    """Whether this is an error, in OpenAI's shape or another common one, and not a completion."""
    return (
        value.type == "object"
        and "choices" not in value
        and (not value["error"].missing or value["object"].value == "error")
    )


@area.must(
    "status-tells",
    sends=each(*INVALID),
    spec=OPENAI_PYTHON.at("errors", "an error with status 200 raises nothing: it becomes a completion without choices"),
    remedy="Look for an `error` in every answer before reading its choices.",
)
def status_tells(x: Exchange) -> Findings:
    """An answer with a 2xx status is a completion, never an error or nothing."""
    if x.ok and not x.streamed and (x.json.type != "object" or _holds_error(x.json)):
        found = {"status": x.status, "body": x.text[:300]}
        yield Finding(
            "error-with-2xx",
            "An answer with a 2xx status holds an error, or no object at all",
            expected="4xx",
            found=found,
        )


@area.must(
    "huge-cap-is-no-error-event",
    sends=streamed(HUGE_CAP),
    needs=ANYTHING,
    requires="chat.stream",
    spec=OPENAI_NODE.at("streams", "an error event inside a stream of status 200 raises while it is read"),
    remedy="Read the first event of a stream before handing the stream on.",
)
def huge_cap_is_no_error_event(x: Exchange) -> Findings:
    """A streamed request for more tokens than fit is refused by its status or given what fits, not begun and failed."""
    if x.status is None:
        raise Unwitnessed(f"no answer: {x.ending}")
    if 200 <= x.status < 300 and any(_holds_error(value) for value in x.data):
        found = {"status": x.status, "body": x.text[:300]}
        yield Finding(
            "error-event", "The error comes as an event of a stream with a 2xx status", expected="4xx", found=found
        )


@area.must(
    "refused-streams-end",
    sends=each(*INVALID_STREAMED),
    needs=ANYTHING,
    requires="chat.stream",
    spec=REPORTS.at(
        "mistral.rs",
        "n: 0 with a stream got an error text and then nothing: the client waited for its time-out.",
        "https://github.com/EricLBuehler/mistral.rs/issues/1874",
    ),
    remedy="Set a time-out for the gap between two events.",
)
def refused_streams_end(x: Exchange) -> Findings:
    """The answer to an invalid request for a stream ends: the connection is not left open."""
    if x.status is None or x.put_off:
        raise Unwitnessed(f"no answer: {x.status or x.ending}")
    if x.ending.how is How.TIMED_OUT and not x.complete:
        yield Finding(
            "does-not-end", "The answer to an invalid request does not end", expected="4xx", found=str(x.ending)
        )


@area.should(
    "status-is-400",
    sends=each(*IN_MEMBERS),
    spec=ERRORS.at(
        "BadRequestError",
        "Your request was malformed or missing some required parameters, such as a token or an input.",
    ),
    remedy="Catch APIStatusError instead of BadRequestError.",
)
def status_is_400(x: Exchange) -> Findings:
    """A request with an invalid member gets the status 400: the official clients raise BadRequestError for no other."""
    if x.status is None or not 400 <= x.status < 500:
        raise Unwitnessed("the request was not refused with a 4xx")
    if x.status != 400:
        yield Finding("other-status", "The status of the refusal is not 400", expected=400, found=x.status)


MOST = 300_000
"""Tokens of the longest window that is put to the test: beyond, the request alone would be megabytes."""
TOO_LONG = overlong(chat, MOST)
TOO_LONG_STREAMED = overlong(lambda text: streamed(chat(text)), MOST)
FITS = "the prompt fits into the window"


@area.must(
    "overflow-is-refused",
    sends=each(TOO_LONG, TOO_LONG_STREAMED),
    spec=REPORTS.at(
        "llama.cpp",
        "A prompt that was too long was a 500 at times, and the official clients sent it again and again.",
        "https://github.com/ggml-org/llama.cpp/issues/19774",
    ),
    remedy="Count tokens in the client and stay below the window.",
)
def overflow_is_refused(card: Exchange, x: Exchange) -> Findings:
    """A prompt longer than the model's window is refused with a 4xx: neither truncated nor answered with nothing."""
    sent = x.probe.wish["messages"][0]["content"].count(" ") + 1
    read = x.usage["prompt_tokens"].value
    if x.crashed:
        yield Finding(
            "server-error", "A prompt that is too long causes a server error", expected="4xx", found=x.status, on=x.key
        )
    elif not x.ok:
        return  # a refusal, as required
    elif any(_holds_error(value) for value in x.bodies):
        found = {"status": x.status, "body": x.text[:300]}
        yield Finding("error-with-2xx", "The refusal comes with a 2xx status", expected="4xx", found=found, on=x.key)
    elif isinstance(read, int) and read < sent:  # each number is at least one token
        yield Finding(
            "prompt-cut",
            "The prompt is truncated silently",
            at="/usage/prompt_tokens",
            expected=sent,
            found=read,
            on=x.key,
        )
    elif not x.choice.text and not x.choice.reasoning and not x.choice.calls and x.choice.finish_reason != "length":
        yield Finding(
            "empty-answer",
            "A prompt that is too long gets an empty answer",
            expected="4xx",
            found=x.text[:300],
            on=x.key,
        )
    else:
        raise Unwitnessed(FITS)


def _overflow(x: Exchange) -> bool:
    """Whether the model's window is the reason, as far as the status tells: 413 is about the size of the body."""
    return x.status is not None and 400 <= x.status < 500 and x.status != 413


@area.should(
    "overflow-has-its-code",
    sends=TOO_LONG,
    spec=STRANDS.at(
        "overflow", "an error is known for an overflow by `context_length_exceeded`, or by a few known sentences"
    ),
    remedy="Match the message as well: 'maximum context length', 'context length', 'too long'.",
)
def overflow_has_its_code(card: Exchange, x: Exchange) -> Findings:
    """The refusal of a prompt that is too long has the code `context_length_exceeded`."""
    if not _overflow(x) or x.error.type != "object":
        raise Unwitnessed(FITS)
    if x.error["code"].value != "context_length_exceeded":
        yield Finding(
            "other-code",
            "The code is not `context_length_exceeded`",
            at="/error/code",
            expected="context_length_exceeded",
            found=x.error["code"],
            on=x.key,
        )


UNSENT = re.compile(r"max_(?:completion_|new_|output_)?tokens")
LENGTHS = re.compile(r"context|window|length|long|large|exceed|input|prompt|messages", re.IGNORECASE)


@area.should(
    "overflow-blames-no-other-member",
    sends=TOO_LONG,
    spec=REPORTS.at(
        "vLLM",
        "An overflow read 'max_tokens must be at least 1, got -45', though max_tokens was not sent.",
        "https://github.com/vllm-project/vllm/pull/4016",
    ),
)
def overflow_blames_no_other_member(card: Exchange, x: Exchange) -> Findings:
    """The refusal of a prompt that is too long does not only blame a token limit that was never sent."""
    text = message(x)
    if not _overflow(x) or not text:
        raise Unwitnessed(FITS)
    if UNSENT.search(text) and not LENGTHS.search(text):
        yield Finding(
            "blames-unsent-member",
            "The message blames a member that was not sent",
            expected="the length of the prompt",
            found=text[:300],
            on=x.key,
        )


BAD: tuple[Probe | Chain, ...] = (BROKEN, HOT, NO_CHOICE, BAD_REFERENCE, TOO_LONG)


def _after(first: Probe | Chain, nth: int) -> Chain:
    """A good request right after a bad one: a repetition, as the plain request may have been answered before."""
    return first.then(lambda *before: HELLO.again(nth))


@area.must(
    "good-requests-are-answered-after-bad-ones",
    sends=each(*(_after(bad, 30 + at) for at, bad in enumerate(BAD))),
    needs=ANYTHING,
    spec=REPORTS.at(
        "LocalAI, ollama",
        "One request with a broken schema, or one that was too long, ended the server for everybody.",
        "https://github.com/mudler/LocalAI/issues/2938",
    ),
)
def good_requests_are_answered_after_bad_ones(*exchanges: Exchange) -> Findings:
    """The server answers a good request right after a bad one."""
    *_, bad, good = exchanges
    if good.status == 429 or (good.put_off and bad.put_off):
        raise Unwitnessed(f"the server is busy ({good.status})")
    if bad.ending.how is How.UNREACHABLE:
        raise Unwitnessed("the server could not be reached before")
    if not good.ok:
        found = {"bad": bad.status or str(bad.ending), "good": good.status or str(good.ending)}
        yield Finding(
            "not-answered", "A good request after a bad one is not answered", expected="2xx", found=found, on=good.key
        )


def _stop_at_once(x: Exchange) -> Probe | str:
    start = x.choice.text.lstrip()[:1]
    return GREEDY.asking(stop=start) if start and start.isprintable() else "the answer has no text to stop at"


@area.must(
    "an-empty-answer-is-none",
    sends=GREEDY.then(_stop_at_once),
    spec=REPORTS.at(
        "vLLM",
        "An answer without a single token was an internal error.",
        "https://github.com/vllm-project/vllm/pull/1996",
    ),
)
def an_empty_answer_is_none(free: Exchange, x: Exchange) -> Findings:
    """An answer that a stop string ends before its first character is an empty answer, not an error."""
    if x.ok:
        return
    feature = named(x)
    if x.status is not None and x.status < 500 and feature:
        raise Unsupported(f"the server refuses `{feature}` ({x.status})")
    found: dict[str, Any] = {"status": x.status, "message": message(x)}
    yield Finding(
        "empty-answer-fails", "An error comes instead of an empty answer", expected="2xx", found=found, on=x.key
    )


@area.should("unknown-path-is-404", sends=NOWHERE, spec=SPEC.at("ErrorResponse", "required: [error]"))
def unknown_path_is_404(x: Exchange) -> Findings:
    """A path that does not exist gets the status 404 and an error object."""
    if x.status != 404:
        yield Finding("other-status", "The status for an unknown path is not 404", expected=404, found=x.status)
    elif not isinstance(x.error["message"].value, str):
        yield Finding(
            "no-error-object",
            "The refusal of an unknown path has no error object with a message",
            at="/error",
            found=x.text[:300],
        )


REQUEST_IDS = ("x-request-id", "x-amzn-requestid", "request-id", "x-generation-id", "apim-request-id", "cf-ray")


@area.may(
    "name-their-request",
    sends=each(HELLO, HOT),
    spec=OVERVIEW.at("debugging requests", "Unique identifier for this API request (used in troubleshooting)"),
    remedy="vLLM: --enable-request-id-headers.",
)
def name_their_request(x: Exchange) -> Findings:
    """Every answer, also an error, has the id of its request in a header."""
    if not any(x.header(name) for name in REQUEST_IDS):
        yield Finding("no-request-id", "No header has the id of the request", at="x-request-id")


SPENT = ("insufficient_quota", "credit_balance_exhausted", "billing_hard_limit_reached")
"""Codes of a 429 that waiting does not cure: OpenAI sends no `Retry-After` with them."""


@area.should(
    "busy-says-when",
    sends=HELLO,
    needs=ANYTHING,
    spec=SPEC.at("TooManyRequests.headers.Retry-After", "The minimum number of seconds to wait before retrying."),
    remedy="Retry with a growing delay: the official client does, twice within two seconds, and then raises RateLimitError.",
)
def busy_says_when(x: Exchange) -> Findings:
    """An answer of 429 has `Retry-After`."""
    if x.status != 429:
        raise Unwitnessed("the server was not busy")
    if any(x.error[name].value in SPENT for name in ("type", "code")):
        raise Unwitnessed("the account is out of credit, and waiting does not help")
    if not (x.header("retry-after") or x.header("retry-after-ms")):
        yield Finding("no-retry-after", "An answer of 429 does not say when to try again", at="retry-after")
