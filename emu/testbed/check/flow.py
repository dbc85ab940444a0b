"""flow: what became of every packet of a flow, one result for each flow.

Always on: corrupted, duplicated and misdelivered are 0, and packets arrived at all. A `flow` expectation adds rules or
replaces these. The counts are the receiver's; lost packets are its gaps and what the sender sent after the last arrival.
"""

from __future__ import annotations

from collections.abc import Callable

from testbed.check.anatomy import fault_of
from testbed.check.compare import Comparison, Kind, show_ns
from testbed.check.evidence import Document, Evidence, FlowEvidence
from testbed.check.histogram import HistogramError
from testbed.check.latency import PERCENTS, histogram_of, judge_latency, summary
from testbed.check.losses import Outage, gaps_of, outages_of
from testbed.check.misdelivery import misdelivered
from testbed.check.result import CheckResult, Finding, passed, unknown
from testbed.check.rules import ALWAYS_PER_FLOW, Rules, judge_value, limit, misfit, names
from testbed.check.topology import drops_at

_NOT_RULES = frozenset({"name", "names", "because"})
_OUTSIDE = "outside outages"


class _Flow:
    """A flow with everything the rules ask for, computed once."""

    def __init__(self, evidence: Evidence, flow: FlowEvidence) -> None:
        self.flow = flow
        self.name = flow.name
        self.sender: Document = flow.sender or {}
        self.receiver: Document = flow.receiver or {}
        self.outages: list[Outage] = outages_of(evidence, flow)
        # A silence that no fault made excuses nothing: whoever stalls for 30 ms has lost what was sent meanwhile.
        provoked = [outage for outage in self.outages if fault_of(evidence, flow, outage)]
        self.unprovoked = len(self.outages) - len(provoked)
        gaps = gaps_of(flow)
        self.lost = sum(gap.count for gap in gaps)
        self.lost_outside = sum(gap.outside(provoked) for gap in gaps)
        self.misdelivered = misdelivered(evidence, flow)
        self.dropped = drops_at(evidence, flow.sink)

    def measured(self) -> Document:
        document: Document = {
            "sent": self.sender.get("sent"),
            "received": self.receiver.get("received"),
            "lost": self.lost,
            "lost_outside_outages": self.lost_outside,
            "duplicated": self.receiver.get("duplicated"),
            "reordered": self.receiver.get("reordered"),
            "corrupted": self.receiver.get("corrupted"),
            "misdelivered": len(self.misdelivered),
            "blocked": self.sender.get("blocked"),
            "outages_ms": [round((outage.end - outage.start) / 1e6, 3) for outage in self.outages],
            "latency_us": self._latency(),
        }
        if self.dropped:
            document["dropped_at_its_port"] = self.dropped
        if self.flow.receiver_incarnations > 1:
            document["covers"] = "what came after the receiver's last start"
        return document

    def _latency(self) -> Document:
        try:
            return dict(summary(histogram_of(self.flow)))
        except HistogramError as error:
            return {"error": str(error)}


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    results = [_check_flow(evidence, flow, rules) for flow in evidence.flows.values()]
    for body in rules.bodies("flow"):
        for name in _subjects(evidence, body):
            if name not in evidence.flows:
                reason = f"there is no flow {name} to hold it against"
                results.append(CheckResult("flow", name, (unknown("name", reason),)))
    return results


def _subjects(evidence: Evidence, body: Document) -> list[str]:
    """Without a name an expectation is about all flows."""
    return names(body["name"]) if "name" in body else list(evidence.flows)


def _wanted(evidence: Evidence, flow: FlowEvidence, rules: Rules) -> dict[str, Comparison]:
    wanted = {rule: rules.allowed(rule, flow.name) for rule in ALWAYS_PER_FLOW}
    for body in rules.bodies("flow"):
        if flow.name in _subjects(evidence, body):
            wanted |= {rule: limit(value) for rule, value in body.items() if rule not in _NOT_RULES}
    return wanted


def _check_flow(evidence: Evidence, flow: FlowEvidence, rules: Rules) -> CheckResult:
    if flow.receiver is None:
        reason = f"the report of {flow.sink} about {flow.name} could not be had: {flow.missing or 'no reason given'}"
        return CheckResult("flow", flow.name, (unknown("report", reason),))
    seen = _Flow(evidence, flow)
    wanted = _wanted(evidence, flow, rules)
    findings = [
        _moved(seen),
        *_adds_up(seen),
        *(_judge(seen, rule, comparison) for rule, comparison in wanted.items()),
    ]
    return CheckResult("flow", flow.name, tuple(findings), seen.measured())


def _moved(seen: _Flow) -> Finding:
    received = int(seen.receiver.get("received") or 0)
    if received > 0:
        return passed("moved", received, "> 0")
    sent = seen.sender.get("sent")
    reason = f"no packet of {seen.name} ever arrived ({'unknown' if sent is None else sent} sent): nothing was tested"
    return unknown("moved", reason, 0, "> 0")


def _adds_up(seen: _Flow) -> list[Finding]:
    """Both reports of a flow that ran through tell of the same packets; if not, neither can be believed."""
    sent, received = seen.sender.get("sent"), seen.receiver.get("received")
    anew = seen.flow.sender_incarnations > 1 or seen.flow.receiver_incarnations > 1
    if anew or not isinstance(sent, int) or not isinstance(received, int) or sent == received + seen.lost:
        return []
    told = f"{sent} sent, but {received} received and {seen.lost} lost"
    reason = f"the reports about {seen.name} contradict each other: {told}"
    return [unknown("adds_up", reason, received + seen.lost, str(sent))]


def _judge(seen: _Flow, rule: str, wanted: Comparison) -> Finding:
    wrong = misfit(rule, wanted, *_KINDS.get(rule, ("number",)))
    if rule not in FLOW_RULES:
        return unknown(rule, f"flows have no rule '{rule}'", None, str(wanted))
    if wrong is not None or (wanted.words and rule != "lost"):
        return wrong or unknown(rule, f"'{wanted.words}' can be said of lost packets only", None, str(wanted))
    if rule in PERCENTS:
        return judge_latency(seen.flow, rule, wanted)
    return _RULES[rule](seen, rule, wanted)


def _count(seen: _Flow, rule: str, wanted: Comparison) -> Finding:
    """A number that one of the two reports holds."""
    value = seen.receiver.get(rule, seen.sender.get(rule))
    if value is None:
        reason = f"neither end of {seen.name} says how many were {rule} ({seen.flow.missing or 'not in its report'})"
        return unknown(rule, reason, None, str(wanted))
    reason = f"{value} packets of {seen.name} were {rule}, wanted {wanted}"
    unclear = _unclear(seen, rule)
    if wanted.holds(value) and not wanted.holds(value + unclear):
        reason = f"{value} packets of {seen.name} were {rule}, {unclear} more may have been: its receiver ran out of room"
        return unknown(rule, reason, value, str(wanted))
    return judge_value(rule, value, wanted, reason)


def _unclear(seen: _Flow, rule: str) -> int:
    """Packets the receiver could not place: late or duplicate, or of an incarnation too many."""
    if rule not in ("duplicated", "reordered"):
        return 0
    return int(seen.receiver.get("unclear", 0)) + int(seen.receiver.get("strangers", 0))


def _misdelivered(seen: _Flow, rule: str, wanted: Comparison) -> Finding:
    arrivals = seen.misdelivered
    where = ", ".join(f"{a.end} got {a.seq} of stream {a.stream}" for a in arrivals[:3])
    reason = (
        f"{len(arrivals)} packets of {seen.name} came to another end and not to {seen.flow.sink} ({where})"
    )
    return judge_value(rule, len(arrivals), wanted, reason)


def _lost(seen: _Flow, rule: str, wanted: Comparison) -> Finding:
    outside = wanted.words == _OUTSIDE
    lost = seen.lost_outside if outside else seen.lost
    sent = int(seen.sender.get("sent") or 0)
    value = 100.0 * lost / sent if wanted.kind == "percent" and sent else float(lost)
    what = f"{lost} of {sent} packets of {seen.name} were lost" + (f" {_OUTSIDE}" if outside else "")
    if wanted.words not in ("", _OUTSIDE):
        return unknown(
            rule, f"'{wanted.words}' is nothing that losses can be held against", lost, str(wanted)
        )
    if wanted.holds(value) and seen.flow.sender is None:
        return unknown(
            rule, f"{seen.flow.source} could not say what it sent: {seen.flow.missing}", lost, str(wanted)
        )
    if wanted.holds(value) and seen.flow.receiver_incarnations > 1:
        reason = (
            f"{seen.flow.sink} was started anew, and what its earlier life received of {seen.name} is gone"
        )
        return unknown(rule, reason, lost, str(wanted))
    drops = ", ".join(f"{count} {reason}" for reason, count in seen.dropped.items())
    where = f" (dropped on the way out to {seen.flow.sink}, of all flows: {drops})" if drops else ""
    return judge_value(rule, value, wanted, f"{what}, wanted {wanted}{where}", lost)


def _outage(seen: _Flow, rule: str, wanted: Comparison) -> Finding:
    """The longest one; none at all is an outage of 0."""
    longest = max(seen.outages, key=lambda outage: outage.end - outage.start, default=Outage(0, 0))
    length = longest.end - longest.start
    still = ", and it had not ended when the sending did" if longest.open else ""
    reason = f"the longest outage of {seen.name} took {show_ns(length)}{still}, wanted {wanted}"
    finding = judge_value(rule, length, wanted, reason, show_ns(length))
    if longest.open and finding.verdict == "passed":
        return unknown(
            rule, f"an outage of {seen.name} had not ended when the sending did", show_ns(length), str(wanted)
        )
    return finding


def _outages(seen: _Flow, rule: str, wanted: Comparison) -> Finding:
    count = len(seen.outages)
    lengths = ", ".join(show_ns(outage.end - outage.start) for outage in seen.outages[:8])
    alone = f", {seen.unprovoked} of them while nothing was broken" if seen.unprovoked else ""
    reason = (
        f"{seen.name} had {count} outages{alone}, wanted {wanted} ({lengths}{', ...' if count > 8 else ''})"
    )
    return judge_value(rule, count, wanted, reason)


_RULES: dict[str, Callable[[_Flow, str, Comparison], Finding]] = {
    "corrupted": _count,
    "duplicated": _count,
    "reordered": _count,
    "blocked": _count,
    "sent": _count,
    "received": _count,
    "misdelivered": _misdelivered,
    "lost": _lost,
    "outage": _outage,
    "outages": _outages,
}

_KINDS: dict[str, tuple[Kind, ...]] = {
    "lost": ("number", "percent"),
    "outage": ("duration",),
    **dict.fromkeys(PERCENTS, ("duration",)),
}

# What a `flow` expectation may say, for the schema of scenario files.
FLOW_RULES = frozenset(_RULES) | frozenset(PERCENTS)
