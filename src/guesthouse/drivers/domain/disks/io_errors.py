"""What QEMU says of images that could not be read or written: found, kept for clients, and put into the guest's log.

Texts are libvirt's, of `virDomainGetMessages` and of the guest's log.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.devices import alias_of_disk
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.qemu.guest_log import GuestLog, timestamp
from guesthouse.qemu.json_value import JsonObject, text_of

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


@dataclass(frozen=True, slots=True)
class IoError:
    """Which disk's which image failed. `reason` is libvirt's word: `enospc`, `message` or none."""

    alias: str
    path: str
    reason: str


def heard(driver: Guests, run: Run, data: JsonObject) -> IoError:
    """What an event BLOCK_IO_ERROR is about; its text is kept with the run and goes into the guest's log."""
    alias, path = alias_of_disk(run.live, text_of(data, "qom-path") or text_of(data, "device"))
    node, text = text_of(data, "node-name"), text_of(data, "reason")
    target, image = _place(run.live, alias, node)
    if image is not None:
        path = image.source.path or path
    now = timestamp(datetime.now(UTC))
    if target:
        index = image.index if image is not None else 0
        run.io_errors[target, index] = (
            f"I/O error: disk='{target}', index='{index}', path='{path or '-'}', timestamp='{now}', message='{text}'"
        )
    note = f"IO error device='{alias}' node-name='{node}' reason='{text}'"
    driver.background(driver.in_thread(_append, driver, run.live.name, note))
    return IoError(alias, path, "enospc" if data.get("nospace") is True else "message" if text else "")


def _place(live: Domain, alias: str, node: str) -> tuple[str, Image | None]:
    """The target and the image that a node belongs to; else the image that the disk of this alias writes."""
    for disk in live.devices.disks:
        for image in disk.layers():
            if node and node in (image.storage_node, image.format_node, image.slice_node):
                return disk.target.dev, image
    for disk in live.devices.disks:
        if disk.alias is not None and disk.alias.name == alias:
            return disk.target.dev, next(iter(disk.layers()), None)
    return "", None


def _append(driver: Guests, name: str, text: str) -> None:
    with contextlib.suppress(OSError), contextlib.closing(GuestLog(driver.places.guest_logs / f"{name}.log")) as log:
        log.note(text)
