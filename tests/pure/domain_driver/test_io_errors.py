"""What is kept of an image that could not be read or written."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from guesthouse.drivers.domain import taints
from guesthouse.drivers.domain.disks import io_errors
from guesthouse.drivers.domain.driver import create
from guesthouse.drivers.domain.files.places import Where
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.document import parse_domain
from guesthouse.places import Places
from guesthouse.qemu.json_value import JsonObject

DOMAIN = """<domain type='qemu' id='1'><name>web</name><uuid>2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0de</uuid>
<memory>1024</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/top.qcow2' index='3'/>
<backingStore type='file' index='4'><format type='raw'/><source file='/base.img'/><backingStore/></backingStore>
<target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>
</devices></domain>"""


def event(node: str, **more: object) -> JsonObject:
    facts = {"qom-path": "/machine/peripheral/virtio-disk0/virtio-backend", "node-name": node, "reason": "No luck"}
    return {**facts, **more}  # type: ignore[dict-item]  # what the test gives is JSON


def test_what_clients_and_logs_are_told(tmp_path: Path) -> None:
    asyncio.run(_story(tmp_path))


async def _story(tmp_path: Path) -> None:
    driver = create(Places.under(tmp_path))
    live = parse_domain(DOMAIN, live=True)
    run = Run(live, Where(*[tmp_path] * 4))
    guest = Guest(live, persistent=False)
    guest.run = run

    backing = io_errors.heard(driver, run, event("libvirt-4-storage", nospace=True))
    assert (backing.alias, backing.path, backing.reason) == ("virtio-disk0", "/base.img", "enospc")
    top = io_errors.heard(driver, run, event("gone", nospace=False))
    assert (top.alias, top.path, top.reason) == ("virtio-disk0", "/top.qcow2", "message")
    io_errors.heard(driver, run, event("libvirt-3-format"))
    unknown = io_errors.heard(driver, run, {"device": "nothing", "action": "report"})
    assert (unknown.alias, unknown.path, unknown.reason) == ("", "", "")

    told = [re.sub(r"timestamp='[^']+\+0000'", "timestamp='T'", text) for text in taints.messages(guest, 0)]
    assert told == [
        "I/O error: disk='vda', index='4', path='/base.img', timestamp='T', message='No luck'",
        "I/O error: disk='vda', index='3', path='/top.qcow2', timestamp='T', message='No luck'",
    ]
    assert taints.messages(guest, taints.TAINTING) == []
    await asyncio.gather(*driver.tasks)
    log = (driver.places.guest_logs / "web.log").read_text()
    assert "+0000: IO error device='virtio-disk0' node-name='libvirt-4-storage' reason='No luck'\n" in log
