"""Hyper-V's enlightenments: `<hyperv>` in `<features>`, and the processor flags that they become.

Format: https://libvirt.org/formatdomain.html#hypervisor-features; flags: QEMU's `docs/system/i386/hyperv.rst`.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import XmlError
from guesthouse.model.binding import attr, default, element, one, opt, switch
from guesthouse.model.kinds import ON_OFF, TEXT, UINT, one_of

#: Fewer attempts than these no guest may be told to make.
_FEWEST_RETRIES: Final = 0xFFF
_LONGEST_VENDOR: Final = 12


@element("spinlocks")
class Spinlocks:
    """After `retries` failed attempts the guest tells the hypervisor."""

    state: bool = attr(ON_OFF)
    retries: int | None = opt(UINT)

    def parsed(self) -> None:
        """The number belongs to the state."""
        if not self.state:
            self.retries = None
            return
        if self.retries is None:
            raise XmlError("Missing required attribute 'retries' in element 'spinlocks'")
        if self.retries < _FEWEST_RETRIES:
            raise XmlError("HyperV spinlock retry count must be at least 4095")


@element("stimer")
class Stimer:
    """Synthetic timers; `direct` ones interrupt the guest without a message."""

    state: bool = attr(ON_OFF)
    direct: bool | None = switch(explicit=True)

    def parsed(self) -> None:
        """Only what is on is kept."""
        self.direct = (self.state and self.direct) or None


@element("vendor_id")
class VendorId:
    """The hypervisor's name, as the guest sees it."""

    state: bool = attr(ON_OFF)
    value: str | None = opt(TEXT)

    def parsed(self) -> None:
        """The name belongs to the state."""
        if not self.state:
            self.value = None
            return
        if self.value is None:
            raise XmlError("missing 'value' attribute for HyperV feature 'vendor_id'")
        if len(self.value.encode()) > _LONGEST_VENDOR:
            raise XmlError(f"HyperV vendor_id value must not be more than {_LONGEST_VENDOR} characters.")
        if "," in self.value:
            raise XmlError("HyperV vendor_id value is invalid")


@element("tlbflush")
class Tlbflush:
    """Paravirtual flush of translations, from nested guests too (`direct`), of ranges too (`extended`)."""

    state: bool = attr(ON_OFF)
    direct: bool | None = switch(explicit=True)
    extended: bool | None = switch(explicit=True)

    def parsed(self) -> None:
        """Only what is on is kept."""
        self.direct = (self.state and self.direct) or None
        self.extended = (self.state and self.extended) or None


@element("hyperv", two_lines=True)
class Hyperv:
    """What makes Windows guests faster, in libvirt's order.

    With `mode` `passthrough` the guest gets all that the host's KVM has, and nothing is chosen here.
    """

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

    def parsed(self) -> None:
        """Nothing is chosen where everything is passed through."""
        if self.mode == "passthrough":
            for name in _PROPERTIES:
                setattr(self, name, None)

    def flags(self) -> list[str]:
        """The flags of `-cpu`."""
        found = ["hv-passthrough=on"] if self.mode == "passthrough" else []
        for name, prop in _PROPERTIES.items():
            setting: object = getattr(self, name)
            if isinstance(setting, bool):
                found += [f"{prop}=on"] if setting else []
            elif isinstance(setting, Spinlocks | Stimer | VendorId | Tlbflush) and setting.state:
                found += _details(setting, prop)
        return found


#: The enlightenments in libvirt's order, to QEMU's properties.
_PROPERTIES: Final = {
    "relaxed": "hv-relaxed",
    "vapic": "hv-vapic",
    "spinlocks": "hv-spinlocks",
    "vpindex": "hv-vpindex",
    "runtime": "hv-runtime",
    "synic": "hv-synic",
    "stimer": "hv-stimer",
    "reset": "hv-reset",
    "vendor_id": "hv-vendor-id",
    "frequencies": "hv-frequencies",
    "reenlightenment": "hv-reenlightenment",
    "tlbflush": "hv-tlbflush",
    "ipi": "hv-ipi",
    "evmcs": "hv-evmcs",
    "avic": "hv-avic",
    "emsr_bitmap": "hv-emsr-bitmap",
    "xmm_input": "hv-xmm-input",
}


def _details(setting: Spinlocks | Stimer | VendorId | Tlbflush, prop: str) -> list[str]:
    if isinstance(setting, Spinlocks):
        return [f"{prop}={setting.retries or 0:#x}"]
    if isinstance(setting, VendorId):
        return [f"{prop}={setting.value}"]
    flags = [f"{prop}=on"]
    flags += [f"{prop}-direct=on"] if setting.direct else []
    if isinstance(setting, Tlbflush) and setting.extended:
        flags.append(f"{prop}-ext=on")
    return flags
