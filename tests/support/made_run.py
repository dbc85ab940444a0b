"""A run that never happened: the evidence of a reconnect in which everything is as it should be.

f0 and f2 are virtio_user frontends, g1 is a guest. The switch is killed two seconds after the first step and is back
103 ms later; its second life floods three frames, copies of which f2 sees. Tests take it (reconnect()) and break one thing.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from made_flow import MS, SECOND, make_flow
from testbed.check.evidence import (
    Call,
    Event,
    Evidence,
    Fault,
    FlowEvidence,
    ProcessExit,
    ResourceSample,
    Step,
    SwitchEvidence,
)

T0 = 900 * SECOND  # the first step
START, STOP = T0 + 100 * MS, T0 + 4 * SECOND  # of the flows
KILL = T0 + 2 * SECOND
DOWN = (KILL + 400_000, KILL + 103_600_000)
SAMPLE = KILL - 40 * MS  # the last counters of the first life
FLOODED = 3
OLD_PID, NEW_PID = 100, 140

TOPOLOGY: dict[str, Any] = {
    "switch": {
        "datapath": "library",
        "bricks": {"lan": {"type": "switch"}},
        "ports": {name: {"type": "vhost", "to": "lan"} for name in ("p0", "p1", "p2")},
    },
    "frontends": {
        "f0": {"type": "virtio-user", "port": "p0"},
        "g1": {"type": "qemu", "port": "p1"},
        "f2": {"type": "virtio-user", "port": "p2"},
    },
}

_SET_UP = (
    "GET_FEATURES",
    "GET_PROTOCOL_FEATURES",
    "SET_PROTOCOL_FEATURES",
    "SET_OWNER",
    "SET_FEATURES",
    "SET_MEM_TABLE",
)
_QUEUE = (
    "SET_VRING_CALL",
    "SET_VRING_NUM",
    "SET_VRING_BASE",
    "SET_VRING_ADDR",
    "SET_VRING_KICK",
    "SET_VRING_ENABLE",
)
_REQUESTS = (*_SET_UP, *_QUEUE, *_QUEUE)


@lru_cache(maxsize=1)
def reconnect() -> Evidence:
    flows = {flow.name: flow for flow in _flows()}
    return Evidence(
        cell={"role": "client", "ring": "split"},
        seed=1,
        backend="testbed-switch",
        expectations=[
            {"flow": {"name": "probe", "outage": "<= 200ms", "outages": 1, "lost": "<= 32 outside outages"}},
            {"guest": {"name": "g1", "reboots": 0, "kernel_errors": 0}},
            {"conserved": True},
            {"leaks": "none"},
        ],
        topology=TOPOLOGY,
        start=T0 - SECOND,
        end=STOP + SECOND,
        steps_start=T0,
        events=sorted(_events(), key=lambda event: event.t),
        faults=[Fault("kill", ("switch",), KILL, KILL + 100 * MS, ("p0", "p1", "p2"))],
        flows=flows,
        endpoints=_endpoints(flows),
        switches=[
            SwitchEvidence("switch", OLD_PID, _counters(flows, START, SAMPLE, 0), final=False),
            SwitchEvidence("switch", NEW_PID, _counters(flows, DOWN[1], STOP + SECOND, FLOODED), final=True),
        ],
        resources=_resources(),
        calls=_calls(),
        exits=[
            ProcessExit("switch", OLD_PID, KILL + 100_000, "SIGKILL", True),
            ProcessExit("switch", NEW_PID, STOP + 600 * MS, "exit 0", True),
        ],
        steps=[
            Step("wait: {flows: moving}", T0, T0 + 150 * MS),
            Step("run: 2s", T0 + 150 * MS, KILL),
            Step("kill: switch", KILL, KILL + MS),
            Step("start: switch", KILL + MS, KILL + 100 * MS),
            Step("wait: {ports: up, within: 5s}", KILL + 100 * MS, KILL + 104 * MS),
            Step("run: 2s", KILL + 104 * MS, STOP),
        ],
    )


def _flows() -> list[FlowEvidence]:
    common: dict[str, Any] = {"start": START, "stop": STOP, "outages": [DOWN]}
    probe = make_flow("probe", "f0", "g1", 1, **common)
    echo = make_flow("echo", "g1", "f0", 2, latency_ns=60_000, **common)
    third = make_flow("third", "f0", "f2", 3, rate_pps=500, **common)
    first_after = int(probe.receiver["gaps"][0]["last"]) + 1 if probe.receiver else 0
    copies = [
        {"flow": 1, "stream": 0, "seq": first_after + k, "t": DOWN[1] + 500_000 * (k + 1)}
        for k in range(FLOODED)
    ]
    return [probe, echo, edited(third, receiver={"foreign_arrivals": copies})]


def edited(flow: FlowEvidence, **changes: Any) -> FlowEvidence:
    """sender= and receiver= are merged into the reports, everything else replaces a field."""
    for report in ("sender", "receiver"):
        if isinstance(changes.get(report), dict):
            changes[report] = {**(getattr(flow, report) or {}), **changes[report]}
    return replace(flow, **changes)


def with_flow(evidence: Evidence, name: str, **changes: Any) -> Evidence:
    return replace(evidence, flows={**evidence.flows, name: edited(evidence.flows[name], **changes)})


def expecting(evidence: Evidence, *expectations: dict[str, Any]) -> Evidence:
    """The same run, held against other expectations."""
    return replace(evidence, expectations=list(expectations))


def _in(flow: FlowEvidence, key: str, begin: int, end: int) -> int:
    report = flow.sender if key == "sent" else flow.receiver
    bins = (report or {})["bins"]
    return sum(
        number
        for index, number in enumerate(bins[key])
        if begin <= bins["start_ns"] + index * bins["width_ns"] < end
    )


def _counters(flows: dict[str, FlowEvidence], begin: int, end: int, flooded: int) -> dict[str, Any]:
    got = {name: _in(flow, "received", begin, end) for name, flow in flows.items()}
    traffic = {
        "p0": (got["probe"] + got["third"], got["echo"]),
        "p1": (got["echo"], got["probe"]),
        "p2": (0, got["third"] + flooded),
    }
    ports = {
        name: {
            "rx_packets": rx,
            "tx_packets": tx,
            "drops": {},
            "queues": [{"rx_packets": rx, "tx_packets": tx}],
        }
        for name, (rx, tx) in traffic.items()
    }
    received, sent = (sum(pair[k] for pair in traffic.values()) for k in (0, 1))
    lan = {"forwarded": received - flooded, "flooded": flooded, "replicated": flooded, "drops": {}}
    totals = {"received": received, "replicated": flooded, "sent": sent, "dropped": 0}
    return {"t": end, "ports": ports, "bricks": {"lan": lan}, "totals": totals}


def _endpoints(flows: dict[str, FlowEvidence]) -> dict[str, dict[str, Any]]:
    sent = {name: (flow.sender or {})["sent"] for name, flow in flows.items()}
    received = {name: (flow.receiver or {})["received"] for name, flow in flows.items()}
    common = {"link": True, "queues": 1, "tx_full": 0, "hellos": 0, "other_rx": 0, "foreign_rx": 0}
    return {
        "f0": {**common, "tx_packets": sent["probe"] + sent["third"], "rx_packets": received["echo"]},
        "g1": {**common, "tx_packets": sent["echo"], "rx_packets": received["probe"]},
        "f2": {**common, "tx_packets": 0, "rx_packets": received["third"] + FLOODED, "foreign_rx": FLOODED},
    }


def _events() -> list[Event]:
    life = [
        (13, "testbed", "label", {"text": "the switch is gone"}),
        (12, "switch", "process.spawned", {"pid": NEW_PID}),
        (15, "switch", "process.started", {"program": "testbed-switch", "pid": NEW_PID}),
        (82, "switch", "eal.up", {"memory_mb": 64}),
        (93, "switch", "pool.up", {"mbufs": 16384}),
    ]
    events = [Event(KILL + ms * MS, actor, name, fields) for ms, actor, name, fields in life]
    events += [Event(T0 - 900 * MS, "g1", "process.spawned", {"pid": 7})]
    events += [Event(T0 - 500 * MS, "g1", "agent.ready", {"kernel": "6.1.0"})]
    for number, port in enumerate(("p0", "p1", "p2")):
        fields = {"port": port, "session": 2}
        at = KILL + (95 + number) * MS
        events += [Event(at, "switch", "session.connected", fields)]
        events += [_message(at, n, name, fields) for n, name in enumerate(_REQUESTS, 1)]
        events += [Event(at + 4 * MS, "switch", "session.up", {**fields, "queues": 1, "packed": False})]
    for number, flow in enumerate(("probe", "echo", "third")):
        events += [Event(START + 2 * MS + number, "testbed", "flow.moving", {"flow": flow})]
        events += [Event(DOWN[0] + 20 * MS, "testbed", "flow.outage", {"flow": flow, "start_ns": DOWN[0]})]
        events += [Event(DOWN[1], "testbed", "flow.moving", {"flow": flow})]
    return events


def _message(at: int, n: int, name: str, fields: dict[str, Any]) -> Event:
    reply_us = 31 if "GET" in name else None
    message = {
        "n": n,
        "dir": "frontend",
        "request": n,
        "message": name,
        "size": 8,
        "fds": 0,
        "reply_us": reply_us,
    }
    return Event(at + n * 150_000, "switch", "session.message", {**fields, **message})


def _resources() -> list[ResourceSample]:
    before = {"fds": 61, "threads": 5, "mappings": 210, "mbufs_in_use": 0, "rss_kb": 71_000}
    frontend = {"fds": 40, "threads": 4, "mappings": 180, "mbufs_in_use": 300, "rss_kb": 60_000}
    nothing: dict[str, Any] = {key: [] for key in ("processes", "sockets", "mounts", "hugepages", "devices")}
    return [
        ResourceSample("switch", OLD_PID, "before", before),
        ResourceSample("switch", NEW_PID, "after", {**before, "mappings": 212, "rss_kb": 73_000}),
        ResourceSample("f0", 120, "before", frontend),
        ResourceSample("f0", 120, "after", {**frontend, "mbufs_in_use": 410}),
        ResourceSample("testbed", 1, "end", nothing),
    ]


def _calls() -> list[Call]:
    return [
        Call(actor, "flow.counts", T0 + k * 100 * MS, T0 + k * 100 * MS + 400_000, SECOND, 20 <= k < 21)
        for actor in ("f0", "f2")
        for k in range(38)
    ] + [Call("switch", "apply", T0 - 800 * MS, T0 - 790 * MS, SECOND, False)]


def walked_by(topology: dict[str, Any], datapath: str) -> dict[str, Any]:
    return {**topology, "switch": {**topology["switch"], "datapath": datapath}}
