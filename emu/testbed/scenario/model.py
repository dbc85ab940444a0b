"""One cell of a scenario: every template filled in, every value with its type."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from testbed.run.steps.base import Names
from testbed.run.steps.change import Apply, SwitchChange
from testbed.run.steps.raw import Send
from testbed.run.steps.registry import AnyStep
from testbed.run.steps.wire import OnSockets
from testbed.scenario.expect import Expectation
from testbed.scenario.fields import DurationNs, Model, Name, Reference, Scalar, at
from testbed.scenario.topology import Datapath, Flow, Frontend, NicPort, Qemu, Switch, VhostPort
from testbed.scenario.virtio_names import named_by
from testbed.scenario.walk import walk_steps

SWITCH = "switch"  # the actor's name when there is one
PROXY = "proxy"  # the actor that breaks sockets, in files whose steps ask for it


class Scenario(Model):
    """One file is one claim about what survives what."""

    name: Name = Field(description="the file's name without .yaml")
    about: str = Field(min_length=1, description="the claim, in one sentence that can be wrong")
    extends: str | None = Field(
        None,
        description="a file whose keys this one adds to: mappings are merged, what is written here wins, `expect` adds up",
    )
    seed: int = Field(1, ge=0, lt=1 << 63, description="everything random follows from it")
    let: dict[str, Any] = Field({}, description="values for `{name}` anywhere below")
    matrix: dict[str, list[Scalar]] = Field(
        {}, description="axes; every combination is a cell, run by itself"
    )
    except_: list[dict[str, Any]] = Field(
        [], alias="except", description="cells that are not run: values of the axes, and `because`"
    )
    timeout: DurationNs = Field(120 * 10**9, description="of one cell's steps")
    start: Literal["all", "none"] | list[Reference] = Field(
        "all", description="what runs before the first step; the rest is started by steps"
    )
    switch: Switch | None = Field(None, description="the one switch; its actor is called `switch`")
    switches: dict[Name, Switch] = Field(
        {}, description="several switches by name, in place of `switch`; their ports then are a.p0"
    )
    frontends: dict[Name, Frontend] = Field({}, description="who sits at the other end of the ports, by name")
    flows: dict[Name, Flow] = Field({}, description="checked packets, by name")
    steps: list[AnyStep] = Field([], description="what is done, one after the other")
    expect: list[Expectation] = Field(
        [], description="what must hold beyond the rules that are always on (docs/checkers.md)"
    )

    @field_validator("about")
    @classmethod
    def one_line(cls, value: str) -> str:
        return " ".join(value.split())

    @model_validator(mode="after")
    def has_a_switch(self) -> Scenario:
        if self.switch is None and not self.switches:
            raise ValueError("has no `switch:`, nothing to plug into")
        if self.switch is not None and self.switches:
            raise at("switches", "stands in place of `switch`; leave one of them out")
        return self

    def all_switches(self) -> dict[str, Switch]:
        return {SWITCH: self.switch} if self.switch is not None else dict(self.switches)

    def walked_by(self, datapath: Datapath) -> Scenario:
        """With that datapath wherever the file does not say."""
        walked = {
            name: spec if "datapath" in spec.model_fields_set else spec.but(datapath=datapath)
            for name, spec in self.all_switches().items()
        }
        return self.but(switch=walked[SWITCH]) if self.switch is not None else self.but(switches=walked)

    def port_name(self, switch: str, port: str) -> str:
        """As the file refers to it: p0, or a.p0 where there are several switches."""
        return port if self.switch is not None else f"{switch}.{port}"

    def split_port(self, reference: str) -> tuple[str, str]:
        """(switch, port)"""
        if self.switch is not None:
            return SWITCH, reference
        switch, _, port = reference.partition(".")
        return switch, port

    def ports(self) -> dict[str, VhostPort]:
        """The vhost-user ports by reference."""
        return {
            self.port_name(name, port): spec
            for name, switch in self.all_switches().items()
            for port, spec in switch.ports.items()
            if isinstance(spec, VhostPort)
        }

    def names(self) -> Names:
        ports: set[str] = set()
        bricks: set[str] = set()
        parts: list[tuple[str, Switch | SwitchChange]] = list(self.all_switches().items())
        descriptors: dict[str, set[str]] = {}
        for _, step in walk_steps(self.steps):
            if isinstance(step, Apply):
                parts += step.changes().items()
            elif isinstance(step, Send):
                kept = descriptors.setdefault(step.from_, set())
                kept.update(filter(None, map(named_by, step.fds or [])))
        for name, part in parts:
            ports.update(self.port_name(name, port) for port in part.ports)
            bricks.update(self.port_name(name, brick) for brick in part.bricks)
        return Names(
            switches=frozenset(self.all_switches()),
            frontends=dict(self.frontends),
            ports=frozenset(ports),
            attached=frozenset(spec.port for spec in self.frontends.values()),
            flows=frozenset(self.flows),
            bricks=frozenset(bricks),
            descriptors={name: frozenset(kept) for name, kept in descriptors.items()},
        )

    def proxied_ports(self) -> frozenset[str]:
        """Those whose sockets some step breaks: between them and their frontends is a proxy."""
        steps = (step for _, step in walk_steps(self.steps))
        return frozenset(port for step in steps if isinstance(step, OnSockets) for port in step.sockets())

    def autostarted(self) -> list[str]:
        """Actors that run before the first step."""
        everyone = [*self.all_switches(), *self.frontends]
        if self.start == "all":
            return everyone
        return [] if self.start == "none" else [name for name in everyone if name in self.start]

    def topology(self) -> dict[str, Any]:
        """As checkers and reports read it (check/topology.py)."""
        document: dict[str, Any] = {
            "frontends": {name: spec.plain() for name, spec in self.frontends.items()}
        }
        if self.switch is not None:
            return {"switch": self.switch.plain(), **document}
        return {"switches": {name: spec.plain() for name, spec in self.switches.items()}, **document}


def needs(scenario: Scenario) -> list[str]:
    """What a machine has to have for it, in words: for `testbed list`."""
    kinds = {type(spec) for spec in scenario.frontends.values()}
    needed = ["QEMU"] if Qemu in kinds else []
    nics = [port for switch in scenario.all_switches().values() for port in switch.ports.values()]
    needed += ["a network device"] if any(isinstance(port, NicPort) for port in nics) else []
    needed += ["hugepages"] if any(switch.hugepages for switch in scenario.all_switches().values()) else []
    return needed
