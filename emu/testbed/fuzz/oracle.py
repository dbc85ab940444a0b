"""What must hold after every case, or after some. Each check is one that can fail, and names what broke.

died       the backend's process ended
mute       it lives, and does not answer: its control socket, or the handshake messages of another port
stalled    the victims' packets do not move any more
harmed     they lost packets, or got wrong ones
stray      memory of another guest was written where that guest had posted nothing
leak       the backend holds more descriptors than before, though the attacker is gone
    mappings   the same of mappings of memory
unusable   a new and well-behaved guest on the attacked port is not served
driver     our own side of a socket died: no fault of the backend, and a finding all the same
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.fuzz import topology
from testbed.fuzz.grammar import ATTACKER
from testbed.fuzz.stage import Stage
from testbed.run.actors.base import ActorError
from testbed.run.rpc import RpcFailure
from testbed.run.steps.context import StepFailed

WITHIN_S = 2.0
_RELEASED_S = 4.0  # nobody waits for that but we
_DYING_S = 0.5  # from the end of its sockets to the end of a process
_LOOK_AGAIN_S = 0.003
# As check/leaks.py has them: the C library's arenas come and stay; what a case leaks, many cases leak many times.
_MORE_FDS, _MORE_MAPPINGS = 0, 16
_WRONG = ("lost", "duplicated", "corrupted")


@dataclass(frozen=True)
class Violation:
    kind: str
    detail: str


class Broken(Exception):
    """What a check found."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.violation = Violation(kind, detail)


@dataclass(frozen=True)
class Held:
    fds: int
    mappings: int


def held_by(pid: int) -> Held:
    """OSError when it is gone."""
    process = Path("/proc") / str(pid)
    mappings = (process / "maps").read_bytes().count(b"\n")
    return Held(len(list((process / "fd").iterdir())), mappings)


class Oracle:
    """`begin` takes the measures, when the stage is quiet and nobody has attacked yet."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._held = Held(0, 0)
        self._flows = {name: stage.cell.flows.states[name].plan for name in topology.VICTIM_FLOWS}

    async def begin(self) -> None:
        """RpcFailure, OSError"""
        await self._of_bystanders("snapshot")
        self._held = held_by(self._stage.switch.pid)

    async def while_attacked(self) -> Violation | None:
        """While the attacker's session may still be there."""
        return await self._found(self._answers)

    async def between(self) -> Violation | None:
        """Between two cases. The attacker is a new guest then."""
        return await self._found(self._stage.new_guest)

    async def after(self) -> Violation | None:
        """When it has hung up: what a case broke for good. A well-behaved guest tries its port; then it is a new one."""
        return await self._found(
            self._unharmed, self._pages, self._released, self._served, self._answers, self._stage.new_guest
        )

    async def _found(self, *checks: Callable[[], Awaitable[None]]) -> Violation | None:
        try:
            for check in checks:
                await check()
        except Broken as broken:
            return await self._why(broken.violation)
        except (StepFailed, RpcFailure, ActorError, OSError) as failure:
            # A bystander that is gone, or has no session any more, is the backend's doing as well.
            return await self._why(Violation("stalled", str(failure)))
        return self._death()

    async def _why(self, seen: Violation) -> Violation:
        """A process that dies is first seen to answer no more."""
        deadline = time.monotonic_ns() + round(_DYING_S * 1e9)
        await self._stage.history.until(lambda: self._death() is not None, deadline)
        return self._death() or seen

    def _death(self) -> Violation | None:
        for end in self._stage.history.exits:
            if not end.expected:
                whose = "the backend" if end.actor == self._stage.switch.name else f"{end.actor}'s driver"
                return Violation(
                    "died" if whose == "the backend" else "driver", f"{whose} ended with {end.status}"
                )
        return None

    # -- The checks
    async def _answers(self) -> None:
        if self._stage.switch.controlled:
            try:
                await self._stage.switch.call("ping", timeout=WITHIN_S)
            except RpcFailure as failure:
                raise Broken("mute", str(failure)) from None
        try:
            await self._stage.do(topology.still_served())
        except (StepFailed, RpcFailure) as failure:
            raise Broken("mute", f"another port's messages are not answered: {failure}") from None

    async def _unharmed(self) -> None:
        """The victims' flows: everything that was sent arrives, and more of it."""
        since = {name: await self._counts(name) for name in self._flows}
        deadline = time.monotonic() + WITHIN_S
        waiting = set(self._flows)
        while waiting:
            for name in sorted(waiting):
                counts = await self._counts(name)
                if wrong := next((key for key in _WRONG if counts[key]), ""):
                    raise Broken("harmed", f"flow {name}: {counts[wrong]} packets {wrong}")
                if counts["received"] > since[name]["received"]:
                    waiting.discard(name)
            if waiting and (time.monotonic() > deadline or not self._stage.switch.running):
                raise Broken("stalled", f"flow {min(waiting)} did not move for {WITHIN_S:g} s")
            await asyncio.sleep(_LOOK_AGAIN_S if waiting else 0)

    async def _counts(self, flow: str) -> dict[str, int]:
        plan = self._flows[flow]
        counts = await self._stage.driver(plan.sink).call("flow.counts", timeout=WITHIN_S)
        return dict(counts[str(plan.number)])

    async def _pages(self) -> None:
        for name, diff in zip(
            topology.BYSTANDERS, await self._of_bystanders("diff", renew=True), strict=True
        ):
            if diff["stray"]:
                first = diff["stray"][0]
                where = f"{first['length']} octets at {first['gpa']:#x}"
                raise Broken("stray", f"{where} of {name}'s memory were written: {first['now'][:32]}")

    async def _of_bystanders(self, method: str, **how: Any) -> list[dict[str, Any]]:
        drivers = [self._stage.driver(name) for name in topology.BYSTANDERS]
        return list(await asyncio.gather(*(driver.do(method, **how) for driver in drivers)))

    async def _released(self) -> None:
        """The end of a session takes a moment: its queues are quiesced first."""
        deadline = time.monotonic() + _RELEASED_S
        while grown := self._grown(held_by(self._stage.switch.pid)):
            if time.monotonic() > deadline:
                raise Broken(*grown)
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _grown(self, now: Held) -> tuple[str, str] | None:
        if now.fds > self._held.fds + _MORE_FDS:
            return "leak", f"{self._held.fds} descriptors before, {now.fds} after"
        if now.mappings > self._held.mappings + _MORE_MAPPINGS:
            return "mappings", f"{self._held.mappings} mappings before, {now.mappings} after"
        return None

    async def _served(self) -> None:
        """A connection that comes before the switch has seen the last one go may be refused: it is made again."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            await self._stage.new_guest()
            try:
                await self._stage.do([*topology.well_behaved(), {"hang_up": ATTACKER}])
                return await self._stage.gone()
            except (StepFailed, RpcFailure) as failure:
                if time.monotonic() > deadline or not self._stage.switch.running:
                    raise Broken("unusable", f"a new guest on {ATTACKER}'s port: {failure}") from None
