"""A real guest sees the memory, nodes, processors and I/O threads of its definition; QEMU has them as was asked."""

from __future__ import annotations

import gzip
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.shell import GuestShell
from tests.support.tiny import FOLDER, INITRD, tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

_HEAD = "070701"


def _cpio(files: dict[str, bytes]) -> bytes:
    """An archive in the kernel's form (`newc`), which it unpacks after the one before it."""
    out = b""
    for number, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")]):
        fields = (number, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += (_HEAD + "".join(f"{field:08x}" for field in fields) + name + "\0").encode()
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return out


@pytest.fixture
def initrd(tmp_path: Path) -> Path:
    """The tiny guest's first files, with the driver of virtio-mem beside them."""
    found = sorted(FOLDER.glob("packages/*/lib/modules/*/kernel/drivers/virtio/virtio_mem.ko"))
    if not found:
        pytest.skip("the tiny guest is not built (./dev setup builds it)")
    path = tmp_path / "initrd.gz"
    path.write_bytes(INITRD.read_bytes() + gzip.compress(_cpio({"virtio_mem.ko": found[0].read_bytes()})))
    return path


_EXTRA = """<cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model>
      <topology sockets='2' cores='2' threads='1'/>
      <numa>
        <cell id='0' cpus='0-1' memory='128' unit='MiB' memAccess='shared'>
          <distances><sibling id='1' value='33'/></distances></cell>
        <cell id='1' cpus='2-3' memory='96' unit='MiB'/>
      </numa></cpu>
    <currentMemory unit='MiB'>320</currentMemory>
    <maxMemory slots='4' unit='GiB'>2</maxMemory>
    <memoryBacking><source type='memfd'/><discard/></memoryBacking>
    <vcpus>
      <vcpu id='0' enabled='yes' hotpluggable='no'/>
      <vcpu id='1' enabled='yes' hotpluggable='no'/>
      <vcpu id='2' enabled='yes' hotpluggable='yes'/>
      <vcpu id='3' enabled='no' hotpluggable='yes'/>
    </vcpus>
    <iothreadids>
      <iothread id='3'><poll max='1000'/></iothread>
      <iothread id='5' thread_pool_min='2' thread_pool_max='4'/>
    </iothreadids>
    <defaultiothread thread_pool_min='1' thread_pool_max='16'/>"""


def _devices(disk: Path) -> str:
    return f"""<disk type='file' device='disk'><driver name='qemu' type='raw' iothread='3'/>
      <source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
    <memballoon model='virtio' autodeflate='on' freePageReporting='on'><stats period='1'/></memballoon>
    <memory model='dimm'><target><size unit='MiB'>128</size><node>1</node></target></memory>
    <memory model='virtio-mem'>
      <target><size unit='MiB'>256</size><node>0</node><block unit='MiB'>2</block><requested unit='MiB'>128</requested>
      </target></memory>"""


@pytest.fixture
def document(initrd: Path, tmp_path: Path) -> str:
    """The guest's definition."""
    disk = tmp_path / "disk.raw"
    with disk.open("wb") as image:
        image.truncate(1024 * 1024)
    xml = tiny_xml("numa", extra=_EXTRA, devices=_devices(disk)).replace("<vcpu>1</vcpu>", "<vcpu>4</vcpu>")
    return xml.replace(str(INITRD), str(initrd))


@pytest.fixture
def shell(daemon: Daemon, document: str, tmp_path: Path) -> Iterator[GuestShell]:
    """The running guest's shell."""
    path = tmp_path / "guest.xml"
    path.write_text(document)
    daemon.virsh("define", str(path))
    daemon.virsh("start", "numa")
    shell = GuestShell(daemon.virsh("ttyconsole", "numa").stdout.strip())
    shell.until_ready(90.0)
    yield shell
    shell.close()
    daemon.virsh("destroy", "numa")
    daemon.virsh("undefine", "numa")


def _ask(daemon: Daemon, command: str, **arguments: str) -> object:
    question = json.dumps({"execute": command, "arguments": arguments})
    return json.loads(daemon.virsh("qemu-monitor-command", "numa", question).stdout)["return"]


def _kib(shell: GuestShell, name: str) -> int:
    found = re.search(rf"{name}: +(\d+) kB", shell.run("cat /proc/meminfo"))
    assert found is not None
    return int(found[1])


def _check_definition(daemon: Daemon) -> None:
    kept = daemon.virsh("dumpxml", "--inactive", "numa").stdout
    assert "<memory unit='KiB'>622592</memory>" in kept  # 128 + 96 of the nodes, 128 + 256 of the devices
    assert "<vcpu placement='static' current='3'>4</vcpu>" in kept
    assert "<vcpu id='3' enabled='no' hotpluggable='yes'/>" in kept
    assert "<iothreads>2</iothreads>" in kept
    assert "<address type='dimm' slot='0'/>" in kept
    assert "<current " not in kept


def _check_nodes(shell: GuestShell) -> None:
    nodes = "/sys/devices/system/node"
    assert shell.run(f"cat {nodes}/online") == "0-1"
    assert shell.run(f"cat {nodes}/node0/distance").split() == ["10", "33"]
    assert shell.run(f"cat {nodes}/node1/distance").split() == ["33", "10"]
    assert shell.run(f"cat {nodes}/node0/cpulist") == "0-1"
    assert shell.run(f"cat {nodes}/node1/cpulist") == "2"


def _check_processors(shell: GuestShell, daemon: Daemon) -> None:
    assert shell.run("cat /sys/devices/system/cpu/online") == "0-2"
    assert shell.run("cat /sys/devices/system/cpu/possible") == "0-3"
    assert shell.run("cat /sys/devices/system/cpu/cpu2/topology/physical_package_id") == "1"
    cpus = _ask(daemon, "query-cpus-fast")
    assert isinstance(cpus, list)
    assert [cpu["qom-path"].startswith("/machine/peripheral/vcpu2") for cpu in cpus] == [False, False, True]


def _check_threads(daemon: Daemon) -> None:
    threads = _ask(daemon, "query-iothreads")
    assert isinstance(threads, list)
    found = {thread["id"]: thread for thread in threads}
    assert found.keys() == {"iothread3", "iothread5"}
    assert found["iothread3"]["poll-max-ns"] == 1000
    assert _ask(daemon, "qom-get", path="/objects/iothread5", property="thread-pool-max") == 4
    assert _ask(daemon, "qom-get", path="/objects/main-loop", property="thread-pool-max") == 16
    assert _ask(daemon, "qom-get", path="/machine/peripheral/virtio-disk0/virtio-backend", property="iothread") \
        == "/objects/iothread3"  # fmt: skip


def _check_memory(shell: GuestShell, daemon: Daemon) -> None:
    backends = _ask(daemon, "query-memdev")
    assert isinstance(backends, list)
    shared = {item["id"]: item["share"] for item in backends}
    assert shared == dict.fromkeys(("ram-node0", "ram-node1", "memdimm0", "memvirtiomem0"), True)  # as memfd is
    pid = daemon.guest_processes()[0]
    assert Path(f"/proc/{pid}/maps").read_text().count("memfd:memory-backend-memfd") >= 4
    before = _kib(shell, "MemTotal")
    shell.run("insmod /virtio_mem.ko")
    # The kernel has the blocks of both devices, and puts them to use when it is told to.
    shell.run("for f in /sys/devices/system/memory/memory*/state; do echo online > $f; done 2>/dev/null")
    end = time.monotonic() + 30
    while _kib(shell, "MemTotal") < before + 200 * 1024:
        assert time.monotonic() < end, shell.run("cat /proc/meminfo")
        shell.run("for f in /sys/devices/system/memory/memory*/state; do echo online > $f; done 2>/dev/null")
    assert "Node 1, zone   Normal" in shell.run("cat /proc/zoneinfo") or _kib(shell, "MemTotal") > before
    live = daemon.virsh("dumpxml", "numa").stdout
    assert "<requested unit='KiB'>131072</requested>" in live
    assert "<current unit='KiB'>131072</current>" in live
    assert "<currentMemory unit='KiB'>458752</currentMemory>" in live  # what the balloon leaves, and those 128 MiB
    assert re.search(r"<address type='dimm' slot='0' base='0x[0-9a-f]+'/>", live)


def _check_balloon(daemon: Daemon) -> None:
    end = time.monotonic() + 20
    while "usable" not in (told := daemon.virsh("dommemstat", "numa").stdout):
        assert time.monotonic() < end, told
        time.sleep(0.5)
    assert _ask(daemon, "query-balloon") == {"actual": 320 * 1024 * 1024}
    path = "/machine/peripheral/balloon0"
    assert _ask(daemon, "qom-get", path=path, property="guest-stats-polling-interval") == 1
    assert _ask(daemon, "qom-get", path=path, property="deflate-on-oom") is True
    assert _ask(daemon, "qom-get", path=path, property="free-page-reporting") is True


def test_the_guest_has_what_its_definition_says(daemon: Daemon, shell: GuestShell) -> None:
    _check_definition(daemon)
    _check_nodes(shell)
    _check_processors(shell, daemon)
    _check_threads(daemon)
    _check_balloon(daemon)
    _check_memory(shell, daemon)


_ODD = """<memoryBacking><source type='file'/><access mode='shared'/><allocation mode='immediate' threads='2'/>
      <discard/><nosharepages/></memoryBacking>
    <maxMemory slots='4' unit='GiB'>2</maxMemory>
    <cputune><emulatorpin cpuset='0'/></cputune>
    <numatune><memory mode='preferred' nodeset='0'/></numatune>
    <cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model>
      <numa>
        <cell id='0' cpus='0-1' memory='32' unit='MiB'>
          <cache level='1' associativity='direct' policy='writeback'><size value='10'/><line value='8'/></cache></cell>
        <cell id='1' memory='32' unit='MiB' discard='no'/>
        <interconnects>
          <latency initiator='0' target='0' type='access' value='5'/>
          <latency initiator='0' target='0' cache='1' type='access' value='2'/>
          <latency initiator='0' target='1' type='access' value='50'/>
          <bandwidth initiator='0' target='0' type='access' value='4' unit='GiB'/>
          <bandwidth initiator='0' target='0' cache='1' type='access' value='8' unit='GiB'/>
          <bandwidth initiator='0' target='1' type='access' value='1' unit='GiB'/>
        </interconnects>
      </numa></cpu>"""


def test_memory_in_files_and_what_acpi_tells_of_it(daemon: Daemon, tmp_path: Path) -> None:
    """QEMU takes it all; the guest's directory is there while it runs."""
    for name in ("nvdimm", "pmem"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(64 * 1024 * 1024)
    devices = f"""<memory model='nvdimm' access='shared'>
        <source><path>{tmp_path}/nvdimm</path><alignsize unit='MiB'>2</alignsize></source>
        <target><size unit='MiB'>64</size><node>0</node><label><size unit='KiB'>256</size></label><readonly/></target>
      </memory>
      <memory model='virtio-pmem'>
        <source><path>{tmp_path}/pmem</path></source><target><size unit='MiB'>64</size></target></memory>"""
    document = tmp_path / "odd.xml"
    document.write_text(tiny_xml("odd", extra=_ODD, devices=devices).replace("<vcpu>1</vcpu>", "<vcpu>2</vcpu>"))
    daemon.virsh("create", str(document), "--paused")
    places = list((daemon.root / "lib/qemu/ram").iterdir())
    assert [sorted(file.name for file in place.iterdir()) for place in places] == [["ram-node0", "ram-node1"]]
    live = daemon.virsh("dumpxml", "odd").stdout
    assert re.search(r"<address type='dimm' slot='0' base='0x[0-9a-f]+'/>", live)
    assert re.search(r"<address base='0x[0-9a-f]+'/>", live)
    daemon.virsh("destroy", "odd")
    deadline = time.monotonic() + 10  # much memory is given back behind the answer
    while list((daemon.root / "lib/qemu/ram").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_this_host_has_not_is_refused_by_name(daemon: Daemon, tmp_path: Path) -> None:
    for section, words in (
        ("<cputune><cachetune vcpus='0'><cache id='0' level='3' type='both' size='1'/></cachetune></cputune>",
         "Resource control is not supported on this host"),
        ("<numatune><memory mode='strict' placement='auto'/></numatune>", "numad is not available on this host"),
        ("<numatune><memory mode='strict' nodeset='0,99'/></numatune>", "NUMA node 99 is unavailable"),
        ("<memoryBacking><hugepages><page size='16' unit='GiB'/></hugepages></memoryBacking>",
         "Unable to find any usable hugetlbfs mount for 16777216 KiB"),
        ("<resource><fibrechannel appid='web'/></resource>", "<fibrechannel> is not supported"),
    ):  # fmt: skip
        document = tmp_path / "refused.xml"
        document.write_text(tiny_xml("refused", extra=section))
        done = daemon.virsh("create", str(document), check=False)
        assert done.returncode == 1
        assert words in done.stderr


def test_numad_is_asked_where_to_put_the_guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/numad"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\necho 0\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    daemon = Daemon(tmp_path / "r").start()
    try:
        document = tmp_path / "auto.xml"
        document.write_text(tiny_xml("auto").replace("<vcpu>1</vcpu>", "<vcpu placement='auto'>2</vcpu>"))
        daemon.virsh("create", str(document))
        assert (tmp_path / "asked").read_text() == "-w 2:192\n"
        words = Path(f"/proc/{daemon.guest_processes()[0]}/cmdline").read_text()
        assert '"host-nodes":[0],"policy":"bind"' in words
        live = daemon.virsh("dumpxml", "auto").stdout
        assert "<vcpu placement='auto'>2</vcpu>" in live
        assert "<memory mode='strict' placement='auto'/>" in live
        daemon.kill()
        daemon.start()
        assert "<numad nodeset='0'/>" in (daemon.root / "run/qemu/auto.xml").read_text()  # for memory that comes later
        program.write_text("#!/bin/sh\nexit 1\n")
        done = daemon.virsh("create", str(document), check=False)
        assert done.returncode == 1
        daemon.virsh("destroy", "auto")
        done = daemon.virsh("create", str(document), check=False)
        assert "Failed to query numad for the advisory nodeset" in done.stderr
    finally:
        daemon.stop()
