"""`--target` and the secrets of `targets.yaml`: looked up when selected, refused when written out, never shown."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from conformance.core.mistake import Mistake
from conformance.targets import select
from tests.kit.target_files import mistake_in, stanza_of, written

SHAPED = "sk-canary0123456789"
UNSHAPED = "hunter2canary"

FEW = "targets: {vllm-a: {kind: vllm, base_url: 'http://a'}, vllm-b: {kind: vllm, base_url: 'http://b'}}"

FULL = """\
targets:
  my-server:
    kind: openai
    base_url: http://127.0.0.1:8000/v1
    key: ${MY_KEY}
    headers:
      X-Token: Token ${MY_TOKEN}
  started-here:
    kind: vllm
    launch:
      model: fixtures/model
      env: {HF_TOKEN: "${HF_TOKEN}"}
"""

OPENAI = "kind: openai\n"


LITERALS = {
    "a key": (OPENAI + f"key: {UNSHAPED}", 4),
    "a key of a known form": (OPENAI + f"key: {SHAPED}", 4),
    "a number as a key": (OPENAI + "key: 1234567890", 4),
    "a key in a list": (OPENAI + f"key: [{UNSHAPED}]", 4),
    "a key beside a variable": (OPENAI + f"key: ${{X}}{UNSHAPED}", 4),
    "an authorization": (OPENAI + f"headers:\n  Authorization: {UNSHAPED}", 5),
    "an API key header": (OPENAI + f"headers:\n  x-api-key: {UNSHAPED}", 5),
    "a bearer token in any header": (OPENAI + f"headers:\n  X-Other: Bearer {UNSHAPED}", 5),
    "a token in any header": (OPENAI + f"headers:\n  X-Other: {SHAPED}", 5),
    "a token beside a variable": (OPENAI + f"headers:\n  X-Other: ${{X}} {SHAPED}", 5),
    "a password in a URL": (OPENAI + f"base_url: https://user:{UNSHAPED}@h/v1", 4),
    "a password with a slash": (OPENAI + f"base_url: https://user:{UNSHAPED}/@h/v1", 4),
    "a key in a URL": (OPENAI + f"base_url: https://h/v1?key={UNSHAPED}", 4),
    "a token in a URL": (OPENAI + f"base_url: https://h/{SHAPED}/v1", 4),
    "a token as an argument": (f"kind: vllm\nlaunch:\n  model: m\n  args:\n    - {SHAPED}", 7),
    "a token in the environment": (f"kind: vllm\nlaunch:\n  model: m\n  env:\n    HF_TOKEN: {UNSHAPED}", 7),
    "a token as a model": (OPENAI + f"model: {SHAPED}", 4),
    "a token as a kind": (f"kind: {SHAPED}", 3),
    "a token as a claim": (OPENAI + f"claims: [{SHAPED}]", 4),
    "a token as a limit": (OPENAI + f"limits: {{at_once: {SHAPED}}}", 4),
    "a token as a name": (OPENAI + f"{SHAPED}: 1", 4),
    "a token as a header's name": (OPENAI + f"headers:\n  {SHAPED}: x", 5),
    "a token in prose": (OPENAI + f"waives:\n  a.b:\n    because: it needs {SHAPED}\n    owner: y", 6),
    "a token in a profile": (OPENAI + f"profile:\n  x: [{SHAPED}]", 5),
    "another tool's word": (OPENAI + f"api_key: {UNSHAPED}", 4),
    "a secret with a comma": (OPENAI + f"headers: {{Authorization: x,{UNSHAPED}}}", 4),
    "an odd secret with a comma": (OPENAI + f"headers: {{Authorization: x,{UNSHAPED}<~}}", 4),
    "headers in one line": (OPENAI + f"headers: 'Authorization: Bearer {UNSHAPED}'", 4),
    "an alias by accident": (OPENAI + f"key: *{UNSHAPED}", 4),
    "a tag by accident": (OPENAI + f"key: !{UNSHAPED} x", 4),
    "a tag's handle by accident": (OPENAI + f"key: !{UNSHAPED}!x y", 4),
    "a block by accident": (OPENAI + f"key: |{UNSHAPED}", 4),
    "a second colon": (OPENAI + f"key: {UNSHAPED}: {SHAPED}", 4),
    "a reserved character": (OPENAI + f"key: @{UNSHAPED}", 4),
    "an odd escape": (OPENAI + f'key: "\\{UNSHAPED}"', 4),
    "text after a quote": (OPENAI + f'key: "x" {UNSHAPED}', 4),
}


@pytest.mark.parametrize("name", LITERALS)
def test_a_literal_secret_is_refused_unseen(here: Path, name: str) -> None:
    """A secret that is written out is refused with its line, and no message, repr or pickle has it."""
    body, line = LITERALS[name]
    mistake = mistake_in(here, stanza_of(body))
    assert f"targets.yaml:{line}" in {each.where for each in mistake.parts}
    for shown in (str(mistake), repr(mistake), str(mistake.args), pickle.dumps(mistake).decode("latin-1")):
        assert UNSHAPED not in shown
        assert SHAPED not in shown
        assert "1234567890" not in shown


@pytest.mark.parametrize("name", ["a key", "an authorization", "a token as a model", "a password in a URL"])
def test_the_remedy_for_a_literal_secret_is_a_variable(here: Path, name: str) -> None:
    """The message says to name a variable."""
    assert "${" in str(mistake_in(here, stanza_of(LITERALS[name][0])))


def test_a_literal_secret_is_told_once(here: Path) -> None:
    """A key of a known form is wrong in two ways, and one mistake."""
    assert len(mistake_in(here, stanza_of(OPENAI + f"key: {SHAPED}")).parts) == 1


def test_a_token_in_a_target_name_is_not_repeated(here: Path) -> None:
    """Also the paths in messages are kept clean."""
    assert SHAPED not in str(mistake_in(here, f"targets:\n  {SHAPED}: {{kind: vlm}}\n"))


def test_secrets_are_looked_up_when_selected(here: Path) -> None:
    """A file with unset variables is fine as long as its other targets run; selected, they get their values."""
    path = written(here, FULL)
    assert [each.name for each in select(["reference"], file=path, environ={})] == ["reference"]
    (target,) = select(["my-server"], file=path, environ={"MY_KEY": UNSHAPED, "MY_TOKEN": "t"})
    assert target.key is not None
    assert target.key.reveal() == UNSHAPED
    assert [each.reveal() for each in target.secrets()] == [UNSHAPED, "Token t"]
    assert UNSHAPED not in repr(target)
    assert UNSHAPED.encode() not in pickle.dumps(target)
    (started,) = select(["started-here"], file=path, environ={"HF_TOKEN": UNSHAPED})
    assert [each.value for each in started.secrets()] == [UNSHAPED]
    assert UNSHAPED not in repr(started)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "is not set"),
        ("", "is empty"),
        (" ", "is empty"),
        (f"{UNSHAPED}\n", "line break"),
        (f"{UNSHAPED}é", "no header"),
    ],
)
def test_a_variable_without_a_usable_value_is_a_mistake(here: Path, value: str | None, said: str) -> None:
    """It names the variable, the line that needs it and how to set it, and never the value."""
    environ = {} if value is None else {"MY_KEY": value}
    with pytest.raises(Mistake) as caught:
        select(["my-server"], file=written(here, FULL), environ={"MY_TOKEN": "t", **environ})
    message = str(caught.value)
    assert message.startswith("targets.yaml:5: ${MY_KEY} ")
    assert said in message
    assert message.endswith("\n  export MY_KEY=...")
    assert UNSHAPED not in message


def test_all_unset_variables_are_told_at_once(here: Path) -> None:
    """Each once, with its own line."""
    with pytest.raises(Mistake) as caught:
        select(["*"], file=written(here, FULL), environ={})
    assert [each.where for each in caught.value.parts] == ["targets.yaml:5", "targets.yaml:7", "targets.yaml:12"]


def test_the_default_variable_is_told_with_the_target(here: Path) -> None:
    """A key that is not written is missed on the line of its target."""
    with pytest.raises(Mistake, match=r"targets.yaml:2: \$\{OPENAI_API_KEY\} is not set"):
        select(["a"], file=written(here, "targets:\n  a: {kind: openai}\n"), environ={})


def names(here: Path, *wanted: str) -> list[str]:
    """The names of what is selected from FEW."""
    return [each.name for each in select(wanted, file=written(here, FEW), environ={})]


def test_targets_are_selected_by_name_and_pattern(here: Path) -> None:
    """In the order asked for, each once, the reference among them."""
    assert names(here, "vllm-b") == ["vllm-b"]
    assert names(here, "vllm-*") == ["vllm-a", "vllm-b"]
    assert names(here, "vllm-b", "vllm-?", "vllm-b") == ["vllm-b", "vllm-a"]
    assert names(here, "*") == ["reference", "vllm-a", "vllm-b"]
    assert names(here) == []


def test_the_reference_needs_no_file() -> None:
    """Without a file there is still the embedded server."""
    assert [each.kind for each in select(["reference"], file=None, environ={})] == ["reference"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("vlm-a", "there is no target `vlm-a` (did you mean `vllm-a`?); targets.yaml has reference, vllm-a, vllm-b"),
        ("zzz", "there is no target `zzz`; targets.yaml has"),
        ("x-*", "no target matches `x-*`; targets.yaml has"),
        ("", "needs a name, a pattern, a URL or replay:DIR"),
        ("localhost:8000", "did you mean the URL `http://localhost:8000/v1`?"),
        ("10.0.0.1:80/v2", "did you mean the URL `http://10.0.0.1:80/v2`?"),
        ("ftp://h/v1", "starts with http:// or https://"),
        ("http://", "a URL with a host"),
        ("replay:", "needs the folder of a recorded run"),
        ("replay:nowhere", "there is no folder `nowhere` to replay (recorded runs are under reports/"),
        ("replay:a\0b", "there is no folder"),
        ("replay:recording", "did you mean `recordings`?"),
    ],
)
def test_a_wrong_selection_is_a_mistake(here: Path, wanted: str, said: str) -> None:
    """It says what was asked for, what there is, and the likeliest thing meant."""
    (here / "recordings").mkdir()
    with pytest.raises(Mistake) as caught:
        names(here, wanted)
    assert caught.value.where == "--target"
    assert said in str(caught.value)


def test_a_name_without_a_file_says_how_to_make_one(here: Path) -> None:
    """It says where the file was looked for, and its remedy is a file that works."""
    with pytest.raises(Mistake) as caught:
        select(["my-server"], file=None, environ={})
    assert str(here) in str(caught.value)
    line = caught.value.fix.partition("targets.yaml: ")[2]
    assert [each.name for each in select(["my-server"], file=written(here, line), environ={})] == ["my-server"]


@pytest.mark.parametrize("wanted", [f"https://user:{UNSHAPED}@h/v1", f"https://h/v1?key={UNSHAPED}", SHAPED])
def test_a_secret_on_the_command_line_is_not_repeated(here: Path, wanted: str) -> None:
    """Neither from a URL nor where a name should be."""
    with pytest.raises(Mistake) as caught:
        names(here, wanted)
    assert UNSHAPED not in str(caught.value)
    assert SHAPED not in str(caught.value)


def test_a_url_is_a_target(here: Path) -> None:
    """Its kind is openai, its model asked for later; its name can be that of a folder."""
    wanted = ["http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/other/v1"]
    first, second = select(wanted, file=None, environ={})
    assert (first.name, first.kind, first.base_url) == ("127.0.0.1-8000", "openai", "http://127.0.0.1:8000/v1")
    assert (first.model, first.key, first.claims) == (None, None, None)
    assert second.name == "127.0.0.1-8000-other-v1"


def test_a_url_and_the_same_with_tls_are_two_targets(here: Path) -> None:
    """Different targets never share a name."""
    both = select(["http://h:1/v1", "https://h:1/v1"], file=None, environ={})
    assert [each.name for each in both] == ["h-1", "h-1-2"]


def test_the_key_of_openai_goes_to_openai_alone() -> None:
    """A URL of OpenAI needs its key; any other gets CONFORMANCE_KEY if there is one, and never OpenAI's."""
    environ = {"OPENAI_API_KEY": "theirs", "CONFORMANCE_KEY": "mine"}
    urls = [
        "https://api.openai.com/v1",
        "http://api.openai.com/v1",
        "https://api.openai.com.example.com/v1",
        "http://h",
    ]
    keys = [each.key for each in select(urls, file=None, environ=environ)]
    assert [key.reveal() for key in keys if key] == ["theirs", "mine", "mine", "mine"]
    assert [each.key for each in select(urls[1:], file=None, environ={"OPENAI_API_KEY": "theirs"})] == [None] * 3
    with pytest.raises(Mistake, match=r"\$\{OPENAI_API_KEY\} is not set"):
        select(urls[:1], file=None, environ={})


def test_a_recorded_run_is_a_target(here: Path) -> None:
    """`replay:DIR` is a target of kind replay with the folder, its name made of the folder's."""
    (here / "reports/my-server/now").mkdir(parents=True)
    (target,) = select(["replay:reports/my-server/now", f"replay:{here}/reports/my-server/now/"], file=None, environ={})
    assert (target.kind, target.name) == ("replay", "replay-my-server-now")
    assert target.directory == here / "reports/my-server/now"


def test_a_broken_file_does_not_matter_to_a_url(here: Path) -> None:
    """The file is only read when a name has to be looked up."""
    path = written(here, "]")
    assert select(["http://h/v1", f"replay:{here}"], file=path, environ={})
    with pytest.raises(Mistake, match="is not YAML"):
        select(["reference"], file=path, environ={})
