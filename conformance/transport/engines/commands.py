"""How each engine and each gateway is started: its command line, its environment, and how it is spoken to. Starts nothing.

`launch.py` starts what is described here. A gateway stands in front of an upstream, which is there before it.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.transport.engines.install import has_gpu
from conformance.transport.engines.launch import LaunchFailed
from conformance.transport.engines.versions import STUB_KERNELS


@dataclass(frozen=True)
class Upstream:
    """What a gateway stands in front of: where it is, its key (None where it wants none), its model."""

    base_url: str
    key: str | None = field(repr=False)
    model: str


@dataclass(frozen=True)
class Start:
    """A gateway to be started: how, and how it is spoken to once it is healthy at the path `health`."""

    command: list[str]
    env: dict[str, str] = field(repr=False)
    health: str
    key: str | None = field(default=None, repr=False)
    """Its own, or the upstream's where it passes that on."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """What every request has to say to it."""


# vLLM


def vllm_command(
    program: str | Path, model: str, served_name: str, port: int, args: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """The command that serves a model with vLLM, and what to add to its environment.

    `program` is the `vllm` executable, or a Python that has it. `model` is a directory or a name on the hub.
    `args` are the user's and win over what is set here. Its health is at `http://127.0.0.1:PORT/health`.
    """
    name = Path(program).name
    start = [str(program), "-m", "vllm.entrypoints.cli.main"] if name.startswith("python") else [str(program)]
    ours = {"--served-model-name": served_name, "--host": "127.0.0.1", "--port": str(port)}
    env = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if not has_gpu():
        # Every processor has float32, and answers alike with it. The rest keeps start and memory small.
        ours |= {"--dtype": "float32", "--max-model-len": "2048", "--max-num-seqs": "8", "--enforce-eager": ""}
        # Without the first, the first request for logprobs compiles for 39 s. The second is in GiB.
        env |= {"TORCHDYNAMO_DISABLE": "1", "VLLM_CPU_KVCACHE_SPACE": os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1")}
    if Path(model).is_dir():
        model = str(Path(model).resolve())
        env |= _offline()
    return [*start, "serve", model, *_chosen(ours, args), *args], env


def _chosen(ours: Mapping[str, str], args: Sequence[str]) -> list[str]:
    """Our own flags, as far as the user gives none of the same name."""
    given = {argument.partition("=")[0] for argument in args}
    return [part for flag, value in ours.items() if flag not in given for part in (flag, value) if part]


def _offline() -> dict[str, str]:
    """What keeps the hub's library from asking for a model that is on disk."""
    return {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HOME": str(_hub_cache())}


def _hub_cache() -> Path:
    """A directory for the hub's library, which fails offline where its own does not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("HF_HOME") or Path(base) / "openai-conformance" / "hub")
    cache.mkdir(parents=True, exist_ok=True)
    return cache


# llama.cpp


def llama_command(
    program: str | Path, model: str, served_name: str, port: int, args: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """The command that serves a model with llama.cpp's llama-server, and what to add to its environment.

    `program` is the `llama-server` executable, or a Python that has it beside it. `model` is a GGUF file,
    or a directory with one. `args` are the user's and win over what is set here: of two values the program takes the
    last. Its health is at `http://127.0.0.1:PORT/health`. Raises LaunchFailed where there is no such model.
    """
    if Path(program).name.startswith("python"):
        program = Path(program).with_name("llama-server")
    file = min(Path(model).glob("*.gguf"), default=Path(model))  # of several parts, it is told the first
    if not file.is_file():
        raise LaunchFailed(
            f"llama-server needs a GGUF file or a directory with one, and {model} is neither: llama.cpp's"
            " convert_hf_to_gguf.py makes one of a checkpoint"
        )
    ours = ["--model", str(file), "--alias", served_name, "--host", "127.0.0.1", "--port", str(port)]
    # 2048 tokens for each of four requests at once; and no web pages.
    ours += ["--ctx-size", "8192", "--parallel", "4", "--jinja", "--no-webui"]
    return [str(program), *ours, *args], {}


# SGLang


def sglang_command(
    program: str | Path, model: str, served_name: str, port: int, args: Sequence[str] = ()
) -> tuple[list[str], dict[str, str]]:
    """The command that serves a model with SGLang, and what to add to its environment.

    `program` is the `sglang` executable, or a Python that has it. `model` is a directory or a name on the hub. Without a GPU
    it runs on stub kernels (`fixtures/stub-kernels`). `args` are the user's and win over what is set here. Its health is at
    `http://127.0.0.1:PORT/health`.
    """
    name = Path(program).name
    python = str(program) if name.startswith("python") else str(Path(program).with_name("python"))
    ours = {"--served-model-name": served_name, "--host": "127.0.0.1", "--port": str(port), "--skip-server-warmup": ""}
    env: dict[str, str] = {}
    start = [python, "-m", "sglang.launch_server"]
    if not has_gpu():
        start = [python, str(STUB_KERNELS / "serve.py")]
        ours |= {
            "--device": "cpu", "--dtype": "float32", "--attention-backend": "torch_native",
            "--sampling-backend": "pytorch", "--context-length": "2048", "--max-total-tokens": "16384",
            "--max-running-requests": "8", "--disable-overlap-schedule": "", "--grammar-backend": "xgrammar",
        }  # fmt: skip
        paths = [str(STUB_KERNELS), *filter(None, [os.environ.get("PYTHONPATH")])]
        env |= {"SGLANG_USE_CPU_ENGINE": "1", "PYTHONPATH": os.pathsep.join(paths)}
    if Path(model).is_dir():
        model = str(Path(model).resolve())
        env |= _offline()
    return [*start, "--model-path", model, *_chosen(ours, args), *args], env


COMMANDS: Mapping[str, Callable[[Path, str, str, int, Sequence[str]], tuple[list[str], dict[str, str]]]] = {
    "vllm": vllm_command,
    "llama.cpp": llama_command,
    "sglang": sglang_command,
}
"""How each kind of engine is started."""


def emulation(kind: str) -> str:
    """What does not run as it is, where this kind of engine is started here; "" where all of it does."""
    return "SGLang's kernels: it runs on stub kernels" if kind == "sglang" and not has_gpu() else ""


# Gateways


def litellm_start(program: Path, upstream: Upstream, model: str, port: int, args: Sequence[str], folder: Path) -> Start:
    """A LiteLLM proxy with one model, by the upstream's name for it.

    `model` is LiteLLM's own name for the upstream's model, such as `hosted_vllm/tiny`; "" stands for `openai/` and the
    upstream's name. Its settings are written into `folder`; keys are only named in them. A `--config` among the user's `args`
    takes their place: the variables UPSTREAM_URL, UPSTREAM_KEY and LITELLM_MASTER_KEY are there for it.
    """
    params = {
        "model": model or f"openai/{upstream.model}",
        "api_base": upstream.base_url,
        "api_key": "os.environ/UPSTREAM_KEY",
    }
    settings = {
        "model_list": [{"model_name": upstream.model, "litellm_params": params}],
        "litellm_settings": {"num_retries": 0},  # what the upstream says is to be seen once
        # Else one refusal of the upstream's that is a 404 is 429 for everybody for five seconds, whatever they ask.
        "router_settings": {"disable_cooldowns": True},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
    file = folder / "litellm.yaml"
    file.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")  # JSON is YAML
    key = f"sk-{secrets.token_hex(16)}"
    env = {
        "UPSTREAM_URL": upstream.base_url,
        "UPSTREAM_KEY": upstream.key or "none",
        "LITELLM_MASTER_KEY": key,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches a list of prices at its start
        "LITELLM_TELEMETRY": "False",
        "NO_PROXY": "127.0.0.1",
    }
    ours = {"--config": str(file), "--host": "127.0.0.1", "--port": str(port)}
    return Start([str(program), *_chosen(ours, args), *args], env, "/health/liveliness", key)


def portkey_start(program: Path, upstream: Upstream, model: str, port: int, args: Sequence[str], folder: Path) -> Start:
    """Portkey's gateway, which is told with every request where to go. It passes the upstream's key on.

    `model` is not its business. It listens on every interface: it has no option for that.
    """
    command = ["node", str(program), "--headless", f"--port={port}", *args]
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream.base_url}
    return Start(command, {"NODE_ENV": "production"}, "/", upstream.key, headers)


GATEWAYS: Mapping[str, Callable[[Path, Upstream, str, int, Sequence[str], Path], Start]] = {
    "litellm": litellm_start,
    "portkey": portkey_start,
}
"""How each kind of gateway is started."""
