"""Everything random of a fuzz run, from one seed: case n of seed s is the same wherever and whenever it is made."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    def __init__(self, *origin: object) -> None:
        self._random = random.Random(":".join(map(str, origin)))

    def one_in(self, count: int) -> bool:
        return self._random.randrange(count) == 0

    def choose(self, values: Sequence[T]) -> T:
        return self._random.choice(values)

    def among(self, weights: Mapping[T, int]) -> T:
        """A key, as often as its weight says."""
        return self._random.choices(list(weights), list(weights.values()))[0]

    def between(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def octets(self, least: int, most: int) -> str:
        """In hexadecimal."""
        return self._random.randbytes(self.between(least, most)).hex()

    def times(self, least: int, most: int, make: Callable[[], T]) -> list[T]:
        return [make() for _ in range(self.between(least, most))]
