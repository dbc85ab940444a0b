"""What a scenario asks of the switch that no other backend has: a control socket, events, counters, sabotage."""

from __future__ import annotations

from testbed.run.steps.change import Apply, Disconnect
from testbed.scenario.model import Scenario
from testbed.scenario.topology import VhostPort, VirtioUser
from testbed.scenario.walk import walk_steps

# Events that testbed-switch tells (docs/protocol.md); the other programs' are there with any backend.
_SWITCH_EVENTS = ("session.", "ring.", "queue.", "port.", "fdb.", "plan.", "switch.", "link.", "pool.")


def foreign(scenario: Scenario) -> str:
    """Why a backend that is not ours cannot take part, beginning with a verb; empty when nothing stands in its way."""
    if has_in_process(scenario):
        return "takes no frontends into its process"
    for switch in scenario.all_switches().values():
        if not all(isinstance(port, VhostPort) for port in switch.ports.values()):
            return "has vhost ports only"
        if switch.sabotage:
            return "cannot be sabotaged"
    for _, step in walk_steps(scenario.steps):
        if isinstance(step, Apply | Disconnect):
            return f"has no control socket for `{step.kind}`"
    for expectation in scenario.expect:
        if expectation.kind in ("conserved", "counter"):
            return f"has no counters for `{expectation.kind}`"
        if expectation.kind == "event" and expectation.body.name.startswith(_SWITCH_EVENTS):
            return f"tells no events: `{expectation.body.name}` is the switch's"
    return ""


def has_in_process(scenario: Scenario) -> bool:
    return any(
        isinstance(spec, VirtioUser) and spec.placement == "in-process"
        for spec in scenario.frontends.values()
    )
