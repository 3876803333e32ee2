"""A daemon in a process of its own, and a client that sees every byte."""

from __future__ import annotations

import array
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from guesthouse.rpc.packet import CALL, Framer, Header, encode_packet
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Procedure
from guesthouse.rpc.procedures.auth import AUTH_LIST
from guesthouse.rpc.procedures.connect import CONNECT_GET_HOSTNAME, CONNECT_OPEN, ConnectGetHostnameRet, ConnectOpenArgs
from guesthouse.rpc.types import NonnullDomain, RemoteError
from guesthouse.rpc.xdr import Struct

SCRIPT = Path(__file__).with_name("sample_daemon.py")
DEADLINE = 10.0
DOMAIN = NonnullDomain(name="guest", uuid=bytes(16), id=-1)


class Daemon:
    """A daemon under a root of its own."""

    def __init__(self, root: Path, *arguments: str, program: Sequence[str] = (sys.executable, str(SCRIPT))) -> None:
        self.root = root
        self.socket = root / "run/libvirt-sock"
        self.readonly_socket = root / "run/libvirt-sock-ro"
        self.log = root.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*program, "--root", str(root), *arguments], stdin=subprocess.DEVNULL, stderr=log
            )

    def wait_ready(self) -> Daemon:
        """Wait until it answers."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise AssertionError(f"the daemon ended: {self.log.read_text()}")
            try:
                with Wire(self.socket) as wire:
                    wire.open()
                    return self
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"the daemon does not answer: {self.log.read_text()}")

    def logs(self, text: str) -> bool:
        """Whether it logs that text, now or soon."""
        until = time.monotonic() + DEADLINE
        while text not in self.log.read_text():
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def stop(self) -> int:
        """End it with SIGTERM, and return its status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE)

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.wait(DEADLINE)


class Wire:
    """One connection."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        try:
            self.socket.connect(str(path))
        except BaseException:
            self.socket.close()
            raise
        self.framer = Framer()
        self.packets: list[tuple[Header, bytes]] = []
        self.fds: list[int] = []
        self.serial = 0

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def open(self, flags: int = 0) -> Wire:
        """Do what every client does first."""
        self.call(AUTH_LIST)
        self.call(CONNECT_OPEN, ConnectOpenArgs("qemu:///system", flags))
        return self

    def post(self, procedure: Procedure, args: Struct | None = None, nfds: int = 0) -> int:
        """Send a call; returns its serial."""
        self.serial += 1
        payload = args.encode() if args is not None else b""
        self.socket.sendall(encode_packet(procedure.program, 1, procedure.number, CALL, self.serial, 0, payload, nfds))
        return self.serial

    def send_fds(self, descriptors: Sequence[int]) -> None:
        """Send descriptors, each with a byte of its own."""
        for descriptor in descriptors:
            self.socket.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])

    def packet(self) -> tuple[Header, bytes]:
        """The next packet, whatever it is. Raises EOFError when the daemon has closed the connection."""
        while not self.packets:
            data, ancillary, _, _ = self.socket.recvmsg(1 << 20, socket.CMSG_LEN(4))
            if not data:
                raise EOFError("the daemon closed the connection")
            for _level, _kind, found in ancillary:
                received = array.array("i")
                received.frombytes(found)
                self.fds += received
            self.packets = self.framer.feed(data)
        return self.packets.pop(0)

    def answer(self, serial: int) -> bytes:
        """The payload of the reply of that serial; others are skipped. Raises `Failed` on an error reply."""
        while True:
            header, payload = self.packet()
            if header.serial == serial and header.type in (1, 5):
                if header.status:
                    raise Failed(RemoteError.decode(payload))
                return payload

    def call(self, procedure: Procedure, args: Struct | None = None) -> bytes:
        """Send a call and wait for its reply."""
        return self.answer(self.post(procedure, args))

    def counters(self) -> dict[str, int]:
        """What the sample driver counts."""
        text = ConnectGetHostnameRet.decode(self.call(CONNECT_GET_HOSTNAME)).hostname
        return {name: int(value) for name, value in (word.split("=") for word in text.split())}

    def stream(self, procedure: Procedure, serial: int, status: int, payload: bytes = b"", type: int = 3) -> None:
        """Send a stream packet."""
        self.socket.sendall(encode_packet(REMOTE_PROGRAM, 1, procedure.number, type, serial, status, payload))

    def ended(self) -> bool:
        """Whether the daemon closes the connection; what it still sends is skipped."""
        try:
            while True:
                self.packet()
        except (EOFError, ConnectionResetError):
            return True
        except TimeoutError:
            return False


class Failed(Exception):
    """An error reply."""

    def __init__(self, error: RemoteError) -> None:
        self.code = error.code
        self.domain = error.domain
        self.text = error.message
        super().__init__(f"{error.code}/{error.domain}: {error.message}")
