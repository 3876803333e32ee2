"""What the QEMUs of this host can do and whether KVM works, found out once for all drivers of a daemon.

A program is probed when it is first asked about; callers that ask at the same time share one probe. The answer is kept
until the program's file changes (`guesthouse.qemu.probe` keeps it on disk as well). A failure is not kept.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final
from weakref import WeakValueDictionary

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.qemu_capabilities import QemuCapabilities
from guesthouse.qemu.accel import KvmStatus, probe_kvm
from guesthouse.qemu.probe import probe

if TYPE_CHECKING:
    from pathlib import Path

#: How long the file system of a program may take to answer.
_STAT_SECONDS: Final = 5.0


class Catalogue:
    """The QEMUs that were asked about. `cache` is the daemon's cache directory, None for none.

    `try_kvm` finds out whether KVM works; it is called once.
    """

    _shared: WeakValueDictionary[Path, Catalogue] = WeakValueDictionary()

    def __init__(self, cache: Path | None, try_kvm: Callable[[], Awaitable[KvmStatus]] = probe_kvm) -> None:
        self._cache = cache
        self._try_kvm = try_kvm
        self._trial: asyncio.Task[KvmStatus] | None = None
        self._probes: dict[tuple[str, int], asyncio.Task[QemuCapabilities]] = {}

    @classmethod
    def at(cls, cache: Path) -> Catalogue:
        """The catalogue of the daemon that has this cache directory: the same one for each of its drivers."""
        found = cls._shared.get(cache)
        if found is None:
            found = cls._shared[cache] = cls(cache)
        return found

    async def kvm(self) -> KvmStatus:
        """Whether KVM guests can run here."""
        if self._trial is None:
            self._trial = asyncio.ensure_future(self._tried())
        return await asyncio.shield(self._trial)

    async def _tried(self) -> KvmStatus:
        return await self._try_kvm()

    async def capabilities(self, program: str) -> QemuCapabilities:
        """What `program` can do. Raises `LibvirtError` (38, 1) where it cannot be run or is no QEMU."""
        key = (program, await self._changed(program))
        task = self._probes.get(key)
        if task is None:
            self._probes = {other: known for other, known in self._probes.items() if other[0] != program}
            task = self._probes[key] = asyncio.create_task(self._probe(program), name=f"probe {program}")
            task.add_done_callback(lambda ended: self._drop_failed(key, ended))
        return await asyncio.shield(task)

    def known(self, program: str) -> QemuCapabilities | None:
        """What is known of `program` without asking."""
        for (name, _), task in self._probes.items():
            if name == program and task.done() and not task.cancelled() and task.exception() is None:
                return task.result()
        return None

    async def _probe(self, program: str) -> QemuCapabilities:
        return await probe(program, self._cache, kvm=(await self.kvm()).usable)

    def _drop_failed(self, key: tuple[str, int], ended: asyncio.Task[QemuCapabilities]) -> None:
        failed = ended.cancelled() or ended.exception() is not None
        if failed and self._probes.get(key) is ended:
            del self._probes[key]

    def forget(self) -> None:
        """Find everything out anew at the next question. What is under way goes on for those who wait for it."""
        self._trial = None
        self._probes = {key: task for key, task in self._probes.items() if not task.done()}

    async def close(self) -> None:
        """End what is under way, so that no QEMU outlives the daemon for a question."""
        probes, trial = list(self._probes.values()), self._trial
        self._trial, self._probes = None, {}
        for task in probes:
            task.cancel()
        await asyncio.gather(*probes, return_exceptions=True)
        if trial is not None:
            trial.cancel()
            await asyncio.gather(trial, return_exceptions=True)

    async def _changed(self, program: str) -> int:
        """When the program's file last changed.

        In a thread, because a client may name a path on a file system that hangs; one that has answered before is
        taken to go on doing so.
        """
        try:
            if self.known(program) is not None:
                return os.stat(program).st_mtime_ns
            async with asyncio.timeout(_STAT_SECONDS):
                return (await asyncio.to_thread(os.stat, program)).st_mtime_ns
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else str(error)) or "its file system does not answer"
            raise LibvirtError(
                f"Cannot check QEMU binary {program}: {reason}", code=Code.SYSTEM_ERROR, domain=Origin.QEMU
            ) from None
