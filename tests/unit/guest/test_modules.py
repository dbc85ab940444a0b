"""Kernel modules: dependencies first, built-in ones left out, compressed ones read."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest
from testbed.guest.modules import MissingModule, canonical, dependencies, scan


def module(*needs: str) -> bytes:
    return b"\x7fELF....license=GPL\0depends=" + ",".join(needs).encode() + b"\0vermagic=6.1\0"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "usr" / "lib" / "modules" / "6.1"
    root.mkdir(parents=True)
    (root / "virtio_ring.ko").write_bytes(module())
    (root / "virtio.ko.xz").write_bytes(lzma.compress(module("virtio_ring")))
    (root / "net-failover.ko").write_bytes(module("af_packet"))
    (root / "virtio_net.ko").write_bytes(module("net-failover", "virtio", "virtio_ring"))
    (root / "modules.builtin").write_text("kernel/net/packet/af_packet.ko\n")
    return tmp_path


def test_dependencies_come_first_and_once(package: Path) -> None:
    order = scan(package).closure(["virtio_net", "virtio"])
    assert order == ["net_failover", "virtio_ring", "virtio", "virtio_net"]


def test_a_module_the_kernel_has_built_in_is_not_inserted(package: Path) -> None:
    assert "af_packet" not in scan(package).closure(["net_failover"])


def test_a_module_that_is_not_there_is_named(package: Path) -> None:
    with pytest.raises(MissingModule, match="vsock"):
        scan(package).closure(["vsock"])


def test_a_compressed_module_is_given_as_the_kernel_takes_it(package: Path) -> None:
    assert scan(package).load("virtio") == module("virtio_ring")


def test_names_are_spelt_as_the_kernel_spells_them() -> None:
    assert canonical("pvpanic-pci.ko.xz") == "pvpanic_pci"
    assert dependencies(module("pvpanic-core")) == ["pvpanic_core"]
    assert dependencies(module()) == []
    assert dependencies(b"no module at all") == []
