"""The guest's clock seen from the host: what to add to a stamp from inside, and how far off that may be.

A `clock` call says what the guest's CLOCK_MONOTONIC was at some moment between the host's stamps before and after it. The
call with the shortest round trip says it best: the middle is off by half of it at most. Clocks also drift apart (the
guest's TSC frequency is an estimate of its own: a few parts in a million), so readings are repeated.

Two uses: events keep the guest's own stamps and are placed by GuestClock afterwards, between readings; flows need the host's
time while they run, because latencies are computed where packets arrive, and go by the offset FlowClock chose last.
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


class FlowClock:
    """What the agent was told to add, so that its flows' stamps and reports are in host time; of one boot."""

    def __init__(self) -> None:
        self._offset: int | None = None
        self._error = 0

    @property
    def known(self) -> bool:
        return self._offset is not None

    def follow(self, reading: Reading) -> int | None:
        """The offset to tell the agent, None when what it has is as good as this reading can say. Small steps in the stamps
        are avoided that way, and drift is followed as soon as it can be told from the error."""
        if self._offset is None:
            self._offset, self._error = reading.offset, reading.error
            return self._offset
        away = abs(reading.offset - self._offset)
        self._error = max(self._error, away + reading.error)
        if away <= reading.error:
            return None
        self._offset = reading.offset
        return self._offset

    def to_host(self, stamp_ns: int) -> int:
        """Host time of a stamp in a flow's report: it is that already."""
        return stamp_ns

    def error(self) -> int:
        """How far off any of the stamps may be, in ns: the worst reading, and how far the offset had drifted until then."""
        return self._error


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

    def _around(self, guest_ns: int) -> tuple[Reading, Reading]:
        if not self._anchors:
            raise ValueError("the guest's clock has not been read yet")
        index = bisect.bisect(self._anchors, guest_ns, key=lambda reading: reading.guest)
        last = len(self._anchors) - 1
        return self._anchors[max(0, min(index - 1, last))], self._anchors[min(index, last)]
