"""One line of the accounts: two numbers of packets that ought to be equal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Equation:
    """left = right, or left <= right where `at_most`; off by `slack` at most."""

    name: str
    left: int
    right: int
    terms: str  # as a person reads it, with the numbers
    slack: int = 0
    at_most: bool = False

    @property
    def off(self) -> int:
        """How many packets are not accounted for: 0 when it holds."""
        difference = self.left - self.right
        return max(0, (difference if self.at_most else abs(difference)) - self.slack)

    def told(self, where: str = "") -> str:
        place = f" ({where})" if where else ""
        allowance = f", where {self.slack} could be explained" if self.slack else ""
        return f"{self.name}{place}: {self.terms} is off by {abs(self.left - self.right)}{allowance}"
