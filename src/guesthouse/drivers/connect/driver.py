"""The connect driver as the daemon sees it: made once, started, asked, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, cast

from guesthouse.drivers.connect.emulators import Emulators
from guesthouse.drivers.connect.guest_document import firmware_offer, guest_document
from guesthouse.drivers.connect.host_document import guest_section, host_document
from guesthouse.drivers.connect.host_sysinfo import of_tables
from guesthouse.drivers.connect.node import Node
from guesthouse.drivers.connect.procedures import TABLE
from guesthouse.drivers.connect.processors import host_cpu
from guesthouse.errors import LibvirtError
from guesthouse.host.cpu import CpuCounts, kvm_max_vcpus
from guesthouse.host.dmi import read_smbios
from guesthouse.host.files import write_atomic
from guesthouse.host.identity import canonical_hostname, dmi_uuid, machine_uuid, valid_uuid
from guesthouse.host.sysfs import HostTree, read_text
from guesthouse.model.sysinfo import format_sysinfo
from guesthouse.qemu.catalogue import Catalogue
from guesthouse.qemu.firmware import directories, read, supported

if TYPE_CHECKING:
    from guesthouse.drivers.api import DaemonSettings, Handler
    from guesthouse.drivers.connect.emulators import Choice
    from guesthouse.model.cpu_definition import CpuDefinition
    from guesthouse.model.qemu_capabilities import QemuCapabilities
    from guesthouse.places import Places
    from guesthouse.rpc.procedure import Procedure

log = logging.getLogger(__name__)

#: How many documents about guests are kept; one is 60 to 150 kB and takes milliseconds to make.
_DOCUMENTS = 8


class ConnectDriver:
    """What answers for the host."""

    def __init__(self, places: Places, settings: DaemonSettings, tree: HostTree) -> None:
        self._places = places
        self._settings = settings
        self._tree = tree
        self._cpu: tuple[CpuCounts, CpuDefinition] | None = None
        self._sections: dict[str, tuple[QemuCapabilities, str]] = {}
        self._documents: dict[tuple[object, ...], tuple[QemuCapabilities, str]] = {}
        self._asking: asyncio.Task[None] | None = None
        self.node = Node(tree)
        self.emulators = Emulators(Catalogue.at(places.cache), self.node.arch)
        #: The host's name, with its domain where the resolver knew it at start.
        self.hostname = os.uname().nodename
        #: The host's UUID, which two hosts of a migration must not share.
        self.host_uuid: str = ""

    @property
    def busy(self) -> bool:
        """The driver has nothing that a daemon would have to stay for."""
        return False

    @property
    def table(self) -> dict[Procedure, Handler[object]]:
        """The procedures that the driver answers."""
        return cast("dict[Procedure, Handler[object]]", TABLE)

    async def start(self) -> None:
        """Find out who the host is. The default QEMU is asked in the background, so that no client waits for it."""
        self.host_uuid = find_host_uuid(self._places, self._settings, self._tree)
        self._asking = asyncio.create_task(self._ask_default(), name="ask the default QEMU")
        self.hostname = await canonical_hostname()

    async def _ask_default(self) -> None:
        program = self.emulators.program(self.node.arch)
        if program is not None:
            with contextlib.suppress(LibvirtError):  # told to the client that asks
                await self.emulators.catalogue.capabilities(program)

    async def reload(self) -> None:
        """Look at the host and its QEMUs anew."""
        self._cpu = None
        self.node = Node(self._tree)
        self.emulators.catalogue.forget()
        self.hostname = await canonical_hostname()

    async def stop(self) -> None:
        """End probes that are under way."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self.emulators.catalogue.close()

    def host_cpu(self) -> CpuDefinition:
        """The host's processor; found out once for each way in which processors are online."""
        counts = self.node.counts()
        if self._cpu is None or self._cpu[0] != counts:
            self._cpu = (counts, host_cpu(self.node))
        return self._cpu[1]

    def sysinfo(self) -> str | None:
        """The host's SMBIOS tables as `<sysinfo>`; None where the firmware has none or they are not ours to read."""
        found = read_smbios(self._tree)
        return None if found is None else format_sysinfo(of_tables(found))

    async def hypervisor_version(self) -> int:
        """The default emulator's version as libvirt counts it; 0 without an emulator."""
        program = self.emulators.program(self.node.arch)
        return (await self.emulators.catalogue.capabilities(program)).version_number if program is not None else 0

    async def capabilities_document(self) -> str:
        """`<capabilities>`. A program that cannot be asked has no guests."""
        sections = []
        for arch, program in sorted(self.emulators.installed().items()):
            try:
                known = await self.emulators.catalogue.capabilities(program)
            except LibvirtError as error:
                log.warning("%s serves no guests: %s", program, error.message)
                continue
            kept = self._sections.get(arch)
            if kept is None or kept[0] is not known:
                kept = self._sections[arch] = (known, guest_section(arch, known))
            sections.append(kept[1])
        return host_document(self.node, self.host_cpu(), self.host_uuid or None, sections)

    async def domain_capabilities_document(self, choice: Choice) -> str:
        """`<domainCapabilities>` of a choice."""
        address = self.host_cpu().physical_address
        try:
            limit = kvm_max_vcpus(self._tree)
        except OSError:
            limit = None
        session = self._places.config.parent if self._places.mode == "session" else None
        descriptors = supported(read(directories(session)), choice.arch, choice.machine.name)
        firmware = firmware_offer(descriptors)
        bits = address.bits if address is not None else None
        key = (choice.capabilities.binary, choice.arch, choice.guest_type, choice.machine.name, firmware, bits, limit)
        known = self._documents.get(key)
        if known is None or known[0] is not choice.capabilities:
            document = guest_document(choice, firmware, physical_bits=bits, kvm_limit=limit)
            if len(self._documents) >= _DOCUMENTS:
                self._documents.clear()
            known = self._documents[key] = (choice.capabilities, document)
        return known[1]


def find_host_uuid(places: Places, settings: DaemonSettings, tree: HostTree) -> str:
    """The host's UUID: as configured, else as the firmware or machine-id(5) has it, else one that we made and keep.

    A daemon under its own directory is a host of its own, so it always has its own.
    """
    configured = valid_uuid(settings.host_uuid)
    if configured is not None:
        return configured
    if places.mode != "root":
        found = machine_uuid(Path("/etc/machine-id")) if settings.host_uuid_source == "machine-id" else dmi_uuid(tree)
        if found is not None:
            return found
    path = places.lib / "host-uuid"
    kept = valid_uuid(read_text(path))
    if kept is None:
        kept = str(uuid.uuid4())
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, f"{kept}\n".encode(), 0o644)
    return kept


def create(places: Places, settings: DaemonSettings, tree: HostTree | None = None) -> ConnectDriver:
    """The driver for a daemon at `places`. Nothing is read or run before `start`."""
    return ConnectDriver(places, settings, tree or HostTree())
