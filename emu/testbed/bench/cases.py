"""The named benches: which subjects, beside which yardstick, under which loads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from testbed.bench.model import Case, LatencyCase, Load

OURS = ("switch-library", "switch-ring")
YARDSTICK = "testpmd-io"


def _beside(subjects: tuple[str, ...], loads: list[Load], against: str = YARDSTICK) -> list[Case]:
    return [Case(load, subject, against) for load in loads for subject in subjects]


def rings() -> list[Case]:
    """The headline: the smallest frames on the two ring layouts."""
    return _beside(OURS, [Load("split"), Load("packed")])


def sizes() -> list[Case]:
    return _beside(OURS, [Load("split", size) for size in (256, 512, 1518, 9000)])


def vectors() -> list[Case]:
    """Frontends on the driver's vector paths."""
    return _beside(OURS, [Load("split-vector"), Load("packed-vector")])


def one_way() -> list[Case]:
    return _beside(OURS, [Load("split", both_ways=False), Load("split", 1518, both_ways=False)])


def touched() -> list[Case]:
    """Frames whose octets come over from one CPU and go to the other, as between guests that look at them."""
    return _beside(OURS, [Load("split", touched=True), Load("split", 1518, touched=True)])


def pages() -> list[Case]:
    """Frontends whose memory is in pages of 4 KiB: every frame may cost a walk through the page tables, in a VM two."""
    return _beside(OURS, [Load("split", small_pages=True), Load("packed", small_pages=True)])


def macs() -> list[Case]:
    """A thousand addresses a direction, all of them in the forwarding table."""
    return _beside(OURS, [Load("split", queue_size=1024), Load("split", macs=1000, queue_size=1024)])


def peers() -> list[Case]:
    """What others do with the same load."""
    loads = [Load("split"), Load("packed"), Load("split", 1518)]
    return _beside(("testpmd-mac", "ovs-flow", "ovs-normal"), loads)


def ovs() -> list[Case]:
    """Beside a switch that also learns, and beside one that does not."""
    cases = _beside(OURS, [Load("split"), Load("split", macs=1000, queue_size=1024)], "ovs-normal")
    return cases + _beside(OURS, [Load("split")], "ovs-flow")


def latency() -> list[LatencyCase]:
    return [LatencyCase(Load("split"), subject, YARDSTICK) for subject in OURS]


BENCHES: dict[str, Callable[[], Sequence[Case | LatencyCase]]] = {
    "rings": rings,
    "sizes": sizes,
    "vectors": vectors,
    "one-way": one_way,
    "touched": touched,
    "pages": pages,
    "macs": macs,
    "ovs": ovs,
    "peers": peers,
    "latency": latency,
}
QUICK = ("rings", "ovs", "latency")
