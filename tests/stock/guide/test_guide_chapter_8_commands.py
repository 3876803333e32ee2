"""Chapter 8 of the guide: every command that it prints, typed as printed, through stock virsh and our own command.

One guest of the guide's name boots for each of the two; what it sees itself is looked up on its console. Commands for
what the project has no driver for yet are expected to fail, each with the reason beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.daemon import Daemon, need
from tests.support.guide import NAME, PROGRAMS, Reader
from tests.support.terminal import Terminal
from tests.support.tiny import tiny_xml
from tests.support.tiny_console import TinyConsole, console, eventually

pytestmark = [pytest.mark.stock, pytest.mark.timeout(170)]

#: The guide's guest once its memory and processors are set as sections 8.4.1 and 8.6 say.
MEMORY = "<memory unit='KiB'>8388608</memory>\n    <currentMemory unit='KiB'>{}</currentMemory>"
#: What the guest has at first: as printed for one reader, more for the other, because an emulated one takes its time.
SMALL = {"virsh": 4194304, "guest": 7340032}
GROWING = "<vcpu placement='static' current='2'>4</vcpu>"
#: The topology of the note in 8.7: a root that takes nothing while the guest runs, and seven ports that take one each.
PORTS = "<controller type='pci' index='0' model='pcie-root'/>" + "".join(
    f"<controller type='pci' index='{number}' model='pcie-root-port'/>" for number in range(1, 8)
)
#: What 8.7 and 8.9.3 have a reader write into a definition.
ASSIGNED = (
    "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
    "<address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>"
    "<address type='pci' domain='0x0000' bus='0x07' slot='0x00' function='0x0'/></hostdev>"
)
VF = (
    "<interface type='hostdev'><source><address type='pci' domain='0' bus='11' slot='16' function='0'/></source>"
    "</interface>"
)
#: What 8.17 has a reader write, on an address that nobody else reaches.
DUAL_HEAD = (
    "<video><model type='qxl' ram='65536' vram='65536' vgamem='16384' heads='2' primary='yes'/></video>"
    "<graphics type='spice' port='5916' autoport='yes' listen='127.0.0.1'>"
    "<listen type='address' address='127.0.0.1'/></graphics>"
)
#: The options of 8.9.3: whether the device comes to the running guest, and whether it stays in the definition.
OPTIONS = (
    ("--persistent", True, True),
    ("--config", False, True),
    ("--live", True, False),
    ("--current", True, False),
)
#: A card of the same class that any host has, for what the four options of 8.9.3 do.
CARD = "<interface type='user'><mac address='52:54:00:00:00:{}'/><model type='virtio'/></interface>"

BALLOON_DEADLINE = 60.0

LISTED = """\
Id Name State
-----
- sles15 shut off"""
CPU_INFO = """\
VCPU: {}
CPU: N/A
State: N/A
CPU time N/A
CPU Affinity: {}
"""


@pytest.fixture(scope="module")
def house() -> Iterator[Daemon]:
    """One daemon for the whole chapter."""
    need("virsh", "qemu-system-x86_64", "qemu-img")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        try:
            yield daemon.start()
        finally:
            daemon.stop()


@pytest.fixture(params=PROGRAMS)
def reader(house: Daemon, request: pytest.FixtureRequest) -> Iterator[Reader]:
    """A reader of the guide with an empty host."""
    yield Reader(house, request.param)
    for name in house.virsh("list", "--all", "--name").stdout.split():
        house.virsh("destroy", name, check=False)
        house.virsh("undefine", name, "--nvram", check=False)


def define(reader: Reader, devices: str = "") -> str:
    """Define the guide's guest, with one processor; its document."""
    reader.defines(tiny_xml(NAME, devices=devices))
    return reader.document()


def lines(text: str) -> list[str]:
    """What is printed, without empty lines and with single spaces; a line of dashes is five of them."""
    found = [re.sub(r"-{5,}", "-----", " ".join(line.split())) for line in text.splitlines()]
    return [line for line in found if line]


def test_a_guest_is_edited_and_grows(reader: Reader) -> None:
    """Sections 8.1, 8.2, 8.4.1, 8.6 and 8.11, in one go: one guest is all of the guide's."""
    images = reader.daemon.root.parent
    made = reader.types(f"sudo qemu-img create -f qcow2 {images}/sles15.qcow2 32G")
    assert f"Formatting '{images}/sles15.qcow2'" in made
    document = define(reader, PORTS)
    assert lines(reader.types("sudo virsh list --inactive")) == lines(LISTED)

    document = document.replace("<vcpu placement='static'>1</vcpu>", "<vcpu placement='static'>2</vcpu>")
    assert "XML configuration edited." in reader.edits(document)
    affinity = "y" * int(reader.types("nproc --all"))
    told = lines(reader.types("sudo virsh vcpuinfo sles15"))
    assert told == [line for number in (0, 1) for line in lines(CPU_INFO.format(number, affinity))]

    document = document.replace("<vcpu placement='static'>2</vcpu>", GROWING)
    document = re.sub(
        r"<memory unit.*</currentMemory>", MEMORY.format(SMALL[reader.program]), document, flags=re.DOTALL
    )
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{images}/sles15.qcow2'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    reader.edits(document.replace("</devices>", f"{disk}</devices>"))
    assert lines(reader.types("sudo virsh start sles15")) == ["Domain 'sles15' started"]
    assert lines(reader.types("sudo virsh list --inactive")) == lines(LISTED)[:2]
    with console(reader.daemon, NAME) as guest:
        _check_what_the_guest_sees(guest)
        _check_processors(reader, guest)
        _check_memory(reader, guest)
        _check_live_cards(reader, guest)
        assert lines(reader.types("sudo virsh reboot sles15")) == ["Domain 'sles15' is being rebooted"]


def _check_what_the_guest_sees(guest: TinyConsole) -> None:
    # 8.2, `dmidecode | grep Product`: the kernel shows the same string.
    assert "Standard PC (Q35 + ICH9, 2009)" in guest.run("cat /sys/class/dmi/id/product_name")
    assert str(32 * 2**30 // 512) in guest.run("cat /sys/block/vda/size")


def _check_processors(reader: Reader, guest: TinyConsole) -> None:
    asked = "sudo virsh vcpucount sles15 | grep live"
    assert lines(reader.types(asked)) == ["maximum live 4", "current live 2"]
    assert reader.types("sudo virsh setvcpus sles15 --count 4 --live").strip() == ""
    assert lines(reader.types(asked)) == ["maximum live 4", "current live 4"]
    assert "cpu3" in guest.run("sleep 1; ls -d /sys/devices/system/cpu/cpu3")


def _check_memory(reader: Reader, guest: TinyConsole) -> None:
    asked = "sudo virsh dominfo sles15 | grep memory"
    small = SMALL[reader.program]
    before = ["Max memory: 8388608 KiB", f"Used memory: {small} KiB"]
    after = ["Max memory: 8388608 KiB", "Used memory: 8388608 KiB"]
    eventually(lambda: lines(reader.types(asked)) == before, BALLOON_DEADLINE)  # the guest hands over page by page
    smaller = int(guest.run("awk '/MemTotal/{print $2}' /proc/meminfo").split()[-1])
    assert reader.types("sudo virsh setmem sles15 8388608").strip() == ""
    eventually(lambda: lines(reader.types(asked)) == after, BALLOON_DEADLINE)
    assert int(guest.run("awk '/MemTotal/{print $2}' /proc/meminfo").split()[-1]) - smaller == 8388608 - small


def _check_live_cards(reader: Reader, guest: TinyConsole) -> None:
    """Section 8.9.3 with a guest that runs: `--persistent` and `--live` plug, `--config` waits."""
    for number, (option, lives, stays) in enumerate(OPTIONS, 1):
        path = reader.daemon.root / "vf-interface.xml"
        path.write_text(CARD.format(f"{number:02}"))
        told = reader.types(f"sudo virsh attach-device sles15 {path} {option}")
        assert lines(told) == ["Device attached successfully"]
        mac = f"52:54:00:00:00:{number:02}"
        assert (mac in reader.document(live=True), mac in reader.document()) == (lives, stays), option
        seen = guest.run("sleep 0.5; cat /sys/class/net/*/address")
        assert (mac in seen) == lives, option
        told = reader.types(f"sudo virsh detach-device sles15 {path} {option}")
        assert lines(told) in (["Device detached successfully"], ["Device detach request sent successfully"])
        assert mac not in guest.run("sleep 0.5; cat /sys/class/net/*/address")
        assert mac not in reader.document()
    path.write_text("<controller type='pci' model='pcie-root-port'/>")  # the note in 8.7
    told = reader.types(f"sudo virsh attach-device sles15 {path} --live", check=False)
    assert "'pci' controller cannot be hot plugged" in told
    path.write_text(VF)
    told = reader.types(f"sudo virsh attach-device sles15 {path} --live", check=False)
    assert "Interface type hostdev is currently supported on SR-IOV Virtual Functions only" in told


def test_a_function_is_added_to_a_guest_that_is_off(reader: Reader) -> None:
    """Section 8.9.3 with a guest that does not run."""
    define(reader)
    path = reader.daemon.root / "vf-interface.xml"
    path.write_text(VF)
    told = reader.types(f"sudo virsh attach-device sles15 {path} --live", check=False)
    assert "error: Requested operation is not valid: domain is not running" in told
    for option in ("--persistent", "--config", "--current"):
        told = reader.types(f"sudo virsh attach-device sles15 {path} {option}")
        assert lines(told) == ["Device attached successfully"]
        address = "<address type='pci' domain='0x0000' bus='0x0b' slot='0x10' function='0x0'/>"
        assert address in reader.document()
        assert {"driver": "vfio-pci", "host": "0000:0b:10.0"}.items() <= next(
            one for one in reader.objects() if one.get("driver") == "vfio-pci"
        ).items()
        told = reader.types(f"sudo virsh detach-device sles15 {path} {option}")
        assert lines(told) == ["Device detached successfully"]
        assert address not in reader.document()


def test_devices_are_listed(reader: Reader) -> None:
    """Section 8.10."""
    need("xpath")
    define(reader, PORTS + ASSIGNED + VF)
    told = reader.types("sudo virsh dumpxml sles15 | xpath  -e /domain/devices/hostdev")
    for printed in (
        "Found 1 nodes in stdin:", "-- NODE --", '<hostdev mode="subsystem" type="pci" managed="yes">',
        '<address domain="0x0000" bus="0x01" slot="0x00" function="0x0" />',
        '<address type="pci" domain="0x0000" bus="0x07" slot="0x00" function="0x0" />',
    ):  # fmt: skip
        assert printed in told
    told = reader.types("virsh dumpxml sles15 | xpath -e /domain/devices/interface/@type")
    assert ' type="hostdev"' in told


def test_an_address_is_made_of_decimal_numbers(reader: Reader) -> None:
    """Section 8.7, step 4: what the shell prints is what an assigned device takes."""
    line = r"""printf "<address domain='0x%x' bus='0x%x' slot='0x%x' function='0x%x'/>\n" 0 3 7 0"""
    address = reader.types(line)
    assert address == "<address domain='0x0' bus='0x3' slot='0x7' function='0x0'/>\n"
    device = f"<hostdev mode='subsystem' type='pci' managed='yes'><source>{address}</source></hostdev>"
    assert "<address domain='0x0000' bus='0x03' slot='0x07' function='0x0'/>" in define(reader, device)


def test_the_host_tells_its_processor_and_machines(reader: Reader) -> None:
    """Sections 8.2 (`qemu-system-x86_64 -M help`) and 8.4.2 (`virsh capabilities`)."""
    capabilities = reader.types("virsh capabilities")
    assert re.search(r"<host>.*<cpu>.*<model>[\w-]+</model>.*<feature name='\w+", capabilities, re.DOTALL)
    machines = re.findall(r"^(pc-q35-\S+)", reader.types("qemu-system-x86_64 -M help"), re.MULTILINE)
    assert machines
    for machine in machines:
        assert f">{machine}</machine>" in capabilities


def test_the_viewer_opens_the_spice_display(house: Daemon) -> None:
    """Section 8.17, steps 5 to 7; the guest is named instead of chosen from the list, which takes a mouse."""
    need("xvfb-run", "virt-viewer")
    reader = Reader(house, "virsh")
    reader.defines(tiny_xml(NAME, devices=DUAL_HEAD))
    try:
        told = reader.types("virsh 'start --paused sles15; domdisplay sles15'")
        assert "spice://127.0.0.1:59" in told
        with Terminal("xvfb-run", "-a", "virt-viewer", "--debug", "--connect", house.uri, NAME) as viewer:
            viewer.expect(f"Guest {NAME} has a spice display")
    finally:
        house.virsh("destroy", NAME, check=False)
        house.virsh("undefine", NAME, check=False)


@pytest.mark.parametrize(
    ("section", "printed", "told"),
    [
        ("8.7", "sudo virsh nodedev-dumpxml pci_0000_03_07_0", "Node device not found"),
        ("8.7", "sudo virsh nodedev-detach pci_0000_03_07_0", "Node device not found"),
        ("8.7", "virsh nodedev-reattach pci_0000_03_07_0", "Node device not found"),
        ("8.9.2", "virsh nodedev-detach pci_0000_06_08_0", "Node device not found"),
        ("8.9.3", "sudo virsh nodedev-list", "computer"),
        ("8.9.3", "sudo virsh nodedev-dumpxml pci_0000_04_10_0", "Node device not found"),
        ("8.9.3", "sudo virsh nodedev-detach pci_0000_04_10_0", "Node device not found"),
    ],
)
def test_devices_of_the_host(reader: Reader, section: str, printed: str, told: str) -> None:
    """On a host without this hardware each is answered with what is missing, by name."""
    assert told in reader.types(printed.format(root=reader.daemon.root), check=False), section


def test_the_pool_of_functions(reader: Reader) -> None:
    """Sections 8.9.4.1 and 8.9.4.2. A host without the card is told so when the network starts."""
    if Path("/sys/class/net/eth0/device/virtfn0").exists():
        pytest.skip("this host has the card; its functions are not given away here")
    (reader.daemon.root / "passthrough.xml").write_text(
        "<network><name>passthrough</name><forward mode='hostdev' managed='yes'><pf dev='eth0'/></forward></network>"
    )
    for printed, told in (
        ("sudo virsh net-define passthrough.xml", "Network passthrough defined from passthrough.xml"),
        ("sudo virsh net-autostart passthrough", "Network passthrough marked as autostarted"),
        ("virsh net-dumpxml passthrough", "<pf dev='eth0'/>"),
        ("virsh net-undefine passthrough", "Network passthrough has been undefined"),
    ):
        if "undefine" in printed:
            refused = reader.types("sudo virsh net-start passthrough", check=False)
            assert "No usable Vf's present on SRIOV PF eth0" in refused
        assert told in reader.types(printed), printed
