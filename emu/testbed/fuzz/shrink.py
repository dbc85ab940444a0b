"""Makes what was found smaller, as long as it still fails: fewer steps first, then simpler ones (delta debugging).

Every question costs a replay on real processes, so the order is from what removes most to what removes least, and there
is a budget. The smallest case known so far is always a case that failed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from testbed.fuzz.grammar import Document, Steps
from testbed.fuzz.steps import is_step

Fails = Callable[[Steps], Awaitable[bool]]
Spent = Callable[[], bool]

# Not simplified: who does it, to whom, and what only makes the step harmless for the run.
_KEPT = frozenset({"on", "from", "message", "queue", "expect", "fd"})


async def shrink(steps: Steps, fails: Fails, spent: Spent) -> Steps:
    """`fails` tells whether a case still does; `spent`, whether it may not be asked any more."""
    smaller = await _fewer(steps, fails, spent)
    while not spent():
        simpler = await _simpler(smaller, fails, spent)
        if simpler == smaller:
            break
        smaller = await _fewer(simpler, fails, spent)
    return smaller


async def _fewer(steps: Steps, fails: Fails, spent: Spent) -> Steps:
    """Leaves out spans of steps: half of them, a quarter, ... one."""
    span = max(1, len(steps) // 2)
    while True:
        start = 0
        while start < len(steps):
            if spent():
                return steps
            without = steps[:start] + steps[start + span :]
            if without and await fails(without):
                steps = without
            else:
                start += span
        if span == 1:
            return steps
        span //= 2


async def _simpler(steps: Steps, fails: Fails, spent: Spent) -> Steps:
    """Each step in turn becomes the first simpler one that fails, until none does."""
    for index in range(len(steps)):
        tried = True
        while tried:
            tried = False
            for candidate in simpler_steps(steps[index]):
                if spent():
                    return steps
                changed = [*steps[:index], candidate, *steps[index + 1 :]]
                if await fails(changed):
                    steps, tried = changed, True
                    break
    return steps


def simpler_steps(step: Document) -> Iterator[Document]:
    """Steps of the same kind that say less."""
    kind, body = next(iter(step.items()))
    if isinstance(body, dict):
        for simpler in _simpler_mapping(body):
            if is_step({kind: simpler}):
                yield {kind: simpler}


def _simpler_mapping(body: Document) -> Iterator[Document]:
    free = [key for key in body if key not in _KEPT]
    for key in free:
        yield {name: value for name, value in body.items() if name != key}
    for key in free:
        for value in _simpler_value(body[key]):
            yield {**body, key: value}


def _simpler_value(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            yield from _simpler_mapping(value)
        case list():
            yield from _simpler_list(value)
        case bool():
            if value:
                yield False
        case int():
            yield from sorted({smaller for smaller in (0, 1, 4096, value // 2) if smaller < value})
        case str() if _is_octets(value) and len(value) > 2:
            yield value[: len(value) // 4 * 2]
            yield "00" * (len(value) // 2) if value.strip("0") else value[2:]


def _simpler_list(items: list[Any]) -> Iterator[list[Any]]:
    half = len(items) // 2
    if half > 1:
        yield items[:half]
        yield items[half:]
    if len(items) > 1:
        yield from (items[:index] + items[index + 1 :] for index in range(len(items)))
    for index, item in enumerate(items):
        for simpler in _simpler_value(item):
            yield [*items[:index], simpler, *items[index + 1 :]]


def _is_octets(text: str) -> bool:
    return len(text) % 2 == 0 and all(c in "0123456789abcdef" for c in text)
