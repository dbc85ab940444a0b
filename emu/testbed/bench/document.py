"""What `testbed bench --json` prints, and all else is drawn from. Format 1: fields may be added, never renamed."""

from __future__ import annotations

import statistics
from typing import Any

from testbed.bench.model import Case, Sample
from testbed.bench.ratio import Ratio, ratio_of
from testbed.bench.subjects import SUBJECTS


def document(cases: list[Case]) -> dict[str, Any]:
    used = {name for case in cases for name in (case.subject, case.against)}
    return {
        "format": 1,
        "subjects": {name: SUBJECTS[name].about for name in sorted(used)},
        "cases": [case_document(case) for case in cases],
    }


def case_document(case: Case) -> dict[str, Any]:
    load = case.load
    entry: dict[str, Any] = {
        "load": {
            "name": load.name, "frontend": load.variant, "size": load.size, "macs": load.macs,
            "both_ways": load.both_ways,
        },
        "subject": case.subject,
        "against": case.against,
        "rejected": case.rejected,
    }  # fmt: skip
    if case.unsupported:
        return entry | {"unsupported": case.unsupported}
    ping_pongs = [
        value for pair in case.pairs for block in (pair.first, pair.second) for value in block.ping_pong
    ]
    if ping_pongs:
        entry["ping_pong"] = round(statistics.median(ping_pongs), 1)
    entry["figures"] = {
        name: figures(case.samples(name), load.size)
        for name in (case.subject, case.against)
        if case.samples(name)
    }
    entry["ratio"] = ratio_document(case)
    return entry


def figures(samples: list[Sample], size: int) -> dict[str, Any]:
    def median(name: str) -> float:
        return float(statistics.median(getattr(sample, name) for sample in samples))

    mpps, cycles, limit = median("mpps"), median("cycles"), median("limit")
    entry: dict[str, Any] = {
        "cycles_per_packet": round(cycles, 1),
        "mpps": round(mpps, 2),
        "gbps": round(mpps * size * 8 / 1000, 2),
        "generator_is_the_limit": median("generator_busy") > 0.95,
        "busy": round(median("busy"), 3),
        "generator_busy": round(median("generator_busy"), 3),
        "packets_per_burst": round(median("burst"), 1) or None,
    }
    if limit and cycles:
        entry["limit_cycles"] = round(limit, 1)
        entry["share_of_limit"] = round(limit / cycles, 3)
    return entry


def ratio_document(case: Case) -> dict[str, Any] | None:
    """Of busy cycles: what the subject needs for a packet, of what the yardstick needs."""
    values = []
    for pair in case.pairs:
        by_subject = {block.subject: block.sample for block in (pair.first, pair.second)}
        ours, theirs = by_subject[case.subject], by_subject[case.against]
        if ours and theirs:
            values.append((ours.cycles, theirs.cycles))
    ratio: Ratio | None = ratio_of(values)
    if ratio is None:
        return None
    rounded = {key: round(value, 3) if value is not None else None for key, value in
               (("value", ratio.value), ("low", ratio.low), ("high", ratio.high))}  # fmt: skip
    return rounded | {"pairs": ratio.pairs}
