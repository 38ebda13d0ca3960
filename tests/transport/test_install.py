"""Installing engines: every step is taken, half an install is none, and failures say what to do. Offline, with toys."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import shutil
import sys
import time
from pathlib import Path

import pytest

from conformance.cli.main import main
from conformance.transport.engines import install as servers
from conformance.transport.engines.install import InstallFailed, NotInstalled, executable, install, installed
from conformance.transport.engines.versions import Build, Engine, Source

TOY = Engine(
    name="toy",
    title="Toy",
    version="1.0",
    cpu=Build("toy-cpu==1.0", without=("toyvision",), alias=("toy", "1.0+cpu")),
    gpu=Build("toy==1.0"),
    program="bin/toy",
    space=1000,
    needs="nothing",
    systems=(sys.platform,),
    pythons=(".".join(map(str, sys.version_info[:2])),),
)

COMPILED = Engine(
    **{
        **vars(TOY),
        "cpu": Build("toy-source==1.0", source=Source(("maker==2",), "vendor/toy", ("-DWELL=ON",), "toy", "bin/toy")),
    }
)
"""The same, built from what its source distribution carries."""

PYTHON = """#!/bin/sh
# Stands for Python: `-m venv DIR` makes an environment with this file in it, `-m pip install` makes the program.
echo "$@" >> "{calls}"
case "$*" in
  *"-m venv"*) mkdir -p "$3/bin" "$3/lib/python3/site-packages"; cp "$0" "$3/bin/python";;
  *" install "*) {install}; printf '#!/bin/sh\\necho toy $1\\n' > "${{0%/*}}/toy"; chmod +x "${{0%/*}}/toy";;
esac
"""


class Machine:
    """A machine whose Python is a shell script, and that has room for installs of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.told = folder, list[str]()
        self.python, self.log = folder / "python", folder / "calls"
        self.directory = folder / "cache" / "openai-conformance" / "servers" / "toy"
        self.pip_does("echo Collecting toy")

    def pip_does(self, command: str) -> None:
        """Let `pip install` run a shell command first."""
        self.python.write_text(PYTHON.format(calls=self.log, install=command))
        self.python.chmod(0o755)

    def calls(self) -> list[str]:
        """What Python was run with so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def install(self) -> Path:
        """Install the toy."""
        return install("toy", tell=self.told.append)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without a GPU on which the toy engine can be installed."""
    machine = Machine(tmp_path)
    which = {"nvidia-smi": None}
    monkeypatch.setattr(shutil, "which", which.get)
    monkeypatch.setattr(sys, "executable", str(machine.python))
    monkeypatch.setattr(servers, "ENGINES", {"toy": TOY})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return machine


def test_every_step_is_taken(machine: Machine) -> None:
    """An install makes an environment, installs the pinned build, removes what breaks it, and tries the program."""
    program = machine.install()
    assert [call.split("--disable-pip-version-check ")[-1] for call in machine.calls()] == [
        f"-m venv {machine.directory}/env",
        "install --progress-bar off toy-cpu==1.0",
        "uninstall -y toyvision",
    ]
    assert program == executable("toy") == machine.directory / "env" / "bin" / "toy"
    assert machine.told == [
        "making a virtual environment",
        "installing toy-cpu==1.0 (a few minutes)",
        "removing toyvision",
        "trying it",
        f"Toy 1.0 is installed: {program}",
    ]
    assert "Collecting toy" in (machine.directory / "install.log").read_text()
    assert [state.build for state in installed()] == ["toy-cpu==1.0"]


def test_uv_is_used_where_it_is(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With uv on the PATH it makes the environment and fills it; pip, which it puts there, does what it cannot."""
    uv = machine.folder / "uv"
    uv.write_text(f"""#!/bin/sh
case "$1" in
  venv) exec "$4" -m venv "$5";;
  pip) shift; exec "{machine.directory}/env/bin/python" uv "$@";;
esac
""")
    uv.chmod(0o755)
    monkeypatch.setattr(shutil, "which", {"uv": str(uv)}.get)
    env = machine.directory / "env"
    machine.install()
    assert machine.calls() == [
        f"-m venv {env}",
        f"uv install --python {env}/bin/python toy-cpu==1.0",
        "-m pip --no-input --disable-pip-version-check uninstall -y toyvision",
    ]


def test_alias_is_found(machine: Machine) -> None:
    """The distribution is found under the name that the program looks for."""
    machine.install()
    packages = str(machine.directory / "env" / "lib" / "python3" / "site-packages")
    (found,) = importlib.metadata.distributions(name="toy", path=[packages])
    assert (found.metadata["Name"], found.version) == ("toy", "1.0+cpu")


def test_second_install_does_nothing(machine: Machine) -> None:
    """What is installed is left alone."""
    program = machine.install()
    before = machine.calls()
    assert machine.install() == program
    assert machine.calls() == before
    assert machine.told[-1] == "Toy 1.0 is installed already (toy-cpu==1.0)"


def test_half_an_install_is_made_anew(machine: Machine) -> None:
    """Without its marker an install counts for nothing, and nothing of it stays."""
    machine.install()
    (machine.directory / servers.MARKER).unlink()
    (machine.directory / "env" / "rest").touch()
    with pytest.raises(NotInstalled):
        executable("toy")
    machine.install()
    assert not (machine.directory / "env" / "rest").exists()
    assert executable("toy").is_file()


@pytest.mark.parametrize("marker", ["", "[]", "{}", '{"build": 7}', '{"build": ["toy-cpu==1.0"]}'])
def test_bad_marker_is_none(machine: Machine, marker: str) -> None:
    """A marker that is not one is no marker."""
    machine.install()
    (machine.directory / servers.MARKER).write_text(marker)
    with pytest.raises(NotInstalled):
        executable("toy")


def test_gpu_build_where_there_is_a_gpu(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an NVIDIA driver the plain build is installed, as it is."""
    monkeypatch.setattr(shutil, "which", {"nvidia-smi": "/usr/bin/nvidia-smi"}.get)
    machine.install()
    assert [call.split()[-1] for call in machine.calls()[1:]] == ["toy==1.0"]
    assert json.loads((machine.directory / servers.MARKER).read_text())["build"] == "toy==1.0"


def test_older_build_is_replaced(machine: Machine) -> None:
    """After the pin has moved, the old install is named and no longer used, and an install replaces it."""
    machine.install()
    (machine.directory / servers.MARKER).write_text('{"build": "toy-cpu==0.9"}')
    with pytest.raises(NotInstalled, match=r"\(toy-cpu==0.9 is, an older build\)"):
        executable("toy")
    machine.install()
    assert executable("toy").is_file()


# Failures


def test_failure_of_pip_is_explained(machine: Machine) -> None:
    """When pip fails the message has its errors and the log's place, and nothing counts as installed."""
    machine.pip_does("echo Collecting toy; echo 'ERROR: No matching distribution found for toy'; exit 3")
    with pytest.raises(InstallFailed) as caught:
        machine.install()
    first, *rest = str(caught.value).splitlines()
    assert first.startswith("Toy could not be installed: installing toy-cpu==1.0")
    assert first.endswith(f"ended with status 3 (log: {machine.directory / 'install.log'})")
    assert rest == ["  ERROR: No matching distribution found for toy"]
    with pytest.raises(NotInstalled):
        executable("toy")


def test_endless_pip_is_ended(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installer that hangs is ended, with what it started, when its time is over."""
    machine.pip_does("echo waiting; sleep 600")
    monkeypatch.setattr(servers, "PIP_PATIENCE", 0.3)
    began = time.monotonic()
    with pytest.raises(InstallFailed, match=r"took more than 0\.3 s"):
        machine.install()
    assert time.monotonic() - began < 60


def test_program_that_does_not_run_is_no_install(machine: Machine) -> None:
    """An engine that cannot print its version is not installed."""
    machine.pip_does('printf "#!/bin/sh\\nexit 5\\n" > "${0%/*}/toy"; chmod +x "${0%/*}/toy"; exit 0')
    with pytest.raises(InstallFailed, match="trying it ended with status 5"):
        machine.install()
    assert not installed()[0].ready


def test_python_that_is_not_there(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that cannot be run at all is a failed install too."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(InstallFailed, match="No such file"):
        machine.install()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"systems": ("plan9",)}, "Toy runs on plan9 only"),
        ({"space": 10**18}, "Toy takes 1000000000 GB, and"),
        ({"pythons": ("2.7",)}, "Toy 1.0 needs Python 2.7; none is here"),
    ],
)
def test_unfit_machine_is_told_first(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], said: str
) -> None:
    """A machine that cannot have the engine is told so before anything is fetched."""
    monkeypatch.setattr(servers, "ENGINES", {"toy": Engine(**{**vars(TOY), **changes})})
    with pytest.raises(InstallFailed, match=said):
        machine.install()
    assert not machine.calls()


def test_two_at_once_are_refused(machine: Machine) -> None:
    """While one process installs an engine, another is told so, and breaks nothing."""
    machine.directory.parent.mkdir(parents=True)
    with (machine.directory.parent / "toy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InstallFailed, match="being installed by another process"):
            machine.install()
    machine.install()


# What is there


def test_not_installed_says_what_to_do(machine: Machine) -> None:
    """An engine that is not there is one sentence with the command that brings it."""
    with pytest.raises(NotInstalled) as caught:
        executable("toy")
    assert str(caught.value) == "Toy is not installed here: run `conformance servers install toy`"
    assert [(state.engine.name, state.build, state.ready) for state in installed()] == [("toy", None, False)]


@pytest.mark.parametrize("arguments", [["servers"], ["servers", "list"]])
def test_they_are_listed(machine: Machine, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """The command lists them also where nothing more is said."""
    assert main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("toy     1.0      not installed")


def test_one_beside_this_python_will_do(machine: Machine) -> None:
    """Somebody who has the engine in the suite's own environment needs no other."""
    beside = machine.folder / "toy"
    beside.touch()
    assert executable("toy") == beside


def test_unknown_engine_names_the_known(machine: Machine) -> None:
    """A name that is not known is answered with those that are."""
    for ask, problem in ((executable, NotInstalled), (install, InstallFailed)):
        with pytest.raises(problem, match="there is no engine 'tpyo' here; there is toy"):
            ask("tpyo")


# Compiled ones

TOOLS = """for tool in cmake ninja; do cp "{maker}" "${{0%/*}}/$tool"; done
mkdir -p "{toy}/vendor/toy"; touch "{toy}/vendor/toy/CMakeLists.txt" "{toy}/other" """
FETCHES = """while [ "$1" != -d ]; do shift; done
mkdir -p "$2"; tar -C "{folder}" -czf "$2/toy_source-1.0.tar.gz" toy_source-1.0"""
MAKER = """#!/bin/sh
# Stands for cmake: `-S DIR -B DIR` looks for the source, `--build DIR` makes the program.
echo "${{0##*/}} $@" >> "{calls}"
case "$*" in
  *"--build"*) {builds}; mkdir -p "$2/bin"; printf '#!/bin/sh\\necho toy $1\\n' > "$2/bin/toy"; chmod +x "$2/bin/toy";;
  *) test -f "$2/CMakeLists.txt" && ! test -e "$2/../../other";;
esac
"""


@pytest.fixture
def workshop(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with a compiler on which the compiled toy can be installed."""
    monkeypatch.setattr(servers, "ENGINES", {"toy": COMPILED})
    monkeypatch.setattr(shutil, "which", {"g++": "/usr/bin/g++"}.get)
    monkeypatch.setattr(servers.os, "cpu_count", lambda: 3)
    monkeypatch.delenv("CXX", raising=False)
    builds(machine, ":")
    return machine


def builds(machine: Machine, command: str) -> None:
    """Let a build run a shell command first."""
    maker = machine.folder / "maker"
    maker.write_text(MAKER.format(calls=machine.log, builds=command))
    maker.chmod(0o755)
    machine.python.write_text(
        PYTHON.format(
            calls=machine.log, install=TOOLS.format(maker=maker, toy=machine.folder / "toy_source-1.0")
        ).replace("esac", f'  *" download "*) {FETCHES.format(folder=machine.folder)};;\nesac')
    )


def test_program_is_compiled(workshop: Machine) -> None:
    """A compiled engine is fetched as source, built at the lowest priority, and only the program is kept."""
    program = workshop.install()
    env, work = workshop.directory / "env", workshop.directory / "work"
    source, made = work / "toy_source-1.0" / "vendor" / "toy", work / "build"
    assert [call.split("--disable-pip-version-check ")[-1] for call in workshop.calls()] == [
        f"-m venv {env}",
        "install --progress-bar off maker==2",
        f"download --progress-bar off --no-deps --no-binary toy-source -d {work}/fetched toy-source==1.0",
        f"cmake -S {source} -B {made} -G Ninja -DCMAKE_MAKE_PROGRAM={env}/bin/ninja -DWELL=ON",
        f"cmake --build {made} --parallel 3 --target toy",
    ]
    assert f"$ nice -n 19 {env}/bin/cmake --build" in (workshop.directory / "install.log").read_text()
    assert program == executable("toy") == env / "bin" / "toy"
    assert not work.exists()
    assert [state.build for state in installed()] == ["toy-source==1.0"]


def test_no_compiler_is_told_first(workshop: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a C++ compiler one line says so, and how to get one, before anything is fetched."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InstallFailed, match=r"Toy is compiled here, and there is no C\+\+ compiler.*apt install g\+\+"):
        workshop.install()
    assert not workshop.calls()
    monkeypatch.setenv("CXX", "/opt/own/c++")
    workshop.install()


def test_failed_build_shows_its_errors(workshop: Machine) -> None:
    """Of a build that fails, the compiler's errors are repeated, and not the lines around them."""
    builds(workshop, "echo '[1/9] Building x.o'; echo 'x.cpp:7:1: error: no such thing'; echo 'ninja: stopped'; exit 1")
    with pytest.raises(InstallFailed) as caught:
        workshop.install()
    first, *rest = str(caught.value).splitlines()
    assert "compiling it (ten minutes or more) ended with status 1" in first
    assert rest == ["  x.cpp:7:1: error: no such thing"]
    assert not installed()[0].ready


def test_build_without_the_program_is_none(workshop: Machine) -> None:
    """A build that ends well and made no program is a failed install."""
    builds(workshop, "exit 0")
    with pytest.raises(InstallFailed, match="compiling it made no bin/toy"):
        workshop.install()


def test_distribution_without_the_source_is_none(workshop: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that does not carry what is to be built is a failed install."""
    moved = Build("toy-source==1.0", source=Source(("maker==2",), "elsewhere", (), "toy", "bin/toy"))
    monkeypatch.setattr(servers, "ENGINES", {"toy": Engine(**{**vars(COMPILED), "cpu": moved})})
    with pytest.raises(InstallFailed, match="unpacking the source found no elsewhere in it"):
        workshop.install()


# Packages of npm, and distributions without what they ask for

PACKAGED = Engine(
    **{
        **vars(TOY),
        "cpu": Build("@toys/toy@1.0", held=("@toys/helper@2",), tried=("{python}", "--check", "{program}")),
        "program": "node_modules/@toys/toy/toy.js",
        "pythons": (),
        "node": 20,
    }
)
NODE = """#!/bin/sh
# Stands for Node.js and for npm.
[ "$1" = --version ] && {{ echo {version}; exit; }}
echo "${{0##*/}} $@" >> "{calls}"
case "$*" in
  install*) mkdir -p "$3/node_modules/@toys/toy"; touch "$3/node_modules/@toys/toy/toy.js";;
  --check*) test -f "$2";;
esac
"""


def with_node(machine: Machine, monkeypatch: pytest.MonkeyPatch, version: str, *programs: str) -> None:
    """Let the machine have these programs of Node.js."""
    found = {}
    for name in programs:
        (machine.folder / name).write_text(NODE.format(calls=machine.log, version=version))
        (machine.folder / name).chmod(0o755)
        found[name] = str(machine.folder / name)
    monkeypatch.setattr(servers, "ENGINES", {"toy": PACKAGED})
    monkeypatch.setattr(shutil, "which", found.get)
    monkeypatch.setenv("PATH", f"{machine.folder}:/usr/bin:/bin")


def test_package_is_installed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of npm is installed in a directory of its own, without running what it brings, and its program is read."""
    with_node(machine, monkeypatch, "v20.1.0", "node", "npm")
    program = machine.install()
    env = machine.directory / "env"
    assert machine.calls() == [
        f"npm install --prefix {env} --ignore-scripts --no-audit --no-fund @toys/toy@1.0",
        f"node --check {program}",
    ]
    assert program == executable("toy") == env / "node_modules/@toys/toy/toy.js"
    assert json.loads((env / "package.json").read_text())["overrides"] == {"@toys/helper": "2"}


@pytest.mark.parametrize(
    ("version", "programs", "said"),
    [
        (
            "v20.1.0",
            (),
            "Toy needs Node.js 20 with npm, and node is not on the PATH (Debian: `apt install nodejs npm`)",
        ),
        ("v20.1.0", ("node",), "Toy needs Node.js 20 with npm, and npm is not on the PATH"),
        ("v18.3.0", ("node", "npm"), r"Toy needs Node.js 20, and \S+/node is v18.3.0"),
    ],
)
def test_node_is_missed_first(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, version: str, programs: tuple[str, ...], said: str
) -> None:
    """Without a Node.js that will do, one line says so before anything is fetched."""
    with_node(machine, monkeypatch, version, *programs)
    with pytest.raises(InstallFailed, match=said.replace("(", r"\(").replace(")", r"\)")):
        machine.install()
    assert not machine.calls()


def test_what_it_asks_for_is_replaced(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution whose dependencies cannot be had comes without them, after those that stand in for them."""
    bare = Build("toy==1.0", instead=("cloth==3", "wood==4"), tried=("{python}", "toys.py"))
    monkeypatch.setattr(servers, "ENGINES", {"toy": Engine(**{**vars(TOY), "cpu": bare})})
    machine.install()
    assert [call.split("--disable-pip-version-check ")[-1] for call in machine.calls()][1:] == [
        "install --progress-bar off cloth==3 wood==4",
        "install --progress-bar off --no-deps toy==1.0",
        "toys.py",
    ]


# Those there are


def test_llama_is_one_build() -> None:
    """llama.cpp is the same build with a GPU and without, of the version that is shown."""
    llama = servers.ENGINES["llama.cpp"]
    assert llama.cpu == llama.gpu
    assert llama.cpu.requirement.partition("==")[2] == llama.version


def test_vllm_is_pinned_alike() -> None:
    """Both builds of vLLM are of the version that is shown."""
    vllm = servers.ENGINES["vllm"]
    assert {build.requirement.partition("==")[2] for build in (vllm.cpu, vllm.gpu)} == {vllm.version}
    assert vllm.cpu.alias == ("vllm", f"{vllm.version}+cpu")


@pytest.mark.parametrize("name", ["sglang", "litellm", "portkey", "portkey-streaming"])
def test_others_are_pinned_alike(name: str) -> None:
    """Each build is of the version that is shown, and all that is named beside it has a version too."""
    engine = servers.ENGINES[name]
    for build in (engine.cpu, engine.gpu):
        assert build.requirement.rpartition("@" if engine.node else "==")[2] == engine.version
        assert all("==" in one for one in build.instead)
