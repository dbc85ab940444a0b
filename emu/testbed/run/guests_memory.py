"""When the memory of all driver guests is looked at: before something hostile is done to any of them, and at the end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from testbed.run.actors.driver import DriverActor
from testbed.run.hand import Hand
from testbed.run.rpc import RpcFailure

if TYPE_CHECKING:
    from testbed.run.cell import Cell

# Steps that follow each other quickly share a snapshot: a look holds the guest's data thread.
_FRESH_NS = 10**9


def drivers(cell: Cell) -> list[DriverActor]:
    return [actor for actor in cell.cast.frontends.values() if isinstance(actor, DriverActor)]


async def look_before(cell: Cell, what: str) -> None:
    """A new snapshot of every guest, so that what is hostile is held against a memory of its own time."""
    for actor in drivers(cell):
        if actor.answers and actor.pages.age_ns > _FRESH_NS:
            await actor.pages.look(f"before {what}")


async def look_at_the_end(cell: Cell) -> None:
    """When flows have ended and all is silent."""
    for actor in drivers(cell):
        if actor.answers:
            await actor.pages.look("end", quiet=cell.is_port_up(cell.port_of(actor.name)))
            await actor.log.at_the_end()


async def hang_up(cell: Cell) -> None:
    """Sessions that steps made by hand end, so that what they cost the backend is given back and can be looked at."""
    for actor in drivers(cell):
        if actor.by_itself or not actor.session or not actor.answers:
            continue
        with contextlib.suppress(RpcFailure):
            await Hand(cell, actor.name).hang_up(by_itself=False)


async def tell_messages(cell: Cell) -> None:
    """Of the sessions that are still up."""
    for actor in drivers(cell):
        if actor.answers and actor.session:
            await actor.tell_messages(actor.session)


async def calm(cell: Cell) -> None:
    """What changes guests' memory by itself stops."""
    for actor in drivers(cell):
        with contextlib.suppress(RpcFailure):
            for gpa in sorted(actor.flipped) if actor.answers else ():
                await actor.do("flip", gpa=gpa, values=[])
        actor.flipped = {}
