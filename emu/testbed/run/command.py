"""`testbed run`: scenarios one after the other, each cell by itself, a report for each scenario."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from testbed.check import judge
from testbed.report import ReportError, RunReport, RunWriter, print_summary, render_html
from testbed.run import exits
from testbed.run.backends import Backend, backend_named
from testbed.run.binaries import Lacking, find_program
from testbed.run.cast import GuestKit
from testbed.run.conduct import Interrupt, conduct
from testbed.run.live import LiveWatcher
from testbed.run.places import new_run_directory
from testbed.run.plain import PlainWatcher
from testbed.run.privileges import check_devices
from testbed.run.watcher import Watcher
from testbed.scenario.load import CellScenario, Job
from testbed.scenario.topology import Driver, Qemu, VirtioUser


@dataclass(frozen=True)
class RunOptions:
    out: Path | None = None
    seed: int | None = None
    cells: dict[str, str] = field(default_factory=dict)
    backend: str = "testbed-switch"
    as_json: bool = False
    keep_going: bool = False
    datapath: str | None = None


def run(jobs: Sequence[Job], options: RunOptions) -> int:
    """The exit status. The files were read, and every mistake in them told, before."""
    console = Console(stderr=options.as_json, highlight=False)
    try:
        backend = backend_named(options.backend)
    except ValueError as mistake:
        print(f"testbed run: --backend: {mistake}", file=sys.stderr)
        return exits.MISTAKE
    watcher = LiveWatcher(console) if console.is_terminal else PlainWatcher(console)
    statuses: list[int] = []
    for job in jobs:
        statuses.append(_run_job(job, options, backend, watcher, console, many=len(jobs) > 1))
        if statuses[-1] == exits.INTERRUPTED or (statuses[-1] != exits.PASSED and not options.keep_going):
            break
    return exits.worst(statuses)


def _run_job(
    job: Job, options: RunOptions, backend: Backend, watcher: Watcher, console: Console, *, many: bool
) -> int:
    try:
        check_machine(job.cells, backend)
        out = options.out / job.file.name if options.out is not None and many else options.out
        directory = new_run_directory(job.file.name, out)
        kit = guest_kit(job.cells, watcher.say)
        this = _Run(job, options, backend, watcher, directory, kit)
        report = asyncio.run(this.all_cells())
        render_html(directory)
    except Lacking as lacking:
        print(f"{job.file.name}: {lacking}", file=sys.stderr)
        return exits.LACKING
    except ReportError as error:
        print(f"{job.file.name}: {error}; mend it with: another directory in --out DIR", file=sys.stderr)
        return exits.LACKING
    except KeyboardInterrupt:  # while nothing was running yet
        return exits.INTERRUPTED
    finally:
        watcher.close()
    if options.as_json:
        print((directory / "report.json").read_text(), end="")
    else:
        print_summary(report, _short(directory), console)
    return exits.INTERRUPTED if this.interrupted else exits.OF_VERDICT[report.verdict]


def check_machine(cells: Sequence[CellScenario], backend: Backend) -> None:
    """Raises Lacking: before anything is made or started."""
    for entry in cells:
        backend.check_machine(entry.scenario)
        check_devices(entry.scenario)
        kinds = {type(spec) for spec in entry.scenario.frontends.values()}
        if VirtioUser in kinds:
            find_program("testbed-load")
        if Driver in kinds:
            find_program("testbed-driver")
        if Qemu in kinds:
            if shutil.which("qemu-system-x86_64") is None:
                raise Lacking("QEMU is missing; mend it with: apt-get install qemu-system-x86")
            find_program("testbed-agent")


def guest_kit(cells: Sequence[CellScenario], say: Callable[[str], None]) -> GuestKit | None:
    """The image and the accelerator, when there are guests: built or found once for all cells. Raises Lacking."""
    if not any(isinstance(spec, Qemu) for entry in cells for spec in entry.scenario.frontends.values()):
        return None
    from testbed.guest import accel, image, modules, packages

    try:
        built = image.build(None, lambda text: say(f"guest image: {text}"))
        return GuestKit(built, accel.probe(built.kernel).accelerator)
    except (image.ImageError, packages.PackageError, modules.MissingModule) as error:
        raise Lacking(f"guests cannot be booted: {error}") from None


def _short(directory: Path) -> Path:
    with contextlib.suppress(ValueError):
        return directory.relative_to(Path.cwd())
    return directory


class _Run:
    """One scenario: its cells, its interrupts, its report."""

    def __init__(
        self,
        job: Job,
        options: RunOptions,
        backend: Backend,
        watcher: Watcher,
        directory: Path,
        kit: GuestKit | None,
    ) -> None:
        self._job = job
        self._options = options
        self._backend = backend
        self._watcher = watcher
        self._directory = directory
        self._kit = kit
        self._interrupt = Interrupt()
        self._seed = job.file.seed if options.seed is None else options.seed

    @property
    def interrupted(self) -> bool:
        return self._interrupt.pressed > 0

    async def all_cells(self) -> RunReport:
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(signal_number, self._interrupt.press)
        file = self._job.file
        shutil.copyfile(file.file, self._directory / "scenario.yaml")
        writer = RunWriter(
            self._directory,
            scenario=file.name,
            about=file.about,
            seed=self._seed,
            backend=self._backend.name,
            command=self._repeat_command(),
        )
        for entry in self._job.left_out:
            writer.skip(entry.cell, entry.because)
            self._watcher.left_out(entry.cell, entry.because)
        for number, planned in enumerate(self._job.cells, start=1):
            if self._interrupt.pressed:
                break
            await self._one_cell(planned, number, writer)
        accelerator = self._kit.accelerator if self._kit else ""
        interrupted = "by a person or a signal" if self._interrupt.pressed else ""
        return writer.finish(interrupted=interrupted, accelerator=accelerator)

    async def _one_cell(self, planned: CellScenario, number: int, writer: RunWriter) -> None:
        reason = self._backend.unsupported(planned.scenario)
        if reason:
            writer.skip(planned.cell, reason)
            self._watcher.left_out(planned.cell, reason)
            return
        name = f"cell-{number:02d}"
        cell, evidence = await conduct(
            planned,
            self._seed,
            self._backend,
            self._kit,
            self._directory / name,
            self._watcher,
            self._interrupt,
            announce=lambda cell: self._watcher.cell_begins(cell, number, len(self._job.cells)),
        )
        result = judge(evidence)
        writer.add(evidence, result, name)
        self._watcher.cell_ends(cell, result)

    def _repeat_command(self) -> list[str]:
        command = ["./testbed", "run", self._job.file.file, "--seed", str(self._seed)]
        for key, value in self._options.cells.items():
            command += ["--cell", f"{key}={value}"]
        if self._options.backend != "testbed-switch":
            command += ["--backend", self._options.backend]
        if self._options.datapath is not None:
            command += ["--datapath", self._options.datapath]
        return command
