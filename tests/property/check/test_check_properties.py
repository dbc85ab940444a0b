"""Properties of the checkers that no list of examples covers."""

from __future__ import annotations

import base64
import contextlib
import copy
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from made_flow import MS, encode, make_flow
from made_run import KILL, START, STOP, expecting, reconnect, with_flow
from testbed.check import judge
from testbed.check.anatomy import dissect
from testbed.check.evidence import Event, Evidence, Fault
from testbed.check.histogram import HistogramError, decode
from testbed.check.losses import Gap, Outage, outages_of
from testbed.check.result import Verdict, worst

VERDICTS: list[Verdict] = ["passed", "unknown", "failed"]


@given(st.lists(st.sampled_from(VERDICTS), min_size=1), st.sampled_from(VERDICTS))
def test_another_verdict_never_makes_it_better(verdicts: list[Verdict], more: Verdict) -> None:
    order = VERDICTS.index
    assert order(worst([*verdicts, more])) >= order(worst(verdicts))


@given(
    st.integers(1, 400),
    st.integers(0, 10_000),
    st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, 3000)), max_size=6),
)
def test_counting_losses_by_arithmetic_is_counting_them_one_by_one(
    count: int, length: int, spans: list[tuple[int, int]]
) -> None:
    gap = Gap(0, 0, count - 1, 1000, 1000 + length, count)
    outages = [Outage(start, start + width) for start, width in spans]
    times = [gap.after + length * (k + 1) / (count + 1) for k in range(count)]
    slow = sum(1 for t in times if not any(o.start <= t <= o.end for o in outages))
    # A packet sent exactly at an edge may fall either way by rounding.
    edges = sum(1 for t in times for o in outages if min(abs(t - o.start), abs(t - o.end)) < 1e-6)
    assert abs(gap.outside(outages) - slow) <= edges
    assert 0 <= gap.outside(outages) <= count


@given(
    st.lists(st.integers(1, 3_600_000_000_000), min_size=1, max_size=300),
    st.lists(st.integers(1, 10**9), max_size=50),
)
def test_histograms_come_back_as_they_were_recorded(values: list[int], more: list[int]) -> None:
    histogram = decode(encode(values))
    assert histogram.count == len(values)
    assert decode(encode(values + more)).minus(histogram) == decode(encode(more))
    highest = max(values)
    assert highest <= histogram.percentile(100) <= highest * 1.01 + 1
    percentiles = [histogram.percentile(percent) for percent in (1, 25, 50, 75, 99, 100)]
    assert percentiles == sorted(percentiles)


@given(st.binary(max_size=200))
def test_no_bytes_make_the_decoder_do_anything_but_refuse(data: bytes) -> None:
    with contextlib.suppress(HistogramError):
        decode(base64.b64encode(data).decode())


NAMES = [
    "process.spawned",
    "process.started",
    "eal.up",
    "pool.up",
    "agent.ready",
    "session.connected",
    "session.up",
]


@given(
    st.lists(
        st.tuples(
            st.integers(KILL - 50 * MS, KILL + 200 * MS),
            st.sampled_from(["switch", "f0", "g1", "stranger"]),
            st.sampled_from(NAMES),
            st.sampled_from(["p0", "p1", "p9"]),
        ),
        max_size=40,
    )
)
def test_whatever_happened_the_parts_of_an_outage_add_up_to_it(
    happened: list[tuple[int, str, str, str]],
) -> None:
    events = [Event(t, actor, name, {"port": port}) for t, actor, name, port in happened]
    evidence = replace(reconnect(), events=events)
    flow = evidence.flows["probe"]
    outage = outages_of(evidence, flow)[0]
    parts = dissect(evidence, flow, outage)
    assert sum(length for _, length in parts) == outage.end - outage.start
    assert all(length >= 0 for _, length in parts)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 300)), max_size=4),
    st.integers(200, 3000),
)
def test_a_flow_whose_reports_agree_accounts_for_every_packet(
    spans: list[tuple[int, int]], rate: int
) -> None:
    outages = []
    reached = START + 20 * MS
    for offset, width in spans:
        start = reached + offset * MS // 10
        end = start + width * MS
        if end > STOP - 100 * MS:
            break
        outages.append((start, end))
        reached = end + 20 * MS
    flow = make_flow("probe", "f0", "g1", 1, rate_pps=rate, start=START, stop=STOP, outages=outages)
    faults = [Fault("kill", ("switch",), start, end) for start, end in outages]
    evidence = replace(
        expecting(reconnect()), flows={"probe": flow}, switches=[], faults=faults, backend="other"
    )
    measured = next(check for check in judge(evidence).checks if check.checker == "flow").measured
    assert measured["sent"] == measured["received"] + measured["lost"]
    assert measured["lost_outside_outages"] <= len(outages)  # at most the packet at the very edge of each


def _paths(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(document, dict):
        return [found for key, value in document.items() for found in _paths(value, (*path, key))]
    return [path]


def _without(document: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    document = copy.deepcopy(document)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return document


RECEIVER = reconnect().flows["probe"].receiver or {}
COUNTERS = reconnect().switches[1].counters


@settings(deadline=None)
@given(st.sampled_from(sorted(RECEIVER)), st.sampled_from([None, "", [], {}, "soon", -1, 1e300]))
def test_a_report_with_any_field_missing_or_senseless_never_stops_the_judge(key: str, value: Any) -> None:
    evidence = with_flow(expecting(reconnect()), "probe", receiver={key: value})
    assert judge(evidence).verdict in ("passed", "unknown", "failed")


@given(st.sampled_from(_paths(COUNTERS)))
def test_counters_with_anything_missing_never_stop_the_judge(path: tuple[Any, ...]) -> None:
    first, last = reconnect().switches
    evidence: Evidence = replace(
        expecting(reconnect()), switches=[first, replace(last, counters=_without(COUNTERS, path))]
    )
    assert judge(evidence).verdict in ("passed", "unknown", "failed")


@given(st.integers(1, 10_000))
def test_any_number_of_duplicates_fails(count: int) -> None:
    assert (
        judge(with_flow(expecting(reconnect()), "probe", receiver={"duplicated": count})).verdict == "failed"
    )
