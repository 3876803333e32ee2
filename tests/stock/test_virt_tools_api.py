"""python3-libvirt's whole surface for guests: every method of `virDomain` is answered, and events are heard."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.tiny import tiny_xml

pytestmark = [pytest.mark.stock, pytest.mark.timeout(120)]

#: Families of methods that belong to chapters of their own: migration, block jobs, snapshots, saved memory.
LATER = ("migrate", "block", "snapshot", "checkpoint", "backup", "managedSave", "save", "revert")

#: One call of each method, in an order that leaves the guest running until its end. `d` is the guest.
CALLS = """
d.ID() | d.OSType() | d.UUIDString() | d.name() | d.state() | d.info() | d.maxMemory() | d.maxVcpus() | d.isActive()
d.isPersistent() | d.isUpdated() | d.autostart() | d.setAutostart(1) | d.setAutostart(0) | d.hasManagedSaveImage()
d.controlInfo() | d.hostname(libvirt.VIR_DOMAIN_GET_HOSTNAME_AGENT) | d.jobInfo() | d.jobStats() | d.abortJob()
d.setMetadata(1, 'T', None, None, 3) | d.metadata(1, None) | d.schedulerType() | d.schedulerParameters()
d.schedulerParametersFlags(2) | d.setSchedulerParametersFlags({'cpu_shares': 512}, 2) | d.memoryParameters()
d.setSchedulerParameters({'cpu_shares': 600}) | d.setMemoryParameters({'hard_limit': 1 << 30}, 2)
d.blkioParameters(2) | d.setBlkioParameters({'weight': 500}, 2) | d.numaParameters() | d.blockIoTune('vda')
d.setNumaParameters({'numa_nodeset': '0'}, 2) | d.setBlockIoTune('vda', {'read_iops_sec': 1000}) | d.perfEvents()
d.interfaceParameters('52:54:00:00:00:01') | d.setInterfaceParameters('52:54:00:00:00:01', {'inbound.average': 1}, 2)
d.setPerfEvents({'cmt': False}, 2) | d.vcpusFlags() | d.setVcpusFlags(2, 2) | d.setVcpus(2) | d.setVcpu('0', 0, 0)
d.vcpuPinInfo() | d.pinVcpu(0, (True,)) | d.pinVcpuFlags(0, (True,), 2) | d.pinEmulator((True,), 2) | d.vcpus()
d.emulatorPinInfo() | d.getCPUStats(True) | d.ioThreadInfo() | d.addIOThread(5, 3) | d.pinIOThread(5, (True,), 1)
d.setIOThreadParams(5, {'poll_max_ns': 1000}, 1) | d.delIOThread(5, 3) | d.setMaxMemory(1 << 20) | d.setMemory(180000)
d.setMemoryFlags(196608, 1) | d.setMemoryStatsPeriod(2) | d.memoryStats() | d.blockInfo('vda') | d.blockStats('vda')
d.blockStatsFlags('vda') | d.blockPeek('vda', 0, 16) | d.memoryPeek(0, 16, 2) | d.interfaceStats('vnet0')
d.interfaceAddresses(1) | d.interfaceAddresses(0) | d.diskErrors() | d.guestInfo(0) | d.guestVcpus()
d.setGuestVcpus('0', 1) | d.getTime() | d.setTime({'seconds': 1700000000}) | d.setUserPassword('root', 'x')
d.authorizedSSHKeysGet('root') | d.authorizedSSHKeysSet('root', ['ssh-ed25519 A x']) | d.fsInfo() | d.fsFreeze()
d.fsThaw() | d.fSTrim(None, 0) | d.agentSetResponseTimeout(5) | d.sendKey(0, 0, [30], 1) | d.injectNMI()
d.sendProcessSignal(1, 15) | d.screenshot(conn.newStream(0), 0) | d.openConsole(None, conn.newStream(0))
d.openChannel(None, conn.newStream(0)) | d.openGraphics(0, LINE) | d.openGraphicsFD(0) | d.launchSecurityInfo()
d.setLaunchSecurityState({'sev-secret': 'a'}) | d.securityLabel() | d.securityLabelList() | d.messages(0)
d.graphicsReload(0)
d.setBlockThreshold('vda[0]', 1) | d.startDirtyRateCalc(1) | d.setLifecycleAction(1, 1, 2)
d.blockResize('vda', 1 << 21, 1)
d.attachDevice(DISK) | d.detachDevice(DISK) | d.attachDeviceFlags(RNG, 1) | d.detachDeviceAlias('rng0', 1)
d.updateDeviceFlags(MEDIUM, 1) | d.detachDeviceFlags(RNG, 2) | d.FDAssociate('name', [0], 0) | d.XMLDesc(8)
d.pMSuspendForDuration(0, 0) | d.pMWakeup() | d.suspend() | d.resume() | d.coreDumpWithFormat(CORE, 0, 16)
d.setThrottleGroup('g', {'total_iops_sec': 9}, 1) | d.delThrottleGroup('g', 1) | d.setAutostartOnce(0)
d.autostartOnce() | d.getThrottleGroup('g') | d.shutdownFlags(0) | d.reboot(0) | d.reset() | d.rename('other')
d.create() | d.destroyFlags(0) | d.createWithFlags(1) | d.destroy() | d.undefineFlags(0)
"""

#: The events that the calls and a client at the screen give rise to.
HEARD = {
    "LIFECYCLE", "REBOOT", "AGENT_LIFECYCLE", "BALLOON_CHANGE", "DEVICE_ADDED", "DEVICE_REMOVED", "TUNABLE",
    "METADATA_CHANGE", "TRAY_CHANGE", "GRAPHICS", "PMSUSPEND", "PMWAKEUP",
}  # fmt: skip

_SCRIPT = """
import json, os, socket, threading, libvirt_qemu
libvirt.virEventRegisterDefaultImpl()
threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl() for _ in iter(int, 1)], daemon=True).start()
conn = libvirt.open(sys.argv[1])
document, folder, calls = sys.argv[2:5]
heard, refused = set(), {}
numbers = {name[20:]: number for name, number in vars(libvirt).items() if name.startswith('VIR_DOMAIN_EVENT_ID_')}
numbers.pop('LAST', None)
for name, number in numbers.items():
    conn.domainEventRegisterAny(None, number, lambda *given: heard.add(given[-1]), name)
d = conn.defineXML(document)
d.create()
deadline = time.monotonic() + 50
while time.monotonic() < deadline:
    try:
        libvirt_qemu.qemuAgentCommand(d, '{"execute": "guest-ping"}', 2, 0)
        break
    except libvirt.libvirtError:
        time.sleep(0.2)
DISK = f"<disk type='file' device='disk'><source file='{folder}/b.img'/><target dev='vdb' bus='virtio'/></disk>"
MEDIUM = (f"<disk type='file' device='cdrom'><source file='{folder}/e.img'/><target dev='sda' bus='sata'/>"
          "<readonly/></disk>")
RNG = "<rng model='virtio'><backend model='builtin'/></rng>"
CORE = folder + "/core"
PAIR = socket.socketpair()
LINE = PAIR[0].fileno()
skipped = []
for call in calls.replace('\\n', '|').split('|'):
    method = call.strip().partition('(')[0][2:]
    if not method:
        continue
    if not hasattr(d, method):
        skipped.append(method)
        continue
    try:
        eval(call.strip())
    except libvirt.libvirtError as error:
        refused[method] = [error.get_error_code(), str(error)]
    if method == 'detachDevice':
        time.sleep(1)
time.sleep(0.5)
methods = [name for name in dir(libvirt.virDomain) if not name.startswith('_')]
os.write(1, json.dumps([sorted(heard), refused, methods]).encode())
os._exit(0)
"""


@dataclass(frozen=True)
class Told:
    """What was heard, what was refused (code and text), what methods there are, and what the daemon logged."""

    heard: set[str]
    refused: dict[str, tuple[int, str]]
    methods: set[str]
    log: str


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    need("virsh", "qemu-system-x86_64")
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        for name in "abe":
            subprocess.run(["qemu-img", "create", "-q", f"{name}.img", "1M"], check=True, cwd=folder)
        devices = (
            f"<disk type='file' device='disk'><source file='{folder}/a.img'/><target dev='vda' bus='virtio'/></disk>"
            "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>"
            "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
            "<graphics type='vnc' port='-1'/><controller type='pci' model='pcie-root'/>"
            + "<controller type='pci' model='pcie-root-port'/>"
            * 12
        )
        document = tiny_xml("api", devices=devices, agent=True).replace("<vcpu>1<", "<vcpu current='1'>2<")
        daemon = Daemon(Path(folder) / "root")
        try:
            daemon.start()
            done = daemon.python(_SCRIPT, document, folder, CALLS)
            heard, refused, methods = json.loads(done.stdout)
            yield Told(set(heard), refused, set(methods), daemon.output)
        finally:
            daemon.stop()


def test_every_method_is_called(told: Told) -> None:
    methods = {name for name in told.methods if not name.startswith(LATER)}
    called = {call.strip().partition("(")[0][2:] for call in CALLS.replace("\n", "|").split("|")}
    others = {"UUID", "c_pointer", "connect", "createWithFiles", "coreDump", "shutdown", "undefine"}
    others |= {
        "fSFreeze",
        "fSInfo",
        "fSThaw",
        "listAllSnapshots",
        "listAllCheckpoints",
        "hasCurrentSnapshot",
        "abortJobFlags",
    }
    assert methods - called - others == set()


def test_no_method_is_unknown(told: Told) -> None:
    """Only containers take signals for their processes."""
    assert [name for name, (code, _text) in told.refused.items() if code == 3] == ["sendProcessSignal"]


def test_nothing_is_refused_that_could_be_done(told: Told) -> None:
    """What is left: what a user-mode network, the tiny guest's agent, and a guest that runs refuse."""
    assert set(told.refused) <= {
        "abortJob", "setInterfaceParameters", "interfaceStats", "setVcpu", "setMaxMemory", "sendProcessSignal",
        "setTime", "setUserPassword", "authorizedSSHKeysGet", "authorizedSSHKeysSet", "setLaunchSecurityState",
        "detachDeviceFlags", "rename", "create",
    }, told.refused  # fmt: skip


def test_the_events_are_heard(told: Told) -> None:
    assert HEARD - told.heard == set()


def test_the_daemon_has_nothing_to_complain_about(told: Told) -> None:
    assert "Traceback" not in told.log
