"""The differential search: what it finds, how small it gets, what it does not take for a disagreement, and what it refuses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.cli.main import main
from conformance.judging.draw import draw
from conformance.probes.chat import HELLO, STREAMED, chat
from conformance.reference.answer import Answer, Request, Respond
from conformance.reference.engine import DEFAULT_KEY
from conformance.reference.fault import Fault, faults
from conformance.reference.serve import serving
from conformance.runner.disagreements import MIXTURES, members, parting, parts, signature
from conformance.runner.kill_matrix import client, still


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose targets are the reference server, and two that stray from it."""
    with serving() as base_url:
        of = "  {}: {{kind: openai, base_url: '{}', model: reference, key: '${{KEY}}'}}\n".format
        at = "{}/fault/{}/v1".format
        base = base_url.removesuffix("/v1")
        (tmp_path / "targets.yaml").write_text(
            "targets:\n"
            + of("sound", base_url)
            + of("sloppy", at(base, "temperature-range-unchecked+gateway-seed-dropped"))
            + of("flat", at(base, "error-flat-object"))
        )
        monkeypatch.setenv("KEY", DEFAULT_KEY)
        monkeypatch.chdir(tmp_path)
        yield tmp_path


def found(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    """What a search says, for programs."""
    assert main(["search", *words, "--json"]) == 0
    value: dict[str, object] = json.loads(capsys.readouterr().out)
    return value


def test_two_of_a_kind_agree(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server and another copy of it differ in nothing that is asked; the requests of a search leave no run behind."""
    value = found(capsys, "sound", "reference", "--requests", "120")
    assert value["disagreements"] == []
    assert value["always"] == []
    assert value["unsteady"] == 0
    assert sorted(one.name for one in (folder / "reports").iterdir()) == ["searches"]


def test_the_smallest_request_is_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A parameter that one of them does not check is told once, in a request that has nothing else."""
    value = found(capsys, "sound", "sloppy", "--requests", "500")
    told = value["disagreements"]
    assert isinstance(told, list)
    requests = [json.loads(one["request"]["body"]) for one in told if one["sort"] == "status"]
    extra = [set(one) - {"model", "messages"} for one in requests]
    assert {"temperature"} in extra
    assert any("seed" in one for one in extra)
    assert all((one["baseline"], one["candidate"]) == (400, 200) for one in told if one["sort"] == "status")
    assert "curl" in told[0]["answers"]["candidate"]["command"]
    again = found(capsys, "sound", "sloppy", "--requests", "500")
    assert [one["request"] for one in again["disagreements"]] == [one["request"] for one in told]  # type: ignore[attr-defined]


def test_one_shape_is_one_disagreement(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Errors of another shape are told once, however many requests are refused so, and use up no budget."""
    assert main(["search", "sound", "flat", "--requests", "120"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.count("curl -sS") <= 4
    assert "at /error: sound object, flat absent" in text


def test_unsteady_answers_are_not_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What does not come again is counted, and not told."""
    known = faults()
    turn = itertools.count()

    def moody(request: Request, respond: Respond) -> Answer:
        answer = respond(request)
        if b'"max_completion_tokens"' in request.body and answer.status == 400 and next(turn) % 2 == 0:
            answer.status = 422
        return answer

    known["moody"] = Fault("moody", "Some refusals have another status, now and then.", moody)
    try:
        text = (folder / "targets.yaml").read_text().replace("error-flat-object", "moody")
        (folder / "targets.yaml").write_text(text)
        value = found(capsys, "sound", "flat", "--requests", "300")
    finally:
        del known["moody"]
    assert value["disagreements"] == []
    assert value["unsteady"]


def test_draws_are_the_same_every_time() -> None:
    """They depend on nothing but a name, are distinct, and can be sent on their own."""
    cases = draw(MIXTURES, 40)
    assert len({part.key for case in cases for part in parts(case)}) == 40
    assert parts(HELLO.until(seconds=1)) == []
    draw.cache_clear()
    assert draw(MIXTURES, 40) == cases


def test_what_a_disagreement_is() -> None:
    """Its kind, place and values, without what differs between any two answers; members say what it may depend on."""
    ask = client(still())
    (status, *_) = parting(ask(HELLO), ask(chat(messages=[])))
    assert signature(status) == ("status", "", "200", "400")
    assert parting(ask(HELLO), ask(HELLO.again())) == []
    assert members(HELLO) < members(STREAMED)
    assert "messages" in members(chat(messages=[]))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("sound", "sound"), "`sound` is the same target"),
        (("sound", "s*"), "`s*` matches several targets"),
        (("sound", "nobody"), "there is no target `nobody`"),
        (("sound", "replay:reports/x"), "a search asks what nobody asked before"),
        (("sound", "flat", "--requests", "3"), "a search takes 10 requests at least"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], line: str
) -> None:
    """With exit code 4, before anything is asked."""
    assert main(["search", *words]) == 4
    assert line in capsys.readouterr().err
    assert not (folder / "reports").exists()
