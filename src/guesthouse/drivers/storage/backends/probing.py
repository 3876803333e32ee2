"""What is on a device already, so that nothing is overwritten by mistake and nothing strange is taken up.

The rules and texts are libvirt's; blkid(8) looks, and parted(8) for the three labels that blkid does not know well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from guesthouse.drivers.storage.backends import tools
from guesthouse.drivers.storage.backends.disk_layout import parse_label
from guesthouse.errors import Code, LibvirtError, OperationFailedError, OperationInvalidError, Origin

#: Labels of disks that only parted recognizes.
_PARTED_LABELS: Final = ("dvh", "pc98", "bsd")

_FOUND, _NOTHING, _AMBIVALENT = 0, 2, 8


@dataclass(frozen=True, slots=True)
class Signature:
    """What a device carries: a file system or the like, and a table of partitions; None for neither."""

    content: str | None = None
    table: str | None = None

    @property
    def name(self) -> str | None:
        """The one that counts: a content before a table."""
        return self.content or self.table


def parse_blkid(output: str) -> Signature:
    """What `blkid -p -o export` printed."""
    fields = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    return Signature(fields.get("TYPE"), fields.get("PTTYPE"))


async def look(device: str) -> Signature:
    """What is on a device. Raises error 75 where that is ambiguous or cannot be read."""
    if not await tools.exists(device):
        raise _probe_failed(f"Failed to create filesystem probe for device {device}")
    finished = await tools.attempt("blkid", "-p", "-o", "export", "--", device)
    if finished.exit.code == _NOTHING:
        return Signature()
    if finished.exit.code == _AMBIVALENT:
        raise _probe_failed("Found additional probes to run, probing may be incorrect")
    if finished.exit.code != _FOUND:
        raise _probe_failed(f"Failed to create filesystem probe for device {device}")
    return parse_blkid(finished.output.decode("utf-8", "replace"))


async def need_empty(device: str, wanted: str) -> None:
    """Refuse to write on a device that carries something. `wanted` is what is about to be made."""
    if wanted in _PARTED_LABELS:
        await _parted(device, wanted, write=True)
        return
    found = (await look(device)).name
    if found == wanted:
        raise _built(f"Device '{device}' already formatted using '{wanted}'")
    if found is not None:
        raise _built(
            f"Format of device '{device}' does not match the expected format '{wanted}', forced overwrite is necessary"
        )


async def need_content(device: str, wanted: str) -> None:
    """Refuse to take up a device that does not carry what it should."""
    if wanted in _PARTED_LABELS:
        await _parted(device, wanted, write=False)
        return
    found = (await look(device)).name
    if found is None:
        raise _probe_failed(f"Device '{device}' is unrecognized, requires build")
    if found != wanted:
        raise OperationInvalidError(
            f"Format of device '{device}' does not match the expected format '{wanted}'", domain=Origin.STORAGE
        )


async def _parted(device: str, wanted: str, *, write: bool) -> None:
    finished = await tools.attempt("parted", "-m", "-s", "--", device, "unit", "B", "print")
    words = finished.output.decode("utf-8", "replace") + finished.error_text
    if not finished.ok and "unrecognised disk label" not in words:
        raise _failed("Error checking for disk label, failed to get disk partition information")
    found = parse_label(words) if finished.ok else None
    if found is None and not write:
        raise _failed("Unrecognized disk label found, requires build")
    if found == wanted and write:
        raise OperationInvalidError(f"Disk label already formatted using '{wanted}'", domain=Origin.STORAGE)
    if found not in (None, wanted):
        raise _failed("Known, but different label format present, requires build --overwrite")


def _probe_failed(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.STORAGE_PROBE_FAILED, domain=Origin.STORAGE)


def _built(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.STORAGE_POOL_BUILT, domain=Origin.STORAGE)


def _failed(text: str) -> LibvirtError:
    return OperationFailedError(text, domain=Origin.STORAGE)


#: How much of both ends of a device is zeroed before something is made on it: no table and no label outlives that.
_ERASED: Final = 1024 * 1024


async def erase(device: str) -> None:
    """Destroy the tables and labels on a device. Raises `guesthouse.drivers.storage.backends.tools.ToolError`."""
    size = int(await tools.run("blockdev", "--getsize64", os.path.join("/", device)))
    length = min(_ERASED, size)
    for start in {0, max(size - length, 0)}:
        await tools.run(
            "dd", "if=/dev/zero", f"of={device}", "bs=64K", "conv=notrunc,fsync", "oflag=seek_bytes",
            "iflag=count_bytes", f"seek={start}", f"count={length}", "status=none", deadline=tools.BUILD,
        )  # fmt: skip
