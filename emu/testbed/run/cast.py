"""The actors of a cell, made from its scenario."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.run.actors import driver
from testbed.run.actors.base import Actor, World
from testbed.run.actors.frontend import Arm, Frontend
from testbed.run.actors.load import InProcessFrontend, LoadActor, add_document
from testbed.run.actors.proxy import ProxyActor, leg_between
from testbed.run.actors.switch import SwitchActor
from testbed.run.backends import Backend
from testbed.run.binaries import find_program
from testbed.run.flow_plan import frontend_macs
from testbed.run.places import Places
from testbed.scenario.model import PROXY, Scenario
from testbed.scenario.topology import Driver, LinkPort, Qemu, VhostPort, opposite

if TYPE_CHECKING:
    from testbed.guest.command import Accelerator
    from testbed.guest.image import Image


@dataclass(frozen=True)
class GuestKit:
    """What every guest of a run boots, and on what."""

    image: Image
    accelerator: Accelerator


@dataclass(frozen=True)
class Cast:
    switches: dict[str, SwitchActor]
    frontends: dict[str, Frontend]
    proxy: ProxyActor | None = None  # between ports whose sockets steps break and their frontends

    @property
    def all(self) -> dict[str, Actor]:
        proxies: dict[str, Actor] = {PROXY: self.proxy} if self.proxy else {}
        return {**proxies, **self.switches, **self.frontends}


def socket_of(scenario: Scenario, places: Places, switch: str, port: str) -> Path:
    spec = scenario.all_switches()[switch].ports.get(port)
    if isinstance(spec, LinkPort):
        return places.socket(min(f"{switch}.{port}", spec.peer))
    if isinstance(spec, VhostPort) and spec.path is not None:
        return Path(spec.path)
    return places.socket(scenario.port_name(switch, port))


def frontend_socket_of(scenario: Scenario, places: Places, port: str) -> Path:
    """Where the frontend of a port listens or connects: beyond the proxy, where there is one between the two."""
    if port in scenario.proxied_ports():
        return places.socket(f"{port}.front")
    return socket_of(scenario, places, *scenario.split_port(port))


def make_cast(scenario: Scenario, backend: Backend, world: World, arm: Arm, kit: GuestKit | None) -> Cast:
    """Raises Lacking."""
    switches: dict[str, SwitchActor] = {}
    for name, spec in scenario.all_switches().items():
        sockets = {port: socket_of(scenario, world.places, name, port) for port in spec.ports}
        switches[name] = backend.switch(name, spec, sockets, scenario, world)
    frontends = {name: _frontend(scenario, name, switches, world, arm, kit) for name in scenario.frontends}
    return Cast(switches, frontends, _proxy(scenario, world))


def _proxy(scenario: Scenario, world: World) -> ProxyActor | None:
    ports = scenario.proxied_ports()
    if not ports:
        return None
    legs = {
        port: leg_between(
            frontend_socket_of(scenario, world.places, port),
            socket_of(scenario, world.places, *scenario.split_port(port)),
            opposite(scenario.ports()[port].role),
        )
        for port in sorted(ports)
    }
    return ProxyActor(PROXY, find_program("testbed-proxy"), legs, world)


def _frontend(
    scenario: Scenario,
    name: str,
    switches: dict[str, SwitchActor],
    world: World,
    arm: Arm,
    kit: GuestKit | None,
) -> Frontend:
    spec = scenario.frontends[name]
    switch, _ = scenario.split_port(spec.port)
    path = frontend_socket_of(scenario, world.places, spec.port)
    role = opposite(scenario.ports()[spec.port].role)
    mac = frontend_macs(scenario)[name]
    if isinstance(spec, Qemu):
        from testbed.guest.command import GuestOptions
        from testbed.run.actors.guest import GuestActor

        assert kit is not None, "guests need an image: prepared before the cell"
        options = GuestOptions(
            name=name,
            socket=path,
            role=role,
            mac=mac,
            ring=spec.ring,
            queues=spec.queues,
            memory_mb=spec.memory,
            cpus=spec.cpus,
            rx_queue_size=spec.queue_size,
            tx_queue_size=spec.queue_size,
            offloads=spec.offloads or ("all" if spec.mergeable else "checksum"),
            device={} if spec.mergeable else {"mrg_rxbuf": "off"},
        )
        return GuestActor(options, kit.image, kit.accelerator, world, arm)
    if isinstance(spec, Driver):
        add = driver.add_document(name, spec, path, role, mac)
        return driver.DriverActor(name, find_program("testbed-driver"), spec, add, world, arm)
    add = add_document(name, spec, path, role, mac)
    if spec.placement == "in-process":
        return InProcessFrontend(name, switches[switch], add, world, arm)
    return LoadActor(name, find_program("testbed-load"), spec, add, world, arm)
