"""The report for programs: one JSON value, described by a published schema that keeps its promise."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from conformance.analysis.comparison import comparison
from conformance.analysis.latency import latency
from conformance.cli.main import main
from conformance.core.finding import Finding, Kind, Outcome
from conformance.probes.chat import HELLO, STREAMED
from conformance.report.book import Book
from conformance.report.json import VERSION, render, schema, tree
from tests.kit.report_runs import (
    EVIL,
    answer,
    clean,
    described,
    holds,
    hostile,
    lookup,
    ruled,
    stream,
    violated,
    vllm,
    write,
)

FIRST = Path(__file__).parent.parent / "expected" / "report-1.0.schema.json"
"""The schema of version 1.0, as it was published: kept for ever."""


def closed(value: Any) -> Any:
    """The schema with every member that it does not name refused: stricter than what is published."""
    if isinstance(value, dict):
        value = {name: closed(one) for name, one in value.items()}
        if value.get("type") == "object" and "properties" in value:
            value["additionalProperties"] = False
    elif isinstance(value, list):
        value = [closed(one) for one in value]
    return value


def whole(*directories: Path) -> dict[str, Any]:
    """All of the report of these runs, as a reader of the file gets it."""
    runs, find = [ruled(one) for one in directories], lookup(*directories)
    spreads = [latency([answer(HELLO, {}), stream(STREAMED, "a", "b")]) for _ in runs]
    beside = comparison(*runs) if len(runs) == 2 else None
    text = render(runs, find, spreads, [("seed", ["ignored"] * len(runs))], beside)
    value: dict[str, Any] = json.loads(text)
    return value


def test_the_schema_is_one_and_describes_itself() -> None:
    """It is valid JSON Schema, and every member has a type or says what it is."""
    Draft202012Validator.check_schema(schema())
    assert schema()["properties"]["version"]["pattern"].startswith(f"^{VERSION.partition('.')[0]}")


@pytest.mark.parametrize("makers", [(vllm,), (clean,), (hostile,), (vllm, clean), (vllm, clean, hostile)])
def test_every_report_is_as_the_schema_says_and_no_more(makers: tuple[Any, ...], tmp_path: Path) -> None:
    """No member is missing, and none is there that the schema does not name: one run, two with differences, more."""
    value = whole(*(maker(tmp_path / str(number)) for number, maker in enumerate(makers)))
    Draft202012Validator(schema()).validate(value)
    Draft202012Validator(closed(schema())).validate(value)


def test_real_runs_are_as_the_schema_says() -> None:
    """The recordings of vLLM and llama.cpp, with their times and parameters."""
    recordings = Path(__file__).parent.parent.parent / "fixtures" / "recordings"
    book = Book.of([recordings / "llama-local", recordings / "vllm-local"])
    value = json.loads(book.json())
    Draft202012Validator(closed(schema())).validate(value)
    assert value["parameters"]
    assert value["comparison"]["differences"]
    first = value["targets"][0]["latency"]["first_token"]
    assert first["count"] > 20
    assert 0 < first["p50"] <= first["p95"] <= first["p99"] <= first["longest"]


def test_an_unfinished_run_is_described_too(tmp_path: Path) -> None:
    """What is not known is null, and what the run lacks is said."""
    value = whole(write(tmp_path, "t", [(described("a.b"), holds(HELLO))], ends=False, selected=7))
    Draft202012Validator(closed(schema())).validate(value)
    (target,) = value["targets"]
    assert (target["complete"], target["seconds"], target["exit"]) == (False, None, None)
    assert "stopped after 1 of 7" in target["lacks"]


def test_it_carries_what_was_found(tmp_path: Path) -> None:
    """Findings with places, the exchange that shows them with its command, the waiver, the source."""
    value = whole(vllm(tmp_path))
    by_id = {one["id"]: one for one in value["requirements"]}
    usage = by_id["stream.usage-chunk"]
    (result,) = usage["results"]
    assert (result["outcome"], result["ruling"], usage["level"]) == ("violated", "failed", "MUST")
    assert result["findings"][0]["at"] == "event 3 /usage"
    assert "found" not in result["findings"][-1]
    (x,) = result["exchanges"]
    assert x["key"] == result["findings"][0]["exchange"]
    assert x["curl"].startswith("curl -sS -i -N http://127.0.0.1:8000/v1/chat/completions")
    assert by_id["tools.named"]["results"][0]["waiver"]["owner"] == "ml-platform"
    assert usage["source"]["quote"].startswith("If set, an additional chunk")
    assert value["targets"][0]["levels"]["MUST"]["broken"] == 3  # one of them is waived, and broken all the same


def test_spans_and_values_that_json_lacks(tmp_path: Path) -> None:
    """A span is two numbers; NaN and infinity, which Python reads, become text; lone surrogates are escaped."""
    odd = [Finding("x", "x", at=(3, 9), expected=float("nan"), found=[float("inf"), "\ud800"])]
    told = [(described("a.b"), violated(HELLO, *odd)), (described("a.c", level="NOTE"), holds(HELLO, n=float("-inf")))]
    directory = write(tmp_path, "t", told)
    text = render([ruled(directory)], lookup(directory))
    assert text.isascii()
    value = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    first, second = (one["results"][0] for one in value["requirements"])
    assert first["findings"][0]["at"] == [3, 9]
    assert first["findings"][0]["found"] == ["inf", "\ud800"]
    assert second["observed"] == {"n": "-inf"}


def test_what_a_server_says_stays_a_value(tmp_path: Path) -> None:
    """Nothing is escaped for a browser or cut: programs get what was sent."""
    value = whole(hostile(tmp_path))
    found = next(one for one in value["requirements"] if one["id"] == "evil.findings")["results"][0]["findings"]
    assert found[0]["message"] == EVIL


def members(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, what may stand there) of each place in a schema that says so."""
    for name, one in value.get("properties", {}).items():
        kinds = {key: one[key] for key in ("type", "enum", "$ref", "oneOf", "items", "required", "const") if key in one}
        yield f"{path}/{name}", json.dumps(kinds, sort_keys=True)
        yield from members(one, f"{path}/{name}")
    for name, one in value.get("$defs", {}).items():
        yield from members(one, f"#{name}")


def test_the_promise_is_kept() -> None:
    """Within a major, every member of the first minor is there still, required as it was, with the type that it had."""
    first, now = json.loads(FIRST.read_text("utf-8")), schema()
    if VERSION == "1.0":
        assert dict(members(first)) == dict(members(now)), "a member was added or changed: that makes version 1.1"
    held = dict(members(now))
    for path, kinds in members(first):
        assert path in held, f"{path} is gone: that takes a new major"
        old, new = json.loads(kinds), json.loads(held[path])
        assert set(old.pop("required", ())) <= set(new.pop("required", ()))
        assert old == new, f"{path} means something else: that takes a new major"
    for name, one in first["$defs"].items():
        assert set(one.get("required", ())) <= set(now["$defs"][name].get("required", ()))


def test_the_command_writes_it_and_the_schema(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`conformance report RUN --json FILE`, and `conformance schema report`; without a word the schema of targets.yaml."""
    directory, file = vllm(tmp_path / "run"), tmp_path / "report.json"
    assert main(["report", str(directory), "--json", str(file)]) == 0
    assert capsys.readouterr().out == ""
    assert main(["schema", "report"]) == 0
    published = json.loads(capsys.readouterr().out)
    Draft202012Validator(published).validate(json.loads(file.read_text("utf-8")))
    assert main(["schema"]) == 0
    assert "targets" in json.loads(capsys.readouterr().out)["properties"]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A directory that is not there: exit 4."""
    assert main(["report", str(vllm(tmp_path / "run")), "--json", str(tmp_path / "no" / "r.json")]) == 4
    assert capsys.readouterr().err.strip().endswith("r.json: it cannot be written: No such file or directory")


def test_differences_are_those_of_two_runs(tmp_path: Path) -> None:
    """The first run is the baseline."""
    value = whole(clean(tmp_path / "1"), vllm(tmp_path / "2"))
    broken = {one["check"] for one in value["comparison"]["differences"] if one["relation"] == "breaks"}
    assert broken == {"chat.answers", "stream.usage-chunk", "errors.code-is-text"}
    assert tree([ruled(tmp_path / "1")], lookup(tmp_path / "1"))["comparison"] is None


def test_untested_is_neither_held_nor_broken(tmp_path: Path) -> None:
    """A level counts what is unsupported, unwitnessed or errored apart."""
    told = [(described(f"a.b{kind}"), Outcome(kind, reason="so")) for kind in Kind]
    (target,) = whole(write(tmp_path, "t", told))["targets"]
    assert target["levels"]["MUST"] == {"held": 1, "broken": 1, "untested": 3}
