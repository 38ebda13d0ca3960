"""Runs that did not come to their end: killed, interrupted, out of disk, damaged. Each is readable, says so, and can be finished."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.analysis.summary import in_words
from conformance.checks.catalogue import catalogue
from conformance.core.finding import Kind
from conformance.core.secret import Secret
from conformance.evidence import journal
from conformance.evidence.exchanges import EXCHANGES, Recording
from conformance.evidence.find import new_directory
from conformance.evidence.journal import Journal, Torn, Unwritable, lines_of, mend
from conformance.evidence.log import RunLog
from conformance.evidence.run import RUN, latest, read
from conformance.probes.chat import HELLO
from conformance.reference.engine import DEFAULT_KEY, responder
from conformance.report.book import Book
from conformance.runner.resume import resumed
from conformance.runner.runner import Runner
from conformance.targets.target import Target
from tests.kit.servers import server
from tests.kit.whole_runs import heard, sample, whole

CHECKS = ("conformance/models", "conformance/chat", "conformance/tools")
FIRST = Path(__file__).parent.parent / "runs" / "form-1"
KNOWN = {"stream.ends-with-done"}
LONG = 240.0
"""Seconds that a run of these checks never takes, also on a busy machine."""


class Counting:
    """Answers as the reference, a little slowly, and counts."""

    def __init__(self, delay: float = 0.02) -> None:
        self.delay = delay
        self.count = 0
        self.at = -1
        self.then: Callable[[], None] = lambda: None
        self._respond = responder()
        self._lock = threading.Lock()
        self.over = threading.Event()

    def __call__(self, connection: socket.socket, data: bytes) -> None:
        with self._lock:
            self.count += 1
            if self.count == self.at:
                self.then()
        self.over.wait(self.delay)
        connection.sendall(whole(self._respond(heard(data))))


def targets(folder: Path, base_url: str) -> None:
    """A file with one target."""
    text = f"targets:\n  mine: {{kind: openai, base_url: '{base_url}', model: reference, key: '${{KEY}}'}}\n"
    (folder / "targets.yaml").write_text(text, encoding="utf-8")


@contextmanager
def suite(folder: Path, *arguments: str, **more: object) -> Iterator[subprocess.Popen[str]]:
    """The suite in a process of its own, without the other plugins that are installed: they are slow to start."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "conformance.plugin.options", *arguments],
        cwd=folder,
        env={**os.environ, "KEY": DEFAULT_KEY, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=LONG)


def ended(folder: Path, *arguments: str, **more: object) -> tuple[int, str]:
    """Exit code and output of a whole run of the suite."""
    with suite(folder, *arguments, **more) as process:
        said = process.communicate(timeout=LONG)[0]
        assert "Traceback" not in said, said
        return process.returncode, said


def runs(folder: Path) -> list[Path]:
    """Where runs were written."""
    return sorted((folder / "reports" / "mine").glob("*"))


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 15))])
def test_a_killed_run_is_finished_with_what_is_missing(seed: int, tmp_path: Path) -> None:
    """Killed with -9 at any moment, twice: what arrived is there, it is said to be incomplete, and --conformance-resume sends only the rest."""
    draw, counting = random.Random(seed), Counting()
    with server(counting) as base_url:
        targets(tmp_path, base_url)
        arguments = ("--target", "mine", *CHECKS)
        for _ in range(2):
            with suite(tmp_path, *arguments) as process:
                pause = draw.uniform(0, 0.1)
                counting.at, counting.then = (
                    counting.count + draw.randrange(1, 18),
                    lambda pid=process.pid, pause=pause: threading.Timer(pause, os.kill, (pid, signal.SIGKILL)).start(),  # type: ignore[misc]
                )
                assert process.wait(LONG) in (-signal.SIGKILL, 0)
            (directory,) = runs(tmp_path)
            killed = read(directory)
            if killed.footer is None:
                assert not killed.complete
                assert "incomplete: it was stopped after" in in_words(Book.of([directory]).runs[0])
            arguments = ("--conformance-resume", str(directory))
        there, sent = set(Recording(directory)), counting.count
        code, said = ended(tmp_path, *arguments)
    assert code == 0, said
    assert runs(tmp_path) == [directory]
    finished, recording = read(directory), Recording(directory)
    assert finished.complete
    assert len(finished.results) == finished.header.selected == len(finished.header.checks)
    assert finished.header.begun == 3
    assert counting.count - sent == len(set(recording) - there)
    assert finished.footer is not None
    assert finished.footer.requests == len(recording)
    written = Counter(value["key"] for _, _, value in lines_of(directory / EXCHANGES))
    assert set(written.values()) == {1}


def test_a_run_is_one_from_its_first_moment(tmp_path: Path) -> None:
    """Killed before the target has answered anything, a run has its header, is read, and is finished."""
    counting = Counting()
    with server(counting) as base_url:
        targets(tmp_path, base_url)
        with suite(tmp_path, "--target", "mine", *CHECKS) as process:
            counting.delay, counting.at, counting.then = LONG, 1, process.kill
            process.wait(LONG)
        counting.over.set()
        (directory,) = runs(tmp_path)
        assert (read(directory).target, len(read(directory).results)) == ("mine", 0)
        counting.delay = 0.0
        assert ended(tmp_path, "--conformance-resume", str(directory))[0] == 0
    assert read(directory).complete


def test_interrupted_twice(tmp_path: Path) -> None:
    """Ctrl-C, and again while the first is being served: the run ends at once, says how it goes on, and shows no traceback."""
    counting = Counting()
    with server(counting) as base_url:
        targets(tmp_path, base_url)
        with suite(tmp_path, "--target", "mine", *CHECKS) as process:
            arrived = threading.Event()
            counting.at, counting.then = 4, arrived.set
            assert arrived.wait(LONG)
            counting.delay = LONG
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=LONG)[0]
        counting.over.set()
    (directory,) = runs(tmp_path)
    assert "Traceback" not in said
    assert process.returncode == 2, said
    assert f"pytest --conformance-resume {directory.relative_to(tmp_path)}" in said
    assert not read(directory).complete


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """What was written before stays whole, the run says in one line what happened, and goes on when there is room again."""

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    counting = Counting()
    with server(counting) as base_url:
        targets(tmp_path, base_url)
        code, said = ended(tmp_path, "--target", "mine", *CHECKS, preexec_fn=small)
        assert code == 6, said
        (directory,) = runs(tmp_path)
        assert len([line for line in said.splitlines() if "cannot be written: File too large" in line]) == 1
        assert (directory / EXCHANGES).read_bytes().endswith(b"\n")
        assert (directory / RUN).read_bytes().endswith(b"\n")
        there = len(Recording(directory))
        assert 0 < there < 30
        assert not read(directory).complete
        before = counting.count
        assert ended(tmp_path, "--conformance-resume", str(directory))[0] == 0
    assert read(directory).complete
    assert counting.count - before == len(Recording(directory)) - there


def test_half_a_line_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk takes only a part of a line, none of it is left, and a later line stands by itself."""
    one = Journal(tmp_path / "x.jsonl")
    one.append(b'{"n": 1}\n')
    write = os.write
    calls: list[int] = []

    def half(descriptor: int, data: memoryview) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:4])

    monkeypatch.setattr(journal.os, "write", half)
    with pytest.raises(Unwritable, match="No space left on device; what was written before is still there"):
        one.append(b'{"n": 2}\n')
    monkeypatch.setattr(journal.os, "write", write)
    one.append(b'{"n": 3}\n')
    assert (tmp_path / "x.jsonl").read_bytes() == b'{"n": 1}\n{"n": 3}\n'
    one.close()


@pytest.mark.parametrize("reports", ["/proc/nowhere", "a-file"])
def test_a_place_that_takes_nothing_is_one_line(reports: str, project: pytest.Pytester) -> None:
    """A directory that cannot be written, and a file in its place: named, with what to do, exit code 4."""
    (project.path / "a-file").write_text("")
    result = project.runpytest("--target", "mine", "--conformance-reports", reports, "conformance/models")
    assert result.ret == 4
    said = result.stderr.str()
    assert said.count("the run cannot be written: ") == 1
    assert "--conformance-reports" in said
    assert "Traceback" not in said


def test_two_runs_at_once(tmp_path: Path) -> None:
    """Two runs of the same target, begun in the same second, are two runs."""
    counting = Counting()
    with server(counting) as base_url:
        targets(tmp_path, base_url)
        arguments = ("--target", "mine", "conformance/models")
        with suite(tmp_path, *arguments) as one, suite(tmp_path, *arguments) as other:
            assert (one.wait(LONG), other.wait(LONG)) == (0, 0)
    first, second = map(read, runs(tmp_path))
    assert first.complete
    assert second.complete
    assert len(first.results) == len(second.results) == first.header.selected


def test_a_second_has_room_for_many(tmp_path: Path) -> None:
    """Directories of the same second are numbered, and the newest is the one with the highest number."""
    made = [new_directory(tmp_path, "t") for _ in range(12)]
    assert len(set(made)) == 12
    for directory in made:
        log = RunLog(directory)
        log.note("begin", {"target": "t"})
        log.close()
    assert latest(tmp_path, "t") == made[-1]


def test_a_run_that_is_going_on_is_left_alone(project: pytest.Pytester) -> None:
    """--conformance-resume of a run that another process is still writing is refused in one line."""
    log = RunLog(project.path / "reports" / "mine" / "now")
    log.claim()
    log.note("begin", {"target": "mine"})
    result = project.runpytest("--conformance-resume", "reports/mine/now", "conformance/models")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*reports/mine/now: this run is still going on, in another process"])
    log.close()


def asked(base_url: str, reports: Path, going_on: Path | None = None, **more: object) -> tuple[Path, list[str], str]:
    """A run of a few checks in this process, or the rest of one: where it is, what it remarks, why it could not be done."""
    target = Target("mine", "openai", base_url=base_url, model="reference", key=Secret("KEY", DEFAULT_KEY), **more)  # type: ignore[arg-type]
    one = resumed(str(going_on), reports) if going_on else None
    session = Runner([target], reports, resumed={"mine": one} if one else {})
    checks = sample()
    finished = False
    try:
        session.open({"mine": checks})
        for check in checks if session.runs else ():
            session.judge(check, target)
        finished = True
    finally:
        session.close(finished=finished)
    return going_on or latest(reports, "mine"), session.remarks, session.dead.get("mine", "")  # type: ignore[return-value]


@pytest.fixture
def whole_run(tmp_path: Path) -> Path:
    """A run of few checks."""
    with server(Counting(0.0)) as base_url:
        return asked(base_url, tmp_path)[0]


def finished(directory: Path, **more: object) -> tuple[int, list[str]]:
    """How many requests it takes to finish a run, and what is remarked."""
    counting = Counting(0.0)
    with server(counting) as base_url:
        _, remarks, dead = asked(base_url, directory.parent.parent, directory, **more)
    assert not dead
    return counting.count, remarks


DAMAGE: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "garbage_in_the_middle": lambda lines: [*lines[:3], b"{garbage\n", *lines[4:]],
    "zeros_after_a_crash": lambda lines: [*lines[:3], b"\0" * 4096 + b"\n", *lines[4:]],
    "not_utf8": lambda lines: [*lines[:3], b'{"x": "\xff\xfe"}\n', *lines[4:]],
    "another_object": lambda lines: [*lines[:3], b'{"type": "outcome", "key": 7}\n', *lines[4:]],
    "truncated": lambda lines: [*lines[:-4], lines[-4][:25]],
}


@pytest.mark.parametrize("name", [EXCHANGES, RUN])
@pytest.mark.parametrize("sin", DAMAGE)
def test_a_damaged_file_is_named_with_what_was_saved(name: str, sin: str, whole_run: Path) -> None:
    """A report goes on without it and says so, and --conformance-resume mends it, sends for what is lost, and keeps the file as it was."""
    path = whole_run / name
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(DAMAGE[sin](lines)))
    (run,) = Book.of([whole_run]).runs
    assert not run.complete
    if not (name == RUN and sin == "truncated"):  # that is a run that was killed
        assert f"{name}:" in run.damage
        assert "are saved" in run.damage
    sent, _ = finished(whole_run)
    again = read(whole_run)
    assert again.complete
    assert len(again.results) == again.header.selected
    assert sent == {RUN: 0, EXCHANGES: 4 if sin == "truncated" else 1}[name]
    assert not Book.of([whole_run]).runs[0].damage
    if sin != "truncated":
        assert [path.name for path in whole_run.glob("*.damaged")] == [f"{name}.damaged"]
        assert any("is damaged" in remark and "kept as" in remark for remark in again.remarks)


def test_a_damaged_run_is_judged_again_as_far_as_it_goes(whole_run: Path) -> None:
    """A replay judges what is there; what is lost is no evidence, and says why; the run says that it is of a damaged one."""
    path = whole_run / EXCHANGES
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], b"{garbage\n", *lines[4:]]))
    target = Target("again", "replay", directory=whole_run)
    session = Runner([target], whole_run.parent.parent)
    session.open({"again": sample()})
    try:
        outcomes = [session.judge(check, target).outcome for check in sample()]
    finally:
        session.close(finished=True)
    reasons = {outcome.reason for outcome in outcomes if outcome.kind is Kind.ERRORED}
    assert reasons == {"it is not in the recording: this check is newer than the run, or it was in what is damaged"}
    (remark,) = session.remarks
    assert "exchanges.jsonl:4: line 4 is damaged: not a JSON object" in remark
    (run,) = Book.of([latest(whole_run.parent.parent, "again") or whole_run]).runs
    assert any("what is judged again is damaged" in one for one in run.remarks)
    assert run.counts["passed"] > 10


def test_mending_keeps_what_is_sound(tmp_path: Path) -> None:
    """Only what cannot be read is taken out; a torn end alone is cut off, and nothing is kept beside."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"n": 1}\nrubbish\n{"n": 2}\n{"n": -1}\n{"n": 3}\n{"to')
    lost, kept = mend(path, lambda value: value["n"] > 0)
    assert [one.where.rpartition(":")[2] for one in lost] == ["2", "4", "6"]
    assert isinstance(next(one for one in lost if one.where.endswith(":6")), Torn)
    assert [value["n"] for _, _, value in lines_of(path)] == [1, 2, 3]
    assert kept is not None
    assert b"rubbish" in kept.read_bytes()
    path.write_bytes(b'{"n": 1}\n{"to')
    assert mend(path, lambda value: True)[1] is None
    assert path.read_bytes() == b'{"n": 1}\n'


def test_what_has_changed_since_is_said(whole_run: Path) -> None:
    """Another suite, another model, other claims and waivers: a sentence each, in the terminal and in the run."""
    path = whole_run / RUN
    first, *rest = path.read_text().splitlines(keepends=True)
    header = json.loads(first)
    waiver = {"check": "chat.gone", "because": "x", "owner": "y", "issue": None, "until": None}
    header |= {"suite": "0.0.9", "model": "other", "claims": ["chat"], "waives": [waiver]}
    header["checks"] += ["gone.long-ago"]
    path.write_text("".join([json.dumps(header) + "\n", *rest]))
    sent, remarks = finished(whole_run)
    assert sent == 0
    for part in (
        "suite was 0.0.9 when this run was begun, and is",
        "the target's model was other when this run was begun, and is reference now",
        "the target's base_url was http",
        "the target's claims was chat when this run was begun, and is not said now",
        "waivers have changed since this run was begun: chat.gone",
        "left out, though the run was to judge it: gone.long-ago",
    ):
        assert any(part in remark for remark in remarks), (part, remarks)
        assert any(part in remark for remark in read(whole_run).remarks)


def test_a_run_without_much_of_a_header_is_resumed(whole_run: Path) -> None:
    """What an older version did not write down is as usual."""
    path = whole_run / RUN
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(json.dumps({"type": "begin", "version": 1, "target": "mine"}) + "\n" + "".join(lines[1:9]))
    sent, remarks = finished(whole_run)
    assert (sent, len(remarks)) == (0, 1)
    assert read(whole_run).complete
    assert read(whole_run).header.begun == 2


def test_resuming_elsewhere(project: pytest.Pytester) -> None:
    """--target says where the target is now; the run keeps its name, its checks, and says that the address has changed."""
    project.runpytest("--target", "mine", "conformance/models")
    (directory,) = (project.path / "reports" / "mine").iterdir()
    project.makefile(".yaml", targets="targets:\n  other: {kind: reference, claims: [chat]}\n")
    result = project.runpytest("--conformance-resume", str(directory), "--target", "other")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*the target's claims was not said when this run was begun, and is chat now*"])
    run = read(directory)
    assert (run.target, len(run.results), run.header.begun) == ("mine", 11, 2)


def test_a_resumed_run_needs_no_other_word(project: pytest.Pytester) -> None:
    """Target, profile, golden sets and selection are those of the run; what is asked besides is left out loudly."""
    project.runpytest(
        "--target", "mine", "--conformance-profile", "quick", "--conformance-golden", "openai", "-k", "models"
    )
    (directory,) = (project.path / "reports" / "mine").iterdir()
    before = read(directory)
    project.runpytest("--conformance-resume", str(directory))
    after = read(directory)
    assert after.header.begun == 2
    assert after.header.profile == "quick"
    assert after.header.checks == before.header.checks
    assert any(check.startswith("golden.openai.") for check in after.by_check)
    assert after.by_check.keys() == before.by_check.keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--conformance-resume", "reports/mine/nowhere"],
            "--conformance-resume: there is no folder `reports/mine/nowhere`",
        ),
        (["--conformance-resume", "."], "this is not the directory of a run: it has no run.jsonl"),
        (["--conformance-resume", "replayed"], "--conformance-resume: `replayed` is a replay, which sends nothing"),
        (["--conformance-resume", "gone"], "the target of gone is not found: there is no target `nobody`"),
    ],
)
def test_what_cannot_be_resumed_is_one_line(
    arguments: list[str], said: str, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    """No folder, no run, a replay, a target that is gone: what was meant, exit code 4."""
    for name, header in (("replayed", {"kind": "replay", "replay_of": "x"}), ("gone", {"target": "nobody"})):
        log = RunLog(pytester.path / name)
        log.note("begin", {"target": "t", **header})
        log.close()
    result = pytester.runpytest(*arguments)
    assert result.ret == 4
    assert said in " ".join(result.stderr.str().split())
    assert "Traceback" not in result.stderr.str()


def test_an_unreachable_server_is_asked_again(tmp_path: Path) -> None:
    """Where a server was not there, the run says so and is no complete one; resumed, it asks again for what it did not get."""
    directory, _, dead = asked("http://127.0.0.1:9/v1", tmp_path)
    assert "nothing answers" in dead
    assert "it could not be tested: mine: nothing answers" in in_words(Book.of([directory]).runs[0])
    assert latest(tmp_path, "mine", complete=True) is None
    assert HELLO.key in Recording(directory)
    sent, _ = finished(directory)
    assert read(directory).complete
    assert sent == len(Recording(directory))


def test_a_run_of_the_first_form_is_read_judged_and_reported(tmp_path: Path) -> None:
    """Runs are read in every form there ever was: this one was written by the first version, and is never written anew."""
    run = read(FIRST)
    assert run.complete
    assert {result.check for result in run.results if result.outcome.kind is Kind.VIOLATED} == KNOWN
    book = Book.of([FIRST])
    assert "stream.ends-with-done" in book.markdown()
    assert "stream.ends-with-done" in book.html()
    target = Target("again", "replay", directory=FIRST)
    session = Runner([target], tmp_path)
    chosen = [check for check in catalogue().values() if check.id in run.by_check]
    session.open({"again": chosen})
    try:
        kinds = {check.id: session.judge(check, target).outcome.kind for check in chosen}
    finally:
        session.close(finished=True)
    assert kinds == {result.check: result.outcome.kind for result in run.results}
