"""A guest of testbed-driver moves between two ports of testbed-switch while its flows run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from rig import BUILD, DRIVER, WITHIN_S, Driver

SWITCH = BUILD / "core" / "testbed-switch"
MIB = 1 << 20

pytestmark = pytest.mark.skipif(
    not (SWITCH.is_file() and DRIVER.is_file()), reason="needs testbed-switch and testbed-driver, built"
)


class Lan:
    """A switch with the ports p0 to p2, and a driver with f0 and f1 on the first two."""

    def __init__(self, directory: Path, queues_of: dict[int, int] | None = None, **options: Any) -> None:
        self.directory = directory
        queues = options.get("queues", 1)
        pairs = dict.fromkeys(range(3), queues) | (queues_of or {})
        ports = {
            f"p{i}": {"type": "vhost", "role": "server", "path": self.path(i), "queues": count, "to": "lan"}
            for i, count in pairs.items()
        }
        config = directory / "switch.json"
        config.write_text(json.dumps({"bricks": {"lan": {"type": "switch"}}, "ports": ports}))
        arguments = ["--control", directory / "switch.ctl", "--dir", directory, "--config", config]
        self._command = [SWITCH, *arguments]
        self.start_switch()
        self.driver = Driver(directory)
        self.driver.add_pair(directory, **options)

    def start_switch(self) -> None:
        self.switch = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)

    def path(self, port: int) -> str:
        return str(self.directory / f"p{port}.sock")

    def migrate(self, to: int, **how: Any) -> dict[str, Any]:
        """The report of a migration of f1 that ended, however it ended."""
        self.begin(to, **how)
        return self.ended()

    def begin(self, to: int, **how: Any) -> None:
        self.driver.call("driver.migrate", frontend="f1", path=self.path(to), **how)

    def ended(self) -> dict[str, Any]:
        deadline = time.monotonic() + WITHIN_S
        while (report := self.report())["state"] == "running":
            assert time.monotonic() < deadline, report
        return report

    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = self.driver.call("driver.migration", frontend="f1")
        return report

    def close(self) -> None:
        self.driver.close()
        self.switch.kill()
        self.switch.wait()


@pytest.fixture(params=[("split", True), ("split", False), ("packed", True), ("packed", False)], ids=str)
def lan(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lan]:
    ring, mergeable = request.param
    made = Lan(tmp_path, ring=ring, mergeable=mergeable, memory=64 * MIB, fill=True)
    yield made
    made.close()


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Lan]:
    made = Lan(tmp_path, memory=64 * MIB, fill=True)
    yield made
    made.close()


def goes_on(lan: Lan) -> None:
    """Both flows move from here on, and nothing was corrupted or came twice."""
    before = {flow: count["received"] for flow, count in lan.driver.call("flow.counts").items()}
    lan.driver.until(
        "both go on", lambda counts: all(counts[flow]["received"] > n + 500 for flow, n in before.items())
    )
    counts = lan.driver.call("flow.counts").values()
    assert all(count["corrupted"] == count["duplicated"] == 0 for count in counts)


def flowing(lan: Lan) -> None:
    lan.driver.add_flows(rate_pps=20000)
    lan.driver.call("flow.start")
    lan.driver.moved(500)


def test_a_guest_moves_with_its_flows_and_no_byte_differs(lan: Lan) -> None:
    flowing(lan)
    for port in (2, 1, 2):
        report = lan.migrate(port)
        assert report["state"] == "completed", report
        assert report["identical"] and not report["differing"], report
        assert report["compared_pages"] >= 60 * MIB // 4096
        goes_on(lan)
    names = [event["name"] for event in lan.driver.events if event["name"].startswith("migration.")]
    assert [name for name in names if name != "migration.round"] == 3 * [
        "migration.started",
        "migration.stopped",
        "migration.switched",
        "migration.completed",
    ]


def memory_of_f1(lan: Lan) -> Path:
    """It was made last."""
    descriptors = Path(f"/proc/{lan.driver.process.pid}/fd").iterdir()
    return max((f for f in descriptors if "memfd:guest" in str(f.readlink())), key=lambda f: int(f.name))


def test_a_page_that_was_written_and_not_logged_is_named(plain: Lan) -> None:
    flowing(plain)
    page = 60 * MIB
    with memory_of_f1(plain).open("r+b", buffering=0) as file:
        plain.begin(2, bandwidth=64 * MIB)
        written = 0
        while plain.report()["state"] == "running":
            file.seek(page + 100)
            written += 1
            file.write(written.to_bytes(8, "little"))
    report = plain.ended()
    assert report["state"] == "completed"
    assert not report["identical"] and report["differing"] == [page], report


def test_a_cancelled_migration_leaves_the_guest_where_it_is_and_can_be_repeated(plain: Lan) -> None:
    flowing(plain)
    plain.begin(2, bandwidth=16 * MIB)
    plain.driver.call("driver.migrate_cancel", frontend="f1")
    assert plain.ended()["state"] == "cancelled"
    goes_on(plain)
    assert plain.driver.call("driver.log", frontend="f1", do="peek")["pages"] == []
    assert plain.migrate(2)["identical"]
    goes_on(plain)


def test_what_cannot_be_is_refused_and_nothing_changes(plain: Lan) -> None:
    flowing(plain)
    report = plain.migrate(7, within_ms=50)
    assert report["state"] == "failed" and "p7.sock" in report["error"], report
    goes_on(plain)
    plain.begin(2, bandwidth=16 * MIB)
    with pytest.raises(AssertionError, match="on its way already"):
        plain.begin(2)
    plain.driver.call("driver.migrate_cancel", frontend="f1")
    plain.driver.call("driver.log", frontend="f1", do="on")
    with pytest.raises(AssertionError, match="log of its own"):
        plain.begin(2)


def test_memory_that_flips_stays_and_memory_that_moves_does_not_flip(plain: Lan) -> None:
    flip = {"frontend": "f1", "gpa": 60 * MIB}
    plain.driver.call("driver.flip", values=["00", "01"], **flip)
    with pytest.raises(AssertionError, match="memory that flips"):
        plain.begin(2)
    plain.driver.call("driver.flip", values=[], **flip)
    plain.begin(2, bandwidth=16 * MIB)
    with pytest.raises(AssertionError, match="moves to another backend"):
        plain.driver.call("driver.flip", values=["00", "01"], **flip)
    plain.driver.call("driver.migrate_cancel", frontend="f1")
    assert plain.ended()["state"] == "cancelled"
    plain.driver.call("driver.flip", values=["00", "01"], **flip)


def test_a_destination_with_fewer_queues_is_refused(tmp_path: Path) -> None:
    lan = Lan(tmp_path, {2: 1}, queues=2)
    try:
        flowing(lan)
        report = lan.migrate(2)
        assert report["state"] == "failed" and "has 1 queue pairs, not 2" in report["error"], report
        goes_on(lan)
    finally:
        lan.close()


def test_a_destination_that_dies_on_the_way_sends_the_guest_back(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").mkdir()
    here, there = Lan(tmp_path / "a", memory=64 * MIB, fill=True), Lan(tmp_path / "b")
    try:
        flowing(here)
        here.driver.call("driver.migrate", frontend="f1", path=there.path(2), bandwidth=32 * MIB)
        there.switch.kill()
        report = here.ended()
        assert report["state"] == "failed" and "destination" in report["error"], report
        goes_on(here)
    finally:
        here.close()
        there.close()


def test_a_source_that_dies_on_the_way_ends_the_migration_and_the_guest_waits_for_it(plain: Lan) -> None:
    flowing(plain)
    plain.begin(2, bandwidth=32 * MIB)
    plain.switch.kill()
    plain.switch.wait()
    assert plain.ended()["state"] == "failed"
    plain.start_switch()
    goes_on(plain)


def test_queues_that_are_in_use_change_on_the_way(tmp_path: Path) -> None:
    lan = Lan(tmp_path, queues=4, memory=64 * MIB, fill=True)
    try:
        lan.driver.call("driver.queues", frontend="f1", count=1)
        lan.driver.add_flows(rate_pps=20000, streams=4)
        lan.driver.call("flow.start")
        lan.begin(2, bandwidth=64 * MIB)
        lan.driver.call("driver.queues", frontend="f1", count=4)
        assert lan.ended()["identical"]
        goes_on(lan)
        lan.driver.call("driver.queues", frontend="f1", count=1)
        assert lan.migrate(1)["identical"]
        goes_on(lan)
        messages = lan.driver.call("driver.messages", frontend="f1")["messages"]
        assert [m["name"] for m in messages].count("SET_VRING_ENABLE") == 8
    finally:
        lan.close()


def test_memory_that_outlives_the_process_still_does_after_a_move(tmp_path: Path) -> None:
    lan = Lan(tmp_path, backing="file")
    try:
        flowing(lan)
        assert lan.migrate(2)["identical"]
        assert sorted(path.name for path in tmp_path.glob("f?.memory*")) == ["f0.memory", "f1.memory"]
        goes_on(lan)
    finally:
        lan.close()
