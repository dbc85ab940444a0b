"""What steps do by hand on a driver frontend: every way it can end is an outcome, not a failure of the run.

An outcome is one word for what the backend did (docs/scenarios.md, step `send`), noted in the history as
`driver.outcome`. A step claims outcomes or none; only a claim that did not come true fails it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from testbed.run.actors.driver import DriverActor
from testbed.run.rpc import RpcError
from testbed.run.steps.context import StepFailed
from testbed.scenario.guest_address import SLOT, GuestAddress

if TYPE_CHECKING:
    from testbed.run.cell import Cell

# Errors of the program that say what the backend did (core/base/result.hpp), in the words of an outcome.
_OUTCOMES = {
    "disconnected": "disconnected",
    "timeout": "silent",
    "refused": "refused",
    "protocol": "wrong",
}
_GONE_NS = 10**9  # in which a backend notices that its peer hung up
_LOOK_AGAIN_S = 0.01  # the driver says of a chain that it came back when it is asked
_PARTS = {"desc": "descriptors", "avail": "available", "used": "used"}

Document = dict[str, Any]


class Hand:
    def __init__(self, cell: Cell, frontend: str) -> None:
        actor = cell.cast.frontends[frontend]
        assert isinstance(actor, DriverActor), "references are checked when the file is loaded"
        actor.needs_to_run()
        self._cell = cell
        self.actor = actor

    # -- Doing
    async def do(
        self,
        what: str,
        method: str,
        given: Document,
        *,
        claims: Sequence[str] = (),
        within_ns: int = 0,
        answers: int = 1,
        outcome_of: Callable[[Document], str] = lambda result: "done",
    ) -> Document:
        """A method of the driver; `what` names it in the history. Returns its result with `outcome` in it. StepFailed:
        it ended in none of the ways that are claimed."""
        session = self.actor.session
        result = await self._ask(method, answers, given)
        outcome = str(result.setdefault("outcome", outcome_of(result)))
        ends = "disconnected" in claims and outcome not in claims and session
        if ends and await self.actor.until_down(session, within_ns / 1e9):
            outcome = result["outcome"] = "disconnected"
        detail = str(result.get("detail", ""))
        self._cell.history.note(self.actor.name, "driver.outcome", what=what, outcome=outcome, detail=detail)
        if claims and outcome not in claims:
            told = f" ({detail})" if detail else ""
            raise StepFailed(f"{what} on {self.actor.name}: {outcome}{told}, wanted {' or '.join(claims)}")
        return result

    async def _ask(self, method: str, answers: int, given: Document) -> Document:
        try:
            return dict(await self.actor.do(method, answers=answers, **given))
        except RpcError as error:
            if error.name not in _OUTCOMES:
                raise
            return {"outcome": _OUTCOMES[error.name], "detail": error.message}

    async def connect(self, within_ns: int) -> None:
        """RpcFailure: nobody is there."""
        self.actor.by_itself = False
        await self.actor.call(
            "driver.connect",
            {"frontend": self.actor.name, "within_ms": max(1, within_ns // 10**6)},
            within_ns / 1e9 + 5,
        )

    async def let_go(self) -> None:
        """It connects by itself from now on."""
        await self.actor.do("connect", auto=True)
        self.actor.by_itself = True

    async def hang_up(self, *, by_itself: bool) -> None:
        """Returns when the backend has noticed: until then it would refuse the next session as a second one."""
        self.actor.by_itself = by_itself
        await self.actor.do("disconnect", auto=by_itself)
        if not by_itself:
            await self._until_left()

    async def _until_left(self) -> None:
        switch, port = self._cell.scenario.split_port(self._cell.port_of(self.actor.name))
        backend = self._cell.cast.switches[switch]

        def left() -> bool:
            return port not in backend.connected or not backend.answers

        await self._cell.history.until(left, time.monotonic_ns() + _GONE_NS)

    # -- Guest memory
    async def poke(self, place: GuestAddress, octets: str) -> None:
        await self.do(f"poke {place.text}", "poke", {"gpa": await self.address(place), "bytes": octets})

    async def flip(self, place: GuestAddress, values: Sequence[str], hz: int) -> None:
        """Without values it stops."""
        gpa = await self.address(place)
        if values:
            self.actor.flipped[gpa] = len(values[0]) // 2
        await self.do(f"flip {place.text}", "flip", {"gpa": gpa, "values": list(values), "hz": hz})
        if not values:
            self.actor.flipped.pop(gpa, None)

    async def returned(self, vring: int, token: int, wanted: bool, within_ns: int) -> None:
        """StepFailed: the chain came back and should not, or did not and should."""
        deadline = time.monotonic_ns() + within_ns
        back = await self._has_returned(vring, token)
        while not back and (left := deadline - time.monotonic_ns()) > 0:
            await asyncio.sleep(min(_LOOK_AGAIN_S, left / 1e9))
            back = await self._has_returned(vring, token)
        if back != wanted:
            when = f"within {within_ns / 1e9:g} s"
            told = f"came back {when}" if back else f"did not come back {when}"
            raise StepFailed(f"the chain on virtqueue {vring} of {self.actor.name} {told}")

    async def _has_returned(self, vring: int, token: int) -> bool:
        rings = (await self.actor.do("rings", vring=vring))["rings"]
        return any(entry["token"] == token for ring in rings for entry in ring.get("returned", []))

    async def address(self, place: GuestAddress) -> int:
        """StepFailed: this guest has no such place."""
        return await self._base(place) + place.offset

    async def _base(self, place: GuestAddress) -> int:
        name, actor = self.actor.name, self.actor
        match place.base:
            case "":
                return 0
            case "buf":
                if (place.number + 1) * SLOT <= actor.scratch["size"]:
                    return actor.scratch["gpa"] + place.number * SLOT
                size = actor.scratch["size"]
                raise StepFailed(f"{place.text} is beyond the {size} octets of {name}'s `scratch`")
            case "region":
                if place.number < len(actor.regions):
                    region = actor.regions[place.number]
                    return region["gpa"] + (region["size"] if place.at_end else 0)
                raise StepFailed(f"{place.text}: {name} has {len(actor.regions)} regions, numbered from 0")
        for ring in await actor.rings():
            if ring["vring"] == place.number:
                return int(ring["place"][_PARTS[place.base]])
        raise StepFailed(f"{place.text}: {name} has no virtqueue {place.number}")
