"""Features of a guest's machine: `<features>`.

Format: https://libvirt.org/formatdomain.html#hypervisor-features
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, content, default, element, flag, one, opt, switch
from guesthouse.model.domain.memory import in_bytes
from guesthouse.model.kinds import ON_OFF, TEXT, UINT, ULL, matching, one_of


@element("apic")
class Apic:
    """The local interrupt controller; `eoi` is the paravirtual end of interrupt."""

    eoi: bool | None = opt(ON_OFF)


@element("spinlocks")
class Spinlocks:
    """After `retries` failed attempts the guest tells the hypervisor."""

    state: bool = attr(ON_OFF)
    retries: int | None = opt(UINT)

    def parsed(self) -> None:
        """The number belongs to the state."""
        if self.state and self.retries is None:
            raise XmlError("missing HyperV spinlock retry count")
        if self.retries is not None and self.retries < 0xFFF:
            raise XmlError("HyperV spinlock retry count must be at least 4095")
        if not self.state:
            self.retries = None


@element("stimer")
class Stimer:
    """Synthetic timers."""

    state: bool = attr(ON_OFF)
    direct: bool | None = switch()


@element("vendor_id")
class VendorId:
    """The hypervisor's name, as the guest sees it."""

    state: bool = attr(ON_OFF)
    value: str | None = opt(matching(r"[^,]{1,12}", "up to 12 characters without a comma"))

    def parsed(self) -> None:
        """The name belongs to the state."""
        if self.state and self.value is None:
            raise XmlError("missing 'value' attribute for HyperV feature 'vendor_id'")


@element("tlbflush")
class Tlbflush:
    """Paravirtual flush of translations."""

    state: bool = attr(ON_OFF)
    direct: bool | None = switch()
    extended: bool | None = switch()


@element("hyperv")
class Hyperv:
    """What makes Windows guests faster, in libvirt's order; `mode` is `custom` or `passthrough`."""

    mode: str = default(one_of("custom", "passthrough"), "custom")
    relaxed: bool | None = switch(explicit=True)
    vapic: bool | None = switch(explicit=True)
    spinlocks: Spinlocks | None = one(Spinlocks)
    vpindex: bool | None = switch(explicit=True)
    runtime: bool | None = switch(explicit=True)
    synic: bool | None = switch(explicit=True)
    stimer: Stimer | None = one(Stimer)
    reset: bool | None = switch(explicit=True)
    vendor_id: VendorId | None = one(VendorId)
    frequencies: bool | None = switch(explicit=True)
    reenlightenment: bool | None = switch(explicit=True)
    tlbflush: Tlbflush | None = one(Tlbflush)
    ipi: bool | None = switch(explicit=True)
    evmcs: bool | None = switch(explicit=True)
    avic: bool | None = switch(explicit=True)
    emsr_bitmap: bool | None = switch(explicit=True)
    xmm_input: bool | None = switch(explicit=True)


@element("kvm")
class Kvm:
    """Behaviour of KVM towards the guest."""

    hidden: bool | None = switch(explicit=True)
    dedicated: bool | None = switch("hint-dedicated", explicit=True)
    poll_control: bool | None = switch("poll-control", explicit=True)
    pv_ipi: bool | None = switch("pv-ipi", explicit=True)


@element("tseg")
class Tseg:
    """Memory that system management mode takes for itself, in bytes; a document may use any unit (MiB by default)."""

    unit: str = default(TEXT, "MiB")
    size: int = content(ULL)

    @property
    def bytes(self) -> int:
        """The size in bytes."""
        return in_bytes(self.size, self.unit)


@element("smm")
class Smm:
    """System management mode."""

    state: bool = default(ON_OFF, True)
    tseg: Tseg | None = one(Tseg)


@element("ioapic")
class Ioapic:
    """Who emulates the I/O interrupt controller."""

    driver: str = default(one_of("kvm", "qemu"), "kvm")


@element("msrs")
class Msrs:
    """What happens on access to unknown model specific registers; only the default of QEMU is there."""

    unknown: str = default(one_of("ignore", "fault"), "fault")

    def parsed(self) -> None:
        """Only faults are what QEMU does by itself."""
        if self.unknown == "ignore":
            raise UnsupportedConfigError("msrs unknown='ignore' is not supported", hint="remove <msrs>")


@element("features")
class Features:
    """The machine's features, in libvirt's order."""

    acpi: bool = flag()
    apic: Apic | None = one(Apic)
    pae: bool = flag()
    hap: bool | None = switch()
    hyperv: Hyperv | None = one(Hyperv)
    kvm: Kvm | None = one(Kvm)
    pvspinlock: bool | None = switch()
    pmu: bool | None = switch()
    vmport: bool | None = switch()
    smm: Smm | None = one(Smm)
    ioapic: Ioapic | None = one(Ioapic)
    vmcoreinfo: bool | None = switch()
    msrs: Msrs | None = one(Msrs)
    ps2: bool | None = switch(explicit=True)
