"""Starting QEMU so that it can be watched and never outlives us."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

# A parent that is killed takes its guests along. setpriv is in util-linux, which every Debian has.
WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


async def spawn(
    command: Sequence[str], output: Path, inherit: Sequence[int], environment: Mapping[str, str] | None
) -> asyncio.subprocess.Process:
    """Both output streams are appended to `output`. A session of its own: Ctrl-C in the terminal is for the runner, which
    then ends its guests in order. OSError."""
    with open(output, "ab") as file:
        return await asyncio.create_subprocess_exec(
            *WITH_PARENT,
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            pass_fds=inherit,
            start_new_session=True,
            env=environment,
        )


def status_name(code: int) -> str:
    """A process's end in words: "exit 1", "SIGKILL"."""
    return f"exit {code}" if code >= 0 else signal.Signals(-code).name
