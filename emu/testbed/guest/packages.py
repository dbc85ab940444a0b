"""Getting Debian packages without installing them: apt resolves, apt-get downloads and checks signatures, dpkg-deb
extracts. Works as an ordinary user. When the machine's package index is missing or stale (its pool has moved on), an
index of our own in the cache is updated and used.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

Say = Callable[[str], None]
DOWNLOAD_TIMEOUT_S = 600


class PackageError(Exception):
    """One line: which package, what failed, how to mend it."""


class Apt:
    """apt, with the machine's index first and an index under `state` when that one does not do."""

    def __init__(self, state: Path, say: Say) -> None:
        self._state = state
        self._say = say
        # apt tells root that it could not drop its privileges for the download; it need not try.
        self._options: list[str] = ["-o", "APT::Sandbox::User=root"] if os.geteuid() == 0 else []

    def resolve(self, name: str) -> str:
        """The package that `name` depends on (for a metapackage such as linux-image-cloud-amd64)."""
        found = self._depends(name)
        if found is None:
            self._use_own_index()
            found = self._depends(name)
        if found is None:
            raise PackageError(
                f"{name}: apt knows no such package; check /etc/apt/sources.list, then `apt-get update`"
            )
        return found

    def download(self, name: str, into: Path) -> Path:
        """The .deb of `name` in `into`."""
        into.mkdir(parents=True, exist_ok=True)
        self._say(f"downloading {name}")
        result = self._download(name, into)
        if result.returncode != 0:
            self._use_own_index()
            result = self._download(name, into)
        debs = sorted(into.glob(f"{name}_*.deb"), key=lambda path: path.stat().st_mtime)
        if result.returncode != 0 or not debs:
            raise PackageError(f"{name}: download failed: {last_line(result.stderr)}")
        return debs[-1]

    def _download(self, name: str, into: Path) -> subprocess.CompletedProcess[str]:
        return _run(["apt-get", *self._options, "download", "-q", name], cwd=into, timeout=DOWNLOAD_TIMEOUT_S)

    def _depends(self, name: str) -> str | None:
        # The candidate's record comes first; older versions of the same package may follow.
        record = _run(["apt-cache", *self._options, "show", "--no-all-versions", name]).stdout
        return first_dependency(record)

    def _use_own_index(self) -> None:
        lists = self._state / "lists"
        archives = self._state / "archives"
        for directory in (lists / "partial", archives / "partial"):
            directory.mkdir(parents=True, exist_ok=True)
        own = [
            "-o",
            f"Dir::State::Lists={lists}",
            "-o",
            f"Dir::Cache={self._state}",
            "-o",
            "Debug::NoLocking=1",
        ]
        if self._options[-len(own) :] == own:
            return
        self._options += own
        self._say("this machine's package index does not do; updating one in the cache")
        result = _run(["apt-get", *self._options, "update", "-q"], timeout=DOWNLOAD_TIMEOUT_S)
        if result.returncode != 0:
            raise PackageError(f"apt-get update failed: {last_line(result.stderr)}")


def first_dependency(record: str) -> str | None:
    """The first package in a record's Depends field: "linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)" without version."""
    field = re.search(r"^Depends: *([a-z0-9][a-z0-9+.~-]*)", record, re.MULTILINE)
    return field[1] if field else None


def extract(deb: Path, into: Path) -> None:
    result = _run(["dpkg-deb", "-x", str(deb), str(into)])
    if result.returncode != 0:
        raise PackageError(f"{deb.name}: dpkg-deb cannot extract it: {last_line(result.stderr)}")


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _run(
    command: list[str], cwd: Path | None = None, timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            timeout=timeout,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise PackageError(
            f"{command[0]} is not installed: the guest's kernel comes from Debian packages"
        ) from None
    except subprocess.TimeoutExpired:
        raise PackageError(f"`{' '.join(command)}` did not end within {timeout:g} s") from None
