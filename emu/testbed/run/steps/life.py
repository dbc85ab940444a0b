"""start, kill, stop, continue, restart, shutdown: what is done to processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.run.steps.base import Names, Problem, Step
from testbed.scenario.fields import DurationNs, References
from testbed.scenario.mistakes import unknown_name

if TYPE_CHECKING:
    from testbed.run.steps.context import Run


class _OnActors(Step):
    shorthand: ClassVar[str] = "target"
    target: References = Field(description="actors: the switch and frontends, by name")

    def problems(self, names: Names) -> Iterator[Problem]:
        for index, actor in enumerate(self.target):
            if actor not in names.actors:
                yield ("target", index), unknown_name("actor", actor, names.actors)
            elif names.shares_a_process(actor):
                what = f"'{actor}' lives in the switch's process (placement: in-process); it cannot be meant alone"
                yield ("target", index), what


class Start(_OnActors):
    """Starts processes that are not running; `all` means whoever is not."""

    kind: ClassVar[str] = "start"

    def problems(self, names: Names) -> Iterator[Problem]:
        if self.target != ["all"]:
            yield from super().problems(names)

    async def execute(self, run: Run) -> None:
        await run.start(run.not_running() if self.target == ["all"] else self.target)


class Kill(_OnActors):
    """SIGKILL: no time to say goodbye to anybody."""

    kind: ClassVar[str] = "kill"
    breaks: ClassVar[bool] = True

    async def execute(self, run: Run) -> None:
        await run.kill(self.target)

    async def heal(self, run: Run) -> None:
        await run.start(self.target)


class Stop(_OnActors):
    """SIGSTOP: it is there, holds everything it holds, and does nothing."""

    kind: ClassVar[str] = "stop"
    breaks: ClassVar[bool] = True

    async def execute(self, run: Run) -> None:
        await run.stop(self.target)

    async def heal(self, run: Run) -> None:
        await run.resume(self.target)


class Continue(_OnActors):
    """SIGCONT: goes on where `stop` held it."""

    kind: ClassVar[str] = "continue"

    async def execute(self, run: Run) -> None:
        await run.resume(self.target)


class Shutdown(_OnActors):
    """Asks for an orderly end, and waits for it."""

    kind: ClassVar[str] = "shutdown"
    breaks: ClassVar[bool] = True
    within: DurationNs = Field(10 * 10**9, description="the deadline for its end")

    async def execute(self, run: Run) -> None:
        await run.shutdown(self.target, self.within)

    async def heal(self, run: Run) -> None:
        await run.start(self.target)


class Restart(_OnActors):
    """Ends processes, in order or with SIGKILL, and starts them again at once."""

    kind: ClassVar[str] = "restart"
    breaks: ClassVar[bool] = True
    graceful: bool = Field(True, description="false: SIGKILL")
    within: DurationNs = Field(10 * 10**9, description="the deadline for an orderly end")

    async def execute(self, run: Run) -> None:
        async with run.fault("restart", self.target):
            if self.graceful:
                await run.shutdown(self.target, self.within)
            else:
                await run.kill(self.target)
            await run.start(self.target)

    def text(self) -> str:
        return f"restart: {', '.join(self.target)}" + ("" if self.graceful else " (SIGKILL)")
