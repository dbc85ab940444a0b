"""The command line of a guest: a pure function of what is wanted and of the QEMU that is there."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

BINARY = "qemu-system-x86_64"
AGENT_PORT = "testbed.agent"

Accelerator = Literal["kvm", "tcg"]
Role = Literal["client", "server"]
Ring = Literal["split", "packed"]

# quiet: printing to an emulated UART costs more than booting does. nokaslr, cryptomgr.notests: 0.2 s of work under TCG that
# serves nobody here. tsc=reliable: a guest that is stopped on purpose must not lose its clock. nowatchdog and the suppressed
# RCU stalls: for the same reason they would report a fault of ours as one of the kernel. IPv6 is there but silent: no frame
# leaves that nobody asked for. panic=0: a guest that panicked stays, for pvpanic to report and for a person to look at.
KERNEL_ARGUMENTS = (
    "console=ttyS0 quiet nokaslr mitigations=off cryptomgr.notests tsc=reliable no_timer_check random.trust_cpu=on "
    "nowatchdog rcupdate.rcu_cpu_stall_suppress=1 ipv6.disable_ipv6=1 panic=0"
)


class QemuMissing(Exception):
    """No usable QEMU: one line with the command that supplies it."""


@dataclass(frozen=True, order=True)
class QemuVersion:
    major: int
    minor: int
    micro: int = 0

    @staticmethod
    def parse(text: str) -> QemuVersion:
        """From what `-version` prints. QemuMissing when it is something else."""
        found = re.search(r"version (\d+)\.(\d+)(?:\.(\d+))?", text)
        if found is None:
            raise QemuMissing(f"not a QEMU: {text.strip()[:80]!r}")
        return QemuVersion(*(int(part or 0) for part in found.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.micro}"


@functools.cache
def qemu_version(binary: str = BINARY) -> QemuVersion:
    try:
        said = subprocess.run([binary, "-version"], capture_output=True, text=True, timeout=20)
    except FileNotFoundError:
        raise QemuMissing(
            f"{binary} is not installed; mend it with: apt-get install qemu-system-x86"
        ) from None
    return QemuVersion.parse(said.stdout)


Offloads = Literal["all", "checksum", "none"]
_CUTTING = ("host_tso4", "host_tso6", "guest_tso4", "guest_tso6")
# Properties of virtio-net-pci that are turned off.
_LEFT_OUT: dict[Offloads, tuple[str, ...]] = {
    "all": (),
    "checksum": _CUTTING,
    "none": (*_CUTTING, "csum", "guest_csum"),
}


@dataclass(frozen=True)
class GuestOptions:
    """What a scenario says about a guest. `role` is the frontend's own on the vhost-user socket."""

    name: str
    socket: Path
    role: Role
    mac: str
    ring: Ring = "split"
    queues: int = 1
    memory_mb: int = 256
    cpus: int = 1
    rx_queue_size: int = 1024
    tx_queue_size: int = 256
    mtu: int | None = None
    reconnect_ms: int = 10  # client role; QEMU before 9.2 knows whole seconds and gets 1
    offloads: Offloads = "all"
    device: Mapping[str, str] = field(default_factory=dict)  # further properties of virtio-net-pci
    kernel_arguments: str = ""
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Host:
    """What the guest runs on. The three channels are file descriptors (or numbers standing for them) that QEMU inherits."""

    version: QemuVersion
    accelerator: Accelerator
    kernel: Path
    initramfs: Path
    console: Path
    monitor_fd: int
    agent_fd: int
    binary: str = BINARY


def command(options: GuestOptions, host: Host) -> list[str]:
    return [
        host.binary,
        *_machine(options, host),
        *_boot(options, host),
        *_channels(host),
        *_network(options, host),
        *options.extra,
    ]


def interrupt_vectors(version: QemuVersion, accelerator: Accelerator, queues: int) -> int:
    """MSI-X vectors of the device; 0 is INTx. QEMU before 10 crashes under TCG in msix_set_vector_notifiers when a driver
    starts a vhost-user device with MSI-X: it uses irqfds that only KVM has."""
    if accelerator == "tcg" and version < QemuVersion(10, 0):
        return 0
    return 2 * queues + 2  # each queue, the control queue, configuration changes


def reconnect(version: QemuVersion, interval_ms: int) -> str:
    """The chardev's option: milliseconds since 9.2, whole seconds before."""
    if version >= QemuVersion(9, 2):
        return f"reconnect-ms={interval_ms}"
    return f"reconnect={max(1, round(interval_ms / 1000))}"


def memory_kb(version: QemuVersion, accelerator: Accelerator, memory_mb: int) -> int:
    """QEMU before 9.0 loses pages that a vCPU of TCG dirties during migration: when it takes over the dirty bitmap it
    does not tell the vCPUs, which go on writing unmarked what their TLB says is dirty already ("physmem: Fix migration
    dirty bitmap coherency with TCG memory access"). Only where the bitmap is taken 64 pages at a time, which it is not
    of memory that is no multiple of so many: 8 KiB are added, the least that a machine's memory can grow by."""
    if accelerator == "tcg" and version < QemuVersion(9, 0):
        return memory_mb * 1024 + 8
    return memory_mb * 1024


def _machine(options: GuestOptions, host: Host) -> list[str]:
    size = f"{memory_kb(host.version, host.accelerator, options.memory_mb)}K"
    accelerator = "tcg,thread=multi" if host.accelerator == "tcg" else "kvm"
    return [
        "-name", f"guest={options.name},debug-threads=on",
        "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "q35,vmport=off,memory-backend=mem",
        "-accel", accelerator,
        "-cpu", "max" if host.accelerator == "tcg" else "host",
        "-smp", str(options.cpus),
        "-m", size,
        "-object", f"memory-backend-memfd,id=mem,size={size},share=on",
        "-device", "pvpanic-pci",
        "-action", "panic=pause",
    ]  # fmt: skip


def _boot(options: GuestOptions, host: Host) -> list[str]:
    return [
        "-kernel", str(host.kernel),
        "-initrd", str(host.initramfs),
        "-append", f"{KERNEL_ARGUMENTS} {options.kernel_arguments}".rstrip(),
    ]  # fmt: skip


def _channels(host: Host) -> list[str]:
    return [
        "-chardev", f"file,id=console,path={_escape(host.console)},append=on",
        "-serial", "chardev:console",
        "-chardev", f"socket,id=monitor,fd={host.monitor_fd}",
        "-mon", "chardev=monitor,mode=control",
        "-chardev", f"socket,id=agent,fd={host.agent_fd}",
        "-device", "virtio-serial-pci",
        "-device", f"virtserialport,chardev=agent,name={AGENT_PORT}",
    ]  # fmt: skip


def _network(options: GuestOptions, host: Host) -> list[str]:
    role = "server=on,wait=off" if options.role == "server" else reconnect(host.version, options.reconnect_ms)
    device = {
        "netdev": "net0",
        "mac": options.mac,
        "packed": "on" if options.ring == "packed" else "off",
        "mq": "on" if options.queues > 1 else "off",
        "vectors": str(interrupt_vectors(host.version, host.accelerator, options.queues)),
        "rx_queue_size": str(options.rx_queue_size),
        "tx_queue_size": str(options.tx_queue_size),
        "disable-legacy": "on",  # virtio 1; packed rings need it
        "romfile": "",  # the boot ROM would be loaded into memory and do nothing
        **({"host_mtu": str(options.mtu)} if options.mtu else {}),
        **dict.fromkeys(_LEFT_OUT[options.offloads], "off"),
        **options.device,
    }
    return [
        "-chardev", f"socket,id=port,path={_escape(options.socket)},{role}",
        "-netdev", f"vhost-user,id=net0,chardev=port,queues={options.queues}",
        "-device", ",".join(["virtio-net-pci", *(f"{key}={value}" for key, value in device.items())]),
    ]  # fmt: skip


def _escape(path: Path) -> str:
    """QEMU's option syntax: a comma in a value is written twice."""
    return str(path).replace(",", ",,")
