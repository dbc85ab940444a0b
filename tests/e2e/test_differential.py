"""The two datapaths, packet by packet: the same guests post the same chains and go through the same faults on each.

What came back (used entries, headers, octets, and octets that were not to be written), what was counted and what was
said is the same, but for what is known of librte_vhost (tests/support/transcripts.py).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from by_hand import PACKED, SPLIT, Variant
from datapath_rig import Network, Rig, rig
from testbed.check import judge
from testbed.run.backends import TestbedSwitch
from testbed.run.binaries import Lacking, find_program
from testbed.run.conduct import Interrupt, conduct
from testbed.run.watcher import Watcher
from testbed.scenario.load import load_scenario
from transcripts import Transcript, differences, undelivered

HERE = Path(__file__).parent / "differential"
BESIDE = ("", "capture", "nic", "link")
SEEDS = (1, 2)


pytestmark = pytest.mark.usefixtures("switch_and_driver")


def networks(variants: tuple[Variant, ...], seed: int) -> list[Network]:
    """Each variant sends and receives; another looks on; and something else is plugged in beside three of four."""
    return [
        Network(
            f"{n:02d}", (one, one, variants[(n + 5) % len(variants)]), BESIDE[(n + seed) % len(BESIDE)], seed
        )
        for n, one in enumerate(variants)
    ]


def as_the_library_takes_them() -> tuple[Variant, ...]:
    """22.11 takes each part of a chain on a packed receive ring for a buffer, when four short frames come at once."""
    return (*SPLIT, *(replace(variant, receive_parts=1) for variant in PACKED))


async def verdict(name: str, cell: dict[str, str], files: Path) -> str:
    """Of a scenario's cell; empty: passed."""
    planned = next(c for c in load_scenario(HERE / f"{name}.yaml").cells if cell.items() <= c.cell.items())
    _, evidence = await conduct(planned, 1, TestbedSwitch(), None, files, Watcher(), Interrupt())
    result = judge(evidence)
    return "\n".join(f"{c.checker} {c.subject}: {c.reason}" for c in result.checks if c.verdict != "passed")


async def script(on: Rig) -> None:
    await on.rounds(8, "at first")
    await on.too_few_buffers()
    await on.disabled(0, vring=1)
    await on.disabled(1, vring=0)
    await on.rounds(3, "enabled again")
    await on.restart_rings(fresh=False)
    await on.rounds(3, "rings restarted")
    await on.meet_again(0)
    await on.meet_again(1)
    await on.rounds(3, "guests came back")
    await on.new_switch()
    await on.rounds(3, "switch killed and started")
    await on.restart_rings(fresh=True)
    await on.rounds(3, "rings begun anew")
    await on.finish()


async def played(
    datapath: str, all_of_them: list[Network], directory: Path, program: str = "testbed-switch", *order: str
) -> Transcript:
    async with rig(datapath, all_of_them, directory, [find_program(program), *order]) as made:
        await script(made)
        return made.transcript


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_datapaths_do_the_same(seed: int, tmp_path: Path) -> None:
    all_of_them = networks(as_the_library_takes_them(), seed)
    library = await played("library", all_of_them, tmp_path / "library")
    ring = await played("ring", all_of_them, tmp_path / "ring")
    assert undelivered(ring) == []
    assert differences(library, ring) == []


async def test_the_ring_takes_chains_of_any_shape(tmp_path: Path) -> None:
    assert undelivered(await played("ring", networks((*SPLIT, *PACKED), 3), tmp_path)) == []


@pytest.mark.parametrize("datapath", ["library", "ring"])
@pytest.mark.parametrize("ring", ["split", "packed"])
async def test_faults_in_the_middle_of_traffic_lose_what_they_may_and_repeat_nothing(
    datapath: str, ring: str, tmp_path: Path
) -> None:
    assert await verdict("faults", {"datapath": datapath, "ring": ring}, tmp_path) == ""


@pytest.mark.parametrize("what", ["corrupt_payload", "duplicate_packet", "ignore_disable"])
async def test_a_datapath_that_misbehaves_differs(what: str, tmp_path: Path) -> None:
    try:
        find_program("testbed-switch-sabotaged")
    except Lacking as lacking:
        pytest.skip(str(lacking))
    few = networks(SPLIT[:1] + PACKED[:1], 4)
    honest = await played("ring", few, tmp_path / "honest")
    order = f'[{{"what": "{what}", "every": 10}}]'
    other = await played("ring", few, tmp_path / "other", "testbed-switch-sabotaged", "--sabotage", order)
    assert differences(honest, honest) == []
    assert differences(honest, other) != []
