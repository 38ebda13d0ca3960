"""Amazon's own token generators, in an environment of their own, make the same tokens: 420 MB for a cross-check, so it is slow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.core.aws.tokens import BEDROCK, SAGEMAKER, Scheme, read, sign
from conformance.transport.engines.install import home

HERE = home().parent / "aws-generators" / "env"
PACKAGES = ("sagemaker-core>=2.27", "aws-bedrock-token-generator>=1.1")
INSTALL = 900.0
"""Seconds for the install, over a slow line."""

# Their clock is botocore's. Each token is made of credentials that are handed over, so that nothing is looked up.
ASK = """
import json, sys
from datetime import datetime, timedelta
import botocore.auth
from botocore.credentials import Credentials, CredentialProvider
wanted = json.load(sys.stdin)
botocore.auth.get_current_datetime = lambda *a, **k: datetime(2026, 11, 23, 4, 0, 0)
class Given(CredentialProvider):
    METHOD = "given"
    def load(self):
        return Credentials(wanted["access"], wanted["secret"], wanted["session"])
if wanted["service"] == "sagemaker":
    from sagemaker.core.token_generator import generate_token
else:
    from aws_bedrock_token_generator import provide_token as generate_token
more = {"expiry": timedelta(seconds=wanted["life"])}
print(generate_token(region=wanted["region"], aws_credentials_provider=Given(), **more))
"""
AT = 1795406400.0
"""2026-11-23 04:00 UTC."""


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter of an environment with both generators."""
    program = HERE / "bin" / "python"
    have = [program, "-c", "import sagemaker.core.token_generator, aws_bedrock_token_generator"]
    if program.is_file() and subprocess.run(have, capture_output=True, timeout=120, check=False).returncode == 0:
        return program
    for command in ([sys.executable, "-m", "venv", HERE], [program, "-m", "pip", "install", "-q", *PACKAGES]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL, check=False)
        if done.returncode:
            pytest.skip(f"the generators cannot be installed here: {done.stderr[-300:]}")
    return program


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [SAGEMAKER, BEDROCK], ids=["sagemaker", "bedrock"])
@pytest.mark.parametrize("session", [None, "SESS/TOK+EN==", "x" * 900], ids=["user", "role", "long"])
@pytest.mark.parametrize("life", [1, 900, 43200])
def test_amazons_generators_make_the_same(python: Path, scheme: Scheme, session: str | None, life: int) -> None:
    """Byte for byte, for both services, with and without a session, at both ends of a token's life."""
    wanted = {"service": scheme.service, "access": "AKIDEXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
              "session": session, "region": "us-west-2", "life": life}  # fmt: skip
    environment = {"PATH": os.environ["PATH"], "HOME": str(HERE), "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        [python, "-c", ASK], input=json.dumps(wanted), capture_output=True, text=True, timeout=120, env=environment,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1500:]
    theirs = done.stdout.strip().splitlines()[-1]
    assert theirs == sign(scheme, "AKIDEXAMPLE", str(wanted["secret"]), session, "us-west-2", life, AT)
    assert read(theirs).begins.timestamp() == AT
