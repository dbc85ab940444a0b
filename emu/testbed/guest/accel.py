"""KVM or TCG? /dev/kvm being there says little: on nested and emulated hosts QEMU may abort over an MSR, or the guest spin
for ever at 100 % system time. So a kernel is booted to its first process, with a time limit, once per boot of this machine.

    python -m testbed.guest.accel

Costs nothing without /dev/kvm, a stat and a small file when remembered, about a second where KVM works and at most LIMIT_S
where it does not. Needs the kernel and busybox only (`image.base`), so that it can run while the programs are being built.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed.guest import cache, initramfs, packages
from testbed.guest.command import BINARY, KERNEL_ARGUMENTS, Accelerator
from testbed.guest.image import Kernel, base

LIMIT_S = 6.0
KVM = Path("/dev/kvm")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MARK = b"testbed: user space"
INIT = f"#!/bin/sh\necho {MARK.decode()}\nexec /bin/busybox poweroff -f\n"


@dataclass(frozen=True)
class Probe:
    accelerator: Accelerator
    reason: str


def probe(kernel: Kernel | None = None) -> Probe:
    """The accelerator to use here. $TESTBED_ACCELERATOR (kvm or tcg) is believed without a look. Blocks for LIMIT_S at
    most, and for the download of the kernel when that is not there."""
    match os.environ.get("TESTBED_ACCELERATOR"):
        case "kvm":
            return Probe("kvm", "TESTBED_ACCELERATOR says so")
        case "tcg":
            return Probe("tcg", "TESTBED_ACCELERATOR says so")
    if not KVM.exists():
        return Probe("tcg", f"no {KVM}")
    if not os.access(KVM, os.R_OK | os.W_OK):
        return Probe("tcg", f"no permission for {KVM} (mend it with: usermod -aG kvm $USER)")
    kernel = kernel or base()
    key = _key(kernel)
    remembered = recall(_memory(), key)
    if remembered is None:
        with cache.locked(cache.cache_dir()):
            remembered = recall(_memory(), key)
            if remembered is None:
                remembered = try_kvm(kernel)
                cache.write_whole(
                    _memory(), json.dumps({"key": key, **asdict(remembered)}, indent=1).encode()
                )
    return remembered


def recall(memory: Path, key: dict[str, object]) -> Probe | None:
    """What was found for `key` before, if that is what the file is about."""
    try:
        document = json.loads(memory.read_bytes())
        if document["key"] == key and document["accelerator"] in ("kvm", "tcg"):
            return Probe(document["accelerator"], str(document["reason"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def try_kvm(kernel: Kernel, limit_s: float = LIMIT_S) -> Probe:
    """Boots a kernel under KVM as far as its first process."""
    archive = initramfs.archive(
        [
            initramfs.regular("init", INIT.encode(), executable=True),
            initramfs.regular("bin/busybox", (kernel.directory / "busybox").read_bytes(), executable=True),
            initramfs.symlink("bin/sh", "busybox"),
            initramfs.character_device("dev/console", 5, 1),
        ]
    )
    ramdisk = kernel.directory / "initramfs-probe.cpio"
    cache.write_whole(ramdisk, archive)
    command = [
        BINARY, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-machine", "q35", "-accel", "kvm",
        "-cpu", "host", "-m", "256M", "-kernel", str(kernel.image), "-initrd", str(ramdisk),
        "-append", KERNEL_ARGUMENTS, "-serial", "stdio",
    ]  # fmt: skip
    start = time.monotonic()
    try:
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s)
    except FileNotFoundError:
        return Probe("tcg", f"{BINARY} is not installed")
    except subprocess.TimeoutExpired as expired:
        return judge(None, expired.stdout or b"", expired.stderr or b"", limit_s)
    return judge(ran.returncode, ran.stdout, ran.stderr, time.monotonic() - start)


def judge(status: int | None, console: bytes, stderr: bytes, seconds: float) -> Probe:
    """From how the trial ended. `status` None: it had to be killed."""
    if MARK in console:
        return Probe("kvm", f"a kernel reached user space in {seconds:.1f} s")
    if status is None:
        return Probe("tcg", f"a kernel did not reach user space within {seconds:g} s under KVM")
    said = packages.last_line(stderr.decode(errors="replace"))
    return Probe("tcg", f"QEMU ended with status {status} under KVM: {said}")


def _memory() -> Path:
    return cache.cache_dir() / "accelerator.json"


def _key(kernel: Kernel) -> dict[str, object]:
    """What the answer depends on: this boot of this machine, QEMU's binary, the kernel that is booted."""
    binary = shutil.which(BINARY)
    stat = os.stat(binary) if binary else None
    return {
        "boot_id": BOOT_ID.read_text().strip(),
        "qemu": [binary, stat.st_size, stat.st_mtime_ns] if stat else None,
        "kernel": kernel.release,
    }


def main() -> int:
    start = time.monotonic()
    found = probe()
    print(f"{found.accelerator}: {found.reason} ({time.monotonic() - start:.2f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
