"""Latency of a flow: percentiles of its receiver's histogram, and whether there are enough samples to speak of one."""

from __future__ import annotations

from testbed.check.compare import Comparison, show_ns
from testbed.check.evidence import FlowEvidence
from testbed.check.histogram import Histogram, HistogramError, decode, enough_for
from testbed.check.result import Finding, unknown
from testbed.check.rules import judge_value

PERCENTS = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "max": 100.0}

# Stamps from the future count as no latency at all; more of them than this pull percentiles down.
_EARLY_SHARE = 0.001


def histogram_of(flow: FlowEvidence) -> Histogram | None:
    """None: the receiver sent none. Raises HistogramError when it is damaged."""
    text = (flow.receiver or {}).get("latency")
    return decode(text) if text else None


def summary(histogram: Histogram | None) -> dict[str, float]:
    """In microseconds, as report.json has it."""
    if histogram is None or histogram.count == 0:
        return {}
    return {name: round(histogram.percentile(percent) / 1e3, 3) for name, percent in PERCENTS.items()}


def judge_latency(flow: FlowEvidence, rule: str, wanted: Comparison) -> Finding:
    """A rule such as p99: "<= 5ms"."""
    try:
        histogram = histogram_of(flow)
    except HistogramError as error:
        return unknown(rule, f"the latencies of {flow.name} cannot be read: {error}", None, str(wanted))
    if histogram is None or histogram.count == 0:
        return unknown(rule, f"no latencies of {flow.name} were recorded", None, str(wanted))
    if rule != "max" and not enough_for(PERCENTS[rule], histogram.count):
        reason = f"{histogram.count} packets of {flow.name} are too few to speak of {rule}"
        return unknown(rule, reason, None, str(wanted))
    early = (flow.receiver or {}).get("negative_latency", 0)
    if early > histogram.count * _EARLY_SHARE:
        reason = f"{early} packets of {flow.name} arrived before they were sent: its ends' clocks are apart"
        return unknown(rule, reason, None, str(wanted))
    value = histogram.percentile(PERCENTS[rule])
    if flow.clock_error_ns and wanted.holds(value - flow.clock_error_ns) != wanted.holds(
        value + flow.clock_error_ns
    ):
        known_to = show_ns(flow.clock_error_ns)
        reason = (
            f"{rule} of {flow.name} is {show_ns(value)}, but the guest's clock is known only to {known_to}"
        )
        return unknown(rule, reason, show_ns(value), str(wanted))
    reason = f"{rule} of {flow.name} is {show_ns(value)}, wanted {wanted}"
    return judge_value(rule, value, wanted, reason, show_ns(value))
