"""conserved: every packet that entered the switch was counted out again. Always on, as `unaccounted`.

For each life of each switch, from its counters at a quiet moment:

    balance     received + replicated = sent + dropped
    received    the ports' rx_packets add up to it
    sent        the ports' tx_packets add up to it
    dropped     the drops of ports and bricks add up to it
    replicated  those of ports and bricks add up to it
    queues      the queues of each port add up to the port's own numbers

The totals include ports and bricks that are gone; where any were removed, the sums may be less. A life that was cut short
left a sample from the middle of its work: packets in the hands of its workers are counted in and not yet out, and the
equations hold to within what can be in their hands. Against the counts of the ends: ends.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from testbed.check.ends import end_equations
from testbed.check.equation import Equation
from testbed.check.evidence import Document, Evidence, SwitchEvidence
from testbed.check.result import CheckResult, Finding, failed, passed, unknown
from testbed.check.rules import Rules
from testbed.check.topology import switches_of, total

# A live sample adds up counters of workers that go on counting: what one moves while the sums are made, at the rates of
# the fastest generators (20 Mpps for 100 us), bounds the error.
_LIVE_SLACK = 2048


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    if not evidence.switches:
        return _without_counters(evidence, rules)
    results = []
    for actor in sorted({life.actor for life in evidence.switches}):
        lives = [life for life in evidence.switches if life.actor == actor]
        equations = [(_place(lives, life), eq) for life in lives for eq in switch_equations(evidence, life)]
        results.append(_result(actor, equations, rules))
    ends = list(end_equations(evidence))
    return [*results, *([_result("ends", ends, rules)] if ends else [])]


def _without_counters(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    """Other backends have no counters to hold against each other: nothing to say, unless the scenario asks."""
    switches = switches_of(evidence.topology)
    if not switches or (evidence.backend != "testbed-switch" and not rules.written("conserved")):
        return []
    reason = "no counters of the switch could be had"
    return [CheckResult("conserved", name, (unknown("unaccounted", reason),)) for name in switches]


def _place(lives: list[SwitchEvidence], life: SwitchEvidence) -> str:
    return f"life {lives.index(life) + 1} of {len(lives)}" if len(lives) > 1 else ""


def switch_equations(evidence: Evidence, life: SwitchEvidence) -> Iterator[Equation]:
    counters = life.counters
    totals = counters["totals"]
    slack = 0 if life.final else _LIVE_SLACK
    received, replicated = totals["received"], totals["replicated"]
    sent, dropped = totals["sent"], totals["dropped"]
    terms = f"received {received} + replicated {replicated} = sent {sent} + dropped {dropped}"
    yield Equation("balance", received + replicated, sent + dropped, terms, slack)
    ports, bricks = counters.get("ports", {}), counters.get("bricks", {})
    sums = {
        "received": sum(port["rx_packets"] for port in ports.values()),
        "sent": sum(port["tx_packets"] for port in ports.values()),
        "dropped": sum(total(owner.get("drops")) for owner in (*ports.values(), *bricks.values())),
        "replicated": sum(owner.get("replicated", 0) for owner in (*ports.values(), *bricks.values())),
    }
    removed = _anything_removed(evidence, life)
    for name, value in sums.items():
        relation = "<=" if removed else "="
        terms = f"sum of {name} over ports and bricks {value} {relation} total {totals[name]}"
        yield Equation(name, value, totals[name], terms, slack, at_most=removed)
    for name, port in ports.items():
        yield from _queue_equations(name, port, slack)


def _queue_equations(name: str, port: Document, slack: int) -> Iterator[Equation]:
    queues = port.get("queues")
    if not queues:
        return
    for key in ("rx_packets", "tx_packets"):
        value = sum(queue.get(key, 0) for queue in queues)
        yield Equation(
            "queues", value, port[key], f"{key} of the queues of {name} {value} = {port[key]}", slack
        )


def _anything_removed(evidence: Evidence, life: SwitchEvidence) -> bool:
    return any(
        (event.name == "port.removed" and event.actor == life.actor) for event in evidence.events
    ) or any(fault.kind == "apply" for fault in evidence.faults)


def _result(subject: str, equations: list[tuple[str, Equation]], rules: Rules) -> CheckResult:
    """One finding: the equation that is furthest off decides, and every one that does not hold is told."""
    allowed = rules.allowed("unaccounted")
    broken = [(where, equation) for where, equation in equations if not allowed.holds(equation.off)]
    measured: Document = {
        "equations": len(equations),
        "unaccounted": max((equation.off for _, equation in equations), default=0),
    }
    finding: Finding
    if broken:
        told = [equation.told(where) for where, equation in broken[:4]]
        finding = failed("unaccounted", "; ".join(told), measured["unaccounted"], str(allowed))
        measured["broken"] = [equation.told(where) for where, equation in broken]
    else:
        finding = passed("unaccounted", measured["unaccounted"], str(allowed))
    return CheckResult("conserved", subject, (finding,), measured)
