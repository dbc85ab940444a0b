"""untouched: the blast radius. Flows that a fault does not touch keep their rate, their latency, and their packets.

`rate` is the receiver's, as a share of what it was before the first fault; the worse of two is judged, that during the
faults and that after the last. `p99: "<= 1.5x"` compares the latencies of the same three phases, from the histograms the
receiver reported around each fault; without them, or with too few packets in a phase, it is unknown. `lost` and the
rest are those of the whole flow.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.check.compare import Comparison, parse, show_ns
from testbed.check.evidence import Evidence, FlowEvidence
from testbed.check.histogram import HistogramError
from testbed.check.latency import PERCENTS
from testbed.check.losses import gaps_of, outages_of
from testbed.check.phases import Phases, latencies_by_phase, phases_of, rate_in
from testbed.check.result import CheckResult, Finding, unknown
from testbed.check.rules import Rules, judge_value, misfit, names

_NOT_RULES = frozenset({"flows", "because"})


@dataclass(frozen=True)
class _Rates:
    before: float | None
    during: float | None
    after: float | None


def check(evidence: Evidence, rules: Rules) -> list[CheckResult]:
    results = []
    for body in rules.bodies("untouched"):
        wanted = {rule: parse(value) for rule, value in body.items() if rule not in _NOT_RULES}
        for name in names(body.get("flows", [])):
            results.append(_check_flow(evidence, name, wanted))
    return results


def _check_flow(evidence: Evidence, name: str, wanted: dict[str, Comparison]) -> CheckResult:
    flow = evidence.flows.get(name)
    if flow is None:
        return CheckResult("untouched", name, (unknown("name", f"there is no flow {name}"),))
    if flow.receiver is None:
        reason = f"the report of {flow.sink} about {name} could not be had: {flow.missing}"
        return CheckResult("untouched", name, (unknown("report", reason),))
    phases = phases_of(evidence, flow)
    if phases is None:
        reason = f"there was no fault while {name} moved, so nothing shows that it is untouched"
        return CheckResult("untouched", name, (unknown("faults", reason),))
    rates = _Rates(*(rate_in(flow, windows) for windows in (phases.before, phases.during, phases.after)))
    findings = tuple(_judge(evidence, flow, phases, rates, rule, limit) for rule, limit in wanted.items())
    measured = {f"rate_pps_{key}": value for key, value in vars(rates).items()}
    return CheckResult("untouched", name, findings, measured)


def _judge(
    evidence: Evidence, flow: FlowEvidence, phases: Phases, rates: _Rates, rule: str, wanted: Comparison
) -> Finding:
    wrong = misfit(rule, wanted, *(("relative", "duration") if rule in PERCENTS else ("number",)))
    if wrong is not None:
        return wrong
    if rule == "rate":
        return _judge_rate(flow, rates, wanted)
    if rule in PERCENTS:
        return _judge_latency(flow, phases, rule, wanted)
    if rule == "lost":
        lost = sum(gap.count for gap in gaps_of(flow))
        return judge_value(rule, lost, wanted, f"{flow.name} lost {lost} packets, wanted {wanted}")
    if rule == "outages":
        count = len(outages_of(evidence, flow))
        return judge_value(rule, count, wanted, f"{flow.name} had {count} outages, wanted {wanted}")
    return unknown(rule, f"untouched flows have no rule '{rule}'", None, str(wanted))


def _judge_rate(flow: FlowEvidence, rates: _Rates, wanted: Comparison) -> Finding:
    if not rates.before:
        reason = f"the rate of {flow.name} before the first fault is not known: too little time to measure it"
        return unknown("rate", reason, None, str(wanted))
    seen = {"during": rates.during, "after": rates.after}
    shares = {phase: rate / rates.before for phase, rate in seen.items() if rate is not None}
    if "during" not in shares:
        reason = f"the faults were too short to measure the rate of {flow.name} during them"
        return unknown("rate", reason, None, str(wanted))
    # The worse one is that which the comparison rejects, or else the lower.
    phase, share = min(shares.items(), key=lambda item: (wanted.holds(item[1]), item[1]))
    reason = f"{flow.name} ran at {share:.3f} of its earlier rate {phase} the faults, wanted {wanted}"
    return judge_value("rate", share, wanted, reason, round(share, 4))


def _judge_latency(flow: FlowEvidence, phases: Phases, rule: str, wanted: Comparison) -> Finding:
    try:
        values, why = latencies_by_phase(flow, phases, PERCENTS[rule])
    except HistogramError as error:
        return unknown(rule, f"the latencies of {flow.name} cannot be read: {error}", None, str(wanted))
    if values is None:
        return unknown(rule, f"{rule} of {flow.name} cannot be compared: {why}", None, str(wanted))
    before, worst, phase = values.before, max(values.during, values.after or 0), "during"
    if (values.after or 0) > values.during:
        phase = "after"
    shown = f"{show_ns(before)} -> {show_ns(worst)}"
    value = worst / max(before, 1) if wanted.kind == "relative" else float(worst)
    reason = f"{rule} of {flow.name} went from {show_ns(before)} to {show_ns(worst)} {phase} the faults, wanted {wanted}"
    return judge_value(rule, value, wanted, reason, shown)
