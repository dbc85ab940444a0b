"""The same made-up run with a driver guest beside the others, looked at twice and found clean."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from made_run import KILL, STOP, T0, expecting, reconnect
from testbed.check.evidence import Event, Evidence, PagesLook

DRIVER = "d3"
CLEAN: dict[str, Any] = {
    "changed": 900,
    "returned": 850,
    "posted": 0,
    "rings": 50,
    "stray": [],
    "stray_ranges": 0,
}
_FAULTS = {
    "unknown_id": 0,
    "overrun": 0,
    "long_length": 0,
    "short_chain": 0,
    "bad_buffers": 0,
    "too_long": 0,
    "gso": 0,
}
RINGS: tuple[dict[str, Any], ...] = (
    {"vring": 0, "kind": "rx", "faults": _FAULTS},
    {"vring": 1, "kind": "tx", "faults": {}},
)


def look(since: int, t: int, why: str, **changes: Any) -> PagesLook:
    made = PagesLook(DRIVER, 1, since, t, why, quiet=why == "end", diff=CLEAN, rings=RINGS)
    return replace(made, **changes)


BEFORE = look(T0 - 500, KILL - 500, "before chain d3")
END = look(KILL - 500, STOP + 500, "end")


def with_guest(*looks: PagesLook, spec: dict[str, Any] | None = None) -> Evidence:
    evidence = expecting(reconnect())
    frontends = {
        **evidence.topology["frontends"],
        DRIVER: {"type": "driver", "port": "p3", "mergeable": True, **(spec or {})},
    }
    spawned = Event(T0 - 900, DRIVER, "process.spawned", {"pid": 9})
    return replace(
        evidence,
        topology={**evidence.topology, "frontends": frontends},
        events=[*evidence.events, spawned],
        pages=list(looks or (BEFORE, END)),
    )


def ring_with(fault: str, count: int = 1) -> tuple[dict[str, Any], ...]:
    return ({**RINGS[0], "faults": {**_FAULTS, fault: count}}, RINGS[1])


def stray(gpa: int, before: str, now: str) -> dict[str, Any]:
    one = {"gpa": gpa, "length": len(now) // 2, "page": gpa // 4096, "before": before, "now": now}
    chain = {"vring": 0, "token": 3, "posted": [{"addr": 0x1000, "len": 1, "flags": 2}]}
    return {**CLEAN, "stray": [one], "stray_ranges": 1, "last": [chain]}
