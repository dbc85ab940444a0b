"""The JSON Schema of report.json: `python -m testbed.report.schema > emu/testbed/report/report.schema.json`."""

from __future__ import annotations

import json
from pathlib import Path

from testbed.report.model import RunReport

COMMITTED = Path(__file__).parent / "report.schema.json"


def json_schema() -> str:
    return json.dumps(RunReport.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")
