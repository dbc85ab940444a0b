"""The guest's kernel and initramfs: built once, found again in a few milliseconds.

    python -m testbed.guest.image [--agent FILE]

The kernel is Debian's cloud flavour (linux-image-cloud-amd64): the same sources as linux-image-amd64 with virtio, pvpanic
and uio_pci_generic, but 27 instead of 71 MB to download and with fewer drivers to initialise. From exec to init under TCG,
same machine: linux-image-amd64 as packaged (XZ) 4.2 s, cloud as packaged (LZ4) 1.8 s, cloud unpacked (vmlinux.py) 1.6 s. The
initramfs is uncompressed: a few megabytes that QEMU copies by DMA.

Both are content-addressed: an initramfs is named after the hash of the recipe and of the agent, so that several builds
(release, debug) share a cache and nothing needs invalidating.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from testbed.guest import cache, initramfs, modules, packages, vmlinux

KERNEL = "linux-image-cloud-amd64"
BUSYBOX = "busybox-static"
# What busybox has not and scenarios call: ethtool, and the libraries it is linked to. Package -> its files in the guest.
TOOLS = {
    "ethtool": ("sbin/ethtool",),
    "libmnl0": ("usr/lib/x86_64-linux-gnu/libmnl.so.0",),
    "libc6": (
        "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
        "lib/x86_64-linux-gnu/libc.so.6",
        "lib/x86_64-linux-gnu/libm.so.6",
    ),
}
# Part of every name in the cache: raise it when what is extracted or how the archive is put together changes.
RECIPE = "3"
KEPT_INITRAMFS = 8
MODULE_DIR = "lib/modules"

Say = Callable[[str], None]


class ImageError(Exception):
    """One line: what is missing, and the command that supplies it."""


@dataclass(frozen=True)
class Kernel:
    """An extracted kernel: `release` as uname -r says it, `image` what QEMU boots."""

    release: str
    image: Path
    directory: Path


@dataclass(frozen=True)
class Image:
    kernel: Kernel
    initramfs: Path


def build(agent: Path | None = None, say: Say = lambda text: None) -> Image:
    """The image with `agent` as init; built when the cache does not have it. ImageError, packages.PackageError."""
    kernel = base(say)
    binary = agent or default_agent()
    try:
        program = binary.read_bytes()
    except OSError as error:
        raise ImageError(
            f"the guest's agent cannot be read ({error}); build it: ninja -C build/release testbed-agent"
        ) from None
    final = kernel.directory / f"initramfs-{_digest(program)}.cpio"
    if not final.exists():
        with cache.locked(cache.cache_dir()):
            if not final.exists():
                say(f"building the initramfs ({final.name})")
                cache.write_whole(final, assemble(kernel, program))
                _prune(kernel.directory)
    return Image(kernel, final)


def base(say: Say = lambda text: None) -> Kernel:
    """Kernel, modules and busybox, extracted; downloaded when the cache does not have them."""
    selection = hashlib.sha256("/".join(modules.BOOT + modules.ON_DEMAND).encode()).hexdigest()[:8]
    directory = cache.cache_dir() / f"base-{RECIPE}-{selection}"
    if not directory.exists():
        with cache.locked(cache.cache_dir()):
            cache.remove_leftovers(cache.cache_dir())
            if not directory.exists():
                _fetch(directory, say)
    release = (directory / "release").read_text().strip()
    unpacked = directory / "vmlinux"
    return Kernel(release, unpacked if unpacked.exists() else directory / "vmlinuz", directory)


def assemble(kernel: Kernel, agent: bytes) -> bytes:
    """The initramfs: the agent as init, busybox for what a scenario executes, modules in the order of insertion."""
    tree = modules.scan(kernel.directory / "modules")
    boot = tree.closure(modules.BOOT)
    every = tree.closure(modules.BOOT + modules.ON_DEMAND)
    place = f"{MODULE_DIR}/{kernel.release}"
    entries = [
        initramfs.regular("init", agent, executable=True),
        initramfs.regular("bin/busybox", (kernel.directory / "busybox").read_bytes(), executable=True),
        initramfs.symlink("bin/sh", "busybox"),
        initramfs.symlink("lib64", "lib/x86_64-linux-gnu"),  # where programs look for the dynamic linker
        initramfs.character_device("dev/console", 5, 1),
        initramfs.regular(f"{MODULE_DIR}/boot", "".join(f"{name}\n" for name in boot).encode()),
        initramfs.regular(f"{place}/modules.dep", _modules_dep(tree, every).encode()),
        *(
            initramfs.directory(path)
            for path in ("etc", "proc", "root", "run", "sbin", "sys", "tmp", "usr/bin", "usr/sbin")
        ),
        *(initramfs.regular(f"{place}/{name}.ko", tree.load(name)) for name in every),
        *(_tool(kernel.directory / "tools", path) for paths in TOOLS.values() for path in paths),
    ]
    return initramfs.archive(entries)


def default_agent() -> Path:
    """The agent of the build in use ($TESTBED_BUILD), or of the release build: sanitizers do not link statically."""
    builds = [Path(os.environ["TESTBED_BUILD"])] if os.environ.get("TESTBED_BUILD") else []
    places = [
        build / "emu" / "guest" / "testbed-agent"
        for build in (*builds, cache.REPOSITORY / "build" / "release")
    ]
    return next((place for place in places if place.exists()), places[-1])


def _fetch(directory: Path, say: Say) -> None:
    work = cache.cache_dir()
    apt = packages.Apt(work / "apt", say)
    debs = work / "debs"
    name = apt.resolve(KERNEL)
    kernel = apt.download(name, debs)
    busybox = apt.download(BUSYBOX, debs)
    with cache.directory_when_complete(directory) as scratch:
        say(f"extracting {kernel.name}")
        unpacked = scratch / "unpacked"
        packages.extract(kernel, unpacked)
        packages.extract(busybox, unpacked)
        shutil.copy(next(unpacked.glob("boot/vmlinuz-*")), scratch / "vmlinuz")
        shutil.copy(
            next(path for path in unpacked.glob("**/bin/busybox") if path.is_file()), scratch / "busybox"
        )
        _unpack_kernel(scratch, apt, debs, say)
        _keep_modules(unpacked, scratch / "modules")
        _keep_tools(apt, debs, scratch / "tools")
        (scratch / "release").write_text(name.removeprefix("linux-image-") + "\n")
        (scratch / "packages").write_text(f"{kernel.name}\n{busybox.name}\n")
        shutil.rmtree(unpacked)
    shutil.rmtree(debs, ignore_errors=True)


def _keep_tools(apt: packages.Apt, debs: Path, into: Path) -> None:
    """Copies TOOLS; a package may keep a file under /usr that the guest expects at the root (Debian 13 merged the two)."""
    for package, paths in TOOLS.items():
        unpacked = debs / f"{package}.unpacked"
        packages.extract(apt.download(package, debs), unpacked)
        for path in paths:
            places = [unpacked / path, unpacked / "usr" / path]
            source = next((place for place in places if place.exists()), None)
            if source is None:
                raise packages.PackageError(f"{package}: the package has no {path}")
            (into / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, into / path)


def _tool(tools: Path, path: str) -> initramfs.Entry:
    return initramfs.regular(path, (tools / path).read_bytes(), executable=True)


def _unpack_kernel(directory: Path, apt: packages.Apt, debs: Path, say: Say) -> None:
    """vmlinuz -> vmlinux. A kernel that cannot be unpacked is booted as it is: slower, and no reason to stop."""
    try:
        packed = vmlinux.payload((directory / "vmlinuz").read_bytes())
        tool = vmlinux.tool_for(packed)
        program = _program(tool, apt, debs) if tool else None
        (directory / "vmlinux").write_bytes(vmlinux.unpack(packed, program))
        (directory / "vmlinuz").unlink()
    except (vmlinux.NotUnpacked, packages.PackageError) as error:
        say(f"booting the kernel packed: {error}")


def _program(name: str, apt: packages.Apt, debs: Path) -> Path:
    """An installed program, or one out of its package (lz4 and zstd need only libraries that apt itself needs)."""
    installed = shutil.which(name)
    if installed:
        return Path(installed)
    packages.extract(apt.download(name, debs), debs / name)
    return debs / name / "usr" / "bin" / name


def _keep_modules(unpacked: Path, into: Path) -> None:
    """Copies the modules the guest may insert, and the list of those that are built in."""
    tree = modules.scan(unpacked)
    into.mkdir()
    for name in tree.closure(modules.BOOT + modules.ON_DEMAND):
        shutil.copy(tree.files[name], into)
    shutil.copy(next(unpacked.rglob("modules.builtin")), into)


def _modules_dep(tree: modules.ModuleTree, names: list[str]) -> str:
    """What busybox's modprobe reads: "name.ko: every dependency, the nearest first"."""
    lines = []
    for name in names:
        needed = reversed(tree.closure([name])[:-1])
        lines.append(f"{name}.ko: {' '.join(f'{other}.ko' for other in needed)}".rstrip() + "\n")
    return "".join(lines)


def _prune(directory: Path) -> None:
    """Keeps the newest few initramfs: every change of the agent makes another."""
    built = sorted(directory.glob("initramfs-*.cpio"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in built[KEPT_INITRAMFS:]:
        old.unlink(missing_ok=True)


def _digest(data: bytes) -> str:
    recipe = b"".join(Path(module.__file__ or "").read_bytes() for module in (initramfs, modules))
    return hashlib.sha256(recipe + Path(__file__).read_bytes() + data).hexdigest()[:16]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m testbed.guest.image", description="build the guest's image"
    )
    parser.add_argument("--agent", type=Path, help="the static testbed-agent (default: of the build in use)")
    parser.add_argument(
        "--base", action="store_true", help="kernel, modules and busybox only: needs no agent"
    )
    options = parser.parse_args()

    def say(text: str) -> None:
        print(f"guest image: {text}", file=sys.stderr, flush=True)

    try:
        if options.base:
            print(base(say).directory)
        else:
            image = build(options.agent, say)
            print(f"{image.kernel.image}\n{image.initramfs}")
    except (ImageError, packages.PackageError, modules.MissingModule) as error:
        say(str(error))
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
