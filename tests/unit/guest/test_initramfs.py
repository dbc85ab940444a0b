"""The initramfs: the same entries give the same bytes, and other programs can read them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from testbed.guest.initramfs import Entry, archive, character_device, directory, regular, symlink

ENTRIES = [
    regular("init", b"#!/bin/sh\n", executable=True),
    symlink("bin/sh", "busybox"),
    regular("lib/modules/6.1/virtio.ko", bytes(range(256)) * 5),
    character_device("dev/console", 5, 1),
    directory("proc"),
]


def members(data: bytes) -> dict[str, Entry]:
    """An independent reader of newc archives."""
    found: dict[str, Entry] = {}
    at = 0
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name_at = at + 110
        name = data[name_at : name_at + fields[11] - 1].decode()
        body = (name_at + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = Entry(name, fields[1], data[body : body + fields[6]], (fields[9], fields[10]))
        at = (body + fields[6] + 3) & ~3


def test_the_same_entries_in_another_order_give_the_same_bytes() -> None:
    assert archive(ENTRIES) == archive(reversed(ENTRIES))


def test_what_was_put_in_comes_out() -> None:
    found = members(archive(ENTRIES))
    for entry in ENTRIES:
        assert found[entry.path] == entry


def test_the_directories_above_an_entry_are_made_and_come_first() -> None:
    names = list(members(archive(ENTRIES)))
    assert names.index("lib") < names.index("lib/modules") < names.index("lib/modules/6.1/virtio.ko")


def test_a_path_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        archive([regular("init", b"a"), regular("init", b"b")])


@pytest.mark.skipif(shutil.which("cpio") is None, reason="cpio is not installed")
def test_cpio_reads_it() -> None:
    listed = subprocess.run(
        ["cpio", "-t", "--quiet"], input=archive(ENTRIES), capture_output=True, check=True
    )
    assert listed.stdout.decode().split() == sorted(members(archive(ENTRIES)))
