"""Amazon on loopback: moto's server in a process of its own, and in front of it what moto has not.

moto 5.2 has no `iam:SimulatePrincipalPolicy` and no inference components; those are answered here from a table, and every other
request goes on to moto. Denials are told as AWS tells them, by the name of the operation.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

MOTO = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


@dataclass
class Cloud:
    """What the stand-in answers, and what it was asked."""

    url: str
    moto: str
    decisions: dict[tuple[str, str], str] = field(default_factory=dict)
    """Of SimulatePrincipalPolicy, by action and resource; `implicitDeny` for others."""
    components: dict[str, dict[str, Any]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    """Operations that are refused."""
    broken: dict[str, str] = field(default_factory=dict)
    """Operations that fail with an error code."""
    asked: list[str] = field(default_factory=list)
    keys: tuple[str, str] = ("AKIDEXAMPLE0CANARY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYCANARY")
    """Access key and secret key of whoever works with it."""

    def environment(self) -> dict[str, str]:
        """The environment of somebody who works with it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.keys[0],
            "AWS_SECRET_ACCESS_KEY": self.keys[1],
            "AWS_REGION": "eu-west-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    def forget(self) -> None:
        """Back to the beginning; what moto has been told stays."""
        for one in (self.decisions, self.components, self.denied, self.broken, self.asked):
            one.clear()


def operation(headers: Any, body: bytes) -> str:
    """The name of what is called, in the query or the JSON protocol."""
    target = headers.get("x-amz-target", "")
    return target.partition(".")[2] or parse_qs(body.decode(errors="replace")).get("Action", [""])[0]


@contextmanager
def cloud() -> Iterator[Cloud]:
    """The stand-in, for as long as the block lasts."""
    port = _free()
    process = subprocess.Popen(
        [sys.executable, "-c", MOTO, str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    made = Cloud("", f"http://127.0.0.1:{port}")
    front = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.url = f"http://127.0.0.1:{front.server_address[1]}"
    thread = threading.Thread(target=front.serve_forever, daemon=True)
    thread.start()
    try:
        _ready(made.moto, process)
        yield made
    finally:
        front.shutdown()
        front.server_close()
        process.terminate()
        process.wait(30)


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Front(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            name = operation(self.headers, body)
            cloud.asked.append(name)
            json_protocol = bool(self.headers.get("x-amz-target"))
            if name in cloud.denied or name in cloud.broken:
                code = cloud.broken.get(name) or ("AccessDeniedException" if json_protocol else "AccessDenied")
                self._fail(code, f"User is not authorized to perform: {name}", json_protocol)
            elif name == "SimulatePrincipalPolicy":
                said = parse_qs(body.decode())
                action, resource = said["ActionNames.member.1"][0], said["ResourceArns.member.1"][0]
                decision = cloud.decisions.get((action, resource), "implicitDeny")
                self._say(200, SIMULATED.format(action=action, decision=decision).encode(), "text/xml")
            elif name == "DescribeInferenceComponent":
                found = cloud.components.get(json.loads(body)["InferenceComponentName"])
                if found is None:
                    self._fail("ValidationException", "Could not find inference component", True)
                else:
                    self._say(200, json.dumps(found).encode(), "application/x-amz-json-1.1")
            else:
                self._forward(body)

        def _forward(self, body: bytes) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            request = urllib.request.Request(cloud.moto + self.path, body, headers, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=30) as answer:
                    self._say(answer.status, answer.read(), answer.headers.get("content-type", ""))
            except urllib.error.HTTPError as problem:
                self._say(problem.code, problem.read(), problem.headers.get("content-type", ""))

        def _fail(self, code: str, message: str, json_protocol: bool) -> None:
            if json_protocol:
                said = json.dumps({"__type": code, "message": message}).encode()
                self._say(400, said, "application/x-amz-json-1.1")
            else:
                said = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
                self._say(403, said.encode(), "text/xml")

        def _say(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Front


SIMULATED = (
    '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult>'
    "<IsTruncated>false</IsTruncated><EvaluationResults><member><EvalActionName>{action}</EvalActionName>"
    "<EvalDecision>{decision}</EvalDecision></member></EvaluationResults></SimulatePrincipalPolicyResult>"
    "<ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></SimulatePrincipalPolicyResponse>"
)


def _free() -> int:
    from conformance.transport.engines.launch import free_port

    return free_port()


def _ready(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "moto did not start"
        try:
            urllib.request.urlopen(f"{url}/moto-api/data.json", timeout=5).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError("moto did not answer in two minutes")
