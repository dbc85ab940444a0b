"""The switch's accounts against those of the frontends: what one side says it sent, the other says it received.

    to_switch    the frontend's tx_packets = its port's rx_packets, over all lives of the switch
    from_switch  its port's tx_packets = the frontend's rx_packets
    queues_sent, queues_received  what its flows count by queue pair is at most what its port counts by that queue: with the
                 sums above, no packet was counted at another queue than its own
    flows_sent, flows_received  what the flows of a frontend count is at most what the frontend itself counts
    lost         what the flows lost is at most what the switches dropped (and guests, of what had reached them): no hellos
                 are in it, so that where nothing was broken a single packet is missed

Where no fault touched the frontend, its port or its switch, exact but for hellos: each end broadcasts one from each of
its addresses about once a second, for ever, and the two sides are not asked in the same instant. (A packet of a flow that
goes missing here is missed by its number.) Otherwise the two may be apart, and by how much is
known: packets that lay in the rings when a session ended may be discarded with it or be read a second time, which is a
ring for each queue, direction and fault; and of a switch that was killed only the last sample is known, so that what the
ends counted between that sample and its death is missing from its side.

A frontend that was itself started anew (or a guest that reloaded its driver) counts from 0 again and is left out; so is a
driver in whose rings steps put something by hand, which it does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from testbed.check.equation import Equation
from testbed.check.evidence import Document, Evidence, FlowEvidence
from testbed.check.losses import gaps_of
from testbed.check.topology import (
    RESETTING,
    by_hand,
    frontends_of,
    lives_of,
    places_of,
    port_counters,
    port_of,
    switches_of,
)

_DEFAULT_RING = 256
# Counters of a switch are published once a burst, bins of the ends have a width: both blur the edges of a span of time.
_BLUR_NS = 20_000_000


def end_equations(evidence: Evidence) -> Iterator[tuple[str, Equation]]:
    for frontend, status in evidence.endpoints.items():
        place = port_of(evidence.topology, frontend)
        if place is None or _counts_anew(evidence, frontend) or by_hand(evidence, frontend):
            continue
        places = places_of(evidence, frontend)
        lives = [counters for sat in places for _, counters in port_counters(evidence, *sat)]
        where = f"{frontend} on port {', '.join(port for _, port in places)}"
        if lives and {"tx_packets", "rx_packets"} <= status.keys():
            for equation in _against_port(evidence, frontend, place, status, lives):
                yield where, equation
        for equation in _against_queues(evidence, frontend, place, lives):
            yield where, equation
        for equation in _against_flows(evidence, frontend, status):
            yield where, equation
    if _drops_are_known(evidence):
        yield "all flows", _against_drops(evidence)


def _counts_anew(evidence: Evidence, frontend: str) -> bool:
    if any(fault.kind in RESETTING and frontend in fault.targets for fault in evidence.faults):
        return True
    flows = evidence.flows.values()
    return any(flow.source == frontend and flow.sender_incarnations > 1 for flow in flows) or any(
        flow.sink == frontend and flow.receiver_incarnations > 1 for flow in flows
    )


def _against_port(
    evidence: Evidence, frontend: str, place: tuple[str, str], status: Document, lives: list[Document]
) -> Iterator[Equation]:
    actor, port = place
    # A guest's kernel has frames of its own to send, and counts them, too.
    status = status.get("interface") or status
    rings = _in_rings(evidence, frontend, actor, port) + _hellos(evidence)
    spans = _blind_spans(evidence, actor)
    unseen_tx = _counted_in(spans, (flow.sender for flow in _from(evidence, frontend)), "sent")
    unseen_rx = _counted_in(spans, (flow.receiver for flow in _to(evidence, frontend)), "received")
    received = sum(counters["rx_packets"] for counters in lives)
    terms = f"{frontend} sent {status['tx_packets']} = port {port} received {received}"
    yield Equation("to_switch", status["tx_packets"], received, terms, rings + unseen_tx)
    sent = sum(counters["tx_packets"] for counters in lives)
    terms = f"port {port} sent {sent} = {frontend} received {status['rx_packets']}"
    yield Equation("from_switch", sent, status["rx_packets"], terms, rings + unseen_rx)


def _against_queues(
    evidence: Evidence, frontend: str, place: tuple[str, str], lives: list[Document]
) -> Iterator[Equation]:
    """Of a frontend with several. A guest's kernel chooses its queues, and the agent does not know which; of a switch that
    was killed nobody knows what it counted last."""
    spec = frontends_of(evidence.topology).get(frontend, {})
    queues = 1 if spec.get("type") == "qemu" else int(spec.get("queues") or 1)
    if queues == 1 or not lives or not all(life.final for life in lives_of(evidence, place[0])):
        return
    slack = _in_rings(evidence, frontend, *place)
    for verb, key, reports in (
        ("sent", "rx_packets", [flow.sender for flow in _from(evidence, frontend)]),
        ("received", "tx_packets", [flow.receiver for flow in _to(evidence, frontend)]),
    ):
        for queue in range(queues):
            told = sum(_at(report or {}, queue) for report in reports)
            counted = sum(int(_queue_of(port, queue).get(key, 0)) for port in lives)
            terms = f"flows of {frontend} {verb} {told} by queue {queue} <= port {place[1]} {key} {counted}"
            yield Equation(f"queues_{verb}", told, counted, terms, slack, at_most=True)


def _at(report: Document, queue: int) -> int:
    numbers = report.get("queues") or []
    return int(numbers[queue]) if queue < len(numbers) else 0


def _queue_of(port: Document, queue: int) -> Document:
    queues: list[Document] = port.get("queues") or []
    return queues[queue] if queue < len(queues) else {}


def _from(evidence: Evidence, frontend: str) -> list[FlowEvidence]:
    return [flow for flow in evidence.flows.values() if flow.source == frontend]


def _to(evidence: Evidence, frontend: str) -> list[FlowEvidence]:
    return [flow for flow in evidence.flows.values() if flow.sink == frontend]


def _hellos(evidence: Evidence) -> int:
    """One round of them from every address there is."""
    streams = sum(2 * max(1, len((flow.sender or {}).get("next", []))) for flow in evidence.flows.values())
    return streams + len(evidence.endpoints)


def _in_rings(evidence: Evidence, frontend: str, actor: str, port: str) -> int:
    """Packets that may have lain in this frontend's rings when a fault ended its session."""
    faults = sum(
        1 for fault in evidence.faults if {frontend, actor} & set(fault.targets) or port in fault.ports
    )
    spec = frontends_of(evidence.topology).get(frontend, {})
    ring = int(spec.get("queue_size") or spec.get("size") or _DEFAULT_RING)
    return faults * ring * int(spec.get("queues") or 1)


def _blind_spans(evidence: Evidence, actor: str) -> list[tuple[int, int]]:
    """From the last sample of each life that was cut short to its death."""
    spans = []
    for life in lives_of(evidence, actor):
        if not life.final:
            death = min((end.t for end in evidence.exits if end.pid == life.pid), default=evidence.end)
            spans.append((life.counters.get("t", evidence.start) - _BLUR_NS, death + _BLUR_NS))
    return spans


def _counted_in(spans: list[tuple[int, int]], reports: Iterable[Document | None], key: str) -> int:
    """What the ends counted in those spans, by their bins."""
    counted = 0
    for report in reports:
        bins = (report or {}).get("bins") or {}
        start, width, numbers = bins.get("start_ns", 0), bins.get("width_ns", 0), bins.get(key, [])
        for begin, end in spans if width else []:
            first, last = max(0, (begin - start) // width), max(0, -(-(end - start) // width))
            counted += sum(int(number) for number in numbers[first:last])
    return counted


def _drops_are_known(evidence: Evidence) -> bool:
    """Nothing was broken, all switches and both ends of all flows told their last counts, and no port leads elsewhere."""
    flows = evidence.flows.values()
    ports = [port for switch in switches_of(evidence.topology).values() for port in switch["ports"].values()]
    return (
        bool(evidence.switches)
        and bool(evidence.flows)
        and not evidence.faults
        and all(life.final and life.counters.get("ports") for life in evidence.switches)
        and all(port.get("type") == "vhost" for port in ports)
        and all(flow.sender is not None and flow.receiver is not None for flow in flows)
    )


def _against_drops(evidence: Evidence) -> Equation:
    lost = sum(gap.count for flow in evidence.flows.values() for gap in gaps_of(flow))
    dropped = sum(int(life.counters["totals"]["dropped"]) for life in evidence.switches)
    guests = sum(
        int(status.get("ring_drops") or 0) + int((status.get("interface") or {}).get("rx_dropped") or 0)
        for status in evidence.endpoints.values()
    )
    damaged = sum(int((flow.receiver or {}).get("corrupted") or 0) for flow in evidence.flows.values())
    terms = f"flows lost {lost} <= switches dropped {dropped} + guests dropped {guests} + damaged {damaged}"
    return Equation("lost", lost, dropped + guests + damaged, terms, at_most=True)


def _against_flows(evidence: Evidence, frontend: str, status: Document) -> Iterator[Equation]:
    for name, key, reports in (
        ("flows_sent", "tx_packets", [(flow.sender or {}).get("sent") for flow in _from(evidence, frontend)]),
        (
            "flows_received",
            "rx_packets",
            [(flow.receiver or {}).get("received") for flow in _to(evidence, frontend)],
        ),
    ):
        if key in status and reports:
            counted = sum(int(number or 0) for number in reports)
            verb = name.removeprefix("flows_")
            terms = f"flows of {frontend} {verb} {counted} <= {frontend} {verb} {status[key]}"
            yield Equation(name, counted, status[key], terms, at_most=True)
