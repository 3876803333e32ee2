"""What only the daemon's own files have is nobody's in a client's document: it is refused, or void."""

from __future__ import annotations

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.binding import children_of, elements
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.device_document import parse_device
from guesthouse.model.domain.document import parse_domain
from guesthouse.model.element_plans import PLANS

PCI = "<address domain='0' bus='1' slot='2' function='0'/>"
TYPED = PCI.replace("<address", "<address type='pci'")
DEVICES = {
    "taken": f"<hostdev mode='subsystem' type='pci'><source taken='yes'>{PCI}</source></hostdev>",
    "node": "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='iqn.2001-04.org:x/1' "
    "node='libvirt-1-backend'><host name='h'/></source></hostdev>",
    "fate": "<tpm><backend type='emulator' fate='remove'/></tpm>",
    "configured": f"<interface type='hostdev'><source configured='yes'>{TYPED}</source></interface>",
    "detected": "<disk type='file'><target dev='vda'/><source file='/a'/><backingStore detected='yes'/></disk>",
    "transient": "<channel type='unix'><source mode='bind' path='/a' transient='yes'/>"
    "<target type='virtio' name='a'/></channel>",
    "index": "<disk type='file'><target dev='vda'/><source file='/a'/>"
    "<throttlefilters><throttlefilter group='g' index='1'/></throttlefilters></disk>",
}
VOID = ("adjustment0", "autoAddress")


def domain(inside: str) -> str:
    return f"<domain type='qemu'><name>g</name><memory>1024</memory><os><type>hvm</type></os>{inside}</domain>"


@pytest.mark.parametrize("name", DEVICES)
def test_clients_cannot_say_it(name: str) -> None:
    with pytest.raises(LibvirtError, match=f"attribute '{name}' in ") as refused:
        parse_device(DEVICES[name])
    assert refused.value.code == Code.CONFIG_UNSUPPORTED
    with pytest.raises(LibvirtError, match=f"attribute '{name}' in ") as invalid:
        parse_domain(domain(f"<devices>{DEVICES[name]}</devices>"), validate=True)
    assert invalid.value.code == Code.XML_INVALID_SCHEMA
    parse_device(DEVICES[name], live=True)
    parse_domain(domain(f"<devices>{DEVICES[name]}</devices>"), live=True)


def test_what_libvirt_reads_is_void() -> None:
    text = domain("<clock offset='variable' adjustment0='5'/>")
    assert parse_domain(text).clock.adjustment0 is None
    assert parse_domain(text, live=True).clock.adjustment0 == 5
    device = (
        "<hostdev mode='subsystem' type='usb'><source autoAddress='yes'><vendor id='1'/><product id='2'/></source>"
        "</hostdev>"
    )
    assert parse_device(device).device.source.auto_address is None  # type: ignore[attr-defined]  # a device of USB
    assert parse_device(device, live=True).device.source.auto_address  # type: ignore[attr-defined]  # a device of USB


def test_all_such_attributes_are_tried() -> None:
    known = {cls for _tag, cls, _names in children_of(Domain) if cls is not None}
    todo = list(known)
    while todo:
        below = {cls for _tag, cls, _names in children_of(todo.pop()) if cls is not None} - known
        known |= below
        todo += below
    assert known <= set(elements())
    fields = (field for cls in known for field in PLANS[cls].fields())
    assert {field.xml for field in fields if field.slot and field.slot.status} == {*DEVICES, *VOID}
