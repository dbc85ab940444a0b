"""migrate: a guest moves to another port, of the same switch or of another, while everything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.run.steps.base import Names, Problem, Step
from testbed.scenario.fields import DurationNs, MemoryMb, Reference
from testbed.scenario.mistakes import unknown_name

if TYPE_CHECKING:
    from testbed.run.steps.context import Run


class Migrate(Step):
    """A guest moves to another port by pre-copy, with its flows running. Its name stays. `migration` in `expect` says what
    it may cost. One that fails leaves the guest where it was; then the scenario fails, too, unless it expects that."""

    kind: ClassVar[str] = "migrate"
    frontend: Reference = Field(description="the driver frontend or the guest that moves")
    to: Reference = Field(description="a vhost port at which nobody sits")
    cancel_after: DurationNs | None = Field(None, description="it is called off so long after its beginning")
    background: bool = Field(
        False, description="the next step begins at once; `wait: {event: {name: migration.completed}}` waits"
    )
    downtime: DurationNs = Field(
        10 * 10**6, description="the rest is copied, with everything stopped, when that takes no longer"
    )
    bandwidth: MemoryMb | None = Field(None, description="copied in a second, at most; like 64M")
    within: DurationNs = Field(30 * 10**9, description="the deadline for its end, one way or the other")

    def problems(self, names: Names) -> Iterator[Problem]:
        movable = names.drivers | names.guests
        if self.frontend not in movable:
            yield ("frontend",), unknown_name("driver frontend or guest", self.frontend, movable)
        if self.to not in names.ports:
            yield ("to",), unknown_name("vhost port", self.to, names.ports)

    async def execute(self, run: Run) -> None:
        await run.moves.migrate(self)

    def text(self) -> str:
        called_off = (
            f", cancelled after {self.cancel_after / 1e9:g} s" if self.cancel_after is not None else ""
        )
        return f"migrate: {self.frontend} to {self.to}{called_off}"
