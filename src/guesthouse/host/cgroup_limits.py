"""What a control group grants and forbids: processor time, processors, memory, disks. One place for both versions.

Units are libvirt's: microseconds for periods and quotas (-1: no quota), KiB for memory, `UNLIMITED` for no limit.

Files: the kernel's `admin-guide/cgroup-v1` and `admin-guide/cgroup-v2.rst`. Ranges: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

import os
import stat
from typing import Final

from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, OperationInvalidError, Origin
from guesthouse.host.cgroups import Group

#: `VIR_DOMAIN_MEMORY_PARAM_UNLIMITED`: a limit that is none, in KiB.
UNLIMITED: Final = 9007199254740991

#: The longest quota that can be asked for, and what stands for none in version 2, in microseconds.
QUOTA_MAX: Final = 17592186044415
_NO_QUOTA: Final = 18446744073709551

_WEIGHTS: Final = (1, 10000)

#: What the disks' limits are called: in the kernel's version 1, and in version 2's `io.max`.
DEVICE_LIMITS: Final = {
    "device_read_iops_sec": ("blkio.throttle.read_iops_device", "riops"),
    "device_write_iops_sec": ("blkio.throttle.write_iops_device", "wiops"),
    "device_read_bytes_sec": ("blkio.throttle.read_bps_device", "rbps"),
    "device_write_bytes_sec": ("blkio.throttle.write_bps_device", "wbps"),
}

_MEMORY_FILES: Final = {
    "hard_limit": ("memory.limit_in_bytes", "memory.max"),
    "soft_limit": ("memory.soft_limit_in_bytes", "memory.high"),
    "swap_hard_limit": ("memory.memsw.limit_in_bytes", "memory.swap.max"),
}


def cpu_shares(group: Group) -> int:
    """The group's share of the host's processors, against its neighbours."""
    return int(group.read("cpu", "cpu.shares" if group.version("cpu") == 1 else "cpu.weight"))


def set_cpu_shares(group: Group, shares: int) -> None:
    """Change the share. Version 2 knows 1 to 10000. Raises `InvalidArgumentError`, `CgroupError`."""
    if group.version("cpu") == 1:
        group.write("cpu", "cpu.shares", shares)
        return
    low, high = _WEIGHTS
    if not low <= shares <= high:
        raise InvalidArgumentError(f"shares '{shares}' must be in range [{low}, {high}]", domain=Origin.CGROUP)
    group.write("cpu", "cpu.weight", shares)


def bandwidth(group: Group) -> tuple[int, int]:
    """Period and quota: so much time in each period."""
    if group.version("cpu") == 1:
        return int(group.read("cpu", "cpu.cfs_period_us")), int(group.read("cpu", "cpu.cfs_quota_us"))
    quota, period = group.read("cpu", "cpu.max").split()
    return int(period), _NO_QUOTA if quota == "max" else int(quota)


def set_period(group: Group, period: int) -> None:
    """Change the period and keep the quota."""
    if group.version("cpu") == 1:
        group.write("cpu", "cpu.cfs_period_us", period)
    else:
        group.write("cpu", "cpu.max", f"{group.read('cpu', 'cpu.max').split()[0]} {period}")


def set_quota(group: Group, quota: int) -> None:
    """Change the quota and keep the period; a negative one is none."""
    none = quota < 0 or quota == QUOTA_MAX
    if group.version("cpu") == 1:
        group.write("cpu", "cpu.cfs_quota_us", -1 if none else quota)
    else:
        group.write("cpu", "cpu.max", "max" if none else quota)


def set_bandwidth(group: Group, period: int | None, quota: int | None) -> None:
    """Change what is given; where the second step fails, the first is taken back."""
    if not period and not quota:
        return
    before, _ = bandwidth(group)
    if period:
        set_period(group, period)
    if quota:
        try:
            set_quota(group, quota)
        except LibvirtError:
            set_period(group, before)
            raise


def set_cpus(group: Group, cpus: str) -> None:
    """The host's processors that may be used, as `0-3,7`."""
    group.write("cpuset", "cpuset.cpus", cpus)


def set_mems(group: Group, nodes: str) -> None:
    """The host's memory nodes that may be used."""
    group.write("cpuset", "cpuset.mems", nodes)


def migrate_memory(group: Group) -> None:
    """Let memory follow when the nodes change; version 2 does so always."""
    if group.version("cpuset") == 1:
        group.write("cpuset", "cpuset.memory_migrate", 1)


def memory_limit(group: Group, name: str) -> int:
    """One of `hard_limit`, `soft_limit`, `swap_hard_limit`, in KiB."""
    first, second = _MEMORY_FILES[name]
    text = group.read("memory", first if group.version("memory") == 1 else second)
    if text == "max":
        return UNLIMITED
    kib = int(text) >> 10
    return UNLIMITED if kib >= UNLIMITED - 4 else kib


def set_memory_limit(group: Group, name: str, kib: int) -> None:
    """Change a limit. Raises `InvalidArgumentError`, `CgroupError`."""
    if kib > UNLIMITED:
        raise InvalidArgumentError(f"Memory '{kib}' must be less than {UNLIMITED}", domain=Origin.CGROUP)
    first, second = _MEMORY_FILES[name]
    if group.version("memory") == 1:
        group.write("memory", first, -1 if kib == UNLIMITED else kib << 10)
    else:
        group.write("memory", second, "max" if kib == UNLIMITED else kib << 10)


def _weight_file(group: Group) -> str:
    """The file of the weight that this kernel has. Raises `OperationInvalidError`."""
    first = group.version("blkio") == 1
    for name in ("blkio.bfq.weight", "blkio.weight") if first else ("io.bfq.weight", "io.weight"):
        if group.file("blkio", name).exists():
            return name
    what = "blkio device weight" if first else "blkio weight"
    raise OperationInvalidError(f"{what} is valid only for bfq or cfq scheduler", domain=Origin.CGROUP)


def io_weight(group: Group) -> int:
    """The group's share of the disks' time."""
    text = group.read("blkio", _weight_file(group))
    return int(text.split()[1] if text.startswith("default") else text.split()[0])


def set_io_weight(group: Group, weight: int) -> None:
    """Change the share."""
    name = _weight_file(group)
    group.write("blkio", name, f"default {weight}" if name == "io.weight" else weight)


def device_number(path: str) -> str:
    """A block device as the kernel names it: `8:0`. Raises error 38."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise LibvirtError(
            f"Path '{path}' is not accessible: {error.strerror}", code=Code.SYSTEM_ERROR, domain=Origin.CGROUP
        ) from None
    if not stat.S_ISBLK(found.st_mode):
        raise LibvirtError(
            f"Path '{path}' must be a block device: Invalid argument", code=Code.SYSTEM_ERROR, domain=Origin.CGROUP
        )
    return f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"


def set_device_weight(group: Group, path: str, weight: int) -> None:
    """The group's share of one disk's time."""
    first = group.version("blkio") == 1
    names = ("blkio.bfq.weight_device", "blkio.weight_device") if first else ("io.bfq.weight", "io.weight")
    found = next((name for name in names if group.file("blkio", name).exists()), None)
    if found is None:
        raise OperationInvalidError("blkio device weight is valid only for bfq or cfq scheduler", domain=Origin.CGROUP)
    group.write("blkio", found, f"{device_number(path)} {weight}")


def set_device_limit(group: Group, name: str, path: str, value: int) -> None:
    """One of `DEVICE_LIMITS` for one disk; 0 is no limit."""
    first, second = DEVICE_LIMITS[name]
    device = device_number(path)
    if group.version("blkio") == 1:
        group.write("blkio", first, f"{device} {value}")
    else:
        group.write("blkio", "io.max", f"{device} {second}={value or 'max'}")
