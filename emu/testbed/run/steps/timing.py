"""run, wait, label: steps that break nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from testbed.check.evidence import Event
from testbed.run.steps.base import Names, Problem, Step, unknown
from testbed.scenario.event_names import EVENTS
from testbed.scenario.expect import known_event
from testbed.scenario.fields import DurationNs, Model, Reference, at

if TYPE_CHECKING:
    from testbed.run.steps.context import Run

PortState = Literal["up", "down"]


class RunFor(Step):
    """Lets flows run for so long."""

    kind: ClassVar[str] = "run"
    shorthand: ClassVar[str] = "for_"
    for_: DurationNs = Field(alias="for", description="how long")

    async def execute(self, run: Run) -> None:
        await run.pause(self.for_)

    def text(self) -> str:
        return f"run: {self.for_ / 1e9:g}s"


class Label(Step):
    """A mark in the report."""

    kind: ClassVar[str] = "label"
    shorthand: ClassVar[str] = "text_"
    text_: str = Field(alias="text", min_length=1, description="what it says")

    async def execute(self, run: Run) -> None:
        run.label(self.text_)

    def text(self) -> str:
        return f"label: {self.text_}"


class EventPattern(Model):
    """A name, and fields that have to be equal; `actor` is the process it comes from."""

    model_config = Model.model_config | {"extra": "allow"}
    name: str = Field(description="one of the events below; a bare name may stand for the mapping")

    @model_validator(mode="before")
    @classmethod
    def known_keys_only(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data

    def matches(self, event: Event) -> bool:
        fields = {"actor": event.actor, **event.fields}
        wanted = self.model_extra or {}
        return event.name == self.name and all(fields.get(key) == value for key, value in wanted.items())

    def written(self) -> str:
        wanted = ", ".join(f"{key} {value}" for key, value in (self.model_extra or {}).items())
        return f"{self.name} ({wanted})" if wanted else self.name


class Wait(Step):
    """Until all of this is so, `within` a deadline. An event counts from the last step that was no wait."""

    kind: ClassVar[str] = "wait"
    flows: Literal["moving"] | dict[Reference, Literal["moving"]] | None = Field(
        None, description="packets of all flows, or of those named, arrive over sessions that are up"
    )
    ports: PortState | dict[Reference, PortState] | None = Field(
        None, description="sessions on the ports of all running frontends, or on those named"
    )
    guest: Literal["ready"] | dict[Reference, Literal["ready"]] | None = Field(
        None, description="the agent in all guests, or in those named, answers"
    )
    actors: Literal["up"] | dict[Reference, Literal["up"]] | None = Field(
        None, description="all processes that were started, or those named, are there and answer"
    )
    received: dict[Reference, Annotated[int, Field(ge=1)]] | None = Field(
        None, description="so many packets of each of these flows have arrived, since they began"
    )
    event: EventPattern | None = Field(
        None, description="it happened since the last step that was no wait; fields have to be equal"
    )
    within: DurationNs = Field(10 * 10**9, description="the deadline")

    @model_validator(mode="after")
    def waits_for_something(self) -> Wait:
        if not self.model_fields_set - {"within"}:
            raise ValueError("waits for nothing; write flows, received, ports, guest, actors or event")
        if self.within == 0:
            raise at("within", "0 is no deadline; write one like 5s")
        return self

    def problems(self, names: Names) -> Iterator[Problem]:
        yield from unknown("flow", _names(self.flows), names.flows, "flows")
        yield from unknown("flow", _names(self.received), names.flows, "received")
        yield from unknown("port", _names(self.ports), names.ports, "ports")
        yield from unknown("guest", _names(self.guest), names.guests, "guest")
        yield from unknown("actor", _names(self.actors), names.actors, "actors")
        if self.event is not None and (what := known_event(self.event.name, EVENTS)):
            yield ("event", "name"), what

    async def execute(self, run: Run) -> None:
        conditions = list(self._conditions(run))

        def missing() -> str:
            return next((what for condition in conditions if (what := condition())), "")

        await run.wait(missing, self.within)

    def _conditions(self, run: Run) -> Iterator[Callable[[], str]]:
        if self.actors is not None:
            yield run.actors_not_up(_names(self.actors))
        if self.guest is not None:
            yield run.guests_not_ready(_names(self.guest))
        if isinstance(self.ports, dict):
            for port, state in self.ports.items():
                yield run.ports_not(state, [port])
        elif self.ports is not None:
            yield run.ports_not(self.ports, [])
        if self.flows is not None:
            yield run.flows_not_moving(_names(self.flows))
        for flow, packets in (self.received or {}).items():
            yield run.flow_has_not(flow, packets)
        if self.event is not None:
            yield run.event_not_seen(self.event.written(), self.event.matches)

    def text(self) -> str:
        parts = []
        for key in ("flows", "ports", "guest", "actors"):
            value = getattr(self, key)
            if isinstance(value, dict):
                parts.append(f"{key} " + ", ".join(f"{name} {state}" for name, state in value.items()))
            elif value is not None:
                parts.append(f"{key} {value}")
        if self.received is not None:
            parts += [f"{packets} of {flow} received" for flow, packets in self.received.items()]
        if self.event is not None:
            parts.append(f"event {self.event.written()}")
        return f"wait: {' and '.join(parts)} (within {self.within / 1e9:g}s)"


def _names(value: Any) -> list[str]:
    """Those that are named; none means all."""
    return list(value) if isinstance(value, dict) else []
