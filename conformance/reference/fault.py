"""Planted faults: one small sin each against the reference server's answer.

A sin is a row where it only puts, drops, changes, refuses or asks otherwise (the words for that are in `rows`), and a
function, named for it, where it is a thought. `@fault("done-missing")` marks a function of (answer, request) that spoils the
answer in place. With `instead=True` it is a function of (request, respond) that returns the answer, for sins committed before
there is one. `legal=True` marks a variant that the contract allows: checks must stay silent on it. The docstring, or `says`,
is what the server then does.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from conformance.reference.answer import Answer, Request, Respond

Instead = Callable[[Request, Respond], Answer]


@dataclass(frozen=True)
class Fault:
    """One way in which a server goes wrong, or (when `legal`) only looks as if it did."""

    id: str
    title: str
    plant: Instead
    legal: bool = False
    door: bool = False
    """Whether it is a fault of SageMaker's emulated front door, not of the server behind it."""

    def __call__(self, respond: Respond) -> Respond:
        """The same server with this fault in it."""
        return lambda request: self.plant(request, respond)


def fault(
    id: str,  # noqa: A002
    *,
    instead: bool = False,
    legal: bool = False,
    door: bool = False,
    says: str = "",
) -> Callable[[Callable[..., Any]], Fault]:
    """Make a function a planted fault. `id` is the divergence in `fixtures/divergences.yaml` that it plants.

    `says` stands for the docstring of functions that have none, as those of rows.
    """

    def mark(sin: Callable[..., Any]) -> Fault:
        def plant(request: Request, respond: Respond) -> Answer:
            if instead:
                answer: Answer = sin(request, respond)
                return answer
            answer = respond(request)
            sin(answer, request)
            return answer

        title = says or (sin.__doc__ or "").strip().partition("\n")[0]
        if not title:
            raise TypeError(f"fault {id} has neither a docstring nor `says`: say what the server then does")
        return Fault(id, title, plant, legal, door)

    return mark


@cache
def faults() -> dict[str, Fault]:
    """Every planted fault and legal variant, by id, from the modules of `conformance.reference.faults`.

    They are at the top of a module: each by its name, or as rows of a tuple.
    """
    package = importlib.import_module("conformance.reference.faults")
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    found: dict[str, Fault] = {}
    for module in modules:
        for value in vars(module).values():
            for sin in value if isinstance(value, tuple) else (value,):
                if isinstance(sin, Fault) and found.setdefault(sin.id, sin) is not sin:
                    raise TypeError(f"two faults are called {sin.id}: the second is in {module.__name__}")
    return found


def with_faults(respond: Respond, planted: Iterable[Fault]) -> Respond:
    """The server with each of these faults in it; the first is nearest to the model."""
    for sin in planted:
        respond = sin(respond)
    return respond
