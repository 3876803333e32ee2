"""The archive that the lab boots from: busybox, the modules of 9p, and a script that makes the host's root its own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from tools.tinyguest import Cpio

#: Modules that the first root needs, in loading order; the others come with modprobe from the second.
MODULES: Final = (
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_console",
    "netfs",
    "fscache",
    "9pnet",
    "9pnet_virtio",
    "9p",
    "overlay",
)

#: The size of the memory file system that takes what is written. `cache=loose` is right where nobody writes.
INIT: Final = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /bin
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
echo "lab: loading modules"
while read -r module; do insmod "/lib/modules/$module"; done </lib/modules/order
. /lab.conf
set -e
trap 'echo "lab: the host cannot be mounted as root"; poweroff -f' EXIT
mkdir -p /host /extra /upper /new
for share in host extra; do
    mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose "$share" "/$share"
done
mount -t tmpfs -o size=75%,mode=755 upper /upper
mkdir -m 755 /upper/data /upper/work
mount -t overlay -o lowerdir=/extra:/host,upperdir=/upper/data,workdir=/upper/work lab /new
mkdir -p /new/usr/lib/modules /new/proc /new/sys /new/dev /new/run /new/tmp
mount -o bind "/host$MODULES" /new/usr/lib/modules
mount -t tmpfs -o mode=755 run /new/run
mount -t tmpfs -o mode=1777 tmp /new/tmp
for place in proc sys dev; do mount -o move "/$place" "/new/$place"; done
echo "lab: the host's root is in place"
exec switch_root /new "$PYTHON" "$INSIDE"
"""


def build(kernel: Path, busybox: Path, settings: dict[str, str]) -> bytes:
    """The archive. `kernel` and `busybox` are unpacked packages; `settings` are what the script's variables are."""
    archive = Cpio()
    archive.device("dev/console", 5, 1)
    archive.file("bin/busybox", (busybox / "bin/busybox").read_bytes(), 0o755)
    found = {path.stem: path for path in (kernel / "lib/modules").rglob("*.ko")}
    order = [name for name in MODULES if name in found]
    for name in order:
        archive.file(f"lib/modules/{name}.ko", found[name].read_bytes())
    archive.file("lib/modules/order", "".join(f"{name}.ko\n" for name in order).encode())
    lines = (f"{name}={shlex.quote(value)}\n" for name, value in settings.items())
    archive.file("lab.conf", "".join(lines).encode())
    archive.file("init", INIT.encode(), 0o755)
    return archive.done()
