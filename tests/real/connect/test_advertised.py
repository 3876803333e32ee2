"""What the domain capabilities offer, a definition may really contain: every value is tried with the installed QEMU."""

from __future__ import annotations

import asyncio
import shutil
import xml.etree.ElementTree as ET  # our own documents
from collections.abc import Iterator

import pytest

from guesthouse.drivers.connect.emulators import Choice, Emulators
from guesthouse.drivers.connect.guest_document import FirmwareOffer, guest_document
from guesthouse.drivers.connect.node import Node
from guesthouse.drivers.connect.processors import read_processor
from guesthouse.host.sysfs import HostTree
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.defaults import Defaults
from guesthouse.model.domain.document import parse_domain
from guesthouse.qemu.accel import KvmStatus
from guesthouse.qemu.catalogue import Catalogue

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="QEMU is not installed (./dev setup)"),
]

#: How a value of an enumeration looks in a definition. `{}` is the value.
#: A server of filesystems shares the guest's memory.
SHARED_MEMORY = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
FILESYSTEM = "<filesystem type='mount' accessmode='passthrough'>{}<target dir='tag'/></filesystem>"
SAMPLES = {
    ("disk", "bus"): "<disk device='disk' type='file'><source file='/d'/><target dev='vda' bus='{}'/></disk>",
    ("disk", "model"): "<disk model='{}' type='file'><source file='/d'/><target dev='vda' bus='virtio'/></disk>",
    ("graphics", "type"): "<graphics type='{}'/>",
    ("video", "modelType"): "<video><model type='{}'/></video>",
    ("rng", "model"): "<rng model='{}'><backend model='random'>/dev/urandom</backend></rng>",
    ("rng", "backendModel"): "<rng model='virtio'><backend model='{}'/></rng>",
    ("channel", "type"): "<channel type='{}'><target type='virtio'/></channel>",
    ("redirdev", "bus"): "<redirdev bus='{}' type='tcp'><source host='localhost' service='4000'/></redirdev>",
    ("interface", "backendType"): "<interface type='user'><backend type='{}'/></interface>",
    ("panic", "model"): "<panic model='{}'/>",
    ("hostdev", "mode"): "<hostdev mode='{}' type='usb'><source><address bus='1' device='2'/></source></hostdev>",
    ("hostdev", "startupPolicy"): (
        "<hostdev mode='subsystem' type='usb'><source startupPolicy='{}'><vendor id='0x1234'/><product id='0xbeef'/>"
        "</source></hostdev>"
    ),
    ("hostdev", "pciBackend"): (
        "<hostdev mode='subsystem' type='pci'><driver name='{}'/><source>"
        "<address domain='0' bus='6' slot='2' function='0'/></source></hostdev>"
    ),
    ("filesystem", "driverType"): FILESYSTEM.format("<driver type='{}'/><source dir='/d'/>"),
    ("tpm", "model"): "<tpm model='{}'><backend type='emulator' version='2.0'/></tpm>",
    ("tpm", "backendVersion"): "<tpm model='tpm-tis'><backend type='emulator' version='{}'/></tpm>",
    ("crypto", "model"): "<crypto model='{}' type='qemu'><backend model='builtin'/></crypto>",
    ("crypto", "type"): "<crypto model='virtio' type='{}'><backend model='builtin'/></crypto>",
    ("crypto", "backendModel"): "<crypto model='virtio' type='qemu'><backend model='{}'/></crypto>",
}
#: What is offered with something else for each value.
SINGLE = {
    ("disk", "bus", "fdc"): "<disk device='floppy' type='file'><target dev='fda' bus='fdc'/></disk>",
    (
        "tpm",
        "backendModel",
        "passthrough",
    ): "<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
    ("tpm", "backendModel", "emulator"): "<tpm><backend type='emulator'/></tpm>",
    ("tpm", "backendModel", "external"): (
        "<tpm><backend type='external'><source type='unix' mode='connect' path='/run/tpm'/></backend></tpm>"
    ),
    ("rng", "backendModel", "egd"): (
        "<rng model='virtio'><backend model='egd' type='udp'><source mode='connect' host='::1' service='1234'/>"
        "</backend></rng>"
    ),
    # libvirt offers the word for what the absence of the attribute means, and does not take it.
    ("hostdev", "pciBackend", "default"): (
        "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='6' slot='2' function='0'/></source>"
        "</hostdev>"
    ),
    ("hostdev", "startupPolicy", "default"): (
        "<hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>"
    ),
    ("hostdev", "subsysType", "usb"): (
        "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>"
    ),
    ("hostdev", "subsysType", "pci"): (
        "<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='6' slot='2' function='0'/></source>"
        "</hostdev>"
    ),
    ("hostdev", "subsysType", "scsi"): (
        "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"
        "<address bus='0' target='0' unit='0'/></source></hostdev>"
    ),
}
DISKS = {
    "disk": "<disk device='disk' type='file'><source file='/d'/><target dev='sda' bus='scsi'/></disk>",
    "cdrom": "<disk device='cdrom' type='file'><target dev='sda' bus='scsi'/></disk>",
    "floppy": "<disk device='floppy' type='file'><target dev='fda' bus='fdc'/></disk>",
    "lun": "<disk device='lun' type='block'><source dev='/dev/x'/><target dev='sda' bus='scsi'/></disk>",
}
#: What boards that are no PCs have only if it is asked for.
CONTROLLERS = dict.fromkeys(("aarch64", "s390x"), "<controller type='usb' model='qemu-xhci'/>")
FEATURES = {
    "vmcoreinfo": "<features><vmcoreinfo state='on'/></features>",
    "genid": "<genid>4c4c4544-0035-3510-8057-b4c04f4a4d32</genid>",
    "ps2": "<features><ps2 state='on'/></features>",
    "gic": "<features><gic version='3'/></features>",
    "async-teardown": "<features><async-teardown enabled='yes'/></features>",
}
#: Features that are not settings of a definition; the chain of images is tried with the disks.
NOT_SETTINGS = {"backingStoreInput", "hyperv"}


async def _no_kvm() -> KvmStatus:
    return KvmStatus(False, "not in this test")


def choices(arch: str, machine: str) -> Choice:
    return asyncio.run(Emulators(Catalogue(None, _no_kvm), "x86_64").choose(None, arch, "qemu", machine))


def define(chosen: Choice, devices: str = "", settings: str = "") -> None:
    """Read and complete a definition; raises what the daemon would tell the client."""
    domain = parse_domain(
        f"<domain type='qemu'><name>a</name><memory>262144</memory>{settings}"
        f"<os><type arch='{chosen.arch}' machine='{chosen.machine.name}'>hvm</type></os>"
        f"<devices>{devices}</devices></domain>",
        validate=True,
    )
    emulators = {chosen.arch: chosen.capabilities.binary}
    complete(domain, chosen.capabilities, defaults=Defaults(emulators=emulators))


def offered(root: ET.Element) -> Iterator[tuple[str, str, str]]:
    """Device, enumeration and value of everything that a document offers."""
    for device in root.findall("devices/*[@supported='yes']"):
        for enum in device.findall("enum"):
            for value in enum.findall("value"):
                yield device.tag, enum.get("name", ""), value.text or ""


@pytest.mark.parametrize(
    ("arch", "machine"),
    [("x86_64", "pc"), ("x86_64", "q35"), ("i686", "pc"), ("aarch64", "virt"), ("s390x", "s390-ccw-virtio")],
)
def test_every_offer_is_accepted(arch: str, machine: str) -> None:
    chosen = choices(arch, machine)
    root = ET.fromstring(guest_document(chosen, FirmwareOffer(), physical_bits=None, kvm_limit=None))
    tried = 0
    for device, enum, value in offered(root):
        if (device, enum) == ("disk", "diskDevice"):
            sample = DISKS[value]
        else:
            sample = SINGLE.get((device, enum, value)) or SAMPLES[device, enum].format(value)
        try:
            define(chosen, sample + CONTROLLERS.get(arch, ""), SHARED_MEMORY)
        except Exception as error:
            raise AssertionError(f"{device} {enum}={value} is offered and refused: {error}") from error
        tried += 1
    assert tried > 20


@pytest.mark.parametrize(("arch", "machine"), [("x86_64", "pc"), ("x86_64", "q35"), ("aarch64", "virt")])
def test_every_feature_is_accepted(arch: str, machine: str) -> None:
    chosen = choices(arch, machine)
    root = ET.fromstring(guest_document(chosen, FirmwareOffer(), physical_bits=None, kvm_limit=None))
    names = {feature.tag for feature in root.findall("features/*[@supported='yes']")}
    assert names <= set(FEATURES) | NOT_SETTINGS
    for name in names - NOT_SETTINGS:
        define(chosen, settings=FEATURES[name])
    backed = "<backingStore type='file'><format type='raw'/><source file='/b'/><backingStore/></backingStore>"
    disk = f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='/d'/>{backed}<target dev='vda'/></disk>"
    define(chosen, disk)


@pytest.mark.parametrize(
    ("arch", "machine", "models"), [("aarch64", "virt", {"cortex-a57", "max"}), ("s390x", "s390-ccw-virtio", {"qemu"})]
)
def test_what_other_architectures_are_offered(arch: str, machine: str, models: set[str]) -> None:
    chosen = choices(arch, machine)
    root = ET.fromstring(guest_document(chosen, FirmwareOffer(), physical_bits=None, kvm_limit=None))
    found = set(offered(root))
    assert ("video", "modelType", "virtio") in found
    spice = chosen.capabilities.has_option("spice")
    assert (("graphics", "type", "spice") in found) == (("channel", "type", "spicevmc") in found) == spice
    named = root.findall("cpu/mode[@name='custom']/model")
    assert models <= {model.text for model in named}
    assert {model.get("usable") for model in named} == ({"unknown"} if arch == "aarch64" else {"yes", "no"})
    for name in models:
        define(chosen, settings=f"<cpu mode='custom' match='exact'><model>{name}</model></cpu>")
    versions = [value.text for value in root.findall("features/gic/enum/value")]
    assert versions == (["2", "3"] if arch == "aarch64" else [])


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_every_usable_model_is_accepted(machine: str) -> None:
    chosen = choices("x86_64", machine)
    root = ET.fromstring(guest_document(chosen, FirmwareOffer(), physical_bits=None, kvm_limit=None))
    usable = [model.text for model in root.findall("cpu/mode[@name='custom']/model[@usable='yes']")]
    assert "qemu64" in usable
    for name in usable:
        define(chosen, settings=f"<cpu mode='custom' match='exact'><model>{name}</model></cpu>")
    for mode in root.findall("cpu/mode[@supported='yes']"):
        if mode.get("name") != "custom":
            define(chosen, settings=f"<cpu mode='{mode.get('name')}'/>")


def test_this_hosts_processor_is_known() -> None:
    node = Node(HostTree())
    if node.arch != "x86_64":
        pytest.skip("only x86 processors have names")
    processor, _microcode, bits = read_processor(node.tree)
    assert {"fpu", "sse2", "lm"} <= processor.features
    assert bits is None or 32 <= bits <= 64
