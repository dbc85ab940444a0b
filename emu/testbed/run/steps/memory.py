"""chain, poke, flip, resize, block: what a driver's guest writes into its memory, whoever reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from testbed.run.steps.base import Names, Problem
from testbed.run.steps.raw import Octets, OnDriver
from testbed.scenario.fields import DurationNs, Model, Number64, Reference, at
from testbed.scenario.guest_address import guest_address
from testbed.scenario.mistakes import unknown_name

if TYPE_CHECKING:
    from testbed.run.hand import Hand
    from testbed.run.steps.context import Run


def _checked(value: Any) -> Any:
    """Kept as it was written."""
    guest_address(value)
    return value


Place = Annotated[
    Any,
    BeforeValidator(_checked),
    WithJsonSchema({"type": ["integer", "string"], "examples": ["buf0", "buf0+12", 4096]}),
]
QueueNumber = Annotated[int, Field(ge=0, le=255)]


class Descriptor(Model):
    """One descriptor, as it will stand in memory."""

    addr: Place = Field("buf0", description="where its buffer begins")
    len: Number64 = Field(0, description="octets")
    write: bool | None = Field(None, description="the device writes (VIRTQ_DESC_F_WRITE)")
    next: bool | None = Field(None, description="another one follows; by itself true for all but the last")
    indirect: bool | None = Field(None, description="its buffer is a table of descriptors")
    flags: int | None = Field(None, ge=0, le=65535, description="all of them, in place of the three")
    next_index: int | None = Field(None, ge=0, le=65535, description="of a split ring: which follows")
    id: int | None = Field(None, ge=0, le=65535, description="of a packed ring: the buffer's id")


class Chain(OnDriver):
    """A driver posts a chain of descriptors built by hand, possible or not. The chains of flows go on beside it."""

    kind: ClassVar[str] = "chain"
    on: Reference = Field(description="the driver frontend")
    queue: QueueNumber = Field(1, description="the virtqueue by number: 0 receives, 1 sends, 2 receives...")
    descriptors: Annotated[list[Descriptor], Field(min_length=1, max_length=32768)] = Field(
        description="one after the other"
    )
    data: Octets | None = Field(None, description="octets written to the first descriptor's buffer before")
    head: int | None = Field(
        None, ge=0, le=65535, description="what the available ring says, in place of the first's"
    )
    avail_index: int | None = Field(
        None, ge=0, le=65535, description="what the available index says, in place of one more"
    )
    exact_flags: bool = Field(
        False, description="of a packed ring: the flags are written as they are, wrap bits too"
    )
    publish: bool = Field(True, description="false: the descriptors are written, and nobody is told")
    kick: bool = Field(True, description="tells the backend")
    times: int = Field(1, ge=1, le=100_000, description="how often")
    returned: bool | None = Field(
        None, description="claims that it comes back, or does not, `within` its deadline"
    )
    within: DurationNs = Field(1 * 10**9, description="the deadline for that")

    async def execute(self, run: Run) -> None:
        hand = run.hand(self.on)
        async with run.fault(self.kind, [self.on]):
            if self.data is not None:
                await hand.poke(guest_address(self.descriptors[0].addr), self.data)
            given = {
                "vring": self.queue,
                "descriptors": [await _written(hand, one) for one in self.descriptors],
                "head": self.head,
                "avail_index": self.avail_index,
                "exact_flags": self.exact_flags,
                "publish": self.publish,
                "kick": self.kick,
            }
            for _ in range(self.times):
                posted = await hand.do(f"chain on virtqueue {self.queue}", "chain", given)
                if self.returned is not None and "token" in posted:
                    await hand.returned(self.queue, posted["token"], self.returned, self.within)

    def text(self) -> str:
        count = f", {self.times} times" if self.times > 1 else ""
        return f"chain: {len(self.descriptors)} descriptors on virtqueue {self.queue} of {self.on}{count}"


async def _written(hand: Hand, one: Descriptor) -> dict[str, Any]:
    return {**one.plain(), "addr": await hand.address(guest_address(one.addr))}


class Poke(OnDriver):
    """Overwrites octets of a driver's guest memory, rings included."""

    kind: ClassVar[str] = "poke"
    on: Reference = Field(description="the driver frontend")
    at_: Place = Field(alias="at", description="where")
    bytes_: Octets = Field(alias="bytes", description="what, in hexadecimal")

    async def execute(self, run: Run) -> None:
        hand = run.hand(self.on)
        async with run.fault(self.kind, [self.on]):
            await hand.poke(guest_address(self.at_), self.bytes_)


class Flip(OnDriver):
    """Changes octets of a driver's guest memory again and again while the backend reads them, until `values: []` stops it
    (the end of the run does, too)."""

    kind: ClassVar[str] = "flip"
    on: Reference = Field(description="the driver frontend")
    at_: Place = Field(alias="at", description="where")
    values: list[Octets] = Field(
        description="written in turn: equally long, 8 octets at most, in hexadecimal; none stops"
    )
    hz: int = Field(0, ge=0, le=10_000_000, description="so often a second; 0: as fast as it can")

    @model_validator(mode="after")
    def equally_long(self) -> Flip:
        lengths = {len(value) // 2 for value in self.values}
        if len(lengths) > 1 or any(not 1 <= length <= 8 for length in lengths):
            raise at("values", "have to be equally long, 1 to 8 octets")
        return self

    async def execute(self, run: Run) -> None:
        hand = run.hand(self.on)
        async with run.fault(self.kind, [self.on]):
            await hand.flip(guest_address(self.at_), self.values, self.hz)


class OnDescriptor(OnDriver):
    """Of a descriptor that was given to the backend under a name."""

    on: Reference = Field(description="the driver frontend")
    fd: str = Field(min_length=1, description="its name")

    def problems(self, names: Names) -> Iterator[Problem]:
        yield from super().problems(names)
        kept = names.descriptors.get(self.on, frozenset())
        if self.fd not in kept:
            yield ("fd",), unknown_name("descriptor", self.fd, kept)


class Resize(OnDescriptor):
    """Changes the size of a descriptor's file that was given to the backend under a name (`fds: [memfd 8192 as table]`)."""

    kind: ClassVar[str] = "resize"
    size: Number64 = Field(description="octets from now on")

    async def execute(self, run: Run) -> None:
        async with run.fault(self.kind, [self.on]):
            await run.hand(self.on).do(f"resize {self.fd}", "resize", {"fd": self.fd, "size": self.size})


class Block(OnDescriptor):
    """Makes a descriptor blocking that was given to the backend under a name (`fds: [full eventfd as bell]`)."""

    kind: ClassVar[str] = "block"

    async def execute(self, run: Run) -> None:
        async with run.fault(self.kind, [self.on]):
            await run.hand(self.on).do(f"block {self.fd}", "block", {"fd": self.fd})


class Kick(OnDriver):
    """Kicks a virtqueue, with or without anything new in it."""

    kind: ClassVar[str] = "kick"
    on: Reference = Field(description="the driver frontend")
    queue: QueueNumber = Field(1, description="the virtqueue by number")
    times: int = Field(1, ge=1, le=1_000_000, description="how often")

    async def execute(self, run: Run) -> None:
        async with run.fault(self.kind, [self.on]):
            await run.hand(self.on).do("kick", "kick", {"vring": self.queue, "times": self.times})


class Virtqueue(OnDriver):
    """Switches one virtqueue of a driver on or off (SET_VRING_ENABLE), or leaves it without receive buffers."""

    kind: ClassVar[str] = "virtqueue"
    on: Reference = Field(description="the driver frontend")
    queue: QueueNumber = Field(description="the virtqueue by number")
    enabled: bool | None = Field(None, description="the message that is sent")
    posting: bool | None = Field(None, description="whether receive buffers are posted")

    @model_validator(mode="after")
    def changes_something(self) -> Virtqueue:
        if (self.enabled is None) == (self.posting is None):
            raise ValueError("changes one thing: `enabled` or `posting`")
        if self.posting is not None and self.queue % 2:
            raise at("posting", f"virtqueue {self.queue} sends; receive buffers are posted on even ones")
        return self

    async def execute(self, run: Run) -> None:
        given = {"vring": self.queue, "enable": self.enabled, "posting": self.posting}
        async with run.fault(self.kind, [self.on]):
            await run.hand(self.on).do(f"virtqueue {self.queue}", "queues", given)


class Rings(OnDriver):
    """Stops all virtqueues of a driver (GET_VRING_BASE), or stops and starts them again on the same session; `fresh`:
    empty, as after a reboot of the guest."""

    kind: ClassVar[str] = "rings"
    on: Reference = Field(description="the driver frontend")
    restart: bool = Field(True, description="false: they stay stopped")
    fresh: bool = Field(False, description="empty, from the beginning")

    async def execute(self, run: Run) -> None:
        hand = run.hand(self.on)
        answers = 16 * hand.actor.spec.queues
        async with run.fault(self.kind, [self.on]):
            if self.restart:
                await hand.do(
                    "restart rings", "restart", {"fresh": self.fresh}, answers=answers, claims=["done"]
                )
            else:
                await hand.do("stop rings", "stop", {}, answers=answers, claims=["done"])
