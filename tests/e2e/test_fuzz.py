"""`testbed fuzz` as a whole: silent about the switch, loud about one that was sabotaged and about the stock library."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from testbed.fuzz.campaign import Campaign, Tally, View
from testbed.fuzz.topology import Target
from testbed.run.actors.base import World
from testbed.run.actors.switch import SwitchActor
from testbed.run.backends import Backend, DpdkTestpmd, TestbedSwitch
from testbed.run.binaries import Lacking, find_program
from testbed.scenario.model import Scenario
from testbed.scenario.topology import Sabotage, Switch

ROOT = Path(__file__).parents[2]
needs_testpmd = pytest.mark.skipif(
    shutil.which("dpdk-testpmd") is None, reason="dpdk-testpmd is missing: apt-get install dpdk-dev"
)


def needs(*programs: str) -> pytest.MarkDecorator:
    try:
        for program in programs:
            find_program(program)
    except Lacking as lacking:
        return pytest.mark.skip(reason=str(lacking))
    return pytest.mark.skipif(False, reason="")


pytestmark = needs("testbed-switch", "testbed-driver")


def command(out: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "testbed", "fuzz", "--out", str(out), "--json", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "emu")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of(out: Path) -> list[str]:
    """Those that name the run's directory, or its sockets' when that is somewhere else."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            found += [line] if str(out) in line else []
    return found


@pytest.mark.parametrize("datapath", ["library", "ring"])
def test_ten_seconds_against_the_switch_find_nothing(tmp_path: Path, datapath: str) -> None:
    run = command(tmp_path / "out", "--seconds", "10", "--seed", "1", "--datapath", datapath)
    said, progress = run.communicate(timeout=180)
    document: dict[str, Any] = json.loads(said)
    assert document["findings"] == [], progress
    assert run.returncode == 0
    assert document["cases"] > 0
    outcomes = {outcome for row in document["coverage"].values() for outcome in row}
    assert {"answered", "done"} <= outcomes
    assert processes_of(tmp_path) == []


def test_an_interrupt_ends_it_in_order_and_leaves_nothing(tmp_path: Path) -> None:
    run = command(tmp_path / "out", "--seconds", "600", "--seed", "1")
    assert run.stderr is not None
    deadline = time.monotonic() + 120
    while "attacker:" not in run.stderr.readline():
        assert time.monotonic() < deadline and run.poll() is None
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 130
    assert json.loads(said)["interrupted"]
    assert processes_of(tmp_path) == []


async def campaign(backend: Backend, directory: Path, seed: int, seconds: float) -> Tally:
    tally = Tally(seed, seconds)
    await Campaign(Target(backend), tally, directory, 1, View()).run()
    return tally


class Sabotaged(TestbedSwitch):
    def __init__(self, what: str) -> None:
        self._what = what

    def switch(
        self, name: str, spec: Switch, sockets: dict[str, Path], scenario: Scenario, world: World
    ) -> SwitchActor:
        spoilt = spec.but(sabotage=[Sabotage(what=self._what, every=50)])
        return super().switch(name, spoilt, sockets, scenario, world)


@needs("testbed-switch-sabotaged")
@pytest.mark.parametrize(
    ("what", "kind"), [("write_elsewhere", "stray"), ("swallow_packet", "harmed"), ("leak_fd", "leak")]
)
async def test_a_switch_that_harms_others_is_found_out(tmp_path: Path, what: str, kind: str) -> None:
    tally = await campaign(Sabotaged(what), tmp_path, 1, 60)
    (kept,) = tally.kept
    assert kept.finding.violation.kind == kind
    assert kept.file.is_file()


@needs_testpmd
async def test_a_defect_of_the_stock_library_is_found_shrunk_and_replayed(tmp_path: Path) -> None:
    """Some of its defects are races: not every one is seen twice, and not always in as few steps."""
    for seed in range(1, 7):
        tally = await campaign(DpdkTestpmd(), tmp_path / str(seed), seed, 60)
        (kept,) = tally.kept
        assert kept.finding.violation.kind in ("died", "mute", "leak", "mappings", "stalled"), kept
        if kept.finding.reproduced and kept.verdict == "failed":
            break
    assert kept.finding.reproduced
    assert kept.verdict == "failed"
    assert len(kept.finding.steps) <= 8
