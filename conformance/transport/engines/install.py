"""Installs engines and gateways to test against, each in an environment of its own in the user's cache.

What there is to install is data, in `engines.py`. This module starts none of them (`launch.py` does) and prints
nothing: steps are told to a callback, failures are one exception.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance.transport.engines.versions import ENGINES, Build, Engine, Source

Tell = Callable[[str], None]
"""Told each step as it begins. What installers print is in the log."""

PIP_PATIENCE = 3600.0
"""Seconds for one pip command: 3.4 GB over a slow line."""
BUILD_PATIENCE = 7200.0
"""Seconds to compile an engine: ten minutes where nobody else is at work."""
STEP_PATIENCE = 300.0
"""Seconds for any other step: making an environment, or an engine's first import on a cold disk."""
TAIL = 12
"""Errors of an installer that an error message repeats."""
MARKER = "installed.json"
"""Written last: a directory without it is half an install, and is made anew."""


class InstallFailed(Exception):
    """An engine could not be installed: at which step, the end of its log, and where the log is."""


class NotInstalled(Exception):
    """An engine is asked for that is not installed here. The message says what to do."""


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
    compilers = ("c++", "g++", "clang++")
    if _build(engine).source and not os.environ.get("CXX") and not any(map(shutil.which, compilers)):
        raise InstallFailed(
            f"{engine.title} is compiled here, and there is no C++ compiler: {', '.join(compilers)} are not on the PATH"
            " (Debian: `apt install g++`; Fedora: `dnf install gcc-c++`)"
        )
    if engine.node:
        return _node(engine)
    if ".".join(map(str, sys.version_info[:2])) in engine.pythons:
        return sys.executable
    for version in engine.pythons:
        if found := shutil.which(f"python{version}"):
            return found
    if shutil.which("uv"):
        return engine.pythons[0]  # which it fetches
    raise InstallFailed(
        f"{engine.title} {engine.version} needs Python {', '.join(sorted(engine.pythons))}; none is here"
    )


def _node(engine: Engine) -> str:
    """The Node.js of this machine, where it is new enough and npm is beside it."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise InstallFailed(
            f"{engine.title} needs Node.js {engine.node} with npm, and {'npm' if node else 'node'} is not on the PATH"
            " (Debian: `apt install nodejs npm`)"
        )
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise InstallFailed(
            f"{engine.title} needs Node.js {engine.node}, and {node} does not run: {problem}"
        ) from problem
    version = re.match(r"v(\d+)\.", said)
    if version is None or int(version[1]) < engine.node:
        raise InstallFailed(
            f"{engine.title} needs Node.js {engine.node}, and {node} is {said.strip() or 'another thing'}"
        )
    return node


def _build(engine: Engine) -> Build:
    """The build that fits this machine."""
    return engine.gpu if has_gpu() else engine.cpu


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
    build = _build(engine)
    steps = _Steps(engine, directory / "install.log", tell)
    env, began = directory / "env", time.monotonic()
    if engine.node:
        _from_npm(build, env, steps)
    else:
        _from_pypi(engine, build, env, python, steps)
        python = str(env / "bin" / "python")
    tried = [word.format(program=env / engine.program, python=python) for word in build.tried]
    steps.run("trying it", tried, STEP_PATIENCE)

    facts = {"build": build.requirement, "version": engine.version, "seconds": round(time.monotonic() - began)}
    fresh = directory / f"{MARKER}.new"
    fresh.write_text(json.dumps(facts) + "\n")
    fresh.replace(directory / MARKER)
    tell(f"{engine.title} {engine.version} is installed: {env / engine.program}")
    return env / engine.program


def _from_pypi(engine: Engine, build: Build, env: Path, python: str, steps: _Steps) -> None:
    """A virtual environment with the engine in it: by uv, which is fast, where it is on the PATH."""
    own, uv = str(env / "bin" / "python"), shutil.which("uv")
    pip = [own, "-m", "pip", "--no-input", "--disable-pip-version-check"]
    venv = (
        [uv, "venv", "--seed", "--python", python] if uv else [python, "-m", "venv"]
    )  # with pip: uv downloads no sources
    fetch = [uv, "pip", "install", "--python", own] if uv else [*pip, "install", "--progress-bar", "off"]
    steps.run("making a virtual environment", [*venv, str(env)], STEP_PATIENCE)
    if build.instead:
        steps.run(f"installing what {engine.title} needs here (a few minutes)", [*fetch, *build.instead], PIP_PATIENCE)
        fetch.append("--no-deps")
    wanted = build.source.tools if build.source else (build.requirement, *build.held)
    steps.run(f"installing {', '.join(wanted)} (a few minutes)", [*fetch, *wanted], PIP_PATIENCE)
    if build.without:
        steps.run(f"removing {', '.join(build.without)}", [*pip, "uninstall", "-y", *build.without], STEP_PATIENCE)
    if build.alias:
        _alias(env, *build.alias)
    if build.source:
        _compile(build.requirement, build.source, env / engine.program, pip, steps)


def _from_npm(build: Build, env: Path, steps: _Steps) -> None:
    """A directory with the engine's package and its dependencies in it."""
    env.mkdir()
    held = {name: version for name, _, version in (one.rpartition("@") for one in build.held)}
    (env / "package.json").write_text(json.dumps({"private": True, "overrides": held}) + "\n")
    # No package runs commands of its own here: none of these needs to.
    npm = ["npm", "install", "--prefix", str(env), "--ignore-scripts", "--no-audit", "--no-fund", build.requirement]
    steps.run(f"installing {', '.join((build.requirement, *build.held))}", npm, PIP_PATIENCE)


def _alias(env: Path, name: str, version: str) -> None:
    """Let importlib.metadata find a distribution under another name."""
    for packages in env.glob("lib/python*/site-packages"):
        record = packages / f"{name}-{version}.dist-info"
        record.mkdir(exist_ok=True)
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (record / "INSTALLER").write_text("openai-conformance\n")


def _compile(requirement: str, source: Source, program: Path, pip: Sequence[str], steps: _Steps) -> None:
    """Build a program from the source that a distribution carries, and keep only the program."""
    tools, work = program.parent, program.parent.parent.parent / "work"
    fetched, made, cmake = work / "fetched", work / "build", str(tools / "cmake")
    # pip prepares the distribution's own build to learn its name; what that needs may come as wheels.
    only = ["--no-deps", "--no-binary", requirement.partition("==")[0]]
    steps.run(
        f"fetching the source of {requirement}",
        [*pip, "download", "--progress-bar", "off", *only, "-d", str(fetched), requirement],
        PIP_PATIENCE,
    )
    folder = _unpacked(fetched, work, source.folder, steps)
    ninja = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}"]
    steps.run(
        "configuring the build", [cmake, "-S", str(folder), "-B", str(made), *ninja, *source.flags], STEP_PATIENCE
    )
    # It keeps every core busy for minutes: others on this machine go first.
    build = ["nice", "-n", "19", cmake, "--build", str(made), "--parallel", str(os.cpu_count() or 1)]
    steps.run("compiling it (ten minutes or more)", [*build, "--target", source.target], BUILD_PATIENCE)
    try:
        shutil.copy2(made / source.made, program)
    except OSError as problem:
        raise steps.failed("compiling it", f"made no {source.made} ({problem.strerror})") from problem
    shutil.rmtree(work)


def _unpacked(fetched: Path, work: Path, folder: str, steps: _Steps) -> Path:
    """The folder of a source distribution that is built from, unpacked."""
    steps.tell("unpacking the source")
    try:
        (archive,) = fetched.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            members = [each for each in packed if f"/{folder}/" in each.name]
            packed.extractall(work, members, filter="data")
        (found,) = work.glob(f"*/{folder}")
    except (OSError, ValueError, tarfile.TarError) as problem:
        raise steps.failed("unpacking the source", f"found no {folder} in it: {problem}") from problem
    return found


@dataclass(frozen=True)
class _Steps:
    """The commands of an install: told, logged, bounded in time."""

    engine: Engine
    log: Path
    tell: Tell

    def run(self, what: str, command: Sequence[str], patience: float) -> None:
        """One command. Raises InstallFailed when it fails or takes too long."""
        self.tell(what)
        with self.log.open("a+", encoding="utf-8", errors="replace") as log:
            print("$", *command, file=log, flush=True)
            begun, how = log.tell(), ""
            try:
                process = subprocess.Popen(  # noqa: S603  - commands of this module
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=_environment(),
                    start_new_session=True,
                )
                try:
                    if status := process.wait(patience):
                        how = f"ended with status {status}"
                finally:
                    _end(process)  # also on Ctrl-C
            except OSError as problem:
                how = str(problem)
            except subprocess.TimeoutExpired:
                how = f"took more than {patience:g} s"
            log.seek(begun)
            if how:
                raise self.failed(what, how, log.read().splitlines())

    def failed(self, what: str, how: str, lines: Sequence[str] = ()) -> InstallFailed:
        """The exception to raise: what failed, how, and which errors its lines have; without any, the last of them."""
        wrong = [line for line in lines if re.match(r"ERROR|npm error|CMake Error|FAILED|.*\berror: ", line)]
        told = wrong[-TAIL:] or [line for line in lines if line.strip()][-1:]
        return InstallFailed(
            "\n  ".join([f"{self.engine.title} could not be installed: {what} {how} (log: {self.log})", *told])
        )


def _environment() -> dict[str, str]:
    """This process's environment without what would let another environment's packages in."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET")}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started, if it has not ended. It is ours to reap here and nowhere else."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
