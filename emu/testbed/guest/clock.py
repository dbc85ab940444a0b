"""The guest's clock seen from the host: what to add to a stamp from inside, and how far off that may be.

A `clock` call says what the guest's CLOCK_MONOTONIC was at some moment between the host's stamps before and after it. The
call with the shortest round trip says it best: the middle is off by half of it at most. Clocks also drift apart (the
guest's TSC frequency is an estimate of its own), so measurements are kept and interpolated between.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """One `clock` call: the host's stamps around it and the guest's answer, all in ns."""

    before: int
    guest: int
    after: int

    @property
    def offset(self) -> int:
        """Host time minus guest time."""
        return (self.before + self.after) // 2 - self.guest

    @property
    def error(self) -> int:
        return (self.after - self.before + 1) // 2


class GuestClock:
    """Offsets of one boot of one guest, in order of time."""

    def __init__(self) -> None:
        self._anchors: list[Reading] = []

    @property
    def known(self) -> bool:
        return bool(self._anchors)

    def add(self, readings: list[Reading]) -> Reading:
        """Takes the best of some readings that were made together."""
        best = min(readings, key=lambda reading: reading.error)
        bisect.insort(self._anchors, best, key=lambda reading: reading.guest)
        return best

    def to_host(self, guest_ns: int) -> int:
        """Host time of a guest's stamp. Between two anchors the offset is interpolated; outside, the nearest one holds."""
        before, after = self._around(guest_ns)
        if before is after:
            return guest_ns + before.offset
        share = (guest_ns - before.guest) / (after.guest - before.guest)
        return guest_ns + before.offset + round(share * (after.offset - before.offset))

    def error(self, guest_ns: int | None = None) -> int:
        """How far off `to_host` may be, in ns: of the worst anchor, or near one stamp. Outside the anchors the drift seen
        between the first and the last is added for the distance."""
        if guest_ns is None:
            return max(reading.error for reading in self._anchors)
        before, after = self._around(guest_ns)
        beyond = abs(guest_ns - before.guest) if before is after else 0
        return max(before.error, after.error) + round(beyond * self.drift())

    def drift(self) -> float:
        """Relative: 1e-6 is a microsecond a second. 0 with one anchor."""
        first, last = self._anchors[0], self._anchors[-1]
        return (
            abs(last.offset - first.offset) / (last.guest - first.guest) if last.guest > first.guest else 0.0
        )

    def _around(self, guest_ns: int) -> tuple[Reading, Reading]:
        if not self._anchors:
            raise ValueError("the guest's clock has not been read yet")
        index = bisect.bisect(self._anchors, guest_ns, key=lambda reading: reading.guest)
        last = len(self._anchors) - 1
        return self._anchors[max(0, min(index - 1, last))], self._anchors[min(index, last)]
