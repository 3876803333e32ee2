"""The same command line to virsh and to guest under virsh's name, at the same daemon: the same bytes and exit code."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from guesthouse.cli import helptext, registry
from guesthouse.cli.grammar import Command
from tests.support.children import running_child
from tests.support.daemon import BIN, Daemon, need

pytestmark = pytest.mark.stock

GUEST = """
<domain type='qemu'>
  <name>{name}</name>
  <title>{title}</title>
  <memory unit='MiB'>32</memory>
  <vcpu>2</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
    <interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>
    <serial type='pty'/>
    <console type='pty'/>
  </devices>
</domain>
"""


class Both:
    """virsh, guest called virsh, and a daemon with the running guest `alpha` and the guest `Beta two`, which is off."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemon = Daemon(folder / "root")
        self.ours = folder / "virsh"
        self.ours.symlink_to(BIN / "guest")
        self.environment = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(folder)}

    def prepare(self) -> None:
        disk = self.folder / "disk.img"
        disk.write_bytes(bytes(1 << 20))
        self.daemon.start()
        for name in ("alpha", "Beta two"):
            path = self.folder / f"{name[0]}.xml"
            path.write_text(GUEST.format(name=name, title=f"The {name}", disk=disk))
            self.daemon.guest("define", str(path))
        self.daemon.guest("start", "alpha")

    def run(self, program: str, words: list[str], text: str = "") -> tuple[int, str, str]:
        done = subprocess.run(
            [program, "-c", self.daemon.uri, *words],
            capture_output=True, text=True, errors="replace", input=text, timeout=60, check=False,
            env=self.environment, cwd=self.folder,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def compare(self, words: list[str], text: str = "") -> tuple[int, str, str]:
        theirs, ours = self.run("virsh", words, text), self.run(str(self.ours), words, text)
        assert ours == theirs
        return ours


@pytest.fixture(scope="module")
def both() -> Iterator[Both]:
    need("virsh", "qemu-system-x86_64")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        pair = Both(Path(folder))
        try:
            pair.prepare()
            yield pair
        finally:
            pair.daemon.stop()


#: Command lines that change nothing, or are refused.
LINES = """
list
list --all
list --inactive
list --all --title --uuid
list --all --title --managed-save
list --name --all
list --id
list --id --all --name
list --uuid
list --uuid --table --all
list --state-running --all
list --state-paused
list --state-shutoff
list --autostart --all
list --no-autostart --all
list --persistent --all
list --transient
list --without-snapshot --all
list --with-managed-save --all
list --table --name
-q list --all
-r list --all
domid alpha
domid 'Beta two'
domid 1
domname 1
domname alpha
domuuid alpha
domstate alpha
domstate alpha --reason
domstate 'Beta two' --reason
domstate nosuch
dominfo 'Beta two'
domcontrol alpha
domcontrol 'Beta two'
dumpxml alpha
dumpxml 'Beta two' --inactive
dumpxml alpha --xpath //devices/disk
dumpxml alpha --xpath //devices/disk|//name --wrap
dumpxml alpha --xpath //name/text()
-r dumpxml alpha --security-info
domblklist alpha
domblklist alpha --details
domblklist 'Beta two' --inactive
domiflist alpha
domiflist 'Beta two'
domif-getlink alpha 52:54:0:11:22:33
domif-getlink alpha 52:54:00:00:00:00
domif-getlink alpha nosuch
domdisplay alpha
domdisplay 'Beta two'
domdisplay alpha --all --type vnc
vncdisplay alpha
vncdisplay 'Beta two'
freepages --all --pagesize 1GiB
freepages --cellno 0 --pagesize 2048
freepages --cellno -1 --pagesize 2MiB
freepages
freepages --cellno 0
freepages --cellno -2 --pagesize 4
freepages --cellno 77 --pagesize 4
freepages --cellno 0 --pagesize x
freepages --all --cellno 0
allocpages x 2
allocpages 2048 x
allocpages 2048 2 --all --cellno 0
allocpages 4 1
allocpages 77 1 --add
allocpages 77KiB 1 --cellno 99
node-memory-tune
node-memory-tune --shm-pages-to-scan x
nodesuspend nap 60
nodesuspend mem -1
domxml-from-native qemu-argv /nonexistent
domxml-from-native qemu-argv /etc/hostname
qemu-attach x
qemu-attach 12
dom-fd-associate alpha group 1,x
dom-fd-associate nosuch group 1
dom-fd-associate alpha group 1 --seclabel-writable
dom-fd-associate alpha group 77
blockjob alpha vda
blockjob alpha vda --raw
blockjob alpha nosuch
blockjob alpha vda --abort
blockjob alpha vda --pivot --raw
blockjob alpha vda --info --abort
blockjob alpha vda --bytes --async
blockjob alpha vda x
blockjob alpha vda 5
blockjob 'Beta two' vda
blockpull alpha vda --verbose
blockpull alpha vda --async
blockpull alpha vda --base nosuch
blockpull alpha vda --keep-relative
blockpull alpha nosuch --wait
blockpull alpha vda --timeout 0
blockcommit alpha vda
blockcommit alpha vda --pivot --keep-overlay
blockcommit alpha vda --verbose
blockcommit alpha vda --async
blockcommit alpha vda --active --shallow
blockcommit alpha vda --timeout x
blockcopy alpha vda
blockcopy alpha vda /x --xml y
blockcopy alpha vda /x --pivot --finish
blockcopy alpha vda /x --verbose
blockcopy alpha vda /x
blockcopy alpha vda x --raw
blockcopy alpha vda /x --raw --format raw
blockcopy alpha vda /x --format qcow2 --print-xml
blockcopy alpha vda '/x<&' --blockdev --raw --print-xml
blockcopy alpha vda --xml /nonexistent
blockcopy alpha vda /x --granularity x
blockcopy alpha vda /x --transient-job --granularity 3
ttyconsole alpha
ttyconsole 'Beta two'
desc alpha
desc alpha --title
desc alpha --title --config
desc alpha --live --current
metadata alpha http://guest.example
metadata alpha http://guest.example --set <a/>
metadata alpha http://guest.example --set <a/> --remove
uri
hostname
version
version --daemon
nodeinfo
nodecpumap
nodecpumap --pretty
maxvcpus
maxvcpus --type qemu
maxvcpus --type nosuch
capabilities --xpath //host/uuid
domcapabilities --virttype qemu --xpath /domainCapabilities/arch
domcapabilities --arch nosuch
cpu-models x86_64
cpu-models nosuch
cpu-compare /nonexistent
hypervisor-cpu-baseline
freecell --all --cellno 3
event --list
event
event --event nosuch
event --event reboot --timeout 0
event --all --event reboot
start alpha
start nosuch
start
suspend 'Beta two'
resume 'Beta two'
reset 'Beta two'
reboot 'Beta two'
reboot alpha --mode nosuch
shutdown alpha --mode acpi,nosuch
shutdown 'Beta two'
destroy 'Beta two'
undefine nosuch
undefine alpha --wipe-storage
undefine alpha --nvram --keep-nvram
define /nonexistent
create /nonexistent
domrename nosuch other
send-key alpha KEY_NOSUCH
send-key alpha --codeset nosuch 1
send-key alpha 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
console alpha
console 'Beta two'
domstats nosuch
domtime alpha --now --sync
qemu-monitor-command alpha --pretty --hmp info
qemu-monitor-command alpha --hmp info version
-r destroy alpha
-r start 'Beta two'
echo a b  c
echo --shell a 'b c' d\\'e
echo --xml <a>
echo --split a,b,,c
echo --err x
echo --shell --xml x
echo --hi
echo --hi=foo
echo --prefix p a
pwd
cd /nonexistent
nosuch
list --nosuch
list extra
list --all=x
domid
domstate --domain
domstate --domain alpha --domain alpha
domid --domain=alpha
domid -- alpha
"domid alpha; domname 1; domstate 'Beta two'"
'domid alpha; nosuch'
"domid 'alpha"
'domid "alpha'
'domid alpha\\\\'
'echo a #comment'
'# comment'
help nosuch
domblkerror alpha
domblkinfo alpha
domblkinfo alpha vda
domblkinfo alpha vda --human
domblkinfo alpha --all
domblkinfo 'Beta two' --all --human
domblkinfo alpha nosuch
domblkstat alpha
domblkstat alpha vda
domblkstat alpha vda --human
domblkstat 'Beta two' vda
domifstat alpha nosuch
domifaddr alpha
domifaddr alpha --source arp
domifaddr alpha --source agent
domifaddr alpha --source nosuch
domifaddr 'Beta two'
dommemstat 'Beta two'
dommemstat alpha --period -3
dompmwakeup alpha
nodesevinfo
domjobinfo alpha
domjobinfo 'Beta two'
schedinfo 'Beta two'
vcpucount alpha
vcpucount 'Beta two'
vcpuinfo 'Beta two'
vcpuinfo 'Beta two' --pretty
setvcpus alpha 0
setvcpus alpha --maximum 3
vcpucount alpha --live --config
-x list
--nosuch
-k nosuch list
-k -1 list
-d nosuch list
-d 7 domid alpha
-e abc list
--version
-v
""".strip().splitlines()


@pytest.mark.parametrize("line", LINES)
def test_the_same_bytes(both: Both, line: str) -> None:
    both.compare(shlex.split(line))


def test_the_same_lines_in_the_shell(both: Both) -> None:
    text = "list --all\n\ndomid alpha ; domstate alpha\nnosuch\n# a comment\nwait\\\nquit\necho 'a b\nquit\n"
    code, out, _ = both.compare([], text)
    assert code == 0
    assert out.startswith("Welcome to virsh, the virtualization interactive terminal.\n")


def test_a_read_only_shell_has_another_prompt(both: Both) -> None:
    both.compare(["-r"], "domid alpha\n")
    both.compare(["-q"], "echo a\n")


COMMANDS = [command for command in registry.commands(ours=False) if not command.hidden]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_same_options(command: Command) -> None:
    """The synopsis of every command names virsh's options in virsh's order."""
    need("virsh")
    page = subprocess.run(["virsh", "help", command.name], capture_output=True, text=True, check=True).stdout
    synopsis = page.partition("  SYNOPSIS\n")[2].partition("\n")[0].strip()
    meant = registry.find(command.name, ours=False)  # another spelling has the page of what it stands for
    assert meant is not None
    assert helptext.synopsis(meant, ours=False) == synopsis
    options = [line.split("  ")[2] for line in page.partition("  OPTIONS\n")[2].splitlines() if line]
    own = helptext.command(meant, ours=False).partition("  OPTIONS\n")[2]
    assert [line.split("  ")[2] for line in own.splitlines() if line] == options


def change(both: Both, program: str) -> list[tuple[int, str, str]]:
    """The story of a guest, told by one of the two programs."""
    path = both.folder / "story.xml"
    text = GUEST.format(name="story", title="A story", disk=both.folder / "story.img")
    (both.folder / "story.img").write_bytes(bytes(1 << 20))
    path.write_text(text.replace("<title>", "<uuid>6e4f2f9e-4c6b-4f0e-9f5c-0123456789ab</uuid><title>"))
    uri = "http://guest.example/x"
    story = [
        ["define", str(path)],
        ["define", str(path), "--validate"],
        ["autostart", "story"],
        ["list", "--all", "--autostart"],
        ["autostart", "story", "--disable"],
        ["autostart", "story", "--once"],
        ["autostart", "story", "--once", "--disable"],
        ["desc", "story", "--title", "Another", "title"],
        ["desc", "story", "--title"],
        ["desc", "story", "--config", "text"],
        ["desc", "story"],
        ["metadata", "story", uri, "--key", "k", "--set", "<a b='c'/>"],
        ["metadata", "story", uri],
        ["metadata", "story", uri, "--remove"],
        ["domrename", "story", "tale"],
        ["start", "tale", "--paused"],
        ["domstate", "tale", "--reason"],
        ["resume", "tale"],
        ["suspend", "tale"],
        ["resume", "tale"],
        ["domstate", "tale", "--reason"],
        ["reset", "tale"],
        ["send-key", "tale", "KEY_LEFTCTRL", "KEY_A", "--holdtime", "10"],
        ["inject-nmi", "tale"],
        ["destroy", "tale"],
        ["domstate", "tale", "--reason"],
        ["undefine", "tale"],
        ["create", str(path), "--paused"],
        ["list", "--transient", "--name"],
        ["destroy", "story", "--graceful"],
        ["domstate", "story"],
    ]
    return [both.run(program, words) for words in story]


def test_the_same_story(both: Both) -> None:
    theirs, ours = change(both, "virsh"), change(both, str(both.ours))
    assert ours == theirs


def test_the_same_events(both: Both) -> None:
    """Both watch at the same time, while the guest is paused and goes on."""
    watch = ["-c", both.daemon.uri, "event", "--event", "lifecycle", "--loop", "--timeout", "4", "alpha"]
    pipe = subprocess.PIPE
    with (
        running_child(["virsh", *watch], stdout=pipe, stderr=pipe) as first,
        running_child([str(both.ours), *watch], stdout=pipe, stderr=pipe) as second,
    ):
        time.sleep(1.5)
        both.daemon.guest("suspend", "alpha")
        both.daemon.guest("resume", "alpha")
        theirs, ours = (watcher.communicate(timeout=30) for watcher in (first, second))
    assert ours == theirs
    assert [first.returncode, second.returncode] == [0, 0]
    assert "Suspended Paused" in ours[0]
