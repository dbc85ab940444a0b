"""Frames at ends they were not for: floods are explained, a switch that sends to the wrong port is not."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from asserting import only_culprit, result
from made_flow import MS
from made_run import DOWN, FLOODED, START, expecting, reconnect, with_flow
from testbed.check import judge
from testbed.check.evidence import Evidence


def _arrivals(evidence: Evidence, *arrivals: tuple[int, int]) -> Evidence:
    """f2 also got these (number, time) of the flow probe."""
    listed = (evidence.flows["third"].receiver or {})["foreign_arrivals"]
    more = [{"flow": 1, "stream": 0, "seq": seq, "t": t} for seq, t in arrivals]
    evidence = with_flow(evidence, "third", receiver={"foreign_arrivals": [*listed, *more]})
    status = {**evidence.endpoints["f2"], "foreign_rx": FLOODED + len(more)}
    return replace(evidence, endpoints={**evidence.endpoints, "f2": status})


def _missing(evidence: Evidence, seq: int, t: int) -> Evidence:
    """g1 did not get this number of the flow probe, sent at t."""
    gaps = (evidence.flows["probe"].receiver or {})["gaps"]
    gap = {"stream": 0, "first": seq, "last": seq, "after_ns": t - MS, "before_ns": t + MS}
    received = (evidence.flows["probe"].receiver or {})["received"] - 1
    return with_flow(evidence, "probe", receiver={"gaps": [gap, *gaps], "received": received})


def _last_life(evidence: Evidence, **changes: dict[str, Any]) -> Evidence:
    """Changes counters of the switch's last life: ports={...}, bricks={...}, by owner."""
    first, last = evidence.switches
    counters = copy.deepcopy(last.counters)
    for section, owners in changes.items():
        for owner, values in owners.items():
            counters[section][owner].update(values)
    return replace(evidence, switches=[first, replace(last, counters=counters)])


def test_copies_of_a_flood_after_the_restart_are_no_misdelivery() -> None:
    cell = judge(expecting(reconnect()))
    assert cell.verdict == "passed"
    assert result(cell, "misdelivery").measured["foreign_copies"] == FLOODED


def test_a_number_seen_elsewhere_and_missing_at_home_is_misdelivered() -> None:
    t = START + 500 * MS
    evidence = _last_life(
        _arrivals(_missing(expecting(reconnect()), 800, t), (800, t)), bricks={"lan": {"flooded": 9}}
    )
    culprit = only_culprit(evidence, "flow")
    assert culprit.subject == "probe"
    assert culprit.broken == ("misdelivered",)
    assert "f2 got 800 of stream 0" in culprit.reason


def test_it_is_excused_when_the_switch_dropped_the_own_copy_on_the_way_out() -> None:
    t = START + 500 * MS
    evidence = _arrivals(_missing(expecting(reconnect()), 800, t), (800, t))
    evidence = _last_life(evidence, bricks={"lan": {"flooded": 9}}, ports={"p1": {"drops": {"ring_full": 1}}})
    assert result(judge(evidence), "flow", "probe").verdict == "passed"


def test_one_drop_excuses_one_number_only() -> None:
    t = START + 500 * MS
    evidence = _missing(_missing(expecting(reconnect()), 800, t), 900, t)
    evidence = _last_life(
        _arrivals(evidence, (800, t), (900, t)),
        bricks={"lan": {"flooded": 9, "replicated": 9}},
        ports={"p1": {"drops": {"ring_full": 1}}},
    )
    assert result(judge(evidence), "flow", "probe").measured["misdelivered"] == 1


def test_while_its_own_end_is_down_a_flooded_frame_may_be_seen_elsewhere() -> None:
    first_lost = (expecting(reconnect()).flows["probe"].receiver or {})["gaps"][0]["first"]
    evidence = _last_life(
        _arrivals(expecting(reconnect()), (first_lost + 5, DOWN[1] - MS)), bricks={"lan": {"flooded": 4}}
    )
    assert result(judge(evidence), "flow", "probe").verdict == "passed"
    assert result(judge(evidence), "misdelivery").verdict == "passed"


def test_more_copies_than_were_flooded_are_misdelivered_even_when_the_own_end_is_down() -> None:
    first_lost = (expecting(reconnect()).flows["probe"].receiver or {})["gaps"][0]["first"]
    wrong = [(first_lost + k, DOWN[1] - MS) for k in range(4)]
    culprit = only_culprit(_arrivals(expecting(reconnect()), *wrong), "misdelivery")
    assert "at least 1 were sent to the wrong port" in culprit.reason


def test_a_switch_that_sends_a_second_copy_to_a_wrong_port_is_caught() -> None:
    culprit = only_culprit(_arrivals(expecting(reconnect()), (700, START + 400 * MS)), "misdelivery")
    assert culprit.findings[0].measured == 1


def test_ends_may_count_more_than_they_list() -> None:
    evidence = expecting(reconnect())
    evidence = replace(evidence, switches=[replace(life, final=True) for life in evidence.switches])
    status = {**evidence.endpoints["f2"], "foreign_rx": 5000}
    evidence = replace(evidence, endpoints={**evidence.endpoints, "f2": status})
    assert result(judge(evidence), "misdelivery").measured["foreign_copies"] == 5000
    assert result(judge(evidence), "misdelivery").verdict == "failed"


def test_what_came_after_the_last_sample_of_a_killed_switch_is_held_against_nobody() -> None:
    evidence = expecting(reconnect())
    evidence = _arrivals(evidence, (3700, evidence.switches[0].counters["t"] + MS))
    assert result(judge(evidence), "misdelivery").measured["foreign_copies"] == FLOODED


def test_allow_covers_the_floods_too() -> None:
    allow = {"allow": {"misdelivered": "<= 1", "because": "..."}}
    assert judge(_arrivals(expecting(reconnect(), allow), (700, START + 400 * MS))).verdict == "passed"


def test_a_backend_that_does_not_count_floods_leaves_copies_unknown() -> None:
    evidence = replace(expecting(reconnect()), switches=[], backend="ovs-dpdk")
    only_culprit(evidence, "misdelivery", "unknown")


@pytest.mark.parametrize("change", [{"rate_pps": None}, {"sender_incarnations": 2}])
def test_numbers_that_may_mean_something_else_are_left_to_the_count_of_floods(change: dict[str, Any]) -> None:
    t = START + 500 * MS
    evidence = _last_life(
        _arrivals(_missing(expecting(reconnect()), 800, t), (800, t)), bricks={"lan": {"flooded": 9}}
    )
    assert (
        result(judge(with_flow(evidence, "probe", **change)), "flow", "probe").measured["misdelivered"] == 0
    )


def test_numbers_in_merged_gaps_accuse_nobody() -> None:
    t = START + 500 * MS
    evidence = _missing(expecting(reconnect()), 800, t)
    receiver = evidence.flows["probe"].receiver or {}
    merged = {**receiver["gaps"][0], "first": 700, "last": 900, "missing": 1}
    evidence = with_flow(evidence, "probe", receiver={"gaps": [merged, *receiver["gaps"][1:]]})
    assert result(judge(_arrivals(evidence, (800, t))), "flow", "probe").measured["misdelivered"] == 0


def test_what_reached_the_right_end_before_that_end_knew_of_the_flow_is_not_misdelivered() -> None:
    evidence = reconnect()
    third = evidence.flows["third"]
    early = [{"flow": third.flow_id, "stream": 0, "seq": seq, "t": START} for seq in range(500)]
    listed = (third.receiver or {})["foreign_arrivals"]
    evidence = with_flow(evidence, "third", receiver={"foreign_arrivals": [*early, *listed]})
    status = {**evidence.endpoints["f2"], "foreign_rx": FLOODED + len(early)}
    evidence = replace(evidence, endpoints={**evidence.endpoints, "f2": status})
    found = result(judge(evidence), "misdelivery")
    assert (found.verdict, found.measured["foreign_copies"]) == ("passed", FLOODED)
