"""Frontends that others wrote: DPDK's virtio_user, and QEMU with a guest."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from testbed.scenario.fields import MemoryMb, Model, Reference, at
from testbed.scenario.topology.roles import Ring


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
    offloads: Literal["all", "checksum", "none"] | None = Field(
        None,
        description="what it may leave unfinished, and takes so: TCP segments of up to 64 KiB and checksums (`all`, the "
        "default), `checksum` (the default without mergeable buffers: each of them would take 68 KiB of the guest's "
        "memory), or `none`",
    )
    mergeable: bool = Field(True, description="offers VIRTIO_NET_F_MRG_RXBUF")
    memory: MemoryMb = Field(256, description="of the guest")
    cpus: int = Field(1, ge=1, le=8, description="virtual CPUs")
