"""Before, during and after the faults: windows of time, and what a flow did in each of them.

All faults together make `during`: from each one's start to the end of its healing, and SETTLE_NS longer, because what a
fault does to others (a flood, a stalled worker) shows in the packets that come next.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.check.evidence import Evidence, FlowEvidence
from testbed.check.histogram import Histogram, decode, enough_for
from testbed.check.losses import Span, merged

SETTLE_NS = 100_000_000
# A rate is measured over at least this many bins and this long: a scheduler's slice in a shorter one would decide it.
_LEAST_BINS = 5
_LEAST_NS = 50_000_000


@dataclass(frozen=True)
class Phases:
    before: list[Span]
    during: list[Span]
    after: list[Span]


@dataclass(frozen=True)
class PhaseValues:
    before: int
    during: int
    after: int | None


def phases_of(evidence: Evidence, flow: FlowEvidence) -> Phases | None:
    """Of the time in which the flow moved. None: it did not move, or no fault fell into that time."""
    receiver = flow.receiver or {}
    start, end = receiver.get("first_ns") or 0, receiver.get("last_ns") or 0
    spans = [
        (fault.start, (evidence.end if fault.end is None else fault.end) + SETTLE_NS)
        for fault in evidence.faults
    ]
    during = merged([(max(a, start), min(b, end)) for a, b in spans if a < end and b > start])
    if not during or end <= start:
        return None
    return Phases([(start, during[0][0])], during, [(during[-1][1], end)])


def rate_in(flow: FlowEvidence, windows: list[Span]) -> float | None:
    """Packets received per second in the bins that lie wholly in the windows. None: too little time."""
    bins = (flow.receiver or {}).get("bins") or {}
    start, width, received = bins.get("start_ns", 0), bins.get("width_ns", 0), bins.get("received", [])
    if not width:
        return None
    packets: int = 0
    count: int = 0
    for begin, end in windows:
        first, last = max(0, -(-(begin - start) // width)), min(len(received), (end - start) // width)
        if last > first:
            packets += sum(int(number) for number in received[first:last])
            count += last - first
    if count < _LEAST_BINS or count * width < _LEAST_NS:
        return None
    return round(packets / (count * int(width) / 1e9), 3)


def latencies_by_phase(flow: FlowEvidence, phases: Phases, percent: float) -> tuple[PhaseValues | None, str]:
    """The percentile in each phase, or why it cannot be had. Raises HistogramError."""
    if not flow.snapshots:
        return None, "its receiver was not asked for histograms around the faults"
    before, during, after = _split(flow, phases)
    for name, histogram in (("before", before), ("during", during)):
        if percent < 100 and not enough_for(percent, histogram.count):
            return None, f"only {histogram.count} packets came {name} the faults"
    last = after.percentile(percent) if enough_for(percent, after.count) else None
    return PhaseValues(before.percentile(percent), during.percentile(percent), last), ""


def _split(flow: FlowEvidence, phases: Phases) -> tuple[Histogram, Histogram, Histogram]:
    """Histograms grow, so the difference of two snapshots is what came between them. A stretch between two snapshots
    counts as `during` unless it lies wholly before the first fault or after the last."""
    snapshots = [
        (entry["t"], decode(entry["latency"]))
        for entry in sorted(flow.snapshots, key=lambda entry: entry["t"])
    ]
    whole = decode((flow.receiver or {})["latency"])
    first_fault, last_fault = phases.during[0][0], phases.during[-1][1] - SETTLE_NS
    nothing = whole.minus(whole)
    early = [histogram for t, histogram in snapshots if t <= first_fault]
    late = [histogram for t, histogram in snapshots if t >= last_fault]
    before = early[-1] if early else nothing
    until = late[0] if late else whole
    return before, until.minus(before), whole.minus(until)
