"""What cannot be honoured is refused by name, with libvirt's codes and, where it has them, its texts."""

from __future__ import annotations

import pytest

from guesthouse.errors import LibvirtError
from tests.pure.model import device_cases as cases

INTERNAL = 1
XML_ERROR = 27
UNSUPPORTED = 67

DISK = "<disk type='file'{0}><driver name='qemu' type='raw'{1}/><source file='/i'/><target dev='{2}'/>{3}</disk>"
VIRTIO_PORT = "<target type='virtio' name='x'/>"

#: Machine, elements, code, part of the text.
REFUSED: list[tuple[str, str, int, str]] = [
    # Serial ports, consoles, channels.
    # Controllers.
    ("q35", "<controller type='ide' index='0'/>", UNSUPPORTED, "IDE controllers are unsupported"),
    ("q35", "<controller type='usb' index='0' model='lsilogic'/>", XML_ERROR, "'lsilogic'"),
    ("q35", "<controller type='usb' index='0' model='qemu-xhci' ports='16'/>", UNSUPPORTED, "'15'"),
    ("q35", "<controller type='usb' index='0' model='ehci' ports='4'/>", UNSUPPORTED, "'ports'"),
    ("q35", "<controller type='pci' index='1' model='pci-expander-bus'/>", UNSUPPORTED, "pci-expander-bus"),
    ("pc", "<controller type='pci' index='1' model='pcie-root'/>", XML_ERROR, "index 0"),
    (
        "q35",
        "<controller type='pci' index='1' model='pcie-root-port'><model name='pxb'/></controller>",
        UNSUPPORTED,
        "'pxb'",
    ),
    # Displays, sound, input and the rest.
    ("q35", "<watchdog model='diag288'/>", UNSUPPORTED, "diag288"),
    ("q35", "<watchdog model='ib700'><address type='isa' iobase='0x44'/></watchdog>", UNSUPPORTED, "address"),
    ("pc", "<watchdog model='itco'/>", UNSUPPORTED, "q35"),
    ("q35", "<memballoon model='xen'/>", UNSUPPORTED, "xen"),
    ("q35", "<memballoon model='none'><stats period='1'/></memballoon>", UNSUPPORTED, "'none'"),
    ("q35", "<panic model='s390'/>", UNSUPPORTED, "s390"),
    # Addresses.
    ("q35", "<hub type='usb'><address type='spapr-vio' reg='1'/></hub>", UNSUPPORTED, "type 'spapr-vio'"),
    ("q35", "<hub type='usb'><address type='usb' bus='0' port='1,2'/></hub>", XML_ERROR, "'1,2'"),
    ("q35", "<hub type='usb'><address type='pci' slot='2'/></hub>", UNSUPPORTED, "address type='pci'"),
    ("q35", DISK.format("", "", "vda", "<address type='drive'/>"), UNSUPPORTED, "address type='drive'"),
    ("q35", "<rng model='virtio'><backend model='builtin'/><address type='virtio-mmio'/></rng>", UNSUPPORTED, "mmio"),
    ("q35", "<hub type='usb'><address type='pci' slot='0x20'/></hub>", XML_ERROR, "'0x20'"),
    ("q35", "<hub type='usb'><alias name='ua-,x'/></hub>", XML_ERROR, "'ua-,x'"),
]

#: Devices that this QEMU has not got.
ABSENT = frozenset({"nope", "diag288"})


class AllBut(cases.Everything):
    """All names but some."""

    def __contains__(self, name: object) -> bool:
        return name not in ABSENT


def judge(machine: str, text: str) -> None:
    """Read the elements, fill them in and check them."""
    devices = cases.parse(f"<devices>{text}</devices>")
    ctx = cases.context(devices, machine, assign=False)
    ctx.qemu = cases.capabilities(AllBut())
    for device in devices.all():
        device.defaults(ctx)
        device.check_address(ctx)
        device.check(ctx)


@pytest.mark.parametrize(("machine", "text", "code", "part"), REFUSED)
def test_refused(machine: str, text: str, code: int, part: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        judge(machine, text)
    assert caught.value.code == code
    assert part in caught.value.message


def test_every_device_of_the_cases_is_accepted() -> None:
    """The refusals above are not because everything is refused."""
    for name in cases.REALISED:
        ctx, devices = cases.realised(name)
        for device in devices:
            device.check_address(ctx)
            if not (name == "host-display" and type(device).__name__ == "Graphics"):
                device.check(ctx)


def test_what_this_qemu_has_not_got_is_named() -> None:
    devices = cases.parse("<devices><video><model type='qxl' primary='yes'/></video></devices>")
    ctx = cases.context(devices, "q35", assign=False)
    ctx.qemu = cases.capabilities(frozenset())
    with pytest.raises(LibvirtError, match="video type 'qxl' is not supported by this QEMU binary") as caught:
        devices.videos[0].check(ctx)
    assert caught.value.code == UNSUPPORTED
