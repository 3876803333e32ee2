"""Processors of guests under TCG, seen by python3-libvirt. Expected documents and errors are libvirtd 11.3's."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import SYSTEM_PYTHON, Daemon, need

pytestmark = [pytest.mark.stock, pytest.mark.timeout(120)]

_WANTED = "vme ds acpi ss ht tm pbe dtes64 monitor ds_cpl vmx est tm2 xtpr pdcm dca rdtscp invtsc"
NEHALEM = (
    "<model fallback='allow'>Nehalem</model>"
    + "".join(f"<feature policy='require' name='{name}'/>" for name in _WANTED.split())
    + "</cpu>"
)
SKYLAKE = "<model fallback='allow'>Skylake-Client-IBRS</model></cpu>"

SCRIPT = """
import json, re
cpu, features = json.loads(sys.argv[2])
xml = f\"\"\"<domain type='qemu'><name>processor</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='pc-i440fx-10.0'>hvm</type></os>{features}{cpu}
  <devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>\"\"\"
def shown(text):
    return re.search("  <cpu[^>]*/>\\\\n|  <cpu.*?</cpu>\\\\n", text, re.S)[0]
found = {}
guest = conn.defineXML(xml)
try:
    found["kept"] = shown(guest.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    found["updated"] = shown(guest.XMLDesc(libvirt.VIR_DOMAIN_XML_UPDATE_CPU))
    guest.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    found["live"] = shown(guest.XMLDesc())
    found["migratable"] = shown(guest.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE))
    found["state"] = guest.state()[0]
except libvirt.libvirtError as error:
    found["error"] = [error.get_error_code(), error.get_error_domain(), error.get_error_message()]
finally:
    if guest.isActive():
        guest.destroy()
    guest.undefine()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def house() -> Iterator[Daemon]:
    need("qemu-system-x86_64", SYSTEM_PYTHON)
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        try:
            yield daemon.start()
        finally:
            daemon.stop()


def _run(house: Daemon, cpu: str, features: str = "") -> dict[str, object]:
    found = json.loads(house.python(SCRIPT, json.dumps([cpu, features])).stdout)
    assert isinstance(found, dict)
    return found


def _cpu(head: str, *lines: str) -> str:
    """A `<cpu>` as libvirt writes it within a guest's definition."""
    return "".join([f"  <cpu {head}>\n", *(f"    {line}\n" for line in lines), "  </cpu>\n"])


def test_the_default_processor(house: Daemon) -> None:
    found = _run(house, "")
    kept = _cpu("mode='custom' match='exact' check='none'", "<model fallback='forbid'>qemu64</model>")
    assert (found["kept"], found["migratable"], found["updated"]) == (kept, kept, kept)
    assert found["live"] == _cpu(
        "mode='custom' match='exact' check='full'",
        "<model fallback='forbid'>qemu64</model>",
        "<feature policy='require' name='hypervisor'/>",
        "<feature policy='require' name='lahf_lm'/>",
    )


def test_a_host_model_is_what_the_host_is_said_to_offer(house: Daemon) -> None:
    found = _run(house, "<cpu mode='host-model'/>")
    assert found["kept"] == found["migratable"] == "  <cpu mode='host-model' check='partial'/>\n"
    offered = house.virsh("domcapabilities", "--virttype", "qemu").stdout
    body = re.search(r"<mode name='host-model' supported='yes'>\n(.*?)</mode>", offered, re.DOTALL)
    assert body is not None
    lines = [line.strip() for line in body[1].splitlines() if line.strip()]
    assert found["live"] == _cpu("mode='custom' match='exact' check='full'", *lines)
    assert found["updated"] == _cpu(
        "mode='custom' match='exact' check='partial'", lines[0].replace("forbid", "allow"), *lines[1:]
    )


def test_what_qemu_leaves_out_is_told(house: Daemon) -> None:
    found = _run(house, "<cpu mode='custom' match='exact' check='none'>" + SKYLAKE)
    lost = ("pcid", "tsc-deadline", "vme", "hle", "invpcid", "rtm", "spec-ctrl", "xsavec")
    features = [f"<feature policy='disable' name='{name}'/>" for name in ("mpx", *lost)]
    features.insert(3, "<feature policy='require' name='hypervisor'/>")
    assert found["live"] == _cpu(
        "mode='custom' match='exact' check='full'", "<model fallback='forbid'>Skylake-Client-IBRS</model>", *features
    )


def test_optional_features_are_decided(house: Daemon) -> None:
    cpu = "<cpu mode='custom'><model>Penryn</model><feature policy='optional' name='{}'/></cpu>"
    assert "<feature policy='require' name='aes'/>" in str(_run(house, cpu.format("aes"))["live"])
    assert "<feature policy='disable' name='avx512f'/>" in str(_run(house, cpu.format("avx512f"))["live"])


def test_the_best_of_qemu_stays_unnamed(house: Daemon) -> None:
    found = _run(house, "<cpu mode='maximum'/>")
    assert found["live"] == found["kept"] == "  <cpu mode='maximum' check='none'/>\n"


def test_a_full_check_that_holds(house: Daemon) -> None:
    names = "<feature name='hypervisor'/><feature name='lahf_lm'/>"
    found = _run(house, f"<cpu mode='custom' check='full'><model>qemu64</model>{names}</cpu>")
    assert "error" not in found
    assert found["state"] == 3


FORBIDDEN = "<model>qemu64</model><feature policy='forbid' name='aes'/></cpu>"
HOST = "CPU mode 'host-passthrough' for x86_64 qemu domain on x86_64 host is not supported by hypervisor"
LACKS = "the CPU is incompatible with host CPU: Host CPU does not provide required features: "


@pytest.mark.parametrize(
    ("cpu", "features", "error"),
    [
        ("<cpu mode='host-passthrough'/>", "", [67, 10, f"unsupported configuration: {HOST}"]),
        (
            "<cpu mode='host-passthrough'><feature policy='disable' name='vmx'/></cpu>",
            "",
            [67, 10, f"unsupported configuration: {HOST}"],
        ),
        (
            "<cpu mode='custom' match='exact'>" + NEHALEM,
            "",
            [67, 10, "unsupported configuration: host doesn't support invariant TSC"],
        ),
        (
            "<cpu mode='custom' match='exact' check='partial'>" + NEHALEM,
            "",
            [91, 31, f"{LACKS}dtes64, ds_cpl, vmx, est, tm2, xtpr, pdcm, dca, vme, ds, ht, tm, pbe, invtsc"],
        ),
        (
            "<cpu mode='custom' match='exact' check='partial'>" + SKYLAKE,
            "",
            [91, 31, f"{LACKS}pcid, tsc-deadline, vme, hle, invpcid, rtm, spec-ctrl, xsavec"],
        ),
        (
            "<cpu mode='custom' check='partial'>" + FORBIDDEN,
            "",
            [91, 31, "the CPU is incompatible with host CPU: Host CPU provides forbidden features: aes"],
        ),
        (
            "<cpu mode='custom' check='full'><model>qemu64</model></cpu>",
            "",
            [9, 31, "operation failed: guest CPU doesn't match specification: extra features: hypervisor,lahf_lm"],
        ),
        (
            "<cpu mode='custom'><model>Penryn</model><feature name='unheard-of'/></cpu>",
            "",
            [67, 31, "unsupported configuration: unknown CPU feature: unheard-of"],
        ),
        (
            "",
            "<features><pvspinlock state='on'/></features>",
            [67, 10, "unsupported configuration: host doesn't support paravirtual spinlocks"],
        ),
    ],
)
def test_what_cannot_be_given_is_refused(house: Daemon, cpu: str, features: str, error: list[object]) -> None:
    found = _run(house, cpu, features)
    assert found["error"] == error
    assert house.guest_processes() == []
