"""The kernel proper out of a bzImage (Linux: Documentation/x86/boot.rst, "payload_offset").

QEMU starts an ELF kernel by its PVH entry, without the decompressor. Under TCG that saves 0.3 s at the first boot and 2.4 of
4.0 s at every reboot, because the decompressor then writes over pages whose code QEMU has translated.
"""

from __future__ import annotations

import gzip
import lzma
import struct
import subprocess
from pathlib import Path

SETUP_SECTORS = 0x1F1
PROTOCOL = 0x206
PAYLOAD = 0x248  # offset and length, since protocol 2.08
ELF = b"\x7fELF"
LENGTH_AT_END = 4  # of the unpacked kernel; the build appends it to every format but gzip, which has its own

# Formats for which Python has no decoder: magic -> Debian package and program.
TOOLS = {b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}


class NotUnpacked(Exception):
    """The payload is of a kind that cannot be unpacked here."""


def payload(bzimage: bytes) -> bytes:
    """The compressed kernel in a bzImage. NotUnpacked when it is none."""
    if bzimage[0x202:0x206] != b"HdrS" or struct.unpack_from("<H", bzimage, PROTOCOL)[0] < 0x208:
        raise NotUnpacked("not a bzImage of boot protocol 2.08 or later")
    protected = ((bzimage[SETUP_SECTORS] or 4) + 1) * 512
    offset, length = struct.unpack_from("<II", bzimage, PAYLOAD)
    return bzimage[protected + offset : protected + offset + length]


def tool_for(packed: bytes) -> str | None:
    """The program (and package) that unpacks this payload; None when Python does."""
    return TOOLS.get(packed[:4])


def unpack(packed: bytes, tool: Path | None = None) -> bytes:
    """The ELF file. `tool` is the program that `tool_for` named."""
    try:
        if tool is not None:
            ran = subprocess.run(
                [tool, "-dc"], input=packed[:-LENGTH_AT_END], capture_output=True, timeout=60
            )
            unpacked = ran.stdout
        elif packed[:2] == b"\x1f\x8b":
            unpacked = gzip.decompress(packed)
        else:
            unpacked = lzma.LZMADecompressor().decompress(packed)
    except (OSError, EOFError, lzma.LZMAError, subprocess.SubprocessError) as error:
        raise NotUnpacked(str(error)) from None
    if not unpacked.startswith(ELF):
        raise NotUnpacked("what came out is no ELF file")
    return unpacked
