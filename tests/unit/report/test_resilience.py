"""The table of scenarios by backends."""

from __future__ import annotations

from testbed.report.model import Cell, Environment, Outage, RunReport, Skipped
from testbed.report.resilience import render, table_of

MACHINE = Environment.model_construct()


def cell(verdict: str = "passed", datapath: str = "", reason: str = "", silence_ms: float = 0.0) -> Cell:
    outages = [Outage(flow="f", start_ms=0, duration_ms=silence_ms)] if silence_ms else []
    return Cell.model_construct(
        matrix={}, verdict=verdict, datapath=datapath, reason=reason, duration_s=1.0, directory="", checks=[],
        outages=outages, faults=[],
    )  # fmt: skip


def report(
    *cells: Cell, backend: str = "testbed-switch", started: str = "2026-01-01", skipped: str = ""
) -> RunReport:
    return RunReport.model_construct(
        scenario="crash", verdict="passed", seed=1, backend=backend, started=started, environment=MACHINE,
        cells=list(cells), skipped=[Skipped(matrix={}, reason=skipped)] if skipped else [],
    )  # fmt: skip


def drawn(*reports: RunReport) -> str:
    return render(table_of(reports))


def test_our_switch_has_a_column_for_each_datapath() -> None:
    text = drawn(report(cell(datapath="library", silence_ms=104.4), cell("failed", "ring", "flow f: lost 3")))
    assert "| scenario | testbed-switch, library | testbed-switch, ring |" in text
    assert "| crash | **holds**, 104 ms | **fails** |" in text
    assert "- crash, testbed-switch, ring: flow f: lost 3" in text


def test_one_bad_cell_is_enough_and_is_counted() -> None:
    text = drawn(report(cell(), cell("failed", reason="why"), backend="ovs-dpdk"))
    assert "| crash | **fails** in 1 of 2 cells |" in text


def test_what_is_not_known_does_not_hold() -> None:
    assert "| crash | unknown |" in drawn(report(cell("unknown", reason="it crashed"), backend="ovs-dpdk"))


def test_what_a_backend_cannot_do_is_said_with_the_reason() -> None:
    text = drawn(report(backend="dpdk-testpmd", skipped="dpdk-testpmd has no control socket"))
    assert "| crash | *not supported* |" in text
    assert "- crash, dpdk-testpmd: dpdk-testpmd has no control socket" in text


def test_the_last_run_counts() -> None:
    old = report(cell("failed", reason="once"), backend="ovs-dpdk", started="2026-01-01")
    new = report(cell(), backend="ovs-dpdk", started="2026-02-01")
    assert "**fails**" not in drawn(new, old).split("| crash |")[1]
