"""What a run of one cell leaves behind for the checkers: the only thing they may look at.

The runner (testbed.run) fills it; checkers are pure functions of it. Times are CLOCK_MONOTONIC nanoseconds of the host;
stamps from inside a guest were shifted by the runner with the offset it estimated (`FlowEvidence.clock_error_ns`).
Reports, counters and statuses are the documents of docs/protocol.md, unchanged.

Events the checkers read. From the programs (docs/protocol.md): process.started, eal.up, pool.up, session.connected,
session.up, session.down, session.first_packet, session.message, flow.moving, flow.outage, agent.ready, kernel.error,
guest.link, port.added, port.removed. From the runner, whose `actor` field is the actor they are about:
  process.spawned {pid}                       just before exec
  guest.panicked {console_tail}               the guest's kernel says so
  guest.died {status, expected, console_tail} QEMU is gone, or the guest stopped for good
  label {text}                                a mark for the report
  fault.armed {port, kind, fault}             testbed-proxy will do this when its message passes (proxy.fault says it has)
  fault.disarmed {port}                       what was armed there and has not happened is not to happen any more
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One entry of the merged history. `actor` is the process (switch, f0, g1) or "testbed" for the runner's own."""

    t: int
    actor: str
    name: str
    fields: Document = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """Something that was broken on purpose. `end` is when its healing was complete (None: never healed).

    `targets` are actors, `ports` the switch ports, that the fault touches directly.
    """

    kind: str  # kill, stop, restart, shutdown, disconnect, apply, reboot, reset, reload, exec
    targets: tuple[str, ...]
    start: int
    end: int | None
    ports: tuple[str, ...] = ()


@dataclass(frozen=True)
class FlowEvidence:
    name: str
    source: str  # frontend names
    sink: str
    flow_id: int
    rate_pps: float | None  # None: closed loop; the last one set
    sender: (
        Document | None
    )  # flow.report of the sending end; None: it could not be had, and `missing` says why
    receiver: Document | None
    missing: str = ""
    clock_error_ns: int = 0  # how far off the latencies may be (0 between processes of one host)
    # The sender or the receiver was started anew during the run: their reports cover only what came after.
    sender_incarnations: int = 1
    receiver_incarnations: int = 1
    # Receiver's histograms in the course of the run: {"t", "latency"} (base64, as in the report), taken just before each
    # fault and just after its healing. Histograms only grow, so that the difference of two is what came between them:
    # that is how `untouched: {p99: "<= 1.5x"}` is judged. Only flows that an `untouched` names need them.
    snapshots: tuple[Document, ...] = ()


@dataclass(frozen=True)
class SwitchEvidence:
    """One life of a switch process. `counters` is the last document had from it, `final` whether it was taken at a quiet
    moment after all flows had stopped (else the process died and it is the last live sample)."""

    actor: str
    pid: int
    counters: Document
    final: bool


@dataclass(frozen=True)
class ResourceSample:
    """`resources` of one process, or for actor "testbed" of the run's surroundings:
    {"processes", "sockets", "mounts", "hugepages", "devices"} that belong to the run, as lists of names."""

    actor: str
    pid: int
    label: str  # "before" (after start-up, before the first step), "after" (all healed), "end" (all actors ended)
    resources: Document


@dataclass(frozen=True)
class Call:
    """One control call the runner made."""

    actor: str
    method: str
    start: int
    end: int | None  # None: no answer within the deadline
    deadline_ns: int
    during_fault: bool
    error: str = ""


@dataclass(frozen=True)
class ProcessExit:
    actor: str
    pid: int
    t: int
    status: str  # "exit 0", "SIGKILL"...
    expected: bool  # the scenario (or the end of the run) asked for it


@dataclass(frozen=True)
class Step:
    """One step as it went, for the report's timeline. `end` is None for a step that did not finish."""

    text: str  # one line, as a person would write it: "kill: switch"
    start: int
    end: int | None
    error: str = ""


@dataclass(frozen=True)
class PagesLook:
    """One look at the memory of a driver guest, at everything that changed since the last one (driver.diff)."""

    frontend: str
    life: int  # of its process, from 1
    since: int
    t: int
    why: str  # "end", "before kill d0", "before send d2"...
    # Flows had ended, all was silent and its session up: what lies in a posted buffer now was never given back.
    quiet: bool
    diff: Document | None  # without "pages" and "written"; None: it could not be had, and `missing` says why
    missing: str = ""
    rings: tuple[Document, ...] = ()  # {"vring", "kind", "faults"} of its virtqueues, over this life


@dataclass(frozen=True)
class LogLook:
    """A driver guest's dirty log, held against its memory. Pages are numbers of 4096 octets."""

    frontend: str
    since: int
    t: int
    why: str
    on: bool  # whether the backend was to log
    written: int = 0  # pages that changed, or that the device said it wrote
    logged: int = 0
    missing: tuple[int, ...] = ()  # the first of those that were written and not logged
    missing_pages: int = 0
    event_words: int = (
        0  # and not in these: pages not logged that hold a packed ring's device event suppression
    )
    named: tuple[int, ...] = ()  # the first that were logged while logging was off
    strayed: bool = False  # somebody wrote beside the bitmap
    blind: str = ""  # why it could not be read


@dataclass(frozen=True)
class Evidence:
    cell: dict[str, Any]  # the matrix values
    seed: int
    backend: str  # testbed-switch, dpdk-testpmd, ovs-dpdk
    expectations: list[Document]  # the scenario's `expect`, resolved, as plain documents
    topology: Document  # resolved `switch(es)` and `frontends`, as plain documents
    start: int
    end: int
    steps_start: int  # first step begins; before it everything is set-up
    events: list[Event]
    faults: list[Fault]
    flows: dict[str, FlowEvidence]
    endpoints: dict[str, Document]  # frontend name -> its last frontend.status entry
    switches: list[SwitchEvidence]
    resources: list[ResourceSample]
    calls: list[Call]
    exits: list[ProcessExit]
    # Live samples about every 100 ms: {"t", "flow", "sent", "received"}; for the picture, not for the verdict.
    samples: list[Document] = field(default_factory=list)
    pages: list[PagesLook] = field(default_factory=list)  # of driver frontends, in order
    logs: list[LogLook] = field(default_factory=list)  # of driver frontends that were told to log
    aborted: str = ""  # why the steps did not run to their end ("" when they did)
    # Who ended them: "step" (what a step asked for did not come true: the cell fails), "interrupt" (a person or a signal)
    # or "internal" (the runner itself): the cell is unknown.
    aborted_by: str = "step"
    steps: list[Step] = field(default_factory=list)
