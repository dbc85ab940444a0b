"""cut, hold, delay, drop_reply...: faults on the socket between a frontend and its port, done by testbed-proxy.

Each of them is armed by its step and happens when the message it is about passes by: in this session, or, where that
message has passed already, in the next one (`disconnect` makes one). A fault that never happened makes the run unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from testbed.run.steps.base import Names, Problem, Step, unknown, written
from testbed.scenario.fields import DurationNs, Reference, References, at
from testbed.scenario.session_message import Message
from testbed.scenario.units import duration_text

if TYPE_CHECKING:
    from testbed.run.steps.context import Run

_WHICH = "a message's number in the session (from 1, replies counted too), or its request's name"


class OnSockets(Step):
    def sockets(self) -> list[str]:
        """The ports whose sockets are to be had in hand."""
        raise NotImplementedError

    def problems(self, names: Names) -> Iterator[Problem]:
        ports = self.sockets()
        yield from unknown("port", ports, names.ports, "port")
        for port in ports:
            if port in names.ports and port not in names.attached:
                yield ("port",), f"no frontend of this file sits at {port}; the fault is between the two"


class WireFault(OnSockets):
    """What faults have in common. `fault()` is the fault as docs/protocol.md (testbed-proxy) writes it."""

    breaks: ClassVar[bool] = True
    port: Reference = Field(description="the port whose socket it is")
    sessions: int = Field(1, ge=1, description="in how many sessions it happens, once in each")

    def fault(self) -> dict[str, Any]:
        raise NotImplementedError

    def sockets(self) -> list[str]:
        return [self.port]

    def text(self) -> str:
        durations = {
            field.alias or name: duration_text(value)
            for name, field in type(self).model_fields.items()
            if name in ("by", "for_") and (value := getattr(self, name)) is not None
        }
        given = self.model_dump(by_alias=True, exclude_unset=True, mode="json") | durations
        return f"{self.kind}: {written(given)}"

    async def execute(self, run: Run) -> None:
        await run.arm(self.port, self.kind, {**self.fault(), "times": self.sessions})

    async def heal(self, run: Run) -> None:
        await run.heal_wire(self.port)


class _FromOneSide(WireFault):
    from_: Literal["frontend", "backend"] | None = Field(
        None, alias="from", description="only messages of this side; of either when absent"
    )

    def _side(self) -> dict[str, Any]:
        return {"dir": self.from_} if self.from_ else {}


class Cut(_FromOneSide):
    """Closes the connection, right after a message or in place of it. Both sides may connect again at once."""

    kind: ClassVar[str] = "cut"
    after_message: Message | None = Field(None, description=_WHICH)
    before_message: Message | None = Field(None, description="the same; it does not arrive any more")

    @model_validator(mode="after")
    def exactly_one(self) -> Cut:
        if (self.after_message is None) == (self.before_message is None):
            raise at("after_message", "a cut needs exactly one of after_message and before_message")
        return self

    def fault(self) -> dict[str, Any]:
        if self.after_message is not None:
            return {"after_message": self.after_message, **self._side()}
        return {"before_message": self.before_message, **self._side()}


class Hold(_FromOneSide):
    """Lets a part of a message through; the rest and what follows wait, until `for` is over or a `heal`."""

    kind: ClassVar[str] = "hold"
    message: Message = Field(description=_WHICH)
    bytes_: int | None = Field(
        None, ge=0, alias="bytes", description="that pass at once, of header and payload; half when absent"
    )
    for_: DurationNs | None = Field(
        None, alias="for", description="how long the rest waits; until `heal` when absent"
    )

    def fault(self) -> dict[str, Any]:
        return {"message": self.message, **self._side(), **_given("bytes", self.bytes_), **_for(self.for_)}


class Delay(_FromOneSide):
    """Messages arrive later by so much, in order: one, or all of the session."""

    kind: ClassVar[str] = "delay"
    by: DurationNs = Field(description="how much later")
    message: Message | None = Field(None, description=_WHICH + "; all when absent")
    for_: DurationNs | None = Field(
        None, alias="for", description="how long; to the session's end when absent"
    )

    @field_validator("by")
    @classmethod
    def a_millisecond_at_least(cls, value: int) -> int:
        if value < 10**6:
            raise ValueError("the shortest delay is 1ms")
        return value

    def fault(self) -> dict[str, Any]:
        late = {"ms": self.by // 10**6}
        return {**late, **_given("message", self.message), **self._side(), **_for(self.for_)}


class _OnReply(WireFault):
    message: Message | None = Field(None, description=_WHICH + "; the next reply when absent")

    def fault(self) -> dict[str, Any]:
        return _given("message", self.message)


class DropReply(_OnReply):
    """The backend's answer does not arrive."""

    kind: ClassVar[str] = "drop_reply"


class DuplicateReply(_OnReply):
    """The backend's answer arrives twice, descriptors and all."""

    kind: ClassVar[str] = "duplicate_reply"


class LoseFd(_FromOneSide):
    """A message arrives without one of its descriptors."""

    kind: ClassVar[str] = "lose_fd"
    message: Message | None = Field(
        None, description=_WHICH + "; the next that carries descriptors when absent"
    )
    index: int | None = Field(None, ge=0, description="which descriptor, from 0; the last when absent")

    def fault(self) -> dict[str, Any]:
        return {**_given("message", self.message), **self._side(), **_given("index", self.index)}


class Corrupt(_FromOneSide):
    """Some octets of a message arrive as others."""

    kind: ClassVar[str] = "corrupt"
    message: Message = Field(description=_WHICH)
    offset: int = Field(0, ge=0, description="where; 0 is the first octet of the header, 12 of the payload")
    bytes_: str = Field(alias="bytes", pattern="^([0-9a-fA-F]{2})+$", description='in hexadecimal, as "ff00"')

    @field_validator("bytes_", mode="before")
    @classmethod
    def yaml_reads_digits_as_a_number(cls, value: Any) -> Any:
        if isinstance(value, int):
            raise ValueError(f'put the octets into quotes: "{value}"')
        return value

    def fault(self) -> dict[str, Any]:
        return {"message": self.message, "offset": self.offset, "bytes": self.bytes_, **self._side()}


class Slow(_FromOneSide):
    """So many octets a second pass and no more."""

    kind: ClassVar[str] = "slow"
    bytes_per_s: int = Field(ge=1, description="octets a second")
    for_: DurationNs | None = Field(
        None, alias="for", description="how long; to the session's end when absent"
    )

    def fault(self) -> dict[str, Any]:
        return {"bytes_per_s": self.bytes_per_s, **self._side(), **_for(self.for_)}


class Heal(OnSockets):
    """Ends the faults on the sockets of ports: what was held or delayed goes on, what did not happen will not."""

    kind: ClassVar[str] = "heal"
    shorthand: ClassVar[str] = "port"
    port: References = Field(description="which ports")

    def sockets(self) -> list[str]:
        return self.port

    async def execute(self, run: Run) -> None:
        for port in self.port:
            await run.heal_wire(port)


def _given(key: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {key: value}


def _for(duration_ns: int | None) -> dict[str, Any]:
    return {} if duration_ns is None else {"for_ms": max(1, duration_ns // 10**6)}
