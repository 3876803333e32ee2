"""The two ways in which QEMU writes a guest to a descriptor: its memory, and the whole machine as a migration.

Source: QEMU's `qapi/dump.json` and `qapi/migration.json`.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import Final

from guesthouse.drivers.domain.run import Run
from guesthouse.errors import LibvirtError
from guesthouse.qemu.json_value import JsonObject, as_object, text_of

#: `virDomainCoreDumpFormat`, and QEMU's `DumpGuestMemoryFormat`.
FORMATS: Final = (
    "elf",
    "kdump-zlib",
    "kdump-lzo",
    "kdump-snappy",
    "win-dmp",
    "kdump-raw-zlib",
    "kdump-raw-lzo",
    "kdump-raw-snappy",
)

#: What the job is called in errors.
JOB: Final = "domain core dump"

#: A migration to a file is not to be slowed down, in bytes a second.
_UNLIMITED: Final = 2**63 - 2**20


class Producer(ABC):
    """What makes the stream: QEMU, in one of two ways."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @abstractmethod
    async def start(self, descriptor: int) -> None:
        """Begin to write to a descriptor, which QEMU gets a copy of."""

    @abstractmethod
    async def look(self) -> tuple[str, dict[str, int]]:
        """`active`, `completed` or `failed`, and the progress under the names of GET_JOB_STATS."""

    async def cancel(self) -> None:  # noqa: B027 - where there is nothing to ask, nothing is asked
        """Ask QEMU to stop; where it cannot be asked, the end of the pipe stops it."""

    async def settle(self) -> None:  # noqa: B027 - most leave nothing behind
        """Afterwards: leave QEMU as it was."""

    @abstractmethod
    def reason(self) -> str:
        """Why it failed."""


class Memory(Producer):
    """The guest's memory alone."""

    def __init__(self, run: Run, format_: str) -> None:
        super().__init__(run)
        self._format = format_

    async def start(self, descriptor: int) -> None:
        """`dump-guest-memory` in the background."""
        monitor = self.run.talk()
        self.run.dump_error = ""
        await monitor.execute("getfd", {"fdname": "dump"}, fd=descriptor)
        arguments: JsonObject = {"paging": False, "protocol": "fd:dump", "detach": True}
        if self._format != FORMATS[0]:
            arguments["format"] = self._format
        try:
            await monitor.execute("dump-guest-memory", arguments)
        except LibvirtError:
            with contextlib.suppress(LibvirtError):  # QEMU may have taken it already
                await monitor.execute("closefd", {"fdname": "dump"})
            raise

    async def look(self) -> tuple[str, dict[str, int]]:
        """`query-dump`."""
        answer = as_object(await self.run.talk().execute("query-dump"), "the reply of query-dump")
        total, done = _number(answer, "total"), _number(answer, "completed")
        progress = {"memory_total": total, "memory_processed": done, "memory_remaining": max(total - done, 0)}
        return text_of(answer, "status"), progress

    def reason(self) -> str:
        """What QEMU's event said."""
        said = self.run.dump_error
        return f"memory-only dump failed: {said}" if said else "memory-only dump failed for unknown reason"


class Machine(Producer):
    """Memory and devices, as a migration to a file."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._said = ""
        self._bandwidth = 0

    async def start(self, descriptor: int) -> None:
        """`migrate`, as fast as it goes."""
        monitor = self.run.talk()
        known = as_object(await monitor.execute("query-migrate-parameters"), "the parameters of migrations")
        self._bandwidth = _number(known, "max-bandwidth")
        await monitor.execute("migrate-set-parameters", {"max-bandwidth": _UNLIMITED})
        await monitor.execute("getfd", {"fdname": "migrate"}, fd=descriptor)
        try:
            await monitor.execute("migrate", {"uri": "fd:migrate"})
        except LibvirtError:
            with contextlib.suppress(LibvirtError):
                await monitor.execute("closefd", {"fdname": "migrate"})
            raise

    async def look(self) -> tuple[str, dict[str, int]]:
        """`query-migrate`."""
        answer = as_object(await self.run.talk().execute("query-migrate"), "the reply of query-migrate")
        ram = answer.get("ram")
        ram = ram if isinstance(ram, dict) else {}
        progress = {
            "memory_total": _number(ram, "total"),
            "memory_processed": _number(ram, "transferred"),
            "memory_remaining": _number(ram, "remaining"),
            "memory_constant": _number(ram, "duplicate"),
            "memory_normal": _number(ram, "normal"),
            "memory_normal_bytes": _number(ram, "normal-bytes"),
        }
        self._said = text_of(answer, "error-desc")
        status = text_of(answer, "status")
        ended = {"completed": "completed", "failed": "failed", "cancelled": "failed", "": "failed", "none": "failed"}
        return ended.get(status, "active"), progress

    async def cancel(self) -> None:
        """`migrate_cancel`."""
        await self.run.talk().execute("migrate_cancel")

    async def settle(self) -> None:
        """The speed of migrations, as it was."""
        if self._bandwidth:
            await self.run.talk().execute("migrate-set-parameters", {"max-bandwidth": self._bandwidth})

    def reason(self) -> str:
        """What QEMU says of its migration."""
        return f"{JOB} job: {self._said or 'unexpectedly failed'}"


def _number(answer: JsonObject, name: str) -> int:
    found = answer.get(name)
    return found if isinstance(found, int) else 0
