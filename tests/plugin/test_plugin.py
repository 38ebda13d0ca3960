"""The plugin as a user meets it: what is collected, what is said, and with which exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.kit.servers import json_reply, sends, server

CLEAN, VIOLATIONS, USAGE, COULD_NOT_TEST = 0, 1, 4, 6

OWN = '''
from conformance import MUST, SHOULD, MAY, NOTE, SPEC, Finding, Observed, Unwitnessed, chat, check

SOURCE = SPEC.at("CreateChatCompletionRequest", "required: [model, messages]")

@check("own.holds", MUST, sends=chat(), spec=SOURCE)
def holds(x):
    """It holds."""
    yield from ()

@check("own.must-is-broken", MUST, sends=chat(), spec=SOURCE, remedy="turn it off and on")
def broken(x):
    """It is broken."""
    yield Finding("the content is wrong", at=x.json["choices"][0]["message"]["content"].pointer, expected="Goodbye", found=x.choice.text)

@check("own.should-is-broken", SHOULD, sends=chat())
def advised(x):
    """It is advised."""
    yield Finding("not-nice", "not nice")

@check("own.is-noted", NOTE, sends=chat())
def noted(x):
    """It is looked at."""
    yield Observed(x.choice.text)

@check("own.was-not-shown", MUST, sends=chat(), spec=SOURCE)
def unwitnessed(x):
    """It shows."""
    yield Unwitnessed("the model did not")

@check("own.has-a-bug", MAY, sends=chat())
def bug(x):
    """It has a bug."""
    yield 1 / 0
'''


@pytest.fixture
def project(project: pytest.Pytester) -> pytest.Pytester:
    """An empty project with checks of its own."""
    project.path.joinpath("check_own.py").write_text(OWN, encoding="utf-8")
    return project


def runs(pytester: pytest.Pytester, target: str = "mine") -> list[Path]:
    """The runs that were written, oldest first."""
    return sorted((pytester.path / "reports" / target).iterdir())


def lines(run: Path) -> list[dict[str, object]]:
    """The lines of a run."""
    return [json.loads(line) for line in (run / "run.jsonl").read_text(encoding="utf-8").splitlines()]


def test_nothing_happens_without_a_target(project: pytest.Pytester) -> None:
    """In a run without --target, files of checks are not even collected."""
    project.makepyfile(test_it="def test_it(): pass")
    project.runpytest().assert_outcomes(passed=1)


def test_shipped_checks_are_collected_without_a_path(pytester: pytest.Pytester) -> None:
    """In an empty folder, without a targets.yaml, by stable ids that name the target."""
    result = pytester.runpytest("--target", "reference", "--collect-only", "-q")
    result.stdout.fnmatch_lines(
        ["conformance/chat::chat.*[[]reference[]]", "conformance/models::models.*[[]reference[]]"]
    )
    assert result.ret == CLEAN
    assert not (pytester.path / "reports").exists()


def test_outcomes_have_their_own_categories(project: pytest.Pytester) -> None:
    """Passed, failed, advised, unwitnessed and errored are told apart, in counts and in the run file."""
    result = project.runpytest("--target", "mine", "check_own.py")
    counts = result.parseoutcomes()
    assert {k: counts[k] for k in ("passed", "failed", "advised", "unwitnessed", "errors")} == {
        "passed": 2, "failed": 1, "advised": 1, "unwitnessed": 1, "errors": 1,
    }  # fmt: skip
    assert result.ret == VIOLATIONS
    written = lines(runs(project)[0])
    assert [line["type"] for line in written] == ["begin", "address", *["outcome"] * 6, "end"]
    assert {str(line["check"]): line["outcome"] for line in written[2:-1]} == {
        "own.holds": "holds",
        "own.must-is-broken": "violated",
        "own.should-is-broken": "violated",
        "own.is-noted": "holds",
        "own.was-not-shown": "unwitnessed",
        "own.has-a-bug": "errored",
    }


def test_the_summary_can_be_acted_on(project: pytest.Pytester) -> None:
    """Requirement, source, where, expected, found, remedy, and a curl that shows it again without the key."""
    result = project.runpytest("--target", "mine", "check_own.py", "-k", "must-is-broken")
    text = result.stdout.str()
    for part in (
        "own.must-is-broken", "It is broken.", "required: [model, messages]", "/choices/0/message/content", "Goodbye",
        "Hello from the tiny model.", "turn it off and on", "curl", "$KEY",
    ):  # fmt: skip
        assert part in text, part


def test_one_request_for_all_checks_that_share_it(project: pytest.Pytester) -> None:
    """Six checks of the same answer, and the preflight, cost one request."""
    project.runpytest("--target", "mine", "check_own.py")
    assert len((runs(project)[0] / "exchanges.jsonl").read_text().splitlines()) == 1
    assert lines(runs(project)[0])[-1]["requests"] == 1


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (["check_own.py::own.holds[mine]"], {"own.holds"}),
        (["check_own.py", "-k", "noted or holds"], {"own.holds", "own.is-noted"}),
        (["check_own.py", "-m", "should"], {"own.should-is-broken"}),
        (["check_own.py", "-m", "own and may"], {"own.has-a-bug"}),
        (["conformance/models::models.list-is-served[mine]"], {"models.list-is-served"}),
    ],
)
def test_selection(arguments: list[str], chosen: set[str], project: pytest.Pytester) -> None:
    """By node id, by words, by level and area."""
    result = project.runpytest("--target", "mine", "--collect-only", "-q", *arguments)
    got = {line.partition("::")[2].partition("[")[0] for line in result.outlines if "::" in line}
    assert got == chosen


def test_stopping_at_the_first_failure_stops_the_spending(project: pytest.Pytester) -> None:
    """-x ends the run, which says what was judged and is complete as far as it went."""
    result = project.runpytest("--target", "mine", "check_own.py", "-x")
    assert result.ret == VIOLATIONS
    assert len(lines(runs(project)[0])) < 8


def test_last_failed(project: pytest.Pytester) -> None:
    """--lf selects what failed before."""
    project.runpytest("--target", "mine", "check_own.py")
    result = project.runpytest("--target", "mine", "check_own.py", "--lf", "--collect-only", "-q")
    assert {line.partition("::")[2] for line in result.outlines if "::" in line} == {
        "own.must-is-broken[mine]", "own.has-a-bug[mine]",
    }  # fmt: skip


def test_strict_fails_what_is_advised(project: pytest.Pytester) -> None:
    """A stricter verdict is the business of what a run fails on: with `should`, a violated SHOULD fails."""
    chosen = ("--target", "mine", "check_own.py", "-k", "should-is-broken")
    assert project.runpytest(*chosen).ret == CLEAN
    assert project.runpytest(*chosen, "--conformance-fail-on", "should").ret == VIOLATIONS


def test_waivers(project: pytest.Pytester) -> None:
    """A waived violation is expected; a waiver of what holds is stale, and fails; an expired one fails."""
    waiver = "{because: known, owner: me%s}"
    project.makefile(
        ".yaml",
        targets="targets:\n  mine:\n    kind: reference\n    waives:\n"
        f"      own.must-is-broken: {waiver % ''}\n"
        f"      own.holds: {waiver % ''}\n"
        f"      own.should-is-broken: {waiver % ', until: 2020-01-01'}\n",
    )
    result = project.runpytest("--target", "mine", "check_own.py", "-k", "holds or broken")
    result.assert_outcomes(xfailed=1, failed=2)
    result.stdout.fnmatch_lines(["*stale*"])
    result.stdout.fnmatch_lines(["*expired*2020-01-01*"])


def test_junit(project: pytest.Pytester) -> None:
    """JUnit carries target, level, area and source of each requirement."""
    project.runpytest("--target", "mine", "check_own.py", "--junitxml=it.xml")
    text = (project.path / "it.xml").read_text(encoding="utf-8")
    for part in ('name="target" value="mine"', 'name="level" value="MUST"', 'name="area" value="own"', "Goodbye"):
        assert part in text, part
    suite = ElementTree.fromstring(text)
    facts = {
        case.get("name"): [(one.get("name"), one.get("value")) for one in case.iter("property")]
        for case in suite.iter("testcase")
    }
    advised = dict(facts["own.should-is-broken[mine]"])
    assert (advised["outcome"], advised["ruling"]) == ("violated", "advised")
    assert advised["finding"] == "not nice [not-nice]"


def test_ctrf(project: pytest.Pytester) -> None:
    """With pytest-json-ctrf, a test has the level and the area as tags, and its facts; what SHOULD hold does not fail."""
    pytest.importorskip("ctrf", reason="the extra [ctrf] is not installed")
    project.runpytest("--target", "mine", "check_own.py", "--ctrf", "it.json")
    told = json.loads((project.path / "it.json").read_text(encoding="utf-8"))["results"]
    tests = {one["parameters"]["requirement"]: one for one in told["tests"] if "parameters" in one}
    must, should = tests["own.must-is-broken"], tests["own.should-is-broken"]
    assert (must["status"], must["parameters"]["ruling"], must["tags"][:2]) == ("failed", "failed", ["must", "own"])
    assert (should["status"], should["parameters"]["ruling"]) == ("passed", "advised")
    assert "Goodbye" in must["trace"]


def test_allure(project: pytest.Pytester) -> None:
    """Allure results carry target, level, area and source, and the evidence of a finding as attachments."""
    project.runpytest("--target", "mine", "check_own.py", "-k", "broken", "--alluredir=results")
    results = [json.loads(path.read_text()) for path in (project.path / "results").glob("*-result.json")]
    broken = next(result for result in results if result["fullName"].endswith("own.must-is-broken"))
    labels = {(label["name"], label["value"]) for label in broken["labels"]}
    assert {
        ("target", "mine"),
        ("level", "MUST"),
        ("area", "own"),
        ("severity", "critical"),
        ("outcome", "violated"),
        ("ruling", "failed"),
    } <= labels
    assert broken["status"] == "failed"
    assert [link["url"] for link in broken["links"]] == [
        "https://github.com/openai/openai-openapi/blob/f85dbe2/openapi.yaml"
    ]
    texts = [(project.path / "results" / one["source"]).read_text() for one in broken["attachments"]]
    assert any("Goodbye" in text for text in texts)
    assert any(text.startswith("curl ") for text in texts)
    assert any("HTTP/1.1 200" in text and "Hello from the tiny model." in text for text in texts)


def test_replay_gives_the_same_outcomes(project: pytest.Pytester) -> None:
    """A recorded run is judged again, offline, by all shipped checks, with the same outcomes and nothing sent."""
    project.runpytest("--target", "mine", "conformance/chat", "conformance/models")
    first = runs(project)[0]
    result = project.runpytest("--target", f"replay:{first}", "conformance/chat", "conformance/models")
    again = lines(next((project.path / "reports").glob("replay-*/*")))

    def outcomes(written: list[dict[str, object]]) -> dict[object, object]:
        return {
            line["check"]: (line["outcome"], line["findings"], line["observed"])
            for line in written
            if line["type"] == "outcome"
        }

    assert outcomes(again) == outcomes(lines(first))
    assert len(outcomes(again)) > 10
    assert again[-1]["requests"] == 0
    assert result.ret == CLEAN


def test_replay_keeps_claims_and_waivers(project: pytest.Pytester) -> None:
    """What the target did not claim on the day, and what was waived, is so in its replay."""
    waiver = "{own.must-is-broken: {because: known, owner: me}}"
    project.makefile(".yaml", targets=f"targets:\n  mine: {{kind: reference, claims: [chat], waives: {waiver}}}\n")
    chosen = ("check_own.py", "conformance/models", "-k", "list-is-served or must-is-broken")
    live = project.runpytest("--target", "mine", *chosen)
    again = project.runpytest("--target", f"replay:{runs(project)[0]}", *chosen)
    assert live.parseoutcomes() == again.parseoutcomes() == {"unsupported": 1, "xfailed": 1, "deselected": 15}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--target", "mnie"], "*there is no target*did you mean `mine`?*"),
        (["--target", "replay:nowhere"], "*nowhere*"),
        (["--target", "mine", "--conformance-targets-file", "none.yaml"], "*none.yaml: there is no such file*"),
        (["--target", "mine", "conformance/modles"], "*conformance/modles*did you mean `models`?*"),
    ],
)
def test_mistakes_are_one_clear_line(arguments: list[str], said: str, project: pytest.Pytester) -> None:
    """What was meant, what to do, exit code 4, and no traceback."""
    result = project.runpytest(*arguments)
    assert result.ret == USAGE
    result.stderr.fnmatch_lines([f"ERROR: {said}"])
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_a_waiver_of_no_check_is_a_mistake(project: pytest.Pytester) -> None:
    """A typo in a check id is found before anything is sent, with its line."""
    text = "targets:\n  mine:\n    kind: reference\n    waives:\n      own.hold: {because: x, owner: y}\n"
    project.makefile(".yaml", targets=text)
    result = project.runpytest("--target", "mine")
    assert result.ret == USAGE
    result.stderr.fnmatch_lines(["ERROR: targets.yaml:5: *own.hold*did you mean `own.holds`?*"])


def test_own_checks_that_cannot_be_imported(project: pytest.Pytester) -> None:
    """A broken file of checks is named, with what is wrong."""
    (project.path / "check_own.py").write_text("import nothing_like_it\n", encoding="utf-8")
    result = project.runpytest("--target", "mine")
    assert result.ret == USAGE
    result.stderr.fnmatch_lines(["ERROR: *check_own.py: cannot be imported: ModuleNotFoundError*"])


LIMITS = "limits: {timeout: {connect: 1s, first_byte: %s, idle: 1m, total: 2m}}"
HTML = b"HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<h1>nginx</h1>\n"


@pytest.mark.parametrize(
    ("behave", "said"),
    [
        pytest.param(sends(...), "no answer in", id="never_answers"),
        pytest.param(sends(json_reply(b'{"error": {"message": "who are you?"}}', b"401 Unauthorized")), "401*check a key", id="wrong_key"),
        pytest.param(sends(HTML), "404*an HTML page*/v1", id="wrong_path"),
        pytest.param(sends(HTML.replace(b"404 Not Found", b"200 OK")), "HTML page*no OpenAI-compatible endpoint", id="html_page"),
        pytest.param(sends(json_reply(b"garbage")), "no JSON*no OpenAI-compatible endpoint", id="garbage"),
        pytest.param(sends(b"\x00\xff\xfe garbage"), "without an HTTP answer", id="binary_garbage"),
        pytest.param(sends(json_reply(b"{}", b"302 Found", b"location: /x\r\n")), "a redirect to /x", id="redirect"),
        pytest.param(sends(json_reply(b"{}", b"503 Unavailable", b"retry-after: 0\r\n")), "503*overloaded", id="overloaded"),
    ],
)  # fmt: skip
def test_a_target_that_cannot_be_tested_is_one_line(behave: object, said: str, pytester: pytest.Pytester) -> None:
    """Not three hundred failures: one line with what to do, exit code 6, within the configured time, and what arrived is kept."""
    limits = LIMITS % ("300ms" if "no answer" in said else "1m")
    with server(behave) as base_url:  # type: ignore[arg-type]
        pytester.makefile(
            ".yaml", targets=f"targets:\n  it: {{kind: openai, base_url: '{base_url}', model: m, {limits}}}\n"
        )
        result = pytester.runpytest("--target", "it")
    assert result.ret == COULD_NOT_TEST
    text = " ".join(result.stdout.str().split())
    assert "Traceback" not in text
    place = 0
    for part in said.split("*"):
        assert part in text[place:], f"{part!r} not in {text}"
        place = text.index(part, place)
    assert text.count("could not test it") == 1
    assert len((next((pytester.path / "reports" / "it").iterdir()) / "exchanges.jsonl").read_text().splitlines()) == 1


def test_one_dead_target_does_not_stop_the_others(project: pytest.Pytester) -> None:
    """The living target is judged; the exit code says that one could not be tested."""
    result = project.runpytest("--target", "mine", "--target", "http://127.0.0.1:9/v1", "check_own.py", "-k", "holds")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*could not test 127.0.0.1-9*"])
    assert result.ret == COULD_NOT_TEST


def test_violations_weigh_more_than_dead_targets(project: pytest.Pytester) -> None:
    """Where something is violated, the exit code says that."""
    result = project.runpytest(
        "--target", "mine", "--target", "http://127.0.0.1:9/v1", "check_own.py", "-k", "must-is-broken"
    )
    assert result.ret == VIOLATIONS


def test_no_artefact_holds_the_key(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that echoes the key everywhere: no file, no line of output has it."""
    canary = "canary-4711-abcdef"
    monkeypatch.setenv("MY_KEY", canary)
    body = json.dumps(
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": f"your key is {canary}"}}]}
    ).encode()
    with server(sends(json_reply(body, headers=f"x-echo: {canary}\r\n".encode()))) as base_url:
        project.makefile(
            ".yaml", targets=f"targets:\n  it: {{kind: openai, base_url: '{base_url}', model: m, key: '${{MY_KEY}}'}}\n"
        )
        result = project.runpytest("--target", "it", "--junitxml=it.xml", "check_own.py", "-vv", "-rA", "--tb=long")
    assert result.ret == VIOLATIONS
    assert canary not in result.stdout.str() + result.stderr.str()
    written = [path for path in project.path.rglob("*") if path.is_file()]
    assert any(path.name == "exchanges.jsonl" for path in written)
    assert not [path for path in written if canary.encode() in path.read_bytes()]


def test_workers_share_nothing_but_targets(project: pytest.Pytester, spread: Callable[..., pytest.RunResult]) -> None:
    """With -n, each target belongs to one worker, and every request is sent once."""
    project.makefile(".yaml", targets="targets:\n  mine: {kind: reference}\n  yours: {kind: reference}\n")
    result = spread(2, "--target", "mine", "--target", "yours", "check_own.py")
    assert result.ret == VIOLATIONS
    counts = result.parseoutcomes()
    assert (counts["passed"], counts["failed"]) == (4, 2)
    for target in ("mine", "yours"):
        (run,) = runs(project, target)
        assert len(lines(run)) == 9
    result.stdout.fnmatch_lines(["*own.must-is-broken*"])


def test_a_dry_run_sends_nothing(project: pytest.Pytester) -> None:
    """It says how many requests, tokens and how much money a run takes at most, and whether the budget stops it."""
    text = "targets:\n  it: {kind: openai, base_url: 'http://127.0.0.1:9/v1', model: m, price: {input: 1, output: 2}, limits: {requests: 3}}\n"
    project.makefile(".yaml", targets=text)
    result = project.runpytest("--target", "it", "--conformance-dry-run", "conformance/chat", "conformance/models")
    assert result.ret == CLEAN
    result.stdout.fnmatch_lines(
        [
            "it: * checks, at most * requests, about * tokens in and at most * out, at most 0.*; limits.requests stops it at 3*"
        ]
    )
    assert not (project.path / "reports").exists()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("requests: 1", "limits.requests: 1 is too small for any of these checks: the cheapest may take 2"),
        ("tokens: 10", "limits.tokens: 10 is too small for any of these checks: the cheapest may take "),
        ("cost: 0.00001", "limits.cost: 0.00001 is too small for any of these checks: the cheapest may take 0.0"),
    ],
)
def test_a_budget_too_small_for_any_check_is_one_line(limits: str, said: str, project: pytest.Pytester) -> None:
    """It is said before anything is sent, in a dry run, too: better than hundreds of checks without evidence."""
    text = f"targets:\n  mine: {{kind: reference, limits: {{{limits}}}, price: {{input: 1, output: 2}}}}\n"
    project.makefile(".yaml", targets=text)
    result = project.runpytest("--target", "mine", "conformance/models")
    assert result.ret == COULD_NOT_TEST
    assert f"could not test mine: {said}" in " ".join(result.stdout.str().split())
    assert not (project.path / "reports").exists()
    dry = project.runpytest("--target", "mine", "--conformance-dry-run", "conformance/models")
    assert said in " ".join(dry.stdout.str().split())


DRAWS = """
from hypothesis import strategies as st
from conformance import SHOULD, Exchange, Findings, chat, check

@check("own.draws", SHOULD, sends={sends})
def draws(x: Exchange) -> Findings:
    \"\"\"It draws.\"\"\"
    yield from ()
"""


@pytest.mark.parametrize(
    ("sends", "said", "code"),
    [
        ("st.nothing()", "there was nothing to send: its strategy found no request", COULD_NOT_TEST),
        ("st.integers().filter(lambda n: False).map(str).map(chat)", "its strategy found no request", COULD_NOT_TEST),
        ("st.integers()", "check_own.py:5: the strategy of own.draws draws `0`, which is nothing that can be sent", 4),
        ("st.just(0).map(lambda n: 1 / n)", "check_own.py:5: the strategy of own.draws cannot be drawn from: Zero", 4),
        ("()", "check own.draws: `sends` is nothing to send: it takes a probe", 4),
        ("'Say hello'", "check own.draws: `sends` is nothing to send: it takes a probe", 4),
    ],
)
def test_a_strategy_that_gives_nothing_is_one_line(sends: str, said: str, code: int, project: pytest.Pytester) -> None:
    """One that finds nothing is no evidence; one that fails, or draws no requests, is a mistake with its place."""
    (project.path / "check_own.py").write_text(DRAWS.format(sends=sends), encoding="utf-8")
    result = project.runpytest("--target", "mine", "check_own.py")
    assert result.ret == code
    text = " ".join((result.stdout.str() + result.stderr.str()).split())
    assert said in text
    assert "INTERNALERROR" not in text


def test_a_budget_ends_a_run_cleanly(project: pytest.Pytester) -> None:
    """What is not sent any more is errored and says so; what was sent is judged; the exit code is no clean one."""
    project.makefile(".yaml", targets="targets:\n  mine: {kind: reference, limits: {requests: 2}}\n")
    result = project.runpytest("--target", "mine", "conformance/models")
    assert result.ret == COULD_NOT_TEST
    assert len((runs(project)[0] / "exchanges.jsonl").read_text().splitlines()) == 2
    result.stdout.fnmatch_lines(["*the budget of 2 requests is spent*"])
    assert lines(runs(project)[0])[-1]["requests"] == 2


def test_the_quick_profile_draws_less_and_waits_for_nothing(project: pytest.Pytester) -> None:
    """A quarter of the examples, and no check that waits on purpose."""
    quick = project.runpytest(
        "--target", "mine", "--conformance-profile", "quick", "--collect-only", "-q", "conformance/timing"
    )
    assert not any("outlives-a-pause" in line for line in quick.outlines)
    project.runpytest("--target", "mine", "--conformance-profile", "quick", "conformance/stream_text")
    project.runpytest("--target", "mine", "conformance/stream_text")
    few, usual = (lines(run)[-1]["requests"] for run in runs(project))
    assert few < usual  # type: ignore[operator]
