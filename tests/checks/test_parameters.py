"""The checks of parameters and of words in schemas, and some of many subjects, where they could be unfair or blind."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from conformance.checks import models, parameters_hints
from conformance.checks.catalogue import catalogue
from conformance.checks.parameters_hints import STORED
from conformance.core.check import Check
from conformance.core.exchange import Exchange
from conformance.core.finding import Kind
from conformance.core.probe import Probe
from conformance.judging.draw import draw
from conformance.probes.chat import HELLO, get
from conformance.probes.keywords import GROUPS, WORDS, Word
from conformance.probes.parameters import COLD, ECHO, HOT
from conformance.reference.instances import instance
from tests.kit.judging import answered, at, judged, refused, replied

LATIN = ["lorem", "ipsum", "dolor", "sit", "amet", "consectetur", "adipiscing", "elit", "sed", "do"]


TEMPERATURE = "parameters.temperature-is-honoured-or-refused"
VARIED = [f"{word} {' '.join(LATIN)}" for word in ("one", "two", "three")]


def chances(cold: list[str | None], hot: list[str | None]) -> list[Exchange]:
    """Answers to the questions at temperature 0, and at 2."""
    return [answered(probe, text) for probe, text in zip((*COLD, *HOT), [*cold, *hot], strict=True)]


@pytest.mark.parametrize(
    ("cold", "hot", "kind"),
    [
        pytest.param(["a b"] * 3, VARIED, Kind.HOLDS, id="honours_it"),
        pytest.param([f"{' '.join(LATIN)} {end}" for end in "xyz"], VARIED, Kind.HOLDS, id="drifts_apart_late"),
        pytest.param(["a b", "a b", "c d"], VARIED, Kind.HOLDS, id="differs_once"),
        pytest.param(["a b"] * 3, ["c d"] * 3, Kind.HOLDS, id="has_one_seed"),
        pytest.param(VARIED, VARIED, Kind.VIOLATED, id="is_always_hot"),
        pytest.param([" ".join(LATIN)] * 3, [" ".join(LATIN)] * 3, Kind.VIOLATED, id="is_always_cold"),
        pytest.param(["a b"] * 3, ["a b"] * 3, Kind.UNWITNESSED, id="is_sure_of_two_words"),
        pytest.param(["", "", ""], ["", "", ""], Kind.UNWITNESSED, id="thinks_until_the_cap"),
        pytest.param([None] * 3, VARIED, Kind.UNWITNESSED, id="says_nothing"),
    ],
)
def test_temperature_is_judged_by_what_cannot_be_chance(cold: list[str], hot: list[str], kind: Kind) -> None:
    """Engines that drift apart after some words, or differ once, are not accused; nor is one that has no text."""
    assert judged(TEMPERATURE, *chances([*cold], [*hot])).kind is kind


def test_what_else_is_refused_says_nothing_of_the_temperature() -> None:
    """A server that refuses the seed may honour the temperature; one that refuses the temperature does not."""
    good = chances([*VARIED], [*VARIED])
    assert judged(TEMPERATURE, refused(COLD[0], "seed"), *good[1:]).kind is Kind.UNWITNESSED
    assert judged(TEMPERATURE, *good[:3], refused(HOT[0], "temperature"), *good[4:]).kind is Kind.UNSUPPORTED
    assert judged(TEMPERATURE, *good[:3], refused(HOT[0], None, status=500), *good[4:]).kind is Kind.UNWITNESSED


def test_a_seed_is_not_accused_where_nothing_is_left_to_chance() -> None:
    """Where every answer is that of temperature 0, another check has found that; other seeds cannot show."""
    name = "parameters.seed-is-honoured-or-refused"
    assert judged(name, *chances(["a b"] * 3, ["a b"] * 3)).kind is Kind.UNWITNESSED
    assert judged(name, *chances(["a b"] * 3, ["c d"] * 3)).kind is Kind.VIOLATED


def test_a_model_that_does_not_repeat_itself_says_nothing_of_penalties() -> None:
    """A penalty for repetition shows only in a text that repeats itself."""
    name = "parameters.frequency-penalty-is-honoured-or-refused"
    penalised = ECHO.asking(frequency_penalty=2)
    assert judged(name, answered(ECHO, "ha ha"), answered(penalised, "ha ha")).kind is Kind.UNWITNESSED
    assert judged(name, answered(ECHO, "ha " * 20), answered(penalised, "ha " * 20)).kind is Kind.VIOLATED


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (refused(HELLO, "moderation"), Kind.UNSUPPORTED),
        (refused(HELLO, None, "Unrecognized request argument: moderation"), Kind.UNSUPPORTED),
        (refused(HELLO, None, "no"), Kind.VIOLATED),
        (refused(HELLO, None, "oh", status=500), Kind.VIOLATED),
        (replied(HELLO, {"detail": "no"}, 400), Kind.UNWITNESSED),
        (replied(HELLO, {"choices": None}), Kind.UNWITNESSED),
        (answered(HELLO, "Hello"), Kind.VIOLATED),
        (answered(HELLO, "Hello", moderation={"input": {}, "output": {}}), Kind.HOLDS),
    ],
)
def test_a_parameter_alone_is_taken_or_refused_by_its_name(reply: Exchange, kind: Kind) -> None:
    """What is no error object, or no answer, is found by other checks, once."""
    asked = Exchange(HELLO.asking(moderation={"model": "x"}), *list(vars(reply).values())[1:])
    assert judged("parameters.moderation-is-honoured-or-refused", asked).kind is kind


@pytest.mark.parametrize("identity", ["../../files", "a/b", "", None, "x" * 300, "%2e%2e", "a?b=c"])
def test_no_path_is_made_of_what_a_server_calls_its_answer(identity: object) -> None:
    """An id becomes part of a path only where it is letters and digits: somebody's key goes with the request."""
    assert isinstance(STORED.steps[0](answered(HELLO, "Hello", id=identity)), str)


def test_a_stored_answer_is_looked_up_and_deleted() -> None:
    """The way of an answer that is kept, and what is noted of it."""
    first = answered(HELLO, "Hello", id="chatcmpl-1")
    look, away = STORED.steps
    reading = look(first)
    assert isinstance(reading, Probe)
    read = replied(reading, {"id": "chatcmpl-1", "metadata": {"purpose": "conformance"}})
    deleting = away(first, read)
    assert isinstance(deleting, Probe)
    assert (deleting.method, deleting.path) == ("DELETE", "chat/completions/chatcmpl-1")
    said = judged("parameters.stored-answers-can-be-read", first, read, replied(deleting, {"deleted": True}))
    assert said.observed == {"store": "honoured", "metadata": "honoured"}


@pytest.mark.parametrize("name", ["/a", "a/../b", "a//b", "a/b?c", "a b/c", ".", "plain", "a/" + "b" * 300])
def test_no_path_is_made_of_just_any_id_in_a_list(name: str) -> None:
    """Ids with a slash are tried as hubs write them, and no others."""
    listing = replied(get("models"), {"object": "list", "data": [{"id": name}]})
    assert not models.id_with_slash(listing)


def test_an_extension_is_known_by_its_effect() -> None:
    """A parameter of others is honoured where the answers show it, whatever the status."""
    name = "structured_outputs"
    asked = HELLO.asking(structured_outputs={"choice": ["ENFORCED"]})
    for text, said in (("ENFORCED", "honoured"), ("Hello", "ignored")):
        found = parameters_hints._effect(name, (answered(HELLO, "Hello"),), (answered(asked, text),))
        assert found == said


# Words of JSON Schema

EVERY = [pytest.param(one, id=f"{group} {one.word}") for group, words in GROUPS.items() for one in words]


def valid(schema: Any, value: Any) -> bool:
    """Whether a value is valid, formats asserted."""
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    return bool(kind(schema, format_checker=kind.FORMAT_CHECKER).is_valid(value))


@pytest.mark.parametrize("one", EVERY)
def test_a_word_forbids_the_value_that_is_asked_for(one: Word) -> None:
    """What the model is tempted to say is invalid for this word alone, and something else is valid."""
    assert not valid(one.schema, one.broken)
    assert valid(one.plain, one.broken)
    assert valid(one.schema, instance(one.schema))
    assert json.loads(one.probe.wish["messages"][0]["content"].removeprefix("Say exactly: ")) == one.broken


NOTES = [check for check in catalogue().values() if check.id.startswith("structured.words-for-")]


@pytest.mark.parametrize("check", NOTES, ids=lambda check: check.id)
def test_every_word_of_a_group_is_drawn(check: Check) -> None:
    """Draws repeat themselves; still none is left out."""
    group = check.id.removeprefix("structured.words-for-")
    drawn = {case[1].key for case in draw(check) if isinstance(case, tuple) and isinstance(case[1], Probe)}
    assert drawn == {one.probe.key for one in GROUPS[group]}


def test_the_server_errors_are_looked_for_in_every_word() -> None:
    """The check over all words draws all of them."""
    assert len(draw(catalogue()["structured.words-are-no-server-error"])) == len(WORDS)


@pytest.mark.parametrize(
    ("fault", "standing"),
    [("response_format-dropped", {"ignored"}), ("structured-refused", {"refused"})],
)
def test_words_are_told_apart_altogether(fault: str, standing: set[str]) -> None:
    """Where formats are dropped every word is ignored, and where they are refused every word is refused."""
    for check in NOTES:
        # what the reference refuses before it is dropped is refused all the same
        found = {*at(fault, check.id).observed.values()} - (
            {"refused"} if fault == "response_format-dropped" else set()
        )
        assert found <= standing, check.id
    assert at(fault, NOTES[0].id).observed


@pytest.mark.parametrize("check", NOTES, ids=lambda check: check.id)
def test_every_word_is_enforced_or_refused_where_a_model_obeys(check: Check) -> None:
    """With a model that does what it is told as far as the schema lets it, nothing is left undecided."""
    assert set(at("schema-obedient-model", check.id).observed.values()) <= {"enforced", "refused"}


def test_words_are_told_apart_one_by_one() -> None:
    """A grammar that knows types and enumerations only ignores bounds, and keeps the rest."""
    strings = at("schema-bounds-ignored", "structured.words-for-strings").observed
    assert set(strings.values()) == {"ignored"}
    assert set(at("schema-bounds-ignored", "structured.words-for-values").observed.values()) == {"enforced"}
    numbers = at("schema-strict-word-500", "structured.words-for-numbers").observed
    assert numbers.pop("multipleOf") == "server error"
    assert set(numbers.values()) == {"enforced"}


PATTERN = GROUPS["strings"][0]
KEPT, BROKEN = (json.dumps(dict.fromkeys("abcd", text)) for text in ("Z1234567Q", "hello"))


@pytest.mark.parametrize(
    ("control", "content", "reason", "standing"),
    [
        pytest.param(BROKEN, KEPT, "stop", "enforced", id="held_back"),
        pytest.param(KEPT, KEPT, "stop", "undecided", id="kept_without_the_word_too"),
        pytest.param(BROKEN, BROKEN, "stop", "ignored", id="broken"),
        pytest.param(KEPT, BROKEN, "stop", "ignored", id="broken_with_the_word_only"),
        pytest.param(BROKEN, "hello", "stop", "ignored", id="no_json"),
        pytest.param("hello", KEPT, "stop", "enforced", id="no_json_without_the_word"),
        pytest.param(BROKEN, KEPT[:20], "length", "undecided", id="cut_off"),
        pytest.param(BROKEN, '{"a": 1}', "stop", "undecided", id="broken_in_another_way"),
        pytest.param(BROKEN, KEPT[:-1] + ', "a": "Z1234567Q"}', "stop", "undecided", id="member_twice"),
    ],
)
def test_a_word_is_judged_beside_the_same_request_without_it(
    control: str, content: str, reason: str, standing: str
) -> None:
    """Only a word that would be broken without it is called enforced, and only one that is broken ignored."""
    cut = answered(PATTERN.probe, content).json.value
    cut["choices"][0]["finish_reason"] = reason
    free = answered(PATTERN.control, control)
    said = judged("structured.words-for-strings", free, replied(PATTERN.probe, cut))
    assert said.observed == {"pattern": standing}


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        ("cap-by-default", "chat.short-answers-are-not-cut-off"),
        ("thoughts-after-the-answer", "stream.thoughts-come-first"),
        ("chunk-fingerprint-number", "stream.members-have-their-types"),
        ("models-slash-404", "models.slashes-in-ids-do-no-harm"),
        ("idempotency-key-refused", "http.further-headers-do-no-harm"),
        ("chunked-request-411", "http.requests-in-pieces-are-accepted"),
        ("compressed-request-500", "http.compressed-requests-do-no-harm"),
        ("tools-over-64-refused", "tools.many-are-accepted"),
        ("content-list-beside-calls", "tools.content-is-text-or-null"),
        ("functions-stream-lost", "tools.legacy-calls-stream"),
        ("image-detail-refused", "multimodal.detail-is-accepted"),
        ("image-second-lost", "multimodal.several-images-are-counted"),
        ("images-many-500", "multimodal.many-images-do-no-harm"),
        ("image-private-address-fetched", "multimodal.private-address-is-refused"),
        ("file-ignored", "multimodal.file-is-not-ignored"),
        ("sources-as-text", "parameters.web-search-options-is-honoured-or-refused"),
        ("audio-without-transcript", "parameters.audio-is-honoured-or-refused"),
        ("moderation-in-part", "parameters.moderation-is-honoured-or-refused"),
    ],
)
def test_faults_of_many_subjects_are_seen(fault: str, check: str) -> None:
    """Each of these checks was seen to fail."""
    assert at(fault, check).kind is Kind.VIOLATED


def test_a_model_with_a_slash_that_is_found_is_no_fault() -> None:
    """Where such a model is listed and found, the check holds; where none is, it says nothing."""
    assert at("models-with-slashes", "models.slashes-in-ids-do-no-harm").kind is Kind.HOLDS
    assert at("hints-refused", "models.slashes-in-ids-do-no-harm").kind is Kind.UNWITNESSED


def test_thoughts_before_the_text_are_no_fault() -> None:
    """A server that shows thoughts, and shows them first."""
    assert at("thoughts-before-the-answer", "stream.thoughts-come-first").kind is Kind.HOLDS
