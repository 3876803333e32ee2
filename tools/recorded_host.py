"""The host on which libvirt's tests recorded their results: QEMU, processor, firmware, and all that the tests feign.

The tests stop the clock, count bytes instead of drawing them by lot, and hand out numbers of descriptors; whoever wants
to compare results with theirs must have the same host.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from guesthouse.model import cpu_from_qemu
from guesthouse.model.cpu_definition import CpuDefinition
from guesthouse.model.domain.defaults import Defaults, FirmwareImage, FirmwareWish
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.handed_files import nothing_handed
from guesthouse.model.domain.host_parts import HostParts, VsockEnd
from guesthouse.model.domain.launch import LaunchContext
from guesthouse.model.domain.memory_objects import HostMemory
from guesthouse.model.domain.secrets import sealer
from guesthouse.model.domain.tap_ends import TapEnds
from guesthouse.model.qemu_capabilities import KVM, TCG, QemuCapabilities
from guesthouse.model.qemu_objects import FdSet
from guesthouse.qemu import firmware
from tools import recorded_pools
from tools.recorded_conditions import Conditions, conditions
from tools.recorded_qemu import capabilities, newest

_ARCHITECTURES: Final = ("x86_64", "i686", "aarch64", "armv7l", "s390x", "ppc64", "riscv64", "loongarch64")
_EMULATOR: Final = {"i686": "i386", "armv7l": "arm"}
#: Four NUMA nodes with four processors each; numad would take any.
_MEMORY: Final = HostMemory(
    {node: frozenset(range(4 * node, 4 * node + 4)) for node in range(4)}, advised=frozenset(range(4))
)
_NOW: Final = datetime.fromtimestamp(1234567890, UTC)
#: A zone in which nobody lives: local times that are right by chance show.
_ZONE: Final = "VIR00:30"
_SECRET: Final = b"AQCVn5hO6HzFAhAAq0NCv8jtJcIcE+HOBlMQ1A"
#: What the processor of the tests' host has beyond its model, as far as a guest can have it.
_EXTRA: Final = {
    "Haswell": "vme,ds,acpi,ss,ht,tm,pbe,dtes64,monitor,ds_cpl,vmx,smx,est,tm2,xtpr,pdcm,f16c,rdrand,"
    "pdpe1gb,abm,lahf_lm"
}
#: What that processor has, and KVM does not hand on.
_HOST_ONLY: Final = frozenset(("invtsc",))


def feign() -> None:
    """Make this process's time zone and its lots those of the tests."""
    os.environ["TZ"] = _ZONE
    time.tzset()
    os.urandom = lambda count: bytes(number % 256 for number in range(count))


class Host:
    """The tests' host for guests of one architecture, which may name a variant (`x86_64+amdsev`).

    `folder` is that of the documents; the other data of the tests lies beside it.
    """

    def __init__(self, folder: Path, arch: str) -> None:
        self.name = arch
        self.arch = arch.partition("+")[0]
        self._replies = newest(folder.parent / "qemucapabilitiesdata", arch)
        self._conditions = conditions(folder)
        self._firmware = _firmware(folder)
        self._pools = folder.parent / "storagepoolxml2xmlout"
        self._qemus: dict[tuple[object, ...], QemuCapabilities] = {}

    def conditions(self, name: str) -> Conditions:
        """What holds for a document."""
        return self._conditions.get((name, self.name), Conditions())

    def qemu(self, held: Conditions) -> QemuCapabilities:
        """The QEMU for a document."""
        key = (held.without, held.host_cpu, held.gic)
        if key not in self._qemus:
            caps = capabilities(self._replies, self.arch, without=held.without)
            self._qemus[key] = caps if held.gic is None else replace(caps, gic_versions=held.gic, aliases={})
        if held.host_cpu:
            _on_processor(self._qemus[key], held.host_cpu)
        return self._qemus[key]

    def defaults(self, held: Conditions) -> Defaults:
        """What the host contributes to a definition."""
        return Defaults(
            emulators={guest: f"/usr/bin/qemu-system-{_EMULATOR.get(guest, guest)}" for guest in _ARCHITECTURES},
            host_arch=self.arch,
            choose_firmware=self._firmware,
            settings=held.settings,
            new=False,  # the documents are read as the files of guests that are there already
        )

    def launch(self, domain: Domain, caps: QemuCapabilities, held: Conditions) -> LaunchContext:
        """What the host contributes to a command line."""
        name = domain.name[:20]  # as libvirt shortens it
        return LaunchContext(
            caps,
            accel=KVM if domain.type == "kvm" else TCG,
            host_arch=self.arch,
            host_features=lambda: _HOST_ONLY if held.host_cpu else frozenset(),
            guest_dir=f"/var/lib/libvirt/qemu/domain--1-{name}",
            channel_dir=f"/var/run/libvirt/qemu/channel/-1-{name}",
            passt_dir="/var/run/libvirt/qemu/passt",
            short_name=f"-1-{name}",
            listen=lambda _path: 1729,
            connect=lambda _path: 1729,
            open_file=lambda _path, _append, purpose: FdSet(0, 1, purpose),
            rendernode=lambda: "/dev/dri/foo",
            network_address=lambda _name: "192.168.122.1",
            tap_ends=_tap_ends,
            secret=lambda _usage_type, _reference: _SECRET,
            seal=sealer(bytes(range(32)), lambda size: bytes(range(size))),
            handed=lambda group: held.files.get(group) or nothing_handed(group),
            volume=recorded_pools.lookup(self._pools),
            settings=held.settings,
            parts=HostParts(
                open_vsock=lambda cid: VsockEnd(cid or 42, 6789),
                open_device=lambda _path, purpose: FdSet(0, 1, purpose),
                open_vhost=lambda _path: 3,
                scsi_generic=lambda *_place: "/dev/sg0",
                find_usb=lambda _vendor, _product, place: place or (1, 1),
                has_mdev=lambda _uuid: True,
            ),
            host_memory=_MEMORY,
            now=_NOW,
        )


def _tap_ends(_alias: str, queues: int, vhost: bool) -> TapEnds:
    """The ends of every card: descriptors from 102 on, and from 44 on for the kernel's part."""
    taps, vhosts = (tuple(str(first + number) for number in range(queues)) for first in (102, 44))
    return TapEnds(taps, vhosts if vhost else ())


def _on_processor(caps: QemuCapabilities, model: str) -> None:
    """Have this QEMU's best processor be a known model, whatever it answered."""
    features = dict.fromkeys(_EXTRA[model].split(","), "require")
    best = CpuDefinition(
        mode="custom", match="exact", model=model, fallback="forbid", vendor="Intel", features=features
    )
    for accelerator in (KVM, TCG):
        cpu_from_qemu._host_models[caps.binary, accelerator] = (caps, best)


@functools.cache
def _firmware(folder: Path) -> Callable[[FirmwareWish], FirmwareImage | None]:
    """The choice among the tests' firmware descriptors."""
    data = folder.parent / "qemufirmwaredata"
    return firmware.chooser(firmware.read([data / "usr/share/qemu/firmware", data / "etc/qemu/firmware"]))
