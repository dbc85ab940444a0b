"""From measured blocks to the document, and from that to the table, the page and docs/performance.md."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from testbed.bench import markdown
from testbed.bench.document import document
from testbed.bench.latency import latency
from testbed.bench.machine import Limits
from testbed.bench.model import PERCENT, Block, Case, Latency, LatencyCase, Load, Pair, Sample
from testbed.bench.page import write_page
from testbed.bench.subjects.ovs import STATISTICS
from testbed.bench.subjects.testpmd import CYCLES
from testbed.bench.table import show

OURS, THEIRS = "switch-library", "testpmd-io"
SAMPLE = Sample(mpps=10.0, cycles=80.0, burst=16.0, busy=0.9, generator_busy=0.5)
LIMITS = Limits(
    ping_pong=160.0,
    tsc_hz=2.6e9,
    frames={
        64: {"local": 4.0, "fetch": 20.0, "claim": 24.0},
        1518: {"local": 80.0, "fetch": 200.0, "claim": 300.0},
    },
)
ENVIRONMENT = {"cpu": "a CPU", "cores": 2, "kernel": "6.1", "dpdk": "22.11.11", "git": ""}


def measured(ours: float = 80.0, theirs: float = 160.0, generator_busy: float = 0.5) -> Case:
    def block(subject: str, cycles: float) -> Block:
        return Block(subject, (150.0, 152.0), replace(SAMPLE, cycles=cycles, generator_busy=generator_busy))

    pairs = [Pair(block(OURS, ours), block(THEIRS, theirs)), Pair(block(THEIRS, theirs), block(OURS, ours))]
    return Case(Load(), OURS, THEIRS, pairs=pairs)


def latency_case(carried: bool = True) -> LatencyCase:
    quick, slow = Latency(1e6, 1.0, 2.0, 3.0, carried), Latency(1e6, 1.0, 4.0, 9.0, True)
    pair = {OURS: dict.fromkeys(PERCENT, quick), THEIRS: dict.fromkeys(PERCENT, slow)}
    return LatencyCase(Load(), OURS, THEIRS, full_pps=6e6, pairs=[pair, pair])


def drawn(*cases: Case | LatencyCase, tolerant: bool = False) -> str:
    out = StringIO()
    show(document(list(cases), LIMITS, ENVIRONMENT, tolerant), Console(file=out, width=160))
    return out.getvalue()


def test_the_ratio_is_of_busy_cycles_whichever_of_the_two_was_first() -> None:
    case = document([measured()], LIMITS, ENVIRONMENT)["cases"][0]
    assert case["ratio"] == {"value": 0.5, "low": 0.5, "high": 0.5, "pairs": 2}


def test_the_share_of_the_limit_follows_from_the_three_measurements() -> None:
    # 0.8125 ring lines of 16, a header's claim of 20, 2 * 160 / 32 for indices, 4 for the copy.
    figures = document([measured()], LIMITS, ENVIRONMENT)["cases"][0]["figures"][OURS]
    assert figures["limit_cycles"] == pytest.approx(13 + 20 + 10 + 4)
    assert figures["share_of_limit"] == pytest.approx(47 / 80, abs=0.001)


def test_frames_that_guests_touch_have_a_higher_floor() -> None:
    untouched = LIMITS.cycles_per_packet(Load(size=1518))
    touched = LIMITS.cycles_per_packet(Load(size=1518, touched=True))
    assert untouched == pytest.approx(13 + 20 + 10 + 80)
    assert touched == pytest.approx(13 + 20 + 10 + 16 + 200 + 300 - 80)


def test_a_rate_that_the_generator_limits_is_marked() -> None:
    assert ">10.00" in drawn(measured(generator_busy=0.97))
    assert ">10.00" not in drawn(measured(generator_busy=0.9))


def test_the_table_says_what_has_no_figures_and_why() -> None:
    lacking = Case(Load(), "ovs-flow", THEIRS, unsupported="no hugepages")
    never_quiet = Case(Load("packed"), OURS, THEIRS, rejected=[f"{OURS}: stolen"] * 3)
    text = drawn(lacking, never_quiet)
    assert "not supported: ovs-flow: no hugepages" in text
    assert "disturbed" in text and f"rejected: {OURS}: stolen" in text


def test_disturbed_blocks_that_count_are_told_as_such() -> None:
    case = measured()
    case.rejected.append("somebody was at work")
    assert "disturbed, and counted: somebody was at work" in drawn(case, tolerant=True)


def test_latencies_stand_by_load_and_those_of_an_overload_in_parentheses() -> None:
    assert "1 / 2 / 3" in drawn(latency_case()) and "(1 / 2 / 3)" not in drawn(latency_case())
    assert "(1 / 2 / 3)" in drawn(latency_case(carried=False))
    entry = document([latency_case()], LIMITS, ENVIRONMENT)["latency"][0]
    assert entry["ratio_p99"]["50"]["value"] == 0.5


@pytest.mark.parametrize(("received", "carried"), [(1000, True), (990, False)])
def test_a_load_of_which_part_is_lost_or_never_sent_is_not_carried(received: int, carried: bool) -> None:
    percentiles = {"p50": 1000, "p99": 2000, "p999": 3000}
    report = {
        "sender": {"sent": received, "blocked": 1000 - received, "skipped": 0},
        "receiver": {"received": received, "latency_ns": percentiles},
    }
    assert latency(report, 1e6).carried is carried


def test_the_page_holds_a_bar_for_every_figure_and_escapes_what_it_shows(tmp_path: Path) -> None:
    case = measured()
    case.rejected.append("<script>")
    text = write_page(document([case, latency_case()], LIMITS, ENVIRONMENT), tmp_path).read_text()
    assert text.count('<div class="bar">') == 2
    assert "&lt;script&gt;" in text and "<script>" not in text


def test_what_testpmd_and_ovs_print_is_understood() -> None:
    line = "  CPU cycles/packet=160.25 (total cycles=321 / total RX packets=2) at 2600 MHz Clock"
    assert (found := CYCLES.search(line)) and found.groups() == ("321", "2")
    shown = (
        "pmd thread numa_id 0 core_id 0:\n  packets received: 7\n  idle cycles: 9 (50.00%)\n"
        "  processing cycles: 11 (50.00%)\nmain thread:\n  packets received: 3\n"
    )
    assert (found := STATISTICS.search(shown)) and found.groups() == ("7", "11")


def test_the_measured_part_of_a_page_is_replaced_and_nothing_else() -> None:
    result = document([measured()], LIMITS, ENVIRONMENT)
    page = f"before\n{markdown.BEGIN}old\n{markdown.END}after\n"
    once = markdown.with_measured(page, result)
    assert once.startswith("before\n") and once.endswith("after\n") and "old" not in once
    assert markdown.with_measured(once, result) == once
    with pytest.raises(ValueError, match="measured: begin"):
        markdown.with_measured("no place", result)


def test_docs_performance_is_what_its_document_says() -> None:
    if not markdown.DOCUMENT.is_file():
        pytest.skip("docs/performance.json is not there: nothing was measured yet")
    result: dict[str, Any] = json.loads(markdown.DOCUMENT.read_text())
    page = markdown.PAGE.read_text()
    assert markdown.with_measured(page, result) == page
