"""The driver against somebody else's backend: librte_vhost in dpdk-testpmd, forwarding between two of our frontends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rig import Driver, Testpmd, needs_both

pytestmark = needs_both

VARIANTS: list[dict[str, Any]] = [
    {},
    {"indirect": False},
    {"mergeable": False},
    {"in_order": True},
    {"event_idx": True},
    {"polled": True},
    {"tx_cut": [12]},
    {"tx_cut": [1] * 12 + [20], "rx_cut": [12], "indirect": False},
    {"rx_buffer": 256},
    {"size": 32},
    {"buffer_offset": 4090, "regions": [{"gpa": 0, "size": 1 << 24}, {"gpa": 1 << 32, "size": 1 << 24}]},
]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def start(stack: ExitStack, directory: Path, queues: int = 1, client: bool = False) -> Driver:
    backend = Testpmd(directory, queues, client)
    stack.callback(backend.kill)
    driver = Driver(directory)
    stack.callback(driver.close)
    return driver


def bounce(driver: Driver, queues: int = 1) -> None:
    """Some thousand frames go both ways; every single one arrives as it was sent and nothing else is written."""
    driver.add_flows(streams=queues, window=24)
    driver.call("driver.snapshot", frontend="f0")
    driver.call("flow.start")
    driver.moved(1000)
    counts = driver.all_arrived()
    for flow in counts.values():
        assert (flow["lost"], flow["corrupted"], flow["duplicated"], flow["reordered"]) == (0, 0, 0, 0)
    pages = driver.call("driver.diff", frontend="f0")
    assert pages["stray"] == []
    assert pages["returned"] > 0
    for frontend in ("f0", "f1"):
        for ring in driver.call("driver.rings", frontend=frontend)["rings"]:
            # Stock librte_vhost leaves num_buffers 0 without MRG_RXBUF (Virtio 1.2, 5.1.6.4 wants 1).
            faults = {k: n for k, n in ring["faults"].items() if n and k != "bad_buffers"}
            assert faults == {}, ring


@pytest.mark.parametrize("ring", ["split", "packed"])
def test_every_frame_comes_back_in_every_shape_of_chains(stack: ExitStack, tmp_path: Path, ring: str) -> None:
    driver = start(stack, tmp_path)
    first = 65530 if ring == "split" else 250  # round the end soon
    sizes = [{"size": 257}] if ring == "packed" else []
    for options in [*VARIANTS, {"first": first}, *sizes]:
        driver.add_pair(tmp_path, ring=ring, **options)
        bounce(driver)
        driver.remove_pair()


@pytest.mark.parametrize("ring", ["split", "packed"])
def test_four_queue_pairs_each_carry_their_streams(stack: ExitStack, tmp_path: Path, ring: str) -> None:
    driver = start(stack, tmp_path, queues=4)
    driver.add_pair(tmp_path, ring=ring, queues=4)
    before = driver.call("driver.rings", frontend="f0")["rings"]
    bounce(driver, queues=4)
    after = driver.call("driver.rings", frontend="f0")["rings"]
    assert len(after) == 8
    for first, last in zip(before, after, strict=True):
        # Not the position: one that went round exactly is where it began.
        assert last["taken"] > first["taken"], last


def quiet_start_of_logging(driver: Driver) -> None:
    """Logging on, and nothing on its way: a hello between the two last steps would count for one of them only."""
    driver.call("driver.log", frontend="f0", do="on")
    while True:
        driver.call("driver.log", frontend="f0", do="read")
        driver.call("driver.snapshot", frontend="f0")
        if not driver.call("driver.log", frontend="f0", do="peek")["pages"]:
            return


@pytest.mark.parametrize("ring", ["split", "packed"])
@pytest.mark.parametrize("options", [{}, {"buffer_offset": 4090}], ids=["aligned", "straddling"])
def test_the_dirty_log_names_exactly_the_pages_that_were_written(
    stack: ExitStack, tmp_path: Path, ring: str, options: dict[str, Any]
) -> None:
    driver = start(stack, tmp_path)
    driver.add_pair(tmp_path, ring=ring, **options)
    driver.add_flows(window=24)
    quiet_start_of_logging(driver)
    driver.call("flow.start")
    driver.moved(300)
    driver.all_arrived()
    driver.call("driver.stop", frontend="f0")  # the library flushes what it has not logged yet
    written = set(driver.call("driver.diff", frontend="f0")["written"])
    log = driver.call("driver.log", frontend="f0", do="read")
    assert written
    assert sorted(written - set(log["pages"])) == [], "written and not logged"
    assert sorted(set(log["pages"]) - written) == [], "logged and not written"
    assert not log["strayed"]


def test_nothing_is_logged_once_logging_is_off(stack: ExitStack, tmp_path: Path) -> None:
    driver = start(stack, tmp_path)
    driver.add_pair(tmp_path)
    driver.add_flows(window=24)
    driver.call("driver.log", frontend="f0", do="on")
    driver.call("flow.start")
    driver.moved(100)
    driver.all_arrived()
    driver.call("driver.log", frontend="f0", do="off")
    assert driver.call("driver.log", frontend="f0", do="read")["pages"]
    driver.call("flow.start")
    driver.moved(400)
    driver.all_arrived()
    assert driver.call("driver.log", frontend="f0", do="read")["pages"] == []


@pytest.mark.parametrize("ring", ["split", "packed"])
def test_a_killed_backend_goes_on_where_the_rings_stand(stack: ExitStack, tmp_path: Path, ring: str) -> None:
    backend = Testpmd(tmp_path, 1, client=True)
    driver = Driver(tmp_path)
    stack.callback(driver.close)
    driver.add_pair(tmp_path, ring=ring, role="server")
    driver.add_flows(rate_pps=2000)
    driver.call("flow.start")
    driver.moved(500)
    backend.kill()
    driver.wait_events("driver.down", 2)
    stack.callback(Testpmd(tmp_path, 1, client=True).kill)
    again = driver.wait_events("driver.up", 4)[2:]
    assert [event["resumed"] for event in again] == [True, True]
    before = {flow: counts["received"] for flow, counts in driver.call("flow.counts").items()}
    counts = driver.until(
        "moving again", lambda now: all(now[flow]["received"] > before[flow] + 500 for flow in now)
    )
    for flow in counts.values():
        assert (flow["corrupted"], flow["duplicated"]) == (0, 0)


@pytest.mark.parametrize("ring", ["split", "packed"])
def test_a_killed_driver_goes_on_in_the_same_memory(stack: ExitStack, tmp_path: Path, ring: str) -> None:
    stack.callback(Testpmd(tmp_path, 1, client=True).kill)
    victim = Driver(tmp_path)
    options = {"ring": ring, "role": "server", "backing": "file"}
    victim.add_pair(tmp_path, **options)
    victim.add_flows(rate_pps=5000)
    victim.call("flow.start")
    victim.moved(500)
    victim.process.kill()
    victim.process.wait()
    driver = Driver(tmp_path)
    stack.callback(driver.close)
    driver.add_pair(tmp_path, **options)
    assert [event["resumed"] for event in driver.named("driver.up")] == [True, True]
    driver.add_flows(rate_pps=5000)
    driver.call("flow.start")
    driver.moved(500)
    for frontend in ("f0", "f1"):
        for entry in driver.call("driver.rings", frontend=frontend)["rings"]:
            assert not any(entry["faults"].values()), entry
