"""The dirty log of a driver guest: when it is on, which pages a backend wrote, and which it named. Judged by
check/dirty_log.py.

A window lasts from when logging is on until it is held against the memory. Its log is cleared before its snapshot is
taken, and read after the difference: what a backend writes in between is logged too often, never too seldom. A device
may publish a page a moment before the log shows it, and not longer (_SETTLE_NS). What is still to be logged when logging
is switched off need not be: nobody will read that log.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from testbed.check.evidence import LogLook
from testbed.run.rpc import RpcFailure

if TYPE_CHECKING:
    from testbed.run.actors.driver import DriverActor

_SETTLE_NS = 200 * 10**6
_AGAIN_S = 0.005
_BURST_S = 0.02  # a burst that was under way is logged and given back by then
_SHOWN = 16
_PAGE = 4096

Document = dict[str, Any]


class DirtyLog:
    def __init__(self, actor: DriverActor) -> None:
        self._actor = actor
        self._since = 0
        self.on = False
        self.there = False  # a log was given to the backend, logging or not

    def gone(self) -> None:
        """Its process ended."""
        self.on = self.there = False

    async def begin(self, offset: int = 0, size: int = 0) -> None:
        """RpcFailure"""
        await self.rest("while logging was off")
        await self._do("on", offset=offset, size=size)
        self.there = True
        await self._pages(clear=True)
        await asyncio.sleep(_BURST_S)  # what was logged before the clearing has come back now, and is no news
        self._since = time.monotonic_ns()
        await self._actor.pages.look("before logging")
        self.on = True  # what is seen from the next look on has been logged

    async def exchange(self, offset: int = 0, size: int = 0) -> None:
        """Another log in place of this one, while the backend writes to it. RpcFailure."""
        await self._do("resize", offset=offset, size=size)
        self.there = True

    async def end(self, why: str) -> None:
        """RpcFailure"""
        await self._compare(set((await self._actor.pages.peek())["written"]), why)
        await self._do("off")
        await asyncio.sleep(_BURST_S)  # after which nothing more may appear
        self.on, self._since = False, time.monotonic_ns()
        await self._pages(clear=True)

    async def check(self, written: list[int], why: str) -> None:
        """A look at the memory was taken while logging: all pages in it have to be named. The window goes on."""
        if self.on:
            await self._compare(set(written), why)

    async def rest(self, why: str) -> None:
        """Nothing may have been logged since logging ended. RpcFailure."""
        if not self.there or self.on:
            return
        document = await self._pages(clear=True)
        self._note(why, expected=False, written=0, logged=document, missing=set())

    async def _compare(self, written: set[int], why: str) -> None:
        deadline = time.monotonic_ns() + _SETTLE_NS
        document = await self._pages(clear=False)
        while (missing := written - set(document["pages"])) and time.monotonic_ns() < deadline:
            await asyncio.sleep(_AGAIN_S)
            document = await self._pages(clear=False)
        events = missing & await self._event_pages() if missing else set()
        self._note(
            why,
            expected=True,
            written=len(written),
            logged=document,
            missing=missing - events,
            event_words=len(events),
        )

    async def _event_pages(self) -> set[int]:
        """Where a packed ring's device says which events it wants, and nothing else (virtio 1.2, 2.8.14)."""
        packed = [ring for ring in await self._actor.rings() if ring.get("packed")]
        return {int(ring["place"]["used"]) // _PAGE for ring in packed}

    def _note(
        self,
        why: str,
        *,
        expected: bool,
        written: int,
        logged: Document,
        missing: set[int],
        event_words: int = 0,
    ) -> None:
        actor, t = self._actor, time.monotonic_ns()
        named = () if expected else tuple(sorted(logged["pages"])[:_SHOWN])
        look = LogLook(
            frontend=actor.name,
            since=self._since,
            t=t,
            why=why,
            on=expected,
            written=written,
            logged=len(logged["pages"]),
            missing=tuple(sorted(missing)[:_SHOWN]),
            missing_pages=len(missing),
            event_words=event_words,
            named=named,
            strayed=bool(logged["strayed"]),
        )
        actor.world.history.logs.append(look)

    async def at_the_end(self) -> None:
        """A log that is off has stayed empty. (One that is on was compared by the last look at the memory.)"""
        try:
            await self.rest("end")
        except RpcFailure as failure:
            actor, t = self._actor, time.monotonic_ns()
            actor.world.history.logs.append(
                LogLook(actor.name, self._since, t, "end", False, blind=str(failure))
            )

    async def _do(self, what: str, **given: Any) -> None:
        await self._actor.do("log", answers=4 * self._actor.spec.queues + 2, do=what, **given)

    async def _pages(self, *, clear: bool) -> Document:
        document: Document = await self._actor.do("log", do="read" if clear else "peek")
        return document
