"""What each QEMU on this host can do, asked once per binary and kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

from guesthouse.model.qemu_capabilities import QemuCapabilities
from guesthouse.qemu.probe import probe


class Emulators:
    """Capabilities by QEMU's path. `kvm` says whether KVM was seen working."""

    def __init__(self, cache: Path, *, kvm: bool) -> None:
        self.kvm = kvm
        self._cache = cache
        self._known: dict[str, tuple[tuple[int, int], QemuCapabilities]] = {}
        self._asking: dict[str, asyncio.Task[QemuCapabilities]] = {}

    async def capabilities(self, binary: str) -> QemuCapabilities:
        """What `binary` can do; asked again when the file has changed. Raises what `probe` raises."""
        stamp = _stamp(binary)
        known = self._known.get(binary)
        if known is not None and known[0] == stamp:
            return known[1]
        task = self._asking.get(binary)
        if task is None:
            task = asyncio.create_task(probe(binary, self._cache, kvm=self.kvm))
            self._asking[binary] = task
            task.add_done_callback(lambda _: self._asking.pop(binary, None))
        found = await asyncio.shield(task)
        self._known[binary] = (stamp, found)
        return found

    def known(self, binary: str) -> QemuCapabilities | None:
        """What is known already, without asking."""
        known = self._known.get(binary)
        return known[1] if known else None


def _stamp(binary: str) -> tuple[int, int]:
    """When a file last changed, and its size; zeros for one that is not there."""
    try:
        facts = Path(binary).stat()
    except OSError:
        return 0, 0
    return facts.st_mtime_ns, facts.st_size
