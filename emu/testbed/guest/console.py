"""What a guest and its QEMU said last: for people, never to learn a state from."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

TAIL_LINES = 50  # the trace of a panic and what led to it
TAIL_BYTES = 16384


def tail(path: Path, lines: int = TAIL_LINES) -> list[str]:
    """The last lines of a file that may not be there, without colours and other control characters."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    clean = "".join(character for character in text if character.isprintable() or character == "\n")
    return [line for line in clean.splitlines() if line.strip()][-lines:]


def last_words(status: str | None, command: Sequence[str], outputs: Mapping[str, Path]) -> str:
    """What a failure should carry: how the process ended (None: it runs), how it was started, what it said."""
    parts = [f"status: {status or 'running'}", f"command: {shlex.join(command)}"]
    for title, path in outputs.items():
        lines = tail(path)
        parts.append(f"{title}: {' | '.join(lines)}" if lines else f"{title}: (silent)")
    return "\n".join(parts)
