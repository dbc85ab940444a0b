"""log: a driver's dirty log, as a migration has it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from testbed.run.steps.raw import OnDriver
from testbed.scenario.fields import DurationNs, Number64, Reference, at

if TYPE_CHECKING:
    from testbed.run.hand import Hand
    from testbed.run.steps.context import Run


class Log(OnDriver):
    """A driver tells its backend to log the pages that it writes (SET_LOG_BASE, LOG_ALL), to stop that, or gives it
    another log in flight (`exchange`). `toggle` does on and off in turn. Whenever the guest's memory is looked at, at
    `off` and at the end, what was written has to be in the log (`dirty_log`)."""

    kind: ClassVar[str] = "log"
    breaks: ClassVar[bool] = False
    on: Reference = Field(description="the driver frontend")
    do: Literal["on", "off", "exchange", "toggle"] = Field(description="what is done")
    offset: Number64 = Field(0, description="where in the descriptor the log begins, octets")
    size: Number64 = Field(0, description="octets of the log at least; as much as the memory needs when 0")
    every: DurationNs | None = Field(None, description="of `toggle` and `exchange`: the pause between two")
    for_: DurationNs | None = Field(
        None, alias="for", description="of `toggle` and `exchange`: how long in all"
    )

    @model_validator(mode="after")
    def has_its_times(self) -> Log:
        if self.do == "toggle" and (self.every is None or self.for_ is None):
            raise at("do", "toggles how often and how long? write `every: 50ms, for: 2s`")
        if (self.every is None) != (self.for_ is None):
            raise at("do", "`every` and `for` go together")
        if self.every is not None and self.do in ("on", "off"):
            raise at("every", f"`{self.do}` is done once; write `toggle` or `exchange`")
        if self.every == 0:
            raise at("every", "0 would do everything at once; write one like 50ms")
        return self

    async def execute(self, run: Run) -> None:
        hand = run.hand(self.on)
        end = time.monotonic_ns() + (self.for_ or 0)
        while True:
            await self._once(hand)
            if self.every is None or time.monotonic_ns() + self.every > end:
                break
            await run.pause(self.every)
        if self.do == "toggle" and hand.actor.log.on:
            await hand.actor.log.end("logging ends")

    async def _once(self, hand: Hand) -> None:
        log = hand.actor.log
        if self.do == "exchange":
            await log.exchange(self.offset, self.size)
        elif self.do == "on" or (self.do == "toggle" and not log.on):
            await log.begin(self.offset, self.size)
        elif log.on:
            await log.end("logging ends")
