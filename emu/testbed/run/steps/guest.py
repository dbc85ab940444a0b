"""exec, reboot, reset, reload: what is done inside or to a guest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from testbed.run.steps.base import Names, Problem, Step, unknown
from testbed.run.steps.context import StepFailed
from testbed.scenario.fields import DurationNs, Reference, References

if TYPE_CHECKING:
    from testbed.run.steps.context import Run


class Exec(Step):
    """Runs a command in a guest's shell. Any status but `status` fails the step; `status: any` takes all."""

    kind: ClassVar[str] = "exec"
    in_: Reference = Field(alias="in", description="the guest")
    run_: str = Field(alias="run", min_length=1, description="the command, for its /bin/sh")
    status: int | str = Field(0, description="the exit status that is right, or `any`")
    within: DurationNs = Field(30 * 10**9, description="its deadline")

    def problems(self, names: Names) -> Iterator[Problem]:
        yield from unknown("guest", [self.in_], names.guests, "in")
        if isinstance(self.status, str) and self.status != "any":
            yield ("status",), f"'{self.status}' is no exit status; write a number, or any"

    async def execute(self, run: Run) -> None:
        result = await run.execute(self.in_, self.run_, self.within)
        if self.status not in ("any", result.get("status")):
            said = " ".join(str(result.get("stderr") or result.get("stdout") or "").split())
            told = (
                f"`{self.run_}` in {self.in_} ended with status {result.get('status')}, wanted {self.status}"
            )
            raise StepFailed(told + (f": {said[-200:]}" if said else ""))

    def text(self) -> str:
        return f"exec in {self.in_}: {self.run_}"


class _OnGuests(Step):
    shorthand: ClassVar[str] = "guest"
    breaks: ClassVar[bool] = True
    guest: References = Field(description="which guests, one after the other")
    within: DurationNs = Field(
        10 * 10**9, description="the deadline for asking it; wait for what follows with `wait`"
    )

    def problems(self, names: Names) -> Iterator[Problem]:
        yield from unknown("guest", self.guest, names.guests, "guest")

    async def execute(self, run: Run) -> None:
        for guest in self.guest:
            async with run.fault(self.kind, [guest]):
                await run.restart_guest(guest, self.kind, self.within)


class Reboot(_OnGuests):
    """The guest reboots in order, as from its own shell."""

    kind: ClassVar[str] = "reboot"


class Reset(_OnGuests):
    """The reset button: the guest starts again from its firmware, without a word to anybody."""

    kind: ClassVar[str] = "reset"


class Reload(_OnGuests):
    """The guest unbinds its network driver and binds it again."""

    kind: ClassVar[str] = "reload"
