"""event, counter, queues, untouched: what is checked only where a scenario asks for it."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from asserting import finding, only_culprit, result
from made_flow import MS, SECOND, encode, make_flow
from made_run import DOWN, KILL, START, STOP, T0, expecting, reconnect, with_flow
from testbed.check import judge
from testbed.check.evidence import Event, Evidence, Fault
from testbed.check.histogram import decode


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"name": "session.up", "port": "p1", "count": 1}, "passed"),
        ({"name": "session.up", "port": "p1", "count": 2}, "failed"),
        ({"name": "session.up", "count": 3}, "passed"),
        ({"name": "session.up"}, "passed"),
        ({"name": "session.up", "port": "p9"}, "failed"),
        ({"name": "session.refused", "count": 0}, "passed"),
        ({"name": "agent.ready", "actor": "g1"}, "passed"),
        ({"name": "agent.ready", "actor": "f0"}, "failed"),
    ],
)
def test_events_are_counted_by_name_and_by_every_field_that_is_named(
    body: dict[str, Any], verdict: str
) -> None:
    check = result(judge(expecting(reconnect(), {"event": body})), "event")
    assert check.verdict == verdict, check.reason


def _with_fault(*events: Event) -> Evidence:
    evidence = expecting(reconnect())
    armed = Event(KILL - 3 * MS, "testbed", "fault.armed", {"port": "p1", "kind": "cut", "fault": 4})
    return replace(evidence, events=sorted([*evidence.events, armed, *events], key=lambda event: event.t))


def test_a_fault_on_a_socket_that_happened_is_no_finding() -> None:
    fired = Event(KILL - 2 * MS, "proxy", "proxy.fault", {"leg": "p1", "kind": "cut", "fault": 4})
    assert result(judge(_with_fault(fired)), "faults").verdict == "passed"


def test_a_fault_on_a_socket_that_never_happened_leaves_the_claim_unproven() -> None:
    other = Event(KILL - 2 * MS, "proxy", "proxy.fault", {"leg": "p2", "kind": "cut", "fault": 4})
    check = result(judge(_with_fault(other)), "faults")
    assert check.verdict == "unknown"
    assert "cut on p1 never happened" in check.reason


def test_a_fault_that_was_taken_back_need_not_happen() -> None:
    healed = Event(KILL - 2 * MS, "testbed", "fault.disarmed", {"port": "p1"})
    assert result(judge(_with_fault(healed)), "faults").verdict == "passed"


def test_a_missing_event_says_what_was_looked_for() -> None:
    culprit = only_culprit(
        expecting(reconnect(), {"event": {"name": "session.refused", "port": "p2"}}), "event"
    )
    assert "session.refused port p2 was seen 0 times, wanted >= 1" in culprit.reason


def _with_drops(**drops: int) -> Evidence:
    """Both lives of the switch dropped that many at p2; the accounts are kept in balance."""
    evidence = expecting(reconnect())
    lives = []
    for life in evidence.switches:
        counters = copy.deepcopy(life.counters)
        counters["ports"]["p2"]["drops"] = dict(drops)
        counters["totals"]["dropped"] += sum(drops.values())
        counters["totals"]["replicated"] += sum(drops.values())
        counters["bricks"]["lan"]["replicated"] += sum(drops.values())
        lives.append(replace(life, counters=counters))
    return replace(evidence, switches=lives)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"port": "p2", "name": "drop_runt", "value": ">= 14"}, "passed"),
        ({"port": "p2", "name": "drop_runt", "value": "<= 13"}, "failed"),
        ({"port": "p2", "name": "drop_runt", "value": 14}, "unknown"),
        ({"port": "p2", "name": "drop_runt", "value": 13}, "failed"),
        ({"port": "p2", "name": "drop_runt", "value": ">= 15"}, "unknown"),
        ({"port": "p2", "name": "drop_ring_full", "value": "<= 0"}, "unknown"),
        ({"port": "p9", "name": "drop_runt", "value": 0}, "unknown"),
        ({"brick": "lan", "name": "flooded", "value": ">= 3"}, "passed"),
        ({"name": "dropped", "value": ">= 14"}, "passed"),
        ({"name": "nonsense", "value": 0}, "unknown"),
    ],
)
def test_a_counter_of_a_killed_switch_is_a_lower_bound(body: dict[str, Any], verdict: str) -> None:
    check = result(judge(expecting(_with_drops(runt=7), {"counter": body})), "counter")
    assert check.verdict == verdict, check.reason


@pytest.mark.parametrize(
    ("value", "verdict"), [(14, "passed"), (13, "failed"), (15, "failed"), (">= 15", "failed")]
)
def test_a_counter_taken_at_a_quiet_moment_is_exact(value: Any, verdict: str) -> None:
    evidence = _with_drops(runt=7)
    evidence = replace(evidence, switches=[replace(life, final=True) for life in evidence.switches])
    body = {"port": "p2", "name": "drop_runt", "value": value}
    assert result(judge(expecting(evidence, {"counter": body})), "counter").verdict == verdict


def _queued(sender: list[int], receiver: list[int], switch: list[int]) -> Evidence:
    """f0 has two queue pairs, used like this by its flows and by its port in the switch's last life."""
    evidence = expecting(reconnect(), {"queues": {"frontend": "f0", "all": "moving"}})
    evidence = with_flow(evidence, "probe", sender={"queues": sender})
    evidence = with_flow(evidence, "echo", receiver={"queues": receiver})
    first, last = evidence.switches
    counters = copy.deepcopy(last.counters)
    port = counters["ports"]["p0"]
    port["queues"] = [{"rx_packets": count, "tx_packets": 0} for count in switch]
    port["queues"][0]["tx_packets"] = port["tx_packets"]
    port["queues"][0]["rx_packets"] += port["rx_packets"] - sum(switch)
    evidence = replace(evidence, switches=[first, replace(last, counters=counters)])
    return replace(
        evidence, endpoints={**evidence.endpoints, "f0": {**evidence.endpoints["f0"], "queues": 2}}
    )


def test_queues_that_all_carry_packets_pass() -> None:
    cell = judge(_queued([3000, 4800], [4000, 3593], [100, 200]))
    assert result(cell, "queues").verdict == "passed", cell.reason


def test_a_queue_pair_that_carries_nothing_either_way_fails_by_number() -> None:
    culprit = only_culprit(_queued([7800, 0], [7593, 0], [100, 200]), "queues")
    assert "queue pairs 1 of f0 carried nothing" in culprit.reason


def test_a_queue_that_moved_only_before_the_crash_was_left_behind() -> None:
    culprit = only_culprit(_queued([3000, 4800], [4000, 3593], [100, 0]), "queues")
    assert "port p0 carried nothing since the switch was last started" in culprit.reason


def test_a_queue_nobody_reports_on_fails_and_a_missing_report_is_unknown() -> None:
    only_culprit(_queued([7800], [7593], [100, 200]), "queues")
    silent = with_flow(_queued([1, 1], [1, 1], [1, 1]), "probe", sender=None, missing="f0 is dead")
    assert result(judge(silent), "queues").verdict == "unknown"


def test_queues_of_a_frontend_without_flows_are_unknown() -> None:
    evidence = expecting(reconnect(), {"queues": {"frontend": "f9", "all": "moving"}})
    only_culprit(evidence, "queues", "unknown")


FAULT = Fault("kill", ("g1",), KILL, KILL + 300 * MS, ("p1",))
SNAPSHOTS = (KILL - MS, KILL + 300 * MS)


def _bystander(**options: Any) -> Evidence:
    """A flow beside a fault: 5000 packets a second from f0 to f2, while g1 is killed."""
    flow = make_flow(
        "other", "f0", "f2", 9, rate_pps=5000, start=START, stop=STOP, snapshot_at=SNAPSHOTS, **options
    )
    evidence = expecting(
        reconnect(), {"untouched": {"flows": ["other"], "rate": ">= 0.95", "p99": "<= 1.5x", "lost": 0}}
    )
    return replace(
        evidence, flows={"other": flow}, faults=[FAULT], switches=[], backend="other", resources=[]
    )


def _verdicts(evidence: Evidence) -> dict[str, str]:
    return {finding.rule: finding.verdict for finding in result(judge(evidence), "untouched").findings}


def test_a_bystander_that_goes_on_as_before_is_untouched() -> None:
    assert _verdicts(_bystander()) == {"rate": "passed", "p99": "passed", "lost": "passed"}


def test_a_bystander_that_loses_packets_during_the_fault_is_touched() -> None:
    evidence = _bystander(outages=[(KILL + 100 * MS, KILL + 200 * MS)])
    assert _verdicts(evidence) == {"rate": "failed", "p99": "passed", "lost": "failed"}
    reason = result(judge(evidence), "untouched").reason
    assert "during the faults" in reason
    assert "other lost 50" in reason


def test_a_bystander_that_stays_slow_after_the_fault_is_touched() -> None:
    evidence = _bystander(outages=[(KILL + SECOND, KILL + SECOND + 500 * MS)])
    assert finding(evidence, "untouched", "other", "rate").verdict == "failed"
    assert "after the faults" in result(judge(evidence), "untouched").reason


def _slow_from(evidence: Evidence, start: int) -> Evidence:
    """From that time on every packet of the bystander takes four times as long."""
    early = make_flow("other", "f0", "f2", 9, rate_pps=5000, start=START, stop=start, snapshot_at=SNAPSHOTS)
    late = make_flow(
        "other",
        "f0",
        "f2",
        9,
        rate_pps=5000,
        start=start,
        stop=STOP,
        latency_ns=100_000,
        snapshot_at=SNAPSHOTS,
    )
    snapshots = tuple(
        {"t": a["t"], "latency": _both(a["latency"], b["latency"])}
        for a, b in zip(early.snapshots, late.snapshots, strict=True)
    )
    whole = _both((early.receiver or {})["latency"], (late.receiver or {})["latency"])
    return with_flow(evidence, "other", receiver={"latency": whole}, snapshots=snapshots)


def _both(*encoded: str) -> str:
    histograms = [decode(text) for text in encoded]
    return encode(
        [
            histogram.layout.highest_of(index)
            for histogram in histograms
            for index, count in histogram.counts.items()
            for _ in range(count)
        ]
    )


@pytest.mark.parametrize(("start", "phase"), [(KILL, "during"), (KILL + SECOND, "after")])
def test_a_bystander_that_becomes_slower_is_touched_and_the_phase_is_named(start: int, phase: str) -> None:
    evidence = _slow_from(_bystander(), start)
    seen = finding(evidence, "untouched", "other", "p99")
    assert seen.verdict == "failed"
    assert f"{phase} the faults" in seen.reason


def test_without_histograms_around_the_faults_latencies_cannot_be_compared() -> None:
    evidence = with_flow(_bystander(), "other", snapshots=())
    seen = finding(evidence, "untouched", "other", "p99")
    assert seen.verdict == "unknown"
    assert "was not asked for histograms" in seen.reason


def test_too_few_packets_in_a_phase_make_its_p99_unknown_by_name() -> None:
    flow = make_flow("other", "f0", "f2", 9, rate_pps=500, start=START, stop=STOP, snapshot_at=SNAPSHOTS)
    seen = finding(replace(_bystander(), flows={"other": flow}), "untouched", "other", "p99")
    assert seen.verdict == "unknown"
    assert "only " in seen.reason


def test_without_a_fault_nothing_shows_that_a_flow_is_untouched() -> None:
    for faults in ([], [Fault("kill", ("g1",), STOP + SECOND, None)]):
        evidence = replace(_bystander(), faults=faults)
        assert result(judge(evidence), "untouched").verdict == "unknown"


def test_a_fault_right_at_the_start_leaves_no_rate_to_compare_with() -> None:
    evidence = replace(_bystander(), faults=[replace(FAULT, start=T0)])
    assert finding(evidence, "untouched", "other", "rate").verdict == "unknown"


def test_an_untouched_flow_that_does_not_exist_or_did_not_report_is_unknown() -> None:
    nobody = expecting(_bystander(), {"untouched": {"flows": ["nobody"], "lost": 0}})
    assert result(judge(nobody), "untouched").verdict == "unknown"
    silent = with_flow(_bystander(), "other", receiver=None, missing="f2 is dead")
    assert result(judge(silent), "untouched").verdict == "unknown"


@pytest.mark.parametrize(("rules", "verdict"), [({"outages": 0}, "passed"), ({"colour": 0}, "unknown")])
def test_other_rules_of_untouched_flows(rules: dict[str, Any], verdict: str) -> None:
    evidence = expecting(_bystander(), {"untouched": {"flows": "other", **rules}})
    assert result(judge(evidence), "untouched").verdict == verdict


def test_an_outage_of_an_untouched_flow_is_counted() -> None:
    evidence = expecting(_bystander(outages=[DOWN]), {"untouched": {"flows": "other", "outages": 0}})
    assert result(judge(evidence), "untouched").verdict == "failed"
