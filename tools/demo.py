"""The demo: a private daemon under .demo/, and a tiny Linux guest that boots under it.

usage: demo.py [--down]

Everything it makes is below `.demo/`. Run again, it finds what runs already and shows that. `--down` ends the guest,
the daemon, and removes the directory.

Where the project's path is too long for sockets below it, `.demo` is a link to a private directory with a short name.
`--down` also ends what a killed daemon or a half-removed directory left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from guesthouse.client.connection import Connection
from guesthouse.client.domain import Domain
from guesthouse.client.host import capabilities
from guesthouse.client.stream import Stream
from guesthouse.client.uri import Surroundings
from guesthouse.errors import Code, LibvirtError

ROOT = Path(__file__).resolve().parent.parent
#: Bytes of the longest directory below which the sockets of guests fit into the 107 bytes that unix(7) allows.
LONGEST = 52
TINY = ROOT / ".cache/tiny"
BIN = Path(sys.executable).parent
LINK = ROOT / ".demo"


def home() -> Path:
    """The demo's directory: `.demo` itself, or the one that it links to because its own path is too long."""
    if len(os.fsencode(LINK)) <= LONGEST:
        return LINK
    # Others may make this name first: `make_directory` looks at whose it is.
    mark = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:8]
    return Path("/tmp") / f"guesthouse-demo-{os.getuid()}-{mark}"


DEMO = home()
SOCKET = DEMO / "run/libvirt-sock"
DISK = DEMO / "disk.qcow2"
URI = f"qemu+unix:///system?socket={SOCKET}"
NAME = "tiny"
#: A TCG boot takes under 5 s on a quiet machine.
BOOT_DEADLINE = 180.0
PROMPT = b"login: "

DEFINITION = """<domain type='{kind}'>
  <name>{name}</name>
  <title>The tiny guest of the demo</title>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>console=ttyS0 quiet</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='user'><model type='virtio'/></interface>
    <serial type='pty'><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
    <graphics type='vnc' autoport='yes'/>
    <video><model type='virtio'/></video>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
"""


def say(text: str) -> None:
    """Tell the user what happens."""
    print(f"demo: {text}", flush=True)


def connect() -> Connection | None:
    """A connection to the demo's daemon, if it runs."""
    try:
        return Connection.open(URI, Surroundings.of(dict(os.environ), os.getuid()))
    except LibvirtError:
        return None


def daemon() -> Connection:
    """A connection to the demo's daemon, which is started if need be."""
    found = connect()
    if found is not None:
        say("the daemon runs already")
        return found
    end(processes("guesthoused"))
    make_directory()
    say(f"starting guesthoused, everything below {DEMO}")
    argv = [str(BIN / "guesthoused"), "--root", str(DEMO), "--daemon"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    found = connect()
    if done.returncode or found is None:
        sys.exit(f"demo: the daemon did not start: {done.stderr.strip()}")
    return found


def make_directory() -> None:
    """Make the demo's directory, which must be ours alone, and the link to it where it has another name."""
    DEMO.mkdir(mode=0o700, exist_ok=True)
    if DEMO.is_symlink() or DEMO.stat().st_uid != os.getuid():
        sys.exit(f"demo: {DEMO} is not a directory of yours; remove it, or move the project to a shorter path")
    if DEMO != LINK and not LINK.exists():
        LINK.unlink(missing_ok=True)
        LINK.symlink_to(DEMO)


def processes(*programs: str) -> list[int]:
    """The processes of these programs, by the beginnings of their names, that were started for the demo's directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        names = [os.path.basename(os.fsdecode(word)) for word in words[:2]]  # the second of a script is its own name
        mark = os.fsencode(DEMO)
        if any(name.startswith(programs) for name in names) and any(
            word == mark or mark + b"/" in word for word in words
        ):
            found.append(int(entry.name))
    return found


def end(pids: list[int]) -> None:
    """End processes: politely, and after 20 s by force."""
    for number, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            pids = [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()]  # of a zombie it is gone
            if not pids:
                return
            time.sleep(0.05)


def find(connection: Connection) -> Domain | None:
    """The demo's guest, if it is defined."""
    try:
        return connection.domain_by_name(NAME)
    except LibvirtError as error:
        if error.code == Code.NO_DOMAIN:
            return None
        raise


def kvm_works(connection: Connection) -> bool:
    """Whether the daemon offers KVM: it has tried it."""
    return "<domain type='kvm'" in capabilities(connection)


def define(connection: Connection) -> None:
    """Define the guest from its document, as a user would."""
    kind = "kvm" if kvm_works(connection) else "qemu"
    say(f"defining the guest '{NAME}' (accelerator: {'KVM' if kind == 'kvm' else 'TCG, since KVM does not work here'})")
    document = DEMO / f"{NAME}.xml"
    document.write_text(
        DEFINITION.format(kind=kind, name=NAME, kernel=TINY / "vmlinuz", initrd=TINY / "initrd.gz", disk=DISK)
    )
    guest("define", str(document))


def guest(*argv: str) -> None:
    """Run our command, its output to the user."""
    if subprocess.run([str(BIN / "guest"), "-c", URI, *argv], check=False, timeout=120).returncode:
        sys.exit(f"demo: `guest {argv[0]}` failed; the daemon's log is in {DEMO}/log")


def show_console(console: Stream) -> None:
    """Copy the serial console to the screen until the login prompt."""
    deadline = time.monotonic() + BOOT_DEADLINE
    seen = b""
    while PROMPT not in seen:
        if time.monotonic() > deadline:
            sys.exit(f"\ndemo: no login prompt in {BOOT_DEADLINE:.0f} s; the log is in {DEMO}/log/qemu/{NAME}.log")
        data = console.receive()
        if not data:
            sys.exit(f"\ndemo: the console ended before the login prompt; see {DEMO}/log/qemu/{NAME}.log")
        seen = (seen + data)[-4096:]
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    print(flush=True)


def boot(connection: Connection) -> None:
    """Start the guest and show its serial console until it asks who logs in."""
    domain = find(connection)
    if domain is None:
        define(connection)
        domain = connection.domain_by_name(NAME)
    if domain.is_active():
        say("the guest runs already")
        return
    if not DISK.exists():
        shutil.copyfile(TINY / "disk.qcow2", DISK)
    begun = time.monotonic()
    guest("start", NAME)
    say("its serial console, until the login prompt:")
    console = domain.open_console(None, 0)
    show_console(console)
    console.abort()
    say(f"booted in {time.monotonic() - begun:.1f} s")


def down() -> None:
    """End the guest and the daemon, and remove the directory."""
    connection = connect()
    if connection is not None:
        domain = find(connection)
        if domain is not None and domain.is_active():
            say("ending the guest")
            domain.destroy()
        connection.close()
    daemons = processes("guesthoused")
    if daemons:
        say("ending the daemon")
        end(daemons)
    end(processes("qemu-system"))
    if LINK.is_symlink():
        LINK.unlink()
    for directory in {DEMO, LINK}:
        shutil.rmtree(directory, ignore_errors=True)
    if DEMO.exists():
        sys.exit(f"demo: {DEMO} could not be removed; remove it as its owner")
    say("nothing of it is left")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="./dev demo", description="Boot a tiny Linux guest under a private daemon.")
    parser.add_argument("--down", action="store_true", help="end the guest and the daemon, and remove .demo/")
    if parser.parse_args().down:
        down()
        return
    connection = daemon()
    boot(connection)
    guest("dominfo", NAME)
    say("what to type next:")
    command = f"{BIN.relative_to(Path.cwd())}/guest -c '{URI}'"
    print(f"  {command} console {NAME}      # log in as root; Ctrl+] leaves")
    print(f"  virsh -c '{URI}' list --all   # any libvirt client works")
    print("  ./dev demo --down")


if __name__ == "__main__":
    main()
