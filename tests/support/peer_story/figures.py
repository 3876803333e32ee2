"""What can be asked about a guest, and what would change it: off, running and paused."""

from __future__ import annotations

import libvirt

from tests.support.peer_story.guests import SERIAL, blank
from tests.support.peer_story.recorder import Recorder, shape, told


def figures(r: Recorder) -> None:
    """What can be asked about a guest that is off, paused and running."""
    c = r.conn
    image = r.folder / "figures.img"
    image.write_bytes(b"\0" * 65536)
    devices = (
        f"{SERIAL}<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/>"
        "<target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
        "<interface type='user'><mac address='52:54:00:aa:00:02'/><model type='virtio'/></interface>"
        "<graphics type='vnc' autoport='yes'/><video><model type='vga'/></video>"
    )
    dom = c.defineXML(blank(r.name("fig"), 50, devices=devices).replace("<vcpu>1<", "<vcpu current='1'>2<"))
    for state in ("off", "running", "paused"):
        if state == "running":
            dom.create()
        if state == "paused":
            dom.suspend()
        _ask(r, dom, state, str(image))
        _change(r, dom, state)
    for command in (
        "domstate --reason",
        "vcpucount",
        "vcpupin",
        "emulatorpin",
        "schedinfo",
        "domblklist",
        "domblklist --details",
        "domiflist",
        "domjobinfo",
        "domcontrol",
        "domuuid",
        "domblkerror",
        "ttyconsole",
        "iothreadinfo",
        "domif-getlink x y",
        "domhostname",
        "domtime",
        "guestvcpus",
        "domfsinfo",
        "qemu-agent-command {}",
        "domblkinfo --all",
        "memtune",
        "blkiotune",
        "numatune",
        "domlaunchsecinfo",
        "desc",
        "desc --title",
        "autostart",
        "autostart --disable",
        "reset",
        "domrename new",
        "undefine",
        "destroy",
        "destroy",
        "domstats --state",
    ):
        word, *rest = command.split()
        if command == "domrename new":
            rest = [r.name("new")]
        if word == "qemu-agent-command":
            r.virsh(word, r.name("fig"), '{"execute":"guest-ping"}')
            continue
        r.virsh(word, *([r.name("fig"), *rest]))


def _ask(r: Recorder, dom: libvirt.virDomain, state: str, image: str) -> None:
    c = r.conn
    stream = c.newStream
    questions: dict[str, tuple[libvirt.virDomain, libvirt.virDomain]] = {
        "info": (lambda: dom.info()[:4], told),
        "maxVcpus": (dom.maxVcpus, told),
        "vcpus": (dom.vcpus, shape),
        "vcpuPinInfo": (dom.vcpuPinInfo, told),
        "vcpuPinInfo 1": (lambda: dom.vcpuPinInfo(1), told),
        "vcpuPinInfo 3": (lambda: dom.vcpuPinInfo(3), told),
        "vcpuPinInfo 8": (lambda: dom.vcpuPinInfo(8), told),
        "emulatorPinInfo": (dom.emulatorPinInfo, told),
        "emulatorPinInfo 1": (lambda: dom.emulatorPinInfo(1), told),
        "schedulerType": (dom.schedulerType, told),
        "schedulerParameters": (dom.schedulerParameters, told),
        "schedulerParametersFlags 1": (lambda: dom.schedulerParametersFlags(1), told),
        "schedulerParametersFlags 2": (lambda: dom.schedulerParametersFlags(2), told),
        "schedulerParametersFlags 3": (lambda: dom.schedulerParametersFlags(3), told),
        "memoryStats": (dom.memoryStats, shape),
        "blockStats": (lambda: dom.blockStats("vda"), shape),
        "blockStats path": (lambda: dom.blockStats(image), shape),
        "blockStats bad": (lambda: dom.blockStats("vdz"), told),
        "blockStats all": (lambda: dom.blockStats(""), shape),
        "blockStats sda": (lambda: dom.blockStats("sda"), shape),
        "blockStatsFlags": (lambda: dom.blockStatsFlags("vda"), shape),
        "blockStatsFlags all": (lambda: dom.blockStatsFlags(""), shape),
        "blockStatsFlags bad": (lambda: dom.blockStatsFlags("vdz"), told),
        "blockStatsFlags flags": (lambda: dom.blockStatsFlags("vda", 8), told),
        "interfaceStats": (lambda: dom.interfaceStats("vnet0"), shape),
        "interfaceStats mac": (lambda: dom.interfaceStats("52:54:00:aa:00:02"), shape),
        "interfaceStats empty": (lambda: dom.interfaceStats(""), told),
        "blockInfo": (lambda: dom.blockInfo("vda"), told),
        "blockInfo path": (lambda: dom.blockInfo(image), told),
        "blockInfo empty drive": (lambda: dom.blockInfo("sda"), told),
        "blockInfo bad": (lambda: dom.blockInfo("vdz"), told),
        "blockInfo none": (lambda: dom.blockInfo(""), told),
        "blockInfo flags": (lambda: dom.blockInfo("vda", 1), told),
        "diskErrors": (dom.diskErrors, told),
        "diskErrors flags": (lambda: dom.diskErrors(1), told),
        "jobInfo": (dom.jobInfo, told),
        "jobStats": (dom.jobStats, told),
        "jobStats completed": (lambda: dom.jobStats(1), told),
        "jobStats flags": (lambda: dom.jobStats(64), told),
        "abortJob": (dom.abortJob, told),
        "controlInfo": (lambda: dom.controlInfo()[:2], told),
        "controlInfo flags": (lambda: dom.controlInfo(1), told),
        "securityLabel": (dom.securityLabel, told),
        "securityLabelList": (dom.securityLabelList, told),
        "hostname": (dom.hostname, told),
        "hostname lease": (lambda: dom.hostname(1), told),
        "hostname agent": (lambda: dom.hostname(2), told),
        "hostname both": (lambda: dom.hostname(3), told),
        "hostname flags": (lambda: dom.hostname(8), told),
        "getTime": (dom.getTime, told),
        "getTime flags": (lambda: dom.getTime(1), told),
        "setTime": (lambda: dom.setTime({"seconds": 1}), told),
        "setTime sync": (lambda: dom.setTime({"seconds": 0}, 1), told),
        "screenshot": (lambda: dom.screenshot(stream(), 0), told),
        "screenshot 1": (lambda: dom.screenshot(stream(), 1), told),
        "screenshot flags": (lambda: dom.screenshot(stream(), 0, 1), told),
        "cpuStats": (lambda: dom.getCPUStats(True), shape),
        "cpuStats each": (lambda: dom.getCPUStats(False), lambda v: shape(v[:1])),
        "cpuStats flags": (lambda: dom.getCPUStats(True, 8), told),
        "vcpusFlags 0": (lambda: dom.vcpusFlags(0), told),
        "vcpusFlags 1": (lambda: dom.vcpusFlags(1), told),
        "vcpusFlags 2": (lambda: dom.vcpusFlags(2), told),
        "vcpusFlags 3": (lambda: dom.vcpusFlags(3), told),
        "vcpusFlags 5": (lambda: dom.vcpusFlags(5), told),
        "vcpusFlags 6": (lambda: dom.vcpusFlags(6), told),
        "vcpusFlags 8": (lambda: dom.vcpusFlags(8), told),
        "vcpusFlags 9": (lambda: dom.vcpusFlags(9), told),
        "vcpusFlags 12": (lambda: dom.vcpusFlags(12), told),
        "vcpusFlags 64": (lambda: dom.vcpusFlags(64), told),
        "maxMemory": (dom.maxMemory, told),
        "fsInfo": (dom.fsInfo, told),
        "guestInfo": (dom.guestInfo, told),
        "guestUsers": (lambda: dom.guestInfo(1), told),
        "guestInfo bad": (lambda: dom.guestInfo(1 << 20), told),
        "guestVcpus": (dom.guestVcpus, told),
        "interfaceAddresses lease": (lambda: dom.interfaceAddresses(0), told),
        "interfaceAddresses agent": (lambda: dom.interfaceAddresses(1), told),
        "interfaceAddresses arp": (lambda: dom.interfaceAddresses(2), told),
        "interfaceAddresses bad": (lambda: dom.interfaceAddresses(9), told),
        "fsFreeze": (dom.fsFreeze, told),
        "fsThaw": (dom.fsThaw, told),
        "fsTrim": (lambda: dom.fSTrim(None, 0), told),
        "sendKey": (lambda: dom.sendKey(0, 0, [28], 1), told),
        "sendKey codeset": (lambda: dom.sendKey(99, 0, [28], 1), told),
        "sendKey xt": (lambda: dom.sendKey(1, 0, [28], 1), told),
        "sendKey none": (lambda: dom.sendKey(0, 0, [], 0), told),
        "sendKey unknown": (lambda: dom.sendKey(0, 0, [60000], 1), told),
        "sendKey usb": (lambda: dom.sendKey(7, 0, [4], 1), told),
        "sendKey win32": (lambda: dom.sendKey(8, 0, [13], 1), told),
        "sendKey rfb": (lambda: dom.sendKey(9, 0, [28], 1), told),
        "sendKey qnum": (lambda: dom.sendKey(9, 0, [28], 1), told),
        "sendKey many": (lambda: dom.sendKey(0, 0, [28] * 17, 17), told),
        "sendKey flags": (lambda: dom.sendKey(0, 0, [28], 1, 4), told),
        "console": (lambda: _console(c, dom, None), told),
        "console serial0": (lambda: _console(c, dom, "serial0"), told),
        "console unknown": (lambda: _console(c, dom, "nonsense"), told),
        "console vda": (lambda: _console(c, dom, "vda"), told),
        "console flags": (lambda: _console(c, dom, None, 8), told),
        "console both": (lambda: _console(c, dom, None, 3), told),
        "channel": (lambda: dom.openChannel(None, stream()), told),
        "channel unknown": (lambda: dom.openChannel("x", stream()), told),
        "graphics": (lambda: dom.openGraphics(7, 0), told),
        "graphicsFD": (lambda: dom.openGraphicsFD(7), told),
        "ioThreadInfo": (dom.ioThreadInfo, told),
        "messages": (dom.messages, told),
        "messages 1": (lambda: dom.messages(1), told),
        "messages flags": (lambda: dom.messages(64), told),
        "hasManagedSaveImage": (dom.hasManagedSaveImage, told),
        "managedSaveRemove": (dom.managedSaveRemove, told),
        "managedSaveGetXML": (dom.managedSaveGetXMLDesc, told),
        "blockJobInfo": (lambda: dom.blockJobInfo("vda"), told),
        "blockIoTune": (lambda: dom.blockIoTune("vda"), told),
        "memoryParameters": (dom.memoryParameters, told),
        "numaParameters": (dom.numaParameters, told),
        "blkioParameters": (dom.blkioParameters, told),
        "interfaceParameters": (lambda: dom.interfaceParameters("x", 0), told),
        "perfEvents": (dom.perfEvents, told),
        "launchSecurityInfo": (dom.launchSecurityInfo, told),
        "blockPeek": (lambda: dom.blockPeek("vda", 0, 8), told),
        "memoryPeek": (lambda: shape(dom.memoryPeek(0, 8, 2)), told),
        "migrateGetMaxSpeed": (dom.migrateGetMaxSpeed, told),
        "migrateMaxDowntime": (dom.migrateGetMaxDowntime, told),
        "migrateCompressionCache": (dom.migrateGetCompressionCache, told),
        "migrateToURI": (lambda: dom.migrateToURI("qemu+tcp://localhost:1/system", 0, None, 0), told),
        "isUpdated": (dom.isUpdated, told),
        "listAllSnapshots": (dom.listAllSnapshots, told),
        "snapshotNum": (dom.snapshotNum, told),
        "snapshotLookup": (lambda: dom.snapshotLookupByName("x"), told),
        "snapshotCurrent": (dom.snapshotCurrent, told),
        "checkpointLookup": (lambda: dom.checkpointLookupByName("x"), told),
        "dirtyRate": (lambda: dom.startDirtyRateCalc(1, 64), told),
        "authorizedSSHKeys": (lambda: dom.authorizedSSHKeysGet("root"), told),
        "setUserPassword": (lambda: dom.setUserPassword("root", "x"), told),
        "backupGetXML": (dom.backupGetXMLDesc, told),
    }
    for word, (call, see) in questions.items():
        r.do(f"{word} {state}", call, see=see)
    for bit in range(13):
        r.do(
            f"stats {1 << bit} {state}",
            lambda bit=bit: [shape(stats) for one, stats in c.domainListGetStats([dom], 1 << bit)],
        )
    r.do(f"stats bad {state}", c.domainListGetStats, [dom], 1 << 20)
    r.do(f"stats enforced {state}", lambda: shape(c.domainListGetStats([dom], 1 << 20, 1 << 31)))
    r.do(f"stats enforce all {state}", lambda: [shape(s) for _, s in c.domainListGetStats([dom], 0, 1 << 31)])
    r.do(f"stats nowait {state}", lambda: [shape(s) for _, s in c.domainListGetStats([dom], 1, 1 << 29)])
    r.do(f"stats bad flags {state}", c.domainListGetStats, [dom], 1, 1 << 25)
    r.do(f"stats state {state}", lambda: [told(s) for _, s in c.domainListGetStats([dom], 1)])
    r.do(
        f"stats vcpu {state}",
        lambda: [
            told(
                {
                    k: v
                    for k, v in s.items()
                    if "time" not in k and "delay" not in k and "wait" not in k and "exits" not in k
                }
            )
            for _, s in c.domainListGetStats([dom], 8)
        ],
    )


def _change(r: Recorder, dom: libvirt.virDomain, state: str) -> None:
    """What would change the guest."""
    device = "<disk type='file' device='disk'><source file='/none'/><target dev='vdb' bus='virtio'/></disk>"
    changes: dict[str, tuple[libvirt.virDomain, ...]] = {
        "setMemory": (dom.setMemory, 16384),
        "setMemory too much": (dom.setMemory, 1 << 30),
        "setMemoryFlags 2": (dom.setMemoryFlags, 16384, 2),
        "setMemoryFlags bad": (dom.setMemoryFlags, 1, 64),
        "setVcpus 1": (dom.setVcpus, 1),
        "setVcpus 0": (dom.setVcpus, 0),
        "setVcpus 9": (dom.setVcpus, 9),
        "setVcpusFlags bad": (dom.setVcpusFlags, 1, 1 << 12),
        "setMemoryStatsPeriod": (dom.setMemoryStatsPeriod, 5, 0),
        "setMemoryStatsPeriod live": (dom.setMemoryStatsPeriod, 5, 1),
        "setMemoryStatsPeriod config": (dom.setMemoryStatsPeriod, 6, 2),
        "setMemoryStatsPeriod negative": (dom.setMemoryStatsPeriod, -1, 0),
        "setMemoryStatsPeriod bad": (dom.setMemoryStatsPeriod, 1, 64),
        "attachDevice": (dom.attachDevice, "<nonsense/>"),
        "attachDevice twice": (dom.attachDevice, device.replace("vdb", "vda")),
        "detachDevice": (dom.detachDevice, device),
        "updateDevice": (dom.updateDeviceFlags, "<nonsense/>", 0),
        "save": (dom.save, "/none/such/file"),
        "snapshot": (dom.snapshotCreateXML, "<nonsense/>"),
        "blockResize": (dom.blockResize, "vdz", 1),
        "coreDump": (dom.coreDump, "/none/such/file"),
        "setAutostart": (dom.setAutostart, 1),
        "setAutostart off": (dom.setAutostart, 0),
    }
    for word, (call, *args) in changes.items():
        r.do(f"{word} {state}", call, *args)
    r.events(f"changes {state}")


def _console(c: libvirt.virConnect, dom: libvirt.virDomain, device: str | None, flags: int = 0) -> str:
    stream = c.newStream(libvirt.VIR_STREAM_NONBLOCK)
    dom.openConsole(device, stream, flags)
    stream.abort()
    return "open"
