"""What is measured and what comes out. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

VARIANTS = ("split", "packed", "split-vector", "packed-vector")


@dataclass(frozen=True)
class Load:
    """One load that all subjects of a case are put under."""

    variant: str = "split"  # of VARIANTS: the frontends' ring, and the driver's vector path on it
    size: int = 64  # octets of a frame, without FCS
    macs: int = 1  # pairs of addresses a direction
    both_ways: bool = True
    touched: bool = False  # frontends read and write every cache line of a frame, as guests do
    queue_size: int = 256  # what QEMU and DPDK's virtio_user have when nobody says otherwise
    small_pages: bool = False  # the frontends' memory is in pages of 4 KiB, where hugepages could be had too

    @property
    def name(self) -> str:
        addresses = "" if self.macs == 1 else f", {self.macs} MACs"
        more = f"{'' if self.both_ways else ', one way'}{', touched' if self.touched else ''}"
        more += "" if self.queue_size == 256 else f", rings of {self.queue_size}"
        more += ", small pages" if self.small_pages else ""
        return f"{self.variant} {self.size} B{addresses}{more}"

    @property
    def packed(self) -> bool:
        return self.variant.startswith("packed")

    @property
    def vectorized(self) -> bool:
        return self.variant.endswith("-vector")


@dataclass(frozen=True)
class Work:
    """What a polling thread has counted: the difference of two readings is what it did in between.

    `cycles` are TSC cycles of rounds in which packets moved; polls that found nothing are not in it, in no subject.
    `bursts` is 0 where a subject does not count them.
    """

    packets: int
    cycles: int
    bursts: int = 0

    def since(self, before: Work) -> Work:
        return Work(self.packets - before.packets, self.cycles - before.cycles, self.bursts - before.bursts)


@dataclass(frozen=True)
class Sample:
    """One subject under one load for a moment."""

    mpps: float  # arrived back at the generator, all directions together
    cycles: float  # busy TSC cycles of the subject per packet it switched
    burst: float  # packets a non-empty poll found; 0: not known
    busy: float  # share of the time in which the subject had packets in hand
    generator_busy: float  # and the generator


GENERATOR_SATURATED = 0.95


@dataclass(frozen=True)
class Latency:
    """One way, at one rate. `carried`: the rate went through; else these are the latencies of full queues."""

    rate_pps: float
    p50_us: float
    p99_us: float
    p999_us: float
    carried: bool


PERCENT = (10, 50, 90)  # of the load at which latencies are measured


@dataclass
class LatencyCase:
    """A subject beside its yardstick, both at the same rates."""

    load: Load
    subject: str
    against: str
    full_pps: float = 0.0  # what 100 % is
    pairs: list[dict[str, dict[int, Latency]]] = field(default_factory=list)  # by subject, by per cent
    rejected: list[str] = field(default_factory=list)
    unsupported: str = ""

    def median(self, subject: str, percent: int, name: str) -> float:
        return float(statistics.median(getattr(pair[subject][percent], name) for pair in self.pairs))

    def carried(self, subject: str, percent: int) -> bool:
        return all(pair[subject][percent].carried for pair in self.pairs)


@dataclass
class Block:
    """A subject started anew, warmed up, and measured. `disturbed` says why it does not count; empty when it does."""

    subject: str
    ping_pong: tuple[float, float]  # cycles for a cache line to the other CPU, before and after
    sample: Sample | None = None
    disturbed: str = ""


@dataclass
class Pair:
    """Two neighbouring blocks of one mode of the machine."""

    first: Block
    second: Block


@dataclass
class Case:
    """One line of the table: a subject beside its yardstick under one load."""

    load: Load
    subject: str
    against: str
    pairs: list[Pair] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    unsupported: str = ""  # why there are no figures

    def samples(self, subject: str) -> list[Sample]:
        blocks = [block for pair in self.pairs for block in (pair.first, pair.second)]
        return [block.sample for block in blocks if block.subject == subject and block.sample]
