"""repeat, parallel, random: steps made of steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from testbed.run.steps.base import Names, Problem, Step
from testbed.scenario.fields import DurationNs, DurationRangeNs, at
from testbed.scenario.mistakes import Path

if TYPE_CHECKING:
    from testbed.run.steps.context import Run

    AnyStep = Step


class Repeat(Step):
    """The same steps so many times."""

    kind: ClassVar[str] = "repeat"
    times: int = Field(ge=1, le=1_000_000, description="how often")
    steps: Annotated[list[AnyStep], Field(min_length=1)] = Field(description="one after the other")

    def children(self) -> Iterator[tuple[Path, Step]]:
        for index, step in enumerate(self.steps):
            yield ("steps", index), step

    async def execute(self, run: Run) -> None:
        for _ in range(self.times):
            await run.steps(self.steps)

    def text(self) -> str:
        return f"repeat: {self.times} times {len(self.steps)} steps"


class Parallel(Step):
    """Branches of steps at the same time; over when all are."""

    kind: ClassVar[str] = "parallel"
    shorthand: ClassVar[str] = "branches"
    branches: Annotated[list[Annotated[list[AnyStep], Field(min_length=1)]], Field(min_length=1)] = Field(
        description="lists of steps"
    )

    def children(self) -> Iterator[tuple[Path, Step]]:
        for number, branch in enumerate(self.branches):
            for index, step in enumerate(branch):
                yield ("branches", number, index), step

    async def execute(self, run: Run) -> None:
        await run.parallel(self.branches)

    def text(self) -> str:
        return f"parallel: {len(self.branches)} branches"


class Random(Step):
    """Faults drawn by weight from the scenario's seed, again and again. `then: heal` undoes each after the next pause."""

    kind: ClassVar[str] = "random"
    for_: DurationNs = Field(alias="for", description="how long in all")
    every: DurationRangeNs = Field(description="the pause between two of them, and before each healing")
    of: Annotated[list[AnyStep], Field(min_length=1)] = Field(
        description="steps to choose from; `weight: 3` beside a step makes it three times as likely"
    )
    weights: list[Annotated[int, Field(ge=1)]] = Field(
        [], exclude=True, description="filled from the `weight` beside each step"
    )
    then: Literal["heal", "nothing"] = Field(
        "heal", description="undo each fault after a pause (start what was killed, continue what was stopped)"
    )

    @model_validator(mode="before")
    @classmethod
    def split_weights(cls, data: Any) -> Any:
        """`{kill: switch, weight: 3}`: the weight stands beside the step."""
        if isinstance(data, dict) and list(data) == [cls.kind]:
            data = data[cls.kind]
        if not isinstance(data, dict) or not isinstance(data.get("of"), list):
            return data
        entries = data["of"]
        weights = [entry.get("weight", 1) if isinstance(entry, dict) else 1 for entry in entries]
        bare = [_without_weight(entry) for entry in entries]
        return {**data, "of": bare, "weights": weights}

    @model_validator(mode="after")
    def takes_time(self) -> Random:
        if self.every[1] == 0:
            raise at("every", "0 would do everything at once; write one like 1s or 1s..3s")
        return self

    def children(self) -> Iterator[tuple[Path, Step]]:
        for index, step in enumerate(self.of):
            yield ("of", index), step

    def problems(self, names: Names) -> Iterator[Problem]:
        for index, step in enumerate(self.of):
            if self.then == "heal" and not step.breaks:
                faults = "a fault, like kill, stop or disconnect (docs/scenarios.md marks them)"
                yield (
                    ("of", index),
                    f"`{step.kind}` breaks nothing that could be healed; choose {faults}",
                )

    async def execute(self, run: Run) -> None:
        left = self.for_
        while left > 0:
            pause = min(left, run.random.randint(*self.every))
            await run.pause(pause)
            left -= pause
            if left > 0:
                left -= await self._break(run, left)

    async def _break(self, run: Run, left: int) -> int:
        """Does one fault, and when it is to be healed, how much of the time that took."""
        chosen = run.random.choices(self.of, self.weights)[0]
        await run.steps([chosen])
        if self.then == "nothing":
            return 0
        pause = min(left, run.random.randint(*self.every))
        await run.pause(pause)
        await chosen.heal(run)
        return pause

    def text(self) -> str:
        return f"random: {len(self.of)} faults for {self.for_ / 1e9:g}s"


def _without_weight(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {key: value for key, value in entry.items() if key != "weight"}
