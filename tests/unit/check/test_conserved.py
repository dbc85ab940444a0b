"""The accounts: every equation fails when one packet is missing from it, and says which, with the numbers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from asserting import only_culprit, result
from made_flow import MS
from made_run import KILL, START, STOP, expecting, reconnect, with_flow
from testbed.check import judge
from testbed.check.ends import end_equations
from testbed.check.evidence import Event, Evidence, Fault, SwitchEvidence

Counters = dict[str, Any]
HELLOS = 9  # three flows of one stream, two addresses each, and an own one of each frontend


def _edit(evidence: Evidence, edit: Callable[[Counters], None], life: int = -1) -> Evidence:
    lives = list(evidence.switches)
    counters = copy.deepcopy(lives[life].counters)
    edit(counters)
    lives[life] = replace(lives[life], counters=counters)
    return replace(evidence, switches=lives)


def _add(*path: str, by: int = 1) -> Callable[[Counters], None]:
    def edit(counters: Counters) -> None:
        for key in path[:-1]:
            counters = counters[key]
        counters[path[-1]] = counters.get(path[-1], 0) + by

    return edit


def _both(*edits: Callable[[Counters], None]) -> Callable[[Counters], None]:
    def edit(counters: Counters) -> None:
        for one in edits:
            one(counters)

    return edit


EQUATIONS = {
    "balance": _both(_add("totals", "dropped"), _add("bricks", "lan", "drops", "runt")),
    "received": _both(
        _add("ports", "p0", "rx_packets"), lambda c: _add("rx_packets")(c["ports"]["p0"]["queues"][0])
    ),
    "sent": _both(
        _add("ports", "p1", "tx_packets"), lambda c: _add("tx_packets")(c["ports"]["p1"]["queues"][0])
    ),
    "dropped": _add("ports", "p1", "drops", "ring_full"),
    "replicated": _add("bricks", "lan", "replicated"),
    "queues": lambda c: _add("rx_packets")(c["ports"]["p0"]["queues"][0]),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_one_packet_too_many_breaks_the_equation_by_name(name: str) -> None:
    culprit = only_culprit(_edit(expecting(reconnect()), EQUATIONS[name]), "conserved")
    assert name in culprit.reason
    assert "off by 1" in culprit.reason
    assert "life 2 of 2" in culprit.reason


def test_the_reason_has_the_numbers() -> None:
    culprit = only_culprit(_edit(expecting(reconnect()), EQUATIONS["balance"]), "conserved")
    assert "+ replicated 3 = sent " in culprit.reason
    assert culprit.measured["unaccounted"] == 1


def test_allow_grants_so_many_unaccounted_packets() -> None:
    allow = {"allow": {"unaccounted": "<= 1", "because": "..."}}
    assert judge(_edit(expecting(reconnect(), allow), EQUATIONS["balance"])).verdict == "passed"


def test_a_live_sample_of_a_killed_switch_may_be_off_by_what_is_in_its_hands() -> None:
    few = _edit(expecting(reconnect()), _add("totals", "received", by=32), life=0)
    assert result(judge(few), "conserved", "switch").verdict == "passed"
    many = _edit(expecting(reconnect()), _add("totals", "received", by=5000), life=0)
    assert result(judge(many), "conserved", "switch").verdict == "failed"


def test_totals_include_ports_that_are_gone() -> None:
    gone = _edit(
        expecting(reconnect()), _both(_add("totals", "received", by=9), _add("totals", "sent", by=9))
    )
    assert judge(gone).verdict == "failed"
    removed = Event(START, "switch", "port.removed", {"port": "p9"})
    assert judge(replace(gone, events=[*gone.events, removed])).verdict == "passed"


def test_a_port_that_counts_more_than_the_total_fails_also_after_a_removal() -> None:
    evidence = _edit(expecting(reconnect()), EQUATIONS["received"])
    removed = Event(START, "switch", "port.removed", {"port": "p9"})
    assert judge(replace(evidence, events=[*evidence.events, removed])).verdict == "failed"


def _calm() -> Evidence:
    """One life, no faults: the counts of the ends hold exactly. Made from the reconnect by adding its two lives up."""
    evidence = expecting(reconnect())
    flows = evidence.flows.values()
    sent = {flow.name: (flow.sender or {})["sent"] for flow in flows}
    for name, number in sent.items():
        evidence = with_flow(
            evidence, name, receiver={"received": number, "gaps": [], "outages": [], "highest": [number - 1]}
        )
    ports = {
        "p0": (sent["probe"] + sent["third"], sent["echo"]),
        "p1": (sent["echo"], sent["probe"]),
        "p2": (0, sent["third"] + 3),
    }
    queues = {name: [{"rx_packets": rx, "tx_packets": tx}] for name, (rx, tx) in ports.items()}
    counters = {
        "t": STOP,
        "ports": {
            name: {"rx_packets": rx, "tx_packets": tx, "drops": {}, "queues": queues[name]}
            for name, (rx, tx) in ports.items()
        },
        "bricks": {"lan": {"flooded": 3, "replicated": 3, "drops": {}}},
        "totals": {
            "received": sum(rx for rx, _ in ports.values()),
            "replicated": 3,
            "sent": sum(tx for _, tx in ports.values()),
            "dropped": 0,
        },
    }
    endpoints = {
        frontend: {**evidence.endpoints[frontend], "tx_packets": ports[port][0], "rx_packets": ports[port][1]}
        for frontend, port in (("f0", "p0"), ("g1", "p1"), ("f2", "p2"))
    }
    life = SwitchEvidence("switch", 100, counters, final=True)
    exits = [end for end in evidence.exits if end.status == "exit 0"]
    return replace(evidence, switches=[life], endpoints=endpoints, faults=[], exits=exits)


def test_without_faults_both_sides_count_the_same() -> None:
    assert judge(_calm()).verdict == "passed", judge(_calm()).reason


@pytest.mark.parametrize(("key", "name"), [("tx_packets", "to_switch"), ("rx_packets", "from_switch")])
def test_without_faults_more_than_a_round_of_hellos_between_the_ends_and_the_switch_is_missed(
    key: str, name: str
) -> None:
    evidence = _calm()
    status = {**evidence.endpoints["g1"], key: evidence.endpoints["g1"][key] + HELLOS + 1}
    culprit = only_culprit(replace(evidence, endpoints={**evidence.endpoints, "g1": status}), "conserved")
    assert culprit.subject == "ends"
    assert name in culprit.reason
    assert "g1 on port p1" in culprit.reason


@pytest.mark.parametrize(
    ("report", "key", "name"), [("sender", "sent", "flows_sent"), ("receiver", "received", "flows_received")]
)
def test_flows_cannot_count_more_than_their_frontend(report: str, key: str, name: str) -> None:
    evidence = _calm()
    number = getattr(evidence.flows["echo"], report)[key] + 1
    evidence = with_flow(evidence, "echo", **{report: {key: number}})
    culprit = result(judge(evidence), "conserved", "ends")
    assert culprit.verdict == "failed"
    assert name in culprit.reason


def _two_queues() -> Evidence:
    """f0 has two queue pairs; by the second go a third of its packets."""
    evidence = _calm()
    sent = sum((evidence.flows[name].sender or {})["sent"] for name in ("probe", "third"))
    got = (evidence.flows["echo"].receiver or {})["received"]
    split = {"rx_packets": (sent - 100, 100), "tx_packets": (got - 50, 50)}

    def queues(counters: Counters) -> None:
        port = counters["ports"]["p0"]
        port["queues"] = [
            {key: port[key] - second if number == 0 else second for key, (_, second) in split.items()}
            for number in (0, 1)
        ]

    evidence = _edit(evidence, queues)
    topology = copy.deepcopy(evidence.topology)
    topology["frontends"]["f0"]["queues"] = 2
    probe = (evidence.flows["probe"].sender or {})["sent"]
    third = (evidence.flows["third"].sender or {})["sent"]
    evidence = with_flow(evidence, "probe", sender={"queues": [probe - 100, 100]})
    evidence = with_flow(evidence, "third", sender={"queues": [third, 0]})
    evidence = with_flow(evidence, "echo", receiver={"queues": [got - 50, 50]})
    return replace(evidence, topology=topology)


def test_what_is_counted_by_queue_is_that_of_the_ends() -> None:
    assert judge(_two_queues()).verdict == "passed", judge(_two_queues()).reason


@pytest.mark.parametrize(("key", "name"), [("rx_packets", "queues_sent"), ("tx_packets", "queues_received")])
def test_a_packet_counted_at_another_queue_is_missed_at_its_own(key: str, name: str) -> None:
    def swap(counters: Counters) -> None:
        queues = counters["ports"]["p0"]["queues"]
        queues[0][key] += 1
        queues[1][key] -= 1

    culprit = only_culprit(_edit(_two_queues(), swap), "conserved")
    assert name in culprit.reason
    assert "by queue 1" in culprit.reason


def test_a_fault_elsewhere_leaves_the_accounts_exact() -> None:
    evidence = replace(_calm(), faults=[Fault("kill", ("f2",), KILL, KILL + MS, ("p2",))])
    status = {**evidence.endpoints["g1"], "tx_packets": evidence.endpoints["g1"]["tx_packets"] + HELLOS + 1}
    evidence = replace(evidence, endpoints={**evidence.endpoints, "g1": status})
    assert result(judge(evidence), "conserved", "ends").verdict == "failed"


def test_with_a_fault_a_ring_may_be_lost_and_no_more() -> None:
    evidence = replace(_calm(), faults=[Fault("disconnect", (), KILL, KILL + MS, ("p1",))])
    sent = evidence.endpoints["g1"]["tx_packets"]
    for more, verdict in ((256 + HELLOS, "passed"), (257 + HELLOS, "failed")):
        status = {**evidence.endpoints["g1"], "tx_packets": sent + more}
        changed = replace(evidence, endpoints={**evidence.endpoints, "g1": status})
        assert result(judge(changed), "conserved", "ends").verdict == verdict


def test_what_the_ends_counted_after_the_last_sample_of_a_killed_switch_is_not_missed() -> None:
    assert result(judge(expecting(reconnect())), "conserved", "ends").verdict == "passed"


def test_a_killed_switch_does_not_excuse_any_loss_of_count() -> None:
    evidence = expecting(reconnect())
    status = {**evidence.endpoints["g1"], "tx_packets": evidence.endpoints["g1"]["tx_packets"] + 2000}
    evidence = replace(evidence, endpoints={**evidence.endpoints, "g1": status})
    assert "to_switch" in only_culprit(evidence, "conserved").reason


def test_a_guest_is_held_against_what_its_kernel_counted() -> None:
    evidence = _calm()
    status = evidence.endpoints["g1"]
    kernel = {"tx_packets": status["tx_packets"], "rx_packets": status["rx_packets"]}
    agent = {**status, "tx_packets": status["tx_packets"] - 500, "interface": kernel}
    sender = {"sent": status["tx_packets"] - 500, "next": [status["tx_packets"] - 500]}
    receiver = {"received": sender["sent"], "highest": [sender["sent"] - 1]}
    evidence = with_flow(evidence, "echo", sender=sender, receiver=receiver)
    evidence = replace(evidence, endpoints={**evidence.endpoints, "g1": agent})
    assert result(judge(evidence), "conserved", "ends").verdict == "passed"


def test_a_frontend_that_counts_anew_is_left_out() -> None:
    evidence = replace(_calm(), faults=[Fault("reload", ("g1",), KILL, KILL + MS, ("p1",))])
    status = {**evidence.endpoints["g1"], "tx_packets": 5, "rx_packets": 5}
    evidence = replace(evidence, endpoints={**evidence.endpoints, "g1": status})
    assert result(judge(evidence), "conserved", "ends").verdict == "passed"


def test_no_counters_at_all_are_unknown_for_our_switch_and_no_subject_for_others() -> None:
    evidence = replace(_calm(), switches=[])
    assert result(judge(evidence), "conserved").verdict == "unknown"
    other = [
        check
        for check in judge(replace(evidence, backend="dpdk-testpmd")).checks
        if check.checker == "conserved"
    ]
    assert all(check.subject == "ends" for check in other)


def test_counters_without_totals_crash_the_checker_and_that_is_unknown() -> None:
    evidence = _edit(expecting(reconnect()), lambda counters: counters.pop("totals"))
    check = result(judge(evidence), "conserved")
    assert check.verdict == "unknown"
    assert "KeyError" in check.reason


def _one_lost(dropped: int, faults: list[Fault]) -> dict[str, int]:
    """One packet of the flow `third` never arrived; by how much each equation of the ends is off."""
    evidence = replace(expecting(reconnect()), faults=faults)
    evidence = replace(evidence, switches=evidence.switches[-1:])
    gap = {"stream": 0, "first": 5, "last": 5, "after_ns": START, "before_ns": START + 4 * MS}
    for flow in evidence.flows:
        evidence = with_flow(evidence, flow, receiver={"gaps": [gap] if flow == "third" else []})
    evidence = _edit(evidence, lambda counters: counters["totals"].update(dropped=dropped))
    return {equation.name: equation.off for _, equation in end_equations(evidence)}


def test_a_single_packet_that_nobody_dropped_is_missed_where_nothing_was_broken() -> None:
    assert _one_lost(0, faults=[])["lost"] == 1


def test_a_packet_that_the_switch_says_it_dropped_is_accounted_for() -> None:
    assert _one_lost(1, faults=[])["lost"] == 0


def test_what_a_fault_may_have_cost_is_not_held_against_the_drops() -> None:
    assert "lost" not in _one_lost(0, faults=[Fault("disconnect", (), KILL, KILL + MS, ("p2",))])
