"""Backends under test: what stands behind the vhost-user sockets. The project's switch is the default.

A backend builds actors that look like testbed-switch to the rest of the runner. What one cannot do is said before the cell
runs (`unsupported`), and reported as such, never as a failure.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from testbed.run.actors.base import World
from testbed.run.actors.switch import SwitchActor, switch_document
from testbed.run.binaries import find_program
from testbed.scenario.mistakes import unknown_name
from testbed.scenario.model import Scenario
from testbed.scenario.topology import Switch, VirtioUser


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
        self, name: str, spec: Switch, sockets: dict[str, Path], world: World, *, in_process: bool
    ) -> SwitchActor:
        """`sockets`: the path of each vhost port. `in_process`: frontends live in the same process."""


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
        self, name: str, spec: Switch, sockets: dict[str, Path], world: World, *, in_process: bool
    ) -> SwitchActor:
        program = find_program(_program(spec, in_process=in_process))
        orders = [order.document() for order in spec.sabotage]
        arguments = ["--sabotage", json.dumps(orders)] if orders else []
        return SwitchActor(name, program, switch_document(spec, sockets, name), world, arguments)


def _program(switch: Switch, *, in_process: bool) -> str:
    if switch.sabotage:
        return "testbed-switch-sabotaged"
    return "testbed-inprocess" if in_process else "testbed-switch"


BACKENDS: dict[str, type[Backend]] = {backend.name: backend for backend in (TestbedSwitch,)}


def backend_named(name: str) -> Backend:
    """Raises ValueError with one line."""
    if name not in BACKENDS:
        raise ValueError(unknown_name("backend", name, BACKENDS))
    return BACKENDS[name]()


def has_in_process(scenario: Scenario) -> bool:
    return any(
        isinstance(spec, VirtioUser) and spec.placement == "in-process"
        for spec in scenario.frontends.values()
    )
