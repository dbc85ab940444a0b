"""What an outage was made of: a pure function from the merged history to parts that add up to its length.

The moments that end a part, in the order in which they usually come:

    noticed       process.spawned: the runner (or whoever minds the switch) had seen it and started it again
    exec          process.started: the first instruction of main
    eal           eal.up
    pool          pool.up
    boot          agent.ready, where a guest was started
    connect       session.connected, on the port that was the last to come up
    handshake     session.up
    first_packet  the outage's end: the receiver has a packet
    no_packet     in place of it, when the outage was not over at the end of the run

and, when an end of the flow moved to another host, those of the switch-over:

    until_stop    the rings at the source were told to stop; before that packets were missing already
    stop_rings    the source had answered where they stopped
    last_copy     what the last round left was copied
    compare       the memory that both sides know was compared (a QEMU's: all of it)
    exchange      the destination's memory stood in the source's place
    start_rings   the destination had its rings, from there on
    enable_rings  and was told to use them
    announce      RARP was asked for
    relearn       the last switch had noticed that the address moved

An outage without any of them is `unexplained`: nothing was started and no session came up, packets just stopped coming.
Only moments inside the outage count, so an outage without a restart (a disconnect, a stopped guest) has fewer parts. A
process that was started several times counts from its last start: the earlier lives belong to what had to be noticed.
When a flow depends on several processes and ports, the one that was last decides, because it was waited for.
"""

from __future__ import annotations

from testbed.check.evidence import Document, Event, Evidence, FlowEvidence
from testbed.check.losses import Outage, outages_of
from testbed.check.topology import address_block, port_of, touched

SWITCH_OVER = (
    "until_stop",
    "stop_rings",
    "last_copy",
    "compare",
    "exchange",
    "start_rings",
    "enable_rings",
    "announce",
)
PARTS = (
    "noticed",
    "exec",
    "eal",
    "pool",
    "boot",
    "connect",
    "handshake",
    *SWITCH_OVER,
    "relearn",
    "first_packet",
    "no_packet",
    "unexplained",
)
_OF_PROCESS = {
    "process.spawned": "noticed",
    "process.started": "exec",
    "eal.up": "eal",
    "pool.up": "pool",
    "agent.ready": "boot",
}
# A fault that is over at once (a change applied, a session dropped) may show a moment later.
_AFTER_EFFECT_NS = 100_000_000


def anatomies(evidence: Evidence) -> list[Document]:
    """Every outage of every flow, as report.json has it."""
    return [
        _document(evidence, flow, outage)
        for flow in evidence.flows.values()
        if flow.receiver is not None
        for outage in outages_of(evidence, flow)
    ]


def _document(evidence: Evidence, flow: FlowEvidence, outage: Outage) -> Document:
    parts = [{"name": name, "ms": length / 1e6} for name, length in dissect(evidence, flow, outage)]
    return {
        "flow": flow.name,
        "start_ms": (outage.start - evidence.steps_start) / 1e6,
        "duration_ms": (outage.end - outage.start) / 1e6,
        "fault": fault_of(evidence, flow, outage),
        "open": outage.open,
        "parts": parts,
    }


def fault_of(evidence: Evidence, flow: FlowEvidence, outage: Outage) -> str:
    """The fault that made it: the last one on the flow's path while which, or right after whose start, it was silent."""
    path = touched(evidence, flow)
    ports = {place[1] for end in (flow.source, flow.sink) if (place := port_of(evidence.topology, end))}
    near = [
        fault
        for fault in evidence.faults
        if fault.start <= outage.end
        and outage.start
        <= max(evidence.end if fault.end is None else fault.end, fault.start + _AFTER_EFFECT_NS)
        and (path & set(fault.targets) or ports & set(fault.ports) or not (fault.targets or fault.ports))
    ]
    last = max(near, key=lambda fault: fault.start, default=None)
    return "" if last is None else f"{last.kind} {', '.join(last.targets or last.ports)}".strip()


def dissect(evidence: Evidence, flow: FlowEvidence, outage: Outage) -> list[tuple[str, int]]:
    """(part, nanoseconds), in the order of time; they add up to the outage's length."""
    inside = [event for event in evidence.events if outage.start <= event.t <= outage.end]
    moments = (
        _process_moments(inside, touched(evidence, flow))
        + _session_moments(evidence, flow, inside)
        + _move_moments(evidence, flow, outage)
    )
    if not moments:
        return [("unexplained", outage.end - outage.start)]
    parts: dict[str, int] = {}
    reached = outage.start
    for t, name in sorted(moments):
        parts[name] = parts.get(name, 0) + t - reached
        reached = t
    parts["no_packet" if outage.open else "first_packet"] = outage.end - reached
    return list(parts.items())


def _process_moments(inside: list[Event], path: set[str]) -> list[tuple[int, str]]:
    """Of the process on the path that was the last to be spawned, in its last life."""
    own = [event for event in inside if event.actor in path and event.name in _OF_PROCESS]
    starts = [event for event in own if event.name in ("process.spawned", "process.started")]
    if not starts:
        return []
    spawned = [event for event in starts if event.name == "process.spawned"] or starts
    last = max(spawned, key=lambda event: event.t)
    return [
        (event.t, _OF_PROCESS[event.name]) for event in own if event.actor == last.actor and event.t >= last.t
    ]


def _session_moments(evidence: Evidence, flow: FlowEvidence, inside: list[Event]) -> list[tuple[int, str]]:
    places = {place for end in (flow.source, flow.sink) if (place := port_of(evidence.topology, end))}
    own = [event for event in inside if (event.actor, event.fields.get("port")) in places]
    ups = [event for event in own if event.name == "session.up"]
    if not ups:
        return []
    up = max(ups, key=lambda event: event.t)
    same = [event for event in own if event.fields["port"] == up.fields["port"] and event.actor == up.actor]
    connected = [event.t for event in same if event.name == "session.connected" and event.t <= up.t]
    return [*((t, "connect") for t in connected[-1:]), (up.t, "handshake")]


def _move_moments(evidence: Evidence, flow: FlowEvidence, outage: Outage) -> list[tuple[int, str]]:
    """Of the switch-over during which, or because of which, an end of the flow was away."""
    moves = [
        event
        for event in evidence.events
        if event.name == "migration.switched" and event.actor in (flow.source, flow.sink)
    ]
    found = [
        (int(t), part)
        for move in moves
        for part, t in dict(move.fields.get("moments") or {}).items()
        if outage.start <= int(t) <= outage.end
    ]
    if not found:
        return []
    own = tuple(address_block(evidence.topology, move.actor) for move in moves)
    relearnt = [
        event.t
        for event in evidence.events
        if event.name == "fdb.moved"
        and str(event.fields.get("mac", "")).startswith(own)
        and min(found)[0] <= event.t <= outage.end
    ]
    return [*found, *((t, "relearn") for t in relearnt[-1:])]
