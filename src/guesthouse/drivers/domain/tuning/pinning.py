"""On which of the host's processors the threads of a guest may run: `vcpupin`, `emulatorpin`, `iothreadpin`.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainPinVcpuFlags and its neighbours.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.tuning import threads
from guesthouse.drivers.domain.typed import STRING
from guesthouse.drivers.domain.vcpus import bitmaps
from guesthouse.errors import InvalidArgumentError, Origin
from guesthouse.host import cgroup_limits as limits
from guesthouse.host import scheduling
from guesthouse.host.cgroups import Group
from guesthouse.host.threads import DISK
from guesthouse.model.binding import new
from guesthouse.model.domain.cputune import Cputune, EmulatorPin, IothreadPin, VcpuPin
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.iothreads import find, iothreads_of
from guesthouse.model.kinds import format_cpuset

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


def cpus_of(data: bytes) -> frozenset[int]:
    """The processors of a bitmap of the protocol."""
    return frozenset(8 * place + bit for place, byte in enumerate(data) for bit in range(8) if byte >> bit & 1)


def pin_of(domain: Domain, part: str) -> frozenset[int]:
    """Where the threads of a part may run by a definition: everywhere, where it says nothing."""
    found = threads.pin_of(domain, part)
    return bitmaps.online() if found is None else found


async def pin_vcpu(driver: Guests, guest: Guest, number: int, cpus: frozenset[int], impact: int) -> None:
    """Pin one processor. Raises `InvalidArgumentError`, and what the kernel says against it."""

    def check(domain: Domain, where: str) -> None:
        if number >= domain.vcpu.maximum:
            count = domain.vcpu.maximum if where == "live" else domain.vcpu.online
            raise InvalidArgumentError(
                f"vcpu {number} is out of range of {where} cpu count {count}", domain=Origin.QEMU
            )

    async with changing(driver, guest, impact) as change:
        if change.config is not None:
            check(change.config, "persistent")
        if not cpus:
            raise InvalidArgumentError("Empty cpu list for pinning", domain=Origin.QEMU)
        if change.run is not None:
            check(change.run.live, "live")
            await _pin(change.run, f"vcpu{number}", cpus)
            _tell(driver, guest, f"cputune.vcpupin{number}", cpus)
        for domain in change.domains:
            _vcpu(domain, number, cpus)


async def pin_emulator(driver: Guests, guest: Guest, cpus: frozenset[int], impact: int) -> None:
    """Pin QEMU's own threads. Raises as `pin_vcpu`."""
    async with changing(driver, guest, impact) as change:
        if not cpus:
            raise InvalidArgumentError("Empty cpu list for pinning", domain=Origin.QEMU)
        if change.run is not None:
            await _pin(change.run, threads.EMULATOR, cpus)
            _tell(driver, guest, "cputune.emulatorpin", cpus)
        for domain in change.domains:
            _tune(domain).emulatorpin = new(EmulatorPin, cpuset=format_cpuset(cpus))


async def pin_iothread(driver: Guests, guest: Guest, number: int, cpus: frozenset[int], impact: int) -> None:
    """Pin one I/O thread. Raises as `pin_vcpu`."""
    async with changing(driver, guest, impact) as change:
        if not cpus:
            raise InvalidArgumentError("Empty iothread cpumap list for pinning", domain=Origin.QEMU)
        for domain, word in ((change.live, "iothread"), (change.config, "iothreadid")):
            if domain is not None and find(domain, number) is None:
                raise InvalidArgumentError(f"{word} {number} not found", domain=Origin.QEMU)
        if change.run is not None:
            await _pin(change.run, f"iothread{number}", cpus)
            _tell(driver, guest, f"cputune.iothreadpin{number}", cpus)
        for domain in change.domains:
            _iothread(domain, number, cpus)


async def _pin(run: Run, part: str, cpus: frozenset[int]) -> None:
    group = await threads.ready(run)
    found = await threads.threads(run)
    await DISK.run(_apply, group, part, found.of(part), cpus)


def _apply(group: Group | None, part: str, tids: list[int], cpus: frozenset[int]) -> None:
    """Pin the threads of a part; where one refuses, all run again where they ran before."""
    if not tids:
        return  # a processor that is off: the definition keeps the pin for when it comes
    made = group.part(part) if group is not None else None
    grouped = made is not None and made.has("cpuset") and made.exists()
    former = made.read("cpuset", "cpuset.cpus") if made is not None and grouped else ""
    before: dict[int, set[int]] = {}
    try:
        if made is not None and grouped:
            limits.set_cpus(made, format_cpuset(cpus))
        for tid in tids:
            if os.path.exists(f"/proc/{tid}"):
                before[tid] = os.sched_getaffinity(tid)
                scheduling.set_affinity(tid, cpus)
    except Exception:
        if made is not None and grouped and former:
            limits.set_cpus(made, former)
        for tid, places in before.items():
            scheduling.set_affinity(tid, places)
        raise


def _tell(driver: Guests, guest: Guest, name: str, cpus: frozenset[int]) -> None:
    driver.events.tunable(guest, [(name, STRING, format_cpuset(cpus))])


def _tune(domain: Domain) -> Cputune:
    if domain.cputune is None:
        domain.cputune = new(Cputune)
    return domain.cputune


def _vcpu(domain: Domain, number: int, cpus: frozenset[int]) -> None:
    tune = _tune(domain)
    kept = [pin for pin in tune.vcpupins if pin.vcpu != number]
    tune.vcpupins = sorted([*kept, new(VcpuPin, vcpu=number, cpuset=format_cpuset(cpus))], key=lambda pin: pin.vcpu)


def _iothread(domain: Domain, number: int, cpus: frozenset[int]) -> None:
    tune = _tune(domain)
    kept = {pin.iothread: pin for pin in tune.iothreadpins}
    kept[number] = new(IothreadPin, iothread=number, cpuset=format_cpuset(cpus))
    tune.iothreadpins = [kept[thread.id] for thread in iothreads_of(domain) if thread.id in kept]
    thread = find(domain, number)
    if thread is not None:
        thread.autofill = False
