"""report.html: one file that opens offline. Everything comes from the run's directory, so that it can be drawn again.

Text from the run (names, reasons, console lines) is escaped by Jinja2; the data of the pictures is JSON in which no `<`
survives. uPlot and our own script and style stand in the file itself.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment as Templates
from jinja2 import FileSystemLoader, StrictUndefined
from markupsafe import Markup

from testbed.check.evidence import Event, Evidence
from testbed.report.cell_view import FLOW_COLUMNS, cell_view, matrix_title
from testbed.report.model import Environment, RunReport
from testbed.report.store import (
    EVIDENCE,
    HISTORY,
    ReportError,
    load_evidence,
    load_history,
    read_text,
    write_text,
)

PAGE = Path(__file__).parent / "page"
HTML = "report.html"
REPORT = "report.json"


def templates_in(folder: Path) -> Templates:
    """Escapes what it is given; a name nobody gave is a mistake."""
    return Templates(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def load_report(run_dir: Path) -> RunReport:
    try:
        return RunReport.model_validate_json(read_text(run_dir / REPORT))
    except ValueError as error:
        raise ReportError(f"{run_dir / REPORT} is no report of format 1: {error}") from error


def render_html(run_dir: Path) -> Path:
    """Writes report.html from the other files of the run and returns its path. Raises ReportError."""
    report = load_report(run_dir)
    history = load_history(run_dir) if (run_dir / HISTORY).is_file() else {}
    views, pictures = [], []
    for number, cell in enumerate(report.cells):
        evidence, problem = _evidence(run_dir / cell.directory / EVIDENCE, history.get(number, []))
        view, picture = cell_view(cell, evidence, problem)
        view["open"] = _opens(report, number)
        views.append(view)
        pictures.append(picture)
    write_text(run_dir / HTML, _page(report, views, pictures))
    return run_dir / HTML


def _evidence(path: Path, events: list[Event]) -> tuple[Evidence | None, str]:
    """What cannot be read costs the pictures of its cell, not the page."""
    try:
        return load_evidence(path, events), ""
    except ReportError as error:
        return None, f"No pictures: {error}"


def _opens(report: RunReport, number: int) -> bool:
    """The only cell, or the first that did not pass, or else the first."""
    bad = [index for index, cell in enumerate(report.cells) if cell.verdict != "passed"]
    return number == (bad[0] if bad else 0)


def _page(report: RunReport, views: list[dict[str, Any]], pictures: list[dict[str, Any]]) -> str:
    return (
        templates_in(PAGE)
        .get_template("report.html.j2")
        .render(
            run=report,
            facts=facts(report),
            cells=views,
            skipped=[
                {"title": matrix_title(entry.matrix), "reason": entry.reason} for entry in report.skipped
            ],
            flow_columns=FLOW_COLUMNS,
            data=_script_data({"cells": pictures}),
            assets=_assets(),
        )
    )


def _assets() -> dict[str, Markup]:
    files = {
        "uplot_css": "vendor/uPlot.min.css",
        "uplot_js": "vendor/uPlot.iife.min.js",
        "style": "style.css",
        "charts": "charts.js",
    }
    return {name: Markup(read_text(PAGE / file)) for name, file in files.items()}


def _script_data(document: dict[str, Any]) -> Markup:
    """JSON that cannot end its script element, whatever a flow is called."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def facts(report: RunReport) -> list[tuple[str, str]]:
    """The environment, in words; what is not known is left out."""
    environment: Environment = report.environment
    machine = f"{environment.cpu}, {environment.cores} cores, {environment.memory_mb / 1024:.0f} GiB"
    steal, load = environment.steal_percent, environment.load_average
    entries = [
        ("when", report.started.replace("T", " ").replace("+00:00", " UTC")),
        ("took", f"{report.duration_s:.1f} s"),
        ("seed", str(report.seed)),
        ("backend", report.backend),
        ("accelerator", environment.accelerator),
        ("hugepages", "yes" if environment.hugepages else "none"),
        ("DPDK", environment.dpdk),
        ("QEMU", environment.qemu),
        ("kernel", environment.kernel),
        ("machine", machine),
        ("load at start", "" if load is None else f"{load:.2f}"),
        ("CPU time stolen", "" if steal is None else f"{steal:.2f} %"),
        ("revision", environment.git),
    ]
    return [(key, value) for key, value in entries if value]
