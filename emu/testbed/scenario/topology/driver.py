"""The scripted frontend: a vhost-user frontend and virtio-net driver of this project (docs/protocol.md, testbed-driver)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from testbed.scenario.fields import DurationNs, MemoryMb, Model, Number64, Reference, at
from testbed.scenario.topology.roles import Ring
from testbed.scenario.virtio_names import unknown_feature

VringOrder = Literal["NUM", "BASE", "ADDR", "ERR", "CALL", "KICK", "ENABLE"]


def _feature(*, protocol: bool) -> Callable[[str], str]:
    def known(name: str) -> str:
        if what := unknown_feature(name, protocol=protocol):
            raise ValueError(what)
        return name.upper()

    return known


Feature = Annotated[str, AfterValidator(_feature(protocol=False))]
ProtocolFeature = Annotated[str, AfterValidator(_feature(protocol=True))]
SegmentLength = Annotated[int, Field(ge=1, le=65535)]
Cut = Annotated[list[SegmentLength], Field(max_length=63)]


class Region(Model):
    """A piece of guest memory that the backend is told of. All regions lie in one file."""

    gpa: Number64 = Field(description="its guest-physical address")
    size: Number64 = Field(description="octets")
    offset: Number64 | None = Field(None, description="where it begins in the file; behind the one before")


class RingPlace(Model):
    """Where the parts of one virtqueue lie, by guest-physical address; what is left out is placed by the driver."""

    descriptors: Number64 | None = Field(
        None, description="the descriptors; on a packed ring the ring itself"
    )
    available: Number64 | None = Field(None, description="the available ring, or the driver's event words")
    used: Number64 | None = Field(None, description="the used ring, or the device's event words")
    log: Number64 | None = Field(None, description="what SET_VRING_ADDR calls the address for logging")


class Driver(Model):
    """A frontend written here, for what virtio_user and QEMU cannot do: logging, hostile messages and chains, a memory
    that is looked at octet by octet. Without flows it is idle."""

    type: Literal["driver"]
    port: Reference = Field(description="the vhost port it plugs into; it takes the opposite role")
    connect: Literal["by itself", "by hand"] = Field(
        "by itself", description="`by hand`: it waits for the steps `connect` and `handshake`"
    )
    ring: Ring = Field("split", description="the virtqueues' layout")
    queues: int = Field(1, ge=1, le=128, description="queue pairs; not more than the port has")
    size: int = Field(
        256, ge=1, le=32768, description="descriptors in each virtqueue; a power of two if they are split"
    )
    mergeable: bool = Field(True, description="wants VIRTIO_NET_F_MRG_RXBUF")
    indirect: bool = Field(True, description="wants VIRTIO_F_RING_INDIRECT_DESC, and uses it")
    in_order: bool = Field(False, description="wants VIRTIO_F_IN_ORDER")
    event_idx: bool = Field(False, description="wants VIRTIO_F_RING_EVENT_IDX")
    with_: list[Feature] = Field(
        [], alias="with", description="feature bits it wants besides, like `ctrl_vq` or `bit 42`"
    )
    without: list[Feature] = Field([], description="feature bits it does not want")
    with_protocol: list[ProtocolFeature] = Field([], description="protocol features it wants besides")
    without_protocol: list[ProtocolFeature] = Field(
        [], description="protocol features it does not want; the others of its own it does"
    )
    features: Number64 | None = Field(None, description="a mask acknowledged whatever is offered")
    protocol_features: Number64 | None = Field(None, description="the same for protocol features")
    memory: MemoryMb | None = Field(
        None, description="of the guest, one region from address 0; as much as is needed when absent"
    )
    regions: Annotated[list[Region], Field(min_length=1, max_length=8)] | None = Field(
        None, description="in place of `memory`: the regions, in one file"
    )
    backing: Literal["memfd", "file"] = Field(
        "memfd",
        description="`file`: memory and rings outlive the process, and it goes on in them when started again",
    )
    fill: bool = Field(
        False, description="memory that nothing uses holds something, as in a guest that has run for a while"
    )
    sealed: bool = Field(False, description="seals the memfd against shrinking and growing")
    scratch: Number64 = Field(65536, description="octets of memory for chains built by hand: buf0, buf1...")
    max_frame: int = Field(9000, ge=60, le=65535, description="the longest frame it receives, octets")
    rx_buffer: int | None = Field(
        None, ge=13, description="octets of a receive buffer: 2048, or a whole frame without `mergeable`"
    )
    buffer_offset: int = Field(0, ge=0, le=65535, description="where in its slot a buffer begins, octets")
    tx_cut: Cut = Field([], description="lengths of a sent chain's first descriptors")
    rx_cut: Cut = Field([], description="lengths of a receive chain's first descriptors")
    rings: dict[int, RingPlace] = Field(
        {}, description="places of virtqueues by number (0 receives, 1 sends)"
    )
    posting: bool = Field(True, description="posts receive buffers; without them, chains by hand do")
    first: int | None = Field(
        None, ge=0, le=65535, description="where empty rings begin; packed: with the wrap counter in bit 15"
    )
    need_reply: bool = Field(
        True, description="asks for an answer to every message, once REPLY_ACK is agreed"
    )
    mtu: int = Field(0, ge=0, le=65535, description="negotiates it and sends NET_SET_MTU; 0: does not")
    memory_slots: bool = Field(False, description="ADD_MEM_REG for each region in place of SET_MEM_TABLE")
    polled: bool = Field(False, description="gives the backend no kick and call descriptors")
    interrupts: bool = Field(True, description="sleeps until the backend calls; else it polls")
    vring_order: list[VringOrder] | None = Field(
        None, description="the SET_VRING_ messages of each virtqueue, in the order they are sent"
    )
    answer_backend: bool = Field(True, description="answers requests on the backend's channel")
    iotlb_page: Number64 = Field(0, description="octets an IOTLB miss is answered with; 0: its region")
    answer: DurationNs = Field(5 * 10**9, description="how long it waits for each answer")

    @model_validator(mode="after")
    def fits_together(self) -> Driver:
        if self.ring == "split" and self.size & (self.size - 1):
            raise at("size", f"{self.size} is no power of two (virtio 1.2, 2.7: Split Virtqueues)")
        if self.memory is not None and self.regions is not None:
            raise at("regions", "stands in place of `memory`; leave one of them out")
        if self.sealed and self.backing == "file":
            raise at("sealed", "only a memfd can be sealed; leave out `backing: file`")
        for index in self.rings:
            if not 0 <= index < 2 * self.queues:
                raise at(
                    "rings",
                    f"there is no virtqueue {index}; {self.queues} pairs are 0 to {2 * self.queues - 1}",
                )
        return self

    def document(self) -> dict[str, Any]:
        """The options of frontend.add."""
        document: dict[str, Any] = self.plain()
        for key in (
            "type",
            "port",
            "connect",
            "answer",
            "posting",
            "memory",
            "features",
            "protocol_features",
        ):
            document.pop(key, None)
        document["auto"] = self.connect == "by itself"
        document["answer_ms"] = max(1, self.answer // 10**6)
        document["rings"] = {str(index): place.plain() for index, place in self.rings.items()}
        if self.memory is not None:
            document["memory"] = self.memory << 20
        for key in ("features", "protocol_features"):
            if (mask := getattr(self, key)) is not None:
                document[key] = hex(mask)
        return document
