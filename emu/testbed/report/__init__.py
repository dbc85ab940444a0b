"""What a run leaves for people and for CI: report.json (format 1), junit.xml, history.jsonl, report.html.

The runner uses RunWriter (writer.py) and print_summary; `testbed report DIR` is render_html, which needs the files only.
"""

from testbed.report.html import load_report, render_html
from testbed.report.model import Environment, RunReport
from testbed.report.store import ReportError
from testbed.report.summary import print_summary
from testbed.report.writer import RunWriter

__all__ = [
    "Environment",
    "ReportError",
    "RunReport",
    "RunWriter",
    "load_report",
    "print_summary",
    "render_html",
]
