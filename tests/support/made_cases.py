from __future__ import annotations

from collections.abc import Callable

from testbed.fuzz.grammar import Document, Steps


class MadeOracle:
    """Says that a case fails when it holds all that is asked for, and counts the questions."""

    def __init__(self, wanted: Callable[[Steps], bool], most: int = 10_000) -> None:
        self.asked = 0
        self._wanted = wanted
        self._most = most

    async def fails(self, steps: Steps) -> bool:
        self.asked += 1
        return self._wanted(steps)

    def spent(self) -> bool:
        return self.asked >= self._most


def message(name: str, **given: object) -> Document:
    return {"send": {"from": "attacker", "message": name, **given}}
