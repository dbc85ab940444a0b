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
    static: dict[Mac, Reference] = Field(
        {}, description="addresses it need not learn, with the port or brick each is behind"
    )

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
    file: str = Field(min_length=1, description="its name in the run's directory")
    snap_length: int = Field(65535, ge=14, le=65535, description="octets kept of each frame")

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
    role: Role = Field(
        "server",
        description="of the switch on the socket; as client it connects to where the frontend listens",
    )
    queues: int = Field(1, ge=1, le=8, description="queue pairs a frontend may use")
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
    device: str = Field(min_length=1, description="as DPDK's --vdev takes it, like `net_tap0,iface=tb0`")
    queues: int = Field(1, ge=1, le=8, description="queue pairs of the device")
    to: Reference | None = Field(None, description="the brick it leads to")


Port = Annotated[VhostPort | NicPort, Field(discriminator="type")]
Edge = Annotated[
    tuple[Reference, Reference], Field(description="two ends: a port, a brick, or a brick's side (tap.west)")
]


def known_datapath(value: Any) -> Any:
    if value == "ring":
        raise ValueError(later("`datapath: ring`"))
    return value


class Switch(Model):
    """A testbed-switch process, or what `--backend` puts in its place."""

    datapath: Annotated[Literal["library"], BeforeValidator(known_datapath)] = Field(
        "library", description="who walks the rings: DPDK's vhost library"
    )
    workers: int = Field(1, ge=1, le=16, description="polling threads; ports are shared out among them")
    memory: MemoryMb | None = Field(
        None, description="of the process, for packets and tables; 64M when absent, more starts slower"
    )
    mbufs: int | None = Field(
        None, ge=512, description="packets of each worker that may be kept at once; 1024 when absent"
    )
    hugepages: bool | None = Field(None, description="packet memory from hugepages; without them when absent")
    bricks: dict[Name, Brick] = Field({}, description="packet-processing steps by name")
    ports: dict[Name, Port] = Field({}, description="where something plugs in, by name")
    edges: list[Edge] = Field([], description="pairs of ends to link: what `to:` cannot say")


class VirtioUser(Model):
    """An emulated frontend: DPDK's virtio_user driver."""

    type: Literal["virtio-user"]
    port: Reference = Field(description="the vhost port it plugs into; it takes the opposite role")
    ring: Ring = Field("split", description="the virtqueues' layout")
    queues: int = Field(1, ge=1, le=8, description="queue pairs; not more than the port has")
    queue_size: int = Field(256, ge=64, le=1024, description="descriptors in each virtqueue, a power of two")
    in_order: bool = Field(
        True, description="offers VIRTIO_F_IN_ORDER; off by itself where `vectorized` needs that"
    )
    mergeable: bool = Field(
        True, description="offers VIRTIO_NET_F_MRG_RXBUF; off by itself with `vectorized`"
    )
    vectorized: bool = Field(
        False, description="the driver's vector paths; split rings then are not in order"
    )
    placement: Literal["process", "in-process"] = Field(
        "process", description="a process of its own, or inside the switch's, with which it lives and dies"
    )

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
    port: Reference = Field(description="the vhost port it plugs into; QEMU takes the opposite role")
    ring: Ring = Field("split", description="the virtqueues' layout")
    queues: int = Field(1, ge=1, le=8, description="queue pairs of its device; not more than the port has")
    queue_size: int = Field(256, ge=64, le=1024, description="descriptors in each virtqueue, a power of two")
    memory: MemoryMb = Field(256, description="of the guest")
    cpus: int = Field(1, ge=1, le=8, description="virtual CPUs")


Frontend = Annotated[VirtioUser | Qemu, Field(discriminator="type")]


class Flow(Model):
    """Checked packets from one frontend to another, or among several (every ordered pair)."""

    from_: Reference | None = Field(None, alias="from", description="the frontend that sends")
    to: Reference | None = Field(None, description="the frontend that receives and checks")
    among: Annotated[list[Reference], Field(min_length=2)] | None = Field(
        None, description="frontends, in place of `from` and `to`: a flow for every ordered pair"
    )
    rate: RateValue | None = Field(
        None, description="packets a second (a bare number, kpps, Mpps), or bits of frames a second (Mbps)"
    )
    closed_loop: int | None = Field(
        None, ge=1, le=65536, description="packets under way at once; instead of rate"
    )
    size: SizesValue = Field(
        (Size(64, 64),),
        description="octets of a frame without FCS, 60 to 9000: one, a range, imix (7:4:1 of 60, 590, 1514), or a list",
    )
    macs: int = Field(
        1, ge=1, le=4096, description="pairs of addresses; each is a stream with its own numbers"
    )
    queue: int | None = Field(
        None, ge=0, le=7, description="send by this queue only; else streams take turns"
    )
    silence: DurationNs | None = Field(
        None,
        description="no packet for so long is an outage; when absent, 20 intervals of the rate, and 20 ms at least",
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
