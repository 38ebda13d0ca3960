"""The nightly job: new, known, fixed, flaky and stale are told apart, and only what is new or stale fails."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from conformance.analysis.baseline_file import read as read_file
from conformance.analysis.baseline_file import text_of
from conformance.analysis.regressions import AGAIN, NIGHT, Night, Standing, Tries, night, night_of
from conformance.checks.catalogue import catalogue
from conformance.cli.main import main
from conformance.core.finding import Finding, Kind, Outcome
from conformance.core.mistake import Mistake
from conformance.core.requirement import Level
from conformance.core.secret import Secret
from conformance.core.verdict import Waiver
from conformance.evidence.record import Footer, Header, Result
from conformance.evidence.run import Run, latest, read
from conformance.judging.plan import afresh
from conformance.probes.chat import HELLO, STREAMED, chat
from conformance.reference.engine import DEFAULT_KEY, responder
from conformance.runner.reconfirm import NEW, Against
from conformance.runner.runner import Runner
from conformance.targets.target import Limits, Target
from tests.kit.servers import server
from tests.kit.whole_runs import heard, whole

DONE = "stream.ends-with-done"
OWN = '''
from conformance import MUST, SPEC, Finding, chat, check

BROKEN = {broken}

@check("own.one", MUST, sends=chat(), spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"))
def one(x):
    """One thing holds."""
    for place in BROKEN:
        yield Finding("broken", "it is broken", at=place)

@check("own.other", MUST, sends=chat(), spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"))
def other(x):
    """Another thing holds."""
    yield from ()
'''


def result(check: str, *places: str, kind: Kind = Kind.VIOLATED, ruling: str = "failed", **more: object) -> Result:
    """A result, violated at some places."""
    kind = kind if places or kind is not Kind.VIOLATED else Kind.HOLDS
    findings = tuple(Finding("wrong", "it is wrong", at=place) for place in places)
    shown = ruling if kind is Kind.VIOLATED else "passed"
    return Result(check, Level.MUST, "It is so.", Outcome(kind, findings), "a", ruling=shown, **more)  # type: ignore[arg-type]


def run(*results: Result, tries: dict[str, tuple[int, int]] | None = None) -> Run:
    """A run with these results."""
    notes = tuple(
        {"type": AGAIN, "check": check, "seen": seen, "of": of} for check, (seen, of) in (tries or {}).items()
    )
    return Run(Path(), Header("t"), results, Footer(), notes=notes)


def told(one: Night) -> dict[tuple[str, str], str]:
    """The standings by check and place."""
    return {(entry.check, entry.place): entry.standing.value for entry in one.entries}


def test_violations_are_told_apart() -> None:
    """By check, code and place: a new one beside an old one of the same check is new, and one of them fails the night."""
    before = run(result("a.b", "/x/0"), result("a.c", "/y"), result("a.d"), result("a.e", kind=Kind.ERRORED))
    now = run(
        result("a.b", "/x/7", "/z"), result("a.c"), result("a.d"), result("a.e", "/e"), result("a.new", "/n"),
    )  # fmt: skip
    one = night(before, "last", now)
    assert told(one) == {
        ("a.b", "/x/*"): "known",
        ("a.b", "/z"): "new",
        ("a.c", "/y"): "fixed",
        ("a.e", "/e"): "new",
        ("a.new", "/n"): "judged for the first time",
    }
    assert {entry.check for entry in one.entries if entry.fails} == {"a.b", "a.e"}
    assert one.in_words().startswith(
        "t, against last: 2 new, 1 known, 1 fixed, 0 flaky, 0 stale, 1 judged for the first"
    )
    assert not night(now, "last", now).fails


def test_without_a_baseline_all_is_new() -> None:
    """A first night says that there was nothing to compare with."""
    one = night(None, "last", run(result("a.b", "/x")))
    assert one.fails
    assert "the first run: nothing to compare with" in one.in_words()


def test_what_advises_is_told_and_fails_nothing() -> None:
    """A new violation of a SHOULD is new, and nobody is woken."""
    one = night(run(result("a.b")), "last", run(result("a.b", "/x", ruling="advised")))
    assert told(one) == {("a.b", "/x"): "new"}
    assert not one.fails


def test_waivers_out_of_order_are_stale() -> None:
    """One that has expired and one that matches nothing fail the night, known or not; one in order is not told."""
    waiver = Waiver("a.b", "x", "y")
    late = result("a.b", "/x", waiver=waiver, because="the waiver expired on 2026-01-01 (x)")
    idle = replace(result("a.c", waiver=waiver, because="the waiver is stale: this holds now (x)"), ruling="failed")
    fine = result("a.d", "/x", ruling="waived", waiver=waiver)
    one = night(run(result("a.b", "/x"), result("a.c", "/y"), result("a.d")), "last", run(late, idle, fine))
    assert [entry.check for entry in one.of(Standing.STALE)] == ["a.b", "a.c"]
    assert all(entry.fails for entry in one.of(Standing.STALE))
    assert not one.of(Standing.NEW)


@pytest.mark.parametrize(
    ("seen", "of", "low", "high", "decided"),
    [
        (0, 0, 0.0, 1.0, False),
        (3, 3, 0.4385, 1.0, False),
        (4, 4, 0.5101, 1.0, True),
        (0, 4, 0.0, 0.4899, True),
        (3, 4, 0.3006, 0.9544, False),
        (3, 10, 0.1078, 0.6032, True),
    ],
)
def test_the_interval_is_wilsons(seen: int, of: int, low: float, high: float, decided: bool) -> None:
    """At 95 %, as tables have it; tries end once it lies on one side of a half, or after ten."""
    tries = Tries(seen, of)
    assert tries.interval == pytest.approx((low, high), abs=1e-3)
    assert tries.decided is decided
    assert tries.steady is (0 < seen == of)


def test_flaky_is_said_with_counts_and_an_interval() -> None:
    """A new violation that was not seen each time is flaky, with how often; a known one is not asked again."""
    one = night(run(result("a.b")), "last", run(result("a.b", "/x"), tries={"a.b": (3, 10)}))
    assert told(one) == {("a.b", "/x"): "flaky"}
    assert not one.fails
    assert "seen in 3 of 10 tries (95 % interval 11% to 60%)" in str(one.entries[0])
    assert night(run(result("a.b")), "last", run(result("a.b", "/x"), tries={"a.b": (0, 0)})).fails


def test_a_night_is_read_as_it_was_written() -> None:
    """From the line that a run has of it."""
    one = night(run(result("a.b")), "last", run(result("a.b", "/x"), tries={"a.b": (3, 10)}))
    line = json.loads(json.dumps({"type": NIGHT, **one.to_json()}))
    assert night_of(replace(run(result("a.b", "/x")), notes=(line,))) == one


def test_a_case_afresh_is_another_case() -> None:
    """Every probe of it has another key, also later steps and lines; the request is the same."""
    chain = replace(HELLO, line="l").then(lambda x: chat("next"), lambda x, y: "over")
    one, two = afresh((HELLO, chain), 1), afresh((HELLO, chain), 2)
    assert isinstance(one, tuple)
    assert isinstance(two, tuple)
    keys = {one[0].key, two[0].key, HELLO.key}  # type: ignore[union-attr]
    assert len(keys) == 3
    assert one[1].first.line == "l-1"  # type: ignore[union-attr]
    assert one[1].steps[0](None).key != chat("next").key  # type: ignore[union-attr]
    assert one[1].steps[1](None, None) == "over"  # type: ignore[union-attr]


class Forgets:
    """Answers as the reference, and forgets [DONE] in some of the streams: those whose turn is in `when`."""

    def __init__(self, when: Iterable[int]) -> None:
        self.when = set(when)
        self.streams = 0
        self._respond = responder()

    def __call__(self, connection: socket.socket, data: bytes) -> None:
        answer = self._respond(heard(data))
        made = whole(answer)
        if b'"stream":true' in data:
            self.streams += 1
            if self.streams in self.when:
                head, _, body = made.partition(b"\r\n\r\n")
                body = body.replace(b"data: [DONE]\n\n", b"")
                lines = [one for one in head.split(b"\r\n") if not one.lower().startswith(b"content-length")]
                made = b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", b""]) + body
        connection.sendall(made)


def asked(forgets: Forgets, reports: Path, baseline: Run | None, **limits: int) -> tuple[Night, Run]:
    """A run of one check whose violations are asked again: its night, and what was written."""
    with server(forgets) as base_url:
        target = Target(
            "t", "openai", base_url=base_url, model="reference", key=Secret("KEY", DEFAULT_KEY), limits=Limits(**limits)
        )  # type: ignore[arg-type]
        check = replace(catalogue()[DONE], sends=STREAMED)
        session = Runner([target], reports, against={"t": Against(NEW, "last", held=True, baseline=baseline)})
        session.open({"t": [check]})
        try:
            session.judge(check, target)
        finally:
            session.close(finished=True)
    directory = latest(reports, "t")
    assert directory is not None
    written = read(directory)
    found = night_of(written)
    assert found is not None
    return found, written


HELD = run(Result(DONE, Level.MUST, "x", Outcome(Kind.HOLDS)))


def test_what_is_new_is_asked_again_before_anybody_is_woken(tmp_path: Path) -> None:
    """Seen in four more tries, it is new; tries end there."""
    forgets = Forgets(range(99))
    one, written = asked(forgets, tmp_path, HELD)
    assert forgets.streams == 5
    assert str(one.entries[0].tries) == "seen in 4 of 4 tries (95 % interval 51% to 100%)"
    assert one.fails
    assert written.footer is not None
    assert written.footer.exit == 1


@pytest.mark.parametrize(
    ("when", "asked_for", "said"),
    [({1}, 4, "seen in 0 of 4 tries"), ({1, 2, 3, 5, 7}, 10, "seen in 4 of 10 tries")],
)
def test_what_is_not_seen_again_is_flaky(when: set[int], asked_for: int, said: str, tmp_path: Path) -> None:
    """It is told with counts, and fails nothing; what is mixed is asked ten times."""
    forgets = Forgets(when)
    one, written = asked(forgets, tmp_path, HELD, at_once=1)
    assert forgets.streams == 1 + asked_for
    assert [entry.standing for entry in one.entries] == [Standing.FLAKY]
    assert said in str(one.entries[0])
    assert written.footer is not None
    assert written.footer.exit == 0


def test_what_cannot_be_asked_again_is_new(tmp_path: Path) -> None:
    """A spent budget excuses nothing: what was seen once and could not be asked again fails the night, and says so."""
    one, _ = asked(Forgets(range(99)), tmp_path, HELD, requests=2)
    assert one.fails
    assert "could not be asked again" in str(one.entries[0])


def test_a_baseline_to_be_committed(tmp_path: Path) -> None:
    """It holds checks, codes and places, no answers; what is read from it excuses the same violations."""
    before = run(result("a.b", "/x/0", "/x/1"), result("a.c"), result("a.d", kind=Kind.ERRORED))
    text = text_of(before, "it.yaml")
    assert yaml.safe_load(text)["violated"]["a.b"]["found"] == [
        {"code": "wrong", "at": "/x/*", "message": "it is wrong"}
    ]
    path = tmp_path / "it.yaml"
    path.write_text(text)
    again = read_file(path)
    now = run(result("a.b", "/x/5"), result("a.c", "/y"), result("a.d", "/z"))
    assert told(night(again, "it.yaml", now)) == {
        ("a.b", "/x/*"): "known", ("a.c", "/y"): "new", ("a.d", "/z"): "new",
    }  # fmt: skip


def test_a_baseline_of_the_first_form_is_read_by_its_sentences(tmp_path: Path) -> None:
    """It knows findings by what they were once called, and says that it should be made anew."""
    path = tmp_path / "it.yaml"
    found = "[{message: there is no [DONE]}, {message: somebody's own, at: /x}]".replace(
        "there is no [DONE]", "'there is no [DONE]'"
    )
    path.write_text(f"form: 1\ntarget: t\nviolated: {{{DONE}: {{level: MUST, title: x, found: {found}}}}}\n")
    again = read_file(path)
    assert [finding.code for finding in again.results[0].findings] == ["no-done", "somebody's own"]
    assert again.remarks == (
        f"{path} tells findings apart by their former sentences: make it anew with `conformance baseline`",
    )
    now = Result(
        DONE, Level.MUST, "x", Outcome(Kind.VIOLATED, (Finding("no-done", "In other words"),)), ruling="failed"
    )
    assert told(night(again, "it.yaml", run(now))) == {(DONE, ""): "known", (DONE, "/x"): "fixed"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"form: 1\nviolated: [\n", "it.yaml:3: is not YAML"),
        (b"a: 1\n", "is no baseline"),
        (b"- x\n", "is no baseline"),
        (b"form: 3\nviolated: {}\n", "is of form 3, and this version reads up to 2"),
        (b"form: 1\ntarget: t\nviolated: {a.b: 3}\n", "it.yaml:3: violated.a.b must be a mapping"),
        (b"form: 1\nx: \xff\n", "it.yaml:2: is not UTF-8"),
    ],
)
def test_a_file_that_is_no_baseline_is_one_line(text: bytes, said: str, tmp_path: Path) -> None:
    """Named with what it is, and its line where there is one."""
    path = tmp_path / "it.yaml"
    path.write_bytes(text)
    with pytest.raises(Mistake) as caught:
        read_file(path)
    assert said in str(caught.value)
    with pytest.raises(Mistake, match="cannot be read"):
        read_file(tmp_path / "nothing.yaml")


def nightly(project: pytest.Pytester, broken: list[str], *more: str) -> pytest.RunResult:
    """A night, with own.one broken at these places."""
    (project.path / "check_own.py").write_text(OWN.format(broken=broken))
    return project.runpytest("--target", "mine", "check_own.py", *more)


def test_nights_follow_each_other(project: pytest.Pytester) -> None:
    """The first has nothing to compare with; the next knows it; a new one fails and is known after; then it is fixed."""
    first = nightly(project, ["/x"], "--conformance-fail-on", "new")
    assert first.ret == 1
    assert "the first run: nothing to compare with" in " ".join(first.outlines)
    second = nightly(project, ["/x"], "--conformance-fail-on", "new", "--junitxml=it.xml")
    assert second.ret == 0
    second.assert_outcomes(passed=1, xfailed=1)
    second.stdout.fnmatch_lines(["*mine, against last: 0 new, 1 known, 0 fixed*"])
    assert 'name="standing" value="known"' in (project.path / "it.xml").read_text()
    third = nightly(project, ["/x", "/y"], "--conformance-fail-on", "new", "--junitxml=it.xml")
    assert third.ret == 1
    third.stdout.fnmatch_lines(["*new: own.one MUST: it is broken at /y (seen in 4 of 4 tries*"])
    assert 'name="tries" value="seen in 4 of 4 tries' in (project.path / "it.xml").read_text()
    fourth = nightly(project, [], "--conformance-fail-on", "new")
    assert fourth.ret == 0
    fourth.stdout.fnmatch_lines(["*0 new, 0 known, 2 fixed*"])


def test_nothing_fails_where_nothing_shall(project: pytest.Pytester) -> None:
    """--conformance-fail-on never tells all and fails nothing; --conformance-fail-on any is as without it."""
    assert nightly(project, ["/x"], "--conformance-fail-on", "never").ret == 0
    assert nightly(project, ["/x"], "--conformance-fail-on", "any", "--conformance-baseline", "last").ret == 1


def test_a_committed_baseline_from_run_to_job(project: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    """`conformance baseline` makes it, --conformance-baseline takes it, and what is not in it is new."""
    nightly(project, ["/x"])
    assert main(["baseline", "last", "-o", "baselines/mine.yaml"]) == 0
    assert "1 violated, 1 hold" in capsys.readouterr().out
    assert (
        nightly(project, ["/x"], "--conformance-fail-on", "new", "--conformance-baseline", "baselines/mine.yaml").ret
        == 0
    )
    assert (
        nightly(
            project, ["/x", "/y"], "--conformance-fail-on", "new", "--conformance-baseline", "baselines/mine.yaml"
        ).ret
        == 1
    )


def test_a_baseline_of_the_first_form_still_works(project: pytest.Pytester) -> None:
    """What was known by its sentence stays known, and the run says in a line that the file should be made anew."""
    found = "{own.one: {level: MUST, title: x, found: [{message: broken, at: /x}]}}"
    (project.path / "old.yaml").write_text(f"form: 1\ntarget: mine\nviolated: {found}\nholds: [own.other]\n")
    result = nightly(project, ["/x"], "--conformance-fail-on", "new", "--conformance-baseline", "old.yaml")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*old.yaml tells findings apart by their former sentences: make it anew*"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--conformance-fail-on", "new", "--conformance-baseline", "reference"],
            "--conformance-fail-on: what is new is held against a run that is there already",
        ),
        (["--conformance-baseline", "baselines/none.yaml"], "none.yaml: cannot be read: No such file"),
        (
            ["--conformance-fail-on", "sometimes"],
            "--conformance-fail-on: there is no `sometimes`; it takes new, any, should, never",
        ),
    ],
)
def test_a_night_that_cannot_be_is_one_line(arguments: list[str], said: str, project: pytest.Pytester) -> None:
    """Exit code 4, and what was meant."""
    result = nightly(project, [], *arguments)
    assert result.ret == 4
    assert said in " ".join((result.stderr.str() + result.stdout.str()).split())


def test_workers_tell_their_nights(project: pytest.Pytester, spread: Callable[..., pytest.RunResult]) -> None:
    """With -n, too, only what is new fails."""
    nightly(project, ["/x"])
    (project.path / "check_own.py").write_text(OWN.format(broken=["/x"]))
    result = spread(1, "--target", "mine", "check_own.py", "--conformance-fail-on", "new")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*against last: 0 new, 1 known*"])
