"""A running guest is tuned by the stock clients and by our command, and QEMU, the kernel and the guest show it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import BIN, Daemon, need
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.stock, pytest.mark.timeout(240)]

GUEST = "tuned"
SETTINGS = """
  <iothreads>2</iothreads>
  <cputune>
    <shares>2048</shares>
    <period>50000</period>
    <quota>40000</quota>
    <global_quota>180000</global_quota>
    <emulator_period>60000</emulator_period>
    <emulator_quota>30000</emulator_quota>
    <vcpupin vcpu='0' cpuset='0'/>
    <emulatorpin cpuset='0'/>
    <iothreadpin iothread='1' cpuset='0'/>
    <vcpusched vcpus='0' scheduler='batch'/>
  </cputune>
  <memtune><hard_limit unit='KiB'>900000</hard_limit></memtune>
  <numatune><memory mode='strict' nodeset='0'/></numatune>
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    need("virsh", "qemu-img")
    if os.geteuid():
        pytest.skip("control groups need root")
    daemon = Daemon(tmp_path_factory.mktemp("tuning")).start()
    disk = daemon.root / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "64M"], check=True)
    devices = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{disk}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    xml = tiny_xml(GUEST, agent=True, devices=devices, extra=SETTINGS)
    path = daemon.root / "guest.xml"
    xml = xml.replace("<vcpu>1</vcpu>", "<vcpu current='2'>4</vcpu>")
    path.write_text(xml.replace("<vcpu", "<currentMemory unit='MiB'>176</currentMemory><vcpu", 1))
    daemon.virsh("define", str(path))
    daemon.virsh("start", GUEST)
    yield daemon
    daemon.virsh("destroy", GUEST, check=False)
    deadline = time.monotonic() + 5
    while (left := groups(daemon)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    daemon.stop()


def groups(daemon: Daemon) -> list[Path]:
    """The control groups of the guest, one a controller."""
    mark = hashlib.sha256(str(daemon.root).encode()).hexdigest()[:8]
    return list(Path("/sys/fs/cgroup").glob(f"*/machine/qemu-embed-{mark}-*-{GUEST}.libvirt-qemu"))


def setting(daemon: Daemon, controller: str, name: str, part: str = "") -> str:
    """What a file of the guest's control group says."""
    (group,) = (path for path in groups(daemon) if path.parts[4] == controller)
    return (group / part / name).read_text().strip()


def threads(daemon: Daemon) -> dict[str, str]:
    """The guest's threads by name, with the processors that each may run on."""
    (pid,) = daemon.guest_processes()
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = (task / "status").read_text()
        name = (task / "comm").read_text().strip()
        found[name] = status.split("Cpus_allowed_list:")[1].split()[0]
    return found


def monitor(daemon: Daemon, command: str) -> list[dict[str, object]]:
    """What QEMU answers a command."""
    answer: list[dict[str, object]] = json.loads(daemon.virsh("qemu-monitor-command", GUEST, command).stdout)["return"]
    return answer


def inside(daemon: Daemon, path: str) -> str:
    """A file of the guest, read by its agent."""

    def ask(command: str, **arguments: object) -> object:
        text = json.dumps({"execute": command, "arguments": arguments})
        return json.loads(daemon.virsh("qemu-agent-command", GUEST, text).stdout)["return"]

    handle = ask("guest-file-open", path=path)
    found = ask("guest-file-read", handle=handle, count=65536)
    ask("guest-file-close", handle=handle)
    assert isinstance(found, dict)
    return base64.b64decode(found["buf-b64"]).decode().strip()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def agent(daemon: Daemon) -> Daemon:
    """The daemon, once the guest's agent answers."""
    wait_for(lambda: daemon.virsh("domhostname", GUEST, "--source", "agent", check=False).returncode == 0, 60)
    return daemon


def test_a_guest_starts_with_what_its_definition_says(daemon: Daemon) -> None:
    assert setting(daemon, "cpu", "cpu.shares") == "2048"
    assert setting(daemon, "cpu", "cpu.cfs_quota_us") == "180000"
    assert (
        setting(daemon, "cpu", "cpu.cfs_quota_us", "vcpu0")
        == setting(daemon, "cpu", "cpu.cfs_quota_us", "vcpu1")
        == "40000"
    )
    assert setting(daemon, "cpu", "cpu.cfs_period_us", "emulator") == "60000"
    assert setting(daemon, "memory", "memory.limit_in_bytes") == str(900000 * 1024)
    assert setting(daemon, "cpuset", "cpuset.mems", "vcpu0") == "0"
    assert (
        setting(daemon, "cpuset", "cpuset.cpus", "vcpu0")
        == setting(daemon, "cpuset", "cpuset.cpus", "iothread1")
        == "0"
    )
    found = threads(daemon)
    assert found["CPU 0/TCG"] == found["qemu-system-x86"] == found["IO iothread1"] == "0"
    (pid,) = daemon.guest_processes()
    vcpu = next(task for task in os.listdir(f"/proc/{pid}/task") if "CPU 0" in Path(f"/proc/{task}/comm").read_text())
    assert os.sched_getscheduler(int(vcpu)) == os.SCHED_BATCH
    assert vcpu in setting(daemon, "cpu", "tasks", "vcpu0").split()
    everything = {tid for part in ("emulator", "vcpu0", "vcpu1", "iothread1", "iothread2")
                  for tid in setting(daemon, "cpu", "tasks", part).split()}  # fmt: skip
    assert set(os.listdir(f"/proc/{pid}/task")) <= everything


@pytest.mark.parametrize("tool", ["virsh", "guest"])
def test_shares_and_pins_of_a_running_guest(daemon: Daemon, tool: str) -> None:
    run = getattr(daemon, tool)
    cpus = "0-1" if len(os.sched_getaffinity(0)) > 1 else "0"
    shares, quota = ("512", "25000") if tool == "virsh" else ("256", "35000")
    printed = run("schedinfo", GUEST, f"cpu_shares={shares}", f"vcpu_quota={quota}", "--live", "--config").stdout
    assert f"cpu_shares     : {shares}\n" in printed
    assert (setting(daemon, "cpu", "cpu.shares"), setting(daemon, "cpu", "cpu.cfs_quota_us", "vcpu1")) == (
        shares,
        quota,
    )
    run("vcpupin", GUEST, "1", cpus, "--live", "--config")
    run("emulatorpin", GUEST, cpus)
    run("iothreadpin", GUEST, "2", "0")
    found = threads(daemon)
    assert (found["CPU 1/TCG"], found["qemu-system-x86"], found["IO iothread2"]) == (cpus, cpus, "0")
    assert setting(daemon, "cpuset", "cpuset.cpus", "emulator") == cpus
    assert run("emulatorpin", GUEST).stdout.splitlines()[:3] == [
        "emulator: CPU Affinity", "-" * 34, f"       *: {cpus}"
    ]  # fmt: skip
    assert run("vcpupin", GUEST, "--vcpu", "1").stdout.splitlines()[2] == f" 1      {cpus}"
    inactive = run("dumpxml", GUEST, "--inactive").stdout
    assert f"<shares>{shares}</shares>" in inactive
    assert f"<vcpupin vcpu='1' cpuset='{cpus}'/>" in inactive
    assert "<emulatorpin cpuset='0'/>" in inactive  # the definition was not meant


def test_what_is_refused_changes_nothing(daemon: Daemon) -> None:
    def state() -> list[str]:
        asked = (("schedinfo", GUEST), ("memtune", GUEST), ("dumpxml", GUEST), ("dumpxml", GUEST, "--inactive"))
        return [daemon.virsh(*words).stdout for words in asked]

    before = state()
    refused = daemon.python(
        """
dom = conn.lookupByName(sys.argv[2])
try:
    dom.setSchedulerParametersFlags({"cpu_shares": 300, "vcpu_quota": 1}, 1)
except libvirt.libvirtError as error:
    print(error.get_error_code(), error)
try:
    dom.pinVcpuFlags(0, (False,), 1)
except libvirt.libvirtError as error:
    print(error.get_error_code(), error)
""",
        GUEST,
    ).stdout.splitlines()
    assert refused[0] == "8 invalid argument: value of 'vcpu_quota' is out of range [1000, 17592186044415]"
    assert refused[1] == "8 invalid argument: Empty cpu list for pinning"
    # The kernel takes the first limit, and refuses the second, which is below what the guest uses.
    below = daemon.virsh(
        "memtune", GUEST, "--soft-limit", "500000", "--hard-limit", "100", "--live", "--config", check=False
    )
    assert "memory.limit_in_bytes': Device or resource busy" in below.stderr
    assert state() == before


def test_limits_of_memory_disks_and_nodes(daemon: Daemon) -> None:
    daemon.virsh("memtune", GUEST, "--hard-limit", "800000", "--soft-limit", "1G", "--live", "--config")
    assert setting(daemon, "memory", "memory.limit_in_bytes") == str(800000 * 1024)
    for run in (daemon.virsh, daemon.guest):
        assert run("memtune", GUEST).stdout.splitlines()[:3] == [
            "hard_limit     : 800000", "soft_limit     : 1048576", "swap_hard_limit: unlimited",
        ]  # fmt: skip
        assert run("numatune", GUEST).stdout.splitlines()[:2] == ["numa_mode      : strict", "numa_nodeset   : 0"]
        refused = run("numatune", GUEST, "--nodeset", "0", "--mode", "preferred", "--live", check=False)
        assert "can't change numatune mode for running domain" in refused.stderr
    daemon.guest("blkiotune", GUEST, "--weight", "300", "--live", "--config")
    assert setting(daemon, "blkio", "blkio.bfq.weight") == "300"
    assert daemon.virsh("blkiotune", GUEST).stdout == daemon.guest("blkiotune", GUEST).stdout


def test_io_threads_come_and_go(daemon: Daemon) -> None:
    daemon.virsh("iothreadadd", GUEST, "7", "--live", "--config")
    daemon.guest("iothreadset", GUEST, "7", "--poll-max-ns", "12345", "--thread-pool-max", "9", "--live", "--config")
    found = {entry["id"]: entry["poll-max-ns"] for entry in monitor(daemon, "query-iothreads")}
    assert found["iothread7"] == 12345
    assert daemon.virsh("iothreadinfo", GUEST).stdout == daemon.guest("iothreadinfo", GUEST).stdout
    assert "<poll max='12345'/>" in daemon.virsh("dumpxml", GUEST, "--inactive").stdout
    assert setting(daemon, "cpu", "tasks", "iothread7")
    daemon.guest("iothreaddel", GUEST, "7", "--live", "--config")
    assert "iothread7" not in {entry["id"] for entry in monitor(daemon, "query-iothreads")}
    refused = daemon.virsh("iothreaddel", GUEST, "7", check=False)
    assert "error: invalid argument: cannot find IOThread '7' in iothreadids list" in refused.stderr


def test_limits_and_size_of_a_disk(daemon: Daemon) -> None:
    limits = ("--total-bytes-sec", "1M", "--total-bytes-sec-max", "2M", "--total-bytes-sec-max-length", "5")
    daemon.guest("blkdeviotune", GUEST, "vda", *limits, "--group-name", "slow", "--live", "--config")
    (drive,) = (entry["inserted"] for entry in monitor(daemon, "query-block") if "virtio-disk0" in str(entry["qdev"]))
    assert isinstance(drive, dict)
    assert (drive["bps"], drive["bps_max"], drive["bps_max_length"], drive["group"]) == (1 << 20, 1 << 21, 5, "slow")
    assert daemon.virsh("blkdeviotune", GUEST, "vda").stdout == daemon.guest("blkdeviotune", GUEST, "vda").stdout
    refused = daemon.virsh("blkdeviotune", GUEST, "vda", "--total-bytes-sec", "0", check=False)
    assert "cannot reset 'total_bytes_sec' when 'total_bytes_sec_max' is set" in refused.stderr
    assert daemon.guest("blockresize", GUEST, "vda", "80M").stdout.startswith("Block device 'vda' is resized\n")
    assert "Capacity:       83886080" in daemon.virsh("domblkinfo", GUEST, "vda").stdout


def test_counters_and_actions(daemon: Daemon) -> None:
    assert daemon.virsh("perf", GUEST, "--enable", "page_faults", "--live").stdout == "page_faults    : enabled\n\n"
    refused = daemon.virsh("perf", GUEST, "--enable", "cmt,cpu_clock", "--live", check=False)
    assert "unable to enable perf event for cmt" in refused.stderr
    assert "cpu_clock      : disabled\n" in daemon.guest("perf", GUEST).stdout
    daemon.guest("set-lifecycle-action", GUEST, "crash", "preserve", "--live", "--config")
    assert "<on_crash>preserve</on_crash>" in daemon.virsh("dumpxml", GUEST, "--inactive").stdout
    unknown = daemon.virsh("send-process-signal", GUEST, "1", "kill", check=False)
    assert "this function is not supported by the connection driver: virDomainSendProcessSignal" in unknown.stderr


def test_changes_are_announced(daemon: Daemon) -> None:
    heard = daemon.python(
        """
import threading
libvirt.virEventRegisterDefaultImpl()
conn = libvirt.open(sys.argv[1])
dom = conn.lookupByName(sys.argv[2])
heard = []
for event in (libvirt.VIR_DOMAIN_EVENT_ID_TUNABLE, libvirt.VIR_DOMAIN_EVENT_ID_BALLOON_CHANGE):
    conn.domainEventRegisterAny(dom, event, lambda conn, dom, said, opaque: heard.append(said), None)
threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl() for _ in range(10**6)], daemon=True).start()
dom.setSchedulerParametersFlags({"cpu_shares": 1024}, 1)
dom.pinEmulator((True,), 1)
dom.setBlockIoTune("vda", {"read_iops_sec": 100}, 1)
time.sleep(0.5)
for one in heard:
    print(sorted(one.items()) if isinstance(one, dict) else one)
""",
        GUEST,
    ).stdout.splitlines()
    assert heard == [
        "[('cputune.cpu_shares', 1024)]",
        "[('cputune.emulatorpin', '0')]",
        "[('blkdeviotune.disk', 'vda'), ('blkdeviotune.read_iops_sec', 100)]",
    ]


def test_the_agent_acts_and_tells(agent: Daemon) -> None:
    for run in (agent.virsh, agent.guest):
        assert "hostname            : tiny\n" in run("guestinfo", GUEST).stdout
        assert run("guestinfo", GUEST, "--os").stdout.startswith("os.machine          : x86_64\n")
        assert run("domfsinfo", GUEST).stdout == "No filesystems are mounted in the domain\n"
        assert run("domfsfreeze", GUEST).stdout == "Froze 0 filesystem(s)\n\n"
        assert run("domfsthaw", GUEST).stdout == "Thawed 0 filesystem(s)\n\n"
        run("domfstrim", GUEST)
        assert run("guestvcpus", GUEST).stdout.splitlines()[0] == "vcpus          : 0-1"
        refused = run("set-user-password", GUEST, "root", "secret", check=False)
        assert "'guest-set-user-password'" in refused.stderr  # the tiny guest has no passwd
        assert "secret" not in refused.stderr
        absent = run("get-user-sshkeys", GUEST, "nobody-here", check=False)
        assert "'guest-ssh-get-authorized-keys'" in absent.stderr
    assert "secret" not in agent.output
    agent.guest("guestvcpus", GUEST, "--cpulist", "1", "--disable")
    assert inside(agent, "/sys/devices/system/cpu/online") == "0"
    agent.virsh("setvcpus", GUEST, "2", "--guest")
    assert inside(agent, "/sys/devices/system/cpu/online") == "0-1"
    agent.virsh("guest-agent-timeout", GUEST, "--timeout", "10")


def test_processors_are_plugged_and_unplugged(agent: Daemon) -> None:
    agent.virsh("setvcpus", GUEST, "3", "--live")
    wait_for(lambda: inside(agent, "/sys/devices/system/cpu/present") == "0-2")
    agent.guest("setvcpu", GUEST, "3", "--enable", "--live")
    wait_for(lambda: inside(agent, "/sys/devices/system/cpu/present") == "0-3")
    assert "CPU 3/TCG" in threads(agent)
    assert setting(agent, "cpu", "cpu.cfs_quota_us", "vcpu3") == "35000"  # as the others
    shown = agent.virsh("dumpxml", GUEST).stdout
    assert "<vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>" in shown
    assert "<vcpu id='3' enabled='yes' hotpluggable='yes' order='4'/>" in shown
    agent.virsh("setvcpu", GUEST, "2", "--disable", "--live")
    numbers = [line.split()[1] for line in agent.virsh("vcpuinfo", GUEST).stdout.splitlines() if "VCPU:" in line]
    assert numbers == ["0", "1", "3"]
    again = agent.virsh("setvcpu", GUEST, "2", "--enable", "--live", check=False)
    assert "QEMU cannot plug in a vcpu again after it was unplugged, without KVM" in again.stderr
    agent.guest("setvcpus", GUEST, "2", "--live")
    assert not {"CPU 2/TCG", "CPU 3/TCG"} & set(threads(agent))
    assert inside(agent, "/sys/devices/system/cpu/present") == "0-1"
    stays = agent.virsh("setvcpus", GUEST, "1", "--live", check=False)
    assert "failed to find appropriate hotpluggable vcpus" in stays.stderr


def test_the_balloon_grows_and_shrinks(agent: Daemon) -> None:
    def total() -> int:
        return int(inside(agent, "/proc/meminfo").split("MemTotal:")[1].split()[0])

    wait_for(lambda: "Used memory:    180224 KiB" in agent.virsh("dominfo", GUEST).stdout)  # as it is defined
    agent.virsh("setmem", GUEST, "192M")
    wait_for(lambda: "Used memory:    196608 KiB" in agent.virsh("dominfo", GUEST).stdout)
    before = total()
    agent.virsh("setmem", GUEST, "150M")
    wait_for(lambda: total() < before - 30000)
    wait_for(lambda: "Used memory:    153600 KiB" in agent.virsh("dominfo", GUEST).stdout)
    agent.guest("setmem", GUEST, "192M", "--live", "--config")
    wait_for(lambda: total() == before)
    agent.guest("setmaxmem", GUEST, "256M", "--config")
    assert "<memory unit='KiB'>262144</memory>" in agent.virsh("dumpxml", GUEST, "--inactive").stdout
    assert "cannot set memory higher than max memory" in agent.virsh("setmem", GUEST, "1G", check=False).stderr


def test_the_monitor_takes_files_and_tells_events(agent: Daemon) -> None:
    for run in (agent.virsh, agent.guest):
        printed = run("qemu-monitor-command", GUEST, "--pass-fds", "0", "--return-value", "query-status").stdout
        assert json.loads(printed)["status"] == "running"
    command = ["virsh", "-c", agent.uri, "qemu-monitor-event", GUEST, "--event", "STOP"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as waiting:
        wait_for(lambda: waiting.poll() is not None or _stopped(agent))
        assert waiting.stdout is not None
        assert waiting.stdout.read().startswith("event STOP at ")
    ours = subprocess.run(
        [str(BIN / "guest"), "-c", agent.uri, "qemu-monitor-event", "--event", "NONE", "--timeout", "1"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ours.stdout == "event loop timed out\nevents received: 0\n\n"


def _stopped(daemon: Daemon) -> bool:
    """Stop and resume the guest, until the one who waits for that has heard of it."""
    daemon.virsh("suspend", GUEST)
    daemon.virsh("resume", GUEST)
    return False


def test_the_next_daemon_finds_the_group_again(agent: Daemon) -> None:
    agent.kill()
    agent.start()
    agent.virsh("schedinfo", GUEST, "cpu_shares=700", "--live")
    assert setting(agent, "cpu", "cpu.shares") == "700"
    agent.virsh("vcpupin", GUEST, "1", "0", "--live")
    assert threads(agent)["CPU 1/TCG"] == "0"


def test_the_group_of_a_guest_that_ended_meanwhile_goes(daemon: Daemon) -> None:
    (pid,) = daemon.guest_processes()
    daemon.kill()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    assert groups(daemon)
    daemon.start()
    wait_for(lambda: not groups(daemon))
    assert daemon.virsh("domstate", GUEST).stdout == "shut off\n\n"


def test_a_partition_that_is_not_there_is_an_error(daemon: Daemon) -> None:
    path = daemon.root / "astray.xml"
    path.write_text(tiny_xml("astray", extra="<resource><partition>/none/such</partition></resource>"))
    refused = daemon.virsh("create", str(path), check=False)
    assert "none.partition/such.partition: No such file or directory" in refused.stderr
    assert "astray" not in daemon.virsh("list", "--all", "--name").stdout
    assert not daemon.guest_processes()
