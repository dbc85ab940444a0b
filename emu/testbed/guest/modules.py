"""Which kernel modules the guest needs, and in which order they must be inserted."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# Inserted at boot. pvpanic first: a panic while the others load is reported too.
BOOT = ("pvpanic_pci", "virtio_pci", "virtio_console", "virtio_net", "sch_mqprio")
# Present for whoever wants them: DPDK inside the guest, which binds virtio-pci devices to it.
ON_DEMAND = ("uio_pci_generic",)

# What modpost writes into .modinfo: "depends=a,b" between zero bytes. Nothing else in a module looks like that.
DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


class MissingModule(Exception):
    """The kernel package has no such module, neither as a file nor built in."""


@dataclass(frozen=True)
class ModuleTree:
    """The modules of one kernel. Names are spelt as the kernel spells them, with underscores."""

    files: Mapping[str, Path]
    builtin: frozenset[str]

    def load(self, name: str) -> bytes:
        """The module as the kernel's finit_module takes it (packages since Debian 13 compress it)."""
        path = self.files[name]
        data = path.read_bytes()
        return lzma.decompress(data) if path.suffix == ".xz" else data

    def closure(self, roots: Iterable[str]) -> list[str]:
        """`roots` and all they depend on, dependencies first; what is built in needs no insertion."""
        order: list[str] = []
        for root in roots:
            self._visit(root, order)
        return order

    def _visit(self, name: str, order: list[str]) -> None:
        if name in order or name in self.builtin:
            return
        if name not in self.files:
            raise MissingModule(f"the kernel package has no module {name}")
        for dependency in dependencies(self.load(name)):
            self._visit(dependency, order)
        order.append(name)


def dependencies(module: bytes) -> list[str]:
    """The names in a module's `depends=` (module: the ELF file's bytes)."""
    found = DEPENDS.search(module)
    return [canonical(name) for name in found[1].decode().split(",") if name] if found else []


def canonical(name: str) -> str:
    """pvpanic-pci.ko.xz -> pvpanic_pci"""
    return name.split(".", 1)[0].replace("-", "_")


def scan(root: Path) -> ModuleTree:
    """The modules under an extracted kernel package (lib/modules or, since Debian 13, usr/lib/modules)."""
    files = {canonical(path.name): path for path in sorted(root.rglob("*.ko*"))}
    builtin = {
        canonical(Path(line).name)
        for listing in root.rglob("modules.builtin")
        for line in listing.read_text().splitlines()
    }
    return ModuleTree(files, frozenset(builtin))
