"""The histograms emu/flow writes, read by others: HdrHistogram's Python package where it is installed, and our checkers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from testbed.check import histogram

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "latency_histogram.json").read_text()
)["histograms"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["about"]))
def test_the_checkers_read_what_receivers_write(case: dict[str, Any]) -> None:
    read = histogram.decode(case["encoded"])
    assert read.count == len(case["values"])
    assert {p: read.percentile(float(p)) for p in case["percentiles"]} == case["percentiles"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["about"]))
def test_the_format_s_own_package_reads_what_receivers_write(case: dict[str, Any]) -> None:
    package = pytest.importorskip("hdrh.histogram", reason="PyPI hdrhistogram is not installed")
    read = package.HdrHistogram.decode(case["encoded"])
    assert read.get_total_count() == len(case["values"])
    assert {p: read.get_value_at_percentile(float(p)) for p in case["percentiles"]} == case["percentiles"]
