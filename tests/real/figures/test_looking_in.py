"""Looking into guests: processor time on each processor of the host, memory, disks, encrypted memory."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

PEEK = """
guest = conn.lookupByName("looked-at")
print(guest.memoryPeek(0xFFFF0, 16, libvirt.VIR_MEMORY_PHYSICAL).hex())
print(guest.blockPeek("vda", 512, 6))
for call in (
    lambda: guest.memoryPeek(0, 8, 0),
    lambda: guest.memoryPeek(0, 8, 3),
    lambda: guest.blockPeek("vda", 2**20, 1),
    lambda: guest.blockPeek("vdb", 0, 1),
    lambda: guest.blockPeek("none", 0, 1),
):
    try:
        call()
        print("?")
    except libvirt.libvirtError as error:
        print(error.get_error_code(), error)
"""


def test_what_tools_see_from_outside(daemon: Daemon, tmp_path: Path) -> None:
    disk, other = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    disk.write_bytes(b"\0" * 512 + b"marked" + b"\0" * (2**20 - 518))
    daemon.run("qemu-img", "create", "-q", "-f", "qcow2", str(other), "1M")
    devices = "".join(
        f"""<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/>
        <target dev='{name}' bus='virtio'/></disk>"""
        for name, path, kind in (("vda", disk, "raw"), ("vdb", other, "qcow2"))
    )
    document = tmp_path / "guest.xml"
    document.write_text(tiny_xml("looked-at", devices=devices + "<graphics type='vnc'/>"))
    daemon.virsh("create", str(document))

    told = daemon.python(PEEK).stdout.splitlines()
    assert told[0].startswith("ea5be000f0"), "the processor's first instruction is a far jump into the firmware"
    assert told[1] == "b'marked'"
    assert "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL" in told[2]
    assert told[3].startswith("8 ")
    assert "has only 0 bytes available" in told[4]
    assert "peeking is only supported for disk with 'raw' format not 'qcow2'" in told[5]
    assert told[6].startswith("8 ")
    assert not list((daemon.root / "lib").rglob("qemu.mem.*"))

    total = json.loads(daemon.guest("cpu-stats", "looked-at", "--total", "--json").stdout)
    assert total["cpus"] == []
    assert total["total"]["cpu_time"] > 0
    if os.geteuid() == 0 and Path("/sys/fs/cgroup/cpuacct").is_dir():
        ours, theirs = (run("cpu-stats", "looked-at").stdout for run in (daemon.guest, daemon.virsh))
        labels = [[line.split()[0] for line in text.splitlines() if line.strip()] for text in (ours, theirs)]
        assert labels[0] == labels[1]
        assert labels[0][:3] == ["CPU0:", "cpu_time", "vcpu_time"]
        assert labels[0][-4:] == ["Total:", "cpu_time", "user_time", "system_time"]
        each = json.loads(daemon.guest("cpu-stats", "looked-at", "--start", "0", "--count", "1", "--json").stdout)
        assert len(each["cpus"]) == 1
        assert each["total"] == {}

    assert daemon.virsh("domlaunchsecinfo", "looked-at").stdout.strip() == ""
    refused = daemon.virsh(
        "domsetlaunchsecstate", "looked-at", "--secrethdr", str(document), "--secret", str(document), check=False
    )
    assert "setting a launch secret is only supported in SEV-enabled domains" in refused.stderr
    refused = daemon.guest("domdisplay-reload", "looked-at", "--type", "2", check=False)
    assert "type must be less than 2" in refused.stderr
    assert "display-reload" in daemon.guest("domdisplay-reload", "looked-at", check=False).stderr
