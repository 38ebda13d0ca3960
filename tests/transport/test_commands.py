"""How engines and gateways are started: each by its own command line, keys in the environment only. Nothing is started here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.core.mistake import CouldNotTest, Mistake
from conformance.runner.opening import opened
from conformance.targets import read
from conformance.transport.engines import commands
from conformance.transport.engines.commands import Upstream, litellm_start, portkey_start, sglang_command
from conformance.transport.engines.versions import STUB_KERNELS

UPSTREAM = Upstream("http://127.0.0.1:9/v1", "behind-key", "tiny")


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a GPU, and a cache of its own."""
    monkeypatch.setattr(commands, "has_gpu", lambda: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    return tmp_path


def test_sglang_without_a_gpu_runs_on_stub_kernels(no_gpu: Path) -> None:
    """Its own server is started by the file that puts the stub kernels in, which its other processes find as well."""
    command, env = sglang_command("/x/bin/sglang", str(no_gpu), "tiny", 8123, ["--tool-call-parser", "qwen25"])
    assert command[:4] == ["/x/bin/python", str(STUB_KERNELS / "serve.py"), "--model-path", str(no_gpu)]
    assert " ".join(command[4:10]) == "--served-model-name tiny --host 127.0.0.1 --port 8123"
    assert command[-2:] == ["--tool-call-parser", "qwen25"]
    assert "" not in command
    assert env["PYTHONPATH"] == os.pathsep.join([str(STUB_KERNELS), "/somewhere"])
    assert env["HF_HUB_OFFLINE"] == "1"


def test_sglang_with_a_gpu_is_plain(no_gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a GPU nothing of ours is between, and the user's flags take the place of ours."""
    monkeypatch.setattr(commands, "has_gpu", lambda: True)
    command, env = sglang_command("/x/bin/python3.11", "Qwen/Qwen3-0.6B", "tiny", 1, ["--host=0.0.0.0"])
    assert command[:3] == ["/x/bin/python3.11", "-m", "sglang.launch_server"]
    assert "--host" not in command
    assert "PYTHONPATH" not in env


def test_litellm_is_told_of_its_upstream(tmp_path: Path) -> None:
    """Its settings name the upstream and the variables with the keys, and hold none."""
    start = litellm_start(Path("/x/litellm"), UPSTREAM, "", 8123, ["--detailed_debug"], tmp_path)
    settings = (tmp_path / "litellm.yaml").read_text(encoding="utf-8")
    (model,) = json.loads(settings)["model_list"]
    assert model["model_name"] == "tiny"
    assert model["litellm_params"]["model"] == "openai/tiny"
    assert model["litellm_params"]["api_base"] == "http://127.0.0.1:9/v1"
    assert start.env["UPSTREAM_KEY"] == "behind-key"
    assert start.key is not None
    assert (
        start.key
        == start.env["LITELLM_MASTER_KEY"]
        != litellm_start(Path("/x/litellm"), UPSTREAM, "hosted_vllm/tiny", 8123, [], tmp_path).key
    )
    for key in ("behind-key", start.key):
        assert key not in settings + " ".join(start.command) + repr(start) + repr(UPSTREAM)
    assert start.command[-1] == "--detailed_debug"
    assert "hosted_vllm/tiny" in (tmp_path / "litellm.yaml").read_text(encoding="utf-8")


def test_litellm_takes_settings_of_the_user(tmp_path: Path) -> None:
    """Whoever has a file of settings gives it among the arguments; where the upstream is, and the keys, are variables."""
    start = litellm_start(Path("/x/litellm"), UPSTREAM, "", 8123, ["--config", "mine.yaml"], tmp_path)
    assert start.command.count("--config") == 1
    assert start.command[-2:] == ["--config", "mine.yaml"]
    assert start.env["UPSTREAM_URL"] == "http://127.0.0.1:9/v1"


def test_portkey_is_told_with_every_request(tmp_path: Path) -> None:
    """It has no settings: the headers say where to go, and the upstream's key goes through it."""
    start = portkey_start(Path("/x/start-server.js"), UPSTREAM, "", 8123, [], tmp_path)
    assert start.command == ["node", "/x/start-server.js", "--headless", "--port=8123"]
    assert start.headers == {"x-portkey-provider": "openai", "x-portkey-custom-host": "http://127.0.0.1:9/v1"}
    assert start.key == "behind-key"
    assert not list(tmp_path.iterdir())


def test_the_stub_kernels_compute_nothing_but_where_tokens_are(tmp_path: Path) -> None:
    """Any kernel can be imported, and one that is run says that it is a stub; the only real one keeps the table."""
    code = """
import sgl_kernel
from sgl_kernel import anything_at_all

class Row(list):
    def tolist(self): return list(self)
    def __getitem__(self, key): return Row(list.__getitem__(self, key)) if isinstance(key, slice) else list.__getitem__(self, key)
    def to(self, kind): return self

class Table(dict):
    dtype = int
    def __setitem__(self, key, value): print(key, value)

sgl_kernel.assign_req_to_token_pool_cpu(Row([3, 1]), Table(), Row([0, 5]), Row([2, 6]), Row([7, 8, 9]), 10)
try:
    anything_at_all()
except NotImplementedError as problem:
    print(problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(STUB_KERNELS)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "(3, slice(0, 2, None)) [7, 8]",
        "(1, slice(5, 6, None)) [9]",
        "anything_at_all is one of the stub kernels, which compute nothing",
    ]


# In front of an upstream

PASSES_ON = """#!{python} -IS
import http.server, json, os, sys, urllib.request
settings = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
behind = settings["model_list"][0]["litellm_params"]["api_base"]
class Passes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def do_POST(self):
        if self.headers["authorization"] != "Bearer " + os.environ["LITELLM_MASTER_KEY"]:
            self.send_response(401); self.end_headers(); return
        body = self.rfile.read(int(self.headers["content-length"]))
        request = urllib.request.Request(behind + self.path.removeprefix("/v1"), body, {{
            "content-type": "application/json", "authorization": "Bearer " + os.environ["UPSTREAM_KEY"]}})
        with urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(request) as answer:
            self.send_response(200); self.send_header("content-type", "application/json"); self.end_headers()
            self.wfile.write(answer.read())
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Passes).serve_forever()
"""


def test_a_gateway_stands_in_front_of_its_upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The upstream is started first, and what is asked of the gateway reaches it, each with its own key."""
    program = tmp_path / "litellm"
    program.write_text(PASSES_ON.format(python=sys.executable))
    program.chmod(0o755)
    (tmp_path / "targets.yaml").write_text("targets: {a: {kind: litellm, upstream: reference, launch: {}}}")
    target = read(tmp_path / "targets.yaml").by_name["a"]
    monkeypatch.setattr("conformance.transport.reach.executable", lambda _: program)
    with opened(target, tmp_path / "reports", lambda _: None) as trial:
        assert trial.address.model == "reference"
        opening, _version = trial.recording
        assert trial.recording[opening].status == 200
        key = trial.address.credential() if trial.address.credential else ""
        assert key.startswith("sk-")
    assert not [path for path in trial.directory.rglob("*") if path.is_file() and key in path.read_text()]


def test_a_gateway_is_not_told_of_a_target_without_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upstream that the gateway cannot be told of is one line with what to do."""
    (tmp_path / "targets.yaml").write_text(
        "targets: {a: {kind: litellm, upstream: b, launch: {}}, b: {kind: openai, base_url: 'http://127.0.0.1:9/v1'}}"
    )
    target = read(tmp_path / "targets.yaml").by_name["a"]
    with (
        pytest.raises(CouldNotTest, match="needs a model by name; start the gateway yourself"),
        opened(target, tmp_path / "reports", lambda _: None),
    ):
        pytest.fail("it was started")


def test_a_chain_of_gateways_is_read(tmp_path: Path) -> None:
    """An upstream may be a gateway itself; two that stand in front of each other are refused with their lines."""
    file = tmp_path / "targets.yaml"
    file.write_text(
        "targets:\n  a: {kind: litellm, upstream: b, launch: {}}\n  b: {kind: portkey, upstream: reference, launch: {}}\n"
    )
    behind = read(file).by_name["a"].upstream
    assert behind is not None
    assert (behind.name, behind.upstream and behind.upstream.name) == ("b", "reference")
    file.write_text(
        "targets:\n  a: {kind: litellm, upstream: b, launch: {}}\n  b: {kind: litellm, upstream: a, launch: {}}\n"
    )
    with pytest.raises(Mistake) as caught:
        read(file)
    assert str(caught.value).count("leads back to this target") == 2
