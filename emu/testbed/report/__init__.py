"""What a run leaves for people and for CI: report.json (format 1), junit.xml, history.jsonl, report.html.

The runner uses RunWriter (writer.py); everything can be drawn again later from the files alone.
"""

from testbed.report.model import Environment, RunReport
from testbed.report.store import ReportError
from testbed.report.writer import RunWriter

__all__ = ["Environment", "ReportError", "RunReport", "RunWriter"]
