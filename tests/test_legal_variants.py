"""Legal variants stay silent: what the contract leaves open is no violation, alone, together, or over a real socket.

Not among them is HTTP/2: the suite's client speaks HTTP/1.1 (the HTTP/2 of its library is an extra that is no
dependency), so a server that speaks both is spoken to in HTTP/1.1, and there is nothing to vary.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import Behave, chunked, server

from conformance.check import Check, catalogue
from conformance.exchange import Chunk, Exchange
from conformance.finding import Kind, Outcome
from conformance.judgement import judge
from conformance.matrix import Matrix, client, still
from conformance.reference.answer import Answer, Request
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.fault import Fault, faults, with_faults
from conformance.reference.memory import gather
from conformance.requirement import Level
from conformance.secret import Secret
from conformance.session import Session
from conformance.target import Limits, Target, Timeout

LEGAL = {name: one for name, one in faults().items() if one.legal}

DEMANDS: dict[str, tuple[str, ...]] = {
    "extra fields at every level": ("members-added-everywhere", "chunk-native_finish_reason-extra", "error-with-more-parts"),
    "comments and keep-alives": ("comments-everywhere", "comments-while-waiting", "sse-ping-events"),
    "line ends": ("lines-end-crlf", "lines-end-cr", "lines-end-anyhow", "spare-blank-lines"),
    "no space after data:": ("sse-data-no-space",),
    "data in several lines": ("data-in-several-lines",),
    "event ids, retry times, the usual name": ("events-numbered", "events-with-retry", "events-called-message"),
    "any network chunking": ("one-byte-a-read", "odd-reads", "stream-in-one-read", "length-undeclared"),
    "several events a packet": ("llamacpp-two-events-one-read",),
    "arguments in one piece, by character": ("tool-calls-in-one-piece", "text-by-character", "tool-fragments-share-a-chunk"),
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


def binding(violated: Iterable[str]) -> list[str]:
    """Those of these checks that are a MUST or a SHOULD."""
    return [name for name in violated if catalogue()[name].level in (Level.MUST, Level.SHOULD)]


FEW = 9
"""Requests that the quick tests send: those that most checks read."""


@cache
def sample() -> tuple[Check, ...]:
    """Checks for the quick tests: all that need nothing but the requests that most checks share."""
    counts: dict[str, int] = {}
    listed = [check for check in catalogue().values() if not check.drawn]
    for check in listed:
        for probe in check.probes:
            counts[probe.key] = counts.get(probe.key, 0) + 1
    shared = set(sorted(counts, key=lambda key: -counts[key])[:FEW])
    return tuple(check for check in listed if check.cost == len(check.probes) and {one.key for one in check.probes} <= shared)


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
    assert len(LEGAL) >= 100


def test_the_sample_is_worth_its_time() -> None:
    """A quarter of the checks share the requests of the quick tests, whole and streamed, with tools and without."""
    assert len(sample()) >= len(catalogue()) // 4
    assert {"chat", "stream", "tools", "usage", "models"} <= {check.area for check in sample()}


@pytest.mark.parametrize("name", LEGAL)
def test_a_variant_alone_is_no_violation(name: str) -> None:
    """What the contract leaves open violates no MUST and no SHOULD, and takes nobody's evidence away."""
    row = quick().row([LEGAL[name]])
    assert not binding(row.violated)
    assert not row.errored


@pytest.mark.slow
@pytest.mark.parametrize("name", LEGAL)
def test_a_variant_alone_violates_none_of_all_checks(name: str) -> None:
    """The same over every shipped check."""
    row = full().row([LEGAL[name]])
    assert not binding(row.violated)
    assert not row.errored
