"""Starting servers: they are waited for, explained when they fail, and gone in the end, however that comes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.transport.engines import launch
from conformance.transport.engines.commands import vllm_command
from conformance.transport.engines.launch import LaunchFailed, free_port, last_line, launched, telling_line

ROOT = Path(__file__).parent.parent.parent
PYTHON = [sys.executable, "-I", "-S", "-c"]
"""A Python that starts fast and sees nothing of this environment."""

WELL = """
import http.server, os, sys
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), type("Ok", (http.server.BaseHTTPRequestHandler,), {
    "do_GET": lambda self: (self.send_response(int(sys.argv[2])), self.end_headers()),
    "log_message": lambda *_: None,
})).serve_forever()
"""
HAS_A_CHILD = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"])
print("child", child.pid, flush=True)
{WELL}
"""
PARENT = """
import pathlib, sys
from conformance.transport.engines.launch import launched
log, health, *command = sys.argv[1:]
with launched(command, env={}, health=health, log=pathlib.Path(log), timeout=60) as running:
    print(running.warden.pid, flush=True)
    import time; time.sleep(600)
"""


def server(code: str = WELL, status: int = 200) -> tuple[list[str], str]:
    """A command that runs a small server, and its health URL."""
    port = free_port()
    return [*PYTHON, code, str(port), str(status)], f"http://127.0.0.1:{port}/health"


def until(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something comes to hold in time."""
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def gone(process: int) -> bool:
    """Whether a process has ended; one that nobody has reaped yet has."""
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def child_in(log: Path) -> int:
    """The process that HAS_A_CHILD says it started."""
    return int(log.read_text().partition("child ")[2].split()[0])


def members(warden: int) -> list[int]:
    """The processes that a warden started itself."""
    return [int(word) for word in Path(f"/proc/{warden}/task/{warden}/children").read_text().split()]


# In the ordinary course


def test_healthy_inside_and_gone_after(tmp_path: Path) -> None:
    """Inside the block the server answers; after it nobody listens, and its log has what it said."""
    command, health = server()
    with launched(command, env={}, health=health, log=tmp_path / "a" / "log", timeout=60) as running:
        assert urllib.request.urlopen(health, timeout=60).status == 200
        assert not running.ended
        assert running.seconds > 0
    assert running.ended
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(health, timeout=60)
    assert last_line(running.log) == "serving"


def test_environment_is_added_to(tmp_path: Path) -> None:
    """The server sees this process's environment and the additions."""
    command, health = server("import os; print(os.environ['PATH'], os.environ['ADDED'], flush=True)\n" + WELL)
    log = tmp_path / "log"
    with launched(command, env={"ADDED": "yes"}, health=health, log=log, timeout=60):
        assert log.read_text().startswith(f"{os.environ['PATH']} yes\n")


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it waits, the caller is told the seconds gone and the last line of the log."""
    monkeypatch.setattr(launch, "TOLD_EVERY", 0.2)
    command, health = server("import time; print('loading weights', flush=True); time.sleep(0.7)\n" + WELL)
    told: list[tuple[float, str]] = []
    with launched(
        command, env={}, health=health, log=tmp_path / "log", timeout=60, progress=lambda *now: told.append(now)
    ):
        pass
    assert told
    assert told == sorted(told)
    assert told[-1][1] == "loading weights"


# Failures, in one line


def failure(command: list[str], health: str, log: Path, timeout: float = 60) -> str:
    """What LaunchFailed says."""
    with pytest.raises(LaunchFailed) as caught, launched(command, env={}, health=health, log=log, timeout=timeout):
        pytest.fail("it was taken for healthy")
    message = str(caught.value)
    assert "\n" not in message
    assert str(log) in message
    return message


def test_early_end_is_explained(tmp_path: Path) -> None:
    """A server that ends early is reported with its status and the error in its log, at once."""
    command, health = server("print('fine'); raise ValueError('no such model')")
    began = time.monotonic()
    said = failure(command, health, tmp_path / "log", timeout=600)
    assert "ended with status 1" in said
    assert "ValueError: no such model" in said
    assert time.monotonic() - began < 60


def test_death_by_signal_is_named(tmp_path: Path) -> None:
    """A server that the kernel killed, for its memory say, is reported with the signal."""
    command, health = server("import os; os.kill(os.getpid(), 9)")
    assert "was killed by signal 9" in failure(command, health, tmp_path / "log")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """The command in a message has stars for the values of flags that are named like secrets."""
    flags = ["--api-key", "hush1", "--hf-token=hush2", "--ssl-keyfile-password", "hush 3", "--max-model-len", "7"]
    said = failure(["/no/such/vllm", *flags], "http://127.0.0.1:9/health", tmp_path / "log")
    assert "hush" not in said
    assert "--api-key *** --hf-token *** --ssl-keyfile-password *** --max-model-len 7" in said


def test_missing_program_is_named(tmp_path: Path) -> None:
    """A command that is not there is reported as such."""
    said = failure(["/no/such/vllm", "serve"], "http://127.0.0.1:9/health", tmp_path / "log")
    assert "could not start /no/such/vllm: No such file or directory" in said


def test_never_healthy_is_ended(tmp_path: Path) -> None:
    """A server that listens and never says 200 is given up after the timeout, and ended with its children."""
    command, health = server(HAS_A_CHILD, status=503)
    for seconds in (1, 8, 60):
        said = failure(command, health, tmp_path / "log", timeout=seconds)
        assert f"was not healthy after {seconds} s" in said
        if "child" in (tmp_path / "log").read_text():  # else the machine is so busy that it had not come that far
            break
    assert until(lambda: gone(child_in(tmp_path / "log")))


def test_another_server_on_the_port_is_not_ours(tmp_path: Path) -> None:
    """A healthy server that was there before is refused at once: ours could not be told from it."""
    command, health = server()
    with launched(command, env={}, health=health, log=tmp_path / "first", timeout=60):
        with pytest.raises(LaunchFailed, match=f"another server is healthy at {health} already"):
            launched(command, env={}, health=health, log=tmp_path / "second", timeout=60).__enter__()
        assert not (tmp_path / "second").exists()


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", ""),
        ("one\n\x1b[31mtwo\x1b[0m\n\n", "two"),
        (
            "(EngineCore) ValueError: too big\nRuntimeError: Engine failed. See root cause above.\n",
            "(EngineCore) ValueError: too big",
        ),
        ("vllm serve: error: unrecognized arguments: --x\nbye\n", "vllm serve: error: unrecognized arguments: --x"),
        (
            "ValidationError: 1 validation error for A\n  Value error, too long [type=x]\n",
            "Value error, too long [type=x]",
        ),
        ("x" * 1000, "x" * 299 + "…"),
    ],
)
def test_telling_line(tmp_path: Path, log: str, line: str) -> None:
    """The line shown of a log is the last error that is not a pointer to another, else the last line, bounded."""
    (tmp_path / "log").write_text(log)
    assert telling_line(tmp_path / "log") == line


# Nothing is left behind


def test_grandchildren_end_too(tmp_path: Path) -> None:
    """What the server started ends with the block."""
    command, health = server(HAS_A_CHILD)
    with launched(command, env={}, health=health, log=tmp_path / "log", timeout=60) as running:
        child = child_in(running.log)
        assert not gone(child)
    assert until(lambda: gone(child))


def test_exception_in_the_block_ends_it(tmp_path: Path) -> None:
    """An exception, Ctrl-C's included, goes on its way after the server has ended."""
    command, health = server()
    with (
        pytest.raises(KeyboardInterrupt),
        launched(command, env={}, health=health, log=tmp_path / "log", timeout=60) as running,
    ):
        raise KeyboardInterrupt
    assert running.ended


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_end_of_the_parent_ends_it(tmp_path: Path, how: signal.Signals) -> None:
    """However the parent dies, kill -9 included, the server and its children go with it."""
    command, health = server(HAS_A_CHILD)
    log = tmp_path / "log"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(log), health, *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with parent:
        assert parent.stdout
        warden = int(parent.stdout.readline())
        ours = [warden, *members(warden), child_in(log)]
        assert len(ours) == 3
        parent.send_signal(how)
        parent.wait(60)
    assert until(lambda: all(map(gone, ours))), [process for process in ours if not gone(process)]


def warden(log: Path, code: str, grace: float = 5.0) -> subprocess.Popen[bytes]:
    """A warden run directly, as a program, with another grace."""
    source = launch.WARDEN.read_text()
    start = "import sys; names = {'__name__': 'warden'}; exec(sys.argv[1], names); names['GRACE'] = float(sys.argv[2])"
    run = f"{start}; sys.exit(names['main'](sys.argv[3:]))"
    return subprocess.Popen([*PYTHON, run, source, str(grace), str(log), "--", *PYTHON, code], stdin=subprocess.PIPE)


def test_the_stubborn_are_killed(tmp_path: Path) -> None:
    """A command that ignores SIGTERM is killed when its grace is over."""
    log = tmp_path / "log"
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    with warden(log, deaf, grace=0.2) as process:
        assert until(lambda: log.exists() and "deaf" in log.read_text())
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 128 + signal.SIGKILL


def test_the_left_behind_are_ended(tmp_path: Path) -> None:
    """When the command ends by itself, with its own status, what it started ends too."""
    log = tmp_path / "log"
    leaves = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(600)'])\n"
        "print('child', child.pid, flush=True); sys.exit(3)"
    )
    with warden(log, leaves) as process:
        assert process.wait(60) == 3
    assert until(lambda: gone(child_in(log)))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to a process of one's choice")
def test_the_runaway_is_ended(tmp_path: Path) -> None:
    """A grandchild that started a session of its own, and so left the group, ends too."""
    log = tmp_path / "log"
    leaves = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(600)'],"
        " start_new_session=True)\n"
        "print('child', child.pid, flush=True); time.sleep(600)"
    )
    with warden(log, leaves) as process:
        assert until(lambda: log.exists() and "child" in log.read_text())
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert gone(child_in(log))


def test_sigterm_to_the_warden_ends_it(tmp_path: Path) -> None:
    """A warden that is asked to end takes its command along; Ctrl-C and a closed terminal are not its business."""
    log = tmp_path / "log"
    with warden(log, "import time; print('here', flush=True); time.sleep(600)") as process:
        assert until(lambda: log.exists() and "here" in log.read_text())
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.1)
        assert process.poll() is None
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM


# The command for vLLM


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a GPU, and a cache of its own."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HOME", raising=False)
    return tmp_path


def test_vllm_of_a_directory(no_gpu: Path) -> None:
    """A model on disk is served offline, with an existing cache directory, and without compiling."""
    model = no_gpu / "model"
    model.mkdir()
    command, env = vllm_command("/x/bin/vllm", str(model), "tiny", 8123, ["--enable-auto-tool-choice"])
    assert command[:3] == ["/x/bin/vllm", "serve", str(model)]
    assert " ".join(command[3:9]) == "--served-model-name tiny --host 127.0.0.1 --port 8123"
    assert {"--enforce-eager", "float32", "--enable-auto-tool-choice"} <= set(command)
    assert "" not in command
    assert env["TORCHDYNAMO_DISABLE"] == env["HF_HUB_OFFLINE"] == env["TRANSFORMERS_OFFLINE"] == "1"
    assert Path(env["HF_HOME"]).is_dir()


def test_vllm_of_a_hub_name(no_gpu: Path) -> None:
    """A model that has to be fetched is not served offline."""
    command, env = vllm_command(no_gpu / "python3.12", "Qwen/Qwen3-0.6B", "qwen", 1)
    assert command[1:5] == ["-m", "vllm.entrypoints.cli.main", "serve", "Qwen/Qwen3-0.6B"]
    assert not [name for name in env if name.startswith(("HF_", "TRANSFORMERS_"))]


def test_vllm_arguments_of_the_user_win(no_gpu: Path) -> None:
    """A flag given in targets.yaml takes the place of ours, in either spelling."""
    command, _ = vllm_command("vllm", "m", "tiny", 1, ["--dtype=bfloat16", "--max-num-seqs", "2"])
    assert "--dtype" not in command
    assert command.count("--max-num-seqs") == 1
    assert command[-3:] == ["--dtype=bfloat16", "--max-num-seqs", "2"]


def test_vllm_with_a_gpu(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a GPU, nothing is held back for a small machine."""
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    command, env = vllm_command("vllm", "m", "tiny", 1)
    assert command == ["vllm", "serve", "m", "--served-model-name", "tiny", "--host", "127.0.0.1", "--port", "1"]
    assert "TORCHDYNAMO_DISABLE" not in env
