"""Makes of the lab's kernel and root a machine that tests can use: file systems, modules, accounts, udev."""

from __future__ import annotations

import os
import pwd
import subprocess
import time
from pathlib import Path
from typing import Final

from tools.lab.messages import MARK, PORT

_SECONDS: Final = 120
_PORTS: Final = Path("/sys/class/virtio-ports")

_MOUNTS: Final = (
    ("devpts", "/dev/pts", "mode=620,ptmxmode=666"),
    ("tmpfs", "/dev/shm", "mode=1777"),
    ("cgroup2", "/sys/fs/cgroup", ""),
    ("securityfs", "/sys/kernel/security", ""),
    ("configfs", "/sys/kernel/config", ""),
    ("hugetlbfs", "/dev/hugepages", ""),
)
#: What no hardware asks for: the kernel loads the rest by itself, through udev or at first use.
_MODULES: Final = (
    *("configfs", "loop", "dm-mod", "8021q", "bridge", "veth", "dummy", "tun", "vhost_net", "macvtap", "vfio-pci"),
)
#: Whose devices udev hears of again. The many terminals and processors are left out: each event takes its time.
_SUBSYSTEMS: Final = ("pci", "usb", "net", "block", "scsi", "scsi_host", "virtio", "virtio-ports", "misc", "cpu")
#: Accounts that services of packages expect, which are unpacked and not installed.
_ACCOUNTS: Final = ("_rpc", "statd", "messagebus", "systemd-network")
_FOLDERS: Final = ("/run/lock", "/run/lvm", "/run/rpcbind", "/run/sendsigs.omit.d", "/var/lib/nfs/rpc_pipefs")


def prepare() -> None:
    """All of it. Raises OSError and subprocess errors: without these the tests would only fail less clearly."""
    os.umask(0o022)
    for folder in _FOLDERS:
        os.makedirs(folder, exist_ok=True)
    Path("/proc/sys/kernel/modprobe").write_text("/sbin/modprobe")
    _run("modprobe", "--all", *_MODULES)
    for kind, place, options in _MOUNTS:
        os.makedirs(place, exist_ok=True)
        _run("mount", "-t", kind, *(["-o", options] if options else []), kind, place)
    controllers = Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
    Path("/sys/fs/cgroup/cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
    _accounts()
    Path("/etc/mtab").unlink(missing_ok=True)
    os.symlink("/proc/self/mounts", "/etc/mtab")
    _run("ip", "link", "set", "lo", "up")
    _run("hostname", "lab")
    Path("/etc/hosts").write_text("127.0.0.1 localhost lab\n::1 localhost\n")
    _devices()
    Path(MARK).touch()


def message_port() -> Path:
    """The device of the port to the host. Raises FileNotFoundError."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        for port in _PORTS.iterdir():
            device = Path("/dev", port.name)
            if (port / "name").exists() and (port / "name").read_text().strip() == PORT and device.exists():
                return device
        time.sleep(0.1)
    raise FileNotFoundError(f"there is no port {PORT}")


def _accounts() -> None:
    known = {entry.pw_name for entry in pwd.getpwall()}
    with open("/etc/passwd", "a", encoding="ascii") as accounts:
        for number, name in enumerate(_ACCOUNTS, 790):
            if name not in known:
                accounts.write(f"{name}:x:{number}:65534::/nonexistent:/usr/sbin/nologin\n")


def _devices() -> None:
    """Let udev load the drivers of the hardware and name it; LVM waits for what udev says of new devices."""
    _run("/lib/systemd/systemd-udevd", "--daemon")
    _run("udevadm", "trigger", "--action=add", *(f"--subsystem-match={name}" for name in _SUBSYSTEMS))
    _run("udevadm", "settle", "--timeout", str(_SECONDS))


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, timeout=_SECONDS)
