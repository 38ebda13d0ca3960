"""What one client's refusal does to the next client of a gateway. The refusal is ordered from the reference server behind it."""

from __future__ import annotations

from conformance.checks.gateway import NOT_OURS, reached
from conformance.core.capabilities import UPSTREAM
from conformance.core.check import ANYTHING, check
from conformance.core.exchange import Exchange
from conformance.core.finding import Finding, Findings, Unsupported, Unwitnessed
from conformance.core.requirement import REPORTS, SHOULD
from conformance.probes.upstream_script import ECHO, REFUSED

GONE = REFUSED[404]
ONE_AFTER_THE_OTHER = ECHO.again(70).then(
    lambda *_: GONE.again(71), lambda *_: ECHO.again(72), lambda *_: GONE.again(73), lambda *_: ECHO.again(74)
)


@check(
    "gateway.refusals-block-nobody",
    SHOULD,
    sends=ONE_AFTER_THE_OTHER,
    needs=ANYTHING,
    requires=UPSTREAM,
    spec=REPORTS.at(
        "LiteLLM",
        "After a 404 of the server behind, every request for the model was 429 for five seconds: no deployments available.",
        "https://docs.litellm.ai/docs/routing#cooldowns",
    ),
    remedy="switch off what takes a server out of use after one refusal (LiteLLM: router_settings: {disable_cooldowns: true})",
)
def refusals_block_nobody(plain: Exchange, *rounds: Exchange) -> Findings:
    """A request that the server behind refuses with 404 does not make the gateway put off the good ones after it.

    Twice, each right after a refusal: a gateway that is busy for another reason puts off others as well.
    """
    refusals, good = rounds[::2], rounds[1::2]
    if plain.waits or plain.put_off:
        yield Unwitnessed("the gateway is busy")
    elif not plain.ok or reached(plain).absent:
        yield Unsupported(NOT_OURS)
    elif all(x.waits or x.put_off for x in good) and not any(x.ok for x in refusals):
        waited = sum(wait.seconds for wait in good[0].waits)
        found = {"status": good[0].status, "after waiting, in seconds": round(waited, 1)}
        yield Finding(
            "good-request-put-off-after",
            "a good request is put off after a refused one",
            expected="2xx at once",
            found=found,
            on=good[0].key,
        )
