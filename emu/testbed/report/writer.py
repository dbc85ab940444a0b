"""The files of a run, written as it goes: what a cell left is on disk before the next one starts.

    writer = RunWriter(run_dir, scenario="reconnect", about="...", seed=1, backend="testbed-switch",
                       command=["./testbed", "run", "scenarios/reconnect.yaml", "--seed", "1"])
    writer.add(evidence, judge(evidence), directory="role=client,ring=split")
    writer.skip({"role": "server"}, "needs hugepages: echo 256 | sudo tee /proc/sys/vm/nr_hugepages")
    report = writer.finish()          # or finish(interrupted="Ctrl-C"), after which the verdict is unknown at best

Every call may raise ReportError (a full disk, a directory that cannot be written).
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.check.evidence import Evidence
from testbed.check.result import CellResult
from testbed.report.build import build_cell, run_verdict
from testbed.report.environment import StealMeter, probe_environment
from testbed.report.html import REPORT, render_html
from testbed.report.junit import cell_name, junit_xml
from testbed.report.model import Cell, Environment, RunReport, Skipped
from testbed.report.store import (
    EVIDENCE,
    HISTORY,
    ReportError,
    dump_evidence,
    history_lines,
    write_text,
)

JUNIT = "junit.xml"


class RunWriter:
    """Owned by the one task that runs the cells. Times are taken here, so construct it when the run begins."""

    def __init__(
        self,
        run_dir: Path,
        *,
        scenario: str,
        about: str,
        seed: int,
        backend: str,
        command: Sequence[str],
        environment: Environment | None = None,
    ) -> None:
        self.run_dir = run_dir
        self._steal = StealMeter()
        self._began = time.monotonic()
        self._report = RunReport(
            scenario=scenario,
            about=about,
            verdict="unknown",
            reason="the run has not ended",
            seed=seed,
            backend=backend,
            command=shlex.join(command),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            environment=environment or probe_environment(),
            cells=[],
        )
        write_text(run_dir / HISTORY, "")
        self._write_json()

    def add(self, evidence: Evidence, result: CellResult, directory: str = "") -> Cell:
        """`directory` is the cell's own, below the run's; it is made where it is missing."""
        number = len(self._report.cells)
        directory = directory or f"cell-{number + 1:02d}"
        cell = build_cell(evidence, result, directory)
        write_text(self.run_dir / directory / EVIDENCE, dump_evidence(evidence))
        self._append_history(number, evidence)
        self._report.cells.append(cell)
        self._write_json()
        return cell

    def skip(self, matrix: dict[str, Any], reason: str) -> None:
        self._report.skipped.append(Skipped(matrix=matrix, reason=reason))

    def finish(self, *, interrupted: str = "", accelerator: str = "") -> RunReport:
        """Writes everything. `interrupted` says why cells are missing that should have been run."""
        report = self._report
        report.verdict = run_verdict(report.cells, complete=not interrupted)
        report.reason = self._reason(interrupted)
        report.duration_s = round(time.monotonic() - self._began, 3)
        report.environment.steal_percent = self._steal.percent()
        report.environment.accelerator = accelerator or report.environment.accelerator
        self._write_json()
        write_text(self.run_dir / JUNIT, junit_xml(report))
        render_html(self.run_dir)
        return report

    def _reason(self, interrupted: str) -> str:
        for verdict in ("failed", "unknown"):
            for cell in self._report.cells:
                if cell.verdict == verdict:
                    return f"{cell_name(cell.matrix)}: {cell.reason}" if cell.matrix else cell.reason
        if interrupted:
            return f"the run was interrupted: {interrupted}"
        return "" if self._report.cells else "no cell was run"

    def _append_history(self, number: int, evidence: Evidence) -> None:
        path = self.run_dir / HISTORY
        try:
            with path.open("a", encoding="utf-8") as file:
                file.writelines(line + "\n" for line in history_lines(number, evidence.events))
        except OSError as error:
            raise ReportError(f"cannot write {path}: {error.strerror or error}") from error

    def _write_json(self) -> None:
        write_text(self.run_dir / REPORT, self._report.model_dump_json(indent=1) + "\n")
