"""Looks at the memory of a driver guest: a snapshot, and what changed since. Judged by check/pages.py.

A look is a difference and a new snapshot in the same moment, so that nothing falls between two of them. It holds the
guest's data thread for as long as comparing the memory takes: a millisecond for a small guest.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from testbed.check.evidence import PagesLook
from testbed.run.rpc import RpcFailure

if TYPE_CHECKING:
    from testbed.run.actors.driver import DriverActor

# A frame that is on its way at the very moment of a look lies in a buffer that comes back right afterwards.
_AGAIN_S = 0.03
_TIMES = 4
_NOT_KEPT = ("pages", "written")  # a list of page numbers each; for the dirty log, not for the report

Document = dict[str, Any]


class Pages:
    def __init__(self, actor: DriverActor) -> None:
        self._actor = actor
        self._since = 0

    @property
    def age_ns(self) -> int:
        return time.monotonic_ns() - self._since

    async def begin(self) -> None:
        """The first snapshot of a life. RpcFailure."""
        self._since = time.monotonic_ns()
        await self._actor.do("snapshot")

    async def renew(self, why: str) -> None:
        """A look whose result only the record needs; none when nobody is there any more."""
        if self._actor.answers:
            await self.look(why)

    async def look(self, why: str, *, quiet: bool = False) -> Document:
        """On record, whatever comes of it. Returns the difference, empty when it could not be had."""
        since, life, t = self._since, self._actor.lives, time.monotonic_ns()
        diff: Document | None = None
        rings: tuple[Document, ...] = ()
        missing = ""
        try:
            diff = await (self._settled() if quiet else self._diff())
            self._since = t
            await self._actor.log.check(diff["written"], why)
            rings = tuple(_faults(ring) for ring in await self._actor.rings())
        except RpcFailure as failure:
            missing = str(failure)
        kept = None if diff is None else {key: value for key, value in diff.items() if key not in _NOT_KEPT}
        look = PagesLook(self._actor.name, life, since, t, why, quiet, kept, missing, rings)
        self._actor.world.history.pages.append(look)
        return diff or {}

    async def peek(self) -> Document:
        """The difference so far; the snapshot stays. RpcFailure."""
        return await self._diff(renew=False)

    async def _diff(self, *, renew: bool = True) -> Document:
        return self._without_flips(await self._actor.do("diff", renew=renew))

    def _without_flips(self, diff: Document) -> Document:
        """What a step made the guest itself change all the time is nobody else's doing."""
        flips = self._actor.flipped.items()
        stray = [
            one
            for one in diff["stray"]
            if not any(gpa <= one["gpa"] and one["gpa"] + one["length"] <= gpa + n for gpa, n in flips)
        ]
        own = len(diff["stray"]) - len(stray)
        return {**diff, "stray": stray, "stray_ranges": diff["stray_ranges"] - own}

    async def _settled(self) -> Document:
        """The last look of a life, and no new snapshot with it: while the memory of a large guest is compared a frame may
        come, so the first difference without any is the one that counts."""
        for _ in range(_TIMES):
            diff = await self.peek()
            if not diff["posted"]:
                return diff
            await asyncio.sleep(_AGAIN_S)
        return await self.peek()


def _faults(ring: Document) -> Document:
    kept: Document = {key: ring[key] for key in ("calls", "taken") if key in ring}
    return {"vring": ring["vring"], "kind": ring["kind"], "faults": ring.get("faults", {}), **kept}
