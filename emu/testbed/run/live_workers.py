"""What a switch's workers do between two samples of its counters: how busy each is, and with which queues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Document = Mapping[str, Any]


@dataclass
class Work:
    """`busy` and the shares of queues are parts of the time."""

    worker: int
    busy: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)  # by queue, like p0/1


def work_of(before: Document, now: Document) -> list[Work]:
    """By worker. Empty while there is nothing to compare, and for backends that do not say who polls what."""
    cycles = (now.get("t", 0) - before.get("t", 0)) / 1e9 * now.get("cycles_per_s", 0)
    if cycles <= 0:
        return []
    earlier = {name: queue.get("busy_cycles", 0) for name, queue in _queues(before)}
    found: dict[int, Work] = {}
    for name, queue in _queues(now):
        if "worker" not in queue:
            continue
        work = found.setdefault(queue["worker"], Work(queue["worker"]))
        share = max(0, queue.get("busy_cycles", 0) - earlier.get(name, 0)) / cycles
        work.shares[name] = share
        work.busy += share
    return [found[worker] for worker in sorted(found)]


def told(work: Work, most: int) -> str:
    """One line: the queues that cost most first, as many as `most`."""
    ranked = sorted(work.shares.items(), key=lambda item: -item[1])
    shown = [f"{name} {share:.0%}" for name, share in ranked[:most] if share >= 0.005]
    others = len(ranked) - len(shown)
    if not shown:
        return f"{others} queues, all idle"
    return ", ".join(shown) + (f" and {others} more" if others else "")


def _queues(counters: Document) -> Iterator[tuple[str, Document]]:
    for port, document in counters.get("ports", {}).items():
        for index, queue in enumerate(document.get("queues", [])):
            yield f"{port}/{index}", queue
