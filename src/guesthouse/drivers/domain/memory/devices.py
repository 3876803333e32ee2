"""What only the running QEMU can tell of a guest's memory devices: where they are, and how much the guest has of them.

Source: QEMU's `qapi/machine.json`, `query-memory-devices` and `MEMORY_DEVICE_SIZE_CHANGE`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.drivers.domain.announcements import EventId
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.memory import MemoryDevice
from guesthouse.qemu.json_value import Json, JsonObject, as_object, objects, text_of

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

QUESTION: Final = "query-memory-devices"


def learn(live: Domain, answer: Json) -> None:
    """Fill in from QEMU's answer to `QUESTION` where each device begins, and how much the guest has of it."""
    for entry in objects(answer, f"the reply of {QUESTION}"):
        data = as_object(entry.get("data"), "a memory device")
        device = named(live, text_of(data, "id"))
        base = data.get("memaddr", data.get("addr"))
        if device is None:
            continue
        if isinstance(base, int):
            device.tell_base(base)
        size = data.get("size")
        if device.requestable and isinstance(size, int):
            device.tell_current(-(-size // 1024))


def named(live: Domain, alias: str) -> MemoryDevice | None:
    """The device with that alias."""
    found = (device for device in live.devices.memories if device.alias is not None and device.alias.name == alias)
    return next(found, None)


def size_changed(driver: Guests, guest: Guest, run: Run, data: JsonObject) -> None:
    """The guest took a part of a virtio-mem device, or gave one back."""
    device, size = named(run.live, text_of(data, "id")), data.get("size")
    if device is None or not isinstance(size, int):
        return
    kib = -(-size // 1024)
    device.tell_current(kib)
    settle_balloon(run)
    guest.changed()
    driver.events.publish(EventId.MEMORY_DEVICE_SIZE_CHANGE, guest, device.name, kib)


def settle_balloon(run: Run) -> None:
    """Note how much memory the guest has: what the balloon leaves it, and what it took of virtio-mem devices."""
    devices = [device for device in run.live.devices.memories if device.requestable]
    left = run.balloon_kib
    if left is None:
        left = run.live.memory.kib - sum(device.kib for device in devices)
    taken = sum(device.target.current.kib for device in devices if device.target.current is not None)
    if run.live.current_memory is not None:
        run.live.current_memory.kib = left + taken
