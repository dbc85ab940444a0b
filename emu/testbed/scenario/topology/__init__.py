"""Switches with bricks and ports, frontends, flows: what there is before the first step."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from testbed.scenario.topology.driver import Driver
from testbed.scenario.topology.flow import Flow
from testbed.scenario.topology.frontend import Qemu, VirtioUser
from testbed.scenario.topology.roles import Datapath, Ring, Role, opposite
from testbed.scenario.topology.switch import (
    Brick,
    CaptureBrick,
    Edge,
    HubBrick,
    LinkPort,
    NicPort,
    Port,
    Sabotage,
    Switch,
    SwitchBrick,
    VhostPort,
    brick_reference,
)

Frontend = Annotated[VirtioUser | Qemu | Driver, Field(discriminator="type")]

__all__ = [
    "Brick",
    "CaptureBrick",
    "Datapath",
    "Driver",
    "Edge",
    "Flow",
    "Frontend",
    "HubBrick",
    "LinkPort",
    "NicPort",
    "Port",
    "Qemu",
    "Ring",
    "Role",
    "Sabotage",
    "Switch",
    "SwitchBrick",
    "VhostPort",
    "VirtioUser",
    "brick_reference",
    "opposite",
]
