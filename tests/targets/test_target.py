"""The values of a target: secrets that stay unseen, quantities as people write them, waivers that name real checks."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from conformance.checks.catalogue import catalogue
from conformance.checks.codes import codes
from conformance.core.capabilities import CAPABILITIES
from conformance.core.mistake import Mistake, nearest, together
from conformance.core.secret import Secret, is_secret_name, shape, shown
from conformance.core.verdict import Waiver
from conformance.targets.kinds import KINDS, REACH
from conformance.targets.quantities import url_problem
from conformance.targets.target import Launch, Limits, Price, Target, Timeout, check_waivers

CANARY = "canary-in-a-coal-mine"
CHECK = catalogue()["stream.ends-with-done"]


def known() -> Secret:
    """A secret that has been looked up."""
    return Secret("TOKEN", CANARY, written="Bearer ${TOKEN}", where="targets.yaml:3")


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{:>60}".format, "%s".__mod__, "%r".__mod__, ascii])
def test_a_secret_never_shows_its_value(show: Any) -> None:
    """However a secret is turned into text, the text has the name of its variable and not its value."""
    assert CANARY not in show(known())
    assert "${TOKEN}" in show(known())


def test_a_secret_reveals_the_whole_text() -> None:
    """`reveal()` is the text with the value in place, `value` the bare value that a guard has to look for."""
    assert known().reveal() == f"Bearer {CANARY}"
    assert known().value == CANARY


def test_a_pickled_secret_is_only_a_name() -> None:
    """A pickle does not hold the value, and what comes out of it refuses to reveal one."""
    pickled = pickle.dumps(known())
    assert CANARY.encode() not in pickled
    again = pickle.loads(pickled)
    assert (again.name, again.written, again.where) == ("TOKEN", "Bearer ${TOKEN}", "targets.yaml:3")
    with pytest.raises(LookupError, match="TOKEN"):
        again.reveal()


def test_a_copied_secret_keeps_its_value() -> None:
    """Copying inside the process is not pickling: `asdict` and `deepcopy` lose nothing."""
    assert copy.deepcopy(known()) == copy.copy(known()) == known()
    assert dataclasses.asdict(Target("a", "openai", key=known()))["key"].value == CANARY


def test_a_target_never_shows_its_secrets() -> None:
    """Neither the repr of a target nor its pickle has the value of its key, of a header or of a variable."""
    launch = Launch(model="m", env={"HF_TOKEN": known()})
    target = Target("a", "vllm", key=known(), headers={"X-Key": known()}, launch=launch)
    assert CANARY not in repr(target)
    assert CANARY.encode() not in pickle.dumps(target)
    assert CANARY not in str(dataclasses.asdict(target))
    assert [each.value for each in target.secrets()] == [CANARY] * 3


def test_equal_secrets_are_equal() -> None:
    """Secrets compare by name, form and value, and work as keys."""
    assert known() == known().at("elsewhere:1")
    assert known() != Secret("TOKEN", "another", written="Bearer ${TOKEN}")
    assert known() != CANARY
    assert len({known(), known()}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "task-scheduler-for-everyone",
        "--hf_overrides",
        "the Bearer token is dropped",
        "Bearer ${TOKEN2}",
        "https://example.com/issue@2",
        "gpt-5-mini",
        "Qwen/Qwen3-0.6B",
        "--tool-call-parser",
        "risk-assessment-model",
    ],
)
def test_ordinary_text_is_no_token(text: str) -> None:
    """Options, models and prose are not taken for tokens."""
    assert shape(text) is None


@pytest.mark.parametrize("name", ["Authorization", "api-key", "X-Api-Key", "X-Auth-Token", "HF_TOKEN", "Cookie"])
def test_names_of_secrets_are_recognised(name: str) -> None:
    """A header or variable with `key`, `token` and the like as a word in its name carries a secret."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["X-Team", "TOKENIZERS_PARALLELISM", "VLLM_CPU_KVCACHE_SPACE", "MAX_TOKENS", "Keyboard"]
)
def test_other_names_carry_no_secret(name: str) -> None:
    """Only whole words count."""
    assert not is_secret_name(name)


def test_a_message_quotes_one_harmless_line() -> None:
    """Control characters are spelt out and long texts cut: a name in a file cannot paint the terminal."""
    assert shown("\x1b[31mred\nline") == r"`\x1b[31mred\nline`"
    assert len(shown("x" * 1000)) < 70


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("5s", 5), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("7", 7), ("0.25", 0.25), ("5 s", 5), (3, 3), (1.5, 1.5)],
)
def test_durations(written: Any, seconds: float) -> None:
    """A duration is a number with a unit, or of seconds."""
    assert Timeout(connect=written).connect == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["0s", "-1s", "5 parsecs", "1m30s", "soon", "", "25h", "inf", "nan", True, [5], "1e3"]
)
def test_wrong_durations(written: Any) -> None:
    """Nothing, less than nothing, more than a day and other units are refused."""
    with pytest.raises(ValidationError, match="such as 5s, 500ms"):
        Timeout(connect=written)


def test_some_waits_may_be_none() -> None:
    """Not lingering and not waiting for a retry are choices; not waiting for an answer is none."""
    assert Timeout(linger=0).linger == 0
    assert Limits(retry_after=0).retry_after == 0


@pytest.mark.parametrize(
    ("written", "size"), [("16MiB", 16 * 2**20), ("500KB", 500_000), ("1 gib", 2**30), ("12", 12), ("10B", 10), (7, 7)]
)
def test_sizes(written: Any, size: int) -> None:
    """A size is a number with a unit of 1000 or of 1024, or of bytes."""
    assert Limits(body=written).body == size


@pytest.mark.parametrize("written", ["0", "-1MiB", "16 megs", "big", "MiB", "9999999GiB", False])
def test_wrong_sizes(written: Any) -> None:
    """What is no size, or nobody's, is refused."""
    with pytest.raises(ValidationError, match="such as 16MiB"):
        Limits(body=written)


@pytest.mark.parametrize("written", ["0", "-1", "1.5", "eight", True, "", 0, "9" * 30])
def test_wrong_counts(written: Any) -> None:
    """A count is a whole number from 1 on."""
    with pytest.raises(ValidationError, match="whole number, 1 or more"):
        Limits(at_once=written)


@pytest.mark.parametrize("written", ["-1", "free", "nan", True])
def test_wrong_prices(written: Any) -> None:
    """A price is an amount from 0 on."""
    with pytest.raises(ValidationError, match="amount, 0 or more"):
        Price(input=written)


def test_the_limits_that_hold_unless_written() -> None:
    """The defaults are the documented ones."""
    limits = Limits()
    assert (limits.at_once, limits.requests, limits.tokens) == (8, None, None)
    assert (limits.body, limits.retry_after) == (16 * 2**20, 30)
    assert limits.timeout == Timeout(connect=5, first_byte=60, idle=30, total=120, linger=3)
    assert Launch(model="m").ready == 300


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "https://api.openai.com/v1", "http://[::1]:80", "http://h"]
)
def test_urls(url: str) -> None:
    """An http or https URL with a host is the URL of a target."""
    assert url_problem(url) is None


@pytest.mark.parametrize(
    "url",
    ["", "host:80", "ftp://h/", "http://", "http://[", "http://h:port/", "http://h/?key=1", "http://h/#x",
     "http://a b/", "http://user@h/", f"https://u:{CANARY}@h/v1", "https://h/sk-abcdefgh12345678", "http://h/\n"],
)  # fmt: skip
def test_wrong_urls(url: str) -> None:
    """Anything else is refused, and not repeated: it may hold a password."""
    problem = url_problem(url)
    assert problem
    assert CANARY not in problem
    assert "sk-abcd" not in problem


@given(st.text())
def test_any_text_is_a_url_or_not(text: str) -> None:
    """No text breaks the reading of URLs."""
    assert url_problem(text) is None or "must" in str(url_problem(text))


def test_targets_can_be_keys() -> None:
    """Equal targets are equal and hash alike, headers or not."""
    one, other = (Target("a", "openai", headers={"X": "y"}, launch=Launch(model="m")) for _ in range(2))
    assert one == other
    assert len({one, other}) == 1


def test_paths_start_from_the_folder_of_the_file() -> None:
    """A relative path in a stanza means the folder of its file, an absolute one itself."""
    target = Target("a", "vllm", directory=Path("/somewhere"))
    assert target.path("fixtures/model") == Path("/somewhere/fixtures/model")
    assert target.path("/models/x") == Path("/models/x")


def test_waivers_of_known_checks_pass() -> None:
    """A waiver that names a check is fine."""
    target = Target("a", "openai", waives=(Waiver("stream.done", "why", "who", until=date(2027, 1, 31)),))
    check_waivers(target, {"stream.done": CHECK}, codes)


def test_waivers_of_unknown_checks_are_mistakes() -> None:
    """Every waiver of an unknown check is told, with its line and the closest id; a prefix is not enough."""
    waives = (
        Waiver("stream.ends-with-don", "why", "who", line=7),
        Waiver("stream.ends", "why", "who", line=9),
        Waiver("tools.call", "why", "who", line=10),
    )
    target = Target("a", "openai", waives=waives, source="targets.yaml", line=2)
    with pytest.raises(Mistake) as caught:
        check_waivers(target, {"stream.ends-with-done": CHECK, "tools.call": CHECK}, codes)
    first, second = caught.value.parts
    assert first.where == "targets.yaml:7"
    assert "did you mean `stream.ends-with-done`?" in str(first)
    assert second.where == "targets.yaml:9"
    with pytest.raises(Mistake, match="`conformance checks` lists them"):
        check_waivers(target, {"zzz": CHECK}, codes)


def test_waivers_of_unknown_codes_are_mistakes() -> None:
    """A waiver for some codes of a check names such as it has, or is refused with its line."""
    known = Target("a", "openai", waives=(Waiver(CHECK.id, "why", "who", codes=("no-done",)),))
    check_waivers(known, {CHECK.id: CHECK}, codes)
    unknown = dataclasses.replace(
        known, waives=(Waiver(CHECK.id, "why", "who", line=7, codes=("no-dune",)),), source="targets.yaml"
    )
    with pytest.raises(Mistake, match=r"has no such code .did you mean `no-done`") as caught:
        check_waivers(unknown, {CHECK.id: CHECK}, codes)
    assert caught.value.where == "targets.yaml:7"


def test_the_table_of_kinds_is_sound() -> None:
    """A kind only needs keys that it takes or has for itself, and its addresses are made of its own."""
    for kind in KINDS.values():
        assert kind.takes <= set(REACH)
        assert set(kind.one_of) <= kind.takes | set(kind.options)
        assert {each.needs for each in kind.options.values() if each.needs} | {kind.model} <= {"", *kind.options}
        assert all(set(re.findall(r"\{(\w+)\}", address)) <= set(kind.options) for address in kind.addresses)
        assert kind.meaning


def test_capabilities_have_a_meaning_each() -> None:
    """Names are dotted lower case, meanings one line."""
    for name, meaning in CAPABILITIES.items():
        assert name == name.lower()
        assert meaning
        assert "\n" not in meaning


def test_a_mistake_is_its_message() -> None:
    """`str` of a Mistake is where, what and the fix; it survives a pickle."""
    mistake = Mistake("is wrong", where="targets.yaml:3", fix="mend it")
    assert str(mistake) == "targets.yaml:3: is wrong\n  mend it"
    again = pickle.loads(pickle.dumps(mistake))
    assert (str(again), again.message, again.where) == (str(mistake), "is wrong", "targets.yaml:3")
    assert str(Mistake("alone")) == "alone"
    assert mistake.parts == (mistake,)


def test_mistakes_are_told_together() -> None:
    """Several become numbered lines, one stays itself, and a flood is cut."""
    one = Mistake("is wrong", where="f:1")
    assert together([one], where="f") is one
    both = together([one, Mistake("too", where="f:2", fix="mend it")], where="f")
    assert str(both) == "f: 2 mistakes\n  1. f:1: is wrong\n  2. f:2: too\n     mend it"
    assert len(both.parts) == 2
    flood = together([one] * 100, where="f")
    assert str(flood).endswith("and 80 more")
    assert len(flood.parts) == 100


def test_the_nearest_word() -> None:
    """A typo finds its word whatever the case; nonsense finds none."""
    assert nearest("Vlm", ["openai", "vllm"]) == "did you mean `vllm`?"
    assert nearest("zzz", ["openai", "vllm"]) == ""
