"""Our client over real daemons: both shells, the console, sessions on demand, a daemon that dies or freezes."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from guesthouse.cli import registry
from guesthouse.client import events, host
from guesthouse.client.aio import AsyncConnection
from guesthouse.client.connection import Connection
from guesthouse.client.uri import Surroundings
from guesthouse.errors import Code, LibvirtError
from guesthouse.rpc.procedures import domain as rpc
from guesthouse.rpc.procedures import domain_devices
from tests.support.daemon import BIN, Daemon, need

pytestmark = pytest.mark.stock

GUEST = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type><bios useserial='yes'/></os>
  <devices><serial type='pty'/><console type='pty'/></devices>
</domain>
"""

NOWHERE = Surroundings(0, "/nonexistent", "/nonexistent")


@pytest.fixture(scope="module")
def served() -> Iterator[Daemon]:
    """A daemon with the running guest `web`."""
    need("qemu-system-x86_64")
    with TemporaryDirectory(prefix="gh-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        daemon = Daemon(Path(folder) / "root")
        try:
            daemon.start()
            connection = Connection.open(daemon.uri, NOWHERE)
            try:
                host.define(connection, GUEST.format(name="web"), 0).start()
            finally:
                connection.close()
            yield daemon
        finally:
            daemon.stop()


def test_the_blocking_shell(served: Daemon) -> None:
    connection = Connection.open(served.uri, NOWHERE, keepalive=(5, 6))
    try:
        web = connection.domain_by_name("web")
        assert web.state()[0] == 1
        assert [one.name for one in connection.domains()] == ["web"]
        assert connection.domain_by_id(web.id).uuid == web.uuid
        with pytest.raises(LibvirtError) as caught:
            connection.domain_by_name("nosuch")
        assert caught.value.code == Code.NO_DOMAIN
        # Replies are matched by serial, whatever the order in which they are asked for.
        args = rpc.DomainGetStateArgs(web.handle)
        serials = [connection.submit(rpc.DOMAIN_GET_STATE, args) for _ in range(4)]
        for serial in reversed(serials):
            assert isinstance(connection.wait(serial), rpc.DomainGetStateRet)
    finally:
        connection.close()
    assert not connection.alive
    with pytest.raises(LibvirtError):
        connection.domains()


def test_events_reach_the_blocking_shell(served: Daemon) -> None:
    connection = Connection.open(served.uri, NOWHERE)
    try:
        registration = events.register(connection, 0, None)
        served.guest("suspend", "web")
        served.guest("resume", "web")
        seen: list[tuple[object, ...]] = []
        while len(seen) < 2:
            message = connection.next_message(10.0)
            assert message is not None
            event = events.read(connection, message)
            assert event is not None
            seen.append((event.number, event.registration, event.domain.name, event.fields["event"]))
        assert seen == [(0, registration, "web", 3), (0, registration, "web", 4)]
        events.deregister(connection, registration)
        assert connection.next_message(0.2) is None
    finally:
        connection.close()


def test_the_asyncio_shell(served: Daemon) -> None:
    async def story() -> None:
        connection = await AsyncConnection.open(served.uri, NOWHERE)
        args = rpc.DomainLookupByNameArgs("web")
        handle = (await connection.ask(rpc.DomainLookupByNameRet, rpc.DOMAIN_LOOKUP_BY_NAME, args)).dom
        calls = [
            connection.ask(rpc.DomainGetStateRet, rpc.DOMAIN_GET_STATE, rpc.DomainGetStateArgs(handle))
            for _ in range(50)
        ]
        assert {ret.state for ret in await asyncio.gather(*calls)} == {1}
        with pytest.raises(LibvirtError) as caught:
            await connection.call(rpc.DOMAIN_LOOKUP_BY_NAME, rpc.DomainLookupByNameArgs("nosuch"))
        assert caught.value.code == Code.NO_DOMAIN
        await connection.close()
        assert connection.closed.is_set()
        with pytest.raises(LibvirtError):
            await connection.call(rpc.DOMAIN_LOOKUP_BY_NAME, args)

    asyncio.run(asyncio.wait_for(story(), 30))


def test_streams_of_the_asyncio_shell(served: Daemon) -> None:
    async def story() -> None:
        connection = await AsyncConnection.open(served.uri, NOWHERE)
        args = rpc.DomainLookupByNameArgs("web")
        handle = (await connection.ask(rpc.DomainLookupByNameRet, rpc.DOMAIN_LOOKUP_BY_NAME, args)).dom
        console = domain_devices.DomainOpenConsoleArgs(handle, None, 1)
        _, stream = await connection.open_stream(domain_devices.DOMAIN_OPEN_CONSOLE, console)
        await connection.call(rpc.DOMAIN_RESET, rpc.DomainResetArgs(handle, 0))
        seen = b""
        while b"SeaBIOS" not in seen:
            chunk = await stream.receive()
            assert chunk
            seen += chunk
        await stream.send(b"x")
        await stream.finish()
        assert await stream.receive() == b""
        await connection.close()

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_call_ends_when_the_daemon_dies(short_path: Path) -> None:
    daemon = Daemon(short_path / "root").start()
    try:
        connection = Connection.open(daemon.uri, NOWHERE)
        daemon.kill()
        with pytest.raises(LibvirtError) as caught:
            connection.domains()
        assert caught.value.code == Code.SYSTEM_ERROR
        assert not connection.alive
    finally:
        daemon.stop()


def test_a_frozen_daemon_is_given_up(short_path: Path) -> None:
    daemon = Daemon(short_path / "root").start()
    try:
        connection = Connection.open(daemon.uri, NOWHERE, keepalive=(1, 1))
        os.kill(daemon.pid, signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(LibvirtError, match="connection closed due to keepalive timeout"):
            connection.domains()
        assert 2 <= time.monotonic() - start < 10
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
        daemon.stop()


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv: list[str], environment: dict[str, str]) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:  # the child becomes the program
            os.execvpe(argv[0], argv, environment)
        self.seen = b""

    def expect(self, text: bytes, timeout: float = 30.0) -> None:
        """Read until `text` has come."""
        deadline = time.monotonic() + timeout
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.descriptor], [], [], 0.5)[0]:
                try:
                    self.seen += os.read(self.descriptor, 4096)
                except OSError:
                    break
        assert text in self.seen, self.seen

    def type(self, data: bytes) -> None:
        """Press keys."""
        os.write(self.descriptor, data)

    def end(self) -> int:
        """Read the rest and wait for the program; its exit code."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                os.close(self.descriptor)
                return os.waitstatus_to_exitcode(status)
            if select.select([self.descriptor], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.descriptor, 4096)
                except OSError:
                    time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError(self.seen)


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def test_the_console(served: Daemon, tmp_path: Path) -> None:
    terminal = Terminal([str(BIN / "guest"), "-c", served.uri, "console", "--force", "web"], environment(tmp_path))
    terminal.expect(b"Escape character is ^] (Ctrl + ])")
    served.guest("reset", "web")
    terminal.expect(b"SeaBIOS")
    terminal.type(b"\x1d")
    assert terminal.end() == 0


def test_a_guest_starts_under_its_console(served: Daemon, tmp_path: Path) -> None:
    """Nothing that the firmware prints is missed: the guest waits until the console is there."""
    served.guest("define", str(write(tmp_path, "fresh")))
    terminal = Terminal([str(BIN / "guest"), "-c", served.uri, "start", "fresh", "--console"], environment(tmp_path))
    terminal.expect(b"Connected to domain 'fresh'")
    terminal.expect(b"SeaBIOS")
    terminal.type(b"\x1d")
    assert terminal.end() == 0
    served.guest("destroy", "fresh")
    served.guest("undefine", "fresh")


def test_the_shell_at_a_terminal(served: Daemon, tmp_path: Path) -> None:
    terminal = Terminal([str(BIN / "guest"), "-c", served.uri], environment(tmp_path))
    terminal.expect(b"guest #")
    terminal.type(b"domstate web\r")
    terminal.expect(b"running")
    terminal.type(b"dominf\t we\t --js\t\r")
    terminal.expect(b'"cpu_time_ns"')
    terminal.type(b"quit\r")
    assert terminal.end() == 0
    assert "domstate web" in (tmp_path / ".cache/guesthouse/history").read_text()


def test_an_edit_that_meets_another(served: Daemon, tmp_path: Path) -> None:
    """The definition changes while it is edited: the person is told, and nothing is lost."""
    served.guest("define", str(write(tmp_path, "other")))
    editor = tmp_path / "editor"
    editor.write_text(
        "#!/bin/sh\n"
        f"{BIN / 'guest'} -c '{served.uri}' desc other --config --title changed >/dev/null\n"
        "sed -i 's/<memory.*memory>/<memory>65536<\\/memory>/; /<currentMemory/d' \"$1\"\n"
    )
    editor.chmod(0o755)
    variables = {**environment(tmp_path), "VISUAL": str(editor)}
    terminal = Terminal([str(BIN / "guest"), "-c", served.uri, "edit", "other"], variables)
    terminal.expect(b"The XML configuration was changed by another user. Try again? [y,n,i,f,?]: ")
    terminal.type(b"?")
    terminal.expect(b"f - force, try to redefine again")
    terminal.type(b"f")
    assert terminal.end() == 0
    assert b"XML configuration edited." in terminal.seen
    assert "65536 KiB" in served.guest("dominfo", "other").stdout
    served.guest("undefine", "other")


def write(folder: Path, name: str) -> Path:
    path = folder / f"{name}.xml"
    path.write_text(GUEST.format(name=name))
    return path


def test_json(served: Daemon) -> None:
    def read(*words: str) -> object:
        return json.loads(served.guest(*words).stdout)

    [entry] = [one for one in listed(read("list", "--all", "--json")) if one["name"] == "web"]
    assert entry["state"] == "running"
    words = served.guest("-q", "domstate", "web", "--reason").stdout.rstrip(")\n").split(" (")
    assert read("domstate", "web", "--json") == {"state": words[0], "reason": words[1]}
    assert read("domid", "web", "--json") == {"id": entry["id"]}
    for words in (["dominfo", "web"], ["domblklist", "web"], ["nodeinfo"], ["version"], ["uri"], ["vcpuinfo", "web"]):
        assert read(*words, "--json") is not None, words
    stats = listed(read("domstats", "web", "--state", "--json"))
    figures = stats[0]["stats"]
    assert isinstance(figures, dict)
    assert figures.keys() == {"state.state", "state.reason"}
    assert figures["state.state"] == 1


#: Every command that gives JSON, with arguments that make it.
INFORMING = {
    "capabilities": [],
    "domcapabilities": ["--virttype", "qemu"],
    "dumpxml": ["web"],
    "list": ["--all", "--title"],
    "domid": ["web"],
    "domname": ["1"],
    "domuuid": ["web"],
    "domstate": ["web"],
    "domcontrol": ["web"],
    "dominfo": ["web"],
    "domjobinfo": ["web"],
    "domblklist": ["web"],
    "domblkerror": ["web"],
    "domblkinfo": ["web", "--all"],
    "domblkstat": ["web"],
    "domiflist": ["web"],
    "dommemstat": ["web"],
    "domstats": ["web"],
    "desc": ["web"],
    "metadata": ["web", "http://guest.example"],
    "ttyconsole": ["web"],
    "schedinfo": ["web"],
    "vcpucount": ["web"],
    "vcpuinfo": ["web"],
    "vcpupin": ["web"],
    "emulatorpin": ["web"],
    "iothreadinfo": ["web"],
    "memtune": ["web"],
    "blkiotune": ["web"],
    "numatune": ["web"],
    "perf": ["web"],
    "domthrottlegrouplist": ["web"],
    "domthrottlegroupinfo": ["web", "slow"],
    "event": ["--list"],
    "uri": [],
    "hostname": [],
    "version": [],
    "nodeinfo": [],
    "nodecpumap": [],
    "nodecpustats": [],
    "nodememstats": [],
    "freecell": [],
    "freepages": ["--all"],
    "node-memory-tune": [],
    "maxvcpus": ["--type", "qemu"],
    "cpu-models": ["x86_64"],
    "hypervisor-cpu-models": ["--virttype", "qemu"],
    "doctor": [],
    "cpu-stats": ["web", "--total"],
    "domlaunchsecinfo": ["web"],
    "plan": ["web", "PLAN"],
    "xml-validate": ["PLAN"],
    "nodedev-list": [],
    "nodedev-info": ["computer"],
    "nodedev-dumpxml": ["computer"],
    "nodedev-event": ["--list"],
    "net-define": ["NETWORK"],
    "net-list": ["--all"],
    "net-info": ["shared"],
    "net-dumpxml": ["shared"],
    "net-uuid": ["shared"],
    "net-name": ["3d1b0f6e-95a6-4d0e-8f0c-0e6f1f4b7a11"],
    "net-create": ["PASSING"],
    "net-desc": ["shared"],
    "net-metadata": ["shared", "urn:nothing"],
    "net-dhcp-leases": ["shared"],
    "net-port-list": ["passing"],
    "net-event": ["--list"],
    "pool-define": ["POOL"],
    "pool-define-as": ["other", "dir", "--target", "/nowhere"],
    "pool-create": ["FLEETING", "--build"],
    "pool-create-as": ["second", "dir", "--target", "TARGET", "--build"],
    "pool-list": ["--all"],
    "pool-info": ["kept"],
    "pool-dumpxml": ["kept"],
    "pool-uuid": ["kept"],
    "pool-name": ["5d1b0f6e-95a6-4d0e-8f0c-0e6f1f4b7a11"],
    "pool-capabilities": [],
    "pool-event": ["--list"],
    "iface-define": ["CARD"],
    "iface-list": ["--all"],
    "iface-mac": ["lo"],
    "iface-name": ["00:00:00:00:00:00"],
    "iface-dumpxml": ["lo"],
    "nwfilter-define": ["FILTER"],
    "nwfilter-list": [],
    "nwfilter-dumpxml": ["clean-traffic"],
    "nwfilter-binding-list": [],
}

#: Commands whose JSON needs what this guest or host does not have.
ELSEWHERE = {
    "sysinfo": "error: failed to get sysinfo",
    "domdisplay": "error: No graphical display found",
    "vncdisplay": "error: Failed to get VNC port. Is this domain using VNC?",
    "domhostname": "error: failed to get hostname",
    "domtime": "error: ",
    "blkdeviotune": "error: Unable to get block I/O throttle parameters",
    "domfsinfo": "error: Unable to get filesystem information",
    "guestinfo": "error: argument unsupported: QEMU guest agent is not configured",
    "guestvcpus": "error: argument unsupported: QEMU guest agent is not configured",
    "get-user-sshkeys": "error: argument unsupported: QEMU guest agent is not configured",
    "domiftune": "error: Unable to get interface parameters",
    "domif-getlink": "error: Interface (dev: eth9) not found.",
    "domifaddr": "error: Failed to query for interfaces addresses",
    "domifstat": "error: Failed to get interface stats web eth9",
    "nodesevinfo": "error: Unable to get host SEV information",
    "nodedev-detach": "error: Could not find matching device 'web'",
    "nodedev-reattach": "error: Could not find matching device 'web'",
    "nodedev-reset": "error: Could not find matching device 'web'",
    "find-storage-pool-sources": "error: Failed to find any web pool sources",
    "find-storage-pool-sources-as": "error: Failed to find any web pool sources",
    "net-port-dumpxml": "error: ",
}


#: Commands whose JSON another test looks at, where there is what they tell of.
IN_OTHER_TESTS = {
    "blockjob",
    "net-port-create",
    "nwfilter-binding-create",
    "nwfilter-binding-dumpxml",
    "secret-define",
    "secret-dumpxml",
    "secret-event",
    "secret-get-value",
    "secret-list",
}


def test_every_command_that_informs_gives_json(served: Daemon, tmp_path: Path) -> None:
    shaped = {command.name for command in registry.commands() if command.shape}
    volumes = {name for name in shaped if name.startswith("vol-")}  # each has its place in test_volumes.py
    assert shaped - volumes == set(INFORMING) | set(ELSEWHERE) | IN_OTHER_TESTS
    document = tmp_path / "web.xml"
    document.write_text(served.guest("dumpxml", "web", "--inactive", "--security-info").stdout)
    network = tmp_path / "network.xml"
    text = "<network><name>{}</name>{}<forward mode='bridge'/><bridge name='{}'/></network>"
    network.write_text(text.format("shared", "<uuid>3d1b0f6e-95a6-4d0e-8f0c-0e6f1f4b7a11</uuid>", "br0"))
    passing = tmp_path / "passing.xml"
    passing.write_text(text.format("passing", "", "br1"))
    pool = "<pool type='dir'><name>{}</name>{}<target><path>{}</path></target></pool>"
    more = {
        "POOL": pool.format("kept", "<uuid>5d1b0f6e-95a6-4d0e-8f0c-0e6f1f4b7a11</uuid>", "/nowhere/else"),
        "FLEETING": pool.format("fleeting", "", tmp_path / "fleeting"),
        "CARD": "<interface type='ethernet' name='eth77'><start mode='none'/></interface>",
        "FILTER": "<filter name='empty'/>",
    }
    for name, document_text in more.items():
        (tmp_path / name).write_text(document_text)
    files = {"PLAN": str(document), "NETWORK": str(network), "PASSING": str(passing)}
    files |= {name: str(tmp_path / name) for name in (*more, "TARGET")}
    for name, given in INFORMING.items():
        words = [files.get(word, word) for word in given]
        done = served.guest(name, *words, "--json", check=False)
        assert done.stderr == "", name
        json.loads(done.stdout)
        assert done.returncode == 0 or name == "doctor"
    for name, error in ELSEWHERE.items():
        device = ["eth9"] if name in ("domif-getlink", "domifstat", "domiftune") else []
        device = ["--source", "agent"] if name == "domifaddr" else device
        device = ["vda"] if name == "blkdeviotune" else device
        device = ["root"] if name == "get-user-sshkeys" else device
        words = [] if name in ("nodesevinfo", "sysinfo") else ["web", *device]
        done = served.guest("--json", name, *words, check=False)
        if name == "sysinfo" and done.returncode == 0:  # a host with firmware tables that we may read
            json.loads(done.stdout)
        else:
            assert done.stderr.startswith(error), done.stderr


def listed(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value


def test_names_of_guests_are_completed(served: Daemon) -> None:
    done = served.run(str(BIN / "guest"), "__complete", "--", "-c", served.uri, "start", "w")
    assert done.stdout == "web\n"
    script = (
        f'PATH={BIN}:$PATH\neval "$(guest completion bash)"\n'
        f"COMP_LINE='guest -c {served.uri} domstate w'\nCOMP_POINT=${{#COMP_LINE}}\n_guest\necho ${{COMPREPLY[@]}}\n"
        "COMP_LINE='guest list --state-s'\nCOMP_POINT=${#COMP_LINE}\n_guest\necho ${COMPREPLY[@]}\n"
    )
    assert served.run("bash", "-c", script).stdout == "web\n--state-shutoff\n"


#: What `guest list` may not load: each costs milliseconds (measured: typing 11, argparse 8, socket 7, re 7).
HEAVY = {
    "typing",
    "dataclasses",
    "enum",
    "re",
    "argparse",
    "socket",
    "json",
    "asyncio",
    "collections.abc",
    "subprocess",
    "prompt_toolkit",
    "lxml",
    "pathlib",
    "contextlib",
    "functools",
}

#: All modules of ours that it loads.
OURS = set(
    """
    guesthouse guesthouse.cli guesthouse.cli.commands guesthouse.cli.commands.domain_list guesthouse.cli.context
    guesthouse.cli.failure guesthouse.cli.grammar guesthouse.cli.index guesthouse.cli.main guesthouse.cli.numerals
    guesthouse.cli.registry guesthouse.cli.running guesthouse.cli.settings guesthouse.cli.table guesthouse.cli.tokens
    guesthouse.cli.words guesthouse.client
    guesthouse.client.connection guesthouse.client.destination guesthouse.client.domain guesthouse.client.named
    guesthouse.client.settings guesthouse.client.transport guesthouse.client.uri guesthouse.errors guesthouse.rpc
    guesthouse.rpc.client guesthouse.rpc.codegen guesthouse.rpc.limits guesthouse.rpc.packet guesthouse.rpc.plain
    guesthouse.rpc.procedure guesthouse.rpc.procedures guesthouse.rpc.procedures.auth
    guesthouse.rpc.procedures.connect guesthouse.rpc.procedures.domain guesthouse.rpc.programs guesthouse.rpc.types
    guesthouse.rpc.xdr
    """.split()  # noqa: SIM905 - a list of this length is easier to read and to sort as text
)


def test_what_guest_list_loads(served: Daemon) -> None:
    script = (
        "import sys; before = set(sys.modules)\n"
        "from guesthouse.cli.main import run\n"
        f"run(['guest', '-c', {served.uri!r}, 'list'], {{}})\n"
        "print(*sorted(set(sys.modules) - before), file=sys.stderr)\n"
    )
    # -I -S, with the package's place alone: whatever site customisation loads is not ours.
    place = Path(sys.modules["guesthouse"].__file__ or "").parent.parent
    prelude = f"import sys; sys.path.insert(0, {str(place)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", prelude + script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "web" in done.stdout
    loaded = set(done.stderr.split())
    assert not loaded & HEAVY
    assert {name for name in loaded if name.startswith("guesthouse")} - OURS == set()


def test_a_session_daemon_starts_on_demand(short_path: Path) -> None:
    """As another user than root, since root's sessions are the system's."""
    if os.geteuid() != 0:
        pytest.skip("needs to become another user")
    short_path.chmod(0o777)
    variables = {
        "HOME": str(short_path),
        "XDG_RUNTIME_DIR": str(short_path / "run"),
        "PATH": os.environ["PATH"],
        "LIBVIRT_AUTOSTART": "1",
    }

    def guest(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / "guest"), *words], capture_output=True, text=True, timeout=60, check=False,
            env={**variables, **more}, user=65534, group=65534, extra_groups=[],
        )  # fmt: skip

    refused = guest("uri", LIBVIRT_AUTOSTART="0")
    assert refused.returncode == 1
    assert "Failed to connect socket to" in refused.stderr
    try:
        first = guest("-c", "qemu:///session", "-q", "list")
        assert (first.returncode, first.stderr) == (0, "")
        assert guest("-q", "uri").stdout == "qemu:///session\n"
    finally:
        for pid in processes(f"{BIN}/guesthoused\0--session", 65534):
            os.kill(pid, signal.SIGTERM)


def processes(mark: str, uid: int) -> list[int]:
    """The processes of a user whose command line has `mark` in it."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == uid and mark in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
