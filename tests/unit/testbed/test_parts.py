"""Parts of the runner by themselves."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from scenario_texts import PAIR, with_line
from testbed.check.evidence import Event
from testbed.run import exits
from testbed.run.binaries import Lacking, find_program
from testbed.run.faults import Faults
from testbed.run.flow_plan import expanded, plan_flows
from testbed.run.history import History
from testbed.run.places import places
from testbed.run.process import ManagedProcess
from testbed.run.up import attach
from testbed.scenario.load import parse_scenario
from testbed.scenario.topology import VhostPort

# -- Flows

MESH = with_line(
    "probe: {from: f0, to: f1, rate: 1kpps}", "probe: {among: [f0, f1], rate: 8Mbps, size: 1000, macs: 3}"
)


def test_among_is_a_flow_for_every_ordered_pair_with_addresses_that_never_overlap() -> None:
    flows = plan_flows(parse_scenario(MESH).cells[0].scenario, 1)
    assert [(flow.name, flow.source, flow.sink) for flow in flows] == [
        ("probe.f0-f1", "f0", "f1"),
        ("probe.f1-f0", "f1", "f0"),
    ]
    first, second = flows
    assert (first.source_mac, first.sink_mac) == ("02:54:00:01:00:01", "02:54:00:02:00:01")
    assert (second.source_mac, second.sink_mac) == ("02:54:00:02:00:04", "02:54:00:01:00:04")


def test_a_rate_in_bits_is_one_in_packets_of_the_flows_mean_size() -> None:
    (flow, _) = plan_flows(parse_scenario(MESH).cells[0].scenario, 1)
    assert flow.rate_pps == 1000


def test_a_flows_seed_follows_from_the_scenarios_and_its_name() -> None:
    (one,), (same,) = (
        plan_flows(parse_scenario(PAIR).cells[0].scenario, 1),
        plan_flows(parse_scenario(PAIR).cells[0].scenario, 1),
    )
    (other,) = plan_flows(parse_scenario(PAIR).cells[0].scenario, 2)
    assert one.seed == same.seed != other.seed


def test_an_expectation_about_a_mesh_is_about_each_of_its_flows() -> None:
    flows = plan_flows(parse_scenario(MESH).cells[0].scenario, 1)
    assert expanded({"flow": {"name": ["probe"], "lost": 0}}, flows) == {
        "flow": {"name": ["probe.f0-f1", "probe.f1-f0"], "lost": 0}
    }
    assert expanded({"conserved": True}, flows) == {"conserved": True}


# -- Faults


def test_a_fault_ends_when_it_works_again_after_it_was_healed() -> None:
    changes: list[str] = []
    faults = Faults(lambda fault: changes.append("ended" if fault.end else "began"))
    working = False
    fault = faults.begin("kill", ["switch"], works=lambda healed: working)
    faults.heal_those_of(["kill"], "switch")
    assert faults.any_open
    working = True
    faults.look()
    assert not faults.any_open
    assert changes == ["began", "ended"]
    assert fault.end is not None
    assert fault.end >= (fault.healed or 0)


def test_a_fault_that_never_worked_again_ends_with_its_healing_and_excuses_nothing() -> None:
    faults = Faults(lambda fault: None)
    faults.begin("kill", ["switch"], works=lambda healed: False)
    faults.begin("kill", ["f0"], works=lambda healed: False)
    faults.heal_those_of(["kill"], "switch")
    healed, unhealed = faults.evidence()
    assert healed.end is not None
    assert unhealed.end is None


# -- Waiting


async def test_waiting_looks_again_after_every_change_and_gives_up_at_the_deadline() -> None:
    history = History()

    async def later() -> None:
        await asyncio.sleep(0.01)
        history.add(Event(1, "switch", "switch.ready"))

    task = asyncio.create_task(later())
    assert await history.until(lambda: len(history.events) == 1, time.monotonic_ns() + 5 * 10**9)
    assert not await history.until(lambda: len(history.events) == 2, time.monotonic_ns() + 10**7)
    await task


# -- Processes


async def test_a_process_that_ignores_being_asked_and_sigterm_ends_by_sigkill(tmp_path: Path) -> None:
    seen: list[str] = []
    with open(tmp_path / "log", "wb") as log:
        async with ManagedProcess("stubborn", lambda process: seen.append(process.status)) as process:
            process.spawn(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"], log)
            while not (tmp_path / "log").read_bytes():
                assert not await process.ended(0.01)
            await process.end(None, 0.1)
    assert process.status == "SIGKILL"
    assert process.expected
    assert seen == ["SIGKILL"]


async def test_an_exit_nobody_asked_for_is_told_with_its_status(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as log:
        process = ManagedProcess("p")
        process.spawn(["sh", "-c", "exit 7"], log)
        assert await process.ended(5)
    assert (process.status, process.expected) == ("exit 7", False)


# -- Places


def test_sockets_stand_beside_the_files_where_their_path_is_short(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    with places(deep) as where:
        assert len(os.fsencode(where.socket("p" * 32))) <= 107
        assert not where.sockets.is_relative_to(deep)
        (where.directory("switch") / "lan.pcapng").write_text("frames")
        elsewhere = where.sockets
    assert not elsewhere.exists()
    assert (deep / "lan.pcapng").read_text() == "frames", "captures are kept"


def test_a_directory_with_characters_that_devices_cannot_hold_gets_its_sockets_elsewhere(
    tmp_path: Path,
) -> None:
    with places(tmp_path / "a,b") as where:
        assert "," not in str(where.sockets)


def test_a_program_is_found_in_the_build_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESTBED_BUILD", str(tmp_path))
    with pytest.raises(Lacking, match=r"mend it with: \./testbed build"):
        find_program("testbed-switch")
    program = tmp_path / "core" / "testbed-switch"
    program.parent.mkdir()
    program.touch(mode=0o755)
    assert find_program("testbed-switch") == program


def test_the_switch_may_come_from_another_build_than_its_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for build, program in (("fast", "emu/driver/testbed-driver"), ("slow", "core/testbed-switch")):
        (tmp_path / build / program).parent.mkdir(parents=True)
        (tmp_path / build / program).touch(mode=0o755)
    monkeypatch.setenv("TESTBED_BUILD", str(tmp_path / "fast"))
    with pytest.raises(Lacking):
        find_program("testbed-switch")
    monkeypatch.setenv("TESTBED_SWITCH_BUILD", str(tmp_path / "slow"))
    assert find_program("testbed-switch") == tmp_path / "slow/core/testbed-switch"
    assert find_program("testbed-driver") == tmp_path / "fast/emu/driver/testbed-driver"


# -- Others


def test_the_worst_status_of_several_runs_is_the_one_that_is_returned() -> None:
    assert exits.worst([]) == exits.PASSED
    assert exits.worst([0, 4]) == exits.UNKNOWN
    assert exits.worst([0, 4, 1]) == exits.FAILED
    assert exits.worst([0, 3]) == exits.LACKING
    assert exits.worst([1, 130]) == exits.INTERRUPTED


@pytest.mark.parametrize(
    ("role", "qemu", "dpdk"), [("client", "server=on", "server=1"), ("server", "reconnect=1", "queues=2")]
)
def test_how_to_attach_takes_the_other_role(role: str, qemu: str, dpdk: str) -> None:
    port = VhostPort.model_validate({"type": "vhost", "role": role, "queues": 2})
    text = "\n".join(attach(Path("/d/p0.sock"), port))
    assert qemu in text
    assert dpdk in text
    assert text.count("path=/d/p0.sock") == 2
    assert ("server=1" in text) == (role == "client")
