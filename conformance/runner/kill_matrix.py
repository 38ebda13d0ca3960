"""The kill matrix: which checks each planted fault trips, and that legal variants trip none.

Computed in memory. A fault changes few answers, so a check is judged again only where its evidence differs from the evidence of
the faultless server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from conformance.core.check import Check
from conformance.core.exchange import Exchange
from conformance.core.finding import Kind, Outcome
from conformance.core.requirement import Level
from conformance.judging.draw import draw
from conformance.judging.judge import Evidence, judge
from conformance.judging.plan import plan
from conformance.reference.answer import Respond
from conformance.reference.engine import DEFAULT_KEY, Settings, responder
from conformance.reference.fault import Fault, with_faults
from conformance.reference.sagemaker_door import Door, Owner, fronted
from conformance.transport.memory import Ask, Client, asking, behind, plain

NOON = 1_800_000_000.0
"""The moment at which all requests are made: with the server's clock standing still, answers are the same every time."""

DOOR = Door(
    Owner("ASIACONFORMANCEMATRX", "no-secret-but-a-long-one", "no-session-but-a-long-one"),
    component="reference",
    style="documented",
    clock=lambda: NOON,
)
"""The front door, with its clock standing still, too."""

Same = tuple[object, ...]


def still() -> Respond:
    """The reference server with its clock standing still."""
    return responder(Settings(clock=lambda: NOON))


def client(respond: Respond, planted: Iterable[Fault] = ()) -> Client:
    """A client of it, with these faults planted: each in the server, or in the front door before it."""
    faults = tuple(planted)
    server = with_faults(respond, [one for one in faults if not one.door])
    door = with_faults(fronted(server, DOOR), [one for one in faults if one.door])
    return Client(asking(server, plain(DEFAULT_KEY), "reference", NOON), asking(door, behind(DOOR), "reference", NOON))


def content(x: Exchange) -> Same:
    """What a check can see of an exchange."""
    return x.key, x.status, x.headers, x.raw, x.ending, x.ended, tuple(chunk.at for chunk in x.chunks)


def signature(gathered: Iterable[Evidence]) -> Same:
    """What a check can see of its evidence."""
    return tuple((one.stopped, one.witnessed, tuple(content(x) for x in one.exchanges)) for one in gathered)


@dataclass(frozen=True)
class Row:
    """What one fault does to the checks."""

    violated: tuple[str, ...]
    errored: tuple[str, ...] = ()


class Matrix:
    """Rows of the kill matrix for some checks."""

    def __init__(self, checks: Iterable[Check]) -> None:
        self.checks = tuple(checks)
        ask = client(still())
        self._sound = {check.id: signature(gather(check, ask)) for check in self.checks}

    def row(self, faults: Iterable[Fault]) -> Row:
        """Which checks these faults together trip."""
        ask = client(still(), faults)
        violated, errored = [], []
        for check in self.checks:
            gathered = gather(check, ask)
            if signature(gathered) == self._sound[check.id]:
                continue
            kind = judge(check, gathered).kind
            if kind is Kind.VIOLATED:
                violated.append(check.id)
            elif kind is Kind.ERRORED:
                errored.append(check.id)
        return Row(tuple(sorted(violated)), tuple(sorted(errored)))


def trips(fault: Fault, checks: Iterable[Check]) -> dict[str, Kind]:
    """What becomes of these checks at a server with this fault."""
    ask = client(still(), [fault])
    return {check.id: judge(check, gather(check, ask)).kind for check in checks}


Tell = Callable[[str], None]


def compute(faults: Mapping[str, Fault], checks: Iterable[Check], tell: Tell = lambda line: None) -> dict[str, Row]:
    """The whole matrix."""
    matrix = Matrix(checks)
    rows = {}
    for number, (name, one) in enumerate(faults.items(), 1):
        tell(f"{number} of {len(faults)}: {name}")
        rows[name] = matrix.row([one])
    return rows


def published(
    rows: Mapping[str, Row], checks: Mapping[str, Check], before: Mapping[str, list[str]] | None = None
) -> str:
    """The matrix as YAML. `names` are the checks that name the broken requirement.

    Those of `before` (somebody has looked at them) stay as long as they are violated; else it is the check that the fewest
    faults trip.
    """
    counts = Counter(check for row in rows.values() for check in row.violated)
    binding = {level: rank for rank, level in enumerate(Level)}
    lines = ["# Which checks each planted fault trips. Computed by `conformance matrix`; a test computes it again.", ""]
    for name, row in sorted(rows.items()):
        lines.append(f"{name}:")
        if row.violated:
            kept = [one for one in (before or {}).get(name, ()) if one in row.violated]
            best = min(row.violated, key=lambda one: (counts[one], binding[checks[one].level], one))
            lines += _listed("names", kept or [best])
        lines += _listed("violated", row.violated)
        if row.errored:
            lines += _listed("errored", row.errored)
    return "\n".join(lines) + "\n"


def gather(check: Check, client: Ask | Client) -> list[Evidence]:
    """The evidence for a check from such a client."""
    gathered, ask = [], client.of(check) if isinstance(client, Client) else client
    for case in draw(check):
        steps = plan(check, case)
        try:
            wanted = next(steps)
            while True:
                wanted = steps.send([ask(probe) for probe in wanted])
        except StopIteration as stop:
            gathered.append(stop.value)
    return gathered


def outcome(check: Check, ask: Ask | Client, claims: frozenset[str] | None = None) -> Outcome:
    """What becomes of a check at such a server."""
    return judge(check, gather(check, ask), claims)


def _listed(name: str, ids: Iterable[str]) -> list[str]:
    """A member of a row with an id a line, so that a difference can be reviewed."""
    found = sorted(ids)
    return [f"  {name}:", *(f"    - {check}" for check in found)] if found else [f"  {name}: []"]
