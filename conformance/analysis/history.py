"""What became of a target over time: one embedded database beside the runs, which can be made anew from them at any time.

A run is entered when it ends, also one that was broken off. Facts only: outcomes, counts, times, and what the engine said that
it is. Two runs that end at once do not disturb each other.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from conformance.analysis.latency import Latency, latency
from conformance.core.exchange import Exchange
from conformance.core.finding import JUDGED, Kind
from conformance.core.mistake import Mistake, nearest
from conformance.core.text import legible
from conformance.evidence.exchanges import Recording
from conformance.evidence.run import RUN, Run, read

FILE = "history.sqlite"
FORM = 1
"""Of the tables. A reader refuses a newer one; an older one is made anew from the runs."""
PATIENCE = 30.0
"""Seconds that one run waits for another to have written."""
TOLD = 120
"""Characters kept of what an engine says that it is."""

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
  directory TEXT PRIMARY KEY, target TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL, complete INTEGER NOT NULL,
  dead TEXT NOT NULL, suite TEXT NOT NULL, model TEXT NOT NULL, engine TEXT NOT NULL, seconds REAL NOT NULL,
  requests INTEGER NOT NULL, holds INTEGER NOT NULL, violated INTEGER NOT NULL, musts INTEGER NOT NULL,
  unsupported INTEGER NOT NULL, unwitnessed INTEGER NOT NULL, errored INTEGER NOT NULL,
  whole_p50 REAL, whole_p95 REAL, first_token_p50 REAL, first_token_p95 REAL, between_p50 REAL
);
CREATE INDEX IF NOT EXISTS runs_of_a_target ON runs (target, started);
CREATE TABLE IF NOT EXISTS outcomes (
  directory TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, place TEXT NOT NULL, level TEXT NOT NULL, outcome TEXT NOT NULL,
  PRIMARY KEY (directory, place)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Entry:
    """One run, as the history has it. Times are in seconds; None where nothing was measured."""

    directory: str
    target: str
    started: str
    finished: str
    complete: bool
    dead: str
    suite: str
    model: str
    engine: str
    seconds: float
    requests: int
    holds: int
    violated: int
    musts: int
    """How many MUSTs are violated."""
    unsupported: int
    unwitnessed: int
    errored: int
    whole_p50: float | None
    whole_p95: float | None
    first_token_p50: float | None
    first_token_p95: float | None
    between_p50: float | None


@dataclass(frozen=True)
class Since:
    """Since when a requirement is as it was last seen."""

    check: str
    level: str
    outcome: str
    since: str
    """The start of the first run of the present row; only runs that judged it count."""
    runs: int
    """How many runs in this row."""
    before: str
    """What it was before; "" where it was never seen otherwise."""


@dataclass(frozen=True)
class Past:
    """All that is known of a target."""

    target: str
    entries: tuple[Entry, ...]
    """Oldest first."""
    requirements: tuple[Since, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "target": self.target,
            "runs": [asdict(one) for one in self.entries],
            "requirements": [asdict(one) for one in self.requirements],
        }


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """The database, for one transaction. Raises Mistake, in one line, for whatever is wrong with it."""
    connection: sqlite3.Connection | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN IMMEDIATE")
        (form,) = connection.execute("PRAGMA user_version").fetchone()
        if form > FORM:
            raise Mistake(f"made by a newer version of the suite (form {form})", where=str(path))
        for statement in TABLES.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {FORM}")
        yield connection
        connection.execute("COMMIT")
    except sqlite3.OperationalError as problem:
        raise Mistake(f"the history cannot be used: {problem}", where=str(path)) from None
    except sqlite3.DatabaseError as problem:
        fix = f"remove it, and make it again from the runs: conformance history --rebuild --reports {path.parent}"
        raise Mistake(f"the history is damaged: {problem}", where=str(path), fix=fix) from None
    except OSError as problem:
        raise Mistake(f"the history cannot be written: {problem.strerror}", where=str(path)) from None
    finally:
        if connection is not None:
            connection.close()


def enter(reports: Path, run: Run) -> None:
    """Enter a run, or enter it anew where it was resumed. A replay is no news of its target, and is left out. Raises Mistake."""
    if run.header.replay_of:
        return
    row = _row(reports, run)
    with _opened(reports / FILE) as connection:
        _insert(connection, row, run)


def rebuild(reports: Path) -> tuple[int, list[str]]:
    """Make the history of all runs below a directory anew: how many there are, and which could not be read. Raises Mistake."""
    found, lost = [], []
    for path in sorted(reports.glob(f"*/*/{RUN}")):
        try:
            run = read(path.parent, forgiving=True)
            if not run.header.replay_of:
                found.append((_row(reports, run), run))
        except Mistake as mistake:
            lost.append(str(mistake).partition("\n")[0])
    with _opened(reports / FILE) as connection:
        connection.execute("DELETE FROM outcomes")
        connection.execute("DELETE FROM runs")
        for row, run in found:
            _insert(connection, row, run)
    return len(found), lost


def _insert(connection: sqlite3.Connection, row: Entry, run: Run) -> None:
    values = asdict(row)
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute("DELETE FROM runs WHERE directory = ?", [row.directory])
    connection.execute(f"INSERT INTO runs ({names}) VALUES ({marks})", list(values.values()))  # noqa: S608  (names are ours)
    connection.executemany(
        "INSERT INTO outcomes (directory, place, level, outcome) VALUES (?, ?, ?, ?)",
        [(row.directory, one.check, one.level.value, one.outcome.kind.value) for one in run.results],
    )


def _row(reports: Path, run: Run) -> Entry:
    recording = Recording(run.evidence, forgiving=True)
    try:
        heard = Heard()
        speed = latency(heard.all(x for key in recording if (x := recording.get(key)) is not None))
        engine = heard.engine(run)
    finally:
        recording.close()
    kinds = Counter(result.outcome.kind for result in run.results)
    footer = run.footer
    musts = sum(one.outcome.kind is Kind.VIOLATED and one.level.value == "MUST" for one in run.results)
    base, own = reports.resolve(), run.directory.resolve()
    name = str(own.relative_to(base)) if own.is_relative_to(base) else str(own)
    return Entry(
        name, run.target, run.header.started, footer.finished if footer else "", run.complete, run.dead, run.header.suite,
        run.header.model, engine, footer.seconds if footer else 0.0, footer.requests if footer else len(recording),
        kinds[Kind.HOLDS], kinds[Kind.VIOLATED], musts, kinds[Kind.UNSUPPORTED], kinds[Kind.UNWITNESSED], kinds[Kind.ERRORED],
        *_speeds(speed),
    )  # fmt: skip


def _speeds(speed: Latency) -> tuple[float | None, ...]:
    found = (speed.whole.p50, speed.whole.p95, speed.first_token.p50, speed.first_token.p95, speed.between.p50)
    return tuple(None if one is None else round(one, 6) for one in found)


class Heard:
    """Hears what an engine says that it is, while its answers pass."""

    def __init__(self) -> None:
        self._prints: Counter[str] = Counter()
        self._headers: Counter[str] = Counter()

    def all(self, exchanges: Iterable[Exchange]) -> Iterator[Exchange]:
        """The same exchanges."""
        for x in exchanges:
            if x.ok and not x.streamed and isinstance(found := x.json["system_fingerprint"].value, str) and found:
                self._prints[found] += 1
            for name in ("openai-version", "x-litellm-version"):
                if value := x.header(name):
                    self._headers[f"{name} {value}"] += 1
            yield x

    def engine(self, run: Run) -> str:
        """What it said: on a route of its own, in the fingerprint of its answers, or in a header; "" where nowhere."""
        common = [one for counter in (self._prints, self._headers) for one, _ in counter.most_common(1)]
        return legible("; ".join(one for one in [run.engine, *common] if one), TOLD)


def past(reports: Path, target: str) -> Past:
    """All that is known of a target. Raises Mistake, in one line, where nothing is."""
    path = reports / FILE
    if not path.is_file():
        fix = "runs are entered as they end; `conformance history --rebuild` enters those that are there"
        raise Mistake(f"there is no history yet of any run in {reports}", fix=fix)
    with _opened(path) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute(
            "SELECT * FROM runs WHERE target = ? ORDER BY started, directory", [target]
        ).fetchall()
        outcomes = connection.execute(
            "SELECT place, level, outcome, started FROM outcomes JOIN runs USING (directory) WHERE target = ?"
            " ORDER BY place, started, directory",
            [target],
        ).fetchall()
        known = [name for (name,) in connection.execute("SELECT DISTINCT target FROM runs ORDER BY target")]
    if not rows:
        hint = nearest(target, known) or (f"there is one of {', '.join(known)}" if known else "the history is empty")
        raise Mistake(
            f"there is no history of `{target}`; {hint}", fix="" if known else "pytest --target NAME makes a run"
        )
    entries = tuple(Entry(**{**dict(row), "complete": bool(row["complete"])}) for row in rows)
    return Past(target, entries, tuple(_since([tuple(one) for one in outcomes])))


def _since(rows: Sequence[tuple[str, str, str, str]]) -> Iterator[Since]:
    """Since when each requirement is as it was last judged. A run without evidence neither begins nor ends a row."""
    judged = {kind.value for kind in JUDGED}
    by_check: dict[str, list[tuple[str, str, str, str]]] = {}
    for row in rows:
        if row[2] in judged:
            by_check.setdefault(row[0], []).append(row)
    for check, seen in by_check.items():
        _, level, outcome, _ = seen[-1]
        alike = next((number for number, one in enumerate(reversed(seen)) if one[2] != outcome), len(seen))
        before = seen[-alike - 1][2] if alike < len(seen) else ""
        yield Since(check, level, outcome, seen[-alike][3], alike, before)
