"""Where a guest's memory lies on the host: directories for files and huge pages, NUMA nodes, numad's advice.

    `check`     before anything is started: what this host cannot do is refused by name
    `settings`  where huge pages are mounted and files go, unless `qemu.conf` says it
    `advise`    ask numad, for guests that leave their place to it
    `make`      the guest's directories
    `remove`    them, when it is gone
    `sweep`     those of nobody, when the daemon starts

Sources: https://libvirt.org/formatdomain.html#memory-backing, numad(8), proc_mounts(5), the kernel's
`hugetlbpage.rst` and `resctrl.rst`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.host import child
from guesthouse.host.memory import base_page_size, node_numbers, read_meminfo
from guesthouse.host.sysfs import HostTree, read_list
from guesthouse.model.domain import guest_memory
from guesthouse.model.domain.host_settings import UNCHANGED, HostSettings
from guesthouse.model.domain.memory import in_kib
from guesthouse.model.domain.memory_objects import UNKNOWN_HOST, HostMemory, Wish
from guesthouse.model.kinds import format_cpuset, parse_cpuset

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.drivers.domain.run import Run
    from guesthouse.model.domain.definition import Domain
    from guesthouse.model.domain.launch import LaunchContext

NUMAD: Final = "numad"
#: numad watches the host for two seconds before it answers.
_ADVICE_DEADLINE: Final = 30.0
#: Blanks in the path of a mount.
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


def check(domain: Domain) -> None:
    """Raise `UnsupportedConfigError` for what this host cannot do."""
    tune = domain.cputune
    if tune is not None and (tune.cachetunes or tune.memorytunes):
        if not Path("/sys/fs/resctrl/schemata").exists():
            raise UnsupportedConfigError(
                "Resource control is not supported on this host", hint="remove <cachetune> and <memorytune>"
            )
        raise UnsupportedConfigError("<cachetune> and <memorytune> are not supported", hint="remove them")
    if _automatic(domain) and shutil.which(NUMAD) is None:
        raise UnsupportedConfigError(
            "numad is not available on this host", hint="install numad, or give a placement of your own"
        )


def _automatic(domain: Domain) -> bool:
    return domain.vcpu.placement == "auto" or (domain.numatune is not None and domain.numatune.automatic)


def mounts(lines: Iterable[str]) -> list[tuple[int, str]]:
    """The sizes in KiB and directories of the mounted huge pages, from the lines of `/proc/mounts`.

    A mount without a size has the default one, given as 0.
    """
    found = []
    for line in lines:
        words = line.split()
        if len(words) > 3 and words[2] == "hugetlbfs":
            options = dict(option.partition("=")[::2] for option in words[3].split(","))
            place = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), words[1])
            found.append((_kib(options.get("pagesize", "")), place))
    return found


def _kib(size: str) -> int:
    number = size.rstrip("KMGT")
    return in_kib(int(number), size[len(number) :] or "bytes") if number.isdigit() else 0


def settings(known: HostSettings, lib: Path) -> HostSettings:
    """The settings with the places that this host has; what `qemu.conf` changed stays. `lib` is the driver's own.

    As for libvirt, a directory that `qemu.conf` gives is one for all kinds of guests, and QEMU's are deeper in it.
    """
    chosen = known.memory_backing_dir
    ram = str(lib / "ram") if chosen == UNCHANGED.memory_backing_dir else f"{chosen}/libvirt/qemu"
    known = replace(known, memory_backing_dir=ram)
    if known.hugetlbfs_mount == UNCHANGED.hugetlbfs_mount:
        known = replace(known, hugetlbfs_mount=_mounted())
    return known


def _mounted() -> tuple[tuple[int, str], ...]:
    usual = (read_meminfo(HostTree()) or {}).get("Hugepagesize", 2048)
    with contextlib.suppress(OSError), open("/proc/mounts", encoding="utf-8", errors="surrogateescape") as file:
        found = {size or usual: place for size, place in reversed(mounts(file))}
        return tuple(sorted(found.items(), key=lambda item: item[0] != usual))
    return ()


def host_memory(advised: frozenset[int] | None) -> HostMemory:
    """What this host's memory is like."""
    tree = HostTree()
    nodes = {node: frozenset(read_list(tree.nodes / f"node{node}" / "cpulist") or ()) for node in node_numbers(tree)}
    return HostMemory(nodes or {0: frozenset(range(os.cpu_count() or 1))}, base_page_size(), advised)


async def advise(run: Run) -> None:
    """Ask numad where the guest belongs, if its definition leaves that to it, and keep the answer with the run.

    Raises `UnsupportedConfigError` where numad is not there, `ChildError` where it fails.
    """
    live = run.live
    if not _automatic(live):
        return
    check(live)
    megabytes = -(-guest_memory.initial_kib(live) // 1024)
    asked = await child.run([NUMAD, "-w", f"{live.vcpu.online}:{megabytes}"], deadline=_ADVICE_DEADLINE)
    answer = asked.output.decode("ascii", "replace").strip()
    try:
        run.advised_nodes = parse_cpuset(answer) if asked.ok else None
    except ValueError:
        run.advised_nodes = None
    if run.advised_nodes is None:
        raise LibvirtError(
            f"Failed to query numad for the advisory nodeset: {asked.error_text or answer}",
            code=Code.INTERNAL_ERROR,
            domain=Origin.QEMU,
        )
    take_advice(run, run.advised_nodes)


def take_advice(run: Run, nodes: frozenset[int] | None) -> None:
    """Note the host's nodes that numad gave, and with them the processors on which the guest may run."""
    run.advised_nodes = nodes
    if nodes and run.live.vcpu.placement == "auto":
        host = host_memory(None).nodes or {}
        run.live.vcpu.advised = format_cpuset(frozenset().union(*(host.get(node, ()) for node in nodes)))


def _matters(live: Domain) -> bool:
    """Whether it matters where the guest's memory lies."""
    numa = live.cpu.numa if live.cpu is not None else None
    return live.memory_backing is not None or live.numatune is not None or numa is not None


def surroundings(driver: Guests, run: Run) -> tuple[HostSettings, HostMemory]:
    """The host's settings, with its places, and its memory. Nobody looks for a guest to which they do not matter."""
    known = driver.settings.defaults.settings
    if not _matters(run.live):
        return known, UNKNOWN_HOST
    return settings(known, driver.places.guest_lib), host_memory(run.advised_nodes)


def make(run: Run, launch: LaunchContext) -> None:
    """Make the directories that the guest's memory lies in.

    Raises a `LibvirtError` (38) where that is not allowed, `InternalError` where pages of a size are not mounted.
    """
    live = run.live
    memory = guest_memory.memory_at_launch(live, launch)
    wishes = guest_memory.node_wishes(memory) or [Wish("ram", "ram", memory.initial_kib)]
    wishes += [device.wish() for device in live.devices.memories]
    for directory in sorted({place for wish in wishes if (place := memory.directory(wish)) is not None}):
        make_directory(directory)


def make_directory(directory: str) -> None:
    """Make one directory for memory, if it is not there. Raises a `LibvirtError` (38)."""
    try:
        Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LibvirtError(
            f"Unable to create {directory}: {error.strerror}", code=Code.SYSTEM_ERROR, domain=Origin.QEMU
        ) from error


def remove(driver: Guests, run: Run) -> None:
    """Remove the guest's directories, if it has any, in the background: giving back much memory takes its time."""
    if not _matters(run.live):
        return
    short = run.where.private.name.removeprefix("domain-")
    directories = [place / short for place in _roots(driver)]
    for directory in directories:
        with contextlib.suppress(OSError):  # QEMU leaves them empty mostly, and then nothing is left to a killed daemon
            directory.rmdir()
    driver.farewell(asyncio.to_thread(_remove, directories))


def _roots(driver: Guests) -> list[Path]:
    """Where the directories of guests lie."""
    known = settings(driver.settings.defaults.settings, driver.places.guest_lib)
    huge = (f"{mount}/libvirt/qemu" for _size, mount in known.hugetlbfs_mount)
    return [Path(place) for place in (known.memory_backing_dir, *huge)]


def _remove(directories: Iterable[Path]) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)


def sweep(driver: Guests, kept: set[Path]) -> None:
    """Remove what starts that were cut off have left; `kept` are the private directories of the runs that go on.

    Other daemons have their guests' huge pages in the same place. Ours are those of which the run's own directory is
    there: that is made before, and has to be removed after this. Blocks as long as giving back memory takes.
    """
    lib = driver.places.guest_lib
    names = {path.name.removeprefix("domain-") for path in kept}
    _remove(place for place in (lib / "ram").glob("[0-9]*-*") if place.name not in names)
    ended = [path.name.removeprefix("domain-") for path in lib.glob("domain-*") if path not in kept]
    _remove(root / short for short in ended for root in _roots(driver))
