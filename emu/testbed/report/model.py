"""report.json, format 1. Fields may be added, never renamed: other people's scripts read it.

The JSON Schema in report.schema.json is generated from here (`python -m testbed.report.schema`), and a test holds the two
together.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["passed", "failed", "unknown"]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Environment(Model):
    """The machine, as far as it bears on the result. Empty string or None: could not be found out."""

    model_config = ConfigDict(extra="allow")

    accelerator: str = Field("", description="what guests ran on: kvm, tcg, or empty when there were none")
    hugepages: bool = Field(False, description="whether any are configured")
    dpdk: str = ""
    qemu: str = ""
    kernel: str = ""
    cpu: str = ""
    cores: int = 0
    memory_mb: int = 0
    load_average: float | None = Field(None, description="of one minute, when the run began")
    steal_percent: float | None = Field(None, description="CPU time the hypervisor took away during the run")
    git: str = Field("", description="revision of this project; -dirty when files were changed")
    root: bool = False


class Finding(Model):
    rule: str
    verdict: Verdict
    measured: Any = None
    expected: str = ""
    reason: str = ""


class Check(Model):
    checker: str
    subject: str
    verdict: Verdict
    measured: dict[str, Any] = Field(default_factory=dict)
    expected: dict[str, str] = Field(default_factory=dict)
    reason: str = ""
    known: str = Field("", description="why this failure was expected; it does not make the cell fail")
    findings: list[Finding] = Field(default_factory=list)


class Part(Model):
    name: str
    ms: float


class Outage(Model):
    """One silence of one flow; the parts add up to its length. Times count from the first step."""

    flow: str
    start_ms: float
    duration_ms: float
    fault: str = Field("", description="the fault it belongs to, empty when there was none at the time")
    open: bool = Field(False, description="it had not ended when the run did")
    parts: list[Part] = Field(default_factory=list)


class Fault(Model):
    kind: str
    targets: list[str]
    ports: list[str] = []
    start_ms: float
    end_ms: float | None


class Cell(Model):
    matrix: dict[str, Any]
    datapath: str = Field("", description="of our switch (library, ring); empty with another backend")
    verdict: Verdict
    reason: str = ""
    duration_s: float
    directory: str = Field("", description="of this cell's logs and evidence, below the run's directory")
    checks: list[Check]
    outages: list[Outage] = Field(default_factory=list)
    faults: list[Fault] = Field(default_factory=list)


class Skipped(Model):
    matrix: dict[str, Any]
    reason: str


class RunReport(Model):
    format: Literal[1] = 1
    scenario: str
    about: str = ""
    verdict: Verdict
    reason: str = ""
    seed: int
    backend: str
    command: str = Field("", description="repeats the run")
    started: str = Field("", description="ISO 8601, UTC")
    duration_s: float = 0.0
    environment: Environment
    cells: list[Cell]
    skipped: list[Skipped] = Field(default_factory=list)
