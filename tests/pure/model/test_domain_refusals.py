"""What no guest can be: bad documents, numbers out of range, contradictions, and what is not there yet."""

from __future__ import annotations

import pytest

from guesthouse.errors import Code, LibvirtError
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.document import parse_domain
from tests.support.capabilities import host_defaults, qemu_capabilities

BASE = """<domain type='qemu'>
  <name>guest</name>
  <memory>1048576</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices/>
</domain>"""


def _define(xml: str) -> None:
    complete(parse_domain(xml), qemu_capabilities(), defaults=host_defaults())


def _with(old: str, new: str) -> str:
    assert old in BASE
    return BASE.replace(old, new)


def test_the_base_is_accepted() -> None:
    _define(BASE)


MEMORY = "<memory>1048576</memory>"
OS = "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
MANY = BASE.replace(MEMORY, f"{MEMORY}<vcpu>300</vcpu>").replace("<devices/>\n</domain>", "<devices>")
END = "</devices>\n</domain>"
TYPE = "<type arch='x86_64' machine='q35'>hvm</type>"


@pytest.mark.parametrize(
    ("xml", "code", "words"),
    [
        ("<domain/>", Code.NO_NAME, "missing name information"),
        (_with("<name>guest</name>", ""), Code.NO_NAME, "missing name information"),
        (_with("guest", ""), Code.XML_ERROR, "name is empty"),
        (_with("guest", "a/b"), Code.XML_ERROR, "name a/b cannot contain '/'"),
        (_with("guest", "a\nb"), Code.XML_ERROR, "invalid char in name"),
        (_with("<name>guest</name>", "<name>a</name><name>b</name>"), Code.XML_ERROR, "given twice"),
        (_with(OS, ""), Code.XML_ERROR, "an os <type> must be specified"),
        (_with(OS, "<os/>"), Code.XML_ERROR, "an os <type> must be specified"),
        (_with(MEMORY, ""), Code.XML_ERROR, "Memory size must be specified"),
        (_with(MEMORY, "<memory>0</memory>"), Code.XML_ERROR, "Memory size must be specified"),
        (_with(MEMORY, "<memory>-1</memory>"), Code.XML_ERROR, "element 'memory': '-1'"),
        (_with(MEMORY, "<memory>1e9</memory>"), Code.XML_ERROR, "element 'memory': '1e9'"),
        (_with(MEMORY, f"<memory>{'9' * 300}</memory>"), Code.XML_ERROR, "element 'memory'"),
        (_with(MEMORY, "<memory unit='EiB'>99</memory>"), Code.OVERFLOW, "value too large: 99EiB"),
        (_with(MEMORY, "<memory unit='furlong'>9</memory>"), Code.INVALID_ARG, "unknown suffix 'furlong'"),
        (_with(MEMORY, f"{MEMORY}<vcpu>0</vcpu>"), Code.XML_ERROR, "vCPU count: 0"),
        (_with(MEMORY, f"{MEMORY}<vcpu>-2</vcpu>"), Code.XML_ERROR, "element 'vcpu': '-2'"),
        (_with(MEMORY, f"{MEMORY}<vcpu>1000000</vcpu>"), Code.CONFIG_UNSUPPORTED, "Maximum CPUs greater than"),
        (
            MANY + "<iommu model='intel'><driver eim='off'/></iommu>" + END,
            Code.CONFIG_UNSUPPORTED,
            "more than 255 vCPUs require",
        ),
        (
            MANY + "<iommu model='intel'><driver intremap='off'/></iommu>" + END,
            Code.CONFIG_UNSUPPORTED,
            "IOMMU eim requires",
        ),
        (MANY + "<iommu model='virtio'/>" + END, Code.CONFIG_UNSUPPORTED, "more than 255 vCPUs require"),
        (MANY.replace("'q35'", "'pc'") + END, Code.CONFIG_UNSUPPORTED, "Maximum CPUs greater than"),
        (
            _with(MEMORY, f"{MEMORY}<vcpu current='3'>2</vcpu>"),
            Code.XML_ERROR,
            "maxvcpus must not be less than current vcpus (2 < 3)",
        ),
        (_with(MEMORY, f"{MEMORY}<vcpu cpuset='x'>2</vcpu>"), Code.XML_ERROR, "'cpuset' in element 'vcpu': 'x'"),
        (_with("'qemu'", "'xen'"), Code.XML_ERROR, "attribute 'type' in element 'domain': 'xen'"),
        (_with("'qemu'", "'kvm'"), Code.CONFIG_UNSUPPORTED, "does not support virt type 'kvm'"),
        (_with("'x86_64'", "'vax'"), Code.CONFIG_UNSUPPORTED, "No emulator found for arch 'vax'"),
        (_with("'q35'", "'pc-9.9'"), Code.CONFIG_UNSUPPORTED, "does not support machine type 'pc-9.9'"),
        (_with("hvm", "xen"), Code.CONFIG_UNSUPPORTED, "os type 'xen'"),
        (
            _with("<devices/>", "<launchSecurity type='sev'/>"),
            Code.XML_ERROR,
            "policy",
        ),
        (
            _with("<devices/>", "<q:warp xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'/>"),
            Code.CONFIG_UNSUPPORTED,
            "element 'qemu:warp'",
        ),
        (_with("hvm</type>", "hvm</type><init>/bin/sh</init>"), Code.CONFIG_UNSUPPORTED, "element 'init'"),
        (_with("<acpi/>", "<vmport state='x'/>"), Code.XML_ERROR, "attribute 'state' in element 'vmport': 'x'"),
        (_with("<acpi/>", "<kvm><hidden/></kvm>"), Code.XML_ERROR, "Missing required attribute 'state'"),
        (
            _with("<acpi/>", "<smm><tseg unit='KiB'>3</tseg></smm>"),
            Code.CONFIG_UNSUPPORTED,
            "SMM TSEG size must be divisible by 1 MiB",
        ),
        (_with(TYPE, TYPE + "<init>/x</init>"), Code.CONFIG_UNSUPPORTED, "element 'init' in 'domain/os'"),
        (_with(TYPE, TYPE + "<loader/>"), Code.XML_DETAIL, "no loader path specified"),
        (_with(TYPE, TYPE + "<loader>rel</loader>"), Code.XML_ERROR, "element 'loader': 'rel'"),
        (_with("<os>", "<os firmware='coreboot'>"), Code.XML_ERROR, "attribute 'firmware' in element 'os'"),
        (
            _with("<os>", "<os firmware='efi'>").replace("<acpi/>", ""),
            Code.CONFIG_UNSUPPORTED,
            "UEFI requires ACPI",
        ),
        (_with("<os>", "<os firmware='bios'>"), Code.OPERATION_FAILED, "Unable to find 'bios' firmware"),
        (_with(TYPE, TYPE + "<smbios mode='sysinfo'/>"), Code.XML_ERROR, "sysinfo are not available"),
        (
            _with("<devices/>", "<cpu><topology sockets='1' cores='3' threads='1'/></cpu>"),
            Code.CONFIG_UNSUPPORTED,
            "CPU topology doesn't match maximum vcpu count",
        ),
        (_with("<devices/>", "<cpu><topology sockets='0' cores='1' threads='1'/></cpu>"), Code.XML_ERROR, "'sockets'"),
        (
            _with("<devices/>", "<cpu><model>a</model><feature name='x'/><feature name='x'/></cpu>"),
            Code.XML_ERROR,
            "CPU feature 'x' specified more than once",
        ),
        (
            _with("<devices/>", "<cpu><feature name='x'/></cpu>"),
            Code.XML_ERROR,
            "Non-empty feature list specified without CPU model",
        ),
        (_with("<devices/>", "<cpu><model>a,b=c</model></cpu>"), Code.XML_ERROR, "element 'model': 'a,b=c'"),
        (_with("<devices/>", "<clock offset='timezone'/>"), Code.XML_ERROR, "missing 'timezone' attribute"),
        (
            _with("<devices/>", "<clock><timer name='pit'/><timer name='pit'/></clock>"),
            Code.XML_ERROR,
            "timer 'pit' is given twice",
        ),
        (
            _with("<devices/>", "<clock><timer name='rtc' track='boot'/></clock>"),
            Code.CONFIG_UNSUPPORTED,
            "unsupported rtc timer track 'boot'",
        ),
        (
            _with("<devices/>", "<on_reboot>preserve</on_reboot>"),
            Code.CONFIG_UNSUPPORTED,
            "doesn't support the 'preserve' action",
        ),
        (_with("<devices/>", "<seclabel type='static'/>"), Code.XML_ERROR, "security label is missing"),
        (
            _with("<devices/>", "<devices><warp/></devices>"),
            Code.CONFIG_UNSUPPORTED,
            "element 'warp' in 'domain/devices'",
        ),
    ],
)
def test_refused(xml: str, code: int, words: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        _define(xml)
    assert words in str(caught.value)
    assert caught.value.code == code


DISK = "<disk type='file' device='disk'><source file='/d{0}.img'/><target dev='{1}' bus='{2}'/>{3}</disk>"


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (DISK.format(1, "vda", "virtio", "") + DISK.format(2, "vda", "virtio", ""), "target 'vda' duplicated"),
        (
            DISK.format(1, "sda", "sata", "<address type='drive' unit='1'/>") + DISK.format(2, "sdb", "sata", ""),
            "Found duplicate drive address for disk with target name 'sdb'",
        ),
        (
            DISK.format(1, "vda", "virtio", "<boot order='1'/>") + DISK.format(2, "vdb", "virtio", "<boot order='1'/>"),
            "boot order '1' used for more than one device",
        ),
        (
            DISK.format(1, "vda", "virtio", "<address type='pci' bus='0' slot='3'/>")
            + DISK.format(2, "vdb", "virtio", "<address type='pci' bus='0' slot='3'/>"),
            "Attempted double use of PCI Address 0000:00:03.0",
        ),
        (
            DISK.format(1, "vda", "virtio", "<address type='pci' bus='9' slot='0x1f'/>"),
            "slot must be <= 0",
        ),
        (
            DISK.format(1, "vda", "virtio", "<address type='pci' domain='1' bus='0' slot='3'/>"),
            "Only PCI domain 0 is available",
        ),
        ("<controller type='usb' model='none'/><input type='tablet' bus='usb'/>", "USB is disabled for this domain"),
        (
            "<input type='tablet' bus='usb'><address type='usb' bus='0' port='1'/></input>" * 2,
            "Duplicate USB address bus 0 port 1",
        ),
        (
            "<input type='tablet' bus='usb'><address type='usb' bus='0' port='9'/></input>",
            "requested USB port 9 not present on USB bus 0",
        ),
        (
            "<input type='tablet' bus='usb'><address type='usb' bus='0' port='1.2'/></input>",
            "there is no hub at port 1",
        ),
        ("<controller type='sata' index='0'/>" * 2, "Multiple 'sata' controllers with index '0'"),
        (
            "<controller type='pci' index='0' model='pci-root'/>",
            "The PCI controller with index='0' must be model='pcie-root'",
        ),
        (
            "<channel type='pty'><target type='virtio' name='a'/>"
            "<address type='virtio-serial' controller='0' bus='0' port='40'/></channel>",
            "virtio serial controller 0 does not have port 40",
        ),
        (
            "<rng model='virtio'><backend model='random'>/dev/random</backend><alias name='ua-x'/></rng>" * 2,
            "non unique alias detected: ua-x",
        ),
    ],
)
def test_devices_that_clash(devices: str, words: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        _define(_with("<devices/>", f"<devices>{devices}</devices>"))
    assert words in str(caught.value)


def test_both_ways_of_ordering_are_one_too_many() -> None:
    disk = DISK.format(1, "vda", "virtio", "<boot order='1'/>")
    xml = _with("</os>", "<boot dev='hd'/></os>").replace("<devices/>", f"<devices>{disk}</devices>")
    with pytest.raises(LibvirtError, match="per-device boot elements cannot be used together"):
        _define(xml)


def test_validation_is_a_schema_error() -> None:
    with pytest.raises(LibvirtError) as caught:
        parse_domain(_with("<devices/>", "<warp/>"), validate=True)
    assert caught.value.code == Code.XML_INVALID_SCHEMA
