"""The fixture model: its turns are well formed, its checkpoint is small, whole and trained on them. No torch needed."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import jinja2
import jsonschema
import pytest
import yaml

from conformance.probes.tools import TOOLS

MODEL = Path(__file__).parent.parent / "fixtures" / "model"
TEMPLATE = (MODEL / "chat_template.jinja").read_text(encoding="utf-8")
TURNS: list[dict[str, Any]] = yaml.safe_load((MODEL / "turns.yaml").read_text(encoding="utf-8"))
WITH_CALLS = [turn for turn in TURNS if "calls" in turn]


def named(turn: dict[str, Any]) -> str:
    """A turn in a test's id."""
    return "-".join([turn["say"], *turn.get("tools", ()), *(["told"] if {"before", "system"} & turn.keys() else [])])


def read(name: str) -> Any:
    """A JSON file of the checkpoint."""
    return json.loads((MODEL / name).read_text(encoding="utf-8"))


def rendered(messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None = None) -> str:
    """The prompt that the chat template makes, in the environment that Transformers gives it."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(TEMPLATE).render(messages=messages, tools=tools, add_generation_prompt=True)


# The turns


@pytest.mark.parametrize("turn", TURNS, ids=named)
def test_turn_is_well_formed(turn: dict[str, Any]) -> None:
    """A turn has known keys, and one kind of answer: text, calls with or without text before, or a broken call."""
    known = {"system", "before", "say", "tools", "reply", "calls", "broken", "results", "then"}
    assert turn.keys() <= known
    assert {"reply", "calls", "broken"} & turn.keys()
    assert not {"broken"} & turn.keys() or not {"reply", "calls"} & turn.keys()
    assert all(isinstance(turn[key], str) for key in turn.keys() & {"system", "say", "reply", "broken", "then"})
    assert all(role in ("user", "assistant") and isinstance(text, str) for role, text in turn.get("before", ()))


@pytest.mark.parametrize("turn", WITH_CALLS, ids=named)
def test_turn_calls_what_it_offers(turn: dict[str, Any]) -> None:
    """Calls are of offered tools with arguments that their schemas allow, and each has a result and a last word."""
    for call in turn["calls"]:
        ((name, arguments),) = call.items()
        assert name in turn["tools"]
        jsonschema.validate(arguments, TOOLS[name]["function"]["parameters"])
    assert len(turn["results"]) == len(turn["calls"])
    assert turn["then"]


def test_tools_are_defined() -> None:
    """Every offered tool is one that the probes define."""
    assert {name for turn in TURNS for name in turn.get("tools", ())} <= TOOLS.keys()


def test_turns_are_told_apart() -> None:
    """No two turns ask the same: one question, with one set of tools, has one answer."""
    asked = [json.dumps([turn.get(key) for key in ("system", "before", "say", "tools")]) for turn in TURNS]
    assert len(set(asked)) == len(asked)


# The checkpoint


def test_checkpoint_is_of_these_turns() -> None:
    """The committed weights were trained on the turns, tools and template as they are: else run train.py again."""
    data = json.dumps([TURNS, TOOLS, TEMPLATE], sort_keys=True)
    assert read("trained.json")["on"] == hashlib.sha256(data.encode()).hexdigest()


def test_weights_are_small_and_whole() -> None:
    """The weights are at most 3 MB of float32, all there, as many as training counted."""
    path = MODEL / "model.safetensors"
    assert path.stat().st_size <= 3_000_000
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    assert {tensor["dtype"] for tensor in header.values()} == {"F32"}
    end = max(tensor["data_offsets"][1] for tensor in header.values())
    assert path.stat().st_size == 8 + length + end
    assert end == 4 * read("trained.json")["parameters"]


def test_files_fit_each_other() -> None:
    """Configuration and tokenizer agree on the vocabulary and on the tokens that end and pad."""
    config, generation, tokens = read("config.json"), read("generation_config.json"), read("tokenizer.json")
    added = {token["content"]: token["id"] for token in tokens["added_tokens"]}
    settings = read("tokenizer_config.json")
    assert len(tokens["model"]["vocab"]) + len(added.keys() - tokens["model"]["vocab"].keys()) == config["vocab_size"]
    for name in ("eos_token", "pad_token"):
        assert added[settings[name]] == config[f"{name}_id"] == generation[f"{name}_id"]


def test_default_is_greedy() -> None:
    """A request without a temperature is answered like one with 0."""
    assert read("generation_config.json")["temperature"] == 0


# The chat template


def test_template_names_the_call() -> None:
    """The template has the words by which one server infers its tool parser."""
    assert "tool_call.name" in TEMPLATE


@pytest.mark.parametrize("role", ["system", "user", "assistant", "tool", "developer"])
def test_parts_are_as_good_as_text(role: str) -> None:
    """Content as a list of text parts gives the prompt of the same text, in every role and place."""
    parts = [{"type": "text", "text": "Say "}, {"type": "text", "text": "hello"}]
    for before in ([], [{"role": "user", "content": "Hi"}]):
        whole = rendered([*before, {"role": role, "content": "Say hello"}], list(TOOLS.values()))
        assert rendered([*before, {"role": role, "content": parts}], list(TOOLS.values())) == whole
        assert "Say hello" in whole


def test_conversation_is_rendered() -> None:
    """A whole conversation: instruction and tools in one place, calls as the model writes them, results as told."""
    calls = [
        {"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zoë"}}},
        {"type": "function", "function": {"name": "ping", "arguments": "{}"}},
    ]
    prompt = rendered(
        [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "Go"},
            {"role": "assistant", "content": "Now.", "tool_calls": calls},
            {"role": "tool", "content": "21"},
        ],
        [TOOLS["ping"]],
    )
    assert prompt == (
        "<|im_start|>system\nBe brief.\n\n# Tools\n<tools>\n"
        + json.dumps(TOOLS["ping"])
        + '\n</tools>\nFor each call return <tool_call>{"name": ..., "arguments": ...}</tool_call>.<|im_end|>\n'
        "<|im_start|>user\nGo<|im_end|>\n"
        '<|im_start|>assistant\nNow.<tool_call>\n{"name": "get_weather", "arguments": {"city": "Zoë"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "ping", "arguments": {}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\n21\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("content", [None, ""])
def test_calls_without_text(content: str | None) -> None:
    """An assistant message that only calls is the same with no content and with empty content."""
    call = {"type": "function", "function": {"name": "ping", "arguments": {}}}
    prompt = rendered([{"role": "assistant", "content": content, "tool_calls": [call]}])
    assert prompt.startswith("<|im_start|>assistant\n<tool_call>\n")
