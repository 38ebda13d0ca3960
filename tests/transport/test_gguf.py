"""The fixture model as GGUF: it is the same model, and llama.cpp is given it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from conformance.transport.engines.commands import llama_command
from conformance.transport.engines.launch import LaunchFailed

MODEL = Path(__file__).parent.parent.parent / "fixtures" / "model"


def test_it_is_of_the_checkpoint() -> None:
    """All weights, words and merges of the checkpoint are in the file, and its template: `as_gguf.py` was not forgotten."""
    file, weights = (MODEL / "model.gguf").read_bytes(), (MODEL / "model.safetensors").read_bytes()
    (length,) = struct.unpack_from("<Q", weights)
    for name, about in json.loads(weights[8 : 8 + length]).items():
        if name != "__metadata__":
            first, end = (8 + length + offset for offset in about["data_offsets"])
            assert weights[first:end] in file, name
    tokenizer = json.loads((MODEL / "tokenizer.json").read_text(encoding="utf-8"))
    words = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].get)
    words += [token["content"] for token in tokenizer["added_tokens"]]
    for listed in (words, [" ".join(pair) for pair in tokenizer["model"]["merges"]]):
        assert b"".join(struct.pack("<Q", len(text.encode())) + text.encode() for text in listed) in file
    assert (MODEL / "chat_template.jinja").read_bytes() in file


def test_it_is_served() -> None:
    """Of the directory of a model, its GGUF file is served."""
    command, env = llama_command("/env/bin/llama-server", str(MODEL), "tiny", 8000)
    assert env == {}
    assert command[:3] == ["/env/bin/llama-server", "--model", str(MODEL / "model.gguf")]


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
    """A name that is no file, and a directory without one, are told in one line."""
    for model in ("some/model", str(tmp_path)):
        with pytest.raises(LaunchFailed, match=f"and {model} is neither"):
            llama_command("llama-server", model, "tiny", 8000)
