"""Which flows there are, with their numbers and addresses: a pure function of the scenario.

Addresses: 02:54, the frontend's number (16 bit, from 1), the stream's number at that frontend (16 bit). Stream 0 is the
frontend's own address; every end of a flow takes the next range of its frontend.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from testbed.scenario.model import Scenario
from testbed.scenario.topology import Flow
from testbed.scenario.units import Sizes

_STREAMS_OF_A_FRONTEND = 1 << 16


def mac(frontend: int, stream: int) -> str:
    octets = [0x02, 0x54, frontend >> 8, frontend & 0xFF, stream >> 8, stream & 0xFF]
    return ":".join(f"{octet:02x}" for octet in octets)


@dataclass(frozen=True)
class PlannedFlow:
    """`group` is the name in the file: one of `among` stands for a flow for every ordered pair."""

    name: str
    group: str
    number: int
    source: str
    sink: str
    source_mac: str
    sink_mac: str
    streams: int
    sizes: Sizes
    rate_pps: float | None
    window: int | None
    queue: int
    silence_ns: int | None
    seed: int

    def send(self, run: int, end: str) -> dict[str, Any]:
        """The parameters of flow.send; `end` is what the frontend's program calls it."""
        document: dict[str, Any] = {
            "flow": self.number,
            "name": self.name,
            "frontend": end,
            "run": run,
            "seed": self.seed,
            "sizes": [{"min": s.low, "max": s.high, "weight": s.weight} for s in self.sizes],
            "src": self.source_mac,
            "dst": self.sink_mac,
            "streams": self.streams,
            "queue": self.queue,
        }
        if self.window is not None:
            return document | {"window": self.window}
        return document | {"rate_pps": self.rate_pps}

    def expect(self, run: int, end: str) -> dict[str, Any]:
        """The parameters of flow.expect."""
        document: dict[str, Any] = {
            "flow": self.number,
            "name": self.name,
            "frontend": end,
            "run": run,
            "seed": self.seed,
            "mac": self.sink_mac,
            "streams": self.streams,
        }
        if self.window is not None:
            document["reply_to"] = self.source_mac
        if self.rate_pps is not None:
            document["rate_pps"] = self.rate_pps
        if self.silence_ns is not None:
            document["outage_threshold_ns"] = self.silence_ns
        return document


def frontend_macs(scenario: Scenario) -> dict[str, str]:
    """Every frontend's own address."""
    return {name: mac(number, 0) for number, name in enumerate(scenario.frontends, start=1)}


def plan_flows(scenario: Scenario, seed: int) -> list[PlannedFlow]:
    numbers = {name: number for number, name in enumerate(scenario.frontends, start=1)}
    used = dict.fromkeys(numbers, 1)

    def take(frontend: str, streams: int) -> str:
        first = used[frontend]
        used[frontend] += streams
        return mac(numbers[frontend], first % _STREAMS_OF_A_FRONTEND)

    planned: list[PlannedFlow] = []
    for group, flow in scenario.flows.items():
        for name, source, sink in _pairs(group, flow):
            planned.append(
                PlannedFlow(
                    name=name,
                    group=group,
                    number=len(planned) + 1,
                    source=source,
                    sink=sink,
                    source_mac=take(source, flow.macs),
                    sink_mac=take(sink, flow.macs),
                    streams=flow.macs,
                    sizes=flow.size,
                    rate_pps=flow.rate.packets_per_second(flow.size) if flow.rate else None,
                    window=flow.closed_loop,
                    queue=-1 if flow.queue is None else flow.queue,
                    silence_ns=flow.silence,
                    seed=_seed(seed, name),
                )
            )
    return planned


def _pairs(group: str, flow: Flow) -> Iterator[tuple[str, str, str]]:
    if flow.among is None:
        yield group, str(flow.from_), str(flow.to)
        return
    for source in flow.among:
        for sink in flow.among:
            if source != sink:
                yield f"{group}.{source}-{sink}", source, sink


def _seed(seed: int, name: str) -> int:
    """Stays the same for a flow when others come and go."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:7])


def members(planned: list[PlannedFlow], groups: list[str]) -> list[PlannedFlow]:
    """The flows that the names of a file stand for; all when there are none."""
    return [flow for flow in planned if not groups or flow.group in groups or flow.name in groups]


def expanded(expectation: dict[str, Any], planned: list[PlannedFlow]) -> dict[str, Any]:
    """An expectation in which every flow of `among` is named by itself."""
    keys = {"flow": ("name",), "untouched": ("flows",), "allow": ("flow", "flows")}
    (kind, body), *_ = expectation.items()
    if not isinstance(body, dict):
        return expectation
    changed = dict(body)
    for key in keys.get(kind, ()):
        if key in body:
            groups = [body[key]] if isinstance(body[key], str) else list(body[key])
            changed[key] = [flow.name for flow in members(planned, groups)]
    return {kind: changed}
