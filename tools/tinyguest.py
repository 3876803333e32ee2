"""Builds the tiny Linux guest that the demo and the tests boot: Debian's cloud kernel and busybox.

usage: tinyguest.py FOLDER [--agent] [--arch x86_64|aarch64|s390x | --full]

Makes `FOLDER/vmlinuz`, `FOLDER/initrd.gz` and `FOLDER/disk.qcow2`; with `--agent` also `FOLDER/initrd-agent.gz`, which
has the QEMU guest agent in it. The parts are Debian packages, downloaded with apt and unpacked without being
installed, so that no root is needed. A part that is there already is not made again. With `--full` the kernel is
Debian's full one, which has drivers for what a cloud does not have: 9p, watchdogs, cryptography.

The guest logs in as `root` without a password on its first serial console, powers off on an ACPI power button, and
prints `TINYGUEST READY` when it is up.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Architecture:
    """What differs between guests: Debian's name, the kernel's package and the terminal of its first console."""

    debian: str
    kernel: str
    console: str


ARCHITECTURES = {
    "x86_64": Architecture("amd64", "linux-image-cloud-amd64", "ttyS0"),
    "aarch64": Architecture("arm64", "linux-image-cloud-arm64", "ttyAMA0"),
    "s390x": Architecture("s390x", "linux-image-s390x", "ttysclp0"),
}
#: Kernel modules of the guest, in loading order; what one needs stands before it.
MODULES = [
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
    "failover",
    "net_failover",
    "virtio_net",
    "virtio_console",
    "virtio_balloon",
    "rng-core",
    "virtio-rng",
    "button",
    "evdev",
    "scsi_common",
    "scsi_mod",
    "virtio_scsi",
    "libata",
    "libahci",
    "ahci",
    "sd_mod",
    "cdrom",
    "sr_mod",
]
#: Further modules of the guest with Debian's full kernel, which has drivers for what a cloud does not have.
FULL_MODULES = [
    "netfs",
    "fscache",
    "9pnet",
    "9pnet_virtio",
    "9p",
    "fuse",
    "virtiofs",
    "vsock",
    "vmw_vsock_virtio_transport_common",
    "vmw_vsock_virtio_transport",
    "watchdog",
    "i6300esb",
    "pvpanic",
    "pvpanic-pci",
    "crypto_engine",
    "virtio_crypto",
    "tpm",
    "tpm_tis_core",
    "tpm_tis",
    "tpm_crb",
]
FULL_KERNEL = "linux-image-amd64"
AGENT_PACKAGES = [
    "qemu-guest-agent",
    "libc6",
    "libcap2",
    "libglib2.0-0",
    "libpcre2-8-0",
    "libudev1",
    "libnuma1",
    "liburing2",
]

INIT = """#!/bin/sh
/bin/busybox mkdir -p /proc /sys /dev /run /tmp /etc
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
while read -r module; do insmod "/lib/modules/$module" 2>/dev/null; done </lib/modules/order
hostname tiny
ip link set lo up
for card in /sys/class/net/e*; do
    [ -e "$card" ] || continue
    card=$(basename "$card")
    ip link set "$card" up && udhcpc -q -n -t 3 -i "$card" >/dev/null 2>&1 &
done
[ -x /usr/sbin/qemu-ga ] && mkdir -p /var/run /var/log && (
    port=$(grep -l org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name 2>/dev/null | head -n 1)
    [ -n "$port" ] && exec /usr/sbin/qemu-ga -m virtio-serial -p "/dev/$(basename "$(dirname "$port")")" >/dev/null 2>&1
) &
acpid -c /etc/acpi -l /dev/null -p /run/acpid.pid 2>/dev/null
exec /bin/init
"""
INITTAB = """::sysinit:/bin/echo TINYGUEST READY
CONSOLE::respawn:/bin/getty -L 115200 CONSOLE vt100
::ctrlaltdel:/bin/reboot
::shutdown:/bin/sync
"""
FILES = {
    "etc/inittab": (INITTAB, 0o644),
    "etc/passwd": ("root::0:0:root:/root:/bin/sh\n", 0o644),
    "etc/group": ("root:x:0:\n", 0o644),
    "etc/issue": ("Tiny guest of Guesthouse, \\n \\l\n", 0o644),
    "etc/acpi/PWRF/00000080": ("#!/bin/sh\npoweroff\n", 0o755),
    "etc/udhcpc.script": ('#!/bin/sh\n[ "$1" = bound ] && ip addr add "$ip/$mask" dev "$interface"\nexit 0\n', 0o755),
    "usr/share/udhcpc/default.script": (
        '#!/bin/sh\n[ "$1" = bound ] && ip addr add "$ip/$mask" dev "$interface"\nexit 0\n',
        0o755,
    ),
    "init": (INIT, 0o755),
    "root/.keep": ("", 0o644),
}


def run(*argv: str, cwd: Path | None = None) -> str:
    """The output of a child process; its error text on failure."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise SystemExit(f"tinyguest: {' '.join(argv)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Packages:
    """Debian packages of one architecture, unpacked under `folder`.

    Those of another architecture than the machine's come through package lists of their own, so that the machine's
    package manager does not learn of it.
    """

    def __init__(self, debian: str, folder: Path) -> None:
        self._folder = folder
        self._options: list[str] = []
        if debian == run("dpkg", "--print-architecture").strip():
            return
        state = folder / "apt"
        for name in ("state/lists/partial", "cache/archives/partial"):
            (state / name).mkdir(parents=True, exist_ok=True)
        (state / "status").touch()
        for option in (
            f"Dir::State={state}/state",
            f"Dir::State::status={state}/status",
            f"Dir::Cache={state}/cache",
            f"APT::Architecture={debian}",
            f"APT::Architectures={debian}",
        ):
            self._options += ["-o", option]
        if not any((state / "state/lists").glob("*Packages*")):
            run("apt-get", *self._options, "-q", "update")

    def dependency(self, package: str, prefix: str) -> str:
        """The package that a meta package stands for."""
        for line in run("apt-cache", *self._options, "depends", "--important", package).splitlines():
            kind, _, name = line.strip().partition(": ")
            if kind == "Depends" and name.startswith(prefix):
                return name
        raise SystemExit(f"tinyguest: {package} depends on no {prefix}*; run `apt-get update` once and try again")

    def unpack(self, package: str) -> Path:
        """The files of a package."""
        target = self._folder / package
        if target.is_dir():
            return target
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            run("apt-get", *self._options, "download", "-q", package, cwd=Path(scratch))
            [archive] = Path(scratch).glob("*.deb")
            unpacked = Path(scratch) / "unpacked"
            run("dpkg-deb", "-x", str(archive), str(unpacked))
            unpacked.rename(target)
        return target


class Cpio:
    """A `newc` archive in the making; see the kernel's Documentation/driver-api/early-userspace/buffer-format.rst."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._names: set[str] = set()

    def _entry(self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        encoded = name.encode() + b"\0"
        fields = (len(self._names) + 1, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
        self._out.write(b"070701" + b"".join(b"%08x" % field for field in fields) + encoded)
        self._pad()
        self._out.write(data)
        self._pad()
        self._names.add(name)

    def _pad(self) -> None:
        self._out.write(b"\0" * (-self._out.tell() % 4))

    def folders(self, name: str) -> None:
        """The folders above `name`."""
        for parent in reversed(Path(name).parents):
            if str(parent) != "." and str(parent) not in self._names:
                self._entry(str(parent), stat.S_IFDIR | 0o755)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """A regular file."""
        self.folders(name)
        self._entry(name, stat.S_IFREG | mode, data)

    def device(self, name: str, major: int, minor: int) -> None:
        """A character device."""
        self.folders(name)
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def done(self) -> bytes:
        """The whole archive, compressed."""
        self._entry("TRAILER!!!", 0)
        return gzip.compress(self._out.getvalue(), 6, mtime=0)


def base_archive(kernel: Path, busybox: Path, console: str, modules: list[str]) -> bytes:
    """The initramfs with busybox and the kernel's modules."""
    archive = Cpio()
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", (busybox / "bin/busybox").read_bytes(), 0o755)
    archive.file("bin/sh", (busybox / "bin/busybox").read_bytes(), 0o755)
    found = {path.stem: path for path in (kernel / "lib/modules").rglob("*.ko")}
    order = [name for name in modules if name in found]
    for name in order:
        archive.file(f"lib/modules/{name}.ko", found[name].read_bytes())
    archive.file("lib/modules/order", "".join(f"{name}.ko\n" for name in order).encode())
    for name, (text, mode) in FILES.items():
        archive.file(name, text.replace("CONSOLE", console).encode(), mode)
    return archive.done()


def agent_archive(packages: list[Path]) -> bytes:
    """A second archive, for the end of the first: the guest agent and the libraries that it needs."""
    archive = Cpio()
    for package in packages:
        for path in sorted(package.rglob("*")):
            name = str(path.relative_to(package))
            wanted = name == "usr/sbin/qemu-ga" or ".so" in path.name
            if wanted and path.is_file() and "/gconv/" not in name and "/audit/" not in name:
                archive.file(
                    "lib64/ld-linux-x86-64.so.2" if path.name == "ld-linux-x86-64.so.2" else name,
                    path.read_bytes(),
                    0o755,
                )
    return archive.done()


def publish(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(data)
    temporary.rename(path)


def build(folder: Path, arch: Architecture, *, agent: bool) -> None:
    """Make what is missing in `folder`, and what another version of this file made."""
    (folder / "packages").mkdir(parents=True, exist_ok=True)
    packages = Packages(arch.debian, folder / "packages")
    recipe, stamp = hashlib.sha256(Path(__file__).read_bytes()).hexdigest(), folder / "recipe"
    if not stamp.exists() or stamp.read_text() != recipe:
        for name in ("initrd.gz", "initrd-agent.gz"):
            (folder / name).unlink(missing_ok=True)
        publish(stamp, recipe.encode())
    if not (folder / "initrd.gz").exists():
        kernel = packages.unpack(packages.dependency(arch.kernel, "linux-image-"))
        modules = [*MODULES, *(FULL_MODULES if arch.kernel == FULL_KERNEL else [])]
        archive = base_archive(kernel, packages.unpack("busybox-static"), arch.console, modules)
        publish(folder / "initrd.gz", archive)
        [image] = (kernel / "boot").glob("vmlinuz-*")
        shutil.copyfile(image, folder / "vmlinuz.new")
        (folder / "vmlinuz.new").rename(folder / "vmlinuz")
    if agent and not (folder / "initrd-agent.gz").exists():
        extra = agent_archive([packages.unpack(package) for package in AGENT_PACKAGES])
        publish(folder / "initrd-agent.gz", (folder / "initrd.gz").read_bytes() + extra)
    if not (folder / "disk.qcow2").exists():
        run("qemu-img", "create", "-q", "-f", "qcow2", str(folder / "disk.new"), "64M")
        (folder / "disk.new").rename(folder / "disk.qcow2")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Build the tiny Linux guest.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--agent", action="store_true", help="also build the image with the guest agent")
    parser.add_argument("--arch", choices=ARCHITECTURES, default="x86_64")
    parser.add_argument("--full", action="store_true", help="take the full kernel, for x86_64")
    options = parser.parse_args()
    if not shutil.which("apt-get"):
        sys.exit("tinyguest: needs apt-get and dpkg-deb (a Debian-family system)")
    os.umask(0o022)
    arch = ARCHITECTURES[options.arch]
    build(options.folder.absolute(), replace(arch, kernel=FULL_KERNEL) if options.full else arch, agent=options.agent)


if __name__ == "__main__":
    main()
