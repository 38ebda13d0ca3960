"""Planted faults: one small function each over the reference server's answer, named for its sin.

`@fault("done-missing")` marks a function of (answer, request) that spoils the answer in place. With `instead=True` it is a
function of (request, respond) that returns the answer, for sins committed before there is one. `legal=True` marks a variant
that the contract allows: checks must stay silent on it. The docstring says what the server then does.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from conformance.reference.answer import Answer, Request, Respond

Spoil = Callable[[Answer, Request], None]
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
) -> Callable[[Callable[..., Any]], Fault]:
    """Make a function a planted fault. `id` is the divergence in `fixtures/divergences.yaml` that it plants."""

    def mark(sin: Callable[..., Any]) -> Fault:
        def plant(request: Request, respond: Respond) -> Answer:
            if instead:
                answer: Answer = sin(request, respond)
                return answer
            answer = respond(request)
            sin(answer, request)
            return answer

        title = (sin.__doc__ or "").strip().partition("\n")[0]
        if not title:
            raise TypeError(f"fault {id} has no docstring: say what the server then does")
        return Fault(id, title, plant, legal, door)

    return mark


@cache
def faults() -> dict[str, Fault]:
    """Every planted fault and legal variant, by id, from the modules of `conformance.reference.faults`."""
    package = importlib.import_module("conformance.reference.faults")
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    found: dict[str, Fault] = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, Fault) and found.setdefault(value.id, value) is not value:
                raise TypeError(f"two faults are called {value.id}: the second is in {module.__name__}")
    return found


def with_faults(respond: Respond, planted: Iterable[Fault]) -> Respond:
    """The server with each of these faults in it; the first is nearest to the model."""
    for one in planted:
        respond = one(respond)
    return respond
