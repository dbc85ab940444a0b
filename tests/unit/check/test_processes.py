"""exits, answering, leaks, guest: what the actors did apart from carrying packets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from asserting import finding, only_culprit, result
from made_flow import MS, SECOND
from made_run import KILL, NEW_PID, T0, expecting, reconnect
from testbed.check import judge
from testbed.check.evidence import Call, Event, Evidence, Fault, ProcessExit, ResourceSample


def _exit(status: str, *, expected: bool) -> Evidence:
    end = ProcessExit("f2", 130, KILL, status, expected)
    return replace(expecting(reconnect()), exits=[*reconnect().exits, end])


@pytest.mark.parametrize(
    ("status", "expected"),
    [("SIGSEGV", False), ("exit 0", False), ("SIGKILL", False), ("SIGABRT", True), ("exit 1", True)],
)
def test_a_process_that_ends_as_nobody_asked_fails(status: str, expected: bool) -> None:
    culprit = only_culprit(_exit(status, expected=expected), "exits")
    assert "f2 (pid 130)" in culprit.reason
    assert status in culprit.reason
    assert "2.000 s after the first step" in culprit.reason


@pytest.mark.parametrize("status", ["exit 0", "SIGKILL", "SIGTERM"])
def test_a_process_that_was_ended_on_purpose_does_not(status: str) -> None:
    assert judge(_exit(status, expected=True)).verdict == "passed"


def test_deaths_can_be_allowed() -> None:
    allow = {"allow": {"deaths": "<= 1", "because": "..."}}
    assert judge(expecting(_exit("SIGSEGV", expected=False), allow)).verdict == "passed"


def _called(call: Call) -> Evidence:
    return replace(expecting(reconnect()), calls=[*reconnect().calls, call])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (Call("switch", "counters", T0, None, SECOND, False), "did not answer counters within 1 s"),
        (
            Call("switch", "counters", T0, T0 + 2 * SECOND, SECOND, True),
            "took 2 s to answer counters during a fault",
        ),
    ],
)
def test_a_call_without_an_answer_in_time_fails(call: Call, text: str) -> None:
    assert text in only_culprit(_called(replace(call, actor="f0")), "answering").reason


def test_an_error_is_an_answer() -> None:
    assert (
        judge(_called(Call("f0", "flow.set", T0, T0 + MS, SECOND, False, error="not_found"))).verdict
        == "passed"
    )


def test_the_dead_owe_no_answer_and_the_living_beside_them_do() -> None:
    during = {"start": KILL - MS, "end": None, "deadline_ns": SECOND, "during_fault": True}
    assert judge(_called(Call("switch", "counters", **during))).verdict == "passed"
    assert only_culprit(_called(Call("f0", "flow.counts", **during)), "answering").subject == "f0"


def test_a_call_long_after_the_fault_is_owed_an_answer() -> None:
    late = Call("switch", "counters", KILL + SECOND, None, SECOND, False)
    assert only_culprit(_called(late), "answering").subject == "switch"


def test_unanswered_calls_can_be_allowed() -> None:
    evidence = _called(Call("f0", "ping", T0, None, SECOND, False))
    allow = {"allow": {"unanswered": 1, "because": "..."}}
    assert judge(expecting(evidence, allow)).verdict == "passed"


def test_a_written_limit_is_held_against_the_slowest_call() -> None:
    wanted = {"answering": {"actor": "switch", "within": "<= 5ms"}}
    culprit = only_culprit(expecting(reconnect(), wanted), "answering")
    assert "10 ms to answer apply" in culprit.reason


def _sampled(actor: str, label: str, **resources: Any) -> Evidence:
    """The evidence with one sample changed."""
    samples = [
        replace(sample, resources={**sample.resources, **resources})
        if (sample.actor, sample.label) == (actor, label)
        else sample
        for sample in reconnect().resources
    ]
    return replace(expecting(reconnect()), resources=samples)


@pytest.mark.parametrize(
    ("key", "fine", "leak"),
    [("fds", 62, 63), ("threads", 5, 6), ("mappings", 226, 227), ("mbufs_in_use", 32, 33)],
)
def test_what_grows_beyond_its_tolerance_leaked(key: str, fine: int, leak: int) -> None:
    assert judge(_sampled("switch", "after", **{key: fine})).verdict == "passed"
    culprit = only_culprit(_sampled("switch", "after", **{key: leak}), "leaks")
    assert culprit.broken == (key,)
    assert "started anew" in culprit.reason


def test_an_idle_frontend_may_keep_a_ring_of_sent_mbufs() -> None:
    assert judge(_sampled("f0", "after", mbufs_in_use=300 + 256 + 32)).verdict == "passed"
    assert judge(_sampled("f0", "after", mbufs_in_use=300 + 256 + 33)).verdict == "failed"


@pytest.mark.parametrize("kind", ["processes", "sockets", "mounts", "hugepages", "devices"])
def test_anything_left_when_all_has_ended_fails_by_name(kind: str) -> None:
    culprit = only_culprit(_sampled("testbed", "end", **{kind: ["p0.sock"]}), "leaks")
    assert f"1 {kind} of the run were left: p0.sock" in culprit.reason


def test_a_tolerance_can_be_written_and_a_leak_allowed() -> None:
    grown = _sampled("switch", "after", fds=64)
    assert judge(expecting(grown, {"leaks": {"fds": "<= 3"}})).verdict == "passed"
    assert judge(expecting(grown, {"leaks": {"fds": "<= 2"}})).verdict == "failed"
    assert judge(expecting(grown, {"allow": {"leaks": "<= 3", "because": "..."}})).verdict == "passed"


@pytest.mark.parametrize(("actor", "label"), [("switch", "after"), ("f0", "before"), ("testbed", "end")])
def test_a_sample_that_could_not_be_had_is_unknown(actor: str, label: str) -> None:
    samples = [sample for sample in reconnect().resources if (sample.actor, sample.label) != (actor, label)]
    only_culprit(replace(expecting(reconnect()), resources=samples), "leaks", "unknown")


def test_a_process_that_was_ended_for_good_owes_no_sample() -> None:
    samples = [sample for sample in reconnect().resources if (sample.actor, sample.label) != ("f0", "after")]
    evidence = replace(expecting(reconnect()), resources=samples)
    evidence = replace(evidence, faults=[*evidence.faults, Fault("kill", ("f0",), KILL, None)])
    assert result(judge(evidence), "leaks", "f0").verdict == "passed"


def test_a_sample_that_tells_nothing_is_unknown() -> None:
    empty = [ResourceSample("f0", 120, label, {}) for label in ("before", "after")]
    samples = [sample for sample in reconnect().resources if sample.actor != "f0"]
    only_culprit(replace(expecting(reconnect()), resources=[*samples, *empty]), "leaks", "unknown")


def _guest(*events: Event, faults: tuple[Fault, ...] = ()) -> Evidence:
    evidence = expecting(reconnect())
    return replace(evidence, events=[*evidence.events, *events], faults=[*evidence.faults, *faults])


def _ready(t: int) -> Event:
    return Event(t, "g1", "agent.ready", {})


def test_a_guest_that_reboots_by_itself_fails_without_being_asked() -> None:
    culprit = only_culprit(_guest(_ready(KILL)), "guest")
    assert "g1 rebooted by itself, 2.000 s after the first step" in culprit.reason


def test_a_reboot_that_was_asked_for_is_counted_and_does_not_fail() -> None:
    asked = Fault("reboot", ("g1",), KILL, KILL + SECOND, ("p1",))
    evidence = _guest(_ready(KILL + 900 * MS), faults=(asked,))
    assert judge(evidence).verdict == "passed"
    assert only_culprit(expecting(evidence, {"guest": {"name": "g1", "reboots": 0}}), "guest").broken == (
        "reboots",
    )
    assert judge(expecting(evidence, {"guest": {"name": "g1", "reboots": 1}})).verdict == "passed"


def test_a_guest_started_anew_by_the_runner_did_not_reboot() -> None:
    spawned = Event(KILL + MS, "g1", "process.spawned", {"pid": 9})
    asked = Fault("restart", ("g1",), KILL, KILL + SECOND, ("p1",))
    evidence = _guest(spawned, _ready(KILL + 900 * MS), faults=(asked,))
    assert judge(expecting(evidence, {"guest": {"name": "g1", "reboots": 0}})).verdict == "passed"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (
            Event(KILL, "g1", "guest.panicked", {"text": "Kernel panic - not syncing"}),
            "Kernel panic - not syncing",
        ),
        (Event(KILL, "g1", "guest.died", {"status": "SIGSEGV"}), "g1 died (SIGSEGV)"),
        (Event(KILL, "g1", "guest.died", {"console_tail": ["Oops", "", "end trace"]}), "Oops | end trace"),
    ],
)
def test_a_guest_that_dies_or_panics_fails_without_being_asked(event: Event, text: str) -> None:
    assert text in only_culprit(_guest(event), "guest").reason


def test_a_guest_that_was_killed_died_on_purpose_but_panics_never_are() -> None:
    killed = Fault("kill", ("g1",), KILL, KILL + SECOND, ("p1",))
    died = Event(KILL + MS, "g1", "guest.died", {"status": "SIGKILL"})
    assert judge(_guest(died, faults=(killed,))).verdict == "passed"
    assert judge(_guest(Event(KILL + MS, "g1", "guest.panicked", {}), faults=(killed,))).verdict == "failed"


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        (Event(KILL, "g1", "kernel.error", {"text": "BUG: unable to handle page fault"}), "kernel_errors"),
        (Event(KILL, "g1", "guest.link", {"up": False}), "link_changes"),
    ],
)
def test_what_the_kernel_says_fails_where_that_is_asked(event: Event, rule: str) -> None:
    assert judge(_guest(event)).verdict == "passed"
    assert only_culprit(expecting(_guest(event), {"guest": {rule: 0}}), "guest").broken == (rule,)
    assert judge(expecting(_guest(event), {"guest": {"name": "g1", rule: 1}})).verdict == "passed"


def test_a_guest_that_was_never_ready_is_unknown() -> None:
    evidence = expecting(reconnect())
    events = [event for event in evidence.events if event.name != "agent.ready"]
    only_culprit(replace(evidence, events=events), "guest", "unknown")


@pytest.mark.parametrize("body", [{"name": "g7", "reboots": 0}, {"name": "g1", "mood": 0}])
def test_expectations_about_no_guest_or_no_rule_are_unknown(body: dict[str, Any]) -> None:
    only_culprit(expecting(reconnect(), {"guest": body}), "guest", "unknown")


def test_the_exit_of_the_switch_is_judged_once_by_the_right_checker() -> None:
    end = ProcessExit("switch", NEW_PID, KILL + SECOND, "SIGSEGV", False)
    evidence = replace(expecting(reconnect()), exits=[*reconnect().exits, end])
    assert finding(evidence, "exits", "processes", "deaths").measured == 1
