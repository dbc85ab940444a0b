"""progress: every flow moves again after the last fault, or says why it need not."""

from __future__ import annotations

from dataclasses import replace

from asserting import only_culprit, result
from made_run import KILL, expecting, reconnect, with_flow
from testbed.check import judge
from testbed.check.evidence import Evidence, Fault


def _silent_from(evidence: Evidence, t: int) -> Evidence:
    return with_flow(evidence, "probe", receiver={"last_ns": t})


def test_a_flow_left_behind_after_the_last_fault_fails_progress() -> None:
    evidence = _silent_from(expecting(reconnect()), KILL)
    culprit = only_culprit(evidence, "progress")
    assert culprit.subject == "probe"
    assert "did not move again after the last fault (kill switch)" in culprit.reason


def test_a_sender_that_had_nothing_to_send_after_the_fault_leaves_progress_unknown() -> None:
    evidence = with_flow(_silent_from(expecting(reconnect()), KILL), "probe", sender={"last_ns": KILL})
    assert only_culprit(evidence, "progress", "unknown").subject == "probe"


def test_a_flow_whose_end_was_left_broken_owes_no_progress() -> None:
    evidence = _silent_from(expecting(reconnect()), KILL)
    evidence = replace(evidence, faults=[Fault("kill", ("g1",), KILL, None)])
    assert result(judge(evidence), "progress", "probe").verdict == "passed"


def test_a_flow_that_was_told_to_be_silent_owes_no_progress() -> None:
    evidence = with_flow(_silent_from(expecting(reconnect()), KILL), "probe", rate_pps=0)
    assert not [c for c in judge(evidence).checks if (c.checker, c.subject) == ("progress", "probe")]
