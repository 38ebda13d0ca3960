"""Kinds of targets: where they are, and how a key gets there, as a server on loopback sees it arrive."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from pathlib import Path
from typing import Any

import pytest

from conformance.checks.catalogue import catalogue
from conformance.core import curl
from conformance.core.address import WRONG, Carriage
from conformance.core.aws import tokens as bearer
from conformance.core.guard import Guard
from conformance.core.mistake import CouldNotTest, Mistake
from conformance.core.probe import Probe
from conformance.probes.chat import HELLO, get
from conformance.report.book import Book
from conformance.runner.runner import Runner
from conformance.targets import read, select
from conformance.targets.kinds import KINDS
from conformance.targets.target import Target
from conformance.transport.http import Http
from conformance.transport.reach import addressed
from tests.kit.servers import json_reply, server

KEY = "canary-key-0123456789"


def target_of(here: Path, stanza: str) -> Target:
    """The target with this stanza, its key looked up."""
    file = here / "targets.yaml"
    file.write_text(f"targets: {{a: {{{stanza}}}}}", encoding="utf-8")
    return select(["a"], file=file, environ=dict.fromkeys(("MY_KEY", *VARIABLES.values()), KEY))[0]


VARIABLES = {name: kind.variable for name, kind in KINDS.items() if kind.variable}


def arrived(target: Target, probe: Probe = HELLO) -> tuple[str, dict[str, list[str]]]:
    """The request line and the headers that a target's server gets."""
    heard: list[bytes] = []

    def hears(connection: socket.socket, request: bytes) -> None:
        heard.append(request)
        connection.sendall(json_reply(b"{}"))

    async def once(base_url: str) -> None:
        with addressed(target, Path(), lambda line: None, Guard()) as address:
            path = (target.base_url or "").partition("://")[2].partition("/")[2]
            http = Http("t", dataclasses.replace(address, base_url=base_url.replace("v1", path)), target.limits)
            try:
                await http.carry(probe)
            finally:
                await http.aclose()

    with server(hears) as base_url:
        asyncio.run(once(base_url))
    line, *rest = heard[0].partition(b"\r\n\r\n")[0].decode().split("\r\n")
    headers: dict[str, list[str]] = {}
    for one in rest:
        name, _, value = one.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    return line, headers


CARRIED = {
    "openai": ("authorization", f"Bearer {KEY}"),
    "sglang": ("authorization", f"Bearer {KEY}"),
    "litellm": ("authorization", f"Bearer {KEY}"),
    "openrouter": ("authorization", f"Bearer {KEY}"),
    "anthropic": ("authorization", f"Bearer {KEY}"),
    "vercel-gateway": ("authorization", f"Bearer {KEY}"),
    "bifrost": ("authorization", f"Bearer {KEY}"),
    "portkey": ("x-portkey-api-key", KEY),
    "azure": ("api-key", KEY),
}


@pytest.mark.parametrize("kind", CARRIED)
def test_the_key_travels_as_the_kind_has_it(kind: str, tmp_path: Path) -> None:
    """The key comes once, in the header of the kind; so does a wrong one; and none where the probe has none."""
    target = target_of(tmp_path, f"kind: {kind}, base_url: 'http://127.0.0.1:1/v1', model: m, key: '${{MY_KEY}}'")
    name, value = CARRIED[kind]
    line, headers = arrived(target)
    assert line == "POST /v1/chat/completions HTTP/1.1"
    assert headers[name] == [value]
    assert sum(KEY in one for values in headers.values() for one in values) == 1
    _, headers = arrived(target, Probe(HELLO.path, HELLO.body, auth="wrong"))
    assert headers[name] == [value.replace(KEY, WRONG)]
    _, headers = arrived(target, Probe(HELLO.path, HELLO.body, auth="none"))
    assert KEY not in str(headers)
    assert WRONG not in str(headers)
    own = HELLO.with_headers(authorization="Basic x")
    _, headers = arrived(target, own)
    assert headers["authorization"] == ["Basic x"]
    assert KEY not in str(headers)


ADDRESSES = {
    "kind: openai, model: m": ("https://api.openai.com/v1", ""),
    "kind: openrouter": ("https://openrouter.ai/api/v1", ""),
    "kind: anthropic": ("https://api.anthropic.com/v1", ""),
    "kind: vercel-gateway": ("https://ai-gateway.vercel.sh/v1", ""),
    "kind: portkey": ("https://api.portkey.ai/v1", ""),
    "kind: azure, resource: my-res": ("https://my-res.openai.azure.com/openai/v1", ""),
    "kind: azure, resource: my-res, api_version: preview": (
        "https://my-res.openai.azure.com/openai/v1",
        "api-version=preview",
    ),
    "kind: azure, resource: my-res, deployment: gpt_4.1, api_version: '2024-10-21'": (
        "https://my-res.openai.azure.com/openai/deployments/gpt_4.1",
        "api-version=2024-10-21",
    ),
}


@pytest.mark.parametrize("stanza", ADDRESSES)
def test_a_kind_knows_where_it_is(stanza: str, tmp_path: Path) -> None:
    """The base URL and the query come from the kind and its options, and the key from the kind's own variable."""
    target = target_of(tmp_path, stanza)
    assert (target.base_url, target.query) == ADDRESSES[stanza]
    assert target.key is not None
    assert target.key.name == VARIABLES[target.kind]


def test_a_key_of_a_vendor_goes_to_the_vendor_only(tmp_path: Path) -> None:
    """With a base URL of one's own, the vendor's variable is not read: its key would go to another host."""
    for kind in VARIABLES:
        assert target_of(tmp_path, f"kind: {kind}, base_url: 'http://127.0.0.1:1/v1', model: m").key is None


def test_a_deployment_of_azure_is_in_the_path_and_the_model(tmp_path: Path) -> None:
    """The version stands in the URL of every request, the deployment in the path, and as the model."""
    stanza = "kind: azure, resource: r, deployment: gpt, api_version: '2024-10-21'"
    target = target_of(tmp_path, stanza)
    assert target.model == "gpt"
    line, headers = arrived(target)
    assert line == "POST /openai/deployments/gpt/chat/completions?api-version=2024-10-21 HTTP/1.1"
    assert headers["api-key"] == [KEY]
    assert "authorization" not in headers
    assert arrived(target, get("models?limit=2"))[0].split()[1].endswith("/models?limit=2&api-version=2024-10-21")
    assert target_of(tmp_path, stanza + ", model: other").model == "other"


def test_an_entra_token_goes_in_the_usual_header(tmp_path: Path) -> None:
    """Azure takes a token in `Authorization`, too: it is written under headers, and does not contradict anything."""
    target = target_of(
        tmp_path, "kind: azure, base_url: 'http://127.0.0.1:1/v1', headers: {Authorization: 'Bearer ${MY_KEY}'}"
    )
    assert arrived(target)[1]["authorization"] == [f"Bearer {KEY}"]


def test_portkey_is_told_who_answers(tmp_path: Path) -> None:
    """The options of the kind travel as headers; one that is written under headers counts more."""
    options = "provider: openai, custom_host: 'http://127.0.0.1:9/v1', config: pc-1, strict: 'false'"
    target = target_of(tmp_path, f"kind: portkey, {options}, headers: {{X-Portkey-Config: pc-2}}")
    _, headers = arrived(target)
    assert headers["x-portkey-provider"] == ["openai"]
    assert headers["x-portkey-custom-host"] == ["http://127.0.0.1:9/v1"]
    assert headers["x-portkey-strict-open-ai-compliance"] == ["false"]
    assert headers["x-portkey-config"] == ["pc-2"]
    assert headers["x-portkey-api-key"] == [KEY]


MISTAKES = {
    "kind: litellm": "targets.yaml:1: targets.a needs base_url or launch, as its kind is litellm, such as base_url: http://127.0.0.1:4000/v1",
    "kind: azure": "needs base_url or resource, as its kind is azure",
    "kind: azure, resource: r, base_url: 'http://h/v1'": "resource contradicts base_url: keep one of them",
    "kind: azure, resource: 'evil.example/x?'": "resource must be letters, digits and dashes, 64 at most",
    "kind: azure, resource: r, deployment: d": "needs api_version with deployment: the version of the API, such as 2024-10-21",
    "kind: azure, resource: r, api_version: latest-one": "api_version must be a day such as 2024-10-21",
    "kind: azure, resource: r, deployment: 'a/../b', api_version: '2024-10-21'": "deployment must be letters, digits",
    "kind: openai, provider: openai": "only the kind portkey has it",
    "kind: portkey, strict: 'yes'": "strict must be true or false, not yes",
    "kind: vercel": "did you mean vercel-gateway?",
    "kind: azure, resource: r, key: '${K}', headers: {API-Key: '${K}'}": "headers.API-Key contradicts key",
    "kind: anthropic, key: 'literal'": "must name an environment variable",
}


@pytest.mark.parametrize("stanza", MISTAKES)
def test_a_stanza_that_makes_no_sense_is_one_clear_line(stanza: str, tmp_path: Path) -> None:
    """What is wrong with the options of a kind is said with file and line, and what to write instead."""
    file = tmp_path / "targets.yaml"
    file.write_text(f"targets: {{a: {{{stanza}}}}}", encoding="utf-8")
    with pytest.raises(Mistake) as mistake:
        read(file)
    assert MISTAKES[stanza] in str(mistake.value).replace("`", "")


def test_a_command_carries_the_key_as_the_kind_does() -> None:
    """What a report offers to paste into a shell has the header of the kind, and the query of the target."""
    line = curl.command(
        HELLO, "https://r.openai.azure.com/openai/v1", "gpt", Carriage("api-key", ""), "api-version=preview"
    )
    assert '-H "api-key: $KEY"' in line
    assert "authorization" not in line
    assert "/chat/completions?api-version=preview" in line
    wrong: Any = Probe(HELLO.path, HELLO.body, auth="wrong")
    assert f"-H 'x-portkey-api-key: {WRONG}'" in curl.command(
        wrong, "https://h/v1", "m", Carriage("x-portkey-api-key", "")
    )


AWS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of Amazon's own examples, and nothing of this machine's."""
    pytest.importorskip("botocore")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("aws")
def test_bedrock_is_opened_by_a_token_of_its_own(tmp_path: Path) -> None:
    """Without a key a token is minted as SageMaker's is, for Bedrock and the region, and travels as a bearer token."""
    stanza = "kind: bedrock, region: us-west-2, model: openai.gpt-oss-20b, token_lifetime: 1h"
    target = target_of(tmp_path, stanza + ", base_url: 'http://127.0.0.1:1/openai/v1'")
    line, headers = arrived(target)
    assert line == "POST /openai/v1/chat/completions HTTP/1.1"
    token = bearer.read(headers["authorization"][0].removeprefix("Bearer "))
    assert (token.scheme, token.host, token.region, token.life) == (
        bearer.BEDROCK, "bedrock.amazonaws.com", "us-west-2", 3600,
    )  # fmt: skip
    assert token.scope[2] == "bedrock"
    assert token.is_signed_with(AWS["AWS_SECRET_ACCESS_KEY"])
    with addressed(target_of(tmp_path, stanza), Path(), lambda line: None, Guard()) as address:
        assert address.base_url == "https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1"


@pytest.mark.usefixtures("aws")
def test_bedrock_takes_an_api_key_instead(tmp_path: Path) -> None:
    """With a key there is no token, and with a base URL too (Mantle's) no AWS configuration is looked at."""
    stanza = "kind: bedrock, region: eu-west-1, model: m, key: '${MY_KEY}'"
    with addressed(target_of(tmp_path, stanza), Path(), lambda line: None, Guard()) as address:
        assert address.base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"
        assert address.credential is not None
        assert address.credential() == KEY
    target = target_of(tmp_path, "kind: bedrock, base_url: 'http://127.0.0.1:1/v1', model: m, key: '${MY_KEY}'")
    assert arrived(target)[1]["authorization"] == [f"Bearer {KEY}"]


BEDROCK_PROBLEMS = {
    "region: eu-weast-1": "no Bedrock in the region `eu-weast-1` that botocore knows of (did you mean `eu-west-1`?)",
    "model: m": "no region: write `region:`",
    "region: eu-west-1, aws_profile: nobody": "no profile `nobody`",
}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("keys", BEDROCK_PROBLEMS)
def test_what_keeps_bedrock_away_is_one_line(keys: str, tmp_path: Path) -> None:
    """A region without the service, none at all, a profile that is not there: each says what to do."""
    target = target_of(tmp_path, f"kind: bedrock, {keys}")
    with pytest.raises(CouldNotTest) as problem, addressed(target, Path(), lambda line: None, Guard()):
        pass
    assert BEDROCK_PROBLEMS[keys] in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_report_knows_how_the_key_travelled(tmp_path: Path) -> None:
    """The header of a run has it, so that a replay and a report of years later offer the right command."""
    answers = json_reply(b'{"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}')
    with server(lambda connection, request: connection.sendall(answers)) as base_url:
        target = target_of(
            tmp_path, f"kind: azure, base_url: '{base_url}', api_version: preview, model: m, key: '${{MY_KEY}}'"
        )
        first = a_run(target, tmp_path)
        assert "Hi" in (first / "exchanges.jsonl").read_text(encoding="utf-8")
        for directory in (first, a_run(Target("again", "replay", directory=first), tmp_path)):
            book = Book.of([directory])
            assert book.runs[0].header.carriage == Carriage("api-key", "")
            assert "api-key: $KEY" in book.html()
            assert "?api-version=preview" in book.html()
            assert KEY not in book.html()


def a_run(target: Target, here: Path) -> Path:
    """The directory of a run of one check that this answer breaks."""
    check, session = catalogue()["chat.object-is-chat-completion"], Runner([target], here / "reports")
    session.open({target.name: [check]})
    session.judge(check, target)
    session.close(finished=True)
    return session.directories[0]
