"""Misdelivered: frames that came to an end they were not addressed to and had no business there.

Receivers list what arrived at their end and was not for them (`foreign_arrivals`), with flow, stream and number. A
learning switch floods unknown unicast, so that such an arrival is no fault in itself. What separates a flood from a
switch that sends to the wrong port:

1. A flood makes *copies*. The frame's own end gets one, too: a foreign arrival whose (stream, number) was delivered at
   its own end is a copy.
2. A number that is missing at its own end and was seen at another is misdelivered, unless its own copy can have been
   lost by itself: its own end was not reachable at that moment (before its first packet, or in one of its outages:
   after a restart the table is empty, everything is flooded, and not every port is back yet), or the switch says that
   it dropped a packet on the way out of that very port (a full ring), once for each number that is so excused.
3. Both excuses would also hide a switch that forwards to the wrong port while the right one is down. Floods are counted
   by the switch: a flood to n ports is one of its `flooded` packets and n - 1 `replicated` copies. So all foreign arrivals
   of all flows must fit into the copies, over all its lives; where the own end got nothing, what went out may all
   have gone elsewhere, and each such number may use up a `flooded` one besides. More are misdelivered, wherever the
   frames' own copies are (`flooding`).

A switch that was killed cannot be asked any more; its last sample is what is known. Arrivals between that sample and its
death are counted in neither direction.

The list does not tell a probe from the acknowledgement of a closed loop, whose number counts something else, nor one
incarnation of a sender from the next. For flows with either, rule 3 alone holds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from testbed.check.compare import Comparison
from testbed.check.evidence import Evidence, FlowEvidence
from testbed.check.losses import gaps_of, outages_of
from testbed.check.result import CheckResult, Finding, unknown
from testbed.check.rules import Rules, judge_value
from testbed.check.topology import drops_at

# A sample of live counters may be this much older than it says, as workers publish once a burst.
_SAMPLE_LAG_NS = 10_000_000


@dataclass(frozen=True, order=True)
class Arrival:
    t: int
    end: str
    flow: int
    stream: int
    seq: int


def _listed(evidence: Evidence) -> set[Arrival]:
    """Every listed foreign arrival once, though all receivers of an end may list it."""
    return {
        Arrival(entry["t"], flow.sink, entry["flow"], entry["stream"], entry["seq"])
        for flow in evidence.flows.values()
        if flow.receiver is not None
        for entry in flow.receiver.get("foreign_arrivals", [])
    }


def _early(evidence: Evidence) -> set[Arrival]:
    """What reached the right end before that end was told of the flow: after a reboot the network is up first."""
    sinks = {flow.flow_id: flow.sink for flow in evidence.flows.values()}
    return {arrival for arrival in _listed(evidence) if sinks.get(arrival.flow) == arrival.end}


def arrivals_of(evidence: Evidence) -> list[Arrival]:
    return sorted(_listed(evidence) - _early(evidence))


class _Missing:
    """Which numbers did not arrive at their own end."""

    def __init__(self, flow: FlowEvidence) -> None:
        self._runs: dict[int, list[tuple[int, int]]] = {}
        for gap in gaps_of(flow):
            if gap.merged:
                continue  # some of its numbers did arrive, and nobody knows which
            self._runs.setdefault(gap.stream, []).append((gap.first, gap.last))
        for runs in self._runs.values():
            runs.sort()

    def __contains__(self, arrival: Arrival) -> bool:
        runs = self._runs.get(arrival.stream, [])
        index = bisect_right(runs, (arrival.seq, 1 << 64)) - 1
        return index >= 0 and arrival.seq <= runs[index][1]


def _unsure(flow: FlowEvidence) -> bool:
    """Whether its own end cannot say of a foreign arrival whether it got that packet, too."""
    restarted = flow.receiver_incarnations > 1 or flow.sender_incarnations > 1
    return flow.receiver is None or restarted or flow.rate_pps is None


def _unreachable(evidence: Evidence, flow: FlowEvidence, t: int) -> bool:
    receiver = flow.receiver or {}
    error = flow.clock_error_ns
    first = receiver.get("first_ns")
    if not first or t < first + error:
        return True
    return any(outage.start - error <= t <= outage.end + error for outage in outages_of(evidence, flow))


def misdelivered(evidence: Evidence, flow: FlowEvidence) -> list[Arrival]:
    """Arrivals of this flow at foreign ends that rules 1 and 2 do not explain."""
    if _unsure(flow):
        return []
    missing = _Missing(flow)
    suspects = {
        (arrival.stream, arrival.seq): arrival
        for arrival in arrivals_of(evidence)
        if arrival.flow == flow.flow_id and arrival in missing and not _unreachable(evidence, flow, arrival.t)
    }
    excused = sum(drops_at(evidence, flow.sink).values())
    return sorted(suspects.values())[excused:]


def _summed(evidence: Evidence, key: str) -> int:
    bricks = [brick for life in evidence.switches for brick in life.counters.get("bricks", {}).values()]
    return sum(int(brick.get(key, 0)) for brick in bricks)


def _homeless(evidence: Evidence, arrivals: list[Arrival]) -> int:
    """Numbers that came to foreign ends and are not known to have come to their own."""
    flows = {flow.flow_id: flow for flow in evidence.flows.values()}
    missing = {number: _Missing(flow) for number, flow in flows.items()}
    unsure = {
        number for number, flow in flows.items() if flow.receiver is None or flow.receiver_incarnations > 1
    }
    return len(
        {
            (arrival.flow, arrival.stream, arrival.seq)
            for arrival in arrivals
            if arrival.flow in unsure or (arrival.flow in missing and arrival in missing[arrival.flow])
        }
    )


def _blind(evidence: Evidence) -> list[tuple[int, int]]:
    """When nobody counted floods: from the last sample of a life that was cut short to its end."""
    spans = []
    for life in evidence.switches:
        if not life.final:
            death = min((end.t for end in evidence.exits if end.pid == life.pid), default=evidence.end)
            spans.append((life.counters.get("t", evidence.start) - _SAMPLE_LAG_NS, death + _SAMPLE_LAG_NS))
    return spans


def _foreign_copies(evidence: Evidence, arrivals: list[Arrival], blind: list[tuple[int, int]]) -> int:
    """Ends count more than they list, but only the listed arrivals have a time."""
    if blind:
        return sum(1 for arrival in arrivals if not any(a <= arrival.t <= b for a, b in blind))
    listed, early = _by_end(arrivals), _by_end(_early(evidence))
    ends = listed.keys() | evidence.endpoints.keys()
    counted = {
        end: int(evidence.endpoints.get(end, {}).get("foreign_rx", 0)) - early.get(end, 0) for end in ends
    }
    return sum(max(listed.get(end, 0), counted[end]) for end in ends)


def _by_end(arrivals: Iterable[Arrival]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for arrival in arrivals:
        counts[arrival.end] = counts.get(arrival.end, 0) + 1
    return counts


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    """Rule 3, for all flows together. Nothing foreign anywhere: nothing to say."""
    arrivals = arrivals_of(evidence)
    blind = _blind(evidence)
    copies = _foreign_copies(evidence, arrivals, blind)
    if copies == 0:
        return []
    replicated = _summed(evidence, "replicated")
    originals = min(_summed(evidence, "flooded"), _homeless(evidence, arrivals))
    explained = replicated + originals if evidence.switches else None
    measured = {"foreign_copies": copies, "explained_by_floods": explained, "by_end": _by_end(arrivals)}
    finding = _judge(copies, explained, rules.allowed("misdelivered"))
    return [CheckResult("misdelivery", "flooding", (finding,), measured)]


def _judge(copies: int, explained: int | None, allowed: Comparison) -> Finding:
    if explained is None:
        reason = f"{copies} frames came to ends they were not for, and this backend does not count its floods"
        return unknown("misdelivered", reason, copies, str(allowed))
    excess = max(0, copies - explained)
    reason = (
        f"{copies} frames came to ends they were not for, but the copies that the switch made when it flooded explain"
        f" only {explained}: at least {excess} were sent to the wrong port"
    )
    return judge_value("misdelivered", excess, allowed, reason)
