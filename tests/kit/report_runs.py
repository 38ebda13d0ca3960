"""Runs that nobody ran, written by the suite's own recorder: a usual one, a clean one, a hostile one. Not tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

from conformance.core.exchange import Chunk, Ending, Exchange, How
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.probe import Probe
from conformance.core.requirement import Level
from conformance.core.verdict import Waiver, rule
from conformance.evidence.exchanges import Recording
from conformance.evidence.log import RunLog
from conformance.evidence.record import Result
from conformance.evidence.run import Run, read
from conformance.probes.chat import COUNT_STREAMED, HELLO, STREAMED, chat, get, streamed

USAGE = streamed(HELLO, include_usage=True)
TOO_MANY = chat(n=128)
SEEDED = chat(seed=1)
EVIL = (
    "\x1b[31mred\x1b[0m\x1b]8;;http://evil.example\x07click\x07 <script>alert('xss')</script> [bold red]markup[/] "
    ":smile: {{ 7*7 }} {% raw %} </pre></code><img src=x onerror=alert(1)> \u202egnp.exe\u202c \u200b@everyone #1 "
    "| `code` ```fence``` ~~~ \r\nnew: header\n::error::injected\x00\x9b31m\ud800"
)
"""What a server could say to hurt a reader."""
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

Told = tuple[dict[str, Any], Outcome]


def answer(probe: Probe, body: Any, status: int = 200, target: str = "vllm-local", **more: Any) -> Exchange:
    """A whole answer."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    more = {"headers": (("content-type", "application/json"), ("server", "uvicorn")), "answered": 0.2, **more}
    return Exchange(probe, target, 1_795_000_000.5, status, chunks=(Chunk(0.21, raw),), ended=0.22, **more)


def stream(probe: Probe, *words: str, target: str = "vllm-local", done: bool = True, **more: Any) -> Exchange:
    """A streamed answer, a chunk a word."""
    chunks = []
    for number, word in enumerate(words):
        event = {
            "id": "chatcmpl-8d1f",
            "object": "chat.completion.chunk",
            "created": 1_795_000_000,
            "model": "tiny",
            "choices": [{"index": 0, "delta": {"content": word}, "finish_reason": None}],
        }
        chunks.append(Chunk(0.3 + 0.041 * number, f"data: {json.dumps(event)}\n\n".encode()))
    if done:
        chunks.append(Chunk(0.31 + 0.041 * len(words), b"data: [DONE]\n\n"))
    headers = (("content-type", "text/event-stream; charset=utf-8"), ("transfer-encoding", "chunked"))
    more = {"headers": headers, "answered": 0.28, "ended": chunks[-1].at + 0.002, **more}
    return Exchange(probe, target, 1_795_000_001.0, 200, chunks=tuple(chunks), **more)


def described(check: str, title: str = "It is as it has to be.", level: str = "MUST", **more: Any) -> dict[str, Any]:
    """A check as a run log describes it."""
    return {
        "target": "vllm-local",
        "check": check,
        "level": level,
        "title": title,
        "area": check.partition(".")[0],
        "detail": "",
        "source": {
            "source": "OpenAI API specification 2.3.0",
            "section": "ChatCompletionStreamOptions.include_usage",
            "url": "https://github.com/openai/openai-openapi/blob/f85dbe2/openapi.yaml",
            "quote": "If set, an additional chunk will be streamed before the `data: [DONE]` message.",
            "oracle": "contract",
        },
        "remedy": "",
        "since": "0.1",
        "requires": ["chat"],
        "ended": 1.5,
        **more,
    }


def header(target: str, **more: Any) -> dict[str, Any]:
    """A header of a run log."""
    return {
        "suite": "0.1.0",
        "target": target,
        "kind": "vllm",
        "base_url": "http://127.0.0.1:8000/v1",
        "model": "tiny",
        "started": "2026-11-23T07:00:00Z",
        "claims": None,
        "waives": [],
        "strict": False,
        "selected": 0,
        **more,
    }


def footer(**more: Any) -> dict[str, Any]:
    """A footer of a run log."""
    return {
        "finished": "2026-11-23T07:00:12Z",
        "seconds": 12.3,
        "requests": 97,
        "tokens": {"prompt": 1204, "completion": 988},
        "counts": {},
        "exit": 1,
        **more,
    }


def write(
    directory: Path,
    target: str,
    told: Iterable[Told],
    exchanges: Iterable[Exchange] = (),
    *,
    ends: bool = True,
    exit_code: int = 1,
    **more: Any,
) -> Path:
    """A run directory with these outcomes and exchanges."""
    told = list(told)
    recording, log = Recording(directory), RunLog(directory)
    log.note("begin", header(target, **{"selected": len(told), **more}))
    for x in exchanges:
        recording.append(x)
    for check, outcome in told:
        log.note("outcome", {**check, "target": target, **outcome_line(outcome)})
    if ends:
        log.note("end", footer(exit=exit_code))
    recording.close()
    return directory


def outcome_line(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a line of a run has it."""
    line = Result("a.b", Level.MUST, "", outcome).line()
    return {name: line[name] for name in ("outcome", "reason", "findings", "observed", "evidence", "cause")}  # type: ignore[literal-required]


def by_verdict(outcome: Outcome, level: Level, waiver: Waiver | None) -> tuple[str, str]:
    """The shipped table, on a fixed day."""
    verdict = rule(outcome, level, waiver, today=date(2026, 11, 23))
    return verdict.ruling, verdict.because


def ruled(directory: Path) -> Run:
    """The run in a directory, ruled."""
    return read(directory).ruled(by_verdict)


def lookup(*directories: Path) -> Callable[[Run, str], Exchange | None]:
    """The evidence of these runs."""
    recordings = {directory: Recording(directory) for directory in directories}

    def find(run: Run, key: str) -> Exchange | None:
        recording = recordings.get(run.directory)
        return recording[key] if recording is not None and key in recording else None

    return find


def holds(*probes: Probe, **observed: Any) -> Outcome:
    """Evidence, and nothing found."""
    return Outcome(Kind.HOLDS, observed=observed, evidence=(tuple(probe.key for probe in probes),))


def violated(on: Probe, *findings: Finding) -> Outcome:
    """Findings on one exchange."""
    placed = tuple(
        Finding(one.code, one.message, at=one.at, expected=one.expected, found=one.found, on=one.on or on.key)
        for one in findings
    )
    return Outcome(Kind.VIOLATED, placed, evidence=((on.key,),))


def refused(what: str) -> Outcome:
    """A feature that the server refuses cleanly."""
    return Outcome(Kind.UNSUPPORTED, reason=f"the server refuses `{what}` (400)")


def lost(reason: str, cause: str = "") -> Outcome:
    """No evidence."""
    return Outcome(Kind.ERRORED, reason=reason, cause=cause)


EARLY = "a chunk before the last one has usage that is not null"
CLIENT = {
    "source": "openai-python 3.54",
    "section": "_exceptions.py",
    "url": "https://github.com/openai/openai-python",
    "quote": "reads `code` as text, and compares it",
    "oracle": "client",
}


def vllm(directory: Path) -> Path:
    """A run as a real server gives it: some of everything."""
    error = {"message": "n must be 1 when greedy, got 128.", "type": "BadRequestError", "param": "n", "code": 400}
    whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "tiny", "choices": []}
    model = {"id": "tiny", "object": "model", "created": 1, "owned_by": "vllm"}
    exchanges = [
        answer(HELLO, whole),
        stream(STREAMED, *WORDS),
        stream(USAGE, *WORDS),
        stream(COUNT_STREAMED, *(WORDS * 30), done=False, ending=Ending(How.CUT, "body", "connection reset by peer")),
        answer(TOO_MANY, {"error": error}, 400),
        answer(SEEDED, b"Internal Server Error", 500, headers=(("content-type", "text/plain"),)),
        answer(get("models"), {"object": "list", "data": [model]}),
    ]
    early = [
        Finding(
            "early-usage",
            EARLY,
            at=f"event {number} /usage",
            expected=None,
            found={"prompt_tokens": 9, "total_tokens": 9 + number},
        )
        for number in range(3, 7)
    ]
    told = [
        (
            described("chat.answers", "A chat completion has at least one choice."),
            violated(
                HELLO,
                Finding("no-choices", "there are no choices", at="/choices", expected="one choice or more", found=[]),
            ),
        ),
        (described("chat.object", "`object` is `chat.completion`."), holds(HELLO)),
        (described("models.list", "The list of models is a list."), holds(get("models"))),
        (described("stream.ends-with-done", "A chat stream ends with a `[DONE]` event."), holds(STREAMED)),
        (
            described(
                "stream.usage-chunk",
                "With `include_usage`, only the last chunk has usage.",
                remedy="start vLLM without --enable-force-include-usage",
            ),
            violated(
                USAGE,
                *early,
                Finding(
                    "last-chunk-no-usage", "the last chunk has no usage", at="event 11 /usage", expected="an object"
                ),
            ),
        ),
        (
            described(
                "errors.code-is-text",
                "An error's `code` is text or null.",
                "SHOULD",
                source=CLIENT,
                remedy="read error.code with str()",
            ),
            violated(
                TOO_MANY,
                Finding(
                    "code-error-number",
                    "the code of an error is a number",
                    at="/error/code",
                    expected="text or null",
                    found=400,
                ),
            ),
        ),
        (
            described("errors.type-is-known", "An error's `type` is one that OpenAI has.", "MAY"),
            violated(
                TOO_MANY,
                Finding(
                    "type-openai-does-not",
                    "a type that OpenAI does not have",
                    at="/error/type",
                    found="BadRequestError",
                ),
            ),
        ),
        (described("sampling.n-most", "How many choices one can ask for.", "NOTE"), holds(TOO_MANY, most=1)),
        (
            described("tools.named", "A named tool is called."),
            violated(
                HELLO,
                Finding(
                    "no-tool-called", "no tool was called", at="/choices/0/message/tool_calls", expected="one call"
                ),
            ),
        ),
        (described("auth.wrong-key", "A wrong key is refused."), holds(HELLO)),
        (described("structured.custom", "A custom format is kept."), refused("response_format")),
        (described("tools.custom-text", "A custom tool gets text."), refused("tools")),
        (described("tools.custom-grammar", "A custom tool keeps to its grammar."), refused("tools")),
        (
            described("tools.auto", "A tool is called when asked for."),
            Outcome(Kind.UNWITNESSED, reason="the model did not show it in 3 tries"),
        ),
        (
            described("timeouts.cut", "A stream is not cut."),
            lost("no complete answer: cut (body) connection reset by peer", COUNT_STREAMED.key),
        ),
        (described("chat.bug", "It is read."), lost("our bug: chat.py:12: KeyError: 'choices' at line 17")),
    ]
    told += [
        (described(f"sampling.seed-{number:02}", "A seed is honoured."), lost("answered 500", SEEDED.key))
        for number in range(14)
    ]
    known = {"because": "the model is too small", "owner": "ml-platform", "issue": "https://example.com/1"}
    stale = {"because": "no key in the cluster", "owner": "ml-platform", "issue": None, "until": None}
    waives = [
        {"check": "tools.named", "until": "2027-01-31", **known},
        {"check": "auth.wrong-key", **stale},
    ]
    return write(directory, "vllm-local", told, exchanges, waives=waives, note="stub kernels")


def clean(directory: Path) -> Path:
    """A run with nothing to say."""
    told = [
        (described("chat.answers", "A chat completion has at least one choice."), holds(HELLO)),
        (described("stream.usage-chunk", "With `include_usage`, only the last chunk has usage."), holds(USAGE)),
        (described("errors.code-is-text", "An error's `code` is text or null.", "SHOULD"), holds(TOO_MANY)),
        (described("sampling.n-most", "How many choices one can ask for.", "NOTE"), holds(TOO_MANY, most=128)),
    ]
    exchanges = [
        answer(HELLO, {"choices": [{"index": 0}]}, target="reference"),
        stream(USAGE, *WORDS, target="reference"),
    ]
    return write(directory, "reference", told, exchanges, kind="reference", exit_code=0)


def hostile(directory: Path, words: str = EVIL) -> Path:
    """A run against a server that attacks whoever reads about it, in every string that it controls."""
    probe, gone = chat("hostile"), chat("lost")
    raw = words.encode(errors="surrogatepass")
    headers = (("content-type", words), (words, words))
    exchanges = [
        answer(probe, raw * 400, 200, "evil", headers=headers, model=words),
        stream(STREAMED, *([words] * 3), target="evil", http=words),
        answer(gone, raw, 500, "evil", ending=Ending(How.CUT, words, words)),
    ]
    findings = (
        Finding(words, words, at=f"/{words}", expected=words, found=words),
        Finding("huge-value", "a huge value", at="", expected="something smaller", found={words: [words * 50] * 50}),
        Finding("place-bytes", "a place in the bytes", at=(10, 4000), expected=None, found="x" * 100_000),
    )
    source = {"source": words, "section": words, "url": "javascript:alert(1)", "quote": words, "oracle": "client"}
    told_of: dict[str, Any] = {"title": words, "remedy": words, "source": source, "detail": words}
    told = [
        (described("evil.findings", **told_of), violated(probe, *findings)),
        (described("evil.advice", level="SHOULD", **told_of), violated(STREAMED, *findings)),
        (described("evil.noted", level="MAY", **told_of), violated(STREAMED, *findings)),
        (described("evil.observed", level="NOTE", **told_of), holds(probe, **{words: words})),
        (described("evil.unsupported", **told_of), Outcome(Kind.UNSUPPORTED, reason=words)),
        (described("evil.unwitnessed", **told_of), Outcome(Kind.UNWITNESSED, reason=words)),
        (described("evil.errored", **told_of), lost(words, gone.key)),
        (described("evil.waived", **told_of), violated(probe, *findings)),
    ]
    waives = [{"check": "evil.waived", "because": words, "owner": words, "issue": "javascript:alert(2)", "until": None}]
    url = "http://127.0.0.1/" + words
    return write(directory, "evil", told, exchanges, waives=waives, model=words, note=words, base_url=url)
