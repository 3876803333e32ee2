"""Controllers: the buses that a guest's other devices are plugged into.

Source: https://libvirt.org/formatdomain.html#controllers.
"""

from __future__ import annotations

from typing import ClassVar, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, content, default, element, new, one, opt, opt_leaf
from guesthouse.model.domain.devices import scsi
from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.domain.devices.base import (
    NOWHERE,
    PCI,
    PCIE,
    Alias,
    Connection,
    Device,
    DeviceContext,
    address_slot,
    alias_slot,
    virtio_connection,
    virtio_props,
)
from guesthouse.model.domain.devices.iothread_mapping import IothreadList
from guesthouse.model.kinds import ON_OFF, UINT, ULL, hexadecimal, integer, one_of
from guesthouse.model.qemu_objects import Device as QemuDevice
from guesthouse.model.qemu_objects import Option, Props, QemuObject, without_none

_VIRTIO_MODELS: Final = ("virtio", "virtio-transitional", "virtio-non-transitional")

#: USB model to QEMU's driver and where it is plugged in.
_USB: Final[dict[str, tuple[str, Connection]]] = {
    "piix3-uhci": ("piix3-usb-uhci", PCI),
    "piix4-uhci": ("piix4-usb-uhci", PCI),
    "ehci": ("usb-ehci", PCI),
    "ich9-ehci1": ("ich9-usb-ehci1", PCI),
    "ich9-uhci1": ("ich9-usb-uhci1", PCI),
    "ich9-uhci2": ("ich9-usb-uhci2", PCI),
    "ich9-uhci3": ("ich9-usb-uhci3", PCI),
    "vt82c686b-uhci": ("vt82c686b-usb-uhci", PCI),
    "pci-ohci": ("pci-ohci", PCI),
    "nec-xhci": ("nec-usb-xhci", PCIE),
    "qemu-xhci": ("qemu-xhci", PCIE),
}

#: PCI model to the device that libvirt gives it, the first being the default.
PCI_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "pci-root": (),
    "pcie-root": (),
    "pci-bridge": ("pci-bridge",),
    "dmi-to-pci-bridge": ("i82801b11-bridge",),
    "pcie-to-pci-bridge": ("pcie-pci-bridge",),
    "pcie-root-port": ("pcie-root-port", "ioh3420"),
    "pcie-switch-upstream-port": ("x3130-upstream",),
    "pcie-switch-downstream-port": ("xio3130-downstream",),
    "pci-expander-bus": ("pxb",),
    "pcie-expander-bus": ("pxb-pcie",),
}
#: Model of a PCI controller to what it is plugged into.
_PCI_CONNECTIONS: Final = {name: Connection(name) for name in PCI_NAMES} | {"pci-root": NOWHERE, "pcie-root": NOWHERE}
#: The disk controllers of the chipsets, which have fixed functions of its slots.
_CHIPSET: Final = {
    "ide": Connection("pci", integrated=True, preferred=(0, 1, 1)),
    "sata": Connection("pci", integrated=True, preferred=(0, 0x1F, 2)),
}
#: Model of an expander bus to the machines that have it, as properties of `DeviceContext`.
_EXPANDERS: Final = {"pci-expander-bus": ("i440fx",), "pcie-expander-bus": ("q35", "arm_virt")}

#: Type of controller to its models; a type that is not here has none.
_MODELS: Final[dict[str, tuple[str, ...]]] = {
    "ide": ("piix3", "piix4", "ich6"),
    "scsi": ("auto", "buslogic", "ncr53c90", *scsi.SCSI, *scsi.SCSI_VIRTIO),
    "virtio-serial": _VIRTIO_MODELS,
    "usb": (*_USB, "qusb1", "qusb2", "none"),
    "pci": tuple(PCI_NAMES),
}
#: Machines whose only PCI bus has a name without a number.
_ONE_BUS: Final = ("versatilepb",)
_HOSTS: Final = {"pci-root": "i440FX-pcihost", "pcie-root": "q35-pcihost"}
_XHCI_PORTS: Final = 15


@element("target")
class ControllerTarget:
    """What identifies a PCI controller to the guest, and the NUMA node of an expander bus."""

    chassis_nr: int | None = opt(integer(1, 255), "chassisNr")
    chassis: int | None = opt(integer(0, 255))
    port: int | None = opt(hexadecimal(1, 255))
    bus_nr: int | None = opt(integer(1, 254), "busNr")
    index: int | None = opt(integer(0, 30))
    hotplug: bool | None = opt(ON_OFF)
    mem_reserve: int | None = opt(ULL, "memReserve")
    node: int | None = opt_leaf(UINT)


@element("driver")
class ControllerDriver:
    """How a SCSI controller works, and the options of virtio ones."""

    queues: int | None = opt(UINT)
    cmd_per_lun: int | None = opt(UINT)
    max_sectors: int | None = opt(UINT)
    ioeventfd: bool | None = opt(ON_OFF)
    iothread: int | None = opt(UINT)
    iommu: bool | None = opt(ON_OFF)
    ats: bool | None = opt(ON_OFF)
    packed: bool | None = opt(ON_OFF)
    page_per_vq: bool | None = opt(ON_OFF)
    iothreads: IothreadList | None = one(IothreadList)


@element("pcihole64")
class PciHole:
    """The size of the 64-bit window of a root bus, in KiB."""

    unit: str = default(one_of("KiB"), "KiB")
    size: int = content(ULL)


@element("controller")
class Controller(Device):
    """A bus. `index` is counted by type; a USB companion (`startport`) shares the index of its master."""

    ALIAS: ClassVar[str] = ""

    type: str = attr(one_of("ide", "fdc", "scsi", "sata", "virtio-serial", "ccid", "usb", "pci", "isa"))
    index: int | None = opt(UINT)
    model: str | None = opt(one_of(*dict.fromkeys(name for names in _MODELS.values() for name in names)))
    ports: int | None = opt(UINT)
    vectors: int | None = opt(UINT)
    model_name: str | None = opt(
        one_of(*dict.fromkeys(name for names in PCI_NAMES.values() for name in names)), "name", within="model"
    )
    target: ControllerTarget | None = one(ControllerTarget)
    driver: ControllerDriver | None = one(ControllerDriver)
    alias: Alias | None = alias_slot()
    startport: int | None = opt(UINT, within="master")
    address: Address | None = address_slot()
    hole: PciHole | None = one(PciHole)

    def parsed(self) -> None:
        """The model belongs to the type."""
        if self.model is not None and self.model not in _MODELS.get(self.type, ()):
            raise XmlError(f"Unknown model type '{self.model}' for controller type '{self.type}'")
        if self.type == "pci" and self.model is None:
            raise XmlError("Missing required attribute 'model' in element 'controller' of type 'pci'")
        if self.ports is not None and self.type not in ("virtio-serial", "usb"):
            raise XmlError(f"attribute 'ports' does not apply to controller type '{self.type}'")
        if self.vectors is not None and self.type != "virtio-serial":
            raise XmlError(f"attribute 'vectors' does not apply to controller type '{self.type}'")

    def default_alias(self, index: int, ctx: DeviceContext) -> str:
        """Named for its type and its own index; what the machine brings along has QEMU's fixed names."""
        number = self.index or 0
        if self.type == "pci":
            return f"pcie.{number}" if self.model == "pcie-root" else f"pci.{number}"
        if number == 0 and self._built_in_disks(ctx):
            return "ide"
        if number == 0 and self.type == "usb":
            return "usb"
        return f"{self.type}{number}"

    def bus_name(self, ctx: DeviceContext) -> str:
        """The bus of a PCI controller: its alias, except for the roots, which QEMU names itself."""
        if self.model == "pci-root" and ctx.machine in _ONE_BUS:
            return "pci"
        return {"pci-root": "pci.0", "pcie-root": "pcie.0"}.get(self.model or "") or self.name

    def _built_in_disks(self, ctx: DeviceContext) -> bool:
        return (self.type == "ide" and ctx.i440fx) or (self.type == "sata" and ctx.q35)

    def implicit(self, ctx: DeviceContext) -> bool:
        """Whether the machine brings it along, so that nothing is asked of QEMU."""
        if self.type == "pci":
            return self.model in ("pci-root", "pcie-root")
        if self.type in ("fdc", "isa") or (self.type == "usb" and self.model in ("none", None)):
            return True
        return self.index == 0 and self._built_in_disks(ctx)

    def connection(self, ctx: DeviceContext) -> Connection:
        """By type and model. The disk controllers of the chipsets have fixed functions of its slots."""
        if self.type == "usb":
            return _USB[self.model][1] if self.model in _USB else PCI if self.model is None else NOWHERE
        if self.type == "pci":
            return _PCI_CONNECTIONS[self.model or ""]
        if self.type in ("ide", "sata"):
            if self.index == 0 and self._built_in_disks(ctx):
                return _CHIPSET[self.type]
            return PCI
        if self.type == "scsi":
            model = "virtio-transitional" if self.model in scsi.SCSI else self.model
            return virtio_connection(model)
        if self.type == "virtio-serial":
            return virtio_connection(self.model)
        return Connection("usb") if self.type == "ccid" else NOWHERE

    def defaults(self, ctx: DeviceContext) -> None:
        """The model: UHCI and the LSI adapter on a PC, xHCI and virtio elsewhere; and the PCI model's device."""
        if self.type == "usb" and self.model is None:
            self.model = self._usual_usb(ctx)
        if self.type == "scsi" and self.model in (None, "auto"):
            self.model = "lsilogic" if ctx.x86 and ctx.qemu.has_device("lsi53c895a") else "virtio-scsi"
        if self.type == "pci" and self.model_name is None:
            self.model_name = next(iter(PCI_NAMES[self.model or ""]), None)

    def _usual_usb(self, ctx: DeviceContext) -> str | None:
        if ctx.s390:  # a mainframe has no USB; only a controller that has a place is kept, as libvirt keeps it
            return "none" if self.address is None else None
        return "piix3-uhci" if ctx.x86 and ctx.qemu.has_device("piix3-usb-uhci") else "qemu-xhci"

    def complete_target(self) -> None:
        """Fill in chassis and port of a PCI controller from its index and its address, as libvirt does."""
        if self.type != "pci" or self.model in ("pci-root", "pcie-root", "dmi-to-pci-bridge"):
            return
        if self.model == "pci-bridge":
            self.target = self.target or new(ControllerTarget)
            if self.target.chassis_nr is None:
                self.target.chassis_nr = self.index
        elif self.model in ("pcie-root-port", "pcie-switch-downstream-port"):
            self.target = self.target or new(ControllerTarget)
            if self.target.chassis is None:
                self.target.chassis = self.index
            if self.target.port is None and isinstance(self.address, PciAddress) and self.address.slot is not None:
                function = self.address.function or 0
                root = self.model == "pcie-root-port"
                self.target.port = self.address.slot << 3 | function if root else self.address.slot

    def check(self, ctx: DeviceContext) -> None:
        """The model exists in this QEMU, fits the machine, and the options fit the model."""
        _CHECKS.get(self.type, _no_check)(self, ctx)
        if self.driver is not None:
            scsi.check_driver(self, self.driver, ctx)

    def objects(self, ctx: DeviceContext) -> list[QemuObject]:
        """The device, unless it is part of the machine."""
        if self.implicit(ctx):
            return self._root_options(ctx)
        return [QemuDevice(_PROPS[self.type](self, ctx) | self.address_props(ctx))]

    def _root_options(self, ctx: DeviceContext) -> list[QemuObject]:
        made: list[QemuObject] = []
        if self.hole is not None and self.model in _HOSTS:
            made.append(Option("-global", f"{_HOSTS[self.model]}.pci-hole64-size={self.hole.size}K"))
        if self.model == "pci-root" and self.target is not None and self.target.hotplug is not None:
            state = "on" if self.target.hotplug else "off"
            made.append(Option("-global", f"PIIX4_PM.acpi-root-pci-hotplug={state}"))
        return made


def _no_check(_controller: Controller, _ctx: DeviceContext) -> None:
    pass


def _check_usb(controller: Controller, ctx: DeviceContext) -> None:
    if controller.model in ("qusb1", "qusb2"):
        raise UnsupportedConfigError("USB controller model type 'qusb1' or 'qusb2' is not supported in qemu")
    if controller.model in _USB:
        ctx.need(_USB[controller.model][0], f"USB controller model '{controller.model}'")
    if controller.ports is not None:
        if controller.model not in ("nec-xhci", "qemu-xhci"):
            raise UnsupportedConfigError("'ports' is only supported by the xhci models of USB controllers")
        if controller.ports > _XHCI_PORTS:
            raise UnsupportedConfigError(f"'{controller.model}' controller only supports up to '{_XHCI_PORTS}' ports")


def _check_ide(controller: Controller, ctx: DeviceContext) -> None:
    if not controller.implicit(ctx):
        raise UnsupportedConfigError(
            "IDE controllers are unsupported for this QEMU binary or machine type", hint="use bus 'sata' or 'virtio'"
        )


def _check_pci(controller: Controller, ctx: DeviceContext) -> None:
    model = controller.model or ""
    if model in ("pci-root", "pcie-root") and controller.index not in (None, 0):
        raise XmlError("pci-root and pcie-root controllers should have index 0")
    if controller.model_name is not None and controller.model_name not in PCI_NAMES[model]:
        raise UnsupportedConfigError(
            f"PCI controller model name '{controller.model_name}' is not valid for a '{model}' controller"
        )
    if model in _EXPANDERS and not any(getattr(ctx, machine) for machine in _EXPANDERS[model]):
        raise UnsupportedConfigError(f"{model} controllers are not supported with this machine type")
    if model not in ("pci-root", "pcie-root"):
        ctx.need(controller.model_name or PCI_NAMES[model][0], f"PCI controller model '{model}'")


_CHECKS: Final = {"usb": _check_usb, "scsi": scsi.check_scsi, "ide": _check_ide, "pci": _check_pci}


def _usb_props(controller: Controller, ctx: DeviceContext) -> Props:
    props = without_none({"driver": _USB[controller.model or ""][0], "p2": controller.ports, "p3": controller.ports})
    if controller.startport is None:
        return props | {"id": controller.name}
    master = ctx.controller("usb", controller.index or 0)
    return props | {"masterbus": f"{master.name}.0", "firstport": controller.startport}


def _virtio_serial_props(controller: Controller, _ctx: DeviceContext) -> Props:
    props: Props = {"driver": controller.virtio_driver("virtio-serial", controller.model)}
    return (
        props
        | virtio_props(controller.driver)
        | without_none({"id": controller.name, "max_ports": controller.ports, "vectors": controller.vectors})
    )


def _pci_props(controller: Controller, _ctx: DeviceContext) -> Props:
    target = controller.target
    name = controller.model_name or PCI_NAMES[controller.model or ""][0]
    if target is None:
        return {"driver": name, "id": controller.name}
    reserve: Props = {"mem-reserve": target.mem_reserve * 1024 if target.mem_reserve else None}
    bridge = controller.model == "pci-bridge"
    props: Props = {"driver": name, "chassis_nr": target.chassis_nr, "bus_nr": target.bus_nr}
    props |= {"port": target.port, "chassis": target.chassis}
    props |= reserve if bridge else {}
    props |= {"id": controller.name, "hotplug": target.hotplug}
    props |= {} if bridge else reserve
    return without_none(props | {"numa_node": target.node})


def _sata_props(controller: Controller, _ctx: DeviceContext) -> Props:
    return {"driver": "ahci", "id": controller.name}


def _ccid_props(controller: Controller, _ctx: DeviceContext) -> Props:
    return {"driver": "usb-ccid", "id": controller.name}


_PROPS: Final = {
    "usb": _usb_props,
    "scsi": scsi.scsi_props,
    "virtio-serial": _virtio_serial_props,
    "pci": _pci_props,
    "sata": _sata_props,
    "ccid": _ccid_props,
}
