"""The reports of both ends of all flows, and for each that could not be had the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testbed.run.actors.frontend import Frontend
from testbed.run.flow_plan import PlannedFlow
from testbed.run.rpc import RpcFailure

REPORT_DEADLINE_S = 20.0  # tens of thousands of gaps and bins over a guest's serial line

Document = dict[str, Any]


class FlowReports:
    def __init__(self) -> None:
        self._reports: dict[str, Document] = {}
        self._missing: dict[str, str] = {}

    async def fetch(self, frontends: Mapping[str, Frontend]) -> None:
        for name, frontend in frontends.items():
            if not frontend.answers:
                self._missing[name] = f"{name} {frontend.state}"
                continue
            try:
                self._reports[name] = await frontend.call("flow.report", {}, REPORT_DEADLINE_S)
            except RpcFailure as failure:
                self._missing[name] = str(failure)

    def of(self, frontend: str, flow: PlannedFlow, part: str) -> tuple[Document | None, str]:
        """A report, or None and why."""
        if frontend not in self._reports:
            return None, self._missing.get(frontend, f"{frontend} was not asked")
        document = self._reports[frontend].get(str(flow.number), {}).get(part)
        if document is None:
            return None, f"{frontend} knows no {part} of {flow.name}"
        return dict(document), ""
