"""Where the guest's kernel, initramfs and the accelerator's probe result are kept, and how nobody sees half of them.

Everything is written beside its final name and renamed into place; a directory is complete or absent. Two builders are
kept apart by a lock on a file (the kernel releases it when its holder dies).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def cache_dir() -> Path:
    """$TESTBED_CACHE/guest, or .cache/testbed/guest in the repository. Not necessarily there yet."""
    base = os.environ.get("TESTBED_CACHE")
    return (Path(base) if base else REPOSITORY / ".cache" / "testbed") / "guest"


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Blocks until no other process builds in `directory`; creates it."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def directory_when_complete(final: Path) -> Iterator[Path]:
    """A directory to fill that becomes `final` when the block ends well and vanishes when it does not."""
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{final.name}.", dir=final.parent))
    scratch.chmod(0o755)
    try:
        yield scratch
        os.replace(scratch, final)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def write_whole(final: Path, data: bytes) -> None:
    """Replaces `final` by `data`; a reader sees the old or the new file, never a part."""
    final.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(prefix=f".{final.name}.", dir=final.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            os.fchmod(handle, 0o644)
            out.write(data)
        os.replace(scratch, final)
    except BaseException:
        os.unlink(scratch)
        raise


def remove_leftovers(directory: Path) -> None:
    """What builders that were killed left behind. Call while holding the lock."""
    for scratch in directory.glob(".*.*"):
        if scratch.is_dir():
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            scratch.unlink(missing_ok=True)
