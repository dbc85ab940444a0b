"""`testbed list`: every scenario of a directory, what it claims and what it needs."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path
from shutil import get_terminal_size

from testbed.scenario.load import ScenarioFile, load_scenario
from testbed.scenario.mistakes import ScenarioError
from testbed.scenario.model import needs


def list_scenarios(directory: Path) -> int:
    """0, or 2 when there are none or one of them is wrong."""
    if not directory.is_dir():
        print(f"testbed list: {directory}: there is no such directory", file=sys.stderr)
        return 2
    paths = sorted(path for path in directory.glob("*.yaml") if path.is_file())
    if not paths:
        print(f"testbed list: {directory} has no scenarios (*.yaml)", file=sys.stderr)
        return 2
    status = 0
    for path in paths:
        try:
            print(_entry(load_scenario(path)))
        except ScenarioError as error:
            print(error, file=sys.stderr)
            status = 2
    for place in sorted(path for path in directory.iterdir() if path.is_dir()):
        if count := sum(map(_is_scenario, place.glob("*.yaml"))):
            print(f"{place.name}/  [{count} more]\n    testbed list {place}\n")
    return status


def _is_scenario(path: Path) -> bool:
    """Files that others extend have no name."""
    return bool(re.search(r"^name:", path.read_text(errors="replace"), re.MULTILINE))


def _entry(file: ScenarioFile) -> str:
    width = min(get_terminal_size().columns, 110) - 4
    needed = sorted({need for entry in file.cells for need in needs(entry.scenario)})
    # A matrix over kinds of frontends needs QEMU in some cells only.
    always = [need for need in needed if all(need in needs(entry.scenario) for entry in file.cells)]
    told = [need if need in always else f"{need} (some cells)" for need in needed]
    facts = [f"needs {', '.join(told)}" if told else "emulated only"]
    if len(file.cells) > 1:
        axes = ", ".join(f"{axis} x{len(values)}" for axis, values in file.axes.items())
        facts.append(f"{len(file.cells)} cells ({axes})")
    if file.left_out:
        facts.append(f"{len(file.left_out)} left out")
    lines = [f"{file.name}  [{'; '.join(facts)}]", *textwrap.wrap(file.about, width)]
    return "\n    ".join(lines) + "\n"
