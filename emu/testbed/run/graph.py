"""`testbed graph`: a scenario's topology in Graphviz's language, or as a picture."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from testbed.run import exits
from testbed.scenario.load import load_scenario
from testbed.scenario.mistakes import ScenarioError
from testbed.scenario.model import Scenario
from testbed.scenario.topology import LinkPort, NicPort

_FORMATS = ("svg", "png", "pdf")


def draw(file: Path, output: Path | None, cells: dict[str, str]) -> int:
    try:
        scenario = load_scenario(file).select(cells)[0].scenario
    except ScenarioError as mistake:
        print(mistake, file=sys.stderr)
        return exits.MISTAKE
    text = dot(scenario)
    if output is None:
        print(text, end="")
        return exits.PASSED
    return _picture(text, output)


def _picture(text: str, output: Path) -> int:
    kind = output.suffix.removeprefix(".")
    if kind not in _FORMATS:
        print(
            f"testbed graph: {output}: no format '{kind}'; there are {', '.join(_FORMATS)}", file=sys.stderr
        )
        return exits.MISTAKE
    if shutil.which("dot") is None:
        print("testbed graph: Graphviz is missing; mend it with: apt-get install graphviz", file=sys.stderr)
        return exits.LACKING
    done = subprocess.run(["dot", f"-T{kind}", "-o", str(output)], input=text, text=True, capture_output=True)
    if done.returncode != 0:
        print(f"testbed graph: dot: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return exits.LACKING
    return exits.PASSED


def dot(scenario: Scenario) -> str:
    """Frontends, ports and bricks as boxes; sessions, edges and flows as lines."""
    return "\n".join([f'graph "{scenario.name}" {{', *(f"  {line}" for line in _lines(scenario)), "}", ""])


def _lines(scenario: Scenario) -> Iterator[str]:
    yield "rankdir=LR; node [shape=box, style=rounded, fontname=sans]; edge [fontname=sans, fontsize=10];"
    for name, switch in scenario.all_switches().items():
        yield f'subgraph "cluster_{name}" {{ label="{name}";'
        for brick, spec in switch.bricks.items():
            yield f'  "{name}/{brick}" [label="{brick}\\n{spec.type}", style=filled, fillcolor="#e8eef8"];'
        for port, end in switch.ports.items():
            what = (
                end.device if isinstance(end, NicPort) else "link" if isinstance(end, LinkPort) else end.role
            )
            yield f'  "{name}/{port}" [label="{port}\\n{what}"];'
            if end.to is not None:
                yield f'  "{name}/{port}" -- "{name}/{end.to.partition(".")[0]}"{_side(end.to)};'
        for first, second in switch.edges:
            ends = [f'"{name}/{end.partition(".")[0]}"' for end in (first, second)]
            yield f"  {ends[0]} -- {ends[1]};"
        yield "}"
    yield from _links(scenario)
    for name, frontend in scenario.frontends.items():
        switch_name, port = scenario.split_port(frontend.port)
        ring = f"{frontend.type}\\n{frontend.ring}, {frontend.queues} queue pair{'s' * (frontend.queues > 1)}"
        yield f'"{name}" [label="{name}\\n{ring}", style="rounded,filled", fillcolor="#eef6ea"];'
        yield f'"{name}" -- "{switch_name}/{port}" [style=bold];'
    for name, flow in scenario.flows.items():
        if flow.among is None:
            yield f'"{flow.from_}" -- "{flow.to}" [label="{name}", style=dashed, dir=forward, constraint=false];'


def _links(scenario: Scenario) -> Iterator[str]:
    for name, switch in scenario.all_switches().items():
        for port, end in switch.ports.items():
            if isinstance(end, LinkPort) and f"{name}.{port}" < end.peer:
                yield f'"{name}/{port}" -- "{end.peer.replace(".", "/", 1)}" [style=bold];'


def _side(end: str) -> str:
    _, dot_, side = end.partition(".")
    return f' [headlabel="{side}"]' if dot_ else ""
