"""What `wait` looks at. Each function gives a look: it says what is missing, or nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from testbed.check.evidence import Event

if TYPE_CHECKING:
    from testbed.run.cell import Cell

Look = Callable[[], str]


def actors_not_up(cell: Cell, actors: Sequence[str]) -> Look:
    wanted = [cell.cast.all[name] for name in actors] or [a for a in cell.cast.all.values() if a.lives]
    return lambda: next((f"{actor.name} {actor.state}" for actor in wanted if not actor.up), "")


def ports_not(cell: Cell, state: str, ports: Sequence[str]) -> Look:
    """Without names: the ports of all frontends that were started and not ended, and connect by themselves."""

    def look() -> str:
        running = [f for f in cell.cast.frontends.values() if f.running and f.connects]
        wanted = list(ports) or [cell.port_of(f.name) for f in running]
        if not wanted:
            return "no frontend that connects by itself is running, so no port can be up"
        for port in wanted:
            if cell.is_port_up(port) != (state == "up"):
                return f"port {port} is not {state} ({cell.owners_of(port)})"
        return ""

    return look


def flows_not_moving(cell: Cell, flows: Sequence[str]) -> Look:
    """Moving: packets arrived after the wait began, over sessions that are up."""
    since = time.monotonic_ns()
    wanted = cell.flows.named(flows)

    def look() -> str:
        if not wanted:
            return "there are no flows"
        for state in wanted:
            plan = state.plan
            for end in (plan.source, plan.sink):
                if not cell.cast.frontends[end].up:
                    return f"flow {plan.name} is not moving: {end} {cell.cast.frontends[end].state}"
                if not cell.is_port_up(cell.port_of(end)):
                    return f"flow {plan.name} is not moving: port {cell.port_of(end)} is not up"
            if not state.moved_after(since):
                return f"flow {plan.name} is not moving: {state.sent} sent, {state.received} received"
        return ""

    return look


def flow_has_not(cell: Cell, flow: str, packets: int) -> Look:
    """Each flow that the name stands for."""
    wanted = cell.flows.named([flow])

    def look() -> str:
        for state in wanted:
            if state.received < packets:
                return f"{state.received} packets of {state.plan.name} were received"
        return ""

    return look


def guests_not_ready(cell: Cell, guests: Sequence[str]) -> Look:
    wanted = list(guests) or sorted(cell.scenario.names().guests)
    return actors_not_up(cell, wanted)


def event_not_seen(cell: Cell, name: str, matches: Callable[[Event], bool]) -> Look:
    """From the last step on that was no wait."""
    position = cell.script.last_action

    def look() -> str:
        seen = any(matches(event) for event in cell.history.since(position))
        return "" if seen else f"no event {name}"

    return look
