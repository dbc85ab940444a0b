"""apt's answers, and kernels that hide in bzImages."""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import pytest
from testbed.guest import packages, vmlinux
from testbed.guest.console import tail

RECORD = """Package: linux-image-cloud-amd64
Version: 6.1.192-2
Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)
Description: Linux for x86-64 cloud (meta-package)
"""
KERNEL = vmlinux.ELF + bytes(5000)


def bzimage(packed: bytes, protocol: int = 0x20F) -> bytes:
    head = bytearray(1024)
    head[vmlinux.SETUP_SECTORS] = 1
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, vmlinux.PROTOCOL, protocol)
    struct.pack_into("<II", head, vmlinux.PAYLOAD, 64, len(packed))
    return bytes(head) + bytes(64) + packed + b"trailing code"


def test_a_metapackage_resolves_to_what_it_depends_on() -> None:
    assert packages.first_dependency(RECORD) == "linux-image-6.1.0-56-cloud-amd64"
    assert packages.first_dependency("") is None


def test_a_missing_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(packages.PackageError, match="dpkg-deb is not installed"):
        packages.extract(tmp_path / "x.deb", tmp_path)


@pytest.mark.parametrize("packed", [lzma.compress(KERNEL) + b"\x00\x14\x00\x00", gzip.compress(KERNEL)])
def test_the_kernel_is_found_and_unpacked(packed: bytes) -> None:
    payload = vmlinux.payload(bzimage(packed))
    assert payload == packed
    assert vmlinux.tool_for(payload) is None
    assert vmlinux.unpack(payload) == KERNEL


def test_formats_python_cannot_read_name_their_tool() -> None:
    assert vmlinux.tool_for(b"\x02\x21\x4c\x18....") == "lz4"
    assert vmlinux.tool_for(b"\x28\xb5\x2f\xfd....") == "zstd"


@pytest.mark.parametrize("packed", [b"garbage of no format", gzip.compress(b"not a kernel"), b""])
def test_what_is_no_kernel_is_refused(packed: bytes) -> None:
    with pytest.raises(vmlinux.NotUnpacked):
        vmlinux.unpack(packed)


@pytest.mark.parametrize("image", [b"", bytes(2048), bzimage(b"x", protocol=0x205)])
def test_what_is_no_bzimage_is_refused(image: bytes) -> None:
    with pytest.raises(vmlinux.NotUnpacked):
        vmlinux.payload(image)


def test_a_consoles_last_lines_are_clean_and_few(tmp_path: Path) -> None:
    console = tmp_path / "console"
    assert tail(console) == []
    console.write_bytes(b"".join(b"line %d\r\n" % n for n in range(5000)) + b"\x1b[31mred \xff\n\n")
    lines = tail(console, 3)
    assert lines[:2] == ["line 4998", "line 4999"]
    assert "red" in lines[2]
    assert "\x1b" not in lines[2]
