"""What the pictures are drawn from: rates, losses and latencies over time, thinned out where nothing happens.

The programs count in bins (10 ms, doubling in long runs). Near faults and outages every bin is kept; elsewhere neighbours
are added up, so that ten minutes of twenty flows stay a file that opens. A point's rate is that of its whole stretch:
thinning changes the resolution, never the sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from testbed.check.evidence import Document, Evidence, FlowEvidence
from testbed.check.histogram import HistogramError
from testbed.check.latency import histogram_of
from testbed.check.losses import Gap, Span, gaps_of, merged, outages_of

# Points of one flow's picture: the fine ones near faults, and the others.
FINE_POINTS = 1600
COARSE_POINTS = 400
# How much around a fault or outage is shown bin by bin.
MARGIN_NS = 400_000_000
CURVE = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 99.995, 99.999)


@dataclass
class _Bins:
    start: int
    width: int
    sent: list[float] = field(default_factory=list)
    received: list[float] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)


def flow_series(evidence: Evidence, flow: FlowEvidence) -> Document:
    """{"t": seconds since the first step, "sent", "received", "lost": packets per second, "peak_us"}"""
    bins = _aligned(flow)
    if bins is None:
        return _from_samples(evidence, flow, None)
    document = _thinned(evidence, bins, _focus(evidence, flow, bins.width))
    if flow.sender_incarnations > 1 or flow.receiver_incarnations > 1:
        earlier = _from_samples(evidence, flow, bins.start)
        document = {key: earlier[key] + values for key, values in document.items()}
    return document


def _aligned(flow: FlowEvidence) -> _Bins | None:
    """Both ends on one grid. Widths are 10 ms times a power of two and starts are multiples of them."""
    ends = [((flow.sender or {}).get("bins") or {}), ((flow.receiver or {}).get("bins") or {})]
    used = [bins for bins in ends if bins.get("width_ns")]
    if not used:
        return None
    width = max(int(bins["width_ns"]) for bins in used)
    start = min(int(bins["start_ns"]) for bins in used) // width * width
    sent, received, peak = (
        _regridded(ends[index], key, start, width, add=add)
        for index, key, add in ((0, "sent", True), (1, "received", True), (1, "latency_max_ns", False))
    )
    count = max(len(sent), len(received))
    lost = _lost_per_bin(gaps_of(flow), start, width, count)
    columns = [column + [0.0] * (count - len(column)) for column in (sent, received, lost, peak)]
    return _Bins(start, width, *columns)


def _regridded(bins: Document, key: str, start: int, width: int, *, add: bool) -> list[float]:
    column: list[float] = []
    for index, number in enumerate(bins.get(key) or []):
        place = (int(bins["start_ns"]) + index * int(bins["width_ns"]) - start) // width
        column += [0.0] * (place + 1 - len(column))
        column[place] = column[place] + number if add else max(column[place], number)
    return column


def _lost_per_bin(gaps: list[Gap], start: int, width: int, count: int) -> list[float]:
    """Where the missing packets were sent: evenly between their neighbours that arrived."""
    column = [0.0] * count
    for gap in gaps:
        begin, end = max(gap.after, start), max(gap.before, start)
        first, last = (begin - start) // width, min((end - start) // width, count - 1)
        for index in range(first, last + 1):
            left = max(begin, start + index * width)
            right = min(end, start + (index + 1) * width)
            share = (right - left) / (end - begin) if end > begin else 1.0
            column[index] += gap.count * share
    return column


def _focus(evidence: Evidence, flow: FlowEvidence, width: int) -> list[Span]:
    """Times that are shown bin by bin: as much around every fault and outage as the points allow."""
    moments = [(fault.start, fault.end or fault.start) for fault in evidence.faults]
    moments += [(outage.start, outage.end) for outage in outages_of(evidence, flow)]
    margin = MARGIN_NS
    while margin >= width:
        spans = merged([(start - margin, end + margin) for start, end in moments])
        if sum(end - start for start, end in spans) <= FINE_POINTS * width:
            return spans
        margin //= 2
    return []


def _thinned(evidence: Evidence, bins: _Bins, focus: list[Span]) -> Document:
    count = len(bins.sent)
    stride = max(1, -(-count // COARSE_POINTS))
    document: dict[str, list[Any]] = {"t": [], "sent": [], "received": [], "lost": [], "peak_us": []}
    index = 0
    while index < count:
        fine = _near(bins.start + index * bins.width, bins.width, focus)
        end = index + 1
        while not fine and end < min(count, index + stride):
            if _near(bins.start + end * bins.width, bins.width, focus):
                break
            end += 1
        seconds = (end - index) * bins.width / 1e9
        document["t"].append(round((bins.start + index * bins.width - evidence.steps_start) / 1e9, 4))
        for key, column in (("sent", bins.sent), ("received", bins.received), ("lost", bins.lost)):
            document[key].append(round(sum(column[index:end]) / seconds, 1))
        peak = max(bins.peak[index:end])
        document["peak_us"].append(round(peak / 1e3, 1) if peak else None)
        index = end
    return document


def _near(t: int, width: int, focus: list[Span]) -> bool:
    return any(start < t + width and t < end for start, end in focus)


def _from_samples(evidence: Evidence, flow: FlowEvidence, until: int | None) -> Document:
    """From the live samples, for what no report covers. A count that went back began anew."""
    document: dict[str, list[Any]] = {"t": [], "sent": [], "received": [], "lost": [], "peak_us": []}
    own = [sample for sample in evidence.samples if sample.get("flow") == flow.name]
    for before, now in pairwise(own):
        seconds = (now["t"] - before["t"]) / 1e9
        if seconds <= 0 or (until is not None and now["t"] > until):
            continue
        document["t"].append(round((before["t"] - evidence.steps_start) / 1e9, 4))
        for key in ("sent", "received"):
            grown = now.get(key, 0) - before.get(key, 0)
            document[key].append(round((grown if grown >= 0 else now.get(key, 0)) / seconds, 1))
        document["lost"].append(None)
        document["peak_us"].append(None)
    return document


def latency_curve(flow: FlowEvidence) -> list[tuple[float, float]]:
    """(percent, microseconds), no further than there are samples to tell: the last point has one sample beyond it."""
    try:
        histogram = histogram_of(flow)
    except HistogramError:
        return []
    if histogram is None or histogram.count == 0:
        return []
    last = 100.0 * (1 - 1 / histogram.count)
    percents = [percent for percent in CURVE if percent < last] + [last]
    return [(percent, round(value / 1e3, 2)) for percent, value in histogram.curve(percents)]
