"""testbed doctor: what this machine can run, and the command that supplies what it lacks.

    python -m testbed.doctor [--json]

Three states: `ok`; `limited` (everything runs but what is named); `missing` (testbed does not run). Exit status 0, or 3
when anything is missing. Each probe reads the machine in one place and judges in another that tests can call.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from testbed.report import environment as machine
from testbed.run import openvswitch

State = Literal["ok", "limited", "missing"]

EXIT_OK, EXIT_LACKS = 0, 3
# What the code is written against (docs/architecture.md): Debian 12 has 22.11 and 7.2, Debian 13 has 24.11 and 10.0.
OLDEST_DPDK, OLDEST_QEMU = (22, 11), (7, 2)
# One port is a socket, its kicks and calls, and the gate's side of each: the 1000 ports of hot-ports come and go one
# after another, so that this is for a few dozen at a time.
FILES_WANTED = 1024
# Two polling processes and a guest of 256 MiB; emulated frontends alone need half.
MEMORY_WANTED_MB, MEMORY_NEEDED_MB = 1536, 512
DISK_WANTED_MB, DISK_NEEDED_MB = 2048, 256
# Sockets of a run stand in the run's directory or here; sun_path holds 107 octets (unix(7)), and names need 64.
RUNTIME_DIR_LONGEST = 43


@dataclass(frozen=True)
class Item:
    name: str
    state: State
    found: str
    means: str = ""  # what does not run because of it
    mend: str = ""  # the command that supplies it


def judge_packages(wanted: list[str], installed: set[str], root: bool) -> Item:
    missing = [name for name in wanted if name not in installed]
    if not missing:
        return Item("packages", "ok", f"all {len(wanted)} of ci/packages")
    command = f"apt-get install -y --no-install-recommends {' '.join(missing)}"
    mend = command if root else f"sudo {command}"
    return Item(
        "packages", "missing", f"{len(missing)} missing: {', '.join(missing)}", "nothing can be built", mend
    )


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def judge_version(name: str, found: str, oldest: tuple[int, int], means: str, mend: str) -> Item:
    wanted = ".".join(map(str, oldest))
    if not found:
        return Item(name, "missing", "not found", means, mend)
    if version_of(found) < oldest:
        return Item(name, "missing", f"{found}, older than {wanted}", means, mend)
    return Item(name, "ok", found)


def judge_hugepages(total: int, free: int, size_kb: int, root: bool) -> Item:
    if total:
        return Item("hugepages", "ok", f"{free} of {total} free, {size_kb} KiB each")
    command = "echo 512 > /proc/sys/vm/nr_hugepages"
    mend = command if root else f"echo 512 | sudo tee {command.split()[-1]}"
    return Item(
        "hugepages",
        "limited",
        "none",
        "scenarios that ask for them and the ovs-dpdk backend are skipped",
        mend,
    )


def judge_ovs(why_not: str, installed: bool, root: bool) -> Item:
    """Not needed by any test: a peer to compare with."""
    if installed:
        return Item("OVS-DPDK", "ok", why_not or "usable")
    install = f"apt-get install -y {openvswitch.PACKAGE}"
    means = "`run --backend ovs-dpdk` and its cases in `bench` are skipped"
    return Item("OVS-DPDK", "limited", "not installed", means, install if root else f"sudo {install}")


def judge_tun(exists: bool, root: bool) -> Item:
    means = "nic ports on a tap are skipped"
    if not exists:
        return Item("/dev/net/tun", "limited", "not there", means, "sudo modprobe tun")
    if not root:
        return Item("/dev/net/tun", "limited", "there, but taps need CAP_NET_ADMIN", means, "run as root")
    return Item("/dev/net/tun", "ok", "usable")


def judge_accelerator(kind: str, reason: str) -> Item:
    if kind == "kvm":
        return Item("accelerator", "ok", f"kvm: {reason}")
    return Item("accelerator", "limited", f"{kind or 'unknown'}: {reason}", "guests run under TCG, slower")


def judge_amount(name: str, have_mb: int, needed: int, wanted: int, means: str, mend: str) -> Item:
    found = f"{have_mb} MiB"
    if have_mb < needed:
        return Item(name, "missing", f"{found}, {needed} needed", "nothing runs", mend)
    if have_mb < wanted:
        return Item(name, "limited", f"{found}, {wanted} wanted", means, mend)
    return Item(name, "ok", found)


def judge_cores(count: int) -> Item:
    if count >= 2:
        return Item("cores", "ok", str(count))
    means = "switch and frontends share one: verdicts hold, rates and latencies say little"
    return Item(
        "cores", "limited", str(count), means, "give the machine a second CPU (or widen taskset's mask)"
    )


def judge_files(soft: int, hard: int) -> Item:
    name = "open files (ulimit -n)"
    if soft == resource.RLIM_INFINITY or soft >= FILES_WANTED:
        return Item(name, "ok", "unlimited" if soft == resource.RLIM_INFINITY else str(soft))
    enough = hard == resource.RLIM_INFINITY or hard >= FILES_WANTED
    mend = f"ulimit -n {FILES_WANTED}" if enough else "raise nofile in /etc/security/limits.conf"
    return Item(name, "limited", str(soft), "scenarios with dozens of ports run out of descriptors", mend)


def judge_memlock(soft: int, root: bool) -> Item:
    shown = "unlimited" if soft == resource.RLIM_INFINITY else f"{soft // 1024} KiB"
    if root or soft == resource.RLIM_INFINITY or soft >= 64 << 20:
        return Item("locked memory (ulimit -l)", "ok", shown)
    return Item(
        "locked memory (ulimit -l)", "ok", f"{shown}: pages may be swapped, which EAL warns of and survives"
    )


def judge_runtime_dir(path: str, writable: bool) -> Item:
    name = "XDG_RUNTIME_DIR"
    if not path:
        return Item(name, "ok", "not set: sockets stand in the run's directory or in /tmp")
    if len(os.fsencode(path)) > RUNTIME_DIR_LONGEST or not writable:
        why = (
            "not writable" if not writable else f"{len(os.fsencode(path))} octets, too long for sockets in it"
        )
        return Item(
            name, "limited", f"{path}: {why}", "sockets stand in /tmp instead", "unset XDG_RUNTIME_DIR"
        )
    return Item(name, "ok", path)


def judge_root(root: bool) -> Item:
    if root:
        return Item("root", "ok", "yes")
    return Item(
        "root",
        "limited",
        "no",
        "network namespaces, taps and setting hugepages up are skipped",
        "sudo ./testbed ...",
    )


def _packages(root: bool) -> Item:
    lines = machine.read(str(machine.PROJECT / "ci" / "packages")).splitlines()
    wanted = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
    listed = machine.output_of("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n")
    installed = {line.split()[1] for line in listed.splitlines() if line.startswith("installed ")}
    return judge_packages(wanted, installed, root)


def _accelerator() -> Item:
    """The probe boots a kernel once per boot of the machine; the first time it may have to fetch one."""
    from testbed.guest import accel

    found = accel.probe()
    return judge_accelerator(found.accelerator, found.reason)


def _huge(root: bool) -> Item:
    wanted = r"^(HugePages_Total|HugePages_Free|Hugepagesize):\s*(\d+)"
    values = dict(re.findall(wanted, machine.read("/proc/meminfo"), re.MULTILINE))
    total, free, size = (
        int(values.get(key, 0)) for key in ("HugePages_Total", "HugePages_Free", "Hugepagesize")
    )
    return judge_hugepages(total, free, size, root)


def _disk() -> Item:
    free = shutil.disk_usage(machine.PROJECT).free >> 20
    means = "long runs and the first build may fill it"
    return judge_amount(
        "disk", free, DISK_NEEDED_MB, DISK_WANTED_MB, means, f"free some space in {machine.PROJECT}"
    )


def _memory() -> Item:
    have = machine.memory_mb("MemAvailable")
    means = "scenarios with guests may run out of it"
    return judge_amount(
        "memory", have, MEMORY_NEEDED_MB, MEMORY_WANTED_MB, means, "end other programs, or add memory"
    )


def probes(root: bool) -> dict[str, Callable[[], Item]]:
    install = "apt-get install -y " if root else "sudo apt-get install -y "
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return {
        "packages": lambda: _packages(root),
        "DPDK": lambda: judge_version(
            "DPDK", machine.dpdk_version(), OLDEST_DPDK, "nothing can be built", install + "libdpdk-dev"
        ),
        "QEMU": lambda: judge_version(
            "QEMU", machine.qemu_version(), OLDEST_QEMU, "no guests", install + "qemu-system-x86"
        ),
        "accelerator": _accelerator,
        "hugepages": lambda: _huge(root),
        "root": lambda: judge_root(root),
        "OVS-DPDK": lambda: judge_ovs(openvswitch.why_not(), openvswitch.DAEMON.is_file(), root),
        "/dev/net/tun": lambda: judge_tun(Path("/dev/net/tun").exists(), root),
        "cores": lambda: judge_cores(len(os.sched_getaffinity(0))),
        "memory": _memory,
        "disk": _disk,
        "open files": lambda: judge_files(*resource.getrlimit(resource.RLIMIT_NOFILE)),
        "locked memory": lambda: judge_memlock(resource.getrlimit(resource.RLIMIT_MEMLOCK)[0], root),
        "XDG_RUNTIME_DIR": lambda: judge_runtime_dir(runtime, os.access(runtime, os.W_OK)),
    }


def examine(chosen: dict[str, Callable[[], Item]]) -> list[Item]:
    """A probe that breaks tells so and does not hide the others."""
    items = []
    for name, probe in chosen.items():
        try:
            items.append(probe())
        except Exception as error:  # noqa: BLE001
            reason = " ".join(str(error).split()) or type(error).__name__
            items.append(Item(name, "limited", "could not be found out", reason))
    return items


def doctor(as_json: bool = False, console: Console | None = None) -> int:
    items = examine(probes(os.geteuid() == 0))
    ready = all(item.state != "missing" for item in items)
    if as_json:
        print(json.dumps({"ready": ready, "items": [asdict(item) for item in items]}, indent=2))
    else:
        show(items, ready, console or Console(highlight=False))
    return EXIT_OK if ready else EXIT_LACKS


def show(items: list[Item], ready: bool, console: Console) -> None:
    unicode = console.encoding.lower().startswith("utf")
    styles = {"ok": "green", "limited": "yellow", "missing": "bold red"}
    table = Table(box=box.SIMPLE_HEAD if unicode else box.ASCII2, pad_edge=False, show_edge=False)
    for column in ("", "", "found"):
        table.add_column(column, overflow="fold")
    for item in items:
        found = Text(item.found)
        if item.means:
            found.append(f"\n{item.means}", style="dim")
        table.add_row(item.name, Text(item.state, style=styles[item.state]), found)
    console.print(table)
    mends = [item for item in items if item.mend and item.state != "ok"]
    if mends:
        console.print("\nTo supply what is missing or limited:")
    for item in mends:
        console.print(Text(f"  {item.mend}    # {item.name}"), soft_wrap=True)
    verdict = (
        "This machine can run testbed."
        if ready
        else "This machine lacks something testbed cannot do without."
    )
    console.print(f"\n{verdict}")


if __name__ == "__main__":
    sys.exit(doctor(as_json="--json" in sys.argv[1:]))
