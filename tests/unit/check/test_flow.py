"""Every rule about flows, failing and passing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from asserting import finding, only_culprit, result
from made_flow import MS, SECOND
from made_run import DOWN, KILL, START, STOP, expecting, reconnect, with_flow
from testbed.check import judge
from testbed.check.evidence import Event, Fault


def test_a_run_without_fault_of_ours_passes_and_says_what_it_measured() -> None:
    cell = judge(reconnect())
    assert cell.verdict == "passed", cell.reason
    measured = result(cell, "flow", "probe").measured
    assert (measured["sent"], measured["received"], measured["lost"]) == (7800, 7593, 207)
    assert measured["outages_ms"] == [103.2]
    assert measured["lost_outside_outages"] == 0
    assert measured["latency_us"]["p50"] == pytest.approx(25, rel=0.1)


@pytest.mark.parametrize("rule", ["corrupted", "duplicated"])
def test_one_packet_is_enough_to_fail_without_being_asked(rule: str) -> None:
    evidence = with_flow(expecting(reconnect()), "probe", receiver={rule: 1})
    culprit = only_culprit(evidence, "flow")
    assert culprit.subject == "probe"
    assert culprit.broken == (rule,)
    assert f"1 packets of probe were {rule}" in culprit.reason


@pytest.mark.parametrize("rule", ["corrupted", "duplicated"])
def test_allow_lets_so_many_happen_and_no_more(rule: str) -> None:
    allow = {"allow": {rule: "<= 2", "because": "a torn burst"}}
    assert judge(with_flow(expecting(reconnect(), allow), "probe", receiver={rule: 2})).verdict == "passed"
    assert judge(with_flow(expecting(reconnect(), allow), "probe", receiver={rule: 3})).verdict == "failed"


def test_allow_for_one_flow_does_not_loosen_the_others() -> None:
    allow = {"allow": {"duplicated": "<= 2", "flows": ["echo"], "because": "..."}}
    evidence = with_flow(expecting(reconnect(), allow), "probe", receiver={"duplicated": 1})
    assert only_culprit(evidence, "flow").subject == "probe"


def test_a_written_rule_replaces_the_one_that_is_always_on() -> None:
    evidence = with_flow(reconnect(), "probe", receiver={"duplicated": 3})
    evidence = expecting(evidence, {"flow": {"name": "probe", "duplicated": "<= 5"}})
    assert judge(evidence).verdict == "passed"


def test_reordered_packets_are_counted_and_fail_only_where_that_is_asked() -> None:
    evidence = with_flow(expecting(reconnect()), "probe", receiver={"reordered": 4})
    assert judge(evidence).verdict == "passed"
    asked = expecting(evidence, {"flow": {"name": "probe", "reordered": 0}})
    assert only_culprit(asked, "flow").broken == ("reordered",)


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ({"outage": "<= 200ms"}, "passed"),
        ({"outage": "<= 103ms"}, "failed"),
        ({"outage": "> 100ms"}, "passed"),
        ({"outages": 1}, "passed"),
        ({"outages": 0}, "failed"),
        ({"lost": "<= 207"}, "passed"),
        ({"lost": "<= 206"}, "failed"),
        ({"lost": "<= 2.7%"}, "passed"),
        ({"lost": "<= 2.6%"}, "failed"),
        ({"lost": "<= 32 outside outages"}, "passed"),
        ({"sent": ">= 7800"}, "passed"),
        ({"sent": ">= 7801"}, "failed"),
        ({"received": "7000..7600"}, "passed"),
        ({"received": "7600..7800"}, "failed"),
        ({"blocked": 0}, "passed"),
        ({"p50": "<= 30us"}, "passed"),
        ({"p99": "<= 1us"}, "failed"),
        ({"max": "<= 1ms"}, "passed"),
        ({"max": "<= 50us"}, "failed"),
        ({"p999": "<= 1ms"}, "unknown"),  # 7593 packets are too few
        ({"outage": "<= 200"}, "unknown"),  # 200 what?
        ({"p99": "<= 1.5x"}, "unknown"),
        ({"lost": "<= 5ms"}, "unknown"),
        ({"reordered": "0 outside outages"}, "unknown"),
        ({"outage": "> 0"}, "passed"),
    ],
)
def test_written_rules(rules: dict[str, Any], verdict: str) -> None:
    cell = judge(expecting(reconnect(), {"flow": {"name": "probe", **rules}}))
    assert result(cell, "flow", "probe").verdict == verdict, result(cell, "flow", "probe").reason


def test_outages_that_no_fault_made_are_told_apart() -> None:
    silences = [
        {"start_ns": START + 500 * MS, "end_ns": START + 530 * MS},
        {"start_ns": DOWN[0], "end_ns": DOWN[1]},
    ]
    evidence = with_flow(reconnect(), "probe", receiver={"outages": silences})
    assert (
        "had 2 outages, 1 of them while nothing was broken, wanted 1" in only_culprit(evidence, "flow").reason
    )


def test_packets_lost_where_no_outage_was_are_told_apart() -> None:
    evidence = reconnect()
    receiver = evidence.flows["probe"].receiver
    assert receiver is not None
    stray = {
        "stream": 0,
        "first": 100,
        "last": 139,
        "after_ns": START + 50 * MS,
        "before_ns": START + 70 * MS,
    }
    evidence = with_flow(evidence, "probe", receiver={"gaps": [stray, *receiver["gaps"]]})
    seen = finding(evidence, "flow", "probe", "lost")
    assert (seen.verdict, seen.measured) == ("failed", 40)
    assert "lost outside outages" in seen.reason


def test_a_silence_that_no_fault_made_excuses_no_loss() -> None:
    evidence = replace(reconnect(), faults=[])
    assert result(judge(evidence), "flow", "probe").measured["lost_outside_outages"] == 207
    assert finding(evidence, "flow", "probe", "lost").verdict == "failed"


def test_what_was_sent_last_and_never_came_is_lost() -> None:
    evidence = with_flow(reconnect(), "probe", sender={"next": [7810], "sent": 7810})
    measured = result(judge(evidence), "flow", "probe").measured
    assert measured["lost"] == 217
    assert measured["lost_outside_outages"] == 10


def test_an_outage_that_never_ended_is_as_long_as_the_sending_went_on() -> None:
    evidence = with_flow(
        reconnect(), "probe", receiver={"outages": [{"start_ns": STOP - 500 * MS, "end_ns": None}]}
    )
    seen = finding(evidence, "flow", "probe", "outage")
    assert seen.verdict == "failed"
    assert "had not ended" in seen.reason


def test_an_outage_that_never_ended_never_passes_however_short_it_was() -> None:
    evidence = with_flow(
        reconnect(), "probe", receiver={"outages": [{"start_ns": STOP - 50 * MS, "end_ns": None}]}
    )
    assert finding(evidence, "flow", "probe", "outage").verdict == "unknown"


def test_silence_after_the_last_packet_sent_is_no_outage() -> None:
    start = STOP - 5 * MS  # the last ten packets were lost, and nothing came after them
    evidence = with_flow(reconnect(), "probe", receiver={"outages": [{"start_ns": start, "end_ns": None}]})
    assert result(judge(evidence), "flow", "probe").measured["outages_ms"] == []


def test_a_receiver_started_anew_still_has_the_outage_that_its_death_made() -> None:
    evidence = with_flow(
        reconnect(), "probe", receiver={"outages": [], "first_ns": DOWN[1]}, receiver_incarnations=2
    )
    evidence = replace(evidence, faults=[Fault("kill", ("g1",), KILL, DOWN[1])])
    outages = result(judge(evidence), "flow", "probe").measured["outages_ms"]
    assert outages == [pytest.approx(103.6, abs=0.01)]
    assert finding(evidence, "flow", "probe", "lost").verdict == "unknown"


def test_a_fault_that_a_receiver_lived_through_is_no_outage_of_a_life_before() -> None:
    evidence = with_flow(reconnect(), "probe", receiver={"outages": []}, receiver_incarnations=2)
    lived = [Fault("kill", ("g1",), KILL, DOWN[1]), Fault("hang_up", ("g1",), KILL + 3 * MS, DOWN[1])]
    assert len(result(judge(replace(evidence, faults=lived)), "flow", "probe").measured["outages_ms"]) == 1


def test_a_receiver_that_never_came_back_is_an_open_outage() -> None:
    evidence = with_flow(reconnect(), "probe", receiver={"outages": []}, receiver_incarnations=2)
    early = [event for event in evidence.events if event.t < KILL]
    evidence = replace(evidence, faults=[Fault("kill", ("g1",), KILL, None)], events=early)
    assert finding(evidence, "flow", "probe", "outage").verdict == "failed"


def test_a_flow_that_never_moved_is_unknown_and_never_green() -> None:
    receiver = {
        "received": 0,
        "gaps": [],
        "outages": [],
        "highest": [],
        "latency": "",
        "first_ns": 0,
        "last_ns": 0,
    }
    evidence = with_flow(expecting(reconnect()), "third", receiver={**receiver, "foreign_arrivals": []})
    cell = judge(evidence)
    assert result(cell, "flow", "third").verdict == "unknown"
    assert result(cell, "progress", "third").verdict == "unknown"
    assert cell.verdict != "passed"


def test_a_report_that_could_not_be_had_is_unknown_and_says_why() -> None:
    evidence = with_flow(expecting(reconnect()), "probe", receiver=None, missing="g1 did not answer in 5 s")
    check = result(judge(evidence), "flow", "probe")
    assert check.verdict == "unknown"
    assert "g1 did not answer in 5 s" in check.reason


def test_without_the_senders_report_few_losses_prove_nothing_but_many_do() -> None:
    gone = with_flow(reconnect(), "probe", sender=None, missing="f0 is dead")
    few = expecting(gone, {"flow": {"name": "probe", "lost": "<= 300"}})
    assert finding(few, "flow", "probe", "lost").verdict == "unknown"
    many = expecting(gone, {"flow": {"name": "probe", "lost": "<= 100"}})
    assert finding(many, "flow", "probe", "lost").verdict == "failed"


@pytest.mark.parametrize(
    ("body", "rule"),
    [({"name": "nobody", "outages": 0}, "name"), ({"name": "probe", "colour": 0}, "colour")],
)
def test_expectations_that_fit_nothing_are_unknown(body: dict[str, Any], rule: str) -> None:
    assert finding(expecting(reconnect(), {"flow": body}), "flow", body["name"], rule).verdict == "unknown"


def test_an_expectation_without_a_name_is_about_all_flows() -> None:
    evidence = with_flow(
        expecting(reconnect(), {"flow": {"reordered": 0}}), "echo", receiver={"reordered": 1}
    )
    assert only_culprit(evidence, "flow").subject == "echo"


def test_a_guests_clock_that_is_not_known_well_enough_makes_a_close_latency_unknown() -> None:
    evidence = expecting(reconnect(), {"flow": {"name": "probe", "p99": "<= 60us"}})
    assert judge(evidence).verdict == "passed"
    blurred = with_flow(evidence, "probe", clock_error_ns=20_000)
    assert finding(blurred, "flow", "probe", "p99").verdict == "unknown"


def test_reports_that_contradict_each_other_are_believed_in_nothing() -> None:
    culprit = only_culprit(
        with_flow(expecting(reconnect()), "probe", receiver={"received": 7590}), "flow", "unknown"
    )
    assert "7800 sent, but 7590 received and 207 lost" in culprit.reason


@pytest.mark.parametrize("field", ["unclear", "strangers"])
def test_packets_the_receiver_could_not_place_make_no_duplicates_unknown(field: str) -> None:
    evidence = with_flow(expecting(reconnect()), "probe", receiver={field: 3})
    assert finding(evidence, "flow", "probe", "duplicated").verdict == "unknown"
    allowed = expecting(evidence, {"allow": {"duplicated": "<= 3", "because": "..."}})
    assert finding(allowed, "flow", "probe", "duplicated").verdict == "passed"


def test_packets_from_the_future_make_latencies_unknown() -> None:
    evidence = expecting(reconnect(), {"flow": {"name": "probe", "p99": "<= 5ms"}})
    assert judge(with_flow(evidence, "probe", receiver={"negative_latency": 5})).verdict == "passed"
    assert only_culprit(with_flow(evidence, "probe", receiver={"negative_latency": 500}), "flow", "unknown")


def test_what_a_sender_lost_last_is_counted_from_its_own_incarnation() -> None:
    evidence = reconnect()
    lives = [
        {"epoch": 1, "highest": [7799]},
        {"epoch": 2, "highest": [4]},
    ]
    sender = {"epoch": 2, "sent": 10, "next": [10]}
    evidence = with_flow(
        evidence, "probe", sender=sender, receiver={"incarnations": lives}, sender_incarnations=2
    )
    assert result(judge(evidence), "flow", "probe").measured["lost"] == 207 + 5
    silent = with_flow(evidence, "probe", receiver={"incarnations": lives[:1]})
    assert result(judge(silent), "flow", "probe").measured["lost"] == 207 + 10


def test_a_damaged_histogram_is_unknown_and_does_not_hide_the_counts() -> None:
    evidence = expecting(reconnect(), {"flow": {"name": "probe", "p99": "<= 5ms"}})
    cell = judge(with_flow(evidence, "probe", receiver={"latency": "AAAA"}))
    assert result(cell, "flow", "probe").verdict == "unknown"
    assert result(cell, "flow", "probe").measured["received"] == 7593


def test_events_may_name_a_flow_by_its_number() -> None:
    evidence = with_flow(reconnect(), "probe", receiver={"outages": []}, receiver_incarnations=2)
    numbered = [
        Event(event.t, event.actor, event.name, {"flow": 1})
        for event in evidence.events
        if event.name == "flow.moving" and event.fields["flow"] == "probe"
    ]
    evidence = replace(evidence, events=numbered, faults=[Fault("kill", ("g1",), KILL, KILL + SECOND)])
    assert result(judge(evidence), "flow", "probe").measured["outages_ms"] == [pytest.approx(103.6, abs=0.01)]
