"""`testbed fuzz`: exit status 0 when nothing was found, 1 when something was."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from testbed.fuzz.campaign import NOT_UP, Campaign, Tally
from testbed.fuzz.grammar import PROFILES
from testbed.fuzz.progress import Progress, as_document, print_summary
from testbed.fuzz.topology import Target, scenario
from testbed.run import exits
from testbed.run.backends import backend_named
from testbed.run.binaries import Lacking, find_program
from testbed.run.places import new_run_directory
from testbed.scenario.topology import Datapath


@dataclass(frozen=True)
class FuzzOptions:
    seconds: float
    seed: int | None = None
    out: Path | None = None
    backend: str = "testbed-switch"
    most: int = 10
    as_json: bool = False
    datapath: Datapath | None = None


def fuzz(options: FuzzOptions) -> int:
    console = Console(stderr=options.as_json, highlight=False)
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    try:
        backend = backend_named(options.backend)
        backend.check_machine(scenario(PROFILES[0], options.datapath))
        find_program("testbed-driver")
        directory = new_run_directory("fuzz", options.out)
    except ValueError as mistake:
        print(f"testbed fuzz: --backend: {mistake}", file=sys.stderr)
        return exits.MISTAKE
    except Lacking as lacking:
        print(f"testbed fuzz: {lacking}", file=sys.stderr)
        return exits.LACKING
    tally = Tally(seed, options.seconds)
    console.print(
        f"seed {seed}, {options.seconds:g} s, {backend.name}; findings go to {directory}", soft_wrap=True
    )
    with Progress(console, backend.name) as progress:
        campaign = Campaign(Target(backend, options.datapath), tally, directory, options.most, progress)
        try:
            finished = asyncio.run(_run(campaign))
        except NOT_UP as failure:
            print(f"testbed fuzz: nothing to attack: {failure}; logs are in {directory}", file=sys.stderr)
            return exits.UNKNOWN
    if options.as_json:
        print(json.dumps(as_document(tally, backend.name, interrupted=not finished)))
    else:
        print_summary(tally, console)
    if tally.kept:
        return exits.FAILED
    return exits.PASSED if finished else exits.INTERRUPTED


async def _run(campaign: Campaign) -> bool:
    """False: somebody ended it. Everything that was started has ended in either case."""
    task = asyncio.create_task(campaign.run(), name="fuzz")

    def press() -> None:
        campaign.interrupt.press()
        if not campaign.judging:
            task.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, press)
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return not campaign.interrupt.pressed
