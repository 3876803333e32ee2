"""The Debian packages of the lab, unpacked and not installed: their services start nowhere, and no root is needed.

What the host has installed is in the lab anyway; of the rest, every package is downloaded with what it depends on and
unpacked into one folder, which lies over the host's root in the lab.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from tools.tinyguest import FULL_KERNEL, Packages

#: What the tests use: volume groups, partitions, file systems, NFS, iSCSI, PCI, links and who configures them.
WANTED: Final = (
    "udev",
    "kmod",
    "lvm2",
    "parted",
    "fdisk",
    "e2fsprogs",
    "xfsprogs",
    "dosfstools",
    "nfs-kernel-server",
    "nfs-common",
    "rpcbind",
    "open-iscsi",
    "tgt",
    "libiscsi-bin",
    "multipath-tools",
    "pciutils",
    "ethtool",
    "iproute2",
    "nftables",
    "dbus",
    "network-manager",
    "ifupdown",
    "bridge-utils",
)
_SECONDS: Final = 300
#: How long a set of packages stays that is not the newest: no lab runs so long.
_KEPT_SECONDS: Final = 86400
_MERGED: Final = ("bin", "sbin", "lib", "lib64")


def boot_packages(folder: Path) -> tuple[Path, Path]:
    """Debian's full kernel and busybox, unpacked below `folder`; the modules are indexed, as modprobe needs it."""
    folder.mkdir(parents=True, exist_ok=True)
    packages = Packages(_output("dpkg", "--print-architecture").strip(), folder)
    unpacked = packages.unpack(packages.dependency(FULL_KERNEL, "linux-image-"))
    [modules] = (unpacked / "lib/modules").iterdir()
    if not (modules / "modules.dep.bin").exists():
        _output("/sbin/depmod", "-b", str(unpacked), modules.name)
    return unpacked, packages.unpack("busybox-static")


def overlay(folder: Path) -> Path:
    """The folder with what `WANTED` adds to this host's root. Each set has its own: another lab may run from it."""
    installed = _installed()
    missing = [name for name in WANTED if name not in installed]
    names = _with_dependencies(missing) if missing else []
    mark = hashlib.sha256("\n".join((Path(__file__).read_text(), *names)).encode()).hexdigest()
    root = folder / f"root-{mark[:16]}"
    if root.is_dir():
        return root
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("root*"):
        if old.is_dir() and time.time() - old.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        if names:
            print(f"lab: unpacking {' '.join(names)}", flush=True)
            _output("apt-get", "-q", "download", *names, cwd=scratch)
        unpacked = Path(scratch) / "root"
        unpacked.mkdir(mode=0o755)
        for archive in sorted(Path(scratch).glob("*.deb")):
            _output("dpkg-deb", "-x", str(archive), str(unpacked))
        _merge(unpacked)
        unpacked.touch()
        with contextlib.suppress(OSError):  # another one was quicker
            unpacked.rename(root)
    return root


def _merge(root: Path) -> None:
    """Move what packages have in /bin, /lib and so on below /usr: a folder would cover the host's link of that name."""
    for name in _MERGED:
        if not Path("/", name).is_symlink() or not (root / name).is_dir():
            continue
        for path in sorted((root / name).rglob("*")):
            target = root / "usr" / name / path.relative_to(root / name)
            if path.is_dir() and not path.is_symlink():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
        shutil.rmtree(root / name)


def _installed() -> set[str]:
    listed = _output("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n")
    return {name for status, _, name in (line.partition(" ") for line in listed.splitlines()) if status == "installed"}


def _with_dependencies(names: list[str]) -> list[str]:
    """`names`, and what they need that the host lacks or has in another version, each with its version."""
    said = _output("apt-get", "-s", "-q", "--no-install-recommends", "install", *names)
    wanted = []
    for line in said.splitlines():
        if line.startswith("Inst "):
            version = line.partition("(")[2].split()[0]
            wanted.append(f"{line.split()[1]}={version}")
    return sorted(wanted)


def _output(*argv: str, cwd: str | None = None) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise SystemExit(f"lab: {' '.join(argv)} failed: {said}\nlab: next: run `apt-get update` once and try again")
    return done.stdout
