"""Who is connected to what: look-ups in the resolved topology of a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from testbed.check.evidence import Document, Evidence, FlowEvidence, LogLook, PagesLook, SwitchEvidence


def switches_of(topology: Document) -> dict[str, Document]:
    """By actor: `switch` when there is one, else their names."""
    if "switches" in topology:
        return dict(topology["switches"])
    return {"switch": topology["switch"]} if "switch" in topology else {}


def frontends_of(topology: Document) -> dict[str, Document]:
    return dict(topology.get("frontends") or {})


def port_of(topology: Document, frontend: str) -> tuple[str, str] | None:
    """(switch actor, port) that a frontend sits on; None: it is not known."""
    name = frontends_of(topology).get(frontend, {}).get("port")
    if name is None:
        return None
    if "switches" in topology:
        actor, _, port = str(name).partition(".")
        return actor, port
    return "switch", str(name)


def walked_by(evidence: Evidence, frontend: str) -> str:
    """The datapath of a frontend's port. Backends that are not ours are all built on librte_vhost."""
    place = port_of(evidence.topology, frontend)
    if evidence.backend != "testbed-switch" or place is None:
        return "library"
    switch = switches_of(evidence.topology)[place[0]]
    port = switch.get("ports", {}).get(place[1], {})
    return str(port.get("datapath") or switch["datapath"])


def address_block(topology: Document, frontend: str) -> str:
    """How all addresses of a frontend begin (run/flow_plan.py gives them)."""
    number = list(frontends_of(topology)).index(frontend) + 1
    return f"02:54:{number >> 8:02x}:{number & 0xFF:02x}:"


def places_of(evidence: Evidence, frontend: str) -> list[tuple[str, str]]:
    """(switch actor, port) of every port it has sat at or was bound for, each once."""
    first = frontends_of(evidence.topology).get(frontend, {}).get("port")
    asked = [
        event.fields["to"]
        for event in evidence.events
        if event.name == "migration.asked" and event.actor == frontend
    ]
    several = "switches" in evidence.topology
    return [
        (str(name).partition(".")[0], str(name).partition(".")[2]) if several else ("switch", str(name))
        for name in dict.fromkeys([first, *asked])
        if name is not None
    ]


def lives_of(evidence: Evidence, actor: str) -> list[SwitchEvidence]:
    """In the order in which they lived."""
    return [life for life in evidence.switches if life.actor == actor]


def port_counters(evidence: Evidence, actor: str, port: str) -> Iterator[tuple[SwitchEvidence, Document]]:
    """Of every life of the switch that had this port."""
    for life in lives_of(evidence, actor):
        counters = life.counters.get("ports", {}).get(port)
        if counters is not None:
            yield life, counters


def drops_at(evidence: Evidence, frontend: str) -> dict[str, int]:
    """Packets that were to leave towards this frontend and did not, by reason, over all lives of its switch."""
    place = port_of(evidence.topology, frontend)
    drops: dict[str, int] = {}
    for _, counters in port_counters(evidence, *place) if place else []:
        for reason, count in (counters.get("drops") or {}).items():
            drops[reason] = drops.get(reason, 0) + int(count)
    return {reason: count for reason, count in drops.items() if count}


def total(counts: dict[str, Any] | None) -> int:
    return sum(int(count) for count in (counts or {}).values())


def touched(evidence: Evidence, flow: FlowEvidence) -> set[str]:
    """Actors a flow depends on: its ends and the switches they sit on."""
    places = [port_of(evidence.topology, end) for end in (flow.source, flow.sink)]
    return {flow.source, flow.sink, *(place[0] for place in places if place is not None)}


def lost_session(evidence: Evidence, look: PagesLook | LogLook) -> bool:
    """A driver's session ended between this look and the one before: what its backend had begun it could not finish."""
    return any(
        event.name == "driver.down" and event.actor == look.frontend and look.since <= event.t <= look.t
        for event in evidence.events
    )


# Faults after which a frontend counts from 0: its process or its guest's driver began anew.
RESETTING = frozenset({"kill", "restart", "shutdown", "reboot", "reset", "reload", "queues"})

# Steps that put chains of their own into a driver's rings, change them behind its back, or say something else of them to
# the backend than stands in them.
_BY_HAND = frozenset({"chain", "poke", "flip", "send", "handshake", "resize", "block"})


def by_hand(evidence: Evidence, frontend: str) -> bool:
    """What is in its rings and comes back there is not the driver's own doing."""
    return any(fault.kind in _BY_HAND and frontend in fault.targets for fault in evidence.faults)
