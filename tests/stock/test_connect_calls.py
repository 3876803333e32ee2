"""The calls about the host, with stock virsh and python3-libvirt against a real daemon."""

from __future__ import annotations

import json
import os
import re
import socket
import xml.etree.ElementTree as ET  # our own daemon's documents
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.daemon import Daemon, need

pytestmark = pytest.mark.stock


@pytest.fixture(scope="module")
def host() -> Iterator[Daemon]:
    """One daemon for all tests of this file: none of them changes anything."""
    need("virsh", "qemu-system-x86_64", "/usr/bin/python3")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        try:
            yield daemon.start()
        finally:
            daemon.stop()


def ask(host: Daemon, expression: str, readonly: bool = False) -> object:
    """The value of an expression over `conn`, or `[code, message]` of libvirt's error."""
    script = f"""
import json
{"conn = libvirt.openReadOnly(sys.argv[1])" if readonly else ""}
try:
    value = {expression}
except libvirt.libvirtError as error:
    value = [error.get_error_code(), str(error)]
print(json.dumps(value))
"""
    return json.loads(host.python(script).stdout)


def refusal(host: Daemon, expression: str) -> tuple[int, str]:
    """libvirt's code and message for an expression that must fail."""
    found = ask(host, expression)
    assert isinstance(found, list), found
    code, message = found
    assert isinstance(code, int)
    return code, str(message)


def table(text: str) -> dict[str, str]:
    """The lines `name: value` of virsh's output."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}


def test_version_and_hostname(host: Daemon) -> None:
    assert re.search(r"^Running hypervisor: QEMU [0-9]+\.[0-9]+\.[0-9]+$", host.virsh("version").stdout, re.MULTILINE)
    assert host.virsh("hostname").stdout.strip().split(".")[0] == socket.gethostname().split(".")[0]
    assert ask(host, "conn.getType()") == "QEMU"


def test_nodeinfo(host: Daemon) -> None:
    shown = table(host.virsh("nodeinfo").stdout)
    assert shown["CPU model"] == os.uname().machine
    assert int(shown["CPU(s)"]) == os.sysconf("SC_NPROCESSORS_ONLN")
    parts = ("NUMA cell(s)", "CPU socket(s)", "Core(s) per socket", "Thread(s) per core")
    assert all(int(shown[part]) >= 1 for part in parts)
    assert int(shown["Memory size"].removesuffix(" KiB")) > 100_000


def test_nodecpumap(host: Daemon) -> None:
    shown = table(host.virsh("nodecpumap").stdout)
    assert int(shown["CPUs online"]) == shown["CPU map"].count("y") == os.sysconf("SC_NPROCESSORS_ONLN")


def test_nodecpustats(host: Daemon) -> None:
    assert set(table(host.virsh("nodecpustats").stdout)) == {"user", "system", "idle", "iowait"}
    assert set(table(host.virsh("nodecpustats", "--cpu", "0").stdout)) == {"user", "system", "idle", "iowait"}
    assert "usage" in table(host.virsh("nodecpustats", "--percent").stdout)
    code, message = refusal(host, "conn.getCPUStats(9999, 0)")
    assert (code, "Invalid cpuNum" in message) == (8, True)


def test_memory(host: Daemon) -> None:
    whole = table(host.virsh("nodememstats").stdout)
    assert set(whole) == {"total", "free", "buffers", "cached"}
    assert set(table(host.virsh("nodememstats", "--cell", "0").stdout)) == {"total", "free"}
    assert host.virsh("freecell").stdout.startswith("Total: ")
    assert "    0:" in host.virsh("freecell", "--all").stdout
    assert "4KiB: " in host.virsh("freepages", "--all").stdout
    code, message = refusal(host, "conn.getCellsFreeMemory(500, 1)")
    assert code == 1
    assert "start cell 500 out of range" in message
    assert ask(host, "conn.getFreePages([7], 0, 1)") == [9, "operation failed: page size 7 is not available on node 0"]


def test_page_merging(host: Daemon) -> None:
    if not Path("/sys/kernel/mm/ksm").is_dir():
        pytest.skip("this kernel does not merge pages")
    assert "shm_pages_to_scan" in host.virsh("node-memory-tune").stdout
    assert ask(host, "conn.getMemoryParameters(0)['shm_pages_to_scan']") == int(
        Path("/sys/kernel/mm/ksm/pages_to_scan").read_text()
    )


def test_security_model(host: Daemon) -> None:
    assert ask(host, "conn.getSecurityModel()") == ["none", "0"]


def test_launch_security_is_not_there(host: Daemon) -> None:
    assert ask(host, "conn.getSEVInfo()") == [84, "Operation not supported: QEMU does not support SEV guest"]


def test_sysinfo(host: Daemon) -> None:
    done = host.virsh("sysinfo", check=False)
    if done.returncode:
        assert "unsupported configuration: Host SMBIOS information is not available" in done.stderr
        assert not Path("/sys/firmware/dmi/tables/DMI").exists() or os.getuid() != 0
    else:
        assert ET.fromstring(done.stdout).get("type") == "smbios"


def test_capabilities(host: Daemon) -> None:
    document = host.virsh("capabilities").stdout
    root = ET.fromstring(document)
    assert document.startswith("<capabilities>\n\n  <host>\n    <uuid>")
    assert root.findtext("host/cpu/arch") == os.uname().machine
    processors = root.findall("host/topology/cells/cell/cpus/cpu")
    assert len(processors) == os.sysconf("SC_NPROCESSORS_ONLN")
    arch = root.find("guest/arch[@name='x86_64']")
    assert arch is not None
    assert arch.findtext("emulator", "").endswith("/qemu-system-x86_64")
    machines = {machine.text: machine for machine in arch.findall("machine")}
    canonical = machines["q35"].get("canonical")
    assert canonical in machines
    assert "none" not in machines
    assert "qemu" in [domain.get("type") for domain in arch.findall("domain")]
    assert root.find("guest/features/acpi") is not None


def test_the_hosts_uuid_stays(host: Daemon) -> None:
    uuid = ET.fromstring(host.virsh("capabilities").stdout).findtext("host/uuid")
    assert uuid == (host.root / "lib/host-uuid").read_text().strip()


def test_the_hosts_cpu_is_identical_to_itself(host: Daemon, tmp_path: Path) -> None:
    document = tmp_path / "capabilities.xml"
    document.write_text(host.virsh("capabilities").stdout)
    assert "is identical to host CPU" in host.virsh("cpu-compare", str(document)).stdout
    assert ET.fromstring(host.virsh("cpu-baseline", str(document)).stdout).tag == "cpu"


def test_domain_capabilities(host: Daemon) -> None:
    root = ET.fromstring(host.virsh("domcapabilities", "--virttype", "qemu", "--machine", "q35").stdout)
    assert root.findtext("path", "").endswith("/qemu-system-x86_64")
    assert root.findtext("domain") == "qemu"
    assert root.findtext("machine", "").startswith("pc-q35-")
    buses = [value.text for value in root.findall("devices/disk/enum[@name='bus']/value")]
    assert {"virtio", "sata", "scsi", "usb"} <= set(buses)
    assert "ide" not in buses
    models = {model.text: model for model in root.findall("cpu/mode[@name='custom']/model")}
    assert models["qemu64"].get("usable") == "yes"
    blocked = next(model for model in models.values() if model.get("usable") == "no")
    assert root.find(f"cpu/mode[@name='custom']/blockers[@model='{blocked.text}']/feature") is not None
    modes = {mode.get("name"): mode.get("supported") for mode in root.findall("cpu/mode")}
    assert modes == {"host-passthrough": "no", "maximum": "yes", "host-model": "yes", "custom": "yes"}


def test_domain_capabilities_offer_the_installed_firmware(host: Daemon) -> None:
    if not list(Path("/usr/share/qemu/firmware").glob("*x86_64*.json")):
        pytest.skip("no firmware descriptors are installed")
    root = ET.fromstring(host.virsh("domcapabilities", "--virttype", "qemu", "--machine", "q35").stdout)
    assert [value.text for value in root.findall("os/enum[@name='firmware']/value")] == ["efi"]
    assert all(Path(value.text or "").exists() for value in root.findall("os/loader/value"))


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        ("'/nope'", 38, "Cannot check QEMU binary /nope: No such file or directory"),
        ("'/bin/true'", 1, "Failed to probe QEMU binary"),
        ("None, 'foo'", 8, "unknown architecture: foo"),
        ("None, None, 'foo'", 8, "the machine 'foo' is not supported by emulator"),
        ("None, None, None, 'foo'", 8, "unknown virttype: foo"),
        ("None, None, None, 'xen'", 8, "does not support virt type 'xen'"),
        ("None, None, None, None, 6", 8, "unsupported flags (0x6)"),
    ],
)
def test_wrong_questions(host: Daemon, arguments: str, code: int, text: str) -> None:
    found, message = refusal(host, f"conn.getDomainCapabilities({arguments})")
    assert (found, text in message) == (code, True), message


def test_what_runs_a_program_needs_write_access(host: Daemon) -> None:
    assert ask(host, "conn.getDomainCapabilities()", readonly=True) == [
        29,
        "operation forbidden: read only access prevents virConnectGetDomainCapabilities",
    ]
    assert ask(host, "conn.getInfo()[0]", readonly=True) == os.uname().machine


def test_cpu_models(host: Daemon) -> None:
    names = host.virsh("cpu-models", "x86_64").stdout.split()
    assert {"486", "qemu64", "Skylake-Server-IBRS", "EPYC-Milan"} <= set(names)
    assert host.virsh("cpu-models", "aarch64").stdout.strip() == "all CPU models are accepted"
    assert ask(host, "conn.getCPUModelNames('nope')") == [8, "invalid argument: cannot find architecture nope"]


def test_max_vcpus(host: Daemon) -> None:
    assert ask(host, "conn.getMaxVcpus('qemu')") == 16
    assert ask(host, "conn.getMaxVcpus('xen')") == [8, "invalid argument: unknown type 'xen'"]
    assert int(host.virsh("maxvcpus", "qemu").stdout) >= 16


def test_hypervisor_cpu(host: Daemon, tmp_path: Path) -> None:
    document = tmp_path / "cpu.xml"
    document.write_text("<cpu mode='custom' match='exact'><model>qemu64</model></cpu>")
    shown = host.virsh("hypervisor-cpu-compare", "--virttype", "qemu", str(document)).stdout
    assert "is a superset of" in shown
    document.write_text("<cpu mode='custom' match='exact'><model>Broadwell</model></cpu>")
    failed = host.virsh("hypervisor-cpu-compare", "--virttype", "qemu", "--error", str(document), check=False)
    assert failed.returncode != 0
    assert "Host CPU does not provide required features" in failed.stderr
    document.write_text("<cpu><arch>x86_64</arch><model>Nehalem</model></cpu>")
    joined = ET.fromstring(host.virsh("hypervisor-cpu-baseline", "--virttype", "qemu", str(document)).stdout)
    assert joined.findtext("model") == "Nehalem"
