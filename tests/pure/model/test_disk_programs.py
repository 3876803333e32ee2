"""What disks have in common on the command line, and the programs that they need beside QEMU."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guesthouse.errors import LibvirtError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices import Devices
from guesthouse.model.domain.devices.address import DriveAddress
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk import group
from guesthouse.model.domain.devices.throttling import share_limits
from guesthouse.model.helper_programs import Handed, HelperProgram, SecretText
from tests.pure.model import device_cases as cases

LUN = """<disk type='block' device='lun'><source dev='/dev/{0}'><reservations managed='yes'/></source>
  <target dev='{0}' bus='scsi'/></disk>"""
LOGIN = "<auth username='me'><secret type='iscsi' usage='mine'/></auth>"


def disks(text: str, machine: str = "q35") -> tuple[Devices, DeviceContext]:
    """Numbered disks and their context, on a host that prefers nbdkit."""
    devices = cases.parse(f"<devices>{text}<controller type='scsi' index='0' model='virtio-scsi'/></devices>")
    for number, disk in enumerate(devices.disks):
        if disk.bus in ("scsi", "fdc"):
            disk.address = new(DriveAddress, unit=number)
    devices.number_disk_layers()
    ctx = cases.context(devices, machine)
    ctx.settings = replace(ctx.settings, storage_use_nbdkit=True)
    return devices, ctx


def program(source: str, inside: str = "", *, extra: str = "") -> HelperProgram:
    """The program of a disk on a server."""
    place = f"<source {source}><host name='h' port='99'/>{inside}</source>"
    devices, ctx = disks(f"<disk type='network'>{place}{extra}<target dev='vda'/></disk>")
    (found,) = devices.disks[0].helpers(ctx)
    return found


def words(made: HelperProgram) -> list[str]:
    """The words, a descriptor as a number sign."""
    return [f"{word.before}#" if isinstance(word, Handed) else word for word in made.argv]


def test_all_disks_of_a_guest_share_one_program_for_reservations() -> None:
    devices, ctx = disks(LUN.format("sda") + LUN.format("sdb"))
    first, second = (disk.helpers(ctx) for disk in devices.disks)
    assert first == second
    assert first[0].argv == ("/usr/bin/qemu-pr-helper", "-k", "/sockets/pr-helper0.sock")
    assert first[0].restart, "QEMU connects to it anew"
    (manager,) = group.managers(devices.disks, ctx.guest_dir)
    assert manager.arguments()[1] == (
        '{"qom-type":"pr-manager-helper","id":"pr-helper0","path":"/sockets/pr-helper0.sock"}'
    )
    assert group.managers([], ctx.guest_dir) == []


def test_nbdkit_reads_web_servers() -> None:
    made = program(
        "protocol='https' name='/a b' query='q=1'",
        "<ssl verify='no'/><cookies><cookie name='c'>v</cookie></cookies><readahead size='4'/><timeout seconds='9'/>"
        + LOGIN,
        extra="<readonly/>",
    )
    assert words(made) == [
        "nbdkit", "--unix", "/sockets/nbdkit-libvirt-1-storage.socket", "--foreground", "--readonly",
        "--filter", "readahead", "curl", "protocols=https", "url=https://h:99/a%20b?q=1", "cookie=-#",
        "sslverify=false", "timeout=9", "user=me", "password=-#",
    ]  # fmt: skip
    handed = [word.what for word in made.argv if isinstance(word, Handed)]
    assert handed == [SecretText(b"c=v"), SecretText(b"a secret")]
    assert "secret" not in repr(made)


def test_nbdkit_speaks_ssh_with_keys_and_agents() -> None:
    made = program(
        "protocol='ssh' name='/i'",
        "<knownHosts path='/k'/><identity username='me' keyfile='/id' agentsock='/agent'/>",
    )
    assert words(made)[4:] == ["ssh", "host=h", "port=99", "path=/i", "identity=/id", "user=me", "known-hosts=/k"]
    assert made.environment == {"SSH_AUTH_SOCK": "/agent"}


def test_without_nbdkit_ssh_has_no_keys() -> None:
    text = """<disk type='network'><driver name='qemu' type='raw'/><source protocol='ssh' name='/i'><host name='h'/>
      <identity username='me' keyfile='/id'/></source><target dev='vda'/></disk>"""
    devices, ctx = disks(text)
    devices.disks[0].check(ctx)
    ctx.settings = replace(ctx.settings, storage_use_nbdkit=False)
    assert devices.disks[0].helpers(ctx) == []
    with pytest.raises(LibvirtError, match="of 'ssh' disks need nbdkit"):
        devices.disks[0].check(ctx)


def test_qemu_reads_what_nbdkit_serves() -> None:
    place = f"<source protocol='http' name='i'><host name='h'/>{LOGIN}</source>"
    devices, ctx = disks(f"<disk type='network'>{place}<target dev='vda'/></disk>")
    (node,) = devices.disks[0].backend(ctx)
    assert '"driver":"nbd","server":{"type":"unix","path":"/sockets/nbdkit-libvirt-1-storage.socket"}' in "".join(
        node.arguments()
    )


FLOPPIES = """<disk device='floppy'><target dev='fda'/><boot order='2'/></disk>
  <disk device='floppy'><target dev='fdb'/><boot order='1'/></disk>"""


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("pc", [["-global", "isa-fdc.bootindexA=2"], ["-global", "isa-fdc.bootindexB=1"]]),
        ("q35", [["-device", '{"driver":"isa-fdc","bootindexA":2,"bootindexB":1}']]),
    ],
)
def test_floppy_drives_have_a_controller(machine: str, expected: list[list[str]]) -> None:
    devices, ctx = disks(FLOPPIES, machine)
    assert [made.arguments() for made in group.floppy_controller(devices.disks, ctx)] == expected
    assert group.floppy_controller([], ctx) == []


def test_a_drive_that_only_names_its_group_has_the_limits_of_the_group() -> None:
    named, limit = "<group_name>g</group_name>", "<read_iops_sec>7</read_iops_sec>"
    devices, _ = disks(
        f"<disk><target dev='vda'/><iotune>{named}</iotune></disk>"
        f"<disk><target dev='vdb'/><iotune>{limit}{named}</iotune></disk>"
    )
    tunings = [disk.iotune for disk in devices.disks if disk.iotune is not None]
    share_limits(tunings)
    assert [tuning.read_iops_sec for tuning in tunings] == [7, 7]


def test_a_card_in_a_slot_of_the_board() -> None:
    text = """<disk type='network'><driver type='qcow2'/><source protocol='nbd' name='x,y'>
      <host name='h' port='1'/></source><target dev='sdb' bus='sd'/></disk>"""
    devices, ctx = disks(text)
    ctx.settings = replace(ctx.settings, storage_use_nbdkit=False)
    (made,) = devices.disks[0].objects(ctx)
    assert made.arguments() == [
        "-drive",
        "file.driver=nbd,file.server.type=inet,file.server.host=h,file.server.port=1,file.export=x,,y,format=qcow2,if=sd,index=1",
    ]
