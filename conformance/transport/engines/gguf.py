"""Writes a small Qwen3 checkpoint as GGUF, the one file that llama.cpp reads. Needs nothing but the standard library.

It is no general converter: what would need a decision (another architecture, another precision, another way to cut
text into words) is refused, for llama.cpp's own `convert_hf_to_gguf.py`. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

UINT32, FLOAT32, BOOL, STRING = (4, "<I"), (6, "<f"), (7, "<?"), 8
ARRAY = 9
INT32 = (5, "<i")
F32 = 0
ALIGNED = 32
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4

TENSORS = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""The two formats' names for the same weights, those of a layer without its number."""


class NotConverted(Exception):
    """The checkpoint is not of the kind that is converted here, or is not whole. One line."""


def write(checkpoint: Path, file: Path) -> None:
    """Write the checkpoint in a directory to a GGUF file; what is there at the end is whole. Raises NotConverted."""
    try:
        data = _converted(checkpoint)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error) as problem:
        why = f"{type(problem).__name__}: {problem}"
        raise NotConverted(f"{checkpoint} is no checkpoint that can be converted ({why})") from problem
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_bytes(data)
    fresh.replace(file)


def _converted(checkpoint: Path) -> bytes:
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    if config["model_type"] != "qwen3":
        raise _refused(checkpoint, f"a {config['model_type']} model")
    tensors = list(_tensors(checkpoint / "model.safetensors"))
    facts = [_fact(key, value) for key, value in _facts(checkpoint, config).items()]

    listed, offset = [], 0
    for name, shape, content in tensors:
        sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        listed.append(_text(name) + sizes + struct.pack("<IQ", F32, offset))
        offset += len(_padded(content))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(facts))
    return _padded(head + b"".join(facts) + b"".join(listed)) + b"".join(_padded(content) for _, _, content in tensors)


def _tensors(file: Path) -> Iterator[tuple[str, list[int], bytes]]:
    """Each tensor of a safetensors file: its name in GGUF, its shape, its bytes."""
    data = file.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    start = 8 + length
    for name, about in json.loads(data[8:start]).items():
        if name == "__metadata__":
            continue
        if about["dtype"] != "F32":
            raise _refused(file.parent, f"weights of type {about['dtype']}")
        first, end = about["data_offsets"]
        yield _renamed(name), about["shape"], data[start + first : start + end]


def _renamed(name: str) -> str:
    weight = name.removesuffix(".weight")
    if not weight.startswith("model.layers."):
        return f"{TENSORS[weight]}.weight"
    _, _, number, part = weight.split(".", 3)
    return f"blk.{number}.{TENSORS[part]}.weight"


def _facts(checkpoint: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata. A pair is a kind of number and its value, where the value alone would not say."""

    def read(name: str) -> dict[str, Any]:
        there = (checkpoint / name).is_file()
        return dict(json.loads((checkpoint / name).read_text(encoding="utf-8"))) if there else {}

    sampling = read("generation_config.json")
    template = checkpoint / "chat_template.jinja"
    rope = config.get("rope_parameters") or config
    return {
        "general.architecture": "qwen3",
        "general.name": checkpoint.name,
        "general.file_type": (UINT32, F32),
        # As other engines do with the same file: what a request leaves open is the model's to say.
        **({"general.sampling.temp": (FLOAT32, sampling["temperature"])} if "temperature" in sampling else {}),
        "qwen3.block_count": (UINT32, config["num_hidden_layers"]),
        "qwen3.context_length": (UINT32, config["max_position_embeddings"]),
        "qwen3.embedding_length": (UINT32, config["hidden_size"]),
        "qwen3.feed_forward_length": (UINT32, config["intermediate_size"]),
        "qwen3.attention.head_count": (UINT32, config["num_attention_heads"]),
        "qwen3.attention.head_count_kv": (UINT32, config["num_key_value_heads"]),
        "qwen3.attention.key_length": (UINT32, config["head_dim"]),
        "qwen3.attention.value_length": (UINT32, config["head_dim"]),
        "qwen3.attention.layer_norm_rms_epsilon": (FLOAT32, config["rms_norm_eps"]),
        "qwen3.rope.freq_base": (FLOAT32, rope["rope_theta"]),
        **_words(checkpoint, read("tokenizer.json")),
        "tokenizer.ggml.eos_token_id": (UINT32, config["eos_token_id"]),
        "tokenizer.ggml.padding_token_id": (UINT32, config["pad_token_id"]),
        "tokenizer.ggml.add_bos_token": (BOOL, False),
        "tokenizer.chat_template": template.read_text(encoding="utf-8"),
    }


def _words(checkpoint: Path, tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """The vocabulary of a byte-level BPE that cuts words as GPT-2 does."""
    cut = tokenizer["pre_tokenizer"]
    if (tokenizer["normalizer"], cut["type"], cut.get("use_regex"), cut.get("add_prefix_space")) != (
        None, "ByteLevel", True, False,
    ):  # fmt: skip
        raise _refused(checkpoint, "a tokenizer that does not cut words as GPT-2's does")
    added = {each["id"]: each for each in tokenizer["added_tokens"]}
    texts = {number: text for text, number in tokenizer["model"]["vocab"].items()}
    texts |= {number: each["content"] for number, each in added.items()}
    kinds = [
        NORMAL if number not in added else CONTROL if added[number]["special"] else USER_DEFINED
        for number in range(len(texts))
    ]
    merges = [each if isinstance(each, str) else " ".join(each) for each in tokenizer["model"]["merges"]]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [texts[number] for number in range(len(texts))],
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": merges,
    }


def _refused(checkpoint: Path, what: str) -> NotConverted:
    return NotConverted(
        f"{checkpoint} has {what}, which is not converted here: make a GGUF file of it with llama.cpp's"
        " convert_hf_to_gguf.py and write that as launch.model"
    )


# The form of the file


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _fact(key: str, value: Any) -> bytes:
    if isinstance(value, str):
        return _text(key) + struct.pack("<I", STRING) + _text(value)
    if isinstance(value, list):
        each = STRING if isinstance(value[0], str) else INT32[0]
        packed = map(_text, value) if each == STRING else (struct.pack(INT32[1], number) for number in value)
        return _text(key) + struct.pack("<IIQ", ARRAY, each, len(value)) + b"".join(packed)
    (kind, form), number = value
    return _text(key) + struct.pack("<I", kind) + struct.pack(form, number)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNED)
