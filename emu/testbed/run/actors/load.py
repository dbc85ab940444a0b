"""testbed-load with one virtio_user frontend, and the same frontend inside the switch's own process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed.run.actors.base import ActorError, World
from testbed.run.actors.frontend import Arm, Frontend
from testbed.run.actors.program import Program
from testbed.run.actors.switch import SwitchActor
from testbed.run.rpc import RpcClosed
from testbed.scenario.topology import Role, VirtioUser

READY_DEADLINE_S = 30.0
# Of testbed-load --help: 2.4 kB for each of 2 x queues x queue_size buffers; and twice that, for those under way.
_BUFFER_BYTES = 2400
_LEAST_MB = 64


def memory_mb(spec: VirtioUser) -> int:
    buffers = 2 * spec.queues * spec.queue_size
    return max(_LEAST_MB, 32 + 8 * buffers * _BUFFER_BYTES // (1 << 20))


def add_document(name: str, spec: VirtioUser, path: Path, role: Role, mac: str) -> dict[str, Any]:
    """The parameters of frontend.add."""
    return {
        "name": name,
        "path": str(path),
        "role": role,
        "ring": spec.ring,
        "queues": spec.queues,
        "queue_size": spec.queue_size,
        "in_order": spec.in_order,
        "mergeable": spec.mergeable,
        "vectorized": spec.vectorized,
        "mac": mac,
    }


class LoadActor(Frontend, Program):
    def __init__(
        self, name: str, program: Path, spec: VirtioUser, add: dict[str, Any], world: World, arm: Arm
    ) -> None:
        Program.__init__(self, name, world)
        self.arm, self.linked = arm, False
        self.spec = spec
        self._program = program
        self._add = add

    def command(self, control: Path) -> Sequence[str | Path]:
        self.linked = False
        memory = str(memory_mb(self.spec))
        return [self._program, "--control", control, "--dir", self._directory, "--memory-mb", memory]

    async def bring_up(self) -> None:
        await self.until_event("load.ready", READY_DEADLINE_S)
        await self.call("frontend.add", self._add)
        await self.arm(self.name)

    async def set_queues(self, count: int) -> None:
        """virtio_user has its queues for life: the device goes, and one with so many comes, in the same process."""
        self.up = False
        await self.call("frontend.remove", {"name": self.name}, 10.0)
        self._add = {**self._add, "queues": count}
        await self.call("frontend.add", self._add)
        await self.arm(self.name)
        self.up = self.running


class InProcessFrontend(Frontend):
    """Lives and dies with its switch; has no process of its own."""

    def __init__(self, name: str, switch: SwitchActor, add: dict[str, Any], world: World, arm: Arm) -> None:
        super().__init__(name, world, arm)
        self._switch = switch
        self._add = add

    @property
    def pid(self) -> int:
        return self._switch.pid

    @property
    def running(self) -> bool:
        return self._switch.running

    async def start(self) -> None:
        """When the switch is up: it brings the frontends of its process along."""
        self.lives += 1
        self.up, self.failure, self.linked = False, "", False
        self.world.background(self._bring_up(self.lives), f"bring up {self.name}")

    async def _bring_up(self, life: int) -> None:
        try:
            await self._switch.until_event("switch.ready", READY_DEADLINE_S)
            await self.call("frontend.add", self._add)
            await self.arm(self.name)
            self.up = self.lives == life
        except ActorError as error:
            self.failure = f"did not come up: {error}"
        self.world.history.changed()

    async def kill(self) -> None:
        raise ActorError(f"{self.name} has no process of its own")

    async def shutdown(self, within_s: float) -> None:
        raise ActorError(f"{self.name} has no process of its own")

    async def end(self) -> None:
        self.up = False

    def stop(self) -> None:
        raise ActorError(f"{self.name} has no process of its own")

    def resume(self) -> None:
        return

    async def ask(self, method: str, params: dict[str, Any] | None, timeout: float) -> Any:
        if not self._switch.running:
            raise RpcClosed(f"{self.name} {self.state}")
        return await self._switch.ask(method, params, timeout)
