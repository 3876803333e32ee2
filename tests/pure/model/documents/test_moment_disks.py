"""Snapshots, checkpoints and backups cover all disks of a guest; what does not fit is refused in libvirt's words."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.backup import format_backup, parse_backup
from guesthouse.model.checkpoint import format_checkpoint, parse_checkpoint
from guesthouse.model.domain.devices.disk.device import Disk
from guesthouse.model.domain.document import parse_domain
from guesthouse.model.moment_disks import align_backup, align_checkpoint, align_snapshot
from guesthouse.model.snapshot import format_snapshot, parse_snapshot

DISKS = """
<disk type='file'><source file='/srv/a.img'/><target dev='vda' bus='virtio'/></disk>
<disk type='block'><source dev='/dev/vg/b'/><target dev='vdb' bus='virtio'/></disk>
<disk type='file' device='cdrom'><source file='/srv/c.iso'/><target dev='sdc' bus='sata'/></disk>
<disk type='file' device='cdrom'><target dev='sdd' bus='sata'/></disk>
<disk type='file' snapshot='no'><source file='/srv/e.img'/><target dev='vde' bus='virtio'/></disk>
"""


def disks() -> list[Disk]:
    """The disks of a guest: a file, a device, a medium, an empty drive, and one without snapshots."""
    return parse_domain(
        "<domain type='qemu'><name>g</name><memory>1</memory><os><type>hvm</type></os>"
        f"<devices>{DISKS}</devices></domain>"
    ).devices.disks


def checkpoint(inside: str) -> str:
    """The disks of a checkpoint `c`."""
    made = parse_checkpoint(f"<domaincheckpoint><name>c</name>{inside}</domaincheckpoint>")
    align_checkpoint(made, disks())
    return " ".join(re.findall("<disk (.*)/>", format_checkpoint(made)))


def backup(inside: str, mode: str = "push") -> str:
    """A whole backup."""
    made = parse_backup(f"<domainbackup mode='{mode}'>{inside}</domainbackup>")
    align_backup(made, disks(), "new")
    return format_backup(made)


def snapshot(inside: str, location: str = "internal", *, uniform: bool = False) -> str:
    """The disks of a snapshot."""
    made = parse_snapshot(f"<domainsnapshot><name>s</name>{inside}</domainsnapshot>")
    align_snapshot(made, disks(), location, uniform=uniform)
    return " ".join(re.findall("<disk name=(.*?)/?>", format_snapshot(made)))


def test_checkpoints() -> None:
    every = "checkpoint='bitmap' bitmap='c'"
    assert checkpoint("") == (
        f"name='vda' {every} name='vdb' {every} name='sdc' checkpoint='no' name='sdd' checkpoint='no' "
        f"name='vde' {every}"
    )
    assert checkpoint("<disks><disk name='/dev/vg/b' bitmap='own'/></disks>") == (
        "name='vda' checkpoint='no' name='vdb' checkpoint='bitmap' bitmap='own' name='sdc' checkpoint='no' "
        "name='sdd' checkpoint='no' name='vde' checkpoint='no'"
    )


def test_backups() -> None:
    text = backup("<incremental>c</incremental><disks><disk name='vda'/></disks>", "pull")
    assert "<disk name='vda' backup='yes' type='file' backupmode='incremental' incremental='c'>" in text
    assert "<scratch file='/srv/a.img.new'/>" in text
    assert text.count("backup='no'") == 4
    whole = backup("<disks><disk name='vde' type='file'><target file='/x'/></disk></disks>")
    assert "<disk name='vde' backup='yes' type='file' backupmode='full'>\n      <target file='/x'/>" in whole


def test_snapshots() -> None:
    assert snapshot("") == (
        "'vda' snapshot='internal' 'vdb' snapshot='internal' 'sdc' snapshot='no' 'sdd' snapshot='no' "
        "'vde' snapshot='no'"
    )
    assert snapshot("<disks><disk name='/srv/a.img'/></disks>", "external").startswith(
        "'vda' snapshot='external' 'vdb'"
    )


@pytest.mark.parametrize(
    ("work", "text"),
    [
        (lambda: checkpoint("<disks><disk name='x'/></disks>"), "no disk named 'x'"),
        (lambda: checkpoint("<disks><disk name='sdc'/></disks>"), "disk 'sdc' is empty or readonly"),
        (lambda: checkpoint("<disks><disk name='vda'/><disk name='/srv/a.img'/></disks>"), "specified twice"),
        (lambda: backup(""), "refusing to generate file name for disk 'vdb'"),
        (lambda: backup("<disks><disk name='sdd'/></disks>"), "disk 'sdd' has no media"),
        (
            lambda: backup("<disks><disk name='vda' backupmode='incremental'/></disks>"),
            "'incremental' backup mode of disk 'vda' requires setting 'incremental' field for disk or backup",
        ),
        (
            lambda: snapshot("<disks><disk name='vda' snapshot='external'/></disks>", uniform=True),
            "disk 'vda' must use snapshot mode 'internal'",
        ),
        (
            lambda: snapshot("<disks><disk name='vda' snapshot='no'><source file='/x'/></disk></disks>"),
            "file '/x' for disk 'vda' requires use of external snapshot mode",
        ),
    ],
)
def test_what_does_not_fit(work: Callable[[], str], text: str) -> None:
    with pytest.raises(UnsupportedConfigError, match=re.escape(text)):
        work()
