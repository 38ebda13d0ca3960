"""The plugin beside others: it is in nobody's way, nobody is in its way, and the exit code speaks for all that ran."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.plugin.test_plugin import CLEAN, COULD_NOT_TEST, OWN, USAGE, VIOLATIONS

ROOT = Path(__file__).parent.parent
MINUTES = 10 * 60

FORMER = (
    "--baseline --fail-on --targets --profile --dry-run --resume --reports --golden --traffic --needs --report --record-golden"
    " --migration --strict-conformance"
)
CLAIMING = f"""
def pytest_addoption(parser):
    for name in {FORMER!r}.split():
        parser.addoption(name, default="theirs")
"""
"""A conftest that has every name which this plugin ever had, but for `--target`."""

PLUGINS = [
    "pytest-cov", "pytest-xdist", "pytest-randomly", "pytest-timeout", "pytest-rerunfailures", "pytest-html", "pytest-sugar",
    "pytest-profiling", "pytest-reporter", "pytest-django", "pytest-mock", "pytest-asyncio", "anyio", "pytest-benchmark",
    "pytest-bdd", "pytest-playwright", "syrupy", "pytest-recording", "pytest-dotenv", "pytest-env",
]  # fmt: skip
CLASHING = ("dotenv", "env")
"""Plugins that refuse each other, whoever else is there: both have an option `--envfile`."""

SOUND = '''
from conformance import MUST, SPEC, chat, check

@check("own.holds", MUST, sends=chat(), spec=SPEC.at("CreateChatCompletionRequest", "required: [model, messages]"))
def holds(x):
    """It holds."""
    yield from ()
'''
DEADLY = SOUND.replace("own.holds", "own.dies").replace("yield from ()", "yield __import__('os')._exit(3)")
PASSES, FAILS = "def test_it(): pass", "def test_it(): assert False"

COVERS = """
import pytest
@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session):
    yield
    session.testsfailed += 1  # as pytest-cov does for --cov-fail-under
    return True
"""

Lean = Callable[..., pytest.RunResult]


@pytest.fixture
def lean(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Lean:
    """A run in a process of its own, with this plugin and none but those that are named."""
    pytester.makefile(".yaml", targets="targets:\n  mine: {kind: reference}\n")
    (pytester.path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(*arguments: str, plugins: Sequence[str] = ()) -> pytest.RunResult:
        loaded = [word for name in ("conformance", *plugins) for word in ("-p", name)]
        return pytester.runpytest_subprocess(*loaded, "-p", "no:cacheprovider", *arguments)

    return run


def write(pytester: pytest.Pytester, **files: str) -> None:
    """Python files, by their names."""
    for name, text in files.items():
        (pytester.path / f"{name}.py").write_text(text, encoding="utf-8")


def test_nobody_else_pays_for_it(pytester: pytest.Pytester, lean: Lean) -> None:
    """Where no target is asked for, three modules of ours are imported, and none of what they would need then."""
    heavy = {"hypothesis", "openai", "httpx2", "pydantic", "starlette", "rich"}
    write(
        pytester,
        conftest=f"""
import sys
def pytest_unconfigure():
    names = [name for name in sys.modules if name.split(".")[0] == "conformance" or name in {heavy!r}]
    print("imported:", *sorted(names))
""",
        test_it=PASSES,
    )
    result = lean("-s")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["imported: conformance conformance.plugin conformance.plugin.options"])


def test_no_plain_name_is_taken(pytester: pytest.Pytester, lean: Lean) -> None:
    """A project may have every plain option that this plugin once had, in an ordinary run and beside a target."""
    write(pytester, conftest=CLAIMING, test_it=PASSES, check_own=SOUND)
    lean("--profile", "mine", "--report", "x").assert_outcomes(passed=1)
    result = lean("--target", "mine", "--baseline", "x", "check_own.py")
    assert (result.ret, result.parseoutcomes()) == (CLEAN, {"passed": 1})


@pytest.mark.skipif(
    not importlib.util.find_spec("pytest_rerunfailures"), reason="pytest-rerunfailures is not installed"
)
def test_what_was_judged_stays_judged(pytester: pytest.Pytester, lean: Lean) -> None:
    """Run again by pytest-rerunfailures, a violation is a violation still, and what could not be tested an error: once each."""
    write(pytester, check_own=OWN)
    result = lean(
        "--target", "mine", "check_own.py", "--reruns", "2", "--junitxml=it.xml", plugins=["pytest_rerunfailures"]
    )
    counts = result.parseoutcomes()
    assert (counts["failed"], counts["errors"], counts["rerun"]) == (1, 1, 4)
    assert result.ret == VIOLATIONS
    (run,) = (pytester.path / "reports" / "mine").glob("*/run.jsonl")
    assert run.read_text(encoding="utf-8").count('"outcome": "violated"') == 2  # a MUST and a SHOULD
    assert (pytester.path / "it.xml").read_text().count('name="finding"') == 4  # three tries of a MUST, a SHOULD


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
@pytest.mark.parametrize(
    ("files", "code"),
    [
        pytest.param({"check_own": SOUND, "test_it": PASSES}, CLEAN, id="all is well"),
        pytest.param({"check_own": SOUND, "test_it": FAILS}, VIOLATIONS, id="a test fails"),
        pytest.param(
            {"check_own": SOUND.replace("yield from ()", "1 / 0"), "test_it": PASSES}, COULD_NOT_TEST, id="no evidence"
        ),
        pytest.param(
            {"check_own": SOUND.replace("yield from ()", "1 / 0"), "test_it": FAILS}, VIOLATIONS, id="a test fails, too"
        ),
        pytest.param({"test_it": PASSES}, USAGE, id="no check"),
        pytest.param({"test_it": FAILS, "check_own": "1 / 0"}, USAGE, id="a check that cannot be collected"),
    ],
)
def test_the_exit_code_speaks_for_all(
    files: dict[str, str], code: int, workers: tuple[str, ...], pytester: pytest.Pytester, lean: Lean
) -> None:
    """Ordinary tests beside the checks fail the run whatever the checks say; a run without any check is no green one."""
    write(pytester, **files)
    paths = [f"{name}.py" for name in files]
    result = lean("--target", "mine", *paths, *workers, plugins=["xdist"])
    assert result.ret == code
    assert ("no check was collected" in result.stdout.str() + result.stderr.str()) is (list(files) == ["test_it"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_what_is_deselected_was_there(workers: tuple[str, ...], pytester: pytest.Pytester, lean: Lean) -> None:
    """Checks that -k or -m leaves out are no mistake: what is left is run, and nothing at all is pytest's own exit code 5."""
    write(pytester, check_own=SOUND, test_it=PASSES)
    chosen = ("--target", "mine", "check_own.py", "test_it.py", *workers)
    result = lean(*chosen, "-k", "test_it", plugins=["xdist"])
    assert (result.ret, result.parseoutcomes()["passed"]) == (CLEAN, 1)
    assert lean(*chosen, "-m", "should", plugins=["xdist"]).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_paths_in_addopts_are_told(pytester: pytest.Pytester, lean: Lean) -> None:
    """A path that the configuration adds is what keeps the checks away, and one line says so; testpaths do no harm."""
    write(pytester, test_it=PASSES)
    (pytester.path / "pytest.ini").write_text("[pytest]\naddopts = test_it.py\n")
    result = lean("--target", "mine")
    assert result.ret == USAGE
    result.stderr.fnmatch_lines(["ERROR: --target is given, but no check was collected: *addopts*add `conformance`*"])
    (pytester.path / "pytest.ini").write_text("[pytest]\ntestpaths = .\n")
    assert lean("--target", "mine", "-k", "list-is-served").ret == CLEAN


def test_a_plugin_may_fail_the_run(pytester: pytest.Pytester, lean: Lean) -> None:
    """What another plugin counts as a failure (a coverage too low), or an exit code of its own, stays."""
    write(pytester, check_own=SOUND, conftest=COVERS)
    assert lean("--target", "mine", "check_own.py").ret == pytest.ExitCode.TESTS_FAILED
    write(pytester, conftest="def pytest_sessionfinish(session): session.exitstatus = 7")
    assert lean("--target", "mine", "check_own.py").ret == 7


def test_a_worker_that_dies_is_no_clean_run(pytester: pytest.Pytester, lean: Lean) -> None:
    """A check whose worker crashed could not be tested."""
    write(pytester, check_deadly=DEADLY, check_own=SOUND)
    result = lean(
        "--target", "mine", "check_own.py", "check_deadly.py", "-n", "1", "--max-worker-restart=1", plugins=["xdist"]
    )
    assert result.ret == COULD_NOT_TEST


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the plugins that most people have, and this project."""
    env = tmp_path_factory.mktemp("crowded") / "env"
    if (uv := shutil.which("uv")) is not None:
        done(uv, "venv", "--quiet", "--python", sys.executable, str(env), where=ROOT)
        install = [uv, "pip", "install", "--quiet", "--python", str(env / "bin" / "python")]
    else:
        venv.create(env, with_pip=True)
        install = [str(env / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    done(*install, str(ROOT), *PLUGINS, where=ROOT)
    return env / "bin"


def done(*command: str | Path, where: Path) -> str:
    """What a command says; it has to end well."""
    one = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=MINUTES, check=False)
    assert one.returncode == 0, f"{command}\n{one.stdout[-3000:]}\n{one.stderr[-3000:]}"
    return one.stdout


@pytest.mark.slow
def test_plugins_that_clash_among_themselves(crowded: Path, tmp_path: Path) -> None:
    """Two of the twenty refuse each other without this plugin, too: that is why one of them is left out below."""
    command = [crowded / "pytest", "-p", "no:conformance", "--help"]
    one = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=MINUTES, check=False)
    assert "--envfile" in one.stderr
    done(*command, "-p", f"no:{CLASHING[0]}", where=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("without", CLASHING)
def test_it_lives_beside_twenty_others(without: str, crowded: Path, tmp_path: Path) -> None:
    """Help, an ordinary test, a conftest that has our former names, and a run with a target: all as if nobody else were there."""
    pytest_ = (crowded / "pytest", "-p", f"no:{without}", "-p", "no:cacheprovider")
    (tmp_path / "test_it.py").write_text(PASSES)
    (tmp_path / "check_own.py").write_text(OWN)
    (tmp_path / "targets.yaml").write_text("targets:\n  mine: {kind: reference}\n")
    assert "--conformance-baseline" in done(*pytest_, "--help", where=tmp_path)
    assert "1 passed" in done(*pytest_, "test_it.py", where=tmp_path)
    everything = ("--reruns", "2", "--timeout", "120", "--html", "report.html", "--force-sugar")
    for more in (everything, (*everything, "-n", "2"), ("--cov", "conformance")):
        said = done(*pytest_, "--target", "reference", "-k", "models", *more, where=tmp_path)
        assert "nothing is broken" in said
    command = [*pytest_, "--target", "mine", "check_own.py", *everything]
    violated = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=MINUTES, check=False)
    assert violated.returncode == VIOLATIONS
    assert "1 requirement is broken, 1 could not be tested" in violated.stdout


@pytest.mark.slow
def test_former_names_are_free_among_twenty(crowded: Path, tmp_path: Path) -> None:
    """A conftest that claims each of our former names clashes with nothing of ours; two of the twenty have `--profile` and `--report`."""
    (tmp_path / "conftest.py").write_text(CLAIMING)
    (tmp_path / "test_it.py").write_text(PASSES)
    others = [word for name in (CLASHING[0], "profiling", "reporter") for word in ("-p", f"no:{name}")]
    assert "1 passed" in done(crowded / "pytest", *others, "--baseline", "x", where=tmp_path)
    assert "nothing is broken" in done(
        crowded / "pytest", *others, "--target", "reference", "-k", "models", where=tmp_path
    )
