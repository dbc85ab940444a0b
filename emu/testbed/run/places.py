"""Where a run writes. Sockets need short paths: sun_path holds 107 bytes (unix(7)), whatever directory a user chose."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from testbed.run.binaries import Lacking

# What programs append: a directory of their own, a private socket with a port's name of 32 and a suffix.
_ROOM = 64
_LONGEST = 107
_PREFIX = "testbed-s-"


@dataclass(frozen=True)
class Places:
    """`files` stays after the run, `sockets` is emptied by it."""

    files: Path
    sockets: Path

    def log(self, actor: str) -> Path:
        return self.files / f"{actor}.log"

    def socket(self, name: str) -> Path:
        return self.sockets / f"{name}.sock"

    def directory(self, actor: str) -> Path:
        """Where a process may write; made when it is missing."""
        path = self.sockets / f"{actor}.d"
        path.mkdir(exist_ok=True)
        return path


def new_run_directory(scenario: str, out: Path | None) -> Path:
    """Raises Lacking when it cannot be made or written."""
    if out is None:
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        out = _unused(Path("runs") / f"{scenario}-{stamp}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=out, prefix=".testbed-") as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except OSError as error:
        what = f"{out} cannot be written: {error.strerror or error}"
        raise Lacking(f"{what}; mend it with: another directory in --out DIR") from None
    return out.resolve()


def _unused(path: Path) -> Path:
    for number in range(2, 1000):
        if not path.exists():
            break
        path = path.with_name(f"{re.sub(r'-n[0-9]+$', '', path.name)}-n{number}")
    return path


@contextlib.contextmanager
def places(files: Path) -> Iterator[Places]:
    """Sockets beside the files when their path is short and the file system takes sockets, else in a directory of
    their own. Whatever files programs wrote there (captures) end up among the files."""
    files.mkdir(parents=True, exist_ok=True)
    sockets = files / "s"
    awkward = re.search(r"[,=\[\]\s]", str(sockets))  # DPDK's device arguments cannot hold these
    if awkward or len(os.fsencode(sockets)) + _ROOM > _LONGEST or not _takes_sockets(files):
        sockets = _short_directory()
    sockets.mkdir(exist_ok=True)
    try:
        yield Places(files, sockets)
    finally:
        _keep_files(sockets, files)
        shutil.rmtree(sockets, ignore_errors=True)


def _short_directory() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR") or ""
    short = base if base and os.access(base, os.W_OK) and len(base) + _ROOM < 80 else "/tmp"
    _remove_abandoned(Path(short))
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=short))


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A directory with a short path for sockets and what else nobody wants to keep."""
    directory = _short_directory()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_abandoned(base: Path) -> None:
    """What runners that were killed with SIGKILL could not remove. Others' directories cannot be, and stay."""
    for path in base.glob(f"{_PREFIX}*-*"):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(path, ignore_errors=True)


def _takes_sockets(directory: Path) -> bool:
    """Shared folders of virtual machines and some container mounts do not."""
    path = directory / ".probe"
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(path))
        return True
    except OSError:
        return False
    finally:
        path.unlink(missing_ok=True)


def _keep_files(sockets: Path, files: Path) -> None:
    for path in sockets.rglob("*.pcapng"):
        target = files / path.name
        with contextlib.suppress(OSError):
            shutil.move(path, target)
