"""`targets.yaml` -> targets: what is read, where the file is found, and that nothing breaks the reading."""

from __future__ import annotations

import dataclasses
import json
import pickle
import textwrap
from datetime import date
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.core.mistake import Mistake
from conformance.core.secret import Secret
from conformance.core.verdict import Waiver
from conformance.targets import Targets, file, find, json_schema, read, schema, select, stanza
from conformance.targets.kinds import KINDS, Kind, Option
from conformance.targets.target import Limits, Timeout
from tests.kit.target_files import mistake_in, written

SHIPPED = Path(__file__).parent.parent.parent / "targets.yaml"
SHAPED = "sk-canary0123456789"

FEW = "targets: {vllm-a: {kind: vllm, base_url: 'http://a'}, vllm-b: {kind: vllm, base_url: 'http://b'}}"

FULL = """\
targets:
  my-server:
    kind: openai
    base_url: http://127.0.0.1:8000/v1/
    model: my-model
    key: ${MY_KEY}
    headers:
      X-Team: search
      X-Token: Token ${MY_TOKEN}
    claims: [chat, chat.stream]
    disclaims: [audio]
    limits: {at_once: 4, requests: 600, tokens: 20000, timeout: {connect: 500ms, total: 2m}, body: 1MiB, retry_after: 5}
    waives:
      stream.usage-chunk:
        because: the gateway drops it
        owner: ml-platform
        issue: https://example.com/ISSUE
        until: 2027-01-31
    price: {input: 0.25, output: 2, hour: 1.5}
    profile: {strict: yes, depth: 3, ratio: 0.5, name: x, list: [1, ~], odd: 0o7}
  started-here:
    kind: vllm
    launch:
      model: fixtures/model
      args: [--port, 8000, --flag, yes, ""]
      python: ~/venv/bin/python
      env: {HF_TOKEN: "${HF_TOKEN}", OMP_NUM_THREADS: 2}
      ready: 1m
"""


def test_everything_that_can_be_written_is_read(here: Path) -> None:
    """Every key of a stanza arrives as the value it means."""
    target = read(written(here, FULL)).by_name["my-server"]
    assert (target.kind, target.model, target.base_url) == ("openai", "my-model", "http://127.0.0.1:8000/v1")
    assert target.key == Secret("MY_KEY")
    assert target.headers == {"X-Team": "search", "X-Token": Secret("MY_TOKEN", written="Token ${MY_TOKEN}")}
    assert target.claims == frozenset({"chat", "chat.stream"})
    assert target.disclaims == {"audio"}
    timeout = Timeout(connect=0.5, total=120)
    assert target.limits == Limits(at_once=4, requests=600, tokens=20000, timeout=timeout, body=2**20, retry_after=5)
    assert target.waives == (
        Waiver(
            "stream.usage-chunk",
            "the gateway drops it",
            "ml-platform",
            "https://example.com/ISSUE",
            date(2027, 1, 31),
            line=14,
        ),
    )
    assert target.price is not None
    assert target.price.model_dump() == {"input": 0.25, "output": 2.0, "hour": 1.5}
    assert target.profile == {"strict": True, "depth": 3, "ratio": 0.5, "name": "x", "list": [1, None], "odd": "0o7"}
    assert (target.directory, target.where) == (here, "targets.yaml:2")


def test_a_launch_is_read_as_text(here: Path) -> None:
    """Arguments that YAML takes for numbers or booleans stay the text that was written."""
    launch = read(written(here, FULL)).by_name["started-here"].launch
    assert launch is not None
    assert launch.args == ("--port", "8000", "--flag", "yes", "")
    assert launch.env == {"HF_TOKEN": Secret("HF_TOKEN"), "OMP_NUM_THREADS": "2"}
    assert (launch.model, launch.python, launch.ready) == ("fixtures/model", "~/venv/bin/python", 60)


def test_the_shipped_file_is_read() -> None:
    """The example that comes with the suite has an own server, engines, gateways in front of them, and the original."""
    targets = read(SHIPPED)
    assert list(targets.by_name) == [
        "reference",
        "vllm-local",
        "llama-local",
        "sglang-local",
        "litellm-local",
        "litellm-vllm",
        "portkey-local",
        "portkey-streaming",
        "sagemaker-local",
        "sagemaker-vllm",
        "openai",
    ]
    assert targets.by_name["sagemaker-vllm"].container == targets.by_name["vllm-local"]
    gateway = targets.by_name["litellm-vllm"]
    assert gateway.upstream == targets.by_name["vllm-local"]
    launch = targets.by_name["vllm-local"].launch
    assert launch is not None
    assert launch.model == "fixtures/model"
    assert targets.by_name["llama-local"].kind == "llama.cpp"
    assert targets.by_name["openai"].key == Secret("OPENAI_API_KEY")


def test_the_examples_in_the_comments_are_read(here: Path) -> None:
    """What the shipped file has as a comment works when the comment is taken away."""
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    start = lines.index("  # my-server:")
    text = "\n".join(["targets:", *(line.replace("  # ", "  ", 1) for line in lines[start:])])
    target = read(written(here, text)).by_name["my-server"]
    assert target.waives[0].check == "stream.usage-chunk"
    assert target.limits.at_once == 4


def test_a_secret_in_braces_is_read(here: Path) -> None:
    """`{key: ${KEY}}`, an error to YAML, is what everybody writes; the columns of the line do not matter."""
    path = written(here, "targets:\n  a: {kind: openai, model: m, key: ${MY_KEY}}  # ${MY_KEY}\n")
    assert read(path).by_name["a"].key == Secret("MY_KEY")


def test_the_reference_is_always_there(here: Path) -> None:
    """A file that does not name the embedded server has it all the same, and one that does may waive for it."""
    assert read(written(here, "targets: {a: {kind: openai}}")).by_name["reference"].kind == "reference"
    text = "targets: {reference: {kind: reference, limits: {at_once: 2}}}"
    assert read(written(here, text)).by_name["reference"].limits.at_once == 2


def test_openai_has_defaults(here: Path) -> None:
    """The kind openai means OpenAI and its variable; with another base_url it has no key unless one is written."""
    path = written(here, "targets: {a: {kind: openai}, b: {kind: openai, base_url: 'http://h/v1'}}")
    targets = read(path).by_name
    assert (targets["a"].base_url, targets["a"].key) == ("https://api.openai.com/v1", Secret("OPENAI_API_KEY"))
    assert (targets["b"].base_url, targets["b"].key) == ("http://h/v1", None)


def test_a_key_without_a_value_is_not_written(here: Path) -> None:
    """`model:` with nothing after it is the same as no `model:`; an empty text is a model without a name."""
    path = written(
        here, "targets:\n  a:\n    kind: openai\n    model:\n    claims:\n    limits:\n  b: {kind: openai, model: ''}"
    )
    targets = read(path).by_name
    assert (targets["a"].model, targets["a"].claims, targets["a"].limits) == (None, None, Limits())
    assert targets["b"].model == ""


def test_claiming_nothing_is_not_keeping_silent(here: Path) -> None:
    """`claims: []` declares that there is nothing, no `claims` that it has to be found out."""
    targets = read(written(here, "targets: {a: {kind: openai, claims: []}, b: {kind: openai}}")).by_name
    assert (targets["a"].claims, targets["b"].claims) == (frozenset(), None)


def test_aliases_and_merges_are_followed(here: Path) -> None:
    """Anchors, aliases and << work; what a target writes itself goes before what it merges."""
    text = """\
    targets:
      a: &a {kind: openai, model: m, limits: &l {at_once: 2}}
      b: {<<: *a, model: n}
      c: {<<: [*a, {kind: vllm}], limits: *l}
    """
    targets = read(written(here, textwrap.dedent(text))).by_name
    assert [targets[name].model for name in "abc"] == ["m", "n", "m"]
    assert {targets[name].limits.at_once for name in "abc"} == {2}
    assert targets["c"].kind == "openai"


def test_a_new_kind_is_one_entry(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind in the table brings its own keys, which are read, required and refused elsewhere without more code."""
    options = {"orbit": Option(meaning="its name", required=True), "height": Option(meaning="where")}
    kinds = {**KINDS, "cloudy": Kind(meaning="somebody's cloud", options=options)}
    for module in (stanza, file, schema):
        monkeypatch.setattr(module, "KINDS", kinds)
    target = read(written(here, "targets: {a: {kind: cloudy, orbit: e, height: null}}")).by_name["a"]
    assert target.options == {"orbit": "e"}
    assert "needs orbit: its name" in str(mistake_in(here, "targets: {a: {kind: cloudy}}"))
    assert "did you mean `orbit`?" in str(mistake_in(here, "targets: {a: {kind: cloudy, orbit: e, orbt: e}}"))
    assert "only the kind cloudy has it" in str(mistake_in(here, "targets: {a: {kind: openai, orbit: e}}"))
    assert "must be text" in str(mistake_in(here, "targets: {a: {kind: cloudy, orbit: [e]}}"))
    assert "takes no ${VARIABLE}" in str(mistake_in(here, "targets: {a: {kind: cloudy, orbit: '${E}'}}"))
    then = json_schema()["$defs"]["Stanza"]
    assert "orbit" in then["properties"]
    assert then["allOf"][-1]["then"]["allOf"][0]["required"] == ["orbit"]


def test_the_file_is_found_up_to_the_root_of_the_repository(here: Path) -> None:
    """The nearest one counts, and nothing above the repository."""
    written(here, FEW)
    inner = here / "repository/a/b"
    inner.mkdir(parents=True)
    (here / "repository/.git").mkdir()
    assert find(inner) is None
    in_root = written(here / "repository", FEW)
    assert find(inner) == find(here / "repository") == in_root
    in_between = written(here / "repository/a", FEW)
    assert find(inner) == in_between


def test_outside_a_repository_only_the_folder_counts(here: Path) -> None:
    """What lies further up is somebody else's."""
    path = written(here, FEW)
    (here / "inner").mkdir()
    assert find(here) == find(Path()) == path
    assert find(here / "inner") is None


@pytest.mark.parametrize("text", [SHIPPED.read_text(encoding="utf-8"), FULL, FEW], ids=["shipped", "full", "few"])
def test_the_schema_accepts_what_is_read(text: str) -> None:
    """What the suite reads, an editor does not mark."""
    as_an_editor_sees = json.loads(json.dumps(yaml.safe_load(text), default=str))  # dates are text to it
    jsonschema.validate(as_an_editor_sees, json_schema())


QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def outcome(here: Path, text: str) -> Targets | Mistake:
    """What reading the text comes to, if that is either of the two."""
    path = here / "targets.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        return read(path)
    except Mistake as mistake:
        return mistake


@QUICK
@given(text=st.text() | st.text(alphabet="targets:{}[]&*!|>%@'\"#-?,<~$ \n\t\\uUx0", max_size=60))
def test_any_text_is_targets_or_a_mistake(here: Path, text: str) -> None:
    """Whatever the file holds, reading it ends in targets or in one Mistake with a place."""
    result = outcome(here, text)
    assert isinstance(result, Targets) or result.where.startswith("targets.yaml")


LINES = FULL.splitlines(keepends=True)


@QUICK
@given(data=st.data())
def test_any_damage_to_a_file_is_targets_or_a_mistake(here: Path, data: st.DataObject) -> None:
    """A good file with a piece replaced by any other is read or refused with a line that the file has."""
    start = data.draw(st.integers(0, len(FULL)))
    end = data.draw(st.integers(start, min(len(FULL), start + 40)))
    piece = data.draw(
        st.text(max_size=20) | st.sampled_from(["- ", "{", "}", ": ", "[]", "null", "&a ", "*a", "<<: ", "\n", "!x "])
    )
    text = FULL[:start] + piece + FULL[end:]
    result = outcome(here, text)
    if isinstance(result, Mistake):
        for each in result.parts:
            number = int(each.where.rpartition(":")[2] or 0)
            assert 1 <= number <= len(text.splitlines()) + 1


@QUICK
@given(data=st.data())
def test_a_token_anywhere_in_a_file_is_refused_unseen(here: Path, data: st.DataObject) -> None:
    """In the place of any value, a token is refused on its line and not repeated."""
    number = data.draw(st.sampled_from([n for n, line in enumerate(LINES) if ": " in line]))
    before, _, _ = LINES[number].partition(": ")
    text = "".join([*LINES[:number], f"{before}: {SHAPED}\n", *LINES[number + 1 :]])
    result = outcome(here, text)
    assert isinstance(result, Mistake)
    assert SHAPED not in str(result)
    if "is not YAML" not in str(result):
        assert f"targets.yaml:{number + 1}" in {each.where for each in result.parts}


@QUICK
@given(wanted=st.lists(st.text(max_size=30) | st.text(alphabet="replay:/htps.*?[]@", max_size=30), max_size=3))
def test_any_selection_is_targets_or_a_mistake(here: Path, wanted: list[str]) -> None:
    """Whatever `--target` is given, it comes to targets with names that differ, or to a Mistake."""
    path = written(here, FEW)
    try:
        selected = select(wanted, file=path, environ={})
    except Mistake:
        return
    assert len({each.name for each in selected}) == len(selected)


def test_targets_are_values(here: Path) -> None:
    """A target is frozen; another one is made by `dataclasses.replace`."""
    target = read(written(here, FULL)).by_name["my-server"]
    assert dataclasses.replace(target, model="other").model == "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        target.model = "other"  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(target)) == target
