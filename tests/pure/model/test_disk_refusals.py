"""Disks that cannot be: refused by name, with libvirt's codes and texts."""

from __future__ import annotations

import pytest

from guesthouse.errors import LibvirtError
from guesthouse.model.domain.devices.disk import group
from guesthouse.model.domain.devices.volumes import no_volume
from tests.pure.model import device_cases as cases

INTERNAL = 1
XML = 27
UNSUPPORTED = 67
NO_OPERATION = 84
ARGUMENT = 74

UUID = "5f0f8d5e-2d5c-4c1c-9b2a-8d9f0e6f7a11"
SECRET = f"<secret type='passphrase' uuid='{UUID}'/>"


def disk(
    inside: str = "", *, head: str = "type='file'", driver: str = "", target: str = "dev='vda'", source: str = ""
) -> str:
    """A disk on a file, or with this source."""
    place = source or "<source file='/i'/>"
    return f"<disk {head}><driver name='qemu' {driver}/>{place}<target {target}/>{inside}</disk>"


def remote(protocol: str, inside: str = "", attributes: str = "", *, name: str = "name='p/i'") -> str:
    """A disk on a server."""
    source = f"<source protocol='{protocol}' {name} {attributes}><host name='h'/>{inside}</source>"
    return disk(head="type='network'", source=source)


def encrypted(format_: str, inside: str = SECRET, *, engine: str = "", image: str = "raw") -> str:
    """A disk with an encrypted image."""
    source = f"<source file='/i'><encryption format='{format_}' {engine}>{inside}</encryption></source>"
    return disk(driver=f"type='{image}'", source=source)


def threaded(threads: str) -> str:
    """A disk with two queues and these threads."""
    return disk().replace("<driver name='qemu' />", f"<driver queues='2'><iothreads>{threads}</iothreads></driver>")


LUN = "device='lun' type='block'"
LUN_SOURCE = "<source dev='/dev/x'/>"
SCSI = "dev='sda' bus='scsi'"
IOTUNE = "<iotune><total_bytes_sec>1</total_bytes_sec></iotune>"
STORE = "<dataStore type='file'><format type='{}'/><source file='/d'>{}</source></dataStore>"
HALF = "<source type='unix'/>"
RESERVED = "<reservations managed='{}'>{}</reservations>"

REFUSED: list[tuple[str, int, str]] = [
    # The name, the bus and the kind of drive.
    (disk(target="dev='xda'"), XML, "'xda'"),
    (disk(target="dev='vdb1'"), UNSUPPORTED, "partitions can't appear in disk targets"),
    (disk(target="dev='hdaxxxxxxxxxx'"), XML, "Unknown disk name 'hdaxxxxxxxxxx'"),
    (disk(target="dev='xvda'"), UNSUPPORTED, "unsupported disk bus 'xen'"),
    (disk(target="dev='fda' bus='scsi'"), INTERNAL, "Invalid harddisk device name: fda"),
    (disk(head="device='floppy'", target="dev='vda' bus='fdc'"), INTERNAL, "Invalid floppy device name: vda"),
    (disk(head="device='floppy'", target="dev='fda' bus='sata'"), INTERNAL, "'sata' for floppy disk"),
    (disk(target="dev='sda' bus='fdc'"), INTERNAL, "Invalid bus type 'fdc' for disk"),
    (disk(head="device='cdrom'"), UNSUPPORTED, "does not support ejectable media"),
    (disk(target="dev='vda' tray='open'"), UNSUPPORTED, "tray is only valid for cdrom and floppy"),
    (disk(head="model='virtio'", target=SCSI), UNSUPPORTED, "model 'virtio' not supported for bus 'scsi'"),
    (disk("<readonly/>", target="dev='sda' bus='sata'"), UNSUPPORTED, "readonly sata disks are not supported"),
    (disk("<address type='pci' slot='5'/>", target=SCSI), UNSUPPORTED, "Invalid address type 'pci' for the disk 'sda'"),
    (disk("<address type='drive'/>", target="dev='sda' bus='usb'"), INTERNAL, "address type for usb disk"),
    ("<disk device='cdrom'><target dev='sda' bus='usb'/></disk>", UNSUPPORTED, "'usb' disk must not be empty"),
    ("<disk type='file'><target dev='vda'/></disk>", 19, "vda"),
    (disk("<acpi index='3'/>", target=SCSI), UNSUPPORTED, "ACPI index is only supported for PCI devices"),
    # What the guest is told of it.
    (disk("<wwn>5000c50015ea71ad</wwn>"), UNSUPPORTED, "Only ide and scsi disk support wwn"),
    (disk("<wwn>5000c5</wwn>"), XML, "wwn"),
    (disk("<vendor>ACME</vendor>"), UNSUPPORTED, "Only scsi disk supports 'vendor'"),
    (disk("<vendor>ACME-ACME</vendor>", target=SCSI), UNSUPPORTED, "disk vendor is more than 8 characters"),
    (disk("<vendor>\u00e9</vendor>", target=SCSI), XML, "disk vendor is not printable string"),
    (disk("<product>ACME</product>"), UNSUPPORTED, "Only ide, sata and scsi disk supports 'product'"),
    (disk("<product>0123456789abcdefg</product>", target=SCSI), UNSUPPORTED, "more than 16 characters"),
    (disk("<serial>a,b</serial>"), INTERNAL, "driver serial 'a,b' contains unsafe characters"),
    (disk(target="dev='vda' rotation_rate='1'"), INTERNAL, "rotation rate is only valid for SCSI/IDE/SATA bus"),
    (disk(target="dev='vda' removable='on'"), XML, "removable is only valid for usb or scsi disks"),
    (disk("<geometry cyls='1' heads='2' secs='3'/>", target="dev='sda' bus='usb'"), UNSUPPORTED, "CHS geometry"),
    (disk("<geometry cyls='1' heads='2' secs='3' trans='lba'/>"), UNSUPPORTED, "CHS translation mode"),
    # Devices of the host.
    (disk(head="device='lun'", target=SCSI), UNSUPPORTED, "only valid for block type disk source"),
    (disk(head=LUN, source=LUN_SOURCE), UNSUPPORTED, "SCSI emulation with 'virtio-blk'"),
    (disk(head=LUN, source=LUN_SOURCE, target="dev='sda' bus='sata'"), UNSUPPORTED, "not supported for bus='sata'"),
    (disk(head=LUN, source=LUN_SOURCE, target=SCSI, driver="type='qcow2'"), UNSUPPORTED, "must use 'raw' format"),
    (disk("<serial>x</serial>", head=LUN, source=LUN_SOURCE, target=SCSI), UNSUPPORTED, "serial property"),
    (disk("<product>x</product>", head=LUN, source=LUN_SOURCE, target=SCSI), UNSUPPORTED, "Setting vendor or product"),
    (disk("<wwn>5000c50015ea71ad</wwn>", head=LUN, source=LUN_SOURCE, target=SCSI), UNSUPPORTED, "Setting wwn"),
    (disk(head="rawio='yes'"), UNSUPPORTED, "rawio can be used only with device='lun'"),
    (disk(head="sgio='filtered'"), UNSUPPORTED, "sgio can be used only with device='lun'"),
    (disk(head=f"{LUN} sgio='unfiltered'", source=LUN_SOURCE, target=SCSI), UNSUPPORTED, "no longer supported"),
    (disk(source=f"<source file='/i'>{RESERVED.format('yes', '')}</source>"), UNSUPPORTED, "only for lun devices"),
    (disk(source=f"<source file='/i'>{RESERVED.format('no', '')}</source>"), XML, "missing connection type"),
    (disk(source=f"<source file='/i'>{RESERVED.format('no', HALF)}</source>"), XML, "missing path"),
    # The driver.
    (disk(driver="io='native'"), UNSUPPORTED, "io='native' needs either no disk cache or directsync cache mode"),
    (disk(driver="iothread='7'"), UNSUPPORTED, "Disk iothread '7' not defined in iothreadid"),
    (disk(driver="iothread='1'", target=SCSI), UNSUPPORTED, "IOThreads not available for bus scsi target sda"),
    (disk(driver="queues='2'", target=SCSI), UNSUPPORTED, "queues attribute"),
    (disk(driver="packed='on'", target=SCSI), UNSUPPORTED, "packed"),
    (disk("<readonly/>", driver="copy_on_read='on'"), UNSUPPORTED, "not compatible with read-only disk 'vda'"),
    (disk(driver="discard_no_unref='on'"), UNSUPPORTED, "only works with qcow2 disk format"),
    (disk(driver="rerror_policy='enospace'"), UNSUPPORTED, "Invalid disk read error policy: 'enospace'"),
    (disk().replace("'qemu'", "'xen'"), UNSUPPORTED, "unsupported driver name 'xen'"),
    (disk(driver="type='cow'"), UNSUPPORTED, "'cow' storage format is not supported"),
    (disk(driver="type='iso'"), UNSUPPORTED, "use 'raw' instead"),
    (disk(driver="type='dir'"), UNSUPPORTED, "use 'dir' disk type instead"),
    (disk(driver="type='fat'"), UNSUPPORTED, "only with 'dir' storage type"),
    (disk(driver="type='zip'"), UNSUPPORTED, "unknown driver format value 'zip'"),
    (disk("<shareable/>", driver="type='qcow2'"), UNSUPPORTED, "shared access for disk 'vda'"),
    # The image and its place.
    (disk(source="<source file='rel'/>"), XML, "'file'"),
    (disk(source="<source dev='/dev/x'/>"), XML, "'dev' of <source> does not apply to storage type 'file'"),
    (disk(head="type='dir'", source="<source dir='/d'/>"), UNSUPPORTED, "requires use of storage format 'fat'"),
    (disk(head="type='dir'", driver="type='fat'", source="<source dir='/d'/>"), UNSUPPORTED, "read-write mode"),
    (disk(head="type='volume'", source="<source pool='p'/>"), XML, "must be specified together"),
    (disk(head="type='nvme'", source="<source type='pci' namespace='1'/>"), XML, "NVMe disk source is missing address"),
    (disk(head="type='nvme'", source="<source type='usb' namespace='1'/>"), XML, "unsupported source type 'usb'"),
    (disk(head="type='nvme'", source="<source type='pci' namespace='0'><address/></source>"), UNSUPPORTED, "be zero"),
    (disk(head="type='vhostuser'", source="<source type='unix'/>"), XML, "missing 'path' attribute for vhostuser"),
    (
        disk("<serial>x</serial>", head="type='vhostuser'", source="<source type='unix' path='/s'/>"),
        UNSUPPORTED,
        "serial is not supported with vhostuser disk",
    ),
    (disk(head="type='vhostvdpa'", source="<source dev='/dev/v'/>"), UNSUPPORTED, "requires cache mode"),
    (disk(source="<source file='/i' startupPolicy='requisite'/>"), XML, "only for cdrom or floppy"),
    (remote("nbd", attributes="startupPolicy='optional'"), XML, "not allowed for disk of 'network' type"),
    (disk("<backingStore type='file'><source file='/b'/></backingStore>"), XML, "missing disk backing store format"),
    (disk(source=f"<source file='/i'>{STORE.format('raw', '')}</source>"), UNSUPPORTED, "only with qcow2 images"),
    (
        disk(driver="type='qcow2'", source=f"<source file='/i'>{STORE.format('qcow2', '')}</source>"),
        UNSUPPORTED,
        "only 'raw' images supported as <dataStore>",
    ),
    # Servers.
    (disk(head="type='network'", source="<source name='x'/>"), XML, "'protocol'"),
    (disk(head="type='network'", source="<source protocol='ssh'/>"), XML, "missing name for disk source"),
    (remote("rbd", name="name='image'"), XML, "can't split path 'image' into pool name and image name"),
    (remote("sheepdog"), UNSUPPORTED, "'sheepdog' protocol is no longer supported"),
    (remote("vxhs"), UNSUPPORTED, "'vxhs'"),
    (remote("tftp"), UNSUPPORTED, "'tftp' protocol is not supported"),
    (remote("nbd", "<host transport='unix'/>"), XML, "missing socket for unix transport"),
    (remote("nbd", "<host transport='tcp' socket='/s'/>"), XML, "does not support socket attribute"),
    (remote("nbd", "<host port='1'/>"), XML, "missing name for host"),
    (remote("nfs", "<host name='b'/>"), UNSUPPORTED, "requires the usage of exactly one host"),
    (remote("http", "<ssl verify='no'/>"), UNSUPPORTED, "ssl verification is supported only with HTTPS/FTPS"),
    (remote("nbd", attributes="query='q'"), UNSUPPORTED, "query is supported only with HTTP(S)"),
    (remote("ssh", "<readahead size='1'/>"), UNSUPPORTED, "readahead is supported only with"),
    (remote("http", "<reconnect delay='1'/>"), UNSUPPORTED, "reconnect delay is supported only with NBD"),
    (remote("http", attributes="tls='yes'"), UNSUPPORTED, "TLS transport is not supported for disk protocol 'http'"),
    (remote("http", attributes="tlsHostname='x'"), UNSUPPORTED, "supported only with NBD disks"),
    (remote("http", "<cookies><cookie name='a b'>c</cookie></cookies>"), XML, "cookie name 'a b'"),
    (remote("http", "<cookies><cookie name='a'>c;</cookie></cookies>"), XML, "value of cookie 'a'"),
    (remote("ssh", "<identity keyfile='/k'/>"), XML, "'username'"),
    (remote("ssh", "<identity username='u'/>"), XML, "requires either 'keyfile' or 'agentsock'"),
    (remote("nbd", f"<auth username='u'>{SECRET}</auth>"), UNSUPPORTED, "not supported for protocol 'nbd'"),
    (remote("rbd", f"<auth username='u'>{SECRET}</auth>"), UNSUPPORTED, "unknown secret type 'passphrase'"),
    (remote("rbd", f"<auth username='u'><secret type='iscsi' uuid='{UUID}'/></auth>"), UNSUPPORTED, "type 'iscsi'"),
    # Encryption.
    (encrypted("qcow"), UNSUPPORTED, "old qcow/qcow2 encryption is not supported"),
    (encrypted("luks", image="vmdk"), UNSUPPORTED, "only with 'raw' and 'qcow2' image format"),
    (encrypted("luks2"), UNSUPPORTED, "'luks2' is currently not supported by the qemu encryption engine"),
    (encrypted("luks", SECRET * 2), UNSUPPORTED, "expects only a single secret"),
    (encrypted("luks", engine="engine='librbd'"), UNSUPPORTED, "only with RBD backed disks"),
    (encrypted("luks", f"{SECRET}<cipher name='aes' size='256'/>"), UNSUPPORTED, "<cipher>"),
    (encrypted("luks", "<ivgen name='x'/>"), XML, "ivgen element found, but cipher is missing"),
    (encrypted("luks", f"<secret type='ceph' uuid='{UUID}'/>"), UNSUPPORTED, "secret type ceph"),
    (
        encrypted("luks").replace("</disk>", f"<encryption format='luks'>{SECRET}</encryption></disk>"),
        UNSUPPORTED,
        "an <encryption> definition already found for disk source",
    ),
    # Limits.
    (
        disk("<iotune><total_iops_sec>1</total_iops_sec><read_iops_sec>1</read_iops_sec></iotune>"),
        XML,
        "total and read/write iops_sec cannot be set at the same time",
    ),
    (disk("<iotune><group_name>g</group_name></iotune>"), UNSUPPORTED, "group_name can be configured only together"),
    (disk(f"<iotune><read_bytes_sec>{10**15 + 1}</read_bytes_sec></iotune>"), ARGUMENT, "no more than"),
    (disk("<throttlefilters><throttlefilter group='x'/></throttlefilters>"), XML, "throttle group 'x' not found"),
    (
        disk(f"{IOTUNE}<throttlefilters><throttlefilter group='slow'/></throttlefilters>"),
        NO_OPERATION,
        "can't be used together with 'iotune'",
    ),
    (
        disk("<throttlefilters><throttlefilter group='slow'/><throttlefilter group='slow'/></throttlefilters>"),
        XML,
        "duplicate filter name 'slow' found",
    ),
    # Disks that forget.
    (disk("<transient/><readonly/>"), UNSUPPORTED, "must not be read-only"),
    (disk("<transient/>", head="type='block'", source=LUN_SOURCE), UNSUPPORTED, "only with 'file' type"),
    (disk("<transient shareBacking='yes'/>", target="dev='sda' bus='sata'"), UNSUPPORTED, "backing image sharing"),
    # Threads of queues.
    *(
        (threaded(threads), UNSUPPORTED, why)
        for threads, why in (
            ("<iothread id='1'/><iothread id='1'/>", "duplicate mapping for iothread '1'"),
            ("<iothread id='9'/>", "iothread '9' not defined in iothreadid"),
            ("<iothread id='1'><queue id='0'/></iothread>", "missing iothread mapping for queue '1'"),
            ("<iothread id='1'><queue id='2'/></iothread>", "mapping out of range"),
            ("<iothread id='1'><queue id='0'/><queue id='0'/></iothread>", "already assigned"),
            ("<iothread id='1'><queue id='0'/></iothread><iothread id='2'/>", "for all iothreads or for"),
        )
    ),
    # SCSI controllers.
    ("<controller type='scsi' model='buslogic'/>", UNSUPPORTED, "Unsupported controller model: buslogic"),
    ("<controller type='scsi' model='ncr53c90'/>", UNSUPPORTED, "not a built-in for this machine"),
    *(
        (f"<controller type='scsi' model='lsilogic'><driver {name}='{value}'/></controller>", UNSUPPORTED, f"'{name}'")
        for name, value in (("queues", "2"), ("cmd_per_lun", "3"), ("max_sectors", "4"), ("ioeventfd", "on"))
    ),
    ("<controller type='sata'><driver iothread='1'/></controller>", XML, "'iothread' attribute only supported for"),
    (
        "<controller type='scsi' model='virtio-scsi'><driver iothread='9'/></controller>",
        UNSUPPORTED,
        "controller iothread '9' not defined in iothreadid",
    ),
]


def judge(text: str) -> None:
    """Read the devices, fill them in and check them."""
    devices = cases.parse(f"<devices>{text}</devices>")
    ctx = cases.context(devices, "q35", assign=False)
    for device in devices.all():
        device.defaults(ctx)
        device.check_address(ctx)
        device.check(ctx)
    devices.check_together()


@pytest.mark.parametrize(("text", "code", "part"), REFUSED)
def test_refused(text: str, code: int, part: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        judge(text)
    assert part in caught.value.message
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        disk(),
        remote("nbd"),
        remote("rbd", f"<auth username='u'><secret type='ceph' uuid='{UUID}'/></auth>"),
        encrypted("luks"),
        disk(IOTUNE),
        disk("<throttlefilters><throttlefilter group='slow'/></throttlefilters>"),
        disk("<transient/>"),
        disk(head="type='volume'", source="<source pool='p' volume='v'/>"),
        "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>",
    ],
)
def test_not_everything_is_refused(text: str) -> None:
    judge(text)


def test_drives_of_one_group_have_the_same_limits() -> None:
    one, other = (
        f"<iotune><read_iops_sec>{limit}</read_iops_sec><group_name>g</group_name></iotune>" for limit in "12"
    )
    with pytest.raises(LibvirtError, match="different iotunes for disks vda and vdb"):
        judge(disk(one) + disk(other, target="dev='vdb'"))


@pytest.mark.parametrize(
    ("protocol", "hosts", "part"),
    [
        ("iscsi", "", "iSCSI protocol accepts only one host"),
        ("nbd", "<host name='a'/><host name='b'/>", "nbd protocol accepts only one host"),
        ("nbd", "<host name='a' transport='rdma'/>", "transport protocol 'rdma' is not yet supported"),
        ("http", "", "protocol 'http' accepts only one host"),
    ],
)
def test_servers_are_counted_at_the_start(protocol: str, hosts: str, part: str) -> None:
    source = f"<source protocol='{protocol}' name='n'>{hosts}</source>"
    text = disk(head="type='network'", source=source)
    devices = cases.parse(f"<devices>{text}</devices>")
    devices.number_disk_layers()
    with pytest.raises(LibvirtError, match=part):
        devices.disks[0].backend(cases.context(devices, "q35"))


def test_a_missing_volume_leaves_an_empty_drive_or_none() -> None:
    policy = "<source pool='p' volume='v' startupPolicy='optional'/>"
    text = disk(head="type='volume'", source=policy) + disk(
        head="type='volume' device='cdrom'", source=policy, target="dev='sda' bus='sata'"
    )
    left = group.with_volumes(cases.parse(f"<devices>{text}</devices>").disks, no_volume)
    assert [(one.target.dev, one.empty) for one in left] == [("sda", True)]
    needed = text.replace("optional", "mandatory")
    with pytest.raises(LibvirtError, match="no storage pool with matching name 'p'"):
        group.with_volumes(cases.parse(f"<devices>{needed}</devices>").disks, no_volume)
