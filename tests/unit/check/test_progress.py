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


def _plain(receiver: dict[str, object], sender: dict[str, object] | None = None) -> Evidence:
    evidence = with_flow(expecting(reconnect()), "probe", receiver=receiver)
    return with_flow(evidence, "probe", sender=sender or {})


def test_a_flow_that_falls_silent_while_it_is_sent_fails_even_where_nothing_was_broken() -> None:
    probe = reconnect().flows["probe"]
    assert probe.sender is not None
    end = probe.sender["last_ns"]
    evidence = replace(_plain({"last_ns": end - 300_000_000}), faults=[])
    found = result(judge(evidence), "progress", "probe")
    assert found.broken == ("to_the_end",) and "silent at the end" in found.reason


def test_a_silence_shorter_than_its_own_outage_threshold_is_none() -> None:
    probe = reconnect().flows["probe"]
    assert probe.sender is not None
    end = probe.sender["last_ns"]
    late = {"last_ns": end - 300_000_000, "outage_threshold_ns": 400_000_000}
    assert result(judge(replace(_plain(late), faults=[])), "progress", "probe").verdict == "passed"


def test_a_stream_left_behind_while_the_others_move_fails_progress() -> None:
    probe = reconnect().flows["probe"]
    assert probe.sender is not None and probe.receiver is not None
    count, last = probe.sender["next"][0], probe.receiver["highest"][0]
    for highest in ([last, None], [last, count // 2]):
        evidence = _plain({"highest": highest}, {"next": [count, count]})
        found = result(judge(evidence), "progress", "probe")
        assert found.broken == ("streams",) and "1 of 2 streams of probe" in found.reason
    evidence = _plain({"highest": [last, last - 3]}, {"next": [count, count]})
    assert result(judge(evidence), "progress", "probe").verdict == "passed"
