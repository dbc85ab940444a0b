"""Every name in a scenario has to exist: ports, bricks, frontends, flows, actors, events."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.run.steps.base import Names
from testbed.scenario.event_names import EVENTS
from testbed.scenario.expect import Expectation, known_event
from testbed.scenario.mistakes import Path, unknown_name
from testbed.scenario.model import PROXY, Scenario
from testbed.scenario.topology import (
    CaptureBrick,
    Flow,
    LinkPort,
    Switch,
    SwitchBrick,
    VirtioUser,
    brick_reference,
)
from testbed.scenario.walk import walk_steps

Problem = tuple[Path, str]


def problems(scenario: Scenario) -> Iterator[Problem]:
    names = scenario.names()
    yield from _uniqueness(scenario)
    for name, switch in scenario.all_switches().items():
        place: Path = ("switch",) if scenario.switch is not None else ("switches", name)
        yield from _switch(switch, place)
        yield from _links(scenario, name, switch, place)
    yield from _start(scenario, names)
    yield from _frontends(scenario)
    for name, flow in scenario.flows.items():
        yield from _flow(flow, ("flows", name), names)
    for path, step in walk_steps(scenario.steps):
        for below, what in step.problems(names):
            yield (*path, step.kind, *below), what
    for index, expectation in enumerate(scenario.expect):
        yield from _expectation(expectation, ("expect", index), scenario, names)


def _uniqueness(scenario: Scenario) -> Iterator[Problem]:
    taken = dict.fromkeys(scenario.all_switches(), "a switch")
    for name, switch in scenario.all_switches().items():
        place: Path = ("switch",) if scenario.switch is not None else ("switches", name)
        for port in switch.ports:
            if port in switch.bricks:
                yield (*place, "ports", port), f"'{port}' is a brick already; names are unique"
            if scenario.switch is not None:
                taken.setdefault(port, "a port")
    if scenario.proxied_ports():
        taken.setdefault(PROXY, "the proxy that breaks sockets")
    for frontend in scenario.frontends:
        if frontend in taken:
            yield ("frontends", frontend), f"'{frontend}' is {taken[frontend]} already; names are unique"


def _switch(switch: Switch, place: Path) -> Iterator[Problem]:
    for name, port in switch.ports.items():
        if port.to is not None and (what := _end(port.to, switch)):
            yield (*place, "ports", name, "to"), what
    for name, brick in switch.bricks.items():
        if isinstance(brick, SwitchBrick):
            for mac, peer in brick.static.items():
                if peer not in switch.ports and peer not in switch.bricks:
                    known = [*switch.ports, *switch.bricks]
                    yield (*place, "bricks", name, "static", mac), unknown_name("port or brick", peer, known)
    for index, order in enumerate(switch.sabotage):
        if order.port is not None and order.port not in switch.ports:
            yield (*place, "sabotage", index, "port"), unknown_name("port", order.port, switch.ports)
    for index, edge in enumerate(switch.edges):
        for side, end in enumerate(edge):
            if end not in switch.ports and (what := _end(end, switch)):
                yield (*place, "edges", index, side), what


def _links(scenario: Scenario, name: str, switch: Switch, place: Path) -> Iterator[Problem]:
    """Both ends of a cable name each other, and are at two switches."""
    ends = {
        f"{other}.{port}": spec
        for other, peer in scenario.all_switches().items()
        for port, spec in peer.ports.items()
        if isinstance(spec, LinkPort) and other != name
    }
    for port, spec in switch.ports.items():
        if not isinstance(spec, LinkPort):
            continue
        if spec.peer not in ends:
            yield (
                (*place, "ports", port, "peer"),
                unknown_name("link port of another switch", spec.peer, ends),
            )
        elif ends[spec.peer].peer != f"{name}.{port}":
            yield (
                (*place, "ports", port, "peer"),
                f"the peer of {spec.peer} is {ends[spec.peer].peer}, not this port",
            )


def _end(end: str, switch: Switch) -> str:
    """Why `end` (lan, tap.west) is no place to lead to, or empty."""
    brick, dot, side = end.partition(".")
    if brick not in switch.bricks:
        if end in switch.ports:
            return f"'{end}' is a port; a port leads to a brick, or write `edges: [[{end}, ...]]`"
        return brick_reference(end, switch.bricks)
    if dot and isinstance(switch.bricks[brick], CaptureBrick) and side not in ("west", "east"):
        return f"no side '{side}' of '{brick}'; there are west, east"
    return ""


def _start(scenario: Scenario, names: Names) -> Iterator[Problem]:
    for index, actor in enumerate(scenario.start if isinstance(scenario.start, list) else []):
        if actor not in names.actors:
            yield ("start", index), unknown_name("actor", actor, names.actors)


def _frontends(scenario: Scenario) -> Iterator[Problem]:
    ports = scenario.ports()
    owners: dict[str, str] = {}
    for name, spec in scenario.frontends.items():
        place = ("frontends", name)
        if spec.port not in ports:
            yield (*place, "port"), unknown_name("vhost port", spec.port, ports)
            continue
        if spec.port in owners:
            yield (
                (*place, "port"),
                f"'{spec.port}' has a frontend already: {owners[spec.port]}; one session a port",
            )
        owners[spec.port] = name
        if spec.queues > ports[spec.port].queues:
            what = f"{spec.queues} queue pairs are more than port {spec.port} has ({ports[spec.port].queues})"
            yield (*place, "queues" if "queues" in spec.model_fields_set else "port"), what
        if (
            isinstance(spec, VirtioUser)
            and spec.placement == "in-process"
            and len(scenario.all_switches()) > 1
        ):
            yield (*place, "placement"), "in-process frontends need a file with one switch"


def _flow(flow: Flow, place: Path, names: Names) -> Iterator[Problem]:
    for key, value in (("from", flow.from_), ("to", flow.to)):
        if value is not None and value not in names.frontends:
            yield (*place, key), unknown_name("frontend", value, names.frontends)
    for index, value in enumerate(flow.among or []):
        if value not in names.frontends:
            yield (*place, "among", index), unknown_name("frontend", value, names.frontends)
    source = names.frontends.get(flow.from_ or "")
    if flow.queue is not None and source is not None and flow.queue >= source.queues:
        yield (*place, "queue"), f"'{flow.from_}' has {source.queues} queue pairs, numbered from 0"


def _expectation(entry: Expectation, place: Path, scenario: Scenario, names: Names) -> Iterator[Problem]:
    for key, flow in entry.flows():
        if flow not in names.flows:
            yield (*place, *key), unknown_name("flow", flow, names.flows)
    body = entry.body
    if entry.kind == "queues":
        yield from _missing(body.frontend, names.frontends, "frontend", (*place, "queues", "frontend"))
    elif entry.kind == "migration":
        movable = names.drivers | names.guests
        kind = "driver frontend or guest"
        yield from _missing(body.frontend, movable, kind, (*place, "migration", "frontend"))
    elif entry.kind == "guest":
        yield from _missing(body.name, names.guests, "guest", (*place, "guest", "name"))
    elif entry.kind == "answering" and body.actor is not None:
        yield from _missing([body.actor], names.actors, "actor", (*place, "answering", "actor"))
    elif entry.kind == "counter" and body.port is not None:
        yield from _missing([body.port], names.ports, "port", (*place, "counter", "port"))
    elif entry.kind == "event" and (what := known_event(body.name, EVENTS)):
        yield (*place, "event", "name"), what
    elif entry.kind == "allow":
        yield from _missing(body.frontends, names.drivers, "driver frontend", (*place, "allow", "frontends"))
    elif entry.kind == "pages" and not names.drivers:
        yield (*place, "pages"), "there is no `type: driver` frontend whose memory could be looked at"
    elif entry.kind == "dirty_log" and not any(step.kind == "log" for _, step in walk_steps(scenario.steps)):
        yield (*place, "dirty_log"), "no step switches a log on; write one like `log: {on: d2, do: on}`"
    elif entry.kind == "known":
        facts = {"backend", "datapath", *scenario.matrix}
        yield from _missing(list(body.when), facts, "axis", (*place, "known", "when"))


def _missing(wanted: list[str] | None, there: object, kind: str, place: Path) -> Iterator[Problem]:
    known = set(there)  # type: ignore[call-overload]
    for name in wanted or []:
        if name not in known:
            yield place, unknown_name(kind, name, known)
