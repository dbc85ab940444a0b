"""Switches: bricks, ports, edges."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from testbed.scenario.fields import DurationNs, Mac, MemoryMb, Model, Name, Reference
from testbed.scenario.mistakes import unknown_name
from testbed.scenario.topology.roles import Datapath, Role

# sizeof(sockaddr_un.sun_path) is 108 with its final zero: unix(7).
LONGEST_SOCKET_PATH = 107


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


Workers = Annotated[list[Annotated[int, Field(ge=0, le=15)]], Field(min_length=1)]
_WORKERS = Field(
    None, description="the workers that poll its queues, in turn; when absent, `assignment` says"
)


class VhostPort(Model):
    """A vhost-user port. `role` is the switch's; the frontend takes the other one."""

    type: Literal["vhost"]
    role: Role = Field(
        "server",
        description="of the switch on the socket; as client it connects to where the frontend listens",
    )
    queues: int = Field(1, ge=1, le=128, description="queue pairs a frontend may use")
    workers: Workers | None = _WORKERS
    path: str | None = Field(
        None, description="the socket's path; without it one is made in the run's directory"
    )
    datapath: Datapath | None = Field(None, description="who walks its rings; as the switch when absent")
    deadline: DurationNs | None = Field(
        None,
        description="how long a frontend may leave a message half sent, or an answer unread; 5s when absent",
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
    workers: Workers | None = _WORKERS
    mtu: int = Field(
        1500, ge=68, le=9216, description="longer frames neither leave nor enter; VLAN tags do not count"
    )
    to: Reference | None = Field(None, description="the brick it leads to")


class LinkPort(Model):
    """A cable to a link port of another switch. Needs no device and no privileges; either switch may die and come back."""

    type: Literal["link"]
    peer: Reference = Field(description="the link port at the other end, like b.up; its `peer` is this one")
    to: Reference | None = Field(None, description="the brick it leads to")

    def document(self, reference: str) -> dict[str, Any]:
        """Of the two ends the one that comes first in the alphabet listens."""
        document: dict[str, Any] = self.plain()
        del document["peer"]
        return document | {"role": "server" if reference < self.peer else "client"}


Port = Annotated[VhostPort | NicPort | LinkPort, Field(discriminator="type")]
Edge = Annotated[
    tuple[Reference, Reference], Field(description="two ends: a port, a brick, or a brick's side (tap.west)")
]


class Sabotage(Model):
    """Something a sabotaged switch does wrong, for tests of the checkers (docs/checkers.md, "Saboteurs")."""

    what: Name = Field(description="`testbed-switch-sabotaged --sabotage list` names them")
    every: int = Field(1, ge=1, description="spoils the first of so many occasions")
    skip: int = Field(0, ge=0, description="after so many that pass")
    port: Name | None = Field(None, description="only there, and not at every port")
    from_session: int = Field(
        0, ge=0, description="not before this session of the port, in each life of the switch"
    )

    def document(self) -> dict[str, Any]:
        return self.plain()


class Switch(Model):
    """A testbed-switch process, or what `--backend` puts in its place."""

    datapath: Datapath = Field(
        "ring",
        description="who walks the rings of ports that do not say: the switch itself, or DPDK's vhost library",
    )
    workers: int = Field(1, ge=1, le=16, description="polling threads; queues are shared out among them")
    cpus: list[int] | None = Field(None, description="the CPUs they are bound to, in turn; any when absent")
    assignment: Literal["round_robin", "cycles", "pinned"] | None = Field(
        None,
        description="who polls which queue: as many each (`round_robin`, when absent), as much work each (`cycles`, as "
        "measured), or as it came (`pinned`)",
    )
    rebalance: DurationNs | None = Field(
        None,
        description="how often `assignment: cycles` looks whether moving queues is worth it; 1s when absent",
    )
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
    sabotage: list[Sabotage] = Field(
        [],
        description="for tests of the checkers only: what a testbed-switch-sabotaged, run instead, does wrong",
    )


def brick_reference(end: str, bricks: dict[str, Any]) -> str:
    """Why `end` (lan, tap.west) is no brick, or empty."""
    brick, _, _ = end.partition(".")
    return "" if brick in bricks else unknown_name("brick", brick, bricks)
