"""QEMU's command line: what each version, accelerator, role and ring needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from testbed.guest.command import (
    GuestOptions,
    Host,
    QemuMissing,
    QemuVersion,
    command,
    interrupt_vectors,
    memory_kb,
    reconnect,
)

BOOKWORM = QemuVersion(7, 2, 22)
TRIXIE = QemuVersion(10, 0, 2)
OPTIONS = GuestOptions("g1", Path("/run/p,1.sock"), "client", "02:00:00:00:00:01")
HOST = Host(BOOKWORM, "tcg", Path("/c/vmlinux"), Path("/c/initramfs"), Path("/run/g1.console"), 7, 8)


def value(line: list[str], option: str, containing: str = "") -> str:
    return next(line[n + 1] for n, word in enumerate(line) if word == option and containing in line[n + 1])


def test_the_version_is_read_from_what_both_releases_print() -> None:
    assert QemuVersion.parse("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n") == BOOKWORM
    assert QemuVersion.parse("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)") == TRIXIE
    assert QemuVersion(9, 2) > BOOKWORM
    with pytest.raises(QemuMissing, match="not a QEMU"):
        QemuVersion.parse("bash: not found")


def test_msix_is_avoided_exactly_where_qemu_crashes_with_it() -> None:
    assert interrupt_vectors(BOOKWORM, "tcg", 1) == 0
    assert interrupt_vectors(QemuVersion(9, 2), "tcg", 4) == 0
    assert interrupt_vectors(BOOKWORM, "kvm", 4) == 10
    assert interrupt_vectors(TRIXIE, "tcg", 4) == 10


def test_memory_is_not_taken_64_pages_at_a_time_exactly_where_qemu_then_loses_some() -> None:
    assert memory_kb(BOOKWORM, "tcg", 128) == 128 * 1024 + 8
    assert memory_kb(BOOKWORM, "kvm", 128) == memory_kb(QemuVersion(9, 0), "tcg", 128) == 128 * 1024
    line = command(OPTIONS, HOST)
    assert value(line, "-m") == "262152K"
    assert "size=262152K," in value(line, "-object")


def test_reconnecting_is_as_quick_as_the_version_can() -> None:
    assert reconnect(BOOKWORM, 10) == "reconnect=1"
    assert reconnect(QemuVersion(9, 2), 10) == "reconnect-ms=10"
    assert reconnect(BOOKWORM, 3000) == "reconnect=3"


def test_the_client_reconnects_and_the_server_listens() -> None:
    client = value(command(OPTIONS, HOST), "-chardev", "id=port")
    assert client == "socket,id=port,path=/run/p,,1.sock,reconnect=1"
    server = value(command(replace(OPTIONS, role="server"), HOST), "-chardev", "id=port")
    assert server == "socket,id=port,path=/run/p,,1.sock,server=on,wait=off"


def test_the_ring_is_packed_only_when_asked_for() -> None:
    assert "packed=off" in value(command(OPTIONS, HOST), "-device", "virtio-net-pci")
    assert "packed=on" in value(command(replace(OPTIONS, ring="packed"), HOST), "-device", "virtio-net-pci")


def test_several_queues_need_mq_on_both_ends() -> None:
    line = command(replace(OPTIONS, queues=4), replace(HOST, version=TRIXIE))
    assert value(line, "-netdev") == "vhost-user,id=net0,chardev=port,queues=4"
    device = value(line, "-device", "virtio-net-pci").split(",")
    assert {"mq=on", "vectors=10"} <= set(device)
    assert "mq=off" in value(command(OPTIONS, HOST), "-device", "virtio-net-pci")


def test_memory_is_shared_and_of_one_size() -> None:
    line = command(replace(OPTIONS, memory_mb=384), HOST)
    assert value(line, "-m") == "393224K"
    assert value(line, "-object") == "memory-backend-memfd,id=mem,size=393224K,share=on"
    assert "memory-backend=mem" in value(line, "-machine")


def test_kvm_gets_the_hosts_cpu_and_tcg_threads() -> None:
    kvm = command(OPTIONS, replace(HOST, accelerator="kvm"))
    assert (value(kvm, "-accel"), value(kvm, "-cpu")) == ("kvm", "host")
    assert value(command(OPTIONS, HOST), "-accel") == "tcg,thread=multi"


def test_what_a_scenario_adds_comes_last_and_wins() -> None:
    options = replace(
        OPTIONS, mtu=9000, device={"vectors": "3"}, kernel_arguments="debug", extra=("-cpu", "qemu64")
    )
    line = command(options, HOST)
    device = value(line, "-device", "virtio-net-pci").split(",")
    assert {"host_mtu=9000", "vectors=3"} <= set(device)
    assert "vectors=0" not in device
    assert value(line, "-append").endswith(" debug")
    assert line[-2:] == ["-cpu", "qemu64"]
