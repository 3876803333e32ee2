"""What `virsh dominfo` says of a guest that nobody can vouch for, and where else it is written."""

from __future__ import annotations

import os
import re

import pytest

from tests.support.daemon import Daemon
from tests.support.tiny import tiny_xml

pytestmark = pytest.mark.stock

NAMESPACE = "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' "
EXTRA = """<qemu:commandline><qemu:env name='GREETING' value='hello'/></qemu:commandline>
<qemu:override><qemu:device alias='balloon0'><qemu:frontend>
<qemu:property name='deflate-on-oom' type='bool' value='true'/></qemu:frontend></qemu:device></qemu:override>"""


def old_machine(daemon: Daemon) -> str:
    found = re.findall(r"deprecated='yes'>(pc-i440fx-[0-9.]+)<", daemon.virsh("capabilities").stdout)
    if not found:
        pytest.skip("this QEMU has no deprecated machine")
    return str(found[0])


def messages(daemon: Daemon) -> list[str]:
    return daemon.virsh("dominfo", "odd").stdout.partition("Messages:")[2].strip().splitlines()


def test_messages_of_a_guest(daemon: Daemon) -> None:
    machine = old_machine(daemon)
    text = re.sub(r"machine='[^']*'", f"machine='{machine}'", tiny_xml("odd"))
    path = daemon.root / "odd.xml"
    text = text.replace("<features>", "<features><hap state='on'/>")
    path.write_text(text.replace("</domain>", EXTRA + "</domain>").replace("<domain ", NAMESPACE))
    daemon.virsh("define", str(path))
    assert messages(daemon) == []
    daemon.virsh("start", "odd", "--paused")
    root = ["high-privileges"] if os.geteuid() == 0 else []
    flags = [*root, "custom-argv", "custom-device", f"deprecated-config (machine type '{machine}')"]
    told = [
        "tainted: custom configuration parameters specified",
        "tainted: running with undesirable elevated privileges",
        "tainted: use of deprecated configuration settings",
        "tainted: custom device configuration",
        f"deprecated configuration: machine type '{machine}'",
    ]
    if not root:
        told.pop(1)
    assert [line.strip() for line in messages(daemon)] == told

    daemon.virsh("qemu-monitor-command", "odd", "--hmp", "info version")
    daemon.virsh("qemu-monitor-command", "odd", '{"execute": "query-status"}')
    told.insert(1, "tainted: custom monitor control commands issued")
    daemon.kill()  # the next daemon knows of it
    daemon.start()
    assert [line.strip() for line in messages(daemon)] == told
    assert [line.strip() for line in daemon.guest("dominfo", "odd").stdout.partition("Messages:")[2].split("\n")][
        : len(told)
    ] == told

    written = (daemon.root / "log/qemu/odd.log").read_text()
    assert re.findall(r"\+0000: Domain id=1 is tainted: (.*)", written) == [*flags, "custom-monitor"]
    for flag in (*flags, "custom-monitor"):
        assert re.search(rf"Domain id=1 name='odd' uuid=[0-9a-f-]+ is tainted: {re.escape(flag)}$", daemon.output, re.M)

    assert "domain 'odd': <hap> does nothing for a guest of QEMU" in daemon.output

    daemon.virsh("destroy", "odd")
    assert messages(daemon) == []
