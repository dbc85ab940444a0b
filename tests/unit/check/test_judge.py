"""From checks to a verdict: nothing is green by accident."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from asserting import only_culprit, result
from made_flow import MS
from made_guest import with_guest
from made_run import DOWN, KILL, NEW_PID, T0, expecting, reconnect, walked_by, with_flow
from testbed.check import CheckResult, Evidence, judge
from testbed.check.anatomy import anatomies, dissect
from testbed.check.evidence import Event, Fault, LogLook
from testbed.check.judge import CHECKERS
from testbed.check.losses import outages_of
from testbed.check.result import CellResult, Verdict, worst
from testbed.check.rules import ALWAYS


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], "unknown"),
        (["passed", "passed"], "passed"),
        (["passed", "unknown"], "unknown"),
        (["unknown", "failed", "passed"], "failed"),
    ],
)
def test_the_worst_decides_and_nothing_at_all_is_unknown(verdicts: list[Verdict], expected: Verdict) -> None:
    assert worst(verdicts) == expected


def test_a_cell_without_checks_and_a_check_without_findings_are_unknown() -> None:
    assert CellResult({}, (), 1.0).verdict == "unknown"
    assert CheckResult("flow", "probe", ()).verdict == "unknown"


@pytest.mark.parametrize("name", CHECKERS)
def test_a_checker_that_crashes_makes_the_cell_unknown_and_hides_no_other(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(evidence: Evidence, rules: object) -> list[CheckResult]:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setitem(CHECKERS, name, crash)
    cell = judge(expecting(reconnect()))
    assert cell.verdict == "unknown"
    assert "the checker crashed: ZeroDivisionError: by nothing" in result(cell, name).reason
    assert {check.checker for check in cell.checks} >= {"steps", "flow", "exits", "leaks"} - {name}


@pytest.mark.parametrize(
    ("by", "verdict"), [("step", "failed"), ("interrupt", "unknown"), ("internal", "unknown")]
)
def test_steps_that_did_not_run_to_their_end_are_never_green(by: str, verdict: str) -> None:
    evidence = replace(expecting(reconnect()), aborted="flows were not moving within 5 s", aborted_by=by)
    assert "flows were not moving within 5 s" in only_culprit(evidence, "steps", verdict).reason


def test_an_expectation_nobody_can_judge_is_unknown() -> None:
    assert only_culprit(expecting(reconnect(), {"dirty_log": "complete"}), "dirty_log", "unknown")


def test_every_rule_that_is_always_on_has_a_checker_that_asks_it() -> None:
    checks = judge(replace(with_guest(), logs=[LogLook("d3", 0, 1, "end", True, written=1)])).checks
    rules = {finding.rule for check in checks for finding in check.findings}
    leaks = {check.checker for check in checks}
    assert set(ALWAYS) - rules - leaks == set()


BROKEN = {"known": {"when": {"ring": "split"}, "fails": "duplicated", "because": "replays a burst"}}


def _duplicating(*expectations: dict[str, Any]) -> Evidence:
    return with_flow(expecting(reconnect(), *expectations), "probe", receiver={"duplicated": 9})


def test_an_announced_failure_is_named_and_does_not_fail_the_cell() -> None:
    cell = judge(_duplicating(BROKEN))
    assert cell.verdict == "passed"
    check = result(cell, "flow", "probe")
    assert (check.verdict, check.known) == ("failed", "replays a burst")


def test_an_announced_failure_that_passes_is_a_surprise_and_fails() -> None:
    culprit = only_culprit(expecting(reconnect(), BROKEN), "known")
    assert "was expected to fail (replays a burst) and did not" in culprit.reason


@pytest.mark.parametrize(
    "when", [{"ring": "packed"}, {"ring": "split", "role": "server"}, {"backend": "ovs-dpdk"}]
)
def test_an_announcement_for_other_cells_changes_nothing(when: dict[str, str]) -> None:
    known = {"known": {**BROKEN["known"], "when": when}}
    assert judge(_duplicating(known)).verdict == "failed"
    assert judge(expecting(reconnect(), known)).verdict == "passed"


@pytest.mark.parametrize("when", [{}, {"datapath": "library"}, {"backend": ["testbed-switch", "x"]}])
def test_cells_can_be_named_by_datapath_backend_or_all_of_them(when: dict[str, Any]) -> None:
    assert judge(_duplicating({"known": {**BROKEN["known"], "when": when}})).verdict == "passed"


def test_backends_that_are_not_ours_are_built_on_the_library_whatever_the_file_says() -> None:
    evidence = _duplicating({"known": {**BROKEN["known"], "when": {"datapath": "library"}}})
    ours = replace(evidence, topology=walked_by(evidence.topology, "ring"))
    assert judge(ours).verdict == "failed"
    assert judge(replace(ours, backend="dpdk-testpmd")).verdict == "passed"


def test_an_announced_failure_covers_no_other_rule_of_the_same_flow() -> None:
    evidence = with_flow(_duplicating(BROKEN), "probe", receiver={"duplicated": 9, "corrupted": 1})
    assert judge(evidence).verdict == "failed"


@pytest.mark.parametrize("fails", ["flow", "flow probe", ["duplicated", "pages"]])
def test_failures_are_announced_by_checker_subject_or_rule(fails: Any) -> None:
    assert judge(_duplicating({"known": {**BROKEN["known"], "fails": fails}})).verdict == "passed"


def test_unknown_is_never_an_announced_failure() -> None:
    known = {"known": {"when": {}, "fails": "flow", "because": "..."}}
    evidence = with_flow(expecting(reconnect(), known), "probe", receiver=None, missing="gone")
    assert judge(evidence).verdict == "failed"  # the surprise: it did not fail, it could not be seen


def test_an_outage_is_taken_apart_and_the_parts_add_up() -> None:
    anatomy = anatomies(reconnect())[0]
    assert anatomy["fault"] == "kill switch"
    names = [part["name"] for part in anatomy["parts"]]
    assert names == ["noticed", "exec", "eal", "pool", "connect", "handshake", "first_packet"]
    lengths = dict(zip(names, (part["ms"] for part in anatomy["parts"]), strict=True))
    assert lengths["eal"] == pytest.approx(67)
    assert lengths["noticed"] == pytest.approx(11.6)
    assert sum(lengths.values()) == pytest.approx(anatomy["duration_ms"])


def test_the_port_that_came_up_last_decides_when_a_flow_was_connected() -> None:
    evidence = reconnect()
    by_flow = {anatomy["flow"]: anatomy for anatomy in anatomies(evidence)}
    connect = {name: {p["name"]: p["ms"] for p in a["parts"]}["connect"] for name, a in by_flow.items()}
    assert connect["third"] == pytest.approx(connect["probe"] + 1)  # p2 came 1 ms after p1


def test_earlier_lives_that_did_not_make_it_belong_to_what_had_to_be_noticed() -> None:
    evidence = reconnect()
    crashed = [
        Event(KILL + 2 * MS, "switch", "process.spawned", {"pid": NEW_PID - 1}),
        Event(KILL + 4 * MS, "switch", "process.started", {}),
        Event(KILL + 8 * MS, "switch", "eal.up", {}),
    ]
    evidence = replace(evidence, events=sorted([*crashed, *evidence.events], key=lambda event: event.t))
    parts = {part["name"]: part["ms"] for part in anatomies(evidence)[0]["parts"]}
    assert parts["noticed"] == pytest.approx(11.6)


def test_an_outage_without_a_restart_has_only_the_parts_it_had() -> None:
    evidence = reconnect()
    sessions = [event for event in evidence.events if event.name.startswith("session.")]
    fault = Fault("disconnect", (), KILL, KILL + MS, ("p1",))
    evidence = replace(evidence, events=sessions, faults=[fault])
    anatomy = anatomies(evidence)[0]
    assert [part["name"] for part in anatomy["parts"]] == ["connect", "handshake", "first_packet"]
    assert anatomy["fault"] == "disconnect p1"


def test_an_outage_that_is_not_over_ends_in_no_packet() -> None:
    evidence = reconnect()
    outage = replace(outages_of(evidence, evidence.flows["probe"])[0], open=True)
    parts = dissect(evidence, evidence.flows["probe"], outage)
    assert [name for name, _ in parts][-1] == "no_packet"
    assert sum(length for _, length in parts) == outage.end - outage.start


def test_an_outage_nobody_ordered_has_no_fault_and_no_parts_that_would_explain_it() -> None:
    anatomy = anatomies(replace(reconnect(), faults=[], events=[]))[0]
    assert anatomy["fault"] == ""
    assert [part["name"] for part in anatomy["parts"]] == ["unexplained"]


def test_a_fault_that_was_over_at_once_may_show_a_moment_later() -> None:
    fault = Fault("apply", ("switch",), DOWN[0] - 30 * MS, DOWN[0] - 29 * MS)
    assert anatomies(replace(reconnect(), faults=[fault]))[0]["fault"] == "apply switch"


def test_an_outage_far_from_the_fault_is_not_blamed_on_it() -> None:
    evidence = replace(reconnect(), faults=[Fault("kill", ("switch",), T0, T0 + MS)])
    assert anatomies(evidence)[0]["fault"] == ""
    assert DOWN[0] > T0 + 1000 * MS
