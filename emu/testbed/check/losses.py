"""What a flow lost, and when: the receiver's gaps held against its outages.

A gap is a run of missing numbers of one stream. Its packets left the sender between the send stamps of the two packets
that arrived on either side of it, evenly spread: a paced sender sends evenly, and a closed-loop one stops within a window
of the last reply, so that what it lost lies at the outage's edge either way.

A packet is lost *inside* an outage when it was sent between the outage's start and its end, which are times of arrival at
the receiver. What was on its way when the path broke was sent just before that, and counts as *outside*. That is meant:
it is exactly what a switch owes an account of, and `lost: "<= 32 outside outages"` is how a scenario grants it one burst.
Only outages that a fault made excuse a loss (check/flow.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from testbed.check.evidence import Document, Event, Evidence, FlowEvidence
from testbed.check.topology import RESETTING

Span = tuple[int, int]

# Below this a receiver calls no silence an outage (emu/flow/outage.hpp).
LEAST_OUTAGE_NS = 20_000_000


def merged(spans: list[Span]) -> list[Span]:
    """The same times, in order and without overlaps."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


@dataclass(frozen=True)
class Outage:
    start: int
    end: int
    open: bool = False  # it had not ended when the run did; `end` then is the end of the sending


@dataclass(frozen=True)
class Gap:
    """`after` and `before`: send stamps of the neighbours that arrived. A receiver that ran out of room for gaps has
    merged neighbouring ones: then some of the numbers did arrive, and only `count` of them are missing."""

    stream: int
    first: int
    last: int
    after: int
    before: int
    count: int

    @property
    def merged(self) -> bool:
        return self.count != self.last - self.first + 1

    def outside(self, outages: list[Outage]) -> int:
        """How many of the packets were sent outside all outages."""
        spans = merged([(outage.start, outage.end) for outage in outages])
        return self.count - sum(self._sent_between(start, end) for start, end in spans)

    def _sent_between(self, start: float, end: float) -> int:
        """Packet k of n left at after + (before - after) * (k + 1) / (n + 1)."""
        if end < start:
            return 0
        step = (self.before - self.after) / (self.count + 1)
        if step <= 0:
            return self.count if start <= self.after <= end else 0
        first = max(0, math.ceil((start - self.after) / step) - 1)
        last = min(self.count - 1, math.floor((end - self.after) / step) - 1)
        return max(0, last - first + 1)


def gaps_of(flow: FlowEvidence) -> list[Gap]:
    """The receiver's gaps, and for each stream the numbers that were sent after the last that arrived."""
    if flow.receiver is None:
        return []
    gaps = [
        Gap(
            gap["stream"],
            gap["first"],
            gap["last"],
            gap["after_ns"],
            gap["before_ns"],
            gap.get("missing", gap["last"] - gap["first"] + 1),
        )
        for gap in flow.receiver.get("gaps", [])
    ]
    return gaps + tails_of(flow)


def tails_of(flow: FlowEvidence) -> list[Gap]:
    """For each stream what was sent after the last packet that arrived. Of the sender's present incarnation; how far an
    earlier one had got nobody knows any more."""
    sender, receiver = flow.sender, flow.receiver
    if sender is None or receiver is None:
        return []
    highest: list[Any] = _highest(sender, receiver)
    tails = []
    for stream, following in enumerate(sender.get("next", [])):
        arrived = highest[stream] if stream < len(highest) else None
        first = 0 if arrived is None else arrived + 1
        if following > first:
            after = receiver.get("last_ns") or sender.get("first_ns") or 0
            before = max(after, sender.get("last_ns") or 0)
            tails.append(Gap(stream, first, following - 1, after, before, following - first))
    return tails


def _highest(sender: Document, receiver: Document) -> list[Any]:
    incarnations = receiver.get("incarnations")
    if incarnations is None or "epoch" not in sender:
        return list(receiver.get("highest", []))
    own = [entry["highest"] for entry in incarnations if entry["epoch"] == sender["epoch"]]
    return list(own[-1]) if own else []


def outages_of(evidence: Evidence, flow: FlowEvidence) -> list[Outage]:
    """Silences of the receiver. One that began with the last packets sent is the end of the flow and no outage."""
    receiver = flow.receiver or {}
    seen = receiver.get("outages", [])
    last_sent = (flow.sender or {}).get("last_ns") or 0
    threshold = receiver.get("outage_threshold_ns", LEAST_OUTAGE_NS)
    outages = [Outage(entry["start_ns"], entry["end_ns"]) for entry in seen if entry.get("end_ns")]
    for entry in seen:
        if not entry.get("end_ns") and last_sent > entry["start_ns"] + threshold:
            outages.append(Outage(entry["start_ns"], last_sent, open=True))
    return sorted(outages + _before_this_life(evidence, flow), key=lambda outage: outage.start)


def _before_this_life(evidence: Evidence, flow: FlowEvidence) -> list[Outage]:
    """Outages that a receiver started anew cannot know of: from the fault that ended its last life to the first packet
    of the next one. (Longer by the few packets between the fault's order and its effect; never shorter.)"""
    if flow.receiver_incarnations <= 1:
        return []
    moving = [event.t for event in _moving(evidence.events, flow)]
    outages = []
    for fault in evidence.faults:
        if fault.kind in RESETTING and flow.sink in fault.targets and any(t < fault.start for t in moving):
            end = min((t for t in moving if t > fault.start), default=None)
            outages.append(Outage(fault.start, evidence.end if end is None else end, open=end is None))
    return outages


def _moving(events: list[Event], flow: FlowEvidence) -> list[Event]:
    names = (flow.name, flow.flow_id)
    return [event for event in events if event.name == "flow.moving" and event.fields.get("flow") in names]
