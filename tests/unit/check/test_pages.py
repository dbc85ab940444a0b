"""pages and rings: what a backend may do to a guest's memory and virtqueues, and what it may not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from asserting import only_culprit, result
from made_guest import BEFORE, DRIVER, END, RINGS, ring_with, stray, with_guest
from made_run import KILL, MS, expecting, walked_by
from testbed.check import judge
from testbed.check.evidence import Event, Evidence, Fault


def test_a_guest_that_was_seen_clean_twice_passes() -> None:
    checks = judge(with_guest())
    assert checks.verdict == "passed", checks.reason
    assert result(checks, "pages", DRIVER).measured["looks"] == 2
    assert result(checks, "rings", DRIVER).verdict == "passed"


def test_a_write_outside_of_what_was_posted_fails_and_is_told_with_its_octets_and_the_last_chain() -> None:
    evidence = with_guest(replace(BEFORE, diff=stray(0x1001, "00", "ab")), END)
    culprit = only_culprit(evidence, "pages")
    assert culprit.broken == ("stray",)
    assert culprit.reason == (
        "written to d3's memory where nothing was posted (before chain d3): 1 octets at 0x1001 (page 0x1): "
        "00 became ab; last chains: virtqueue 0 posted 0x1000+1w"
    )


def test_more_ranges_than_are_named_count_too() -> None:
    evidence = with_guest(replace(END, diff={**stray(0x1001, "00", "ab"), "stray_ranges": 400}))
    assert only_culprit(evidence, "pages").findings[-2].measured == 400


def test_octets_in_a_buffer_that_never_comes_back_fail_when_all_is_silent() -> None:
    evidence = with_guest(BEFORE, replace(END, diff={**END.diff, "posted": 60}))  # type: ignore[dict-item]
    assert only_culprit(evidence, "pages").broken == ("unreturned",)


def test_octets_in_posted_buffers_are_no_fault_while_the_backend_is_at_work() -> None:
    evidence = with_guest(replace(BEFORE, diff={**END.diff, "posted": 60}), END)  # type: ignore[dict-item]
    assert judge(evidence).verdict == "passed"


def test_what_a_backend_left_in_posted_buffers_when_it_died_is_no_fault() -> None:
    evidence = with_guest(BEFORE, replace(END, diff={**END.diff, "posted": 60}))  # type: ignore[dict-item]
    down = Event(KILL + MS, DRIVER, "driver.down", {"frontend": DRIVER})
    assert judge(replace(evidence, events=[*evidence.events, down])).verdict == "passed"


def test_a_memory_that_could_not_be_seen_is_unknown() -> None:
    evidence = with_guest(BEFORE, replace(END, diff=None, missing="d3: no answer within 10 s"))
    culprit = only_culprit(evidence, "pages", "unknown")
    assert culprit.reason == "the memory of d3 could not be seen (end): d3: no answer within 10 s"


def test_a_driver_whose_memory_nobody_looked_at_is_unknown() -> None:
    evidence = replace(with_guest(), pages=[])
    assert only_culprit(evidence, "pages", "unknown").subject == DRIVER


def test_a_driver_that_was_never_started_is_not_judged() -> None:
    evidence = replace(with_guest(), pages=[], events=with_guest().events[:-1])
    assert not [check for check in judge(evidence).checks if check.checker == "pages"]


def test_stray_octets_can_be_allowed_for_the_frontend_that_is_named_and_for_no_other() -> None:
    evidence = with_guest(replace(END, diff=stray(0x1001, "00", "ab")))
    allowed = {"stray": "<= 1", "because": "the table was poked"}
    assert judge(expecting(evidence, {"allow": {**allowed, "frontends": [DRIVER]}})).verdict == "passed"
    assert judge(expecting(evidence, {"allow": {**allowed, "frontends": ["d4"]}})).verdict == "failed"


def test_a_known_failure_of_pages_is_expected_and_its_absence_a_surprise() -> None:
    known = {"known": {"when": {"datapath": "library"}, "fails": ["pages"], "because": "runt chains"}}
    assert judge(expecting(with_guest(replace(END, diff=stray(1, "00", "01"))), known)).verdict == "passed"
    assert judge(expecting(with_guest(), known)).verdict == "failed"


@pytest.mark.parametrize(
    "fault",
    [
        *("unknown_id", "overrun", "long_length", "short_chain", "too_long", "gso"),
        *("wrong_base", "after_stop", "on_disabled"),
    ],
)
def test_what_no_device_may_do_on_a_virtqueue_fails(fault: str) -> None:
    evidence = with_guest(BEFORE, replace(END, rings=ring_with(fault)))
    culprit = only_culprit(evidence, "rings")
    assert (culprit.broken, culprit.measured[fault]) == (("ring_faults",), 1)


def _called(calls: int, taken: int) -> Evidence:
    return with_guest(BEFORE, replace(END, rings=({**RINGS[0], "calls": calls, "taken": taken}, RINGS[1])))


def test_a_storm_of_interrupts_fails_and_a_few_for_nothing_do_not() -> None:
    culprit = only_culprit(_called(5000, 100), "rings")
    assert "interrupts came for nothing (virtqueue 0)" in culprit.reason
    assert result(judge(_called(130, 100)), "rings", DRIVER).verdict == "passed"


def test_a_fault_of_an_earlier_life_of_the_guest_counts() -> None:
    evidence = with_guest(replace(BEFORE, rings=ring_with("overrun")), replace(END, life=2))
    assert only_culprit(evidence, "rings").subject == DRIVER


def test_virtqueues_that_steps_write_to_by_hand_are_measured_only() -> None:
    evidence = with_guest(BEFORE, replace(END, rings=ring_with("unknown_id")))
    evidence = replace(evidence, faults=[*evidence.faults, Fault("chain", (DRIVER,), KILL, KILL + MS)])
    assert result(judge(evidence), "rings", DRIVER).verdict == "passed"


@pytest.mark.parametrize(("spec", "datapath", "verdict"), [
    ({"mergeable": True}, "library", "failed"),
    ({"mergeable": False}, "library", "passed"),
    ({"mergeable": True, "without": ["MRG_RXBUF"]}, "library", "passed"),
    ({"mergeable": False}, "ring", "failed"),
])  # fmt: skip
def test_num_buffers_0_is_granted_to_the_library_without_merged_buffers(
    spec: dict[str, object], datapath: str, verdict: str
) -> None:
    evidence = with_guest(BEFORE, replace(END, rings=ring_with("bad_buffers")), spec=spec)
    evidence = replace(evidence, topology=walked_by(evidence.topology, datapath))
    assert result(judge(evidence), "rings", DRIVER).verdict == verdict


@pytest.mark.parametrize(("backend", "port", "verdict"), [
    ("testbed-switch", {}, "failed"),
    ("testbed-switch", {"datapath": "library"}, "passed"),
    ("dpdk-testpmd", {}, "passed"),
])  # fmt: skip
def test_the_library_is_at_work_where_a_port_says_so_and_behind_every_backend_that_is_not_ours(
    backend: str, port: dict[str, str], verdict: str
) -> None:
    evidence = with_guest(BEFORE, replace(END, rings=ring_with("bad_buffers")), spec={"mergeable": False})
    topology = walked_by(evidence.topology, "ring")
    place = topology["frontends"][DRIVER]["port"]
    ports = topology["switch"]["ports"]
    switch = {**topology["switch"], "ports": {**ports, place: {**ports.get(place, {}), **port}}}
    evidence = replace(evidence, topology={**topology, "switch": switch}, backend=backend)
    assert result(judge(evidence), "rings", DRIVER).verdict == verdict


def test_damaged_frames_of_nobody_fail_whatever_frontend_they_came_to() -> None:
    evidence = with_guest()
    endpoints = {**evidence.endpoints, "f2": {**evidence.endpoints["f2"], "corrupted_rx": 2}}
    assert only_culprit(replace(evidence, endpoints=endpoints), "frames").subject == "f2"
