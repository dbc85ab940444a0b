"""testbed-driver with one frontend: its own virtqueues, driven by flows and, message by message, by steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.run.actors.base import ActorError, World
from testbed.run.actors.dirty_log import DirtyLog
from testbed.run.actors.frontend import Arm, Frontend
from testbed.run.actors.pages import Pages
from testbed.run.actors.program import Program
from testbed.run.process import ManagedProcess
from testbed.run.rpc import RpcFailure
from testbed.scenario.topology import Driver, Role

READY_DEADLINE_S = 10.0
# What a call takes beside the answers of the backend that it waits for.
_MARGIN_S = 5.0


def add_document(name: str, spec: Driver, path: Path, role: Role, mac: str) -> dict[str, Any]:
    """The parameters of frontend.add."""
    return {"name": name, "path": str(path), "role": role, "mac": mac, **spec.document()}


class DriverActor(Frontend, Program):
    """`session` is the number of the one it has, 0 without. `by_itself` says whether it connects when it has none."""

    def __init__(
        self, name: str, program: Path, spec: Driver, add: dict[str, Any], world: World, arm: Arm
    ) -> None:
        Program.__init__(self, name, world)
        self.arm, self.linked = arm, False
        self.spec = spec
        self.by_itself = bool(add["auto"])
        self._ending = False  # it was asked to end: nobody is left to ask what its session said
        self.session = 0
        self.sessions = 0  # that this life has had
        self.moving = 0  # the session from which it is moving to another
        self.flipped: dict[int, int] = {}  # octets that change by themselves, by address
        self.regions: list[dict[str, int]] = []
        self.scratch: dict[str, int] = {"gpa": 0, "size": 0}
        self.pages = Pages(self)
        self.log = DirtyLog(self)
        self._program = program
        self._add = add

    @property
    def connects(self) -> bool:
        return self.by_itself

    def command(self, control: Path) -> Sequence[str | Path]:
        self.linked, self.session, self.sessions, self.moving = False, 0, 0, 0
        self.flipped = {}
        self._ending = False
        self.by_itself = bool(self._add["auto"])
        return [self._program, "--control", control, "--dir", self._directory]

    async def bring_up(self) -> None:
        await self.until_event("control.up", READY_DEADLINE_S)
        await self._add_frontend()

    async def _add_frontend(self) -> None:
        added = await self.call("frontend.add", {**self._add, "auto": False})
        self.regions, self.scratch = list(added["regions"]), dict(added["scratch"])
        await self.pages.begin()  # of a memory that nobody else has seen yet
        for pair in range(0 if self.spec.posting else self.spec.queues):
            await self.do("queues", vring=2 * pair, posting=False)
        await self.arm(self.name)
        if self.by_itself:
            await self.do("connect", auto=True)

    async def renew(self) -> None:
        """Another guest in the same process: memory, rings and session are as on its first day. RpcFailure."""
        self.log.gone()
        self.linked, self.session, self.flipped = False, 0, {}
        self.by_itself = bool(self._add["auto"])
        await self.call("frontend.remove", {"name": self.name})
        await self._add_frontend()

    def taken(self, event: dict[str, Any]) -> None:
        match event.get("name"):
            case "driver.connected":
                self.session = int(event["session"])
                self.sessions = self.session
            case "migration.started":
                self.moving = self.session
            case "migration.cancelled" | "migration.failed":
                self.session = self.moving if self.linked else 0
                self.moving = 0
            case "migration.completed":
                self.moving = 0
            case "driver.up" if self.sessions > 1 and not self.moving:
                # What a backend left in posted buffers when it died is in them until they are used again.
                self.world.background(self.pages.renew("its session is back"), f"pages of {self.name}")
            case "driver.down":
                self.session = 0
                if not self._ending:
                    work = self.tell_messages(int(event["session"]))
                    self.world.background(work, f"messages of {self.name}")

    def _exited(self, process: ManagedProcess) -> None:
        self.session, self.linked = 0, False
        self.log.gone()
        super()._exited(process)

    async def do(self, method: str, *, answers: int = 1, **params: Any) -> Any:
        """One of the driver's own methods on this frontend; it may wait for so many answers. RpcFailure."""
        timeout = answers * self.spec.answer / 1e9 + _MARGIN_S
        given = {key: value for key, value in params.items() if value is not None}
        return await self.call(f"driver.{method}", {"frontend": self.name, **given}, timeout)

    async def set_queues(self, count: int) -> None:
        await self.do("queues", answers=2 * self.spec.queues, count=count)

    async def until_down(self, session: int, within_s: float) -> bool:
        """Whether that session ended by then."""
        deadline = time.monotonic_ns() + round(within_s * 1e9)
        return await self.world.history.until(lambda: self.session != session or not self.running, deadline)

    async def tell_messages(self, session: int) -> None:
        """A session's messages, to the history. None when the program is gone, and them with it."""
        try:
            messages = (await self.do("messages", session=session))["messages"]
        except RpcFailure:
            return
        for entry in messages:
            fields = {"session": session, **entry, "dir": entry["from"], "message": entry["name"]}
            kept = {key: value for key, value in fields.items() if key not in ("t", "name", "from")}
            self.world.history.note(self.name, "driver.message", int(entry["t"]), **kept)

    async def kill(self) -> None:
        """What its memory shows is lost with the process."""
        if self.answers:
            await self.pages.look(f"before the end of {self.name}")
        await super().kill()

    async def shutdown(self, within_s: float) -> None:
        if self.answers:
            await self.pages.look(f"before the end of {self.name}")
            await self.tell_messages(self.session)
        self._ending = True
        await super().shutdown(within_s)

    async def end(self) -> None:
        self._ending = True
        await super().end()

    async def rings(self) -> list[dict[str, Any]]:
        """driver.rings of all virtqueues. RpcFailure."""
        rings: list[dict[str, Any]] = (await self.do("rings"))["rings"]
        return rings

    def needs_to_run(self) -> None:
        if not self.answers:
            raise ActorError(f"{self.name} {self.state}")
