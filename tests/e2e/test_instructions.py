"""The regression gate: instructions per packet stay within 2 % of ci/instructions.json, for each datapath and ring."""

from __future__ import annotations

import pytest
from testbed.bench.instructions import (
    DATAPATHS,
    RINGS,
    Count,
    Unsupported,
    comparable,
    count,
    judge,
    read_baseline,
)
from testbed.run.binaries import Lacking


@pytest.mark.parametrize("datapath", DATAPATHS)
@pytest.mark.parametrize("ring", RINGS)
def test_a_packet_takes_no_more_and_no_fewer_instructions_than_before(datapath: str, ring: str) -> None:
    try:
        found = count(datapath, ring)
    except (Unsupported, Lacking) as why:
        pytest.skip(str(why))
    baseline = read_baseline()
    if not comparable(found, baseline):
        pytest.skip(f"the baseline was made with {baseline['made_with']}, this with {found.made_with}")
    name = f"{datapath} {ring}"
    assert judge(name, found, baseline) == ""
    # The same count held against a switch that took 3 % less, or that nobody has measured: the gate closes.
    wanted = baseline["instructions_per_packet"][name]
    leaner = {**baseline, "instructions_per_packet": {name: wanted / 1.03}}
    assert "more than" in judge(name, found, leaner)
    assert "no baseline" in judge(name, found, {**baseline, "instructions_per_packet": {}})


def test_the_count_is_the_same_every_time() -> None:
    try:
        first, second = (count("library", "split") for _ in range(2))
    except Lacking as why:
        pytest.skip(str(why))
    assert first.per_packet == pytest.approx(second.per_packet, rel=0.001)


def test_fewer_instructions_are_no_silent_success() -> None:
    baseline = {"made_with": {}, "instructions_per_packet": {"library split": 100.0}}
    assert "fewer" in judge("library split", Count(90.0, {}), baseline)
    assert judge("library split", Count(101.9, {}), baseline) == ""
