"""Switches with bricks and ports, frontends, flows: what there is before the first step."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from testbed.scenario.fields import (
    DurationNs,
    Mac,
    MemoryMb,
    Model,
    Name,
    RateValue,
    Reference,
    SizesValue,
    at,
)
from testbed.scenario.mistakes import later, unknown_name
from testbed.scenario.units import Size

# sizeof(sockaddr_un.sun_path) is 108 with its final zero: unix(7).
LONGEST_SOCKET_PATH = 107

Role = Literal["client", "server"]
Ring = Literal["split", "packed"]


def opposite(role: Role) -> Role:
    return "server" if role == "client" else "client"


class SwitchBrick(Model):
    """A learning Ethernet switch."""

    type: Literal["switch"]
    ageing: DurationNs = Field(
        300 * 10**9, description="how long an address is remembered without being heard"
    )
    capacity: int = Field(16384, ge=16, description="addresses it can remember")
    static: dict[Mac, Reference] = Field({}, description="address -> the port or brick that it is behind")

    def document(self) -> dict[str, Any]:
        return {
            "type": "switch",
            "ageing_ms": self.ageing // 10**6,
            "capacity": self.capacity,
            "static": dict(self.static),
        }


class HubBrick(Model):
    """Repeats every frame to all others."""

    type: Literal["hub"]

    def document(self) -> dict[str, Any]:
        return {"type": "hub"}


class CaptureBrick(Model):
    """Records what passes from west to east and back, as pcapng, into the run's directory."""

    type: Literal["capture"]
    file: str = Field(min_length=1)
    snap_length: int = Field(65535, ge=14, le=65535)

    def document(self) -> dict[str, Any]:
        return {"type": "capture", "file": self.file, "snap_length": self.snap_length}

    @field_validator("file")
    @classmethod
    def stays_in_the_run(cls, value: str) -> str:
        path = PurePath(value)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(
                f"'{value}' leaves the run's directory; give a name like {path.name or 'lan.pcapng'}"
            )
        return value


Brick = Annotated[SwitchBrick | HubBrick | CaptureBrick, Field(discriminator="type")]


class VhostPort(Model):
    """A vhost-user port. `role` is the switch's; the frontend takes the other one."""

    type: Literal["vhost"]
    role: Role = "server"
    queues: int = Field(1, ge=1, le=8)
    path: str | None = Field(
        None, description="the socket's path; without it one is made in the run's directory"
    )
    to: Reference | None = Field(None, description="the brick it leads to")

    @field_validator("path")
    @classmethod
    def fits_a_socket_address(cls, value: str | None) -> str | None:
        if value is not None and len(value.encode()) > LONGEST_SOCKET_PATH:
            raise ValueError(
                f"{len(value.encode())} bytes are too long for a socket's path, {LONGEST_SOCKET_PATH} is the most; "
                "leave `path` out, or use a shorter directory"
            )
        if value is not None and not value.startswith("/"):
            raise ValueError(f"'{value}' is relative; give an absolute path, or leave `path` out")
        return value


class NicPort(Model):
    """Any DPDK ethdev as a port."""

    type: Literal["nic"]
    device: str = Field(min_length=1, description="as DPDK's --vdev takes it: net_tap0,iface=tb0")
    queues: int = Field(1, ge=1, le=8)
    to: Reference | None = None


Port = Annotated[VhostPort | NicPort, Field(discriminator="type")]
Edge = Annotated[
    tuple[Reference, Reference], Field(description="two ends: a port, a brick, or a brick's side (tap.west)")
]


def known_datapath(value: Any) -> Any:
    if value == "ring":
        raise ValueError(later("`datapath: ring`"))
    return value


class Switch(Model):
    datapath: Annotated[Literal["library"], BeforeValidator(known_datapath)] = "library"
    workers: int = Field(1, ge=1, le=16)
    memory: MemoryMb | None = Field(None, description="of the process, for packets and tables")
    mbufs: int | None = Field(None, ge=512, description="packets that may be on their way at once")
    hugepages: bool | None = None
    bricks: dict[Name, Brick] = {}
    ports: dict[Name, Port] = {}
    edges: list[Edge] = []


class VirtioUser(Model):
    """An emulated frontend: DPDK's virtio_user driver."""

    type: Literal["virtio-user"]
    port: Reference
    ring: Ring = "split"
    queues: int = Field(1, ge=1, le=8)
    queue_size: int = Field(256, ge=64, le=1024)
    in_order: bool = True
    mergeable: bool = True
    vectorized: bool = Field(
        False, description="the driver's vector paths; split rings then are not in order"
    )
    placement: Literal["process", "in-process"] = "process"

    @field_validator("queue_size")
    @classmethod
    def power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError(f"{value} is no power of two (virtio 1.2, 2.7: Split Virtqueues)")
        return value

    @model_validator(mode="before")
    @classmethod
    def what_vectors_need(cls, data: Any) -> Any:
        """The driver silently takes its ordinary path when a condition is not met: say so, or choose what fits."""
        if not isinstance(data, dict) or data.get("vectorized") is not True:
            return data
        in_order = data.get("ring") == "packed"
        if data.get("mergeable") is True:
            raise at("mergeable", "the driver's vector path needs mergeable: false")
        if data.get("in_order", in_order) is not in_order:
            ring, needed = ("packed", "true") if in_order else ("split", "false")
            raise at("in_order", f"the driver's vector path for {ring} rings needs in_order: {needed}")
        return {**data, "mergeable": False, "in_order": in_order}


class Qemu(Model):
    """A real guest with this project's agent inside."""

    type: Literal["qemu"]
    port: Reference
    ring: Ring = "split"
    queues: int = Field(1, ge=1, le=8)
    queue_size: int = Field(256, ge=64, le=1024)
    memory: MemoryMb = 256
    cpus: int = Field(1, ge=1, le=8)


Frontend = Annotated[VirtioUser | Qemu, Field(discriminator="type")]


class Flow(Model):
    """Checked packets from one frontend to another, or among several (every ordered pair)."""

    from_: Reference | None = Field(None, alias="from")
    to: Reference | None = None
    among: Annotated[list[Reference], Field(min_length=2)] | None = None
    rate: RateValue | None = None
    closed_loop: int | None = Field(
        None, ge=1, le=65536, description="packets under way at once; instead of rate"
    )
    size: SizesValue = (Size(64, 64),)
    macs: int = Field(
        1, ge=1, le=4096, description="pairs of addresses; each is a stream with its own numbers"
    )
    queue: int | None = Field(
        None, ge=0, le=7, description="send by this queue only; else streams take turns"
    )
    silence: DurationNs | None = Field(
        None, description="no packet for so long is an outage; without it, some intervals of the flow's rate"
    )

    @model_validator(mode="after")
    def one_way_to_say_it(self) -> Flow:
        if self.among is None and (self.from_ is None or self.to is None):
            raise ValueError("says neither `from` and `to` nor `among`")
        if self.among is not None and (self.from_ is not None or self.to is not None):
            raise at("among", "stands in place of `from` and `to`; leave those out")
        if self.rate is None and self.closed_loop is None:
            raise ValueError("has no `rate`; write one like 20kpps, or `closed_loop: 256`")
        if self.rate is not None and self.closed_loop is not None:
            raise at("closed_loop", "stands in place of `rate`; leave one of them out")
        if self.from_ is not None and self.from_ == self.to:
            raise at("to", f"'{self.to}' would send to itself")
        if self.among is not None and len(set(self.among)) < len(self.among):
            raise at("among", "names a frontend twice")
        return self


def brick_reference(end: str, bricks: dict[str, Any]) -> str:
    """Why `end` (lan, tap.west) is no brick, or empty."""
    brick, _, _ = end.partition(".")
    return "" if brick in bricks else unknown_name("brick", brick, bricks)
