"""Flows that never ran: the reports of both ends, consistent with each other, for tests of checkers and reports."""

from __future__ import annotations

import base64
import random
import struct
import zlib
from collections import Counter
from typing import Any

from testbed.check.evidence import FlowEvidence

MS = 1_000_000
SECOND = 1_000_000_000
BIN_NS = 10 * MS
# 256 sub-buckets, as the programs record (two significant digits).
_HALF_MAGNITUDE = 7

Window = tuple[int, int]


def index_of(value: int) -> int:
    bucket = max(value.bit_length(), _HALF_MAGNITUDE + 1) - _HALF_MAGNITUDE - 1
    return (bucket << _HALF_MAGNITUDE) + (value >> bucket)


def _zigzag(number: int) -> bytes:
    value = (number << 1) ^ (number >> 63)
    out = bytearray()
    while value > 0x7F and len(out) < 8:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def encode(values: list[int], *, compressed: bool = True) -> str:
    """HdrHistogram V2 in base64, from 1 ns to an hour with two digits."""
    counts = Counter(index_of(value) for value in values)
    payload, reached = b"", 0
    for index in sorted(counts):
        if index > reached:
            payload += _zigzag(reached - index)
        payload += _zigzag(counts[index])
        reached = index + 1
    plain = struct.pack(">iiiiqqd", 0x1C849313, len(payload), 0, 2, 1, 3_600 * SECOND, 1.0) + payload
    if not compressed:
        return base64.b64encode(plain).decode()
    packed = zlib.compress(plain)
    return base64.b64encode(struct.pack(">ii", 0x1C849314, len(packed)) + packed).decode()


def make_flow(
    name: str,
    source: str,
    sink: str,
    flow_id: int,
    *,
    rate_pps: int = 2000,
    start: int,
    stop: int,
    outages: list[Window] | None = None,
    latency_ns: int = 25_000,
    snapshot_at: tuple[int, ...] = (),
) -> FlowEvidence:
    """A paced flow of one stream that loses exactly what it sends while an outage lasts."""
    rng = random.Random(flow_id)
    outages = outages or []
    times = [start + k * SECOND // rate_pps for k in range((stop - start) * rate_pps // SECOND)]
    alive = [not any(a <= t <= b for a, b in outages) for t in times]
    delays = [int(latency_ns * rng.lognormvariate(0, 0.35)) for _ in times]
    sent_bins, received_bins, peaks = _bins(times, alive, delays)
    arrived = [(t, t + d, d) for t, ok, d in zip(times, alive, delays, strict=True) if ok]
    sender = {
        "flow": flow_id,
        "sent": len(times),
        "sent_bytes": len(times) * 512,
        "blocked": 0,
        "first_ns": times[0],
        "last_ns": times[-1],
        "bins": {"start_ns": start // BIN_NS * BIN_NS, "width_ns": BIN_NS, "sent": sent_bins},
        "queues": [len(times)],
        "next": [len(times)],
    }
    receiver: dict[str, Any] = {
        "flow": flow_id,
        "received": len(arrived),
        "received_bytes": len(arrived) * 512,
        "duplicated": 0,
        "reordered": 0,
        "corrupted": 0,
        "foreign": 0,
        "first_ns": arrived[0][1],
        "last_ns": arrived[-1][1],
        "highest": [max(k for k, ok in enumerate(alive) if ok)],
        "gaps": _gaps(times, alive),
        "outages": [{"start_ns": a, "end_ns": b} for a, b in outages],
        "latency": encode([d for _, _, d in arrived]),
        "latency_ns": {},
        "bins": {
            "start_ns": start // BIN_NS * BIN_NS,
            "width_ns": BIN_NS,
            "received": received_bins,
            "latency_max_ns": peaks,
        },
        "queues": [len(arrived)],
        "foreign_arrivals": [],
    }
    snapshots = tuple(
        {"t": t, "latency": encode([d for _, at, d in arrived if at <= t])} for t in snapshot_at
    )
    return FlowEvidence(name, source, sink, flow_id, float(rate_pps), sender, receiver, snapshots=snapshots)


def _bins(times: list[int], alive: list[bool], delays: list[int]) -> tuple[list[int], list[int], list[int]]:
    count = times[-1] // BIN_NS - times[0] // BIN_NS + 1
    sent, received, peaks = [0] * count, [0] * count, [0] * count
    for t, ok, delay in zip(times, alive, delays, strict=True):
        index = t // BIN_NS - times[0] // BIN_NS
        sent[index] += 1
        received[index] += ok
        peaks[index] = max(peaks[index], delay if ok else 0)
    return sent, received, peaks


def _gaps(times: list[int], alive: list[bool]) -> list[dict[str, int]]:
    gaps, k = [], 0
    while k < len(times):
        first = k
        while k < len(times) and not alive[k]:
            k += 1
        if k > first and k < len(times):
            after = times[first - 1] if first else 0
            gaps.append(
                {"stream": 0, "first": first, "last": k - 1, "after_ns": after, "before_ns": times[k]}
            )
        k += 1
    return gaps
