"""Features of a guest's machine: `<features>`.

Format: https://libvirt.org/formatdomain.html#hypervisor-features. What belongs to machines or hypervisors that
Guesthouse does not run is read, so that it can be refused by name: `machine_checks` does that.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, content, default, element, flag, one, opt, switch
from guesthouse.model.domain.hyperv import Hyperv
from guesthouse.model.domain.memory import Amount, in_bytes
from guesthouse.model.kinds import ON_OFF, TEXT, UINT, ULL, YES_NO, one_of

_FEWEST_PAGES: Final = 1024
_MOST_PAGES: Final = 65536


@element("apic")
class Apic:
    """The local interrupt controller; `eoi` is the paravirtual end of interrupt."""

    eoi: bool | None = opt(ON_OFF)


@element("dirty-ring")
class DirtyRing:
    """KVM notes pages that were written in rings of `size` entries, one a processor."""

    state: bool = attr(ON_OFF)
    size: int | None = opt(UINT)

    def parsed(self) -> None:
        """The size belongs to the state."""
        if not self.state:
            self.size = None
            return
        if self.size is None:
            raise XmlError("Missing required attribute 'size' in element 'dirty-ring'")
        if self.size & (self.size - 1) or not _FEWEST_PAGES <= self.size <= _MOST_PAGES:
            raise XmlError("dirty ring must be power of 2 and ranges [1024, 65536]")


@element("kvm", two_lines=True)
class Kvm:
    """Behaviour of KVM towards the guest."""

    hidden: bool | None = switch(explicit=True)
    dedicated: bool | None = switch("hint-dedicated", explicit=True)
    poll_control: bool | None = switch("poll-control", explicit=True)
    pv_ipi: bool | None = switch("pv-ipi", explicit=True)
    dirty_ring: DirtyRing | None = one(DirtyRing)


@element("gic")
class Gic:
    """The interrupt controller of an Arm machine."""

    version: str | None = opt(one_of("2", "3", "host"))


@element("tseg")
class Tseg:
    """Memory that system management mode takes for itself; a document may use any unit (MiB by default)."""

    unit: str = default(TEXT, "MiB")
    size: int = content(ULL)

    def parsed(self) -> None:
        """Use the largest unit in which the size is whole, as libvirt does."""
        size, units = in_bytes(self.size, self.unit), ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        while size and size % 1024 == 0 and len(units) > 1:
            size //= 1024
            units.pop(0)
        self.size, self.unit = size, units[0]

    @property
    def bytes(self) -> int:
        """The size in bytes."""
        return in_bytes(self.size, self.unit)


@element("smm")
class Smm:
    """System management mode."""

    state: bool = default(ON_OFF, True)
    tseg: Tseg | None = one(Tseg)

    def parsed(self) -> None:
        """Memory belongs to what is on."""
        if not self.state:
            self.tseg = None


@element("ioapic")
class Ioapic:
    """Who emulates the I/O interrupt controller."""

    driver: str | None = opt(one_of("kvm", "qemu"))


@element("maxpagesize")
class MaxPageSize(Amount):
    """The largest page of a hashed page table."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("hpt")
class HashedPageTable:
    """POWER's page table."""

    resizing: str | None = opt(one_of("enabled", "disabled", "required"))
    max_page: MaxPageSize | None = one(MaxPageSize)


@element("msrs")
class Msrs:
    """What happens on access to unknown model specific registers; only the default of QEMU is there."""

    unknown: str = default(one_of("ignore", "fault"), "fault")

    def parsed(self) -> None:
        """Only faults are what QEMU does by itself."""
        if self.unknown == "ignore":
            raise UnsupportedConfigError("msrs unknown='ignore' is not supported", hint="remove <msrs>")


@element("cfpc")
class CachePrivilege:
    """POWER: whether the cache is flushed when the privilege changes."""

    value: str | None = opt(one_of("broken", "workaround", "fixed"))


@element("sbbc")
class BoundsChecks:
    """POWER: whether speculation is barred at bounds checks."""

    value: str | None = opt(one_of("broken", "workaround", "fixed"))


@element("ibs")
class BranchSpeculation:
    """POWER: whether indirect branches are speculated on."""

    value: str | None = opt(one_of("broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"))


@element("tb-cache")
class TranslationCache(Amount):
    """Memory for translated code."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("tcg", omit_empty=True)
class Tcg:
    """Settings of QEMU's own emulation of processors."""

    cache: TranslationCache | None = one(TranslationCache)

    def parsed(self) -> None:
        """A cache of no size is QEMU's own choice."""
        if self.cache is not None and not self.cache.kib:
            self.cache = None


@element("async-teardown")
class AsyncTeardown:
    """Whether a helper frees the guest's memory after QEMU's end, so that the end is quick."""

    enabled: bool = default(YES_NO, True)


@element("aia")
class Aia:
    """The interrupt controllers of a RISC-V machine."""

    value: str | None = opt(one_of("none", "aplic", "aplic-imsic"))


@element("features", omit_empty=True)
class Features:
    """The machine's features, in libvirt's order."""

    acpi: bool = flag()
    apic: Apic | None = one(Apic)
    pae: bool = flag()
    hap: bool | None = switch()
    viridian: bool = flag()
    privnet: bool = flag()
    hyperv: Hyperv | None = one(Hyperv)
    kvm: Kvm | None = one(Kvm)
    pvspinlock: bool | None = switch()
    pmu: bool | None = switch()
    vmport: bool | None = switch()
    gic: Gic | None = one(Gic)
    smm: Smm | None = one(Smm)
    ioapic: Ioapic | None = one(Ioapic)
    hpt: HashedPageTable | None = one(HashedPageTable)
    vmcoreinfo: bool | None = switch()
    htm: bool | None = switch(explicit=True)
    nested_hv: bool | None = switch("nested-hv", explicit=True)
    msrs: Msrs | None = one(Msrs)
    ccf_assist: bool | None = switch("ccf-assist", explicit=True)
    cfpc: CachePrivilege | None = one(CachePrivilege)
    sbbc: BoundsChecks | None = one(BoundsChecks)
    ibs: BranchSpeculation | None = one(BranchSpeculation)
    tcg: Tcg | None = one(Tcg)
    async_teardown: AsyncTeardown | None = one(AsyncTeardown)
    ras: bool | None = switch(explicit=True)
    ps2: bool | None = switch(explicit=True)
    aia: Aia | None = one(Aia)
