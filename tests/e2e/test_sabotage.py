"""Every saboteur of testbed-switch-sabotaged is caught by the checker that is there for it, and by no other."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from testbed.check import judge
from testbed.check.result import CellResult
from testbed.run.backends import TestbedSwitch
from testbed.run.binaries import Lacking, find_program
from testbed.run.conduct import Interrupt, conduct
from testbed.run.watcher import Watcher
from testbed.scenario.load import CellScenario, load_scenario
from testbed.scenario.topology import Sabotage

HERE = Path(__file__).parent / "sabotage"
DOCUMENT = Path(__file__).parents[2] / "docs" / "checkers.md"


@dataclass(frozen=True)
class Case:
    what: str
    scenario: str
    caught: str  # "checker rule"
    cell: str = ""  # a value of the scenario's matrix
    also: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    datapath: str = ""
    order: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join(filter(None, (self.what, self.scenario, self.cell)))


def cases() -> list[Case]:
    rows = YAML(typ="safe").load(HERE / "matrix.yaml")
    taken = ("in", "cell", "caught", "also", "may", "datapath")
    return [
        Case(
            row["what"],
            row["in"],
            row["caught"],
            row.get("cell", ""),
            tuple(row.get("also", ())),
            tuple(row.get("may", ())),
            row.get("datapath", ""),
            {key: value for key, value in row.items() if key not in taken},
        )
        for row in rows
    ]


CASES = cases()
SCENARIOS = sorted({(case.scenario, case.cell, case.datapath) for case in CASES})


def program() -> Path:
    try:
        return find_program("testbed-switch-sabotaged")
    except Lacking as lacking:
        pytest.skip(str(lacking))


async def run(name: str, cell: str, datapath: str, order: dict[str, Any] | None, files: Path) -> CellResult:
    program()
    cells = load_scenario(HERE / f"{name}.yaml").cells
    planned = next(entry for entry in cells if not cell or cell in entry.cell.values())
    switch = planned.scenario.switch
    assert switch is not None
    if datapath:
        switch = switch.but(datapath=datapath)
    if order is not None:
        switch = switch.but(sabotage=[Sabotage(**order)])
    planned = CellScenario(planned.cell, planned.scenario.but(switch=switch))
    backend = TestbedSwitch()
    _, evidence = await conduct(planned, 1, backend, None, files, Watcher(), Interrupt())
    return judge(evidence)


def failing(result: CellResult) -> set[str]:
    return {f"{check.checker} {rule}" for check in result.checks for rule in check.broken}


def told(result: CellResult) -> str:
    return "\n".join(
        f"{c.checker} {c.subject}: {c.verdict}: {c.reason}" for c in result.checks if c.verdict != "passed"
    )


@pytest.mark.parametrize(("scenario", "cell", "datapath"), SCENARIOS)
async def test_without_a_saboteur_the_scenario_passes(
    scenario: str, cell: str, datapath: str, tmp_path: Path
) -> None:
    result = await run(scenario, cell, datapath, None, tmp_path)
    assert result.verdict == "passed", told(result)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_saboteur_is_caught_by_its_checker_and_no_other(case: Case, tmp_path: Path) -> None:
    result = await run(case.scenario, case.cell, case.datapath, case.order, tmp_path)
    assert failing(result) - set(case.may) == {case.caught, *case.also}, told(result)


def listed() -> dict[str, str]:
    """What the program says of its saboteurs."""
    done = subprocess.run([program(), "--sabotage", "list"], capture_output=True, text=True, check=True)
    return dict(YAML(typ="safe").load(done.stdout))


def _beside(case: Case) -> str:
    broken = [f"`{rule}`" for rule in case.also] + [f"`{rule}` at times" for rule in case.may]
    return ", ".join(broken)


def test_every_saboteur_has_a_case() -> None:
    assert listed().keys() == {case.what for case in CASES}


def table(does: dict[str, str]) -> str:
    rows = dict.fromkeys(
        f"| `{case.what}` | {does[case.what]} | `{case.caught}` | {_beside(case)} |" for case in CASES
    )
    return "\n".join(
        ["| saboteur | what is wrong then | caught by | breaks also |", "|---|---|---|---|", *rows]
    )


def test_the_table_of_the_checkers_document_is_this_matrix() -> None:
    wanted = table(listed())
    assert wanted in DOCUMENT.read_text(), f"docs/checkers.md lacks this table:\n{wanted}"


def test_a_released_switch_has_no_saboteurs() -> None:
    released, sabotaged = find_program("testbed-switch").read_bytes(), program().read_bytes()
    for what in (b"7testbed8sabotage", *(name.encode() for name in listed())):  # the namespace, in symbols
        assert what in sabotaged
        assert what not in released


def test_an_unknown_saboteur_is_refused_by_name() -> None:
    orders = json.dumps([{"what": "nobody"}])
    done = subprocess.run([program(), "--sabotage", orders], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no saboteur 'nobody'" in done.stderr
