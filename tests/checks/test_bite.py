"""Every check bites, and nothing else does: the result map of faults and checks, as published in the kill matrix."""

from __future__ import annotations

from functools import cache

import pytest

from conformance.checks.catalogue import catalogue
from conformance.core.finding import Kind
from conformance.core.fixtures import fixture
from conformance.core.requirement import Level
from conformance.reference.fault import faults
from conformance.runner.kill_matrix import Matrix, Row, client, compute, outcome, still, trips
from tests.kit.legal import LEGAL, SINS, WITHOUT_EVIDENCE, binding

PUBLISHED: dict[str, dict[str, list[str]]] = fixture("kill-matrix.yaml")
DIVERGENCES = {one["id"]: one for one in fixture("divergences.yaml")}
NOT_AT_HOME = {
    "errors.busy-says-when": Kind.UNWITNESSED,  # it is never overloaded
    "errors.timeouts-are-told": Kind.UNWITNESSED,  # nor too slow
    "timing.answers-of-minutes-arrive": Kind.UNWITNESSED,
    "errors.retry-after-can-be-read": Kind.UNWITNESSED,
    "http.quotas-are-numbers": Kind.UNWITNESSED,  # it counts nobody's requests
    "http.resets-can-be-read": Kind.UNWITNESSED,
    "usage.thoughts-are-counted-streamed": Kind.UNWITNESSED,  # it does not think
    "stream.thoughts-come-first": Kind.UNWITNESSED,
    "sagemaker.stream-outlives-its-token": Kind.UNWITNESSED,  # its streams are over in no time
    "sagemaker.minute-limit": Kind.UNWITNESSED,
    "sagemaker.stream-limit": Kind.UNWITNESSED,
    "models.slashes-in-ids-do-no-harm": Kind.UNWITNESSED,  # its model has a plain name
    "parameters.audio-is-honoured-or-refused": Kind.UNSUPPORTED,  # it refuses these by name
    "parameters.moderation-is-honoured-or-refused": Kind.UNSUPPORTED,
    "parameters.web-search-options-is-honoured-or-refused": Kind.UNSUPPORTED,
}
"""What the reference server does not show or serve. Planted variants of it do: every check here is seen to bite, too."""


@cache
def the_reference() -> object:
    """One client of the faultless server: each probe is answered once."""
    return client(still())


@pytest.mark.parametrize("name", catalogue())
def test_every_check_is_silent_on_the_reference(name: str) -> None:
    """Nothing is found at a conforming server, and nothing that it serves goes unseen."""
    found = outcome(catalogue()[name], the_reference())  # type: ignore[arg-type]
    assert found.kind is NOT_AT_HOME.get(name, Kind.HOLDS), (found.reason, found.findings)


def test_the_matrix_is_of_these_faults() -> None:
    """Every planted fault and legal variant has its row, and no row is of a fault that is gone."""
    assert set(PUBLISHED) == set(faults())


REMEMBERS = {
    "connection-breaks-after-error", "embeddings-by-chance", "image-request-crashes-model", "keepalive-idle-5s-reset",
    "overload-500-instead-of-429", "usage-prompt-drifts",
}  # fmt: skip
"""Faults by which an answer depends on what was asked before: whoever asks a check alone asks it of a fresh server."""
SEEN = {name: PUBLISHED[name]["names" if name in REMEMBERS else "violated"] for name in SINS}
"""The checks that are seen to be violated by each fault, here and now."""


@pytest.mark.parametrize("name", SINS)
def test_every_fault_is_caught(name: str) -> None:
    """The check that names the broken requirement is violated, and so is every other that the matrix says is."""
    assert set(PUBLISHED[name]["names"]) <= set(SEEN[name])
    kinds = trips(SINS[name], [catalogue()[one] for one in SEEN[name]])
    assert kinds == dict.fromkeys(SEEN[name], Kind.VIOLATED)


def test_every_check_bites() -> None:
    """Each check that can fail is among those that `test_every_fault_is_caught` sees violated: one that only records cannot."""
    bitten = {check for names in SEEN.values() for check in names}
    assert bitten == {name for name, check in catalogue().items() if check.level is not Level.NOTE}


MEETS = 2
"""How many legal variants each check meets here. All of them meet all in the slow tests, which compute the whole matrix."""
SHARE = len(LEGAL) // MEETS


@pytest.mark.parametrize(("place", "name"), tuple(enumerate(LEGAL)), ids=LEGAL)
def test_no_legal_variant_is_accused(place: int, name: str) -> None:
    """What the contract allows trips no MUST and no SHOULD, and takes nobody's evidence away: so it is published, and so it is."""
    row = PUBLISHED[name]
    kinds = trips(LEGAL[name], list(catalogue().values())[place % SHARE :: SHARE])
    violated = [check for check, kind in kinds.items() if kind is Kind.VIOLATED]
    assert binding([*row["violated"], *violated], name) == []
    assert name in WITHOUT_EVIDENCE or not (row.get("errored") or Kind.ERRORED in kinds.values())


def test_every_check_meets_legal_variants() -> None:
    """The shares leave no check out."""
    assert {place % SHARE for place in range(len(LEGAL))} == set(range(SHARE))


def test_every_divergence_is_planted_or_ruled_on() -> None:
    """Each real bug of the catalogue of divergences is a fault here, a legal variant with the reason, or says why not."""
    for name, one in DIVERGENCES.items():
        if name in SINS:
            assert one["level"] != "control", f"{name}: a control must be legal"
        elif name in LEGAL:
            assert one["level"] == "control" or one.get("ruling"), f"{name}: planted as legal: say why (`ruling:`)"
        else:
            assert one["level"] == "control" or one.get("ruling"), f"{name}: not planted: say why (`ruling:`)"


SLICES = 8
"""The whole map takes minutes; in slices, several processes share them."""


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLICES))
def test_the_published_matrix_is_the_true_one(part: int) -> None:
    """Computed anew, the whole map is as published."""
    chosen = {name: faults()[name] for name in sorted(faults())[part::SLICES]}
    rows = compute(chosen, catalogue().values())
    published = {
        name: Row(tuple(PUBLISHED[name]["violated"]), tuple(PUBLISHED[name].get("errored", ()))) for name in chosen
    }
    assert {name: row for name, row in rows.items() if row != published[name]} == {}


@pytest.mark.slow
@pytest.mark.parametrize("pair", [("done-missing", "id-empty-string"), ("error-flat-object", "usage-stream-absent")])
def test_faults_together_are_all_caught(pair: tuple[str, str]) -> None:
    """One fault does not hide another."""
    row = Matrix(catalogue().values()).row([SINS[one] for one in pair])
    for one in pair:
        assert set(PUBLISHED[one]["names"]) & set(row.violated), one
