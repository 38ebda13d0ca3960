"""One request before all others: a target that cannot be tested at all is one line, and not five hundred errors."""

from __future__ import annotations

from urllib.parse import urlsplit

from conformance.core.address import Address
from conformance.core.exchange import Exchange, How
from conformance.core.mistake import CouldNotTest
from conformance.core.probe import Probe
from conformance.core.reason import why
from conformance.core.text import legible
from conformance.probes.chat import HELLO, get
from conformance.probes.completions import BARE
from conformance.probes.embeddings import ONE
from conformance.runner.collector import Collector
from conformance.targets.kinds import KINDS, SAGEMAKER
from conformance.targets.target import Target

MODELS = get("models")
OPENINGS = {"embeddings": ONE, "completions": BARE}
"""How a run begins at a target without a chat."""
LONGEST = 600
"""Characters of a line that quotes what a server said."""


def opening(target: Target) -> Probe:
    """The plainest request to what a target serves."""
    if target.chats:
        return HELLO
    return next((probe for route, probe in OPENINGS.items() if not target.lacks((route,))), MODELS)


def version_asked(kind: str) -> Probe | None:
    """The request for the path, beside the API, where servers of a kind tell their version; None where they do not."""
    told = KINDS[kind].version if kind in KINDS else None
    return get(f"../{told[0]}") if told else None


def version_told(kind: str, x: Exchange | None) -> str:
    """What such a server is, by the answer to that request, such as `vllm 0.32.0`; "" where it does not tell."""
    told = KINDS[kind].version if kind in KINDS else None
    value = x.json[told[1]].value if told and x is not None and x.ok else None
    return f"{kind} {value}" if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def is_nameless(target: Target, address: Address) -> bool:
    """Whether the target is to be asked which model it serves. The route of SageMaker's lists none."""
    return not address.model and target.model is None and target.kind != SAGEMAKER


def listed(models: Exchange) -> list[str]:
    """The ids of the models that a target lists; none where it lists none, which some accept. The first is asked."""
    names = (one["id"].value for one in models.json["data"]) if models.ok and models.json.type == "object" else ()
    return [name for name in names if isinstance(name, str) and len(name) <= LONGEST]


def preflight(collector: Collector, target: Target, base: str) -> None:
    """One request before all others, which shares its answer with the checks. Raises CouldNotTest in one line."""
    x = collector.ask(opening(target))
    if problem := unusable(x, target, base):
        raise CouldNotTest(legible(f"{target.name}: {problem}", LONGEST), why(x).value)


def unusable(x: Exchange, target: Target, base: str) -> str:
    """Why a target that answers the plainest request so cannot be tested, and what to do; "" where it can."""
    url = f"{base}/{x.probe.path}"
    host = urlsplit(base).netloc
    key = f"the key in ${{{target.key.name}}}" if target.key else "a key (`key: ${VARIABLE}`)"
    match x.ending.how:
        case How.UNREACHABLE if x.ending.phase == "tls":
            return (
                f"no secure connection to {host}: {x.ending.detail}; check the certificate, or the https:// in base_url"
            )
        case How.UNREACHABLE if x.ending.phase == "request":
            return f"no request can be made for {base}: {x.ending.detail}; check base_url and headers"
        case How.UNREACHABLE:
            return f"nothing answers at {host}: {x.ending.detail}; is the server running, and is base_url right?"
        case How.TIMED_OUT:
            return f"{host}: {x.ending.detail} (POST {url}); is it overloaded or still loading? see limits.timeout"
        case How.CUT if x.status is None:
            return (
                f"{host} closed the connection without an HTTP answer: {x.ending.detail}; is base_url an HTTP endpoint?"
            )
        case How.UNSENT:
            return f"the first request was not sent: {x.ending.detail}"
    said = " ".join(x.text.split())[:160] if x.media_type != "text/html" else "an HTML page"
    if x.asleep:
        return (
            f"{url} answered {x.status}: nothing runs behind the endpoint (scaled to zero); this request wakes it, which takes"
            " minutes: run again when it is in service, or keep one copy running"
        )
    if x.status in (400, 404, 424) and target.kind == SAGEMAKER and not target.model and "model" in x.text.lower():
        return f"{url} answered {x.status} without a model: {said}; name the one that the container serves (`model:`)"
    if x.status in (401, 403) and target.kind == SAGEMAKER:
        return (
            f"{url} answered {x.status}: {said}; the caller needs sagemaker:InvokeEndpoint on this endpoint and"
            " sagemaker:CallWithBearerToken on *, with credentials that are valid in this region"
        )
    if x.status == 401 or x.status == 403:
        return f"{url} answered {x.status}: {said}; check {key}"
    if x.status in (404, 405) and x.error.type != "object":
        return f"{url} answered {x.status}: {said}; base_url usually ends in /v1"
    if x.status in (429, 503):
        return f"{url} answered {x.status} to the first request: {said}; it is overloaded, or the quota is spent"
    if x.status is not None and 300 <= x.status < 400:
        return f"{url} answered {x.status}, a redirect to {x.header('location')}: put the right address into base_url"
    if x.media_type == "text/html" or (
        x.ok and not x.streamed and x.not_json and not x.text.strip().startswith("data:")
    ):
        kind = "an HTML page" if x.media_type == "text/html" else "no JSON"
        return f"{url} answered {x.status} with {kind} ({said}): no OpenAI-compatible endpoint; base_url usually ends in /v1"
    return ""
