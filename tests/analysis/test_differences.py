"""Runs side by side: counts by area and target, what only one breaks, and how a candidate differs from a baseline."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.analysis.differences import Difference, Relation, compare, settled, side_by_side
from conformance.core.finding import Finding, Kind, Outcome
from conformance.evidence.run import read
from conformance.probes.chat import HELLO, STREAMED
from tests.kit.report_runs import Told, clean, described, hostile, lost, refused, ruled, violated, vllm, write
from tests.kit.report_runs import holds as held

OPEN = Finding("open", "it is open", at="/a/0")


def differences(tmp_path: Path, old: Outcome | None, new: Outcome | None) -> tuple[Difference, ...]:
    """What `compare` says of one check with these outcomes; None: it was not judged."""
    runs = []
    for name, outcome in (("old", old), ("new", new)):
        told: list[Told] = [] if outcome is None else [(described("a.b"), outcome)]
        runs.append(ruled(write(tmp_path / name, name, told)))
    return compare(*runs)


def relations(tmp_path: Path, old: Outcome | None, new: Outcome | None) -> list[str]:
    """Only the relations, sorted."""
    return sorted(one.relation for one in differences(tmp_path, old, new))


def test_the_matrix_counts_by_area_and_target(tmp_path: Path) -> None:
    """Each cell has its rulings; areas of any run are rows; a run without a requirement has None there."""
    sides = side_by_side([ruled(vllm(tmp_path / "1")), ruled(clean(tmp_path / "2"))])
    assert sides.names == ("vllm-local", "reference")
    assert sides.matrix["sampling", 0] == {"errored": 14, "passed": 1}
    assert ("tools", 1) not in sides.matrix
    assert "tools" in sides.areas
    row = next(row for row in sides.rows if row.check == "stream.usage-chunk")
    assert [result and result.ruling for result in row.results] == ["failed", "passed"]
    assert row.worst == "failed"
    assert next(row for row in sides.rows if row.check == "tools.auto").results[1] is None


def test_unique_failures_are_those_that_others_do_not_have(tmp_path: Path) -> None:
    """What only this target breaks, and somebody meets: not what nobody else was asked, nor what all break."""
    told = [(described("stream.usage-chunk"), violated(HELLO, OPEN))]
    runs = [vllm(tmp_path / "1"), clean(tmp_path / "2"), write(tmp_path / "3", "third", told)]
    sides = side_by_side([ruled(directory) for directory in runs])
    assert [set(checks) for checks in sides.unique] == [{"chat.answers"}, set(), set()]


def test_a_target_that_was_asked_twice_has_two_names(tmp_path: Path) -> None:
    """Two runs of one target are told apart by their times."""
    runs = [ruled(write(tmp_path / day, "t", [], started=day)) for day in ("monday", "tuesday")]
    assert side_by_side(runs).names == ("t monday", "t tuesday")


def test_only_ruled_runs_are_laid_side_by_side(tmp_path: Path) -> None:
    """A run that nobody ruled is a mistake of the caller."""
    with pytest.raises(ValueError, match="has not been ruled"):
        side_by_side([read(hostile(tmp_path))])


def test_a_new_fault_breaks_and_a_gone_one_improves(tmp_path: Path) -> None:
    """The baseline conforms and the candidate does not, or the other way round."""
    assert relations(tmp_path / "1", held(HELLO), violated(HELLO, OPEN)) == [Relation.BREAKS]
    assert relations(tmp_path / "2", violated(HELLO, OPEN), held(HELLO)) == [Relation.IMPROVES]
    assert relations(tmp_path / "3", held(HELLO), held(HELLO)) == []


def test_a_new_fault_is_not_absorbed_by_an_old_one(tmp_path: Path) -> None:
    """Another sentence or another place is another difference; another index is the same."""
    old = violated(
        HELLO,
        Finding("open", "it is open", at="/a/0", expected=1, found=2),
        Finding("open", "it is open", at="/a/1", expected=1, found=2),
    )
    new = violated(
        HELLO,
        Finding("open", "it is open", at="/a/7", expected=1, found=2),
        Finding("open", "it is open", at="/b", expected=1, found=2),
        Finding("shut", "it is shut"),
    )
    found = {(one.message, one.place): one.relation for one in differences(tmp_path, old, new)}
    assert found == {
        ("it is open", "/a/*"): Relation.ALIKE,
        ("it is open", "/b"): Relation.BREAKS,
        ("it is shut", ""): Relation.BREAKS,
    }


def test_both_wrong_alike_or_differently(tmp_path: Path) -> None:
    """The same fault with the same value is alike, whatever its ids and times; absent and null are different."""

    def found(value: object) -> Outcome:
        return violated(HELLO, Finding("open", "it is open", at="/a", found=value))

    assert relations(tmp_path / "1", found("chatcmpl-1a2b"), found("chatcmpl-9z")) == [Relation.ALIKE]
    assert relations(tmp_path / "2", found(1_795_000_000), found(1_795_000_999)) == [Relation.ALIKE]
    assert relations(tmp_path / "3", found("text"), found(4)) == [Relation.DIFFERENTLY]
    assert relations(tmp_path / "4", found(None), violated(HELLO, Finding("open", "it is open", at="/a"))) == [
        Relation.DIFFERENTLY
    ]


def test_a_difference_though_both_conform(tmp_path: Path) -> None:
    """What NOTEs observed is compared by name."""
    (one,) = differences(tmp_path, held(HELLO, n=1, same="x"), held(HELLO, n=128, same="x"))
    assert (one.relation, one.place, one.baseline, one.candidate) == (Relation.DIFFERS, "n", 1, 128)


def test_what_is_no_longer_supported_breaks(tmp_path: Path) -> None:
    """Nobody broke a rule, but an application that used it does not work any more; both refusing is no difference."""
    (one,) = differences(tmp_path / "1", held(HELLO), refused("n"))
    assert (one.relation, one.reason) == (Relation.BREAKS, "the candidate does not support it")
    assert relations(tmp_path / "2", refused("n"), held(HELLO)) == [Relation.IMPROVES]
    assert relations(tmp_path / "3", refused("n"), refused("n")) == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (held(HELLO), lost("answered 500"), "the candidate is errored: answered 500"),
        (lost("cut"), held(HELLO), "the baseline is errored: cut"),
        (Outcome(Kind.UNWITNESSED, reason="no call"), violated(HELLO, OPEN), "the baseline is unwitnessed: no call"),
        (refused("n"), violated(HELLO, OPEN), "the baseline is unsupported: the server refuses `n` (400)"),
        (None, held(HELLO), "the baseline was not asked"),
        (held(HELLO), None, "the candidate was not asked"),
    ],
)
def test_without_evidence_nothing_is_compared(
    tmp_path: Path, old: Outcome | None, new: Outcome | None, reason: str
) -> None:
    """Where a side has no evidence, the difference says so, and why."""
    (one,) = differences(tmp_path, old, new)
    assert (one.relation, one.reason) == (Relation.INCOMPARABLE, reason)


def test_volatile_values_are_masked_and_others_kept() -> None:
    """Ids, digests and times become stars; numbers, words and true stay."""
    value = {"id": "call_a1B2", "created": 1_795_000_000, "n": 12, "ok": True, "list": ["req-77 failed", "word"]}
    assert settled(value) == {"id": "*", "created": "*", "n": 12, "ok": True, "list": ["* failed", "word"]}


def test_the_same_fault_in_another_answer_is_a_new_one(tmp_path: Path) -> None:
    """A request that the baseline answered well is not excused by another that it did not; drawn requests say nothing."""
    asked = ((HELLO.key,), (STREAMED.key,))
    old = Outcome(Kind.VIOLATED, (Finding("open", "it is open", at="/a", on=HELLO.key),), evidence=asked)
    both = (
        Finding("open", "it is open", at="/a", on=HELLO.key),
        Finding("open", "it is open", at="/a", on=STREAMED.key),
    )
    new = Outcome(Kind.VIOLATED, both, evidence=asked)
    found = {}
    for drawn in (False, True):
        runs = [
            read(write(tmp_path / f"{name}{drawn}", name, [(described("a.b", drawn=drawn), outcome)]))
            for name, outcome in (("old", old), ("new", new))
        ]
        found[drawn] = [(one.relation, one.on) for one in compare(*runs)]
    assert found[False] == [(Relation.ALIKE, HELLO.key), (Relation.BREAKS, STREAMED.key)]
    assert found[True] == [(Relation.ALIKE, HELLO.key)]


def test_a_note_breaks_nothing(tmp_path: Path) -> None:
    """What is only noted differs, and is neither broken nor improved; noted by both, it is no difference."""
    noted = violated(HELLO, OPEN)
    for number, (old, new, expected) in enumerate(
        [(held(HELLO), noted, [Relation.DIFFERS]), (noted, held(HELLO), [Relation.DIFFERS]), (noted, noted, [])]
    ):
        runs = [
            read(write(tmp_path / f"{name}{number}", name, [(described("a.b", level="NOTE"), outcome)]))
            for name, outcome in (("old", old), ("new", new))
        ]
        assert [one.relation for one in compare(*runs)] == expected
