"""Golden sets: shapes and orders, the set of OpenAI's documents, and sets recorded from a target's answers."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.checks.catalogue import catalogue
from conformance.checks.golden.checks import checks_of
from conformance.checks.golden.order import END, KINDS, Malformed, Order, kind_of, order_of
from conformance.checks.golden.reading import find, read, shipped_directory
from conformance.checks.golden.recorder import Recorder, recorder
from conformance.checks.golden.sets import GoldenSet
from conformance.checks.golden.shape import Pointers, differences, merged, shape_of
from conformance.checks.golden.writing import text_of
from conformance.core.finding import Kind, Outcome
from conformance.core.guard import Guard, Leak
from conformance.core.mistake import Mistake
from conformance.core.reading.json import Value
from conformance.core.requirement import MAY, MUST, SHOULD
from conformance.probes.chat import HELLO, STREAMED
from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.engine import DEFAULT_KEY, responder
from conformance.reference.fault import faults
from conformance.runner.kill_matrix import outcome
from conformance.runner.runner import about
from conformance.targets.target import Target
from conformance.transport.memory import Ask, asking

# Runs within this process forget what they import; what is imported above stays.

MADE = {"target": "reference", "kind": "reference", "model": "reference", "date": "2026-11-23", "suite": "0.1.0"}


@cache
def openai() -> GoldenSet:
    """The set of OpenAI's documents."""
    return read(shipped_directory() / "openai.yaml")


def server(respond: Respond | None = None) -> Ask:
    """A client of a fresh reference server, or of one with a fault in it."""
    return asking(respond or responder(), DEFAULT_KEY, "reference")


def outcomes(golden: GoldenSet, ask: Ask) -> dict[str, Outcome]:
    """What becomes of the checks of a set, by the last part of their ids."""
    return {check.id.split(".", 2)[2]: outcome(check, ask) for check in checks_of(golden)}


def said(golden: GoldenSet, ask: Ask) -> dict[str, set[str]]:
    """What is found, by the last part of ids: code and place."""
    every = outcomes(golden, ask).items()
    return {name: {f"{one.code}: {one.at}" for one in what.findings} for name, what in every if what.findings}


def recorded(ask: Ask, path: Path) -> tuple[GoldenSet, Recorder]:
    """A set as a target's answers make it, written to a directory and read again."""
    made = recorder("mine", path, path)
    lines = made.save({entry.name: ask(entry.probe) for entry in made.template.entries}, MADE, Guard())
    assert lines == [f"golden set `mine`: {len(made.template.entries)} answers recorded in {made.path}"]
    return read(made.path), made


# What OpenAI documents.


def test_every_answer_says_where_it_is_taken_from() -> None:
    """Section, address and words; and every mask its reason."""
    for entry in openai().entries:
        assert entry.source is not None
        assert entry.source.section
        assert entry.source.quote
        assert entry.source.url.startswith("https://")
    assert all(openai().masks.reasons.values())
    assert all(check.level is SHOULD for check in checks_of(openai()))


def test_nothing_is_sent_twice() -> None:
    """Every golden probe is one that a shipped check asks anyway, to the byte."""
    asked = {probe.key for check in catalogue().values() for probe in check.probes}
    assert [entry.name for entry in openai().entries if entry.probe.key not in asked] == []


def test_the_reference_answers_as_documented() -> None:
    """Everything holds, and there is nothing in its answers that the documents have not."""
    for name, what in outcomes(openai(), server()).items():
        assert what.kind is Kind.HOLDS, (name, what.findings, what.reason)
        assert what.observed == {}, name


STRICT = {
    "auth-403",
    "request-id-of-aws",
    "optional-members-absent",
    "optional-members-null",
    "door-endpoint-needs-component",  # the base URL of an endpoint is refused: behind the front door, that is legal
}
"""Variants that clients take well, and that differ from OpenAI's documented answers: 401, the id of a request, and members that
may be left out."""


USUAL = sum(about(one, Target("it", "openai")) for one in catalogue().values())
"""Checks that are about any target: not about one kind alone, nor about two legs."""


def test_legal_variants_are_silent() -> None:
    """What the contract allows departs from no documented answer."""
    loud = {fault.id for fault in faults().values() if fault.legal and said(openai(), server(fault(responder())))}
    assert loud <= STRICT


@pytest.mark.parametrize(
    ("fault", "name", "finding"),
    [
        ("refusal-missing", "chat-whole", "member-missing: /choices/0/message/refusal"),
        ("created-float", "chat-two", "type-differs: /created"),
        ("object-text_completion", "stream", "value-differs: event 0 /object"),
        ("choices-empty-200", "chat-schema", "length-differs: /choices"),
        ("done-missing", "stream", "order-differs: the end of the stream"),
        ("usage-chunk-before-finish", "stream-usage", "order-differs: event 11"),
        ("models-bare-array", "models-list", "type-differs: "),
        ("models-created-as-text", "models-list", "type-differs: /data/0/created"),
    ],
)
def test_planted_faults_are_found_where_they_are(fault: str, name: str, finding: str) -> None:
    """Each is named by its code and its place."""
    assert finding in said(openai(), server(faults()[fault](responder())))[name]


def spoiled(change: Any) -> Ask:
    """A client of the reference with its answers changed by a function of (answer, request)."""
    respond = responder()

    def other(request: Request) -> Answer:
        answer = respond(request)
        change(answer, request)
        return answer

    return server(other)


def test_a_page_in_the_place_of_an_answer_is_one_finding() -> None:
    """Not one for each member that it lacks."""

    def page(answer: Answer, request: Request) -> None:
        answer.body, answer.headers["content-type"] = b"<html></html>", "text/html"

    found = said(openai(), spoiled(page))
    assert found["chat-capped"] == {"header-differs: content-type", "not-json: body"}

    def broken(answer: Answer, request: Request) -> None:
        answer.status, answer.body = 500, {"detail": "Internal Server Error"}

    assert said(openai(), spoiled(broken))["chat-capped"] == {"status-differs: status"}


def test_what_is_in_every_chunk_is_one_finding() -> None:
    """A thousand chunks with one fault have one fault; that of the first is told."""

    def numbers(answer: Answer, request: Request) -> None:
        for chunk in answer.chunks:
            chunk["id"] = 7

    assert said(openai(), spoiled(numbers))["stream"] == {"type-differs: event 0 /id"}


def test_more_than_is_documented_is_only_observed() -> None:
    """By its pointers, whatever the number of choices or chunks."""

    def more(answer: Answer, request: Request) -> None:
        for choice in answer.choices:
            choice["stop_reason"] = None

    for name, what in outcomes(openai(), spoiled(more)).items():
        assert what.kind is Kind.HOLDS
        has_choices = name.startswith(("chat", "stream", "tools"))
        assert what.observed == ({"extra": ["/choices/*/stop_reason"]} if has_choices else {})


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ("models-not-served", {"models-list", "models-one"}),
        ("auth-off", {"error-key"}),
        ("structured-refused", {"chat-schema"}),
        ("logprobs-refused", {"chat-logprobs"}),
    ],
)
def test_what_a_server_does_not_do_is_unsupported(fault: str, names: set[str]) -> None:
    """It is refused cleanly, or no key is asked for: nothing to compare."""
    every = outcomes(openai(), server(faults()[fault](responder())))
    assert {name for name, what in every.items() if what.kind is Kind.UNSUPPORTED} == names


# What was recorded.


def test_a_recorded_set_holds_where_it_was_recorded(tmp_path: Path) -> None:
    """Written, read, and judged by: the same set, and every check of it holds at the next server of the kind."""
    golden, made = recorded(server(), tmp_path)
    assert read(made.path) == golden
    assert [(entry.name, entry.probe.key) for entry in golden.entries] == [
        (entry.name, entry.probe.key) for entry in openai().entries
    ]
    assert dict(golden.made) == MADE
    levels = [check.level for check in checks_of(golden)]
    assert levels == [MUST] * len(golden.entries) + [MAY]
    assert {what.kind for what in outcomes(golden, server()).values()} == {Kind.HOLDS}


def test_a_recorded_set_is_the_same_the_next_day(tmp_path: Path) -> None:
    """Ids, times and what else is masked are not in the file: nothing to see in a diff."""
    first = recorded(server(), tmp_path)[1].path.read_text(encoding="utf-8")
    assert "chatcmpl-" not in first
    assert "Hello from" not in first
    assert recorded(server(), tmp_path)[1].path.read_text(encoding="utf-8") == first


def test_a_recorded_set_sees_what_changed(tmp_path: Path) -> None:
    """What is missing or another is a finding of the answer; what is new, one that is not binding, of its own check."""
    golden, _ = recorded(server(), tmp_path)

    def change(answer: Answer, request: Request) -> None:
        answer.headers.pop("x-request-id")
        if answer.is_chat and answer.events is None:
            del answer.body["service_tier"]
            answer.body["provider"] = "somebody"
        if answer.status == 404:
            answer.body["error"]["code"] = None

    found = said(golden, spoiled(change))
    assert found["chat-whole"] == {"member-missing: /service_tier", "header-missing: x-request-id"}
    assert "type-differs: /error/code" in found["error-model"]
    assert found["nothing-more"] == {"member-new: /provider"}


def test_masks_are_kept_when_a_set_is_recorded_again(tmp_path: Path) -> None:
    """And hold at once: a value that is masked is not compared, whatever the shapes still say."""
    _, made = recorded(server(), tmp_path)

    def names(answer: Answer, request: Request) -> None:
        for holder in (answer.body, *answer.chunks):
            if isinstance(holder, dict) and "service_tier" in holder:
                holder["service_tier"] = "flex"

    text = made.path.read_text(encoding="utf-8").replace("counted:", "  /service_tier: changes with the load\ncounted:")
    assert "value-differs: /service_tier" in said(read(made.path), spoiled(names))["chat-whole"]
    made.path.write_text(text, encoding="utf-8")
    assert said(read(made.path), spoiled(names)) == {}
    assert "/service_tier" in recorded(server(), tmp_path)[0].masks


def test_what_could_not_be_recorded_is_told(tmp_path: Path) -> None:
    """An answer that asks for patience, and one that never came, are left out by name; an empty set is not written."""

    def busy(answer: Answer, request: Request) -> None:
        answer.status = 429

    made = recorder("mine", tmp_path, tmp_path)
    ask = server()
    answers = {"chat-whole": ask(HELLO), "stream": spoiled(busy)(STREAMED)}
    lines = made.save(answers, MADE, Guard())
    assert any(
        line.startswith("not recorded: stream: answered 429") for line in lines
    )  # after waiting, as a collector does
    assert "not recorded: models-list: it was not asked" in lines
    assert [entry.name for entry in read(made.path).entries] == ["chat-whole"]
    made.path.unlink()
    assert made.save({}, MADE, Guard())[-1].endswith("there is nothing in it")
    assert not made.path.exists()


def test_no_secret_gets_into_a_set(tmp_path: Path) -> None:
    """The last lock before the disk."""
    made = recorder("mine", tmp_path, tmp_path)
    with pytest.raises(Leak):
        made.save({"chat-whole": server()(HELLO)}, {**MADE, "model": "canary-4711"}, Guard(("canary-4711",)))
    assert not made.path.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("openai", "is a set of the suite itself"),
        ("My Server", "can be no name of a golden set"),
        ("golden/theirs.yaml", "there is a file already, and it is no golden set"),
        ("golden/by-hand.yaml", "is written by hand"),
    ],
)
def test_nothing_else_is_overwritten(tmp_path: Path, name: str, said: str) -> None:
    """Only what was recorded before is recorded again."""
    (tmp_path / "golden").mkdir()
    (tmp_path / "golden/theirs.yaml").write_text("targets: {}\n", encoding="utf-8")
    text = shipped_directory().joinpath("openai.yaml").read_text(encoding="utf-8")
    (tmp_path / "golden/by-hand.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(Mistake, match=said):
        recorder(name, tmp_path, tmp_path)


# Shapes.


@cache
def answer() -> dict[str, Any]:
    """A whole answer with something of everything in it, and not too much."""
    entry = next(entry for entry in openai().entries if entry.name == "chat-logprobs")
    value: dict[str, Any] = deepcopy(server()(entry.probe).json.value)
    tokens = value["choices"][0]["logprobs"]["content"] = value["choices"][0]["logprobs"]["content"][:2]
    tokens[0]["top_logprobs"], tokens[1]["top_logprobs"] = tokens[0]["top_logprobs"][:1], tokens[1]["top_logprobs"][:2]
    return value


MASKS = openai().masks
PROSE = st.text(max_size=12)


def shuffled(value: Any, draw: Any) -> Any:
    """The same value with its members in another order, and everything masked drawn anew."""

    def walk(inner: Value) -> Any:
        if inner.type == "object":
            return {name: walk(inner[name]) for name in draw(st.permutations(list(inner.value)))}
        if inner.type == "array":
            return [walk(one) for one in inner]
        if inner.pointer in MASKS and inner.type == "string":
            return draw(PROSE)
        if inner.pointer in MASKS and inner.type == "integer":
            return draw(st.integers(0, 2**40))
        return inner.value

    return walk(Value(value))


@given(st.data())
def test_a_shape_does_not_see_what_differs_from_answer_to_answer(data: st.DataObject) -> None:
    """Ids, times, prose, counts of tokens, the order of members, and white space."""
    other = shuffled(answer(), data.draw)
    comma = data.draw(st.sampled_from((",", " , ")))
    text = json.dumps(other, indent=data.draw(st.integers(0, 3)), separators=(comma, " : "))
    shape = shape_of(Value(answer()), MASKS)
    assert shape_of(Value(json.loads(text)), MASKS) == shape
    assert list(differences(shape, Value(other), MASKS)) == []


def places(value: Value) -> list[Value]:
    """Every member of every object in a value that is not masked, at any depth."""
    if value.pointer in MASKS:
        return []
    inner = [one for _, one in value.items()] or list(value)
    return [*(one for _, one in value.items()), *(place for one in inner for place in places(one))]


def at(value: Any, pointer: str) -> tuple[Any, str]:
    """What holds the member at a pointer, and its name."""
    *steps, last = pointer.split("/")[1:]
    for step in steps:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value, last


OTHERS: tuple[Any, ...] = ("text", 7, 0.5, True, None, [], {})


@given(st.data())
def test_a_shape_sees_a_member_that_is_gone_or_of_another_type(data: st.DataObject) -> None:
    """Wherever it is, and says where."""
    place = data.draw(st.sampled_from(places(Value(answer()))))
    shape = shape_of(Value(answer()), MASKS)
    gone, other = deepcopy(answer()), deepcopy(answer())
    holder, name = at(gone, place.pointer)
    del holder[name]
    (found,) = differences(shape, Value(gone), MASKS)
    assert (found.sort, found.at) == ("missing", place.pointer)
    new = data.draw(st.sampled_from([one for one in OTHERS if Value(one).type not in (place.type, "integer")]))
    holder, name = at(other, place.pointer)
    holder[name] = new
    (found,) = differences(shape, Value(other), MASKS)
    assert (found.sort, found.at) == ("type", place.pointer)
    assert shape_of(Value(gone), MASKS) != shape != shape_of(Value(other), MASKS)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.floats(0, 1), st.sampled_from("ab")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)),
    max_leaves=8,
)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_a_merged_shape_has_room_for_all_of_its_values(values: list[Any]) -> None:
    """What one of them lacks is optional, what they differ in is open."""
    shape = merged(shape_of(Value(value)) for value in values)
    assert shape is not None
    for value in values:
        assert list(differences(shape, Value(value))) == []


@given(st.lists(VALUES, min_size=1, max_size=3))
def test_shapes_survive_being_written_down(values: list[Any]) -> None:
    """Whatever is in an answer: what is read again is what was written."""
    shape = merged(shape_of(Value(value)) for value in values)
    entry = openai().entries[0]
    golden = GoldenSet("mine", "recorded", MUST, (type(entry)("a", "it", entry.probe, "200", body=shape),))
    with TemporaryDirectory() as directory:
        path = Path(directory) / "mine.yaml"
        path.write_text(text_of(golden), encoding="utf-8")
        assert read(path).entries == golden.entries


@pytest.mark.parametrize(
    ("pattern", "pointer", "fits"),
    [
        ("/id", "/id", True),
        ("/id", "/data/0/id", False),
        ("/data/*/id", "/data/0/id", True),
        ("/data/*", "/data/0/id", False),
        ("/**/id", "/id", True),
        ("/**/id", "/data/0/id", True),
        ("/**/*_tokens", "/usage/prompt_tokens", True),
        ("/**/*_tokens", "/usage/prompt_tokens_details", False),
        ("/a.b", "/axb", False),
    ],
)
def test_patterns_of_pointers(pattern: str, pointer: str, fits: bool) -> None:
    """A star is within a step, two are any number of steps."""
    assert (pointer in Pointers({pattern: "because"})) is fits


# Orders.


@pytest.mark.parametrize(
    ("text", "kinds", "place", "expected"),
    [
        ("role content+ finish done", "role content content finish done", None, ()),
        ("role content+ finish done", "role finish done", 1, ("content",)),
        ("role content+ finish done", "role content finish", 3, ("done",)),
        ("role content+ finish done", "role content finish done done", 4, (END,)),
        ("role? content* finish usage? done", "finish done", None, ()),
        ("role? content* finish usage? done", "usage done", 0, ("role", "content", "finish")),
        ("role (call (arguments | blank)*)+ finish done", "role call call arguments blank finish done", None, ()),
        ("role (call (arguments | blank)*)+ finish done", "role arguments finish done", 1, ("call",)),
        ("(content done)* finish", "content done content finish", 3, ("done",)),
        ("content?", "", None, ()),
    ],
)
def test_an_order_says_where_it_is_broken(text: str, kinds: str, place: int | None, expected: tuple[str, ...]) -> None:
    """At the first event that cannot come there, with what could have."""
    broken = Order(text).broken(kinds.split())
    assert (broken.place, broken.expected) == (place, expected) if broken else place is None


@pytest.mark.parametrize("text", ["", "role (", "role )", "rolle", "role | ", "+ role", "role ?* %"])
def test_a_malformed_order_is_refused(text: str) -> None:
    """When it is read, not when it is needed."""
    with pytest.raises(Malformed):
        Order(text)


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=12))
def test_the_order_of_a_stream_is_kept_by_it(kinds: list[str]) -> None:
    """And by the same stream with each text and each call in more pieces, but not by one that ends otherwise."""
    order = order_of(kinds)
    assert order.broken(kinds) is None
    twice = ("content", "arguments")
    assert order.broken([one for kind in kinds for one in ([kind, kind] if kind in twice else [kind])]) is None
    early = order.broken([*kinds[:-1], "error" if kinds[-1] != "error" else "done"])
    assert early is not None
    assert early.place == len(kinds) - 1


@pytest.mark.parametrize(
    ("chunk", "kind"),
    [
        ({"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}, "role"),
        ({"choices": [{"delta": {"role": "assistant", "content": "Hello"}}]}, "content"),
        ({"choices": [{"delta": {"refusal": "No."}}]}, "content"),
        ({"choices": [{"delta": {"reasoning_content": "Hm."}}]}, "blank"),
        ({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "call_1"}]}}]}, "call"),
        ({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]}}]}, "arguments"),
        ({"choices": [{"delta": {"tool_calls": [{"id": "call_1"}, {"index": 0}]}}]}, "mixed"),
        ({"choices": [{"delta": {"content": "!"}, "finish_reason": "stop"}]}, "finish"),
        ({"choices": [], "usage": {"total_tokens": 3}}, "usage"),
        ({"choices": [], "prompt_filter_results": []}, "bare"),
        ({"error": {"message": "overloaded"}}, "error"),
        ([1], "other"),
    ],
)
def test_kinds_of_events(chunk: Any, kind: str) -> None:
    """From what they add to the message."""
    assert kind_of(Value(chunk)) == kind


# Files.

ENTRY = """\
origin: recorded
answers:
  hello:
    about: the plainest request
    probe: {path: chat/completions, body: {model: $MODEL}}
    status: 200
"""


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "is empty"),
        ("origin: recorded\n", 1, "has no `answers`"),
        ("answers: [\n", 2, "is not YAML"),
        ("- a\n", 1, "must be a mapping"),
        (ENTRY.replace("recorded", "found"), 1, "must be 'documented' or 'recorded'"),
        (ENTRY.replace("status", "stauts"), 6, "is no key here (did you mean `status`?)"),
        (ENTRY.replace("200", "fine"), 6, "must be a status such as 200"),
        (ENTRY.replace("path:", "pth:"), 5, "is no key here"),
        (ENTRY.replace("hello", "Hello World"), 3, "small letters"),
        (ENTRY + "    body: {members: {id: strng}}\n", 7, "the type `strng`, which is none (did you mean `string`?)"),
        (ENTRY + "    body: {items: string, count: many}\n", 7, "must be a valid integer"),
        (ENTRY + "    body: {optional: true}\n", 7, "says nothing about its type"),
        (ENTRY + "    stream: {order: role content+ ende}\n", 7, "`ende` is no kind of event"),
        (ENTRY + "    headers: {x-request-id: abc}\n", 3, "must be `present`"),
        ("masks: {id: made anew}\n" + ENTRY, 1, "is no pointer"),
        ("level: WILL\n" + ENTRY, 1, "must be 'MUST', 'SHOULD', 'MAY' or 'NOTE'"),
        (ENTRY + "    body: &a {items: *a}\n", 7, "contains itself"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    """And with what was meant."""
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Mistake) as caught:
        read(path)
    assert f"{path}:{line}" in {part.where for part in caught.value.parts}
    assert said in str(caught.value)


def test_a_set_is_found_by_name_or_path(tmp_path: Path) -> None:
    """Beside targets.yaml, in the suite, or where the path says."""
    recorded(server(), tmp_path)
    assert find("mine", tmp_path, tmp_path).path == (tmp_path / "golden/mine.yaml").resolve()
    assert find("openai", tmp_path, tmp_path).entries == openai().entries
    assert find("golden/mine.yaml", Path("/nowhere"), tmp_path).name == "mine"
    with pytest.raises(Mistake, match=r"no golden set `opneai` \(did you mean `openai`\?\); there are mine, openai"):
        find("opneai", tmp_path, tmp_path)
    with pytest.raises(Mistake, match="no such file"):
        find("golden/yours.yaml", tmp_path, tmp_path)


# In a run.


def test_the_reference_answers_as_documented_over_http(pytester: pytest.Pytester) -> None:
    """`--conformance-golden openai` adds its checks, by stable ids, and all of them pass."""
    result = pytester.runpytest("--target", "reference", "--conformance-golden", "openai", "-k", "golden", "-v")
    number = len(openai().entries)
    result.assert_outcomes(passed=number, deselected=USUAL)
    result.stdout.fnmatch_lines([f"golden *{number}"])
    ids = pytester.runpytest(
        "--target", "reference", "--conformance-golden", "openai", "-m", "golden", "--collect-only", "-q"
    )
    ids.stdout.fnmatch_lines(["conformance/golden::golden.openai.chat-whole[[]reference[]]"])


def test_one_golden_check_is_run_by_its_id(pytester: pytest.Pytester) -> None:
    """As it is copied from a report; without the set it is said what is missing."""
    one = "conformance/golden::golden.openai.stream[reference]"
    pytester.runpytest("--target", "reference", "--conformance-golden", "openai", one).assert_outcomes(passed=1)
    result = pytester.runpytest("--target", "reference", one)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*is of no golden set in this run; add --conformance-golden NAME*"])


def test_a_target_is_recorded_and_compared(pytester: pytest.Pytester) -> None:
    """`--conformance-record-golden` writes beside targets.yaml, `--conformance-golden` finds it there; a replay is compared as well."""
    pytester.makefile(".yaml", targets="targets:\n  mine: {kind: reference}\n")
    result = pytester.runpytest("--target", "mine", "--conformance-record-golden", "today", "conformance/models")
    result.stdout.fnmatch_lines([f"golden set `today`: {len(openai().entries)} answers recorded in *golden/today.yaml"])
    assert read(pytester.path / "golden/today.yaml").made["kind"] == "reference"
    compared = pytester.runpytest("--target", "mine", "--conformance-golden", "today", "-k", "golden")
    compared.assert_outcomes(passed=len(openai().entries) + 1, deselected=USUAL)
    *_, run = sorted((pytester.path / "reports/mine").iterdir())
    again = pytester.runpytest("--target", f"replay:{run}", "--conformance-golden", "today", "-k", "golden")
    again.assert_outcomes(passed=len(openai().entries) + 1, deselected=USUAL)


def test_a_departure_from_a_recording_fails_the_run(pytester: pytest.Pytester) -> None:
    """And is told member by member; what is only new does not fail it."""
    golden, made = recorded(server(), pytester.path)
    text = made.path.read_text(encoding="utf-8").replace("system_fingerprint: string", "fingerprint: string", 1)
    made.path.write_text(text, encoding="utf-8")
    result = pytester.runpytest("--target", "reference", "--conformance-golden", golden.name, "-k", "golden")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*golden.mine.chat-whole*MUST*", "*A member is missing*"])
    result.stdout.fnmatch_lines(["*/fingerprint*string*absent*"])
    result.stdout.fnmatch_lines(["*1 failed*1 noted*"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--conformance-golden", "opneai"], "did you mean `openai`?"),
        (["--conformance-record-golden", "openai"], "is a set of the suite itself"),
        (["--conformance-record-golden", "mine", "--target", "other"], "recorded from one target"),
    ],
)
def test_a_wrong_option_is_a_mistake(pytester: pytest.Pytester, options: list[str], said: str) -> None:
    """Before anything is sent."""
    pytester.makefile(".yaml", targets="targets:\n  other: {kind: reference}\n")
    result = pytester.runpytest("--target", "reference", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()
    assert not (pytester.path / "reports").exists()


def test_golden_options_need_a_target(pytester: pytest.Pytester) -> None:
    """Else nothing would happen, and nobody would notice."""
    result = pytester.runpytest("--conformance-golden", "openai")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "add --target NAME" in result.stderr.str()


def test_a_golden_check_can_be_waived(pytester: pytest.Pytester) -> None:
    """Also in runs without the set; a waiver of a check that no set has is a mistake."""
    waiver = "{because: we know, owner: us}"
    text = "targets:\n  mine:\n    kind: reference\n    waives:\n      golden.openai.%s: " + waiver + "\n"
    pytester.path.joinpath("targets.yaml").write_text(text % "stream", encoding="utf-8")
    assert pytester.runpytest("--target", "mine", "conformance/models").ret == pytest.ExitCode.OK
    pytester.path.joinpath("targets.yaml").write_text(text % "straem", encoding="utf-8")
    result = pytester.runpytest("--target", "mine", "conformance/models")
    assert "did you mean `golden.openai.stream`?" in result.stderr.str()
