"""The fixture model as GGUF: everything of the checkpoint is in the file, and what would be guessed is refused."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from conformance.transport.engines import gguf
from conformance.transport.engines.commands import llama_command
from conformance.transport.engines.gguf import NotConverted
from conformance.transport.engines.launch import LaunchFailed

MODEL = Path(__file__).parent.parent.parent / "fixtures" / "model"
FORMS = {4: "<I", 5: "<i", 6: "<f", 7: "<?"}


class Read:
    """A GGUF file, read back by its specification."""

    def __init__(self, file: Path) -> None:
        self.data, self.at = file.read_bytes(), 4
        assert self.data[:4] == b"GGUF"
        version, tensors, facts = (self.number(form) for form in ("<I", "<Q", "<Q"))
        assert version == 3
        self.facts = {self.text(): self.value(self.number("<I")) for _ in range(facts)}
        tables = [
            (self.text(), [self.number("<Q") for _ in range(self.number("<I"))], self.number("<I"), self.number("<Q"))
            for _ in range(tensors)
        ]
        start = -(-self.at // 32) * 32
        self.tensors: dict[str, tuple[list[int], bytes]] = {}
        for name, sizes, kind, offset in tables:
            assert (kind, offset % 32) == (0, 0)
            size = 4
            for each in sizes:
                size *= each
            self.tensors[name] = (sizes, self.data[start + offset : start + offset + size])

    def number(self, form: str) -> Any:
        """The number that comes next."""
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self) -> str:
        """The text that comes next."""
        length = self.number("<Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def value(self, kind: int) -> Any:
        """The value of a kind that comes next."""
        if kind == 9:
            each, count = self.number("<I"), self.number("<Q")
            return [self.value(each) for _ in range(count)]
        return self.text() if kind == 8 else self.number(FORMS[kind])


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A copy of the fixture model, to be spoilt."""
    copy = tmp_path / "model"
    copy.mkdir()
    for file in (*MODEL.glob("*.json"), *MODEL.glob("*.jinja"), MODEL / "model.safetensors"):
        shutil.copy(file, copy)
    return copy


def changed(checkpoint: Path, name: str, **members: Any) -> None:
    """Write a JSON file of a checkpoint with other members."""
    file = checkpoint / name
    file.write_text(json.dumps(json.loads(file.read_text()) | members))


def test_whole_checkpoint_is_there(tmp_path: Path) -> None:
    """Weights are the same bytes under llama.cpp's names; words, their kinds and the chat template are all there."""
    gguf.write(MODEL, tmp_path / "deep" / "model.gguf")
    read = Read(tmp_path / "deep" / "model.gguf")
    config = json.loads((MODEL / "config.json").read_text())
    tokenizer = json.loads((MODEL / "tokenizer.json").read_text())

    assert read.facts["general.architecture"] == "qwen3"
    assert read.facts["qwen3.block_count"] == config["num_hidden_layers"]
    assert read.facts["tokenizer.chat_template"] == (MODEL / "chat_template.jinja").read_text(encoding="utf-8")
    assert read.facts["general.sampling.temp"] == 0
    words = read.facts["tokenizer.ggml.tokens"]
    assert len(words) == len(read.facts["tokenizer.ggml.token_type"]) == config["vocab_size"]
    assert all(words[number] == word for word, number in tokenizer["model"]["vocab"].items())
    kinds = {words[at]: kind for at, kind in enumerate(read.facts["tokenizer.ggml.token_type"]) if kind != 1}
    assert (kinds["<|im_end|>"], kinds["<tool_call>"]) == (3, 4)
    assert words[read.facts["tokenizer.ggml.eos_token_id"]] == "<|im_end|>"

    weights = (MODEL / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", weights)
    header = json.loads(weights[8 : 8 + length])
    about = header["model.layers.1.mlp.down_proj.weight"]
    first, end = (8 + length + offset for offset in about["data_offsets"])
    assert read.tensors["blk.1.ffn_down.weight"] == (about["shape"][::-1], weights[first:end])
    assert len(read.tensors) == len(header.keys() - {"__metadata__"})
    assert sum(len(content) for _, content in read.tensors.values()) == len(weights) - 8 - length


@pytest.mark.parametrize(
    ("name", "members", "said"),
    [
        ("config.json", {"model_type": "llama"}, "has a llama model, which is not converted here"),
        ("tokenizer.json", {"normalizer": {"type": "NFC"}}, "does not cut words as GPT-2's does"),
        ("tokenizer.json", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": []}}, "does not cut words"),
        ("config.json", {"rope_parameters": {}, "rope_theta": None}, "is no checkpoint that can be converted"),
    ],
)
def test_what_would_be_guessed_is_refused(checkpoint: Path, name: str, members: dict[str, Any], said: str) -> None:
    """Another architecture or another way to cut words is refused, with what to do instead."""
    changed(checkpoint, name, **members)
    with pytest.raises(NotConverted, match=said):
        gguf.write(checkpoint, checkpoint / "model.gguf")
    assert not list(checkpoint.glob("*.gguf*"))


def test_other_precision_is_refused(checkpoint: Path) -> None:
    """Weights that are not float32 are refused."""
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes().replace(b'"F32"', b'"I32"', 1))
    with pytest.raises(NotConverted, match="weights of type I32"):
        gguf.write(checkpoint, checkpoint / "model.gguf")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "chat_template.jinja", "model.safetensors"])
def test_half_a_checkpoint_is_refused(checkpoint: Path, name: str) -> None:
    """Without one of its files a checkpoint is none, in one line."""
    (checkpoint / name).unlink()
    with pytest.raises(NotConverted) as caught:
        gguf.write(checkpoint, checkpoint / "model.gguf")
    assert "\n" not in str(caught.value)


# The command


def test_checkpoint_is_converted_once(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is served as a GGUF file from the cache; one that was trained anew is another file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def served() -> Path:
        command, env = llama_command("/env/bin/llama-server", str(checkpoint), "tiny", 8000)
        assert env == {}
        assert command[0] == "/env/bin/llama-server"
        return Path(command[command.index("--model") + 1])

    first = served()
    Read(first)
    written = first.stat().st_mtime_ns
    assert served() == first
    assert first.stat().st_mtime_ns == written
    changed(checkpoint, "config.json", rope_parameters={"rope_theta": 5.0})
    assert served() != first


def test_arguments_of_the_user_come_last(tmp_path: Path) -> None:
    """A GGUF file is served as it is, and what the user gives comes after what is set here: the last one counts."""
    model = tmp_path / "own.gguf"
    model.touch()
    command, _ = llama_command("/env/bin/python3", str(model), "tiny", 8000, ["--parallel", "1"])
    assert command[:3] == ["/env/bin/llama-server", "--model", str(model)]
    assert command[command.index("--alias") + 1] == "tiny"
    assert command[command.index("--port") + 1] == "8000"
    assert command[-2:] == ["--parallel", "1"]


def test_model_that_is_not_there(tmp_path: Path) -> None:
    """A name that is no file, and a directory that is no checkpoint, are told in one line."""
    with pytest.raises(LaunchFailed, match="and some/model is neither"):
        llama_command("llama-server", "some/model", "tiny", 8000)
    with pytest.raises(LaunchFailed, match="is no checkpoint that can be converted"):
        llama_command("llama-server", str(tmp_path), "tiny", 8000)
