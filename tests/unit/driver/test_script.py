"""What scripts do: hostile messages and chains, half messages, hand-overs, each against librte_vhost in dpdk-testpmd."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rig import Driver, Testpmd, mac, needs_both

pytestmark = needs_both


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    with ExitStack() as opened:
        opened.callback(Testpmd(tmp_path, 1).kill)
        program = Driver(tmp_path)
        opened.callback(program.close)
        yield program


def by_hand(driver: Driver, tmp_path: Path, **options: Any) -> dict[str, Any]:
    """f0 is driven by the script, f1 is an ordinary frontend on the other port."""
    driver.call("frontend.add", name="f1", path=str(tmp_path / "p1.sock"), mac=mac(1))
    driver.wait_events("driver.up", 1)
    path = str(tmp_path / "p0.sock")
    added: dict[str, Any] = driver.call(
        "frontend.add", name="f0", path=path, mac=mac(0), auto=False, **options
    )
    driver.call("driver.connect", frontend="f0", within_ms=20000)
    return added


def ring_of(driver: Driver, vring: int) -> dict[str, Any]:
    entry: dict[str, Any] = driver.call("driver.rings", frontend="f0", vring=vring)["rings"][0]
    return entry


def test_a_handshake_stops_where_it_is_told_to_and_goes_on(driver: Driver, tmp_path: Path) -> None:
    by_hand(driver, tmp_path)
    assert driver.call("driver.handshake", frontend="f0", stop_after=3) == {"complete": False, "messages": 3}
    assert not driver.call("driver.handshake", frontend="f0", stop_after="SET_VRING_ADDR")["complete"]
    sent = driver.call("driver.messages", frontend="f0")["messages"]
    assert sent[-1]["name"] == "SET_VRING_ADDR"
    assert driver.call("driver.handshake", frontend="f0")["complete"]
    assert len(driver.wait_events("driver.up", 2)) == 2


def test_rings_that_no_handshake_has_made_cannot_be_restarted(driver: Driver, tmp_path: Path) -> None:
    by_hand(driver, tmp_path)
    driver.call("driver.handshake", frontend="f0", stop_after="GET_FEATURES")
    with pytest.raises(AssertionError, match="not come that far"):
        driver.call("driver.restart", frontend="f0")
    assert driver.call("driver.handshake", frontend="f0")["complete"]


def test_messages_are_answered_refused_or_met_with_silence_as_the_backend_pleases(
    driver: Driver, tmp_path: Path
) -> None:
    by_hand(driver, tmp_path)
    driver.call("driver.handshake", frontend="f0")
    send = lambda **what: driver.call("driver.send", frontend="f0", **what)  # noqa: E731
    assert send(message="GET_FEATURES")["u64"] & 1 << 32
    assert send(message="SET_VRING_ENABLE", payload={"index": 1, "num": 1})["outcome"] == "sent"
    assert send(message="NET_SET_MTU", payload=1500, need_reply=True)["outcome"] == "answered"
    assert (
        send(message="SET_VRING_NUM", payload={"index": 0, "num": 65535}, need_reply=True)["outcome"]
        == "refused"
    )
    assert send(message="SET_LOG_BASE", payload={"size": 4096}, fds=[])["outcome"] in (
        "disconnected",
        "refused",
    )


def test_a_table_built_by_hand_has_the_guests_own_regions_and_others(driver: Driver, tmp_path: Path) -> None:
    by_hand(driver, tmp_path)
    driver.call("driver.handshake", frontend="f0", stop_after="SET_MEM_TABLE")
    more = {"gpa": 1 << 32, "size": 1 << 20, "user": 1 << 32, "offset": 0}
    fds = ["guest", "memfd 1048576"]
    told = driver.call("driver.send", frontend="f0", message="SET_MEM_TABLE", need_reply=True, fds=fds,
                       payload={"regions": ["guest", more]})  # fmt: skip
    assert told["outcome"] == "answered"
    assert driver.call("driver.handshake", frontend="f0")["complete"]  # its rings lie where they lay


def test_half_a_message_leaves_and_the_other_half_completes_it(driver: Driver, tmp_path: Path) -> None:
    by_hand(driver, tmp_path)
    driver.call("driver.handshake", frontend="f0")
    half = driver.call(
        "driver.send", frontend="f0", message="NET_SET_MTU", payload=1500, need_reply=True, cut=12
    )
    assert half == {"outcome": "sent", "octets": 12}
    driver.call("driver.send", frontend="f0", bytes="dc05000000000000")
    assert driver.wait_events("driver.unexpected", 1)[0]["message"] == "NET_SET_MTU"


@pytest.mark.parametrize("ring", ["split", "packed"])
def test_a_chain_built_by_hand_is_transmitted_and_comes_back(
    driver: Driver, tmp_path: Path, ring: str
) -> None:
    scratch = by_hand(driver, tmp_path, ring=ring)["scratch"]["gpa"]
    driver.call("driver.handshake", frontend="f0")
    before = driver.call("frontend.status")["f1"]["other_rx"]
    frame = "ff" * 6 + "02000000000a" + "9000" + "00" * 46
    driver.call("driver.poke", frontend="f0", gpa=scratch, bytes="00" * 12 + frame)
    assert driver.call("driver.peek", frontend="f0", gpa=scratch + 12, length=6)["bytes"] == "ff" * 6
    pieces = [
        {"addr": scratch, "len": 12},
        {"addr": scratch + 12, "len": 30},
        {"addr": scratch + 42, "len": 30},
    ]
    token = driver.call("driver.chain", frontend="f0", vring=1, descriptors=pieces)["token"]
    driver.until("returned", lambda _: bool(ring_of(driver, 1)["returned"]))
    assert ring_of(driver, 1)["returned"][0]["token"] == token
    driver.until("received", lambda _: driver.call("frontend.status")["f1"]["other_rx"] > before)


def test_a_looping_chain_stops_its_own_queue_and_nothing_else(driver: Driver, tmp_path: Path) -> None:
    scratch = by_hand(driver, tmp_path)["scratch"]["gpa"]
    driver.call("driver.handshake", frontend="f0")
    driver.call("driver.snapshot", frontend="f1")
    loop = [{"addr": scratch, "len": 1, "flags": 1, "next_index": 0}]
    driver.call("driver.chain", frontend="f0", vring=1, descriptors=loop, head=0)
    assert driver.call("driver.send", frontend="f0", message="GET_FEATURES")["outcome"] == "answered"
    assert driver.call("driver.diff", frontend="f1")["stray"] == []


def test_a_write_outside_every_posted_buffer_is_named(driver: Driver, tmp_path: Path) -> None:
    """The checker itself: the script lets the guest's memory be written without the driver's knowledge."""
    scratch = by_hand(driver, tmp_path)["scratch"]["gpa"]
    driver.call("driver.handshake", frontend="f0")
    driver.call("driver.snapshot", frontend="f0")
    driver.call("driver.flip", frontend="f0", gpa=scratch + 100, values=["aa", "bb"])
    driver.until("written", lambda _: bool(driver.call("driver.diff", frontend="f0")["stray"]))
    stray = driver.call("driver.diff", frontend="f0")["stray"]
    assert [(s["gpa"], s["length"], s["before"]) for s in stray] == [(scratch + 100, 1, "00")]
    assert driver.call("driver.flip", frontend="f0", gpa=scratch + 100)["flips"] > 0


@pytest.mark.parametrize("ring", ["split", "packed"])
@pytest.mark.parametrize("fresh", [False, True])
def test_rings_that_were_stopped_carry_traffic_again(
    driver: Driver, tmp_path: Path, ring: str, fresh: bool
) -> None:
    driver.add_pair(tmp_path, ring=ring)
    driver.add_flows(window=16)
    for round_ in (1, 2, 3):
        driver.call("flow.start")
        driver.moved(300 * round_)
        driver.all_arrived()
        stopped = driver.call("driver.stop", frontend="f0")["bases"]
        rings = driver.call("driver.rings", frontend="f0")["rings"]
        assert [base & 0xFFFF for base in stopped] == [entry["resume"] for entry in rings]
        driver.call("driver.restart", frontend="f0", fresh=fresh)
        driver.settle()


def test_a_log_is_exchanged_in_flight_without_losing_a_page(driver: Driver, tmp_path: Path) -> None:
    driver.add_pair(tmp_path)
    driver.add_flows(window=16)
    driver.call("driver.log", frontend="f0", do="on")
    driver.call("driver.log", frontend="f0", do="read")
    driver.call("driver.snapshot", frontend="f0")
    driver.call("flow.start")
    for packets in (100, 200, 300):
        driver.moved(packets)
        driver.call("driver.log", frontend="f0", do="resize", size=1 << 16)
    driver.all_arrived()
    driver.call("driver.stop", frontend="f0")
    logged = set(driver.call("driver.log", frontend="f0", do="read")["pages"])
    assert set(driver.call("driver.diff", frontend="f0")["written"]) <= logged


def test_a_guest_that_posts_no_buffers_gets_nothing_until_it_does(driver: Driver, tmp_path: Path) -> None:
    driver.add_pair(tmp_path, size=32)
    driver.call("driver.queues", frontend="f1", vring=0, posting=False)
    driver.add_flows(rate_pps=5000)
    driver.call("flow.start")
    driver.until(
        "dry", lambda _: driver.call("driver.rings", frontend="f1", vring=0)["rings"][0]["outstanding"] == 0
    )
    held = driver.call("flow.counts")["1"]["received"]
    driver.call("driver.queues", frontend="f1", vring=0, posting=True)
    driver.until("received again", lambda now: now["1"]["received"] > held + 100)


def test_every_mistake_in_a_frontends_options_is_named(driver: Driver, tmp_path: Path) -> None:
    path = str(tmp_path / "x.sock")
    with pytest.raises(AssertionError, match="regions"):
        driver.call("frontend.add", name="x", path=path, regions=[], rings={"9": {}}, tx_cut=[0], sice=3)
    with pytest.raises(AssertionError, match="power of two"):
        driver.call("frontend.add", name="x", path=path, size=257)
    with pytest.raises(AssertionError, match="octets are needed"):
        driver.call("frontend.add", name="x", path=path, memory=4096)
