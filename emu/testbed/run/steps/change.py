"""apply, disconnect, set, queues: changes while everything runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from testbed.run.steps.base import Names, Problem, Step, unknown
from testbed.scenario.fields import Model, Name, RateValue, Reference, References
from testbed.scenario.mistakes import unknown_name
from testbed.scenario.topology import Brick, Edge, Port
from testbed.scenario.topology.switch import Workers

if TYPE_CHECKING:
    from testbed.run.steps.context import Run


class SwitchChange(Model):
    """A part of a switch's document, merged into the one in force."""

    bricks: dict[Name, Brick] = Field({}, description="bricks to add or replace")
    ports: dict[Name, Port] = Field({}, description="ports to add or replace")
    edges: list[Edge] | None = Field(None, description="in place of all edges there are")
    remove: list[Reference] = Field([], description="ports and bricks that are there, by name")
    workers: dict[Name, Workers] = Field(
        {}, description="by port, the workers that poll its queues from now on"
    )
    assignment: Literal["round_robin", "cycles", "pinned"] | None = Field(
        None, description="who polls which queue from now on"
    )

    def plain_parts(self) -> dict[str, Any]:
        """What goes into the switch's document as it is written."""
        parts: dict[str, Any] = {"workers": self.workers}
        if self.edges is not None:
            parts["edges"] = [list(edge) for edge in self.edges]
        if self.assignment is not None:
            parts["assignment"] = self.assignment
        return parts


class Apply(Step):
    """Changes the switch's configuration: adds or replaces what is written, removes what `remove` names."""

    kind: ClassVar[str] = "apply"
    switch: SwitchChange | None = Field(None, description="the change, where there is one switch")
    switches: dict[Reference, SwitchChange] = Field(
        {}, description="changes by switch, where there are several"
    )

    @model_validator(mode="after")
    def changes_something(self) -> Apply:
        if self.switch is None and not self.switches:
            raise ValueError("changes nothing; write `switch: {ports: {...}}` or `switch: {remove: [...]}`")
        return self

    def changes(self) -> dict[str, SwitchChange]:
        return ({"switch": self.switch} if self.switch is not None else {}) | self.switches

    def problems(self, names: Names) -> Iterator[Problem]:
        if self.switch is not None and "switch" not in names.switches:
            yield ("switch",), "this file has several switches; write `switches: {NAME: ...}`"
        for name in self.switches:
            if name not in names.switches:
                yield ("switches", name), unknown_name("switch", name, names.switches)
        for name, change in self.changes().items():
            prefix = "" if "switch" in names.switches else f"{name}."
            place = ("switch", "remove") if name == "switch" else ("switches", name, "remove")
            there = names.ports | names.bricks
            for index, node in enumerate(change.remove):
                if prefix + node not in there:
                    yield (*place, index), unknown_name("port or brick", prefix + node, there)
            for port in change.workers:
                if prefix + port not in names.ports:
                    yield (*place[:-1], "workers", port), unknown_name("port", prefix + port, names.ports)

    async def execute(self, run: Run) -> None:
        for switch, change in self.changes().items():
            await run.apply(switch, change)

    def text(self) -> str:
        parts = []
        for change in self.changes().values():
            added = [*change.ports, *change.bricks]
            parts += [f"add {', '.join(added)}"] if added else []
            parts += [f"remove {', '.join(change.remove)}"] if change.remove else []
            parts += [f"{port} to workers {', '.join(map(str, who))}" for port, who in change.workers.items()]
            parts += [f"assignment {change.assignment}"] if change.assignment else []
        return f"apply: {'; '.join(parts) or 'edges'}"


class Disconnect(Step):
    """The switch drops a port's session; the endpoint stays, and the frontend may come back."""

    kind: ClassVar[str] = "disconnect"
    shorthand: ClassVar[str] = "port"
    breaks: ClassVar[bool] = True
    port: References = Field(description="whose sessions")

    def problems(self, names: Names) -> Iterator[Problem]:
        yield from unknown("port", self.port, names.ports, "port")

    async def execute(self, run: Run) -> None:
        for port in self.port:
            await run.disconnect(port)


class SetFlow(Step):
    """Changes a flow's rate."""

    kind: ClassVar[str] = "set"
    flow: References = Field(description="which flows")
    rate: RateValue = Field(description="from now on")

    def problems(self, names: Names) -> Iterator[Problem]:
        yield from unknown("flow", self.flow, names.flows, "flow")

    async def execute(self, run: Run) -> None:
        for flow in self.flow:
            await run.set_rate(flow, self.rate.packets_per_second(run.scenario.flows[flow].size))

    def text(self) -> str:
        rate = self.rate
        value = f"{rate.packets:g} packets/s" if rate.bits is None else f"{rate.bits:g} bit/s"
        return f"set: {', '.join(self.flow)} to {value}"


class Queues(Step):
    """A frontend uses so many queue pairs from now on."""

    kind: ClassVar[str] = "queues"
    breaks: ClassVar[bool] = True
    frontend: Reference = Field(description="which one")
    count: int = Field(ge=1, le=128, description="queue pairs; not more than it was made with")

    def problems(self, names: Names) -> Iterator[Problem]:
        yield from unknown("frontend", [self.frontend], frozenset(names.frontends), "frontend")
        spec = names.frontends.get(self.frontend)
        if spec is not None and self.count > spec.queues:
            yield (
                ("count",),
                f"'{self.frontend}' has {spec.queues} queue pairs; give it `queues: {self.count}`",
            )

    async def execute(self, run: Run) -> None:
        await run.set_queues(self.frontend, self.count)
