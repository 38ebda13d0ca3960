"""Mistakes in `targets.yaml`: each is one line with its place and its remedy, and an editor marks it, too."""

from __future__ import annotations

import json
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from conformance.core.mistake import Mistake
from conformance.targets import json_schema, read
from tests.kit.target_files import mistake_in, stanza_of, written

SHIPPED = Path(__file__).parent.parent.parent / "targets.yaml"


OPENAI = "kind: openai\n"
SAGEMAKER = "kind: sagemaker\nendpoint: llm\n"
WHOLE_FILES = {
    "empty": ("", 1, "is empty"),
    "only comments": ("# nothing\n\n", 1, "is empty"),
    "a tab": ("targets:\n\ta:\n", 2, "indent with spaces"),
    "a bracket left open": ("targets:\n  a: [1\n", 3, "is not YAML"),
    "a second colon": ("targets:\n  a: b: c\n", 2, "quote the value"),
    "two documents": ("targets: {}\n---\ntargets: {}\n", 2, "put all targets into one"),
    "a control character": ("targets:\n  a: \x07\n", 2, "control character in it (U+0007)"),
    "an unknown alias": ("targets:\n  a: *b\n", 2, "quote it"),
    "an impossible escape": ('targets: "\\UFFFFFFFF"\n', 1, "is not YAML"),
    "nesting": ("[" * 3000, 1, "nested too deeply"),
    "a list": ("- a\n- b\n", 1, "must be a mapping, such as: targets:"),
    "a text": ("\n\nhello\n", 3, "must be a mapping, such as: targets:"),
    "no targets": ("{}\n", 1, "has no `targets:`, such as: targets:"),
    "targets misspelt": ("\ntarget:\n  a: {kind: openai}\n", 2, "did you mean `targets`?"),
    "targets not indented": ("\na: {kind: openai}\n", 2, "the targets are indented under it"),
    "targets empty": ("\ntargets:\n", 2, "is empty: write a target, such as:"),
    "targets a list": ("targets:\n  - kind: openai\n", 1, "must be a mapping from names to targets"),
    "the same target twice": ("targets:\n  a: {kind: openai}\n  a: {kind: vllm}\n", 3, "first on line 2: keep one"),
    "the same key twice": ("targets:\n  a:\n    kind: openai\n    model: x\n    model: y\n", 5, "first on line 4"),
    "a target that contains itself": ("targets:\n  a: &a\n    kind: openai\n    profile: *a\n", 2, "contains itself"),
    "a tag": ("targets:\n  a: {kind: !!python/name:os.system openai}\n", 2, "leave it out"),
    "a key that is a list": ("targets:\n  ? [a]\n  : {kind: openai}\n", 2, "not plain text"),
    "a merge of text": ("targets:\n  a: {<<: b, kind: openai}\n", 2, "<<"),
    "a name with a slash": ("targets:\n  a/b: {kind: openai}\n", 2, "letters, digits, dots, dashes and underscores"),
    "a target without anything": ("targets:\n  a:\n", 2, "must be a mapping, such as {kind: openai"),
    "the reference's name": ("targets:\n  reference: {kind: openai}\n", 2, "taken by the embedded server"),
}
STANZAS = {
    "no kind": ("model: m", 2, "one of reference, openai, vllm, llama.cpp, sglang"),
    "an unknown kind": ("kind: vlm", 3, "not `vlm`: did you mean `vllm`?"),
    "a kind nobody knows": ("kind: zzz", 3, "must be one of reference, openai, vllm, llama.cpp, sglang, litellm"),
    "a kind that is a list": ("kind: [openai]", 3, "not a list"),
    "a recorded run": ("kind: replay", 3, "--target replay:DIR"),
    "an unknown key": (OPENAI + "modle: m", 4, "did you mean `model`?"),
    "another tool's word": (OPENAI + "api_base: http://h", 4, "did you mean `base_url`?"),
    "a key of another place": (OPENAI + "timeout: 5s", 4, "it belongs under limits"),
    "a key of the target": (OPENAI + "limits:\n  model: m", 5, "it belongs to the target itself"),
    "an unknown limit": (OPENAI + "limits:\n  at_onec: 5", 5, "did you mean `at_once`?"),
    "an unknown timeout": (OPENAI + "limits:\n  timeout:\n    conect: 5", 6, "did you mean `connect`?"),
    "an unknown key of a launch": ("kind: vllm\nlaunch:\n  model: m\n  arg: []", 6, "did you mean `args`?"),
    "an unknown key of a price": (OPENAI + "price:\n  inputs: 1", 5, "did you mean `input`?"),
    "an unknown key of a waiver": (
        OPENAI + "waives:\n  a.b:\n    because: x\n    owner: y\n    expires: z",
        8,
        "did you mean `until`?",
    ),
    "a key nobody means": (OPENAI + "zzz: 1", 4, "there are: base_url, claims"),
    "a key that the kind has no use for": ("kind: reference\nbase_url: http://h", 4, "leave it out"),
    "a launch of OpenAI": (OPENAI + "launch: {model: m}", 4, "leave it out"),
    "neither URL nor launch": ("kind: vllm", 2, "needs base_url or launch"),
    "both URL and launch": ("kind: vllm\nbase_url: http://h\nlaunch: {model: m}", 5, "contradicts base_url"),
    "no URL": ("kind: sglang", 2, "needs base_url"),
    "no endpoint": (SAGEMAKER[:-1].partition("\n")[0], 2, "needs endpoint: the name of the endpoint"),
    "an endpoint with an underscore": ("kind: sagemaker\nendpoint: my_llm", 4, "letters, digits and hyphens"),
    "an endpoint that ends with a hyphen": ("kind: sagemaker\nendpoint: llm-", 4, "a letter or digit at both ends"),
    "an endpoint that is too long": (
        "kind: sagemaker\nendpoint: " + "x" * 64,
        4,
        "at most 63 letters",
    ),
    "an endpoint by its ARN": (
        "kind: sagemaker\nendpoint: arn:aws:sagemaker:eu-west-1:1:endpoint/x",
        4,
        "what follows its last `/`",
    ),
    "a component with a space": (SAGEMAKER + "inference_component: a b", 5, "must be a name: at most 63"),
    "a region in words": (SAGEMAKER + "region: Ireland", 5, "must be a region, such as eu-west-1"),
    "a zone": (SAGEMAKER + "region: eu-west-1a", 5, "must be a region"),
    "a role by its name": (SAGEMAKER + "role: my-role", 5, "the ARN of a role, such as arn:aws:iam::"),
    "a token for ever": (SAGEMAKER + "token_lifetime: forever", 5, "from 1s to 12h, such as 15m, not `forever`"),
    "a host with a path": (SAGEMAKER + "host: h/endpoints/llm", 5, "a host, such as vpce-"),
    "two places": (SAGEMAKER + "host: h\nbase_url: http://h", 5, "contradicts base_url"),
    "an AWS profile under another name": (SAGEMAKER + "profile: dev", 5, "did you mean `aws_profile`?"),
    "a key where tokens are minted": (SAGEMAKER + "key: ${K}", 5, "leave it out"),
    "a gateway in front of nothing": ("kind: litellm\nlaunch: {}", 4, "needs upstream: the target of this file"),
    "a gateway here and elsewhere": (
        "kind: portkey\nbase_url: http://h\nupstream: reference\nlaunch: {}",
        6,
        "contradicts base_url",
    ),
    "an upstream that is not there": ("kind: litellm\nupstream: refrence\nlaunch: {}", 4, "did you mean `reference`?"),
    "an upstream that is itself": ("kind: litellm\nupstream: a\nlaunch: {}", 4, "leads back to this target"),
    "a launch without a model": ("kind: vllm\nlaunch: {args: []}", 4, "has no model: a folder"),
    "a URL without http": (OPENAI + "base_url: localhost:8000", 4, "starts with http:// or https://"),
    "a URL with a query": (OPENAI + "base_url: http://h/v1?a=b", 4, "no ? and no #"),
    "a URL that is a list": (OPENAI + "base_url: [http://h]", 4, "not a list"),
    "a URL from a variable": (OPENAI + "base_url: ${URL}", 4, "under key, headers and launch.env only"),
    "a model from a variable": (OPENAI + "model: ${MODEL}", 4, "under key, headers and launch.env only"),
    "a model that is a list": (OPENAI + "model: [m]", 4, "must be text"),
    "half a character": (OPENAI + 'model: "\\uD800"', 4, "surrogate"),
    "a key in shell form": (OPENAI + "key: $MY_KEY", 4, "as ${VARIABLE}"),
    "a key with more around it": (OPENAI + "key: Bearer ${MY_KEY}", 4, "as ${VARIABLE}"),
    "a header in shell form": (OPENAI + "headers:\n  X-Team: $TEAM", 5, "as ${VARIABLE}"),
    "a header with a fallback": (OPENAI + "headers:\n  X-Team: ${TEAM:-x}", 5, "as ${VARIABLE}"),
    "a header of two variables": (OPENAI + "headers:\n  X-Team: ${A}${B}", 5, "one ${VARIABLE} at most"),
    "a header with a line break": (OPENAI + 'headers:\n  X-Team: "a\\nb"', 5, "control characters"),
    "a header with a space in its name": (OPENAI + "headers:\n  X Team: a", 5, "the name of a header"),
    "a header without a value": (OPENAI + "headers:\n  X-Team:", 5, "the name of a header and its value"),
    "nothing in a list": (OPENAI + "claims: [~]", 4, "must be text, not nothing"),
    "nothing among arguments": (
        "kind: vllm\nlaunch:\n  model: m\n  args: [~]",
        6,
        "must be text, and there is nothing",
    ),
    "headers that are a text": (OPENAI + "headers: X-Team a", 4, "must be a mapping"),
    "two keys": (OPENAI + "key: ${A}\nheaders:\n  authorization: Basic ${B}", 6, "keep one of them"),
    "a variable with a bad name": ("kind: vllm\nlaunch:\n  model: m\n  env:\n    A-B: 1", 7, "environment variable"),
    "an unknown claim": (OPENAI + "claims:\n  - chat\n  - chat.steam", 6, "did you mean `chat.stream`?"),
    "a claim nobody knows": (OPENAI + "claims: [zzz]", 4, "there are: chat, chat.stream"),
    "a claim that is no list": (OPENAI + "claims: chat", 4, "must be a list, such as [a, b], not text"),
    "an unknown disclaim": (OPENAI + "disclaims: [no-vision]", 4, "did you mean `vision`?"),
    "claimed and disclaimed": (OPENAI + "claims: [audio]\ndisclaims: [audio]", 5, "`audio` is in both"),
    "a negative limit": (OPENAI + "limits:\n  at_once: -1", 5, "whole number, 1 or more, not `-1`"),
    "a limit in words": (OPENAI + "limits:\n  requests: many", 5, "whole number, 1 or more, not `many`"),
    "limits that are a number": (OPENAI + "limits: 8", 4, "must be a mapping"),
    "a wrong duration": (OPENAI + "limits:\n  timeout:\n    idle: 5 sec", 6, "such as 5s, 500ms, 2m"),
    "a wrong size": (OPENAI + "limits:\n  body: 16 megs", 5, "such as 16MiB"),
    "a budget of money without a price": (OPENAI + "limits:\n  cost: 1", 5, "needs a price for both ways"),
    "a switch in words": (OPENAI + "limits:\n  http2: maybe", 5, "true or false, not `maybe`"),
    "a budget in words": (OPENAI + "limits:\n  cost: little", 5, "an amount, 0 or more, not `little`"),
    "a negative price": (OPENAI + "price:\n  hour: -1", 5, "an amount, 0 or more, not `-1`"),
    "a waiver by prefix": (OPENAI + "waives:\n  stream: {because: x, owner: y}", 5, "the whole id of one check"),
    "a waiver by pattern": (OPENAI + "waives:\n  stream.*: {because: x, owner: y}", 5, "no prefix, no pattern"),
    "a waiver without a reason": (OPENAI + "waives:\n  a.b: {owner: y}", 5, "has no because: why the violation"),
    "a waiver without an owner": (OPENAI + "waives:\n  a.b:\n    because: x", 5, "has no owner: who answers for it"),
    "a waiver with an empty reason": (
        OPENAI + "waives:\n  a.b:\n    because: ''\n    owner: y",
        6,
        "must not be empty",
    ),
    "a waiver until some time": (
        OPENAI + "waives:\n  a.b:\n    because: x\n    owner: y\n    until: soon",
        8,
        "a date, such as 2027-01-31, not `soon`",
    ),
    "a waiver until no day": (
        OPENAI + "waives:\n  a.b:\n    because: x\n    owner: y\n    until: 2027-02-30",
        8,
        "a date, such as 2027-01-31",
    ),
    "a waiver that is a text": (OPENAI + "waives:\n  a.b: because", 5, "must be a mapping"),
    "waivers in a list": (OPENAI + "waives: [a.b]", 4, "must be a mapping"),
}
MISTAKES = WHOLE_FILES | {name: (stanza_of(body), line, said) for name, (body, line, said) in STANZAS.items()}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_remedy(here: Path, name: str) -> None:
    """Each mistake is one line: the file, the line on which it is, and what to write instead."""
    text, line, said = MISTAKES[name]
    mistake = mistake_in(here, text)
    assert mistake.where == f"targets.yaml:{line}"
    assert said in str(mistake)
    assert str(mistake).startswith(f"targets.yaml:{line}: ")
    assert "\n" not in str(mistake)


def test_all_mistakes_are_told_at_once(here: Path) -> None:
    """A file with several mistakes is mended in one go: all are there, numbered, in the order of the file."""
    text = """\
    targets:
      a: {kind: vlm}
      b:
        kind: openai
        modle: m
        limits: {at_once: 0, timeout: {idle: 5 sec}}
      c: {kind: vllm}
      a: {kind: vllm, base_url: "http://h"}
    targts: 1
    """
    mistake = mistake_in(here, textwrap.dedent(text))
    assert [each.where.split(":")[1] for each in mistake.parts] == ["2", "5", "6", "6", "7", "8", "9"]
    assert mistake.where == "targets.yaml"
    lines = str(mistake).splitlines()
    assert lines[0] == "targets.yaml: 7 mistakes"
    assert lines[1].startswith("  1. targets.yaml:2: `targets.a.kind` must be one of")


def test_lines_count_as_editors_count(here: Path) -> None:
    """Windows line ends and a byte order mark change nothing."""
    text = "\ufeff" + stanza_of("kind: openai\nmodle: m\n").replace("\n", "\r\n")
    assert mistake_in(here, text).where == "targets.yaml:4"


def test_a_file_in_another_encoding_is_a_mistake(here: Path) -> None:
    """Bytes that are not UTF-8 are told with their line."""
    path = here / "targets.yaml"
    path.write_bytes(b"targets:\n  a: {kind: openai, model: \xff}\n")
    with pytest.raises(Mistake, match=r"targets.yaml:2: is not UTF-8"):
        read(path)


def test_a_file_that_cannot_be_read_is_a_mistake(here: Path) -> None:
    """No file, a folder, an impossible name, something huge: each is told in one line."""
    with pytest.raises(Mistake, match=r"nothing\.yaml: cannot be read: No such file"):
        read(here / "nothing.yaml")
    with pytest.raises(Mistake, match="cannot be read"):
        read(here)
    with pytest.raises(Mistake, match="cannot be read"):
        read(Path("a\0b"))
    with pytest.raises(Mistake, match="larger than 1 MiB"):
        read(written(here, "#" * 2**21))


def test_a_yaml_bomb_stays_small(here: Path) -> None:
    """Aliases of aliases are followed without growing, wherever they are."""
    bomb = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60))]
    text = "targets:\n  a:\n    kind: openai\n    profile:\n" + textwrap.indent("\n".join(bomb), "      ")
    profile = read(written(here, text)).by_name["a"].profile
    assert profile is not None
    merges = ["m0: &m0 {k: v}", *(f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}" for n in range(1, 60))]
    mistake_in(here, "\n".join(merges))
    mistake_in(here, "\n".join(bomb))


# What a schema cannot tell, or what is no longer there once YAML has been parsed.
BEYOND_A_SCHEMA = {
    "the same target twice", "the same key twice", "a key that is a list", "a merge of text", "a tag",
    "a target that contains itself", "the reference's name",
    "a URL from a variable", "a model from a variable", "half a character",
    "a header in shell form", "a header with a fallback", "a header of two variables", "a header with a line break",
    "a budget of money without a price", "two keys", "claimed and disclaimed", "a waiver until no day", "an upstream that is not there",
    "an upstream that is itself",
}  # fmt: skip


def as_an_editor_sees(text: str) -> Any:
    """The data of a YAML text, with dates as the text they are."""
    loaded = yaml.safe_load(text)
    return json.loads(json.dumps(loaded, default=str))


def test_the_schema_is_one() -> None:
    """It is valid by its own draft, made of JSON only, and describes every key."""
    made = json_schema()
    jsonschema.Draft202012Validator.check_schema(made)
    assert json.loads(json.dumps(made)) == made
    for each in [made, *made["$defs"].values()]:
        assert all(key.get("description") for key in each["properties"].values())


@cache
def an_editor() -> jsonschema.Draft202012Validator:
    """What an editor makes of the schema. Made once: reading it takes longer than all that it is asked."""
    return jsonschema.Draft202012Validator(json_schema())


@pytest.mark.parametrize("name", [name for name in STANZAS if name not in BEYOND_A_SCHEMA])
def test_the_schema_refuses_what_is_a_mistake(name: str) -> None:
    """What the suite refuses, an editor marks, as far as a schema can tell."""
    with pytest.raises(jsonschema.ValidationError):
        an_editor().validate(as_an_editor_sees(MISTAKES[name][0]))
