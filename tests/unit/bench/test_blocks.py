"""Which blocks count: the bench must see what disturbed it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from testbed.bench import blocks, machine
from testbed.bench.blocks import Plan, fill, judge
from testbed.bench.model import Block, Case, Load, Pair, Sample
from testbed.bench.subjects import NotSupported

SAMPLE = Sample(mpps=10.0, cycles=100.0, burst=32.0, busy=1.0, generator_busy=0.5)


def block(subject: str = "a", before: float = 150.0, after: float = 150.0, disturbed: str = "") -> Block:
    return Block(subject, (before, after), SAMPLE, disturbed)


def test_two_quiet_blocks_of_one_mode_count() -> None:
    assert judge(Pair(block("a"), block("b", 160.0, 140.0))) == ""


def test_a_disturbed_block_rejects_its_pair_and_says_why() -> None:
    assert judge(Pair(block("a"), block("b", disturbed="stolen"))) == "b: stolen"


def test_blocks_of_two_modes_of_the_machine_are_not_compared() -> None:
    assert "mode" in judge(Pair(block("a"), block("b", 500.0, 510.0)))


def run_fill(monkeypatch: pytest.MonkeyPatch, found: list[Block], plan: Plan) -> tuple[Case, list[str]]:
    asked: list[str] = []
    queue = list(found)

    async def next_block(subject: str, load: Load, plan: Plan) -> Block:
        asked.append(subject)
        return replace(queue.pop(0), subject=subject)

    monkeypatch.setattr(blocks, "block", next_block)
    case = Case(Load(), "a", "b")
    asyncio.run(fill(case, plan, lambda line: None))
    return case, asked


def test_pairs_are_measured_in_abba_order(monkeypatch: pytest.MonkeyPatch) -> None:
    _, asked = run_fill(monkeypatch, [block()] * 4, Plan(pairs=2))
    assert asked == ["a", "b", "b", "a"]


def test_a_rejected_pair_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    case, _ = run_fill(monkeypatch, [block(disturbed="stolen"), block(), block()], Plan(pairs=1))
    assert len(case.pairs) == 1
    assert case.rejected == ["a: stolen"]


def test_a_machine_that_is_never_quiet_gives_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    case, _ = run_fill(monkeypatch, [block(disturbed="stolen")] * 3, Plan(pairs=1, tries=3))
    assert case.pairs == []
    assert len(case.rejected) == 3


def test_disturbed_blocks_count_only_when_asked_for_and_are_still_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case, _ = run_fill(monkeypatch, [block(disturbed="stolen")] * 2, Plan(pairs=1, tolerant=True))
    assert len(case.pairs) == 1
    assert case.rejected == ["a: stolen"]


def test_what_a_subject_cannot_do_is_said_and_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(subject: str, load: Load, plan: Plan) -> Block:
        raise NotSupported("no hugepages")

    monkeypatch.setattr(blocks, "block", none)
    case = Case(Load(), "a", "b")
    asyncio.run(fill(case, Plan(), lambda line: None))
    assert case.unsupported == "no hugepages"


@pytest.mark.parametrize(
    ("stolen", "waited", "word"),
    [(0, 0, ""), (5, 0, "hypervisor"), (0, 50_000_000, "other programs")],
)
def test_time_taken_by_others_is_noticed(
    monkeypatch: pytest.MonkeyPatch, stolen: int, waited: int, word: str
) -> None:
    readings = iter([(0, 0, 0, 0), (stolen, 200, waited, 1_000_000_000)])
    monkeypatch.setattr(machine.Watch, "_sample", lambda self: next(readings))
    found = machine.Watch([]).disturbance()
    assert word in found and bool(found) == bool(word)
