"""Real guests see what they share with the host: directories, a TPM, randomness, memory, cryptography, a watchdog."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import stat
import sys
import tempfile
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import daemon_with_secrets
from tests.support.daemon import Daemon, need
from tests.support.shell import GuestShell
from tests.support.user import User

CACHE = Path(__file__).resolve().parent.parent.parent / ".cache"
FULL = CACHE / "tiny-full"
VIRTIOFSD = CACHE / "virtiofsd"
#: Vendor and device of what the guest has on its PCI bus.
ON_PCI = {
    "virtio-9p": "0x1af4 0x1049",
    "virtio-rng": "0x1af4 0x1044",
    "ivshmem": "0x1af4 0x1110",
    "virtio-crypto": "0x1af4 0x1054",
    "i6300esb": "0x8086 0x25ab",
    "pvpanic": "0x1b36 0x0011",
    "acpi-erst": "0x1b36 0x0012",
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = Daemon(tmp_path_factory.mktemp("root")).start()
    yield running
    running.stop()


def shared(folder: Path, name: str) -> Path:
    """A directory with one file in it, for a guest."""
    made = folder / name
    made.mkdir()
    (made / "hello").write_text(f"this is {name}")
    return made


def definition(folder: Path, devices: str) -> str:
    """The guest with the full kernel, and memory that other processes can be given."""
    if not (FULL / "vmlinuz").exists():
        pytest.skip("the tiny guest with the full kernel is not built (./dev setup builds it)")
    path = folder / "special.xml"
    path.write_text(f"""<domain type='qemu'>
  <name>special</name>
  <memory unit='MiB'>256</memory>
  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{FULL / "vmlinuz"}</kernel><initrd>{FULL / "initrd.gz"}</initrd><cmdline>console=ttyS0 quiet</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <devices><serial type='pty'/><console type='pty'/>{devices}</devices>
</domain>""")
    return str(path)


def test_a_guest_uses_all_of_them(daemon: Daemon, tmp_path: Path) -> None:
    need("swtpm", "swtpm_setup")
    plain, mapped, squashed, quick = (shared(tmp_path, name) for name in ("plain", "mapped", "squashed", "quick"))
    virtiofs = f"""<filesystem><driver type='virtiofs'/><binary path='{VIRTIOFSD}'/><source dir='{quick}'/>
        <target dir='quick'/></filesystem>"""
    devices = f"""
      <filesystem accessmode='passthrough'><source dir='{plain}'/><target dir='plain'/></filesystem>
      <filesystem accessmode='mapped' fmode='0640' dmode='0750'><source dir='{mapped}'/><target dir='mapped'/>
      </filesystem>
      <filesystem accessmode='squash'><source dir='{squashed}'/><target dir='squashed'/><readonly/></filesystem>
      {virtiofs if VIRTIOFSD.exists() else ""}
      <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
      <rng model='virtio'><rate bytes='4096'/><backend model='builtin'/></rng>
      <watchdog model='i6300esb' action='pause'/><watchdog model='itco' action='pause'/>
      <shmem name='guesthouse-{os.getpid()}'><model type='ivshmem-plain'/><size unit='M'>1</size></shmem>
      <crypto model='virtio' type='qemu'><backend model='builtin'/></crypto>
      <panic model='pvpanic'/>
      <pstore backend='acpi-erst'><path>{tmp_path}/last-words</path><size unit='KiB'>64</size></pstore>"""
    memory = Path(f"/dev/shm/guesthouse-{os.getpid()}")
    try:
        daemon.virsh("define", definition(tmp_path, devices))
        daemon.virsh("start", "special")
        shell = GuestShell(daemon.virsh("ttyconsole", "special").stdout.strip())
        shell.until_ready(120)
        look_at_directories(shell, plain, mapped)
        if VIRTIOFSD.exists():
            look_at_virtiofs(shell, quick)
            plug_virtiofs(daemon, shell, shared(tmp_path, "late"))
        look_at_devices(shell)
        state = list((daemon.root / "lib/swtpm").glob("*/tpm2/tpm2-00.permall"))
        assert len(state) == 1
        shell.run("watchdog -T 2 -t 600 /dev/watchdog0")  # fires long before it is fed
        until(lambda: "paused (watchdog)" in daemon.virsh("domstate", "special", "--reason").stdout, 60)
        kept_over_a_restart(daemon, state[0])
    finally:
        daemon.virsh("destroy", "special", check=False)
        memory.unlink(missing_ok=True)
    assert daemon.virsh("undefine", "special", "--keep-tpm").returncode == 0
    assert state[0].exists()


def look_at_directories(shell: GuestShell, plain: Path, mapped: Path) -> None:
    for tag in ("plain", "mapped", "squashed"):
        shell.run(f"mkdir -p /{tag}; mount -t 9p -o trans=virtio,version=9p2000.L {tag} /{tag}")
        assert shell.run(f"cat /{tag}/hello") == f"this is {tag}"
    shell.run("cd /plain && touch mine && chown 1234:1235 mine; cd /mapped && touch mine && chown 1234:1235 mine")
    owner = (plain / "mine").stat()
    assert (owner.st_uid, owner.st_gid) == (1234, 1235)
    # Only the guest believes that the mapped file is somebody else's: on the host it is QEMU's, with the mode chosen.
    assert "1234 1235" in " ".join(shell.run("ls -ln /mapped/mine").split())
    owner = (mapped / "mine").stat()
    assert owner.st_uid == os.geteuid()
    assert stat.S_IMODE(owner.st_mode) == 0o640
    assert os.getxattr(mapped / "mine", "user.virtfs.uid") == (1234).to_bytes(4, "little")
    assert "Read-only" in shell.run("touch /squashed/new 2>&1")


def look_at_virtiofs(shell: GuestShell, quick: Path) -> None:
    assert shell.run("mkdir -p /quick; mount -t virtiofs quick /quick && cat /quick/hello") == "this is quick"
    shell.run("echo from the guest >/quick/answer; sync")
    assert (quick / "answer").read_text() == "from the guest\n"


def plug_virtiofs(daemon: Daemon, shell: GuestShell, late: Path) -> None:
    """A directory that comes later has a program of its own, which ends when it goes."""
    before = set(processes(daemon, b"virtiofsd"))
    path = late / "device.xml"
    path.write_text(f"""<filesystem><driver type='virtiofs'/><binary path='{VIRTIOFSD}'/><source dir='{late}'/>
        <target dir='late'/></filesystem>""")
    daemon.virsh("attach-device", "special", str(path), "--live")
    added = set(processes(daemon, b"virtiofsd")) - before
    assert added
    shell.until("mkdir -p /late; mount -t virtiofs late /late; cat /late/hello", "this is late")
    shell.run("umount /late")
    daemon.virsh("detach-device", "special", str(path), "--live")
    until(lambda: set(processes(daemon, b"virtiofsd")) == before, 15)


def look_at_devices(shell: GuestShell) -> None:
    seen = shell.run("for i in /sys/bus/pci/devices/*; do echo $(cat $i/vendor $i/device); done")
    missing = [name for name, numbers in ON_PCI.items() if numbers not in seen]
    assert not missing, seen
    assert shell.run("cat /sys/class/tpm/tpm0/tpm_version_major") == "2"
    assert shell.run("cat /sys/class/misc/hw_random/rng_current").startswith("virtio_rng")
    assert shell.run("dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c") == "16"
    assert "virtio_crypto" in shell.run("cat /proc/crypto")


def kept_over_a_restart(daemon: Daemon, state: Path) -> None:
    """The TPM of the next run is the same, and its program ends with each run."""
    before = swtpm_of(daemon)
    assert len(before) == 1
    daemon.virsh("destroy", "special")
    until(lambda: not swtpm_of(daemon), 10)
    made = state.stat().st_ino, state.read_bytes()[:64]
    daemon.virsh("start", "special")
    assert (state.stat().st_ino, state.read_bytes()[:64]) == made
    assert swtpm_of(daemon) != before


def swtpm_of(daemon: Daemon) -> list[int]:
    """The processes that are TPMs of guests of this daemon."""
    return processes(daemon, b"swtpm")


def processes(daemon: Daemon, program: bytes) -> list[int]:
    """The running helper programs of a name, by the mark of their runs' directories in their environment."""
    mark = f"GUESTHOUSE_HELPER_OF={daemon.root}/".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                named = program in (entry / "cmdline").read_bytes().split(b"\0")[0]
                if named and any(word.startswith(mark) for word in (entry / "environ").read_bytes().split(b"\0")):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def until(wanted: object, deadline: float) -> None:
    """Wait until `wanted()` is true."""
    end = time.monotonic() + deadline
    while not wanted():  # type: ignore[operator] # a function
        assert time.monotonic() < end
        time.sleep(0.1)


SMALL = """<domain type='qemu'><name>small</name><uuid>6f2f9e6e-4c6b-4f0e-9f5c-000000000001</uuid>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><tpm><backend type='emulator' version='2.0'/></tpm></devices></domain>"""


def test_helpers_outlive_the_daemon_and_not_their_guest(short_path: Path) -> None:
    need("swtpm", "swtpm_setup")
    (short_path / "small.xml").write_text(SMALL)
    daemon = Daemon(short_path / "root").start()
    try:
        daemon.virsh("define", str(short_path / "small.xml"))
        daemon.virsh("start", "small")
        [first] = swtpm_of(daemon)
        daemon.kill()
        assert swtpm_of(daemon) == [first]
        daemon.start()
        assert swtpm_of(daemon) == [first]  # taken up, not ended as a stray
        [qemu] = daemon.guest_processes()
        os.kill(qemu, signal.SIGKILL)
        until(lambda: not swtpm_of(daemon), 10)

        # A guest that died while no daemon ran leaves no helper behind either.
        daemon.virsh("start", "small")
        [second] = swtpm_of(daemon)
        os.kill(second, signal.SIGSTOP)
        daemon.kill()
        [qemu] = daemon.guest_processes()
        os.kill(qemu, signal.SIGKILL)
        daemon.start()
        until(lambda: not swtpm_of(daemon), 10)
        assert "shut off" in daemon.virsh("domstate", "small").stdout

        storage = daemon.root / "lib/swtpm"
        assert list(storage.iterdir())

        # What becomes of its state is decided when it is undefined, also where it runs then and its daemon does not.
        for words, kept in ((["--keep-tpm"], True), ([], False)):
            daemon.virsh("start", "small")
            [state] = storage.iterdir()
            (state / "mark").touch()
            daemon.virsh("undefine", "small", *words)
            daemon.kill()
            daemon.start()
            daemon.virsh("destroy", "small")
            daemon.terminate()  # which waits for what is removed in the background
            assert (state / "mark").exists() == kept
            daemon.start()
            daemon.virsh("define", str(short_path / "small.xml"))
        daemon.virsh("start", "small")
        daemon.virsh("destroy", "small")
        until(lambda: not swtpm_of(daemon), 10)
        assert list(storage.iterdir())
        daemon.virsh("undefine", "small")
        assert not list(storage.iterdir())
    finally:
        daemon.stop()


def test_a_helper_that_cannot_run_is_told(daemon: Daemon, tmp_path: Path) -> None:
    share = shared(tmp_path, "share")
    for binary, part in (
        ("/nowhere/virtiofsd", "Unable to find '/nowhere/virtiofsd' binary"),
        ("/bin/false", "ended unexpect"),
    ):
        (tmp_path / "broken.xml").write_text(f"""<domain type='qemu'><name>broken</name><memory unit='MiB'>32</memory>
          <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
          <os><type arch='x86_64' machine='q35'>hvm</type></os>
          <devices><filesystem><driver type='virtiofs'/><binary path='{binary}'/><source dir='{share}'/>
          <target dir='share'/></filesystem></devices></domain>""")
        refused = daemon.virsh("create", str(tmp_path / "broken.xml"), check=False)
        assert refused.returncode == 1
        assert part in refused.stderr
    assert "broken" not in daemon.virsh("list", "--all").stdout


def test_the_state_of_a_tpm_is_encrypted(short_path: Path) -> None:
    need("swtpm", "swtpm_setup")
    daemon = Daemon(short_path / "root", prefix=(sys.executable, daemon_with_secrets.__file__)).start()
    encryption = f"<encryption secret='{daemon_with_secrets.UUID}'/>"
    (short_path / "small.xml").write_text(SMALL.replace("version='2.0'/>", f"version='2.0'>{encryption}</backend>"))
    try:
        daemon.virsh("define", str(short_path / "small.xml"))
        for _ in range(2):  # the second start can read what the first one wrote
            daemon.virsh("start", "small")
            [tpm] = swtpm_of(daemon)
            assert daemon_with_secrets.VALUE not in Path(f"/proc/{tpm}/cmdline").read_bytes()
            daemon.virsh("destroy", "small")
        # Whoever has not got the secret cannot.
        (short_path / "small.xml").write_text(SMALL)
        daemon.virsh("define", str(short_path / "small.xml"))
        assert daemon.virsh("start", "small", check=False).returncode == 1
        assert "small" in daemon.virsh("list", "--inactive").stdout
    finally:
        daemon.stop()


def test_firmware_with_secure_boot_and_a_tpm_reaches_its_menu(daemon: Daemon, tmp_path: Path) -> None:
    need("swtpm", "swtpm_setup")
    if not Path("/usr/share/OVMF/OVMF_CODE_4M.ms.fd").exists():
        pytest.skip("OVMF is not installed (./dev setup installs it)")
    (tmp_path / "secure.xml").write_text("""<domain type='qemu'><name>secure</name><memory unit='MiB'>512</memory>
      <os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type>
        <firmware><feature enabled='yes' name='secure-boot'/><feature enabled='yes' name='enrolled-keys'/></firmware>
        <bootmenu enable='yes' timeout='5000'/></os>
      <features><acpi/><smm state='on'/></features>
      <devices><serial type='pty'/><console type='pty'/>
        <tpm model='tpm-crb'><backend type='emulator' version='2.0' debug='5'/></tpm></devices></domain>""")
    daemon.virsh("create", str(tmp_path / "secure.xml"))
    try:
        shown = until_shown(daemon.virsh("ttyconsole", "secure").stdout.strip(), b"Boot Manager", 120)
        assert b"Device Manager" in shown
        # The firmware has measured what it ran.
        assert "SWTPM_IO_Read" in (daemon.root / "log/qemu/secure-swtpm.log").read_text(errors="replace")
    finally:
        daemon.virsh("destroy", "secure")


def until_shown(terminal: str, wanted: bytes, deadline: float) -> bytes:
    """Press the key for the firmware's menu until it shows `wanted`; all that was shown."""
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(descriptor)
    seen, end = b"", time.monotonic() + deadline
    try:
        while wanted not in seen:
            assert time.monotonic() < end, seen[-2000:]
            os.write(descriptor, b"\x1b")
            if select.select([descriptor], [], [], 1.0)[0]:
                with contextlib.suppress(BlockingIOError):
                    seen += os.read(descriptor, 65536)
    finally:
        os.close(descriptor)
    return seen


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short name: the address of a socket has room for 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_a_session_has_tpms_of_its_own(short: Path) -> None:
    need("swtpm", "swtpm_setup")
    user = User(short)
    try:
        path = user.write("small.xml", SMALL)
        user.guest("define", path)
        user.guest("start", "small")
        assert len(user.processes("swtpm")) == 1
        assert list(user.config.glob("qemu/swtpm/*/tpm2/tpm2-00.permall"))
        user.guest("destroy", "small")
        user.guest("undefine", "small")
        assert not list(user.config.glob("qemu/swtpm/*"))
    finally:
        user.stop()
