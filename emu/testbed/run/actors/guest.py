"""A QEMU guest as an actor of the scenario: testbed.guest does the work, this keeps the record."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from testbed.check.evidence import Event, ProcessExit
from testbed.guest.command import Accelerator, GuestOptions, Role
from testbed.guest.image import Image
from testbed.guest.qemu import Guest, GuestError
from testbed.guest.transfer import Transfer, TransferFailed, incoming
from testbed.run.actors.base import ActorError, World
from testbed.run.actors.frontend import Arm, Frontend
from testbed.run.rpc import RpcClosed, RpcFailure

READY_DEADLINE_S = 90.0  # under TCG, with polling switches beside it
_FOLLOWED_S = 20.0
_FLOW_END = "eth0"


class GuestActor(Frontend):
    def __init__(
        self, options: GuestOptions, image: Image, accelerator: Accelerator, world: World, arm: Arm
    ) -> None:
        super().__init__(options.name, world, arm)
        self._options = options
        self._image = image
        self._accelerator = accelerator
        self._guest: Guest | None = None
        self._moving = False  # there are two processes, one of which will end
        self._transfer: Transfer | None = None
        self._reachable = asyncio.Event()  # the guest, by its agent
        self._reachable.set()

    @property
    def pid(self) -> int:
        return self._guest.pid if self._guest else 0

    @property
    def running(self) -> bool:
        return self._guest is not None and self._guest.running

    @property
    def flow_end(self) -> str:
        return _FLOW_END

    @property
    def clock_error_ns(self) -> int:
        return self._guest.clock.error() if self._guest and self._guest.clock.known else 0

    def _made(self, options: GuestOptions, on_event: Callable[[Event], None]) -> Guest:
        return Guest(
            options,
            self._image,
            self.world.places.files,
            on_event=on_event,
            on_reboot=self._rebooted,
            accelerator=self._accelerator,
            environment=self.world.environment,
        )

    async def start(self) -> None:
        if self.running:
            raise ActorError(f"{self.name} is running already")
        if self._guest is not None:
            await self._guest.close()
        self.lives += 1
        self.up, self.failure, self.stopped, self.linked = False, "", False, False
        guest = self._made(self._options, self._take)
        spawned = time.monotonic_ns()
        try:
            await guest.start()
        except GuestError as error:
            raise ActorError(str(error).splitlines()[0]) from None
        self._guest = guest
        self.world.history.note(self.name, "process.spawned", spawned, pid=guest.pid)
        self.world.background(self._bring_up(guest), f"bring up {self.name}")

    async def _bring_up(self, guest: Guest) -> None:
        try:
            await guest.ready(READY_DEADLINE_S)
            await self.arm(self.name)
            self.up = guest is self._guest and guest.running
        except (GuestError, RpcFailure) as error:
            if guest is self._guest and not guest.expected_to_end:
                self.failure = f"did not come up: {str(error).splitlines()[0]}"
        self.world.history.changed()

    def _rebooted(self) -> None:
        if self._guest is not None:
            self.up = False
            self.world.background(self._bring_up(self._guest), f"bring up {self.name}")

    def _take(self, event: Event) -> None:
        if event.name == "guest.died" and not self._moving:
            self._died(event)
        elif event.name == "guest.reset":
            self.up = self.linked = False
        elif event.name == "guest.panicked" and not self.up:
            self.failure = f"did not come up: {_panic_in(event.fields['console_tail'])}"
        self.world.history.add(event)

    def _take_at_destination(self, event: Event) -> None:
        """A process that nobody has arrived in ends by itself when the source gives up."""
        if event.name == "guest.died" and self._transfer is not None and not self._transfer.arrived:
            event = replace(event, fields={**event.fields, "expected": True})
        self._take(event)

    def _died(self, event: Event) -> None:
        self.up = False
        status, expected = str(event.fields.get("status", "")), bool(event.fields.get("expected"))
        self.world.history.exits.append(ProcessExit(self.name, self.pid, event.t, status, expected))
        if not expected:
            self.failure = f"died ({status})"

    async def kill(self) -> None:
        if self._guest is not None and self._guest.running:
            self.up = False
            self._guest.kill()
            with contextlib.suppress(GuestError):
                await self._guest.died(10.0)

    async def shutdown(self, within_s: float) -> None:
        if self._guest is not None and self._guest.running:
            self.up = False
            rung = await self._guest.shutdown(within_s)
            if rung == "SIGKILL":
                raise ActorError(f"{self.name} was asked to end and had not {within_s:g} s later")

    async def end(self) -> None:
        if self._guest is not None:
            self._guest.cont()
            await self._guest.close()

    def stop(self) -> None:
        if self._guest is not None:
            self.stopped = True
            self._guest.stop()

    def resume(self) -> None:
        if self._guest is not None:
            self._guest.cont()
            self.stopped = False

    async def ask(self, method: str, params: dict[str, Any] | None, timeout: float) -> Any:
        if self._guest is None or not self._guest.running:
            raise RpcClosed(f"{self.name} {self.state}")
        await self._reachable.wait()
        return await self._guest.call(method, params, timeout)

    async def migrate(self, to: Path, role: Role, downtime_ms: int, bandwidth: int, deadline: int) -> None:
        """Until it runs there, or is back; its events say which."""
        source = self._guest
        assert source is not None, "checked by whoever moves it"
        sockets = self.world.places.sockets
        options = replace(self._options, socket=to, role=role)
        arriving = replace(options, extra=(*options.extra, *incoming(self.name, sockets)))
        target = self._made(arriving, self._take_at_destination)
        self._moving, error = True, ""
        self._transfer = Transfer(source, target, sockets, self._told, bandwidth)
        self._told("migration.started")
        report = self._transfer.report
        try:
            await target.start()
            await self._transfer.run(deadline, downtime_ms)
            self._options, self._guest = options, target
            moments = self._transfer.moments
            self._told("migration.switched", downtime_us=report["downtime_us"], moments=moments)
            await target.take_over(source, _FOLLOWED_S)
        except (GuestError, TransferFailed) as failure:
            error = str(failure).splitlines()[0]
        finally:
            self._reachable.set()
            # Whatever became of it, the guest lives in one of the two only.
            await (target if self._guest is source else source).close()
            self._moving, self._transfer = False, None
        state = "completed" if not error else "cancelled" if "was cancelled" in error else "failed"
        self._told(f"migration.{state}", state=state, **report, **({"error": error} if error else {}))

    async def cancel_migration(self) -> None:
        if self._transfer is not None:
            with contextlib.suppress(GuestError):
                await self._transfer.cancel()

    def _told(self, name: str, **fields: Any) -> None:
        """Nobody is asked while the guest stands still between two processes: an answer would get lost."""
        if name == "migration.stopped":
            self._reachable.clear()
        self.world.history.note(self.name, name, **fields)

    async def restart(self, how: str, within_s: float) -> None:
        """`how`: reboot, reset or reload."""
        if self._guest is None or not self._guest.running:
            raise ActorError(f"{self.name} is not running")
        try:
            if how == "reload":
                await self._guest.reload(within_s)
                return
            self.up = False
            await (self._guest.reboot() if how == "reboot" else self._guest.reset())
        except (GuestError, RpcFailure) as error:
            raise ActorError(str(error).splitlines()[0]) from None

    async def set_queues(self, count: int) -> None:
        await self.call("queues", {"count": count}, 10.0)


def _panic_in(console: list[str]) -> str:
    said = [line for line in console if "Kernel panic" in line]
    return said[-1].partition("] ")[2] or said[-1] if said else "its kernel panicked"
