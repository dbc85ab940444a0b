"""Hostile frontends against our own switch: each attack costs its sender a refusal, and nobody anything else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from our_switch import Driver, Switch, both, needs_programs
from rig import mac

pytestmark = needs_programs

Attack = dict[str, Any]

# What is sent after a whole handshake, and the reason it is refused for.
ATTACKS: list[tuple[str, Attack]] = [
    ("malformed", {"message": "SET_VRING_ENABLE", "payload": {"index": 0, "num": 2}}),
    ("malformed", {"message": "SET_FEATURES", "payload": {"hex": "00"}}),
    ("descriptors", {"message": "SET_FEATURES", "payload": 0, "fds": ["eventfd"] * 8}),
    ("descriptors", {"message": "SET_VRING_CALL", "payload": {"index": 0}, "fds": ["pipe"]}),
    ("descriptors", {"message": "SET_VRING_KICK", "payload": {"index": 0}, "fds": ["null"]}),
    ("descriptors", {"message": "SET_VRING_ERR", "payload": {"index": 0}, "fds": ["directory"]}),
    ("queues", {"message": "SET_VRING_NUM", "payload": {"index": 200, "num": 8}}),
    ("running", {"message": "SET_VRING_NUM", "payload": {"index": 0, "num": 8}}),
    ("vring", {"message": "SET_VRING_NUM", "payload": {"index": 0, "num": 65792}, "stopped": True}),
    ("vring", {"message": "SET_VRING_NUM", "payload": {"index": 0, "num": 0}, "stopped": True}),
    ("unnegotiated", {"message": "SET_INFLIGHT_FD", "fds": ["memfd 4096"],
                      "payload": {"mmap_size": 4096, "mmap_offset": 0, "num_queues": 128, "queue_size": 1024}}),
    ("unnegotiated", {"message": "GET_INFLIGHT_FD",
                      "payload": {"mmap_size": 0, "mmap_offset": 0, "num_queues": 65535, "queue_size": 65535}}),
    ("log", {"message": "SET_LOG_BASE", "payload": {"size": 0, "offset": 0}, "fds": ["memfd 4096"]}),
    ("log", {"message": "SET_LOG_BASE", "payload": {"size": "0xfffffffffffff000", "offset": 8192}, "fds": ["memfd 4096"]}),
    ("log", {"message": "SET_LOG_BASE", "payload": {"size": 8192, "offset": 0}, "fds": ["memfd 4096"]}),
    ("descriptors", {"message": "SET_LOG_BASE", "payload": {"size": 4096, "offset": 0}, "fds": ["readonly 4096"]}),
]  # fmt: skip

TABLE: dict[str, Any] = {"gpa": "0x100000000", "size": 8192, "user": "0x7f0000000000", "offset": 0}
for reason, change, backing in [
    ("memory", {"size": 0}, "memfd 8192"),
    ("memory", {"size": 16384}, "memfd 8192"),
    ("memory", {"offset": 4096}, "memfd 8192"),
    ("memory", {"offset": "0xfffffffffffff000"}, "memfd 8192"),
    ("descriptors", {}, "readonly 8192"),
    ("descriptors", {}, "pipe"),
]:
    regions = {"regions": [{**TABLE, **change}], "count": 1}
    ATTACKS.append((reason, {"message": "SET_MEM_TABLE", "payload": regions, "fds": [backing]}))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Switch, Driver, Path]]:
    directory = tmp_path_factory.mktemp("gate")
    with both(directory) as (switch, driver):
        yield switch, driver, directory


def add(driver: Driver, directory: Path, i: int, **options: Any) -> None:
    before = len(driver.named("driver.up"))
    path = str(directory / f"p{i}.sock")
    driver.call("frontend.add", name=f"f{i}", path=path, mac=mac(i), **options)
    driver.wait_events("driver.up", before + 1)


# These have an answer of their own, in which there is no word for no.
QUESTIONS = ("GET_INFLIGHT_FD", "SET_LOG_BASE")


def parametrized(questions: bool) -> pytest.MarkDecorator:
    chosen = [attack for attack in ATTACKS if (attack[1]["message"] in QUESTIONS) == questions]
    names = [f"{i}-{attack[1]['message']}-{attack[0]}" for i, attack in enumerate(chosen)]
    return pytest.mark.parametrize(("reason", "attack"), chosen, ids=names)


@parametrized(questions=True)
def test_a_question_that_is_refused_ends_the_session_and_the_port_serves_the_next(
    rig: tuple[Switch, Driver, Path], reason: str, attack: Attack
) -> None:
    switch, driver, directory = rig
    add(driver, directory, 0)
    try:
        before, sessions = switch.refused().get(reason, 0), len(driver.named("driver.up"))
        outcome = driver.call("driver.send", frontend="f0", need_reply=True, **attack)
        assert outcome["outcome"] == "disconnected", outcome
        assert switch.refused().get(reason, 0) == before + 1, switch.refused()
        driver.call("driver.connect", frontend="f0", auto=True)
        driver.wait_events("driver.up", sessions + 1)
    finally:
        driver.call("frontend.remove", name="f0")


@parametrized(questions=False)
def test_an_attack_is_refused_by_name_and_the_session_goes_on_as_it_was(
    rig: tuple[Switch, Driver, Path], reason: str, attack: Attack
) -> None:
    switch, driver, directory = rig
    add(driver, directory, 0)
    try:
        before = switch.refused().get(reason, 0)
        attack = dict(attack)
        if attack.pop("stopped", False):
            driver.call("driver.stop", frontend="f0")
        resources = switch.call("resources")
        outcome = driver.call("driver.send", frontend="f0", need_reply=True, **attack)
        assert outcome["outcome"] == "refused", outcome
        assert switch.refused().get(reason, 0) == before + 1, switch.refused()
        assert switch.call("resources")["fds"] == resources["fds"]
        assert driver.call("driver.send", frontend="f0", message="GET_FEATURES")["outcome"] == "answered"
    finally:
        driver.call("frontend.remove", name="f0")


@pytest.mark.parametrize("ring", ["split", "packed"])
@pytest.mark.parametrize("offset", [4096, 12288, 65536])
def test_a_log_that_begins_in_the_middle_of_its_file_names_the_pages(
    tmp_path: Path, ring: str, offset: int
) -> None:
    with both(tmp_path) as (switch, driver):
        driver.add_pair(tmp_path, ring=ring)
        driver.add_flows(window=24)
        driver.call("driver.log", frontend="f0", do="on", offset=offset)
        while True:
            driver.call("driver.log", frontend="f0", do="read")
            driver.call("driver.snapshot", frontend="f0")
            if not driver.call("driver.log", frontend="f0", do="peek")["pages"]:
                break
        driver.call("flow.start")
        driver.moved(300)
        driver.call("driver.log", frontend="f0", do="resize", offset=2 * offset)  # exchanged in flight
        driver.all_arrived()
        driver.call("driver.stop", frontend="f0")
        written = set(driver.call("driver.diff", frontend="f0")["written"])
        log = driver.call("driver.log", frontend="f0", do="read")
        assert written
        assert sorted(written - set(log["pages"])) == [], "written and not logged"
        assert not log["strayed"]
        assert switch.process.poll() is None


@pytest.mark.parametrize("ring", ["split", "packed"])
def test_memory_that_shrinks_under_traffic_costs_its_session_only(tmp_path: Path, ring: str) -> None:
    with both(tmp_path) as (switch, driver):
        driver.add_pair(tmp_path, ring=ring)
        driver.add_flows(rate_pps=5000)
        driver.call("flow.start")
        driver.moved(100)
        table = {
            "regions": [{"gpa": "0x200000000", "size": 1 << 20, "user": "0x7e0000000000", "offset": 0}],
            "count": 1,
        }
        # Another table, of a file that the attacker holds on to, and a ring in it; then the file is gone.
        driver.call("driver.stop", frontend="f0")
        send = lambda **what: driver.call("driver.send", frontend="f0", need_reply=True, **what)  # noqa: E731
        sent = send(message="SET_MEM_TABLE", payload=table, fds=["memfd 1048576 as mine"])
        assert sent["outcome"] == "answered", sent
        base = 0x7E0000000000
        for vring in (0, 1):
            at = base + 0x10000 * (vring + 1)
            steps: list[Attack] = [
                {"message": "SET_VRING_NUM", "payload": {"index": vring, "num": 256}},
                {"message": "SET_VRING_BASE", "payload": {"index": vring, "num": 0x8000 if ring == "packed" else 0}},
                {"message": "SET_VRING_ADDR",
                 "payload": {"index": vring, "descriptor": at, "used": at + 0x4000, "available": at + 0x2000}},
                {"message": "SET_VRING_CALL", "payload": {"index": vring}, "fds": ["eventfd"]},
                {"message": "SET_VRING_KICK", "payload": {"index": vring}, "fds": ["eventfd"]},
                {"message": "SET_VRING_ENABLE", "payload": {"index": vring, "num": 1}},
            ]  # fmt: skip
            for step in steps:
                outcome = send(**step)
                assert outcome["outcome"] == "answered", (step, outcome)
        driver.call("driver.resize", frontend="f0", fd="mine", size=0)
        # The worker polls the ring and meets the end of the file.
        deadline = time.monotonic() + 20
        while not switch.refused().get("shrunk"):
            assert switch.process.poll() is None and time.monotonic() < deadline
        assert switch.process.poll() is None
        assert switch.call("ports")["p1"]["state"] == "up"


def test_a_disabled_transmit_queue_is_emptied_and_delivers_nothing(tmp_path: Path) -> None:
    with both(tmp_path) as (switch, driver):
        driver.add_pair(tmp_path)
        driver.call("driver.send", frontend="f0", message="SET_VRING_ENABLE", payload={"index": 1, "num": 0},
                    need_reply=True)  # fmt: skip
        driver.add_flows(rate_pps=1000)
        driver.call("flow.start", flow=1)
        queue = lambda: switch.call("ports")["p0"]["session"]["queues"][1]  # noqa: E731
        deadline = time.monotonic() + 20
        while queue()["discarded"] < 600:  # more than the ring holds: the buffers come back
            assert time.monotonic() < deadline, queue()
        assert driver.call("flow.counts")["1"]["received"] == 0
        driver.call("driver.send", frontend="f0", message="SET_VRING_ENABLE", payload={"index": 1, "num": 1},
                    need_reply=True)  # fmt: skip
        driver.until("moving again", lambda counts: counts["1"]["received"] > 0)


def test_a_ring_the_library_gives_up_is_reported_once(tmp_path: Path) -> None:
    with both(tmp_path, datapath="library") as (switch, driver):
        driver.add_pair(tmp_path)
        driver.call(
            "driver.chain", frontend="f0", vring=1, descriptors=[{"addr": "0xfff000000000", "len": 100}]
        )
        [stuck] = switch.wait_events("ring.stuck", 1)
        assert (stuck["port"], stuck["queue"]) == ("p0", 1)
        assert switch.call("ports")["p0"]["session"]["queues"][1]["stuck"]
        assert switch.call("ports")["p1"]["session"]["queues"][1]["stuck"] is False


def test_frames_without_an_ethernet_header_are_counted_as_runts(tmp_path: Path) -> None:
    with both(tmp_path) as (switch, driver):
        driver.add_pair(tmp_path)
        scratch = driver.call("driver.rings", frontend="f0")["rings"][0]["place"]["descriptors"]
        for length in range(13, 26):  # 12 octets of virtio header and 1 to 13 of frame
            driver.call(
                "driver.chain", frontend="f0", vring=1, descriptors=[{"addr": scratch, "len": length}]
            )
        deadline = time.monotonic() + 20
        drops = lambda: switch.call("counters")["ports"]["p0"]["drops"]  # noqa: E731
        while drops().get("runt", 0) < 13:
            assert time.monotonic() < deadline, drops()
