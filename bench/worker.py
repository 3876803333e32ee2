"""One client of one daemon, under the system's Python with its python3-libvirt.

usage: worker.py URI KERNEL INITRD TAG

Reads lines `MEASURE COUNT` from standard input and answers each with one JSON list of seconds, or with an object that
has an `error`. Every guest that it makes has a name which begins with TAG.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable

import libvirt
from full_guest import full_guest  # type: ignore[import-not-found] # a neighbour of this program, not of a package
from network_work import NetworkWork  # type: ignore[import-not-found] # the same
from pool_work import PoolWork  # type: ignore[import-not-found] # the same
from volume_work import VolumeWork  # type: ignore[import-not-found] # the same

URI, KERNEL, INITRD, TAG = sys.argv[1:5]
libvirt.registerErrorHandler(lambda _context, _error: None, None)


def guest_xml(name: str) -> str:
    """A full small guest: disk-less, with a network card, a console, a balloon and a random number generator."""
    return f"""<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid.uuid5(uuid.NAMESPACE_DNS, name)}</uuid>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{KERNEL}</kernel>
    <initrd>{INITRD}</initrd>
    <cmdline>console=ttyS0 quiet</cmdline>
  </os>
  <features><acpi/><apic/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <interface type='user'><model type='virtio'/></interface>
    <serial type='pty'><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
    <memballoon model='virtio'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>"""


class Work(NetworkWork, PoolWork, VolumeWork):  # type: ignore[misc] # they are not found by the type checker
    """The measures; each returns seconds a call."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = libvirt.open(URI)
        self.domain: libvirt.virDomain | None = None
        self.starts: list[float] = []
        self.ends: list[float] = []
        self.many_ends: list[float] = []

    def one(self) -> libvirt.virDomain:
        if self.domain is None:
            self.domain = self.connection.defineXML(guest_xml(f"{TAG}-one"))
        return self.domain

    def _loop(self, count: int, call: Callable[[], object]) -> list[float]:
        samples = []
        for _ in range(20):
            begun = time.perf_counter()
            for _ in range(max(count // 20, 1)):
                call()
            samples.append((time.perf_counter() - begun) / max(count // 20, 1))
        return samples

    def round_trip(self, count: int) -> list[float]:
        return self._loop(count, self.connection.getLibVersion)

    def state(self, count: int) -> list[float]:
        return self._loop(count, self.one().state)

    def xml(self, count: int) -> list[float]:
        return self._loop(count, self.one().XMLDesc)

    def lookup(self, count: int) -> list[float]:
        self.one()
        return self._loop(count, lambda: self.connection.lookupByName(f"{TAG}-one"))

    def fill(self, count: int) -> list[float]:
        begun = time.perf_counter()
        for number in range(count):
            self.connection.defineXML(guest_xml(f"{TAG}-{number}"))
        return [(time.perf_counter() - begun) / count]

    def list_all(self, count: int) -> list[float]:
        return self._loop(count, self.connection.listAllDomains)

    def stats_all(self, count: int) -> list[float]:
        return self._loop(count, self.connection.getAllDomainStats)

    def define(self, count: int) -> list[float]:
        samples = []
        for number in range(count):
            text = guest_xml(f"{TAG}-define-{number}")
            begun = time.perf_counter()
            domain = self.connection.defineXML(text)
            samples.append(time.perf_counter() - begun)
            domain.undefine()
        return samples

    def define_full(self, count: int) -> list[float]:
        """Full documents in a row; what they defined goes away again, untimed."""
        texts = [full_guest(f"{TAG}-full-{number}") for number in range(count)]
        begun = time.perf_counter()
        defined = [self.connection.defineXML(text) for text in texts]
        samples = [(time.perf_counter() - begun) / count]
        for domain in defined:
            domain.undefine()
        return samples

    def start(self, count: int) -> list[float]:
        self.starts, self.ends = [], []
        for _ in range(count):
            begun = time.perf_counter()
            self.one().create()
            self.starts.append(time.perf_counter() - begun)
            time.sleep(0.3)
            begun = time.perf_counter()
            self.one().destroy()
            self.ends.append(time.perf_counter() - begun)
        return self.starts

    def destroy(self, _count: int) -> list[float]:
        return self.ends

    def _all(self, domains: list[libvirt.virDomain], action: Callable[[libvirt.virDomain], None]) -> float:
        threads = [threading.Thread(target=action, args=(domain,)) for domain in domains]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begun

    def start_many(self, count: int) -> list[float]:
        connections = [libvirt.open(URI) for _ in range(count)]
        domains = [c.defineXML(guest_xml(f"{TAG}-many-{n}")) for n, c in enumerate(connections)]
        failures: list[str] = []

        def attempt(call: Callable[[], object]) -> None:
            try:
                call()
            except libvirt.libvirtError as error:
                failures.append(str(error))

        started = self._all(domains, lambda domain: attempt(domain.create))
        self.many_ends = [self._all(domains, lambda domain: attempt(domain.destroy))]
        for domain in domains:
            domain.undefine()
        if failures:
            raise RuntimeError(failures[0])
        return [started]

    def destroy_many(self, _count: int) -> list[float]:
        return self.many_ends

    def frozen(self, _count: int) -> list[float]:
        """Statistics while one of two guests is stopped by SIGSTOP. Ends both."""
        guests = [self.connection.createXML(guest_xml(f"{TAG}-frozen-{n}")) for n in (0, 1)]
        pid = process_of(guests[0].UUIDString())
        os.kill(pid, signal.SIGSTOP)
        answer: list[float] = []

        def ask() -> None:
            begun = time.perf_counter()
            libvirt.open(URI).getAllDomainStats()
            answer.append(time.perf_counter() - begun)

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        thread.join(20.0)
        first = list(answer)
        os.kill(pid, signal.SIGCONT)
        thread.join(30.0)
        for guest in guests:
            guest.destroy()
        if not first:
            raise RuntimeError("no answer in 20 s")
        return first

    def empty(self, _count: int) -> list[float]:
        for domain in self.connection.listAllDomains():
            if domain.name().startswith(TAG):
                if domain.isActive():
                    domain.destroy()
                domain.undefine()
        return []


def process_of(uuid_text: str) -> int:
    """The QEMU process that runs the guest of that UUID."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if b"-uuid" in words and uuid_text.encode() in words:
                return int(entry)
    raise RuntimeError("no QEMU process")


def main() -> None:
    """Answer until standard input ends."""
    work = Work()
    print("ready", flush=True)
    for line in sys.stdin:
        measure, count = line.split()
        try:
            reply = getattr(work, measure)(int(count))
        except (libvirt.libvirtError, RuntimeError) as error:
            reply = {"error": str(error)}
        print(json.dumps(reply), flush=True)


main()
