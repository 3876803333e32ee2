"""The connect driver's rooms on a host of files: numbers, documents, the choice of an emulator, the host's UUID."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from guesthouse.drivers.connect.driver import create, find_host_uuid
from guesthouse.drivers.connect.emulators import Choice, Emulators
from guesthouse.drivers.connect.guest_document import FirmwareOffer, guest_document
from guesthouse.drivers.connect.host_document import guest_section, host_document
from guesthouse.drivers.connect.node import Node
from guesthouse.drivers.connect.processors import (
    compare_with_emulator,
    compare_with_host,
    host_cpu,
    join,
    join_for_emulator,
)
from guesthouse.errors import Code, LibvirtError
from guesthouse.host.cpu import CpuCounts
from guesthouse.host.sysfs import HostTree
from guesthouse.model.capabilities import (
    Guest,
    GuestFeature,
    Host,
    Machine,
    SecurityModel,
    format_capabilities,
    format_guest,
)
from guesthouse.model.cpu_definition import CpuDefinition
from guesthouse.model.qemu_capabilities import TCG, CpuModel, QemuCapabilities
from guesthouse.model.qemu_capabilities import Machine as QemuMachine
from guesthouse.model.sysinfo import HostSysinfo, format_sysinfo
from guesthouse.places import Places
from guesthouse.qemu.accel import KvmStatus
from guesthouse.qemu.catalogue import Catalogue
from tests.support.host_tree import two_nodes, write

NEHALEM = "<cpu><arch>x86_64</arch><model>Nehalem</model></cpu>"
PC = QemuMachine("pc-i440fx-10.0", "pc", 255, default=True)
Q35 = QemuMachine("pc-q35-10.0", "q35", 4096)
OLD = QemuMachine("pc-q35-2.4", "", 255, deprecated=True)
NONE = QemuMachine("none")
DEVICES = "virtio-blk-pci virtio-scsi-pci usb-storage ich9-ahci ide-hd floppy VGA virtio-gpu-pci vmcoreinfo vmgenid"


@dataclass(frozen=True)
class Settings:
    host_uuid: str = ""
    host_uuid_source: str = "smbios"


def qemu(binary: str = "/usr/bin/qemu-system-x86_64", arch: str = "x86_64") -> QemuCapabilities:
    return QemuCapabilities(
        binary=binary,
        version=(10, 0, 2),
        package="",
        arch=arch,
        kvm=False,
        machines={machine.name: machine for machine in (OLD, Q35, NONE, PC)},
        devices=frozenset(DEVICES.split()),
        device_properties={},
        objects=frozenset({"rng-random"}),
        object_properties={},
        options={},
        cpu_models={
            TCG: (
                CpuModel("qemu64-v1"),
                CpuModel("qemu64", alias_of="qemu64-v1"),
                CpuModel("Nehalem", ("sse3",)),
                CpuModel("Broadwell", ("hle", "rtm")),
                CpuModel("max"),
            )
        },
        cpu_expansions={TCG: {"vendor": "AuthenticAMD", "family": 15, "model": 107, "stepping": 1, "fpu": True}},
    )


def choice(machine: QemuMachine = Q35) -> Choice:
    return Choice(qemu(), "x86_64", "qemu", machine)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    tree = two_nodes(tmp_path)
    write(tree.proc / "meminfo", "MemTotal: 99999999 kB\nMemFree: 88888888 kB\nBuffers: 5 kB\nCached: 7 kB")
    write(tree.proc / "stat", "cpu  4 0 0 8 1\ncpu0 1 0 0 2 1")
    return Node(tree)


def test_info(node: Node) -> None:
    info = node.info()
    assert info.memory == 4194304 + 2097152
    assert info.counts == CpuCounts(7, 2, 1, 2, 2)


def test_counts_follow_processors_that_go_offline(node: Node) -> None:
    assert node.counts().cpus == 7
    write(node.tree.cpus / "online", "0-3")
    assert node.counts().cpus == 4


def test_memory(node: Node) -> None:
    assert node.memory_stats(-1) == [("total", 99999999), ("free", 88888888), ("buffers", 5), ("cached", 7)]
    assert node.memory_stats(1) == [("total", 2097152), ("free", 1048576)]
    assert node.free_memory() == 2 * 1048576 * 1024
    assert node.cells_free_memory(0, 9) == [1048576 * 1024] * 2
    assert node.cells_free_memory(1, 1) == [1048576 * 1024]
    assert node.free_pages([2048], 0, 2) == [12, 12]
    assert node.free_pages([2048], -1, 1) == [24]
    assert node.cpu_times(-1).idle == 4 * node.cpu_times(0).idle


def test_live_pages_of_a_layout_that_is_kept(node: Node) -> None:
    before = node.cells()
    write(node.tree.nodes / "node0/hugepages/hugepages-2048kB/nr_hugepages", "1")
    after = node.cells()
    assert [pool.total for pool in before[0].pages][1:] == [512]
    assert [pool.total for pool in after[0].pages][1:] == [1]
    assert after[0].cpus == before[0].cpus


def _errors(node: Node) -> list[tuple[str, int, str]]:
    questions: dict[str, Callable[[], object]] = {
        "cpu_times(99)": lambda: node.cpu_times(99),
        "cpu_times(-2)": lambda: node.cpu_times(-2),
        "memory_stats(2)": lambda: node.memory_stats(2),
        "memory_stats(-2)": lambda: node.memory_stats(-2),
        "cells_free_memory(2)": lambda: node.cells_free_memory(2, 1),
        "cells_free_memory(-1)": lambda: node.cells_free_memory(-1, 1),
        "free_pages(7)": lambda: node.free_pages([7], 1, 1),
        "free_pages(-2)": lambda: node.free_pages([4], -2, 1),
        "max_vcpus(xen)": lambda: node.max_vcpus("xen"),
        "max_vcpus(kvm)": lambda: node.max_vcpus("kvm"),
    }
    found = []
    for name, question in questions.items():
        with pytest.raises(LibvirtError) as caught:
            question()
        found.append((name, caught.value.code, caught.value.message))
    return found


def test_wrong_questions_about_the_host(node: Node) -> None:
    assert [(name, code) for name, code, _ in _errors(node)] == [
        ("cpu_times(99)", Code.INVALID_ARG),
        ("cpu_times(-2)", Code.INVALID_ARG),
        ("memory_stats(2)", Code.INVALID_ARG),
        ("memory_stats(-2)", Code.INVALID_ARG),
        ("cells_free_memory(2)", Code.INTERNAL_ERROR),
        ("cells_free_memory(-1)", Code.INTERNAL_ERROR),
        ("free_pages(7)", Code.OPERATION_FAILED),
        ("free_pages(-2)", Code.INTERNAL_ERROR),
        ("max_vcpus(xen)", Code.INVALID_ARG),
        ("max_vcpus(kvm)", Code.SYSTEM_ERROR),
    ]
    assert node.max_vcpus(None) == node.max_vcpus("QEMU") == 16


def test_capabilities_document() -> None:
    host = Host(
        uuid="4c4c4544-0035-3510-8057-b4c04f4a4d32",
        cpu=CpuDefinition(arch="x86_64", model="486", pages=(4, 2048)),
        sleep_states=["suspend_mem"],
        iommu=True,
        cells=[],
        security=[SecurityModel("dac", "0", {"kvm": "+64055:+64055"})],
        migration=["tcp"],
    )
    machines = [Machine("pc", 255, "pc-1", True), Machine("x", 0)]
    guest = Guest("i686", "/bin/q<", machines, ["qemu"], [GuestFeature("acpi", True, False)])
    assert (
        format_capabilities(host, [format_guest(guest)])
        == """\
<capabilities>

  <host>
    <uuid>4c4c4544-0035-3510-8057-b4c04f4a4d32</uuid>
    <cpu>
      <arch>x86_64</arch>
      <model>486</model>
      <pages unit='KiB' size='4'/>
      <pages unit='KiB' size='2048'/>
    </cpu>
    <power_management>
      <suspend_mem/>
    </power_management>
    <iommu support='yes'/>
    <migration_features>
      <live/>
      <uri_transports>
        <uri_transport>tcp</uri_transport>
      </uri_transports>
    </migration_features>
    <topology>
      <cells num='0'>
      </cells>
    </topology>
    <secmodel>
      <model>dac</model>
      <doi>0</doi>
      <baselabel type='kvm'>+64055:+64055</baselabel>
    </secmodel>
  </host>

  <guest>
    <os_type>hvm</os_type>
    <arch name='i686'>
      <wordsize>32</wordsize>
      <emulator>/bin/q&lt;</emulator>
      <machine canonical='pc-1' maxCpus='255' deprecated='yes'>pc</machine>
      <machine>x</machine>
      <domain type='qemu'/>
    </arch>
    <features>
      <acpi default='on' toggle='no'/>
    </features>
  </guest>

</capabilities>
"""
    )


def test_capabilities_of_this_host(node: Node) -> None:
    sections = [guest_section(arch, qemu()) for arch in ("i686", "x86_64")]
    document = host_document(node, host_cpu(node), None, sections)
    assert document.index("<arch name='i686'>") < document.index("<arch name='x86_64'>")
    assert "<uuid>" not in document
    assert "<cells num='2'>" in document
    assert "<sibling id='1' value='21'/>" in document
    assert "<cpu id='1' socket_id='0' die_id='0' cluster_id='0' core_id='0' siblings='0-1'/>" in document
    machines = [line.strip() for line in document.splitlines() if "<machine" in line]
    assert machines[: len(machines) // 2] == [
        "<machine maxCpus='255'>pc-i440fx-10.0</machine>",
        "<machine canonical='pc-i440fx-10.0' maxCpus='255'>pc</machine>",
        "<machine maxCpus='255' deprecated='yes'>pc-q35-2.4</machine>",
        "<machine maxCpus='4096'>pc-q35-10.0</machine>",
        "<machine canonical='pc-q35-10.0' maxCpus='4096'>q35</machine>",
    ]


def test_domain_capabilities_document() -> None:
    firmware = FirmwareOffer(("efi",), ("/fw/CODE.fd",), secure=True)
    document = guest_document(choice(), firmware, physical_bits=48, kvm_limit=8)
    assert document.startswith("""\
<domainCapabilities>
  <path>/usr/bin/qemu-system-x86_64</path>
  <domain>qemu</domain>
  <machine>pc-q35-10.0</machine>
  <arch>x86_64</arch>
  <vcpu max='4096'/>
  <iothreads supported='no'/>
  <os supported='yes'>
    <enum name='firmware'>
      <value>efi</value>
    </enum>
    <loader supported='yes'>
      <value>/fw/CODE.fd</value>
      <enum name='type'>
        <value>rom</value>
        <value>pflash</value>
      </enum>
      <enum name='readonly'>
        <value>yes</value>
        <value>no</value>
      </enum>
      <enum name='secure'>
        <value>yes</value>
        <value>no</value>
      </enum>
    </loader>
  </os>
  <cpu>
    <mode name='host-passthrough' supported='no'/>
    <mode name='maximum' supported='yes'>
""")
    assert (
        """\
      <model usable='no' vendor='Intel'>Broadwell</model>
      <blockers model='Broadwell'>
        <feature name='hle'/>
        <feature name='rtm'/>
      </blockers>
      <model usable='no' vendor='Intel'>Nehalem</model>
      <blockers model='Nehalem'>
        <feature name='pni'/>
      </blockers>
      <model usable='yes' vendor='unknown' canonical='qemu64-v1'>qemu64</model>
      <model usable='yes' vendor='unknown'>qemu64-v1</model>
    </mode>
"""
        in document
    )
    assert "<value>ide</value>" not in document
    assert "<value>ide</value>" in guest_document(choice(PC), firmware, physical_bits=None, kvm_limit=None)


def test_kvm_limits_processors_and_addresses() -> None:
    kvm = replace(qemu(), kvm=True, cpu_models={"kvm": (CpuModel("486"),)}, cpu_expansions={"kvm": {"fpu": True}})
    document = guest_document(Choice(kvm, "x86_64", "kvm", Q35), FirmwareOffer(), physical_bits=48, kvm_limit=8)
    assert "<vcpu max='8'/>" in document
    mode = "<mode name='host-passthrough' supported='yes'>\n      <enum name='hostPassthroughMigratable'>\n"
    assert f"{mode}        <value>off</value>\n      </enum>" in document
    kvm = replace(kvm, cpu_expansions={"kvm": {"fpu": True, "migratable": True}})
    willing = guest_document(Choice(kvm, "x86_64", "kvm", Q35), FirmwareOffer(), physical_bits=48, kvm_limit=8)
    assert f"{mode}        <value>on</value>\n        <value>off</value>\n" in willing
    assert "<maxphysaddr mode='passthrough' limit='48'/>" in document


def test_sysinfo_document() -> None:
    info = HostSysinfo({"vendor": "A & B"}, {}, [{"product": "X"}], {}, [], [{"size": "1 GB"}], ["<hi>"])
    assert (
        format_sysinfo(info)
        == """\
<sysinfo type='smbios'>
  <bios>
    <entry name='vendor'>A &amp; B</entry>
  </bios>
  <baseBoard>
    <entry name='product'>X</entry>
  </baseBoard>
  <memory_device>
    <entry name='size'>1 GB</entry>
  </memory_device>
  <oemStrings>
    <entry>&lt;hi&gt;</entry>
  </oemStrings>
</sysinfo>
"""
    )


def test_processors_and_an_emulator() -> None:
    assert compare_with_emulator(choice(), "<cpu><model>qemu64</model></cpu>", fail=True, validate=False) == 2


def test_a_model_that_qemu_calls_unusable() -> None:
    """A model that is not marked for comparison by features is judged by what QEMU says of it."""
    models: dict[str, tuple[CpuModel, ...]] = {TCG: (CpuModel("Broadwell-v1", ("hle", "rtm")), CpuModel("qemu64"))}
    known = Choice(replace(qemu(), cpu_models=models), "x86_64", "qemu", Q35)
    with pytest.raises(LibvirtError, match="Host CPU does not provide required features: hle, rtm") as caught:
        compare_with_emulator(known, "<cpu><model>Broadwell-v1</model></cpu>", fail=True, validate=False)
    assert caught.value.code == Code.CPU_INCOMPATIBLE
    both = "<feature name='hle' policy='disable'/><feature name='rtm' policy='disable'/>"
    without = f"<cpu><model>Broadwell-v1</model>{both}</cpu>"
    assert compare_with_emulator(known, without, fail=True, validate=False) == 2


def test_joining_for_an_emulator() -> None:
    assert "Nehalem" in join([NEHALEM], expanded=False, migratable=False)
    with pytest.raises(LibvirtError, match="Unknown architecture nonsense"):
        join([NEHALEM.replace("x86_64", "nonsense")], expanded=False, migratable=False)
    everything: dict[str, bool | int | str] = dict.fromkeys(("fpu", "sse3", "tsc", "msr", "pae"), True)
    able = replace(qemu(), cpu_expansions={TCG: everything})
    joined = join_for_emulator(Choice(able, "x86_64", "qemu", Q35), [NEHALEM], expanded=True, migratable=False)
    assert "fallback='forbid'" in joined
    nothing = Choice(replace(qemu(), cpu_models={}), "x86_64", "qemu", Q35)
    with pytest.raises(LibvirtError, match="does not support any CPU models") as caught:
        join_for_emulator(nothing, [NEHALEM], expanded=False, migratable=False)
    assert caught.value.code == Code.OPERATION_UNSUPPORTED


def test_comparing_with_a_host_of_files(node: Node) -> None:
    assert compare_with_host(host_cpu(node), NEHALEM, fail=False, validate=False) == 0
    with pytest.raises(LibvirtError, match="Unknown architecture nonsense") as caught:
        compare_with_host(host_cpu(node), NEHALEM.replace("x86_64", "nonsense"), fail=False, validate=False)
    assert caught.value.code == Code.CONFIG_UNSUPPORTED


async def _no_kvm() -> KvmStatus:
    return KvmStatus(False, "not in this test")


def _choose(program: str | None, *rest: str | None, capabilities: QemuCapabilities | None = None) -> Choice:
    """`Emulators.choose` where every program is the one that `capabilities` describes."""

    class Known(Catalogue):
        async def capabilities(self, program: str) -> QemuCapabilities:
            return capabilities or qemu(program)

    class Installed(Emulators):
        def program(self, arch: str) -> str | None:
            return None if arch == "aarch64" else "/usr/bin/qemu-system-x86_64"

    async def run() -> Choice:
        return await Installed(Known(None, _no_kvm), "x86_64").choose(program, *rest)

    return asyncio.run(run())


def test_choosing() -> None:
    chosen = _choose(None, None, None, None)
    assert (chosen.arch, chosen.guest_type, chosen.machine.name) == ("x86_64", "qemu", "pc-i440fx-10.0")
    assert chosen.accelerator == TCG
    assert _choose(None, "i686", "qemu", "q35").machine.name == "pc-q35-10.0"


@pytest.mark.parametrize(
    ("question", "code", "text"),
    [
        (("/q", None, "lxc", None), Code.INVALID_ARG, "Emulator '/q' does not support virt type 'lxc'"),
        (("/q", None, "kvm", None), Code.INVALID_ARG, "the accel 'kvm' is not supported by '/q' on this host"),
        (("/q", None, "x", None), Code.INVALID_ARG, "unknown virttype: x"),
        (("/q", "x", None, None), Code.INVALID_ARG, "unknown architecture: x"),
        (("/q", "riscv64", None, None), Code.INVALID_ARG, "architecture from emulator 'x86_64' doesn't match given"),
        ((None, "aarch64", None, None), Code.CONFIG_UNSUPPORTED, "unable to find any emulator to serve 'aarch64'"),
        (("/q", None, None, "x"), Code.INVALID_ARG, "the machine 'x' is not supported by emulator '/q'"),
    ],
)
def test_choosing_wrong(question: tuple[str | None, ...], code: int, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        _choose(*question)
    assert (caught.value.code, text in caught.value.message) == (code, True), caught.value.message


def test_a_32_bit_emulator_does_not_serve_64_bit_guests() -> None:
    with pytest.raises(LibvirtError, match="Emulator '/q' does not support arch 'x86_64'"):
        _choose("/q", "x86_64", None, None, capabilities=qemu("/q", "i386"))


def test_the_hosts_uuid_is_made_once(tmp_path: Path) -> None:
    places, tree = Places.under(tmp_path), HostTree.under(tmp_path / "host")
    first = find_host_uuid(places, Settings(), tree)
    assert find_host_uuid(places, Settings(), tree) == first
    assert stat.S_IMODE((places.lib / "host-uuid").stat().st_mode) == 0o644
    (places.lib / "host-uuid").write_text("broken")
    assert find_host_uuid(places, Settings(), tree) != first


def test_the_hosts_uuid_as_configured_or_as_the_firmware_has_it(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path / "host")
    write(tree.sys / "class/dmi/id/product_uuid", "4C4C4544-0035-3510-8057-B4C04F4A4D32")
    system = replace(Places.under(tmp_path), mode="system")
    assert find_host_uuid(system, Settings(), tree) == "4c4c4544-0035-3510-8057-b4c04f4a4d32"
    configured = Settings(host_uuid="C276F94C-45E0-4767-8FE7-E4960EA44A66")
    assert find_host_uuid(system, configured, tree) == "c276f94c-45e0-4767-8fe7-e4960ea44a66"
    assert find_host_uuid(Places.under(tmp_path), Settings(), tree) != "4c4c4544-0035-3510-8057-b4c04f4a4d32"


def test_the_driver_on_a_host_without_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    async def run() -> None:
        driver = create(Places.under(tmp_path / "root"), Settings(), two_nodes(tmp_path / "host"))
        await driver.start()
        assert driver.hostname
        assert not driver.busy
        assert driver.sysinfo() is None
        if driver.emulators.program("x86_64") is None:
            assert await driver.hypervisor_version() == 0
            assert "<guest>" not in await driver.capabilities_document()
        await driver.reload()
        await driver.stop()

    asyncio.run(run())
