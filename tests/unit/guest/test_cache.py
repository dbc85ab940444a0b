"""The cache never shows half of anything, and two builders take turns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from testbed.guest import cache


def test_a_directory_whose_filling_fails_never_appears(tmp_path: Path) -> None:
    final = tmp_path / "base"
    with pytest.raises(RuntimeError), cache.directory_when_complete(final) as scratch:
        (scratch / "half").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_directory_appears_whole(tmp_path: Path) -> None:
    with cache.directory_when_complete(tmp_path / "base") as scratch:
        (scratch / "file").write_text("x")
        assert not (tmp_path / "base").exists()
    assert (tmp_path / "base" / "file").read_text() == "x"


def test_what_a_killed_builder_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".base.k3j2").mkdir()
    (tmp_path / ".base.k3j2" / "half").touch()
    (tmp_path / ".accelerator.json.x1").touch()
    (tmp_path / "base").mkdir()
    cache.remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_a_second_builder_waits_and_a_dead_one_does_not_block(tmp_path: Path) -> None:
    hold = (
        "import sys; from pathlib import Path; from testbed.guest import cache\n"
        f"with cache.locked(Path({str(tmp_path)!r})): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cache.REPOSITORY / "emu",
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        blocked = subprocess.run(["flock", "--nonblock", tmp_path / "lock", "true"], check=False)
        assert blocked.returncode != 0
    finally:
        holder.kill()
        holder.communicate()
    with cache.locked(tmp_path):
        pass


def test_the_environment_moves_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESTBED_CACHE", str(tmp_path))
    assert cache.cache_dir() == tmp_path / "guest"
    monkeypatch.delenv("TESTBED_CACHE")
    assert cache.cache_dir() == cache.REPOSITORY / ".cache" / "testbed" / "guest"
