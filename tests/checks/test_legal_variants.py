"""Legal variants stay silent: what the contract leaves open is no violation, alone, together, or over a real socket.

HTTP/2 is in `transport/test_http2`: a server has to speak it, and a target to ask for it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.checks.catalogue import catalogue
from conformance.core.exchange import Chunk, Exchange
from conformance.core.finding import Kind, Outcome
from conformance.judging.judge import judge
from conformance.reference.answer import Answer
from conformance.reference.fault import Fault, faults, with_faults
from conformance.reference.serve import serving
from conformance.runner.kill_matrix import Matrix, client, gather, still
from conformance.targets.target import Limits, Timeout
from tests.kit.legal import LEGAL, WITHOUT_EVIDENCE, binding
from tests.kit.servers import Behave, chunked, server
from tests.kit.whole_runs import FEW, head, heard, parts_of, run, sample

DEMANDS: dict[str, tuple[str, ...]] = {
    "extra fields at every level": ("members-added-everywhere", "error-with-more-parts", "usage-details-vendor-keys"),
    "comments and keep-alives": ("comments-everywhere", "comments-while-waiting", "sse-ping-events"),
    "line ends": ("lines-end-crlf", "lines-end-cr", "lines-end-anyhow", "spare-blank-lines"),
    "no space after data:": ("sse-data-no-space",),
    "data in several lines": ("data-in-several-lines",),
    "event ids, retry times, the usual name": ("events-numbered", "events-with-retry", "events-called-message"),
    "any network chunking": ("one-byte-a-read", "odd-reads", "stream-in-one-read", "length-undeclared"),
    "several events a packet": ("llamacpp-two-events-one-read",),
    "arguments in one piece, by character": ("tool-calls-in-one-piece", "text-by-character"),
    "role and content together": ("role-and-content-together",),
    "empty deltas": ("empty-deltas-between", "finish-chunk-with-empty-text", "deltas-with-nulls"),
    "obfuscation": ("control-openai-obfuscation-field",),
    "absent optional fields": ("members-left-out", "optional-members-absent", "usage-without-details"),
    "null for optional fields": ("optional-members-null", "logprobs-without-bytes", "error-code-null"),
    "other styles of ids": ("id-uuid", "ids-of-a-gateway", "ids-long", "tool-ids-of-another-form"),
    "pretty or escaped JSON": ("bodies-indented", "json-escaped", "json-indented", "whitespace-after-the-body"),
    "the order of members": ("members-in-another-order-everywhere", "keys-in-another-order"),
    "compression where accepted": ("gzip-where-accepted", "all-gzip-where-accepted", "all-deflate-where-accepted"),
    "a connection for each answer": ("connection-closes",),
    "clocks": ("clock-ahead", "clock-behind", "models-born-now"),
    "slow answers": ("slow", "fast-after-a-wait", "first-byte-late", "comments-while-waiting"),
    "names of models": ("model-dated", "many-models", "models-more-members"),
    "other words in errors": ("error-in-other-words", "error-type-of-its-own"),
    "headers": ("header-names-capital", "more-headers", "json-charset", "stream-charset", "request-id-of-aws"),
    "clean refusals": ("optional-parameters-refused", "streams-refused", "old-cap-refused", "structured-refused"),
    "thoughts": ("reasoning-chunk-content-empty-string", "gateway-adds-reasoning_details", "thoughts-use-up-the-cap"),
}  # fmt: skip
"""What a server is free in, and the variants that use the freedom."""


@cache
def quick() -> Matrix:
    """A matrix of few requests."""
    return Matrix(sample())


@cache
def full() -> Matrix:
    """The matrix of all checks."""
    return Matrix(catalogue().values())


def test_there_are_variants_of_everything_that_is_free() -> None:
    """Every freedom has a variant that uses it, and every name is one of a legal variant."""
    named = {name for names in DEMANDS.values() for name in names}
    assert named <= set(LEGAL), named - set(LEGAL)


def test_the_sample_is_worth_its_time() -> None:
    """A fifth of the checks share the requests of the quick tests, whole and streamed, with tools and without."""
    assert len(sample()) >= len(catalogue()) // 5
    assert {"chat", "stream", "tools", "usage", "models"} <= {check.area for check in sample()}


@pytest.mark.parametrize("name", LEGAL)
def test_a_variant_alone_is_no_violation(name: str) -> None:
    """What the contract leaves open violates no MUST and no SHOULD, and takes nobody's evidence away."""
    row = quick().row([LEGAL[name]])
    assert not binding(row.violated, name)
    assert not row.errored or name in WITHOUT_EVIDENCE


LINE_ENDS = ("lines-end-crlf", "lines-end-cr", "lines-end-anyhow")
OUTER = (
    "data-in-several-lines", "bodies-indented", "json-escaped", "whitespace-after-the-body",
    "sse-data-no-space", "events-numbered", "events-with-retry", "events-called-message",
    "random-noise-comment-in-stream", "sse-ping-events", "comments-everywhere", "comments-while-waiting",
    "spare-blank-lines", *LINE_ENDS,
    "gzip-where-accepted", "all-gzip-where-accepted", "all-deflate-where-accepted",
    "llamacpp-two-events-one-read", "stream-in-one-read", "length-undeclared", "odd-reads", "one-byte-a-read",
)  # fmt: skip
"""The order of what changes text and bytes: from the JSON to the wire. All others come before them."""
BLANKS = {
    "random-noise-comment-in-stream", "sse-ping-events", "comments-everywhere", "comments-while-waiting",
    "spare-blank-lines",
}  # fmt: skip
"""Variants with blank lines that end no event: together with ids the official client stops on them, which is a MUST."""
LATE = {"first-byte-late", "fast-after-a-wait", "comments-while-waiting"}
APART: tuple[set[str], ...] = (
    {"reasoning-chunk-content-empty-string", "role-and-content-together"},  # the role would come after the thoughts
    {"service_tier-unsaid", "optional-members-absent"},  # the tier cannot be left out twice
    *({"llamacpp-two-events-one-read", late} for late in LATE),  # reads in one have no waits: all would be held back
)
"""Variants that are not planted together."""


INNER = ("error-in-other-words", "error-type-of-its-own")
"""Planted first: refusals that others add must keep naming what they refuse."""


def together(names: Iterable[str]) -> list[Fault]:
    """Variants in the order in which they can be planted together."""

    def place(name: str) -> tuple[int, str]:
        return (OUTER.index(name) if name in OUTER else -2 if name in INNER else -1), name

    return [LEGAL[name] for name in sorted(names, key=place)]


def compatible(names: set[str]) -> bool:
    """Whether variants can be together at all: whether what they make together is legal, too."""
    numbered = "events-numbered" in names and names & BLANKS
    return len(names & set(LINE_ENDS)) <= 1 and not numbered and not any(names >= pair for pair in APART)


combinations = st.sets(st.sampled_from(sorted(LEGAL)), min_size=2, max_size=6).filter(compatible)


def quietly(examples: int) -> settings:
    """Settings of a test that draws combinations: always the same ones, however long they take."""
    every = list(HealthCheck)
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=every)


@quietly(12)
@given(combinations)
def test_variants_together_are_no_violation(names: set[str]) -> None:
    """Any two to six of them at once change nothing about it."""
    row = quick().row(together(names))
    assert not binding(row.violated, *names), names
    assert not row.errored or names & WITHOUT_EVIDENCE, names


@pytest.mark.slow
@quietly(25)
@given(combinations)
def test_variants_together_violate_none_of_all_checks(names: set[str]) -> None:
    """The same over every shipped check."""
    row = full().row(together(names))
    assert not binding(row.violated, *names), names
    assert not row.errored or names & WITHOUT_EVIDENCE, names


def recut(x: Exchange, random: Random, most: int) -> Exchange:
    """The same bytes in other reads of at most so many bytes. A byte arrives no earlier than it did."""
    reads: list[Chunk] = []
    for chunk in x.chunks:
        start = 0
        while start < len(chunk.data):
            end = start + random.randint(1, most)
            reads.append(Chunk(chunk.at, chunk.data[start:end]))
            start = end
    joined: list[Chunk] = []
    for read in reads:
        joins = bool(joined) and random.random() < 0.3
        joined.append(Chunk(read.at, joined.pop().data + read.data) if joins else read)
    return replace(x, chunks=tuple(joined))


def as_judged(outcome: Outcome) -> tuple[Kind, object, str]:
    """What an outcome says."""
    return outcome.kind, outcome.findings, outcome.reason


@pytest.mark.parametrize("faulty", [(), ("stream-in-latin-1",), ("events-without-blank-line", "done-with-space")])
@pytest.mark.parametrize("most", [1, 7, 5000])
def test_how_the_network_cuts_changes_nothing(most: int, faulty: tuple[str, ...]) -> None:
    """The same bytes in other reads, down to one byte, have the same outcomes, also at a server that is at fault."""
    ask, random = client(with_faults(still(), [faults()[name] for name in faulty])), Random(most)
    other = {probe.key: recut(ask(probe), random, most) for probe in FEW}
    for check in sample():
        gathered = gather(check, ask)
        cut = [replace(one, exchanges=tuple(other[x.key] for x in one.exchanges)) for one in gathered]
        assert as_judged(judge(check, cut)) == as_judged(judge(check, gathered)), check.id


# Over a real socket

Render = Callable[[Answer], Iterator[bytes]]


def one_byte_at_a_time(answer: Answer) -> Iterator[bytes]:
    """Each byte is a write, and a packet, of its own: of the headers, too."""
    body = b"".join(parts_of(answer))
    for byte in head(answer, f"content-length: {len(body)}") + body:
        yield bytes([byte])


def chunked_by_the_book(answer: Answer) -> Iterator[bytes]:
    """Chunked, with extensions, leading zeros in sizes, and trailers; names of headers in capitals."""
    yield head(answer, "TRANSFER-ENCODING: chunked", "TRAILER: X-Checksum", capitals=True)
    for data in parts_of(answer):
        yield b'000%X;note="a;b"\r\n%b\r\n' % (len(data), data)
    yield b"0\r\nX-Checksum: 1\r\n\r\n"


def one_byte_chunks(answer: Answer) -> Iterator[bytes]:
    """Chunked, a byte a chunk, all in one write."""
    body = b"".join(chunked(bytes([byte])) for byte in b"".join(parts_of(answer)))
    yield head(answer, "transfer-encoding: chunked") + body + b"0\r\n\r\n"


def closed_at_the_end(answer: Answer) -> Iterator[bytes]:
    """HTTP/1.0: the body ends where the connection does."""
    yield head(answer, version="1.0")
    yield from parts_of(answer)


def hints_before(answer: Answer) -> Iterator[bytes]:
    """Interim answers come before the real one; spaces and tabs around the values of headers."""
    yield b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n"
    body = b"".join(parts_of(answer))
    yield head(answer, f"content-length: \t {len(body)} \t").replace(b"\r\ncontent-type: ", b"\r\ncontent-type:\t")
    yield body


def speaking(render: Render) -> Behave:
    """The reference server, writing its answers so. Whoever writes `HTTP/1.0` closes after each."""
    respond = still()

    def behave(connection: socket.socket, data: bytes) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        written = b""
        for piece in render(respond(heard(data))):
            connection.sendall(piece)
            written = written or piece
        if written.startswith(b"HTTP/1.0"):
            connection.shutdown(socket.SHUT_WR)

    return behave


RENDERERS = (one_byte_at_a_time, chunked_by_the_book, one_byte_chunks, closed_at_the_end, hints_before)


@pytest.mark.parametrize("render", RENDERERS, ids=lambda one: one.__name__)
def test_ways_to_speak_http_are_no_violation(render: Render, tmp_path: Path) -> None:
    """Whatever HTTP/1 allows: the run has the outcomes that it has with a server that speaks plainly."""
    limits = Limits(timeout=Timeout(connect=5, first_byte=5, idle=5, total=20, linger=1), at_once=2)
    with server(speaking(render), keep_alive=True) as base_url:
        outcomes, dead = run(base_url, tmp_path, sample(), limits)
    assert not dead
    plain = {check.id: judge(check, gather(check, client(still()))).kind for check in sample()}
    assert {name: outcome.kind for name, outcome in outcomes.items()} == plain, outcomes


WIRE = (
    "lines-end-crlf", "lines-end-cr", "sse-data-no-space", "comments-everywhere", "spare-blank-lines", "all-gzip-where-accepted",
    "all-deflate-where-accepted", "llamacpp-two-events-one-read", "stream-in-one-read", "length-undeclared", "odd-reads",
    "one-byte-a-read", "connection-closes", "header-names-capital", "more-headers", "text-by-character",
)  # fmt: skip
"""What a network may make of an answer, and what changes how much of it there is: a server in memory has no network."""

on_the_wire = st.sets(st.sampled_from(WIRE), min_size=2, max_size=4).filter(compatible)


def outcomes_over_a_socket(base_url: str, names: Iterable[str]) -> dict[str, Outcome]:
    """What becomes of the sample at the reference server with these variants, asked over HTTP."""
    planted = "+".join(one.id for one in together(names))
    limits = Limits(timeout=Timeout(connect=5, first_byte=20, idle=20, total=60, linger=1), at_once=4)
    with TemporaryDirectory() as directory:
        outcomes, dead = run(base_url.replace("/v1", f"/fault/{planted}/v1"), Path(directory), sample(), limits)
    assert not dead
    return outcomes


def assert_nothing_binding(outcomes: dict[str, Outcome], *variants: str) -> None:
    """No MUST, no SHOULD, and evidence for everything."""
    assert not binding((name for name, one in outcomes.items() if one.kind is Kind.VIOLATED), *variants), outcomes
    assert not [name for name, outcome in outcomes.items() if outcome.kind is Kind.ERRORED], outcomes


@pytest.fixture(scope="module")
def reference() -> Iterator[str]:
    """The reference server on a socket."""
    with serving() as base_url:
        yield base_url


@pytest.mark.parametrize("name", WIRE)
def test_a_variant_over_a_socket_is_no_violation(name: str, reference: str) -> None:
    """What the network makes of an answer, down to a byte a read, changes nothing."""
    assert_nothing_binding(outcomes_over_a_socket(reference, [name]), name)


@quietly(4)
@given(names=on_the_wire)
def test_variants_together_over_a_socket_are_no_violation(names: set[str], reference: str) -> None:
    """Nor do several of them at once."""
    assert_nothing_binding(outcomes_over_a_socket(reference, names), *names)


@pytest.mark.slow
@quietly(40)
@given(names=on_the_wire)
def test_many_variants_together_over_a_socket(names: set[str], reference: str) -> None:
    """The same for many more combinations."""
    assert_nothing_binding(outcomes_over_a_socket(reference, names), *names)
