"""The account of what is covered agrees with the catalogue, and the table of parameters with what servers do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.analysis.coverage import Coverage, Sign, blocks, chosen, coverage, gaps, load, summary, to_json
from conformance.analysis.parameters import FIRST, Standing, rows, table
from conformance.checks.catalogue import catalogue
from conformance.checks.codes import codes
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.mistake import Mistake
from conformance.evidence.record import Header, Result
from conformance.evidence.run import Run
from conformance.reference.fault import Fault, faults
from conformance.runner.kill_matrix import client, outcome, still

HOME = Path(__file__).parent.parent.parent
SECTIONS = {
    "M": 13, "C": 28, "R": 34, "P": 35, "L": 11, "U": 12, "S": 37, "O": 8, "T": 51, "TS": 15, "TR": 13, "J": 28,
    "E": 29, "A": 20, "K": 15, "X": 8,
}  # fmt: skip
"""How many behaviours each area has: all of them are accounted for, under the numbers that they have."""
LINES = [f"{area}{number:02}" for area, most in SECTIONS.items() for number in range(1, most + 1)]
REQUEST = 37
"""Members of a chat completion request in the specification."""
MEMBERS = {
    "answer": "id object created model choices usage service_tier system_fingerprint metadata moderation",
    "message": "role content refusal tool_calls annotations function_call audio",
    "chunk": "id object created model choices usage service_tier system_fingerprint obfuscation moderation",
    "usage": "prompt_tokens completion_tokens total_tokens",
    "embeddings": "object data data.object data.index data.embedding model usage",
    "completions": "id object created model choices choices.text choices.index choices.logprobs choices.finish_reason usage",
    "error": "error error.message error.type error.param error.code",
}
"""Members that the specification gives to answers, and which therefore have to be in the account."""


def test_every_behaviour_is_accounted_for() -> None:
    """Each number has its line, in order, in words of its own, with checks or with a reason."""
    lines = coverage().lines
    assert [line.id for line in lines] == LINES
    assert all(len(line.says) > 10 for line in lines)
    assert all(len(line.excluded) > 15 for line in lines if line.kind == "excluded")
    assert sum(line.kind == "excluded" for line in lines) <= 30


def test_the_account_and_the_catalogue_agree() -> None:
    """No id that does not exist, no check that upholds nothing."""
    assert list(gaps(coverage(), catalogue())) == []


def test_every_member_of_a_request_and_of_an_answer_is_there() -> None:
    """All 37 request parameters, and the members of answers, messages, chunks and errors."""
    account = coverage()
    assert len(account.parameters) == REQUEST
    fields = {(entry.section, entry.id) for entry in account.fields}
    assert {(place, name) for place, names in MEMBERS.items() for name in names.split()} <= fields
    assert {name for name in account.signs if not account.signs[name]} == {"messages", "model"}


def test_tests_that_are_named_exist() -> None:
    """A behaviour of the suite itself is upheld by a file of tests that is there."""
    for entry in coverage().entries:
        for name in entry.tests:
            assert (HOME / name).is_file(), name


def test_signs_are_what_checks_say() -> None:
    """Each code that stands for an ignored parameter is one of the check's."""
    for name, signs in coverage().signs.items():
        for sign in signs:
            assert {*sign.ignored, *sign.accepted} <= codes(catalogue()[sign.check]).keys(), (name, sign.check)


def test_a_prefix_chooses_lines_and_checks() -> None:
    """Entries are chosen by their id, their section, or the checks that uphold them."""
    account = coverage()
    assert {entry.id for entry in chosen(account, ["M0"])} == {f"M{number:02}" for number in range(1, 10)}
    assert {entry.section for entry in chosen(account, ["chunk"])} == {"chunk"}
    assert "verbosity" in {entry.id for entry in chosen(account, ["parameters.verbosity"])}
    assert chosen(account, []) == account.entries
    assert to_json(chosen(account, ["M04"])) == [
        {"id": "M04", "section": "Models", "says": "No id is listed twice", "checks": ["models.ids-differ"]}
    ]
    assert "left out" in summary(account.entries, len(catalogue()))
    assert len(list(blocks(account.lines, {}))) == 3 * len(SECTIONS)


GOOD = "lines: {A: {A01: {says: x, checks: [a.b]}}}\nparameters: {}\nfields: {}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "yaml:1: is empty"),
        ("{", "yaml:1: is not YAML"),
        ("lines: {}\nparameters: {}\n", "has no `fields`"),
        (GOOD.replace("checks: [a.b]", "checks: []"), "either covered"),
        (GOOD.replace("checks: [a.b]", "checks: [a.b], excluded: why"), "either covered"),
        (GOOD.replace("checks", "cheques"), "yaml:1: lines.A.A01.cheques is no key here"),
        (GOOD + "beyond: all\n", "yaml:4: beyond must be a list"),
        (GOOD + "beyond: [a.b, a.b]\n", "has a.b twice"),
        (
            GOOD.replace("parameters: {}", "parameters: {n: {checks: [a.b], shown: [{check: a.b, held: dear}]}}"),
            "parameters.n.shown.0.held must be 'honoured' or 'accepted'",
        ),
    ],
)
def test_a_broken_account_is_refused(text: str, said: str, tmp_path: Path) -> None:
    """What is wrong with it is said, with the file."""
    path = tmp_path / "coverage.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Mistake, match=said) as caught:
        load(path)
    assert str(path) in str(caught.value)


def test_gaps_are_named(tmp_path: Path) -> None:
    """An id that does not exist, and a check that nothing names."""
    path = tmp_path / "coverage.yaml"
    path.write_text(GOOD, encoding="utf-8")
    said = list(gaps(load(path), ["c.d"]))
    assert len(said) == 2
    assert "A01 names the check `a.b`, which does not exist" in said
    assert any("`c.d` upholds nothing" in one for one in said)


def run(**outcomes: Outcome) -> Run:
    """A run with these outcomes; `__` in a name stands for a dot, `_` for a hyphen."""
    results = []
    for name, one in outcomes.items():
        check = catalogue()[name.replace("__", ".").replace("_", "-")]
        results.append(Result(check.id, check.level, check.title, one))
    return Run(Path("nowhere"), Header("t"), tuple(results))


def at(fault: Fault | None, *names: str) -> dict[str, Standing]:
    """The table of the reference server with a fault, for some parameters."""
    ask = client(fault(still()) if fault else still())
    account = coverage()
    signs = {sign.check for name in names or account.signs for sign in account.signs[name]}
    results = [Result(one, catalogue()[one].level, "", outcome(catalogue()[one], ask)) for one in sorted(signs)]
    found = table(Run(Path("nowhere"), Header("t"), tuple(results)))
    return {name: found[name] for name in names} if names else found


def test_the_table_of_the_reference_server() -> None:
    """It honours what has an effect, refuses by name what it does not do, and keeps nothing that it is to store."""
    found = at(None)
    assert len(found) == REQUEST - 2
    by = {standing: {name for name, one in found.items() if one is standing} for standing in Standing}
    assert by[Standing.REFUSED] == {"audio", "modalities", "moderation", "web_search_options"}
    assert by[Standing.IGNORED] == {"store"}
    assert by[Standing.UNKNOWN] == set()
    assert by[Standing.ACCEPTED] == {
        "metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
        "reasoning_effort", "safety_identifier", "service_tier", "user", "verbosity",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "name", "standing"),
    [
        ("temperature-ignored", "temperature", Standing.IGNORED),
        ("top_p-ignored", "top_p", Standing.IGNORED),
        ("seed-ignored", "seed", Standing.IGNORED),
        ("seed-always-the-same", "seed", Standing.IGNORED),
        ("stop-string-ignored", "stop", Standing.IGNORED),
        ("stop-not-supported-error", "stop", Standing.REFUSED),
        ("n-ignored", "n", Standing.IGNORED),
        ("one-choice-only", "n", Standing.REFUSED),
        ("n-numbered-from-1", "n", Standing.UNKNOWN),
        ("logit_bias-ignored", "logit_bias", Standing.IGNORED),
        ("max_tokens-ignored", "max_tokens", Standing.IGNORED),
        ("max_completion_tokens-rejected", "max_completion_tokens", Standing.REFUSED),
        ("response_format-dropped", "response_format", Standing.IGNORED),
        ("structured-refused", "response_format", Standing.REFUSED),
        ("frequency_penalty-ignored", "frequency_penalty", Standing.IGNORED),
        ("presence_penalty-ignored", "presence_penalty", Standing.IGNORED),
        ("top_logprobs-ignored", "top_logprobs", Standing.IGNORED),
        ("functions-ignored", "functions", Standing.IGNORED),
        ("functions-ignored", "function_call", Standing.IGNORED),
        ("sampling-refused", "temperature", Standing.REFUSED),
        ("modalities-unread", "modalities", Standing.IGNORED),
        ("modalities-unread", "audio", Standing.IGNORED),
        ("speaks-when-asked", "audio", Standing.HONOURED),
        ("searches-and-moderates", "moderation", Standing.HONOURED),
        ("searches-and-moderates", "web_search_options", Standing.HONOURED),
        ("moderation-ignored", "moderation", Standing.IGNORED),
        ("reasoning_effort-unread", "reasoning_effort", Standing.ACCEPTED),
        ("hints-refused", "user", Standing.REFUSED),
        ("hints-refused", "verbosity", Standing.REFUSED),
        ("hints-500", "metadata", Standing.UNKNOWN),
        ("stream-param-ignored-never-sse", "stream", Standing.IGNORED),
    ],
)
def test_standings_are_told_apart(fault: str, name: str, standing: Standing) -> None:
    """Honoured, refused, ignored, and what is none of them."""
    assert at(faults()[fault], name) == {name: standing}


def test_what_hurts_counts_first() -> None:
    """Of several signs the worst speaks; a result that says nothing of the parameter does not."""
    bad = Outcome(Kind.VIOLATED, (Finding("not-json", "The answer is not JSON"),))
    other = Outcome(Kind.VIOLATED, (Finding("something-else", "something else"),))
    seen = run(structured__schema_is_kept=bad, structured__json_object_is_json=Outcome(Kind.HOLDS))
    assert table(seen)["response_format"] is Standing.IGNORED
    seen = run(structured__schema_is_kept=other, structured__json_object_is_json=Outcome(Kind.HOLDS))
    assert table(seen)["response_format"] is Standing.HONOURED
    assert set(FIRST) == set(Standing) - {Standing.UNKNOWN}


@pytest.mark.parametrize(
    "one",
    [
        Outcome(Kind.UNSUPPORTED, reason="the target does not claim `stop`"),
        Outcome(Kind.UNSUPPORTED, reason="the server refuses `stream` (400)"),
        Outcome(Kind.UNWITNESSED, reason="why"),
        Outcome(Kind.ERRORED, reason="why"),
    ],
)
def test_no_evidence_is_no_standing(one: Outcome) -> None:
    """A parameter that was not tried is unknown, and so is one in whose place another was refused."""
    assert table(run(sampling__stop_ends_the_text=one))["stop"] is Standing.UNKNOWN
    assert table(run())["stop"] is Standing.UNKNOWN


def test_a_claim_that_is_refused_is_a_refusal() -> None:
    """What a target claims and refuses is violated in the run, and refused in the table."""
    claimed = Outcome(
        Kind.VIOLATED,
        (Finding("claimed-but-refused", "The target claims a feature but refuses a request for it"),),
    )
    assert table(run(sampling__stop_ends_the_text=claimed))["stop"] is Standing.REFUSED


def test_rows_say_by_which_checks() -> None:
    """The table can be traced to the checks that it rests on."""
    (row,) = (row for row in rows(run(sampling__stop_ends_the_text=Outcome(Kind.HOLDS))) if row.parameter == "stop")
    assert row.checks == ("sampling.stop-ends-the-text",)


def test_hostile_notes_are_not_taken_for_standings() -> None:
    """Only words that the checks use count, whatever an old or damaged run holds."""
    observed: dict[str, Any] = {"user": "<b>honoured</b>"}
    account = Coverage((), (), (), signs={"user": (Sign(check="parameters.hints-are-taken", noted="user"),)})
    seen = run(parameters__hints_are_taken=Outcome(Kind.HOLDS, observed=observed))
    assert table(seen, account) == {"user": Standing.UNKNOWN}
