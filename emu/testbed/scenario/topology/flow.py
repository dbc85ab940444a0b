"""Flows: checked packets between frontends."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from testbed.scenario.fields import DurationNs, Model, RateValue, Reference, SizesValue, at
from testbed.scenario.units import Size


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
        None, ge=0, le=127, description="send by this queue only; else streams take turns"
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
