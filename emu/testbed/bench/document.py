"""What `testbed bench --json` prints, and all else is drawn from. Format 1: fields may be added, never renamed."""

from __future__ import annotations

import statistics
from typing import Any

from testbed.bench.machine import Limits
from testbed.bench.model import GENERATOR_SATURATED, PERCENT, Case, LatencyCase, Sample
from testbed.bench.ratio import ratio_of
from testbed.bench.subjects import SUBJECTS

AnyCase = Case | LatencyCase


def document(
    cases: list[AnyCase], limits: Limits | None, environment: dict[str, Any], tolerant: bool = False
) -> dict[str, Any]:
    used = {name for case in cases for name in (case.subject, case.against)}
    result: dict[str, Any] = {
        "format": 1,
        "environment": environment,
        "tolerant": tolerant,  # blocks of a disturbed machine count too
        "subjects": {name: SUBJECTS[name].about for name in sorted(used)},
        "cases": [case_document(case, limits) for case in cases if isinstance(case, Case)],
        "latency": [latency_document(case) for case in cases if isinstance(case, LatencyCase)],
    }
    if limits:
        result["limits"] = {
            "ping_pong_cycles": round(limits.ping_pong, 1),
            "tsc_ghz": round(limits.tsc_hz / 1e9, 3),
            "frames_cycles": {
                str(size): {key: round(value, 1) for key, value in costs.items()}
                for size, costs in sorted(limits.frames.items())
            },
        }
    return result


def _head(case: AnyCase) -> dict[str, Any]:
    load = case.load
    head: dict[str, Any] = {
        "load": {
            "name": load.name, "frontend": load.variant, "size": load.size, "macs": load.macs,
            "both_ways": load.both_ways, "touched": load.touched,
            "queue_size": load.queue_size, "small_pages": load.small_pages,
        },
        "subject": case.subject,
        "against": case.against,
        "rejected": case.rejected,
    }  # fmt: skip
    return head | ({"unsupported": case.unsupported} if case.unsupported else {})


def case_document(case: Case, limits: Limits | None) -> dict[str, Any]:
    entry = _head(case)
    if case.unsupported:
        return entry
    blocks = [block for pair in case.pairs for block in (pair.first, pair.second)]
    if blocks:
        entry["ping_pong"] = round(statistics.median(way for block in blocks for way in block.ping_pong), 1)
    limit = limits.cycles_per_packet(case.load) if limits else 0.0
    entry["figures"] = {
        name: figures(samples, case.load.size, limit)
        for name in (case.subject, case.against)
        if (samples := case.samples(name))
    }
    entry["ratio"] = ratio_document(_cycles_by_pair(case))
    return entry


def figures(samples: list[Sample], size: int, limit: float) -> dict[str, Any]:
    def median(name: str) -> float:
        return float(statistics.median(getattr(sample, name) for sample in samples))

    mpps, cycles = median("mpps"), median("cycles")
    entry: dict[str, Any] = {
        "cycles_per_packet": round(cycles, 1),
        "mpps": round(mpps, 2),
        "gbps": round(mpps * size * 8 / 1000, 2),
        "generator_is_the_limit": median("generator_busy") > GENERATOR_SATURATED,
        "busy": round(median("busy"), 3),
        "generator_busy": round(median("generator_busy"), 3),
        "packets_per_burst": round(median("burst"), 1) or None,
    }
    if limit and cycles:
        entry |= {"limit_cycles": round(limit, 1), "share_of_limit": round(limit / cycles, 3)}
    return entry


def _cycles_by_pair(case: Case) -> list[tuple[float, float]]:
    found = []
    for pair in case.pairs:
        samples = {block.subject: block.sample for block in (pair.first, pair.second)}
        ours, theirs = samples[case.subject], samples[case.against]
        if ours and theirs:
            found.append((ours.cycles, theirs.cycles))
    return found


def ratio_document(pairs: list[tuple[float, float]]) -> dict[str, Any] | None:
    """What the subject needs, of what the yardstick needs."""
    ratio = ratio_of(pairs)
    if ratio is None:
        return None
    values = {"value": ratio.value, "low": ratio.low, "high": ratio.high}
    rounded = {key: None if value is None else round(value, 3) for key, value in values.items()}
    return rounded | {"pairs": ratio.pairs}


def latency_document(case: LatencyCase) -> dict[str, Any]:
    entry = _head(case)
    if case.unsupported or not case.pairs:
        return entry
    names = ("p50_us", "p99_us", "p999_us")
    entry["full_mpps"] = round(case.full_pps / 1e6, 2)
    entry["figures"] = {
        subject: {
            str(percent): {name: round(case.median(subject, percent, name), 2) for name in names}
            | {"carried": case.carried(subject, percent)}
            for percent in PERCENT
        }
        for subject in (case.subject, case.against)
    }
    entry["ratio_p99"] = {
        str(percent): ratio_document(
            [(pair[case.subject][percent].p99_us, pair[case.against][percent].p99_us) for pair in case.pairs]
        )
        for percent in PERCENT
    }
    return entry
