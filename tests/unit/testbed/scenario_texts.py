"""Scenario texts that tests start from."""

from __future__ import annotations

import pytest
from testbed.scenario.load import parse_scenario
from testbed.scenario.mistakes import ScenarioError

PAIR = """\
name: pair
about: Two frontends on a switch.
switch:
  bricks: {lan: {type: switch}}
  ports:
    p0: {type: vhost, role: client, to: lan}
    p1: {type: vhost, role: client, to: lan}
frontends:
  f0: {type: virtio-user, port: p0}
  f1: {type: virtio-user, port: p1}
flows:
  probe: {from: f0, to: f1, rate: 1kpps}
steps:
  - wait: {flows: moving}
  - run: 200ms
expect:
  - flow: {name: probe, lost: 0}
"""


def with_steps(*steps: str) -> str:
    head, _, _ = PAIR.partition("steps:")
    return head + "steps:\n" + "".join(f"  - {step}\n" for step in steps)


def with_line(old: str, new: str, text: str = PAIR) -> str:
    assert old in text, f"{old} is not in the scenario"
    return text.replace(old, new, 1)


def complaint(text: str) -> str:
    """The one line that is said about a scenario with one mistake."""
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "x.yaml")
    lines = str(caught.value).splitlines()
    assert len(lines) == 1, lines
    return lines[0]
