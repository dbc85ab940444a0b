"""migration: a guest that moved arrived whole, was never in two places, and was announced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from asserting import only_culprit, result
from made_flow import MS
from made_guest import DRIVER, with_guest
from made_run import START, expecting
from testbed.check import judge
from testbed.check.anatomy import dissect
from testbed.check.evidence import Event, Evidence, Fault
from testbed.check.losses import Outage

T = START + 500 * MS
REPORT: dict[str, Any] = {
    "state": "completed", "rounds": [{}, {}], "pages": 700, "compared_pages": 600, "differing_pages": 0,
    "differing": [], "downtime_us": 8000, "total_us": 400_000,
}  # fmt: skip

MOMENTS = {
    "until_stop": T + 1 * MS, "stop_rings": T + 2 * MS, "last_copy": T + 3 * MS, "start_rings": T + 5 * MS,
    "enable_rings": T + 8 * MS, "announce": T + 9 * MS,
}  # fmt: skip


def message(t: int, port: str, name: str, reply_us: int = 0) -> Event:
    fields = {"port": port, "dir": "frontend", "message": name, "reply_us": reply_us}
    return Event(t, "switch", "session.message", fields)


def moved(*, end: str = "completed", kick: int = 2 * MS, announced: bool = True, **report: Any) -> Evidence:
    """d3 moves from p3 to p9; its two rings are stopped within 1.5 ms."""
    evidence = with_guest()
    events = [
        Event(T, DRIVER, "migration.asked", {"from": "p3", "to": "p9"}),
        message(T + 1 * MS, "p3", "GET_VRING_BASE", 200),
        message(T + 1 * MS + 300_000, "p3", "GET_VRING_BASE", 200),
        message(T + kick, "p9", "SET_VRING_KICK"),
        Event(T + 9 * MS, DRIVER, "migration.switched", {"downtime_us": 8000, "moments": MOMENTS}),
        Event(T + 400 * MS, DRIVER, f"migration.{end}", {**REPORT, **report}),
    ]
    if announced:
        events.append(Event(T + 10 * MS, "switch", "fdb.moved", {"mac": "02:54:00:04:00:00"}))
    fault = Fault("migrate", (DRIVER,), T, T + 400 * MS)
    return replace(evidence, events=[*evidence.events, *events], faults=[*evidence.faults, fault])


def broken(evidence: Evidence) -> tuple[str, ...]:
    return tuple(only_culprit(evidence, "migration").broken)


def test_a_guest_that_arrived_whole_passes_and_its_phases_are_in_the_report() -> None:
    cell = judge(expecting(moved(), {"migration": {"completed": 1, "downtime": "<= 10ms", "rounds": 2}}))
    assert cell.verdict == "passed", cell.reason
    (migration,) = result(cell, "migration", DRIVER).measured["migrations"]
    assert migration["downtime_us"] == 8000 and migration["rounds"] == 2
    assert migration["outages_ms"] == {}  # no flow of this guest


def test_a_page_that_differs_fails_and_is_named() -> None:
    culprit = only_culprit(moved(differing_pages=1, differing=[0x8B000]), "migration")
    assert culprit.broken == ("identical",)
    assert "0x8b000" in culprit.reason


def test_rings_that_start_before_the_others_have_stopped_fail() -> None:
    assert broken(moved(kick=1 * MS + 400_000)) == ("overlap",)


def test_a_timeline_without_the_messages_proves_nothing_and_fails() -> None:
    evidence = moved()
    without = [event for event in evidence.events if event.fields.get("message") != "GET_VRING_BASE"]
    assert broken(replace(evidence, events=without)) == ("overlap",)


def test_a_move_that_no_switch_noticed_fails() -> None:
    assert broken(moved(announced=False)) == ("announced",)


def test_a_failed_migration_fails_unless_it_is_expected() -> None:
    evidence = moved(end="failed", error="the backend went away")
    assert broken(evidence) == ("failed",)
    assert judge(expecting(evidence, {"migration": {"failed": 1}})).verdict == "passed"


def test_one_that_never_ended_counts_as_failed() -> None:
    evidence = moved()
    unfinished = [event for event in evidence.events if event.name != "migration.completed"]
    assert broken(replace(evidence, events=unfinished)) == ("failed",)


def test_limits_and_counts_are_held_against_the_worst() -> None:
    for limit, rule in (
        ({"downtime": "<= 7ms"}, "downtime"),
        ({"total": "<= 300ms"}, "total"),
        ({"rounds": "<= 1"}, "rounds"),
        ({"cancelled": 1}, "cancelled"),
        ({"completed": 2}, "completed"),
    ):
        assert broken(expecting(moved(), {"migration": limit})) == (rule,)


def test_an_expectation_about_a_guest_that_never_moved_is_unknown() -> None:
    cell = judge(expecting(with_guest(), {"migration": {"frontend": DRIVER}}))
    assert cell.verdict == "unknown"


def test_the_outage_of_a_flow_whose_end_moved_is_made_of_the_parts_of_the_switch_over() -> None:
    evidence = moved()
    flow = replace(evidence.flows["probe"], source=DRIVER)
    parts = dissect(evidence, flow, Outage(T, T + 12 * MS, open=False))
    assert dict(parts) == {
        "until_stop": 1 * MS,
        "stop_rings": 1 * MS,
        "last_copy": 1 * MS,
        "start_rings": 2 * MS,
        "enable_rings": 3 * MS,
        "announce": 1 * MS,
        "relearn": 1 * MS,
        "first_packet": 2 * MS,
    }


def test_an_outage_in_which_another_guest_moved_stays_unexplained() -> None:
    evidence = moved()
    assert DRIVER not in (evidence.flows["probe"].source, evidence.flows["probe"].sink)
    parts = dissect(evidence, evidence.flows["probe"], Outage(T, T + 12 * MS, open=False))
    assert [name for name, _ in parts] == ["unexplained"]


def test_the_silence_of_the_guests_flows_is_measured() -> None:
    evidence = moved()
    flow = replace(evidence.flows["probe"], source=DRIVER)
    outage = {"start_ns": T, "end_ns": T + 12 * MS}
    flow = replace(flow, receiver={**(flow.receiver or {}), "outages": [outage]})
    cell = judge(replace(evidence, flows={**evidence.flows, "probe": flow}))
    (migration,) = result(cell, "migration", DRIVER).measured["migrations"]
    assert migration["outages_ms"] == {"probe": 12.0}
