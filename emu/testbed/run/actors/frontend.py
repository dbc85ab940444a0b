"""What the flows need from a frontend, wherever it lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from testbed.run.actors.base import Actor, World

# Gives a frontend its flows: called in each of its lives, before it counts as up.
Arm = Callable[[str], Awaitable[None]]


class Frontend(Actor):
    """An actor that sends and receives flows. Stamps in its reports are in the host's time."""

    def __init__(self, name: str, world: World, arm: Arm) -> None:
        super().__init__(name, world)
        self.arm = arm
        self.linked = False  # it says itself that its link is up: buffers are posted

    @property
    def clock_error_ns(self) -> int:
        """How far off those may be."""
        return 0

    @property
    def connects(self) -> bool:
        """Whether it seeks a session by itself, so that its port ought to be up while it runs."""
        return True

    @property
    def flow_end(self) -> str:
        """What its own program calls it."""
        return self.name

    async def status(self) -> dict[str, Any]:
        """Its entry in frontend.status. RpcFailure."""
        everything: dict[str, Any] = await self.call("frontend.status")
        return dict(everything.get(self.flow_end, {}))

    async def set_queues(self, count: int) -> None:
        """RpcFailure"""
        await self.call("queues", {"frontend": self.flow_end, "count": count}, 10.0)
