"""Backends under test: what stands behind the vhost-user sockets. The project's switch is the default.

A backend builds actors that look like testbed-switch to the rest of the runner. What one cannot do is said before the cell
runs (`unsupported`), and reported as such, never as a failure.
"""

from __future__ import annotations

import json
import shutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from testbed.run import openvswitch
from testbed.run.actors.base import World
from testbed.run.actors.ovs import OvsActor
from testbed.run.actors.switch import SwitchActor, switch_document
from testbed.run.actors.testpmd import TestpmdActor
from testbed.run.binaries import Lacking, find_program
from testbed.run.flow_plan import plan_flows
from testbed.run.foreign import foreign, has_in_process
from testbed.scenario.mistakes import unknown_name
from testbed.scenario.model import Scenario
from testbed.scenario.topology import Switch


class Backend(ABC):
    name: ClassVar[str]

    @abstractmethod
    def check_machine(self, scenario: Scenario) -> None:
        """Raises Lacking when a program that the scenario needs is missing."""

    @abstractmethod
    def unsupported(self, scenario: Scenario) -> str:
        """Why this backend cannot take part in the scenario; empty when it can."""

    @abstractmethod
    def switch(
        self, name: str, spec: Switch, sockets: dict[str, Path], scenario: Scenario, world: World
    ) -> SwitchActor:
        """`sockets`: the path of each vhost port."""


class TestbedSwitch(Backend):
    name = "testbed-switch"

    def check_machine(self, scenario: Scenario) -> None:
        for switch in scenario.all_switches().values():
            find_program(_program(switch, in_process=has_in_process(scenario)))

    def unsupported(self, scenario: Scenario) -> str:
        if has_in_process(scenario) and any(switch.sabotage for switch in scenario.all_switches().values()):
            return "a sabotaged switch takes no frontends into its process"
        return ""

    def switch(
        self, name: str, spec: Switch, sockets: dict[str, Path], scenario: Scenario, world: World
    ) -> SwitchActor:
        program = find_program(_program(spec, in_process=has_in_process(scenario)))
        orders = [order.document() for order in spec.sabotage]
        arguments = ["--sabotage", json.dumps(orders)] if orders else []
        return SwitchActor(name, program, switch_document(spec, sockets, name), world, arguments)


def _program(switch: Switch, *, in_process: bool) -> str:
    if switch.sabotage:
        return "testbed-switch-sabotaged"
    return "testbed-inprocess" if in_process else "testbed-switch"


class DpdkTestpmd(Backend):
    """The stock library: net_vhost devices in dpdk-testpmd, which passes frames between the first port and the second, the
    third and the fourth, and so on."""

    name = "dpdk-testpmd"

    def check_machine(self, scenario: Scenario) -> None:
        _testpmd()

    def unsupported(self, scenario: Scenario) -> str:
        if why := foreign(scenario):
            return f"dpdk-testpmd {why}"
        for name, switch in scenario.all_switches().items():
            if why := _no_pairs(scenario, name, switch):
                return f"dpdk-testpmd {why}"
        return ""

    def switch(
        self, name: str, spec: Switch, sockets: dict[str, Path], scenario: Scenario, world: World
    ) -> SwitchActor:
        return TestpmdActor(name, _testpmd(), spec, sockets, ends_at(scenario, name), world)


def _testpmd() -> Path:
    found = shutil.which("dpdk-testpmd")
    if found is None:
        raise Lacking("dpdk-testpmd is missing; mend it with: apt-get install dpdk-dev")
    return Path(found)


def _no_pairs(scenario: Scenario, name: str, switch: Switch) -> str:
    """Why this switch is no set of pairs of ports, or empty."""
    if len(switch.ports) % 2:
        return "needs an even number of ports: it forwards from one to the next"
    order = [scenario.port_name(name, port) for port in switch.ports]
    for flow in plan_flows(scenario, scenario.seed):
        places = [scenario.frontends[end].port for end in (flow.source, flow.sink)]
        there = [order.index(place) for place in places if place in order]
        if there and (len(there) < 2 or there[0] // 2 != there[1] // 2):
            return f"forwards between neighbouring ports only, and {flow.name} goes from {places[0]} to {places[1]}"
    return ""


class OvsDpdk(Backend):
    """A bridge that learns, in Open vSwitch's own polling thread, on the stock library. It needs root and hugepages."""

    name = "ovs-dpdk"

    def check_machine(self, scenario: Scenario) -> None:
        if why := openvswitch.why_not():
            raise Lacking(why)

    def unsupported(self, scenario: Scenario) -> str:
        if why := foreign(scenario):
            return f"ovs-dpdk {why}"
        switches = scenario.all_switches()
        if len(switches) > 1:
            return "ovs-dpdk runs once on a host: there is one switch too many"
        kinds = {brick.type for switch in switches.values() for brick in switch.bricks.values()} - {"switch"}
        return f"ovs-dpdk has no `{min(kinds)}` brick" if kinds else ""

    def switch(
        self, name: str, spec: Switch, sockets: dict[str, Path], scenario: Scenario, world: World
    ) -> SwitchActor:
        return OvsActor(name, spec, sockets, ends_at(scenario, name), world)


def ends_at(scenario: Scenario, name: str) -> dict[str, str]:
    """The port of each frontend at this switch."""
    return {
        frontend: port
        for frontend, end in scenario.frontends.items()
        for switch, port in [scenario.split_port(end.port)]
        if switch == name
    }


BACKENDS: dict[str, type[Backend]] = {
    backend.name: backend for backend in (TestbedSwitch, DpdkTestpmd, OvsDpdk)
}


def backend_named(name: str) -> Backend:
    """Raises ValueError with one line."""
    if name not in BACKENDS:
        raise ValueError(unknown_name("backend", name, BACKENDS))
    return BACKENDS[name]()
