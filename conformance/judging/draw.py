"""Hypothesis over a strategy of cases: drawn first without sending anything, and shrunk only where one fails.

Draws depend on nothing but the check's id, so two targets see the same cases, and a run can be repeated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample, Unsatisfiable
from hypothesis.strategies import SearchStrategy

from conformance.core.check import Case, Check, first, is_case
from conformance.core.mistake import Mistake
from conformance.core.probe import Chain
from conformance.core.secret import shown

TRIES = 10
"""Draws allowed for each case wanted: strategies repeat themselves."""


def case_key(case: Case) -> str:
    """The identity of a case before anything is sent: the keys of the probes it begins with."""
    parts = case if isinstance(case, tuple) else (case,)
    keys = [(first(part).key, len(part.steps) if isinstance(part, Chain) else 0) for part in parts]
    return json.dumps(keys)


def _seed(check: Check) -> Random:
    return Random(hashlib.sha256(check.id.encode()).digest())


def _steady() -> str:
    """The name of a source of values that is Hypothesis's own, but for one thing.

    Hypothesis also tries constants that it finds in whatever local modules are imported. Draws would then depend on the folder,
    and on whether the suite is installed or checked out. There is no setting for it, so this reaches into what may move with a
    version; where it has moved, draws are only as steady as Hypothesis makes them.
    """
    try:
        from hypothesis.internal.conjecture.choice import choice_permitted
        from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, GLOBAL_CONSTANTS, HypothesisProvider
    except ImportError:
        return "hypothesis"

    class Steady(HypothesisProvider):
        def _maybe_draw_constant(self, choice_type: Any, constraints: Any, *, p: float = 0.05) -> Any:
            assert self._random is not None
            if self._random.random() > p:
                return None
            known = GLOBAL_CONSTANTS.set_for_type(choice_type)
            permitted = [one for one in known if choice_permitted(one, constraints)]
            return self._random.choice(permitted) if permitted else None

    AVAILABLE_PROVIDERS["conformance"] = Steady
    return "conformance"


BACKEND = _steady()


def _settings(examples: int, *phases: Phase) -> settings:
    return settings(
        backend=BACKEND,
        max_examples=examples,
        phases=phases,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@lru_cache(maxsize=1024)
def draw(check: Check, examples: int | None = None) -> tuple[Case, ...]:
    """The distinct cases of a check that draws them, `examples` of them at most; the listed ones of any other.

    Raises Mistake for a strategy that fails, or draws what cannot be sent. One that finds nothing is no mistake yet.
    """
    if not isinstance(check.sends, SearchStrategy):
        return check.cases
    wanted = examples or check.examples
    cases: dict[str, Case] = {}

    def keep(case: Case) -> bool:
        if not is_case(case):
            raise Mistake(
                f"the strategy of {check.id} draws {shown(repr(case))}, which is nothing that can be sent: it has to draw probes, "
                "chains of them, or tuples of both",
                where=check.place,
            )
        cases.setdefault(case_key(case), case)
        return len(cases) >= wanted

    try:
        find(
            check.sends,
            keep,
            settings=_settings(wanted * TRIES, Phase.generate),
            random=_seed(check),
        )
    except (NoSuchExample, Unsatisfiable):
        pass  # the strategy has fewer cases than are wanted
    except Mistake:
        raise
    except Exception as problem:
        said = f"{type(problem).__name__}: {problem}"
        raise Mistake(f"the strategy of {check.id} cannot be drawn from: {said}", where=check.place) from problem
    return tuple(cases.values())


def shrink(check: Check, fails: Callable[[Case], bool], budget: int) -> Case | None:
    """The smallest case for which `fails` is true, with `budget` calls at most; None where there is none.

    Verdicts are remembered by case, so an unsteady server cannot look to Hypothesis like an unsteady test.
    """
    if not isinstance(check.sends, SearchStrategy):
        return None
    known: dict[str, bool] = {}
    smallest: list[Case] = []

    def interesting(case: Case) -> bool:
        key = case_key(case)
        if key not in known:
            if len(known) >= budget:
                return False
            known[key] = fails(case)
        if known[key]:
            smallest[:] = [case]
        return known[key]

    try:
        limits = _settings(budget * TRIES, Phase.generate, Phase.shrink)
        return find(check.sends, interesting, settings=limits, random=_seed(check))  # type: ignore[no-any-return]
    except (NoSuchExample, Unsatisfiable):
        return smallest[0] if smallest else None
