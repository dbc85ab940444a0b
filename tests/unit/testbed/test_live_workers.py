"""What the terminal says of workers: from two samples of the counters, made up here."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.run.live_workers import told, work_of

Queue = tuple[int, int]  # worker, busy cycles


def counters(t_s: float, **ports: list[Queue]) -> dict[str, Any]:
    return {
        "t": round(t_s * 1e9),
        "cycles_per_s": 1000,
        "ports": {
            name: {"queues": [{"worker": worker, "busy_cycles": cycles} for worker, cycles in queues]}
            for name, queues in ports.items()
        },
    }


def test_a_worker_is_as_busy_as_its_queues_keep_it() -> None:
    before = counters(1, p0=[(0, 100), (1, 100)], p1=[(0, 0)])
    now = counters(3, p0=[(0, 700), (1, 100)], p1=[(0, 400)])
    first, second = work_of(before, now)
    assert (first.worker, first.busy) == (0, pytest.approx(0.5))
    assert first.shares == {"p0/0": pytest.approx(0.3), "p1/0": pytest.approx(0.2)}
    assert (second.worker, second.busy) == (1, 0)


def test_a_queue_that_moved_counts_where_it_is() -> None:
    (only,) = work_of(counters(1, p0=[(0, 100)]), counters(2, p0=[(3, 600)]))
    assert (only.worker, only.busy) == (3, pytest.approx(0.5))


def test_a_port_that_is_new_has_cost_what_it_counts() -> None:
    (only,) = work_of(counters(1), counters(2, p0=[(0, 250)]))
    assert only.busy == pytest.approx(0.25)


def test_without_time_or_workers_there_is_nothing_to_say() -> None:
    assert work_of(counters(1, p0=[(0, 1)]), counters(1, p0=[(0, 2)])) == []
    assert work_of({}, {"t": 5, "ports": {"p0": {"queues": [{"rx_packets": 1}]}}}) == []


def test_the_line_has_the_busiest_queues_first_and_counts_the_others() -> None:
    now = counters(2, p0=[(0, 100), (0, 400), (0, 0), (0, 2)])
    (work,) = work_of(counters(1), now)
    assert told(work, 2) == "p0/1 40%, p0/0 10% and 2 more"
    (idle,) = work_of(now, counters(3, p0=[(0, 100), (0, 400), (0, 0), (0, 2)]))
    assert told(idle, 2) == "4 queues, all idle"
