"""What the driver needs to know of a guest's devices: who is meant, and what only the running QEMU can tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from guesthouse.drivers.domain.memory import devices as memory_devices
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import InternalError, InvalidArgumentError, Origin
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.channel import Channel
from guesthouse.model.domain.devices.chardev import CharacterDevice
from guesthouse.model.domain.devices.disk import Disk
from guesthouse.qemu.json_value import Json, Sendable, as_object, objects, text_of

#: What a running QEMU is asked once: which terminals it opened, which threads its processors are.
_QUESTIONS: tuple[tuple[str, Mapping[str, Sendable] | None], ...] = (
    ("query-chardev", None),
    ("query-cpus-fast", None),
)


def questions(live: Domain) -> list[tuple[str, Mapping[str, Sendable] | None]]:
    """The commands whose answers `learn` wants."""
    return [*_QUESTIONS, *([(memory_devices.QUESTION, None)] if live.devices.memories else [])]


def learn(run: Run, answers: Sequence[Json]) -> None:
    """Fill in what QEMU chose, and what it has."""
    learn_terminals(run.live, answers[0])
    learn_processors(run, answers[1])
    if run.live.devices.memories:
        memory_devices.learn(run.live, answers[2])


def learn_processors(run: Run, answer: Json) -> None:
    """Note which processors QEMU has, and their threads, in the order of their numbers."""
    found = sorted(
        (number, thread)
        for cpu in objects(answer, "the reply of query-cpus-fast")
        if isinstance(thread := cpu.get("thread-id"), int) and isinstance(number := cpu.get("cpu-index"), int)
    )
    run.readings.vcpu_numbers = [number for number, _ in found]
    run.readings.vcpu_threads = [thread for _, thread in found]
    run.readings.vcpus_made = max(run.readings.vcpus_made, len(found))


def learn_terminals(live: Domain, answer: Json) -> None:
    """Fill in which terminals QEMU opened and which ports the guest has, from its answer to `query-chardev`."""
    state = {text_of(entry, "label"): entry for entry in objects(answer, "the reply of query-chardev")}
    for device in character_devices(live):
        entry = state.get(device.chardev) if device.alias else None
        if entry is None:
            continue
        filename = text_of(entry, "filename")
        if device.type == "pty" and filename.startswith("pty:"):
            device.set_path(filename.removeprefix("pty:"))
        if isinstance(device, Channel) and device.target.type == "virtio":
            set_channel_state(device, connected=as_object(entry, "a chardev").get("frontend-open") is True)
    live.devices.mirror_console()


def character_devices(live: Domain) -> Iterator[CharacterDevice]:
    """All devices with a line to the host, consoles first, as `virsh console` looks for them."""
    devices = live.devices
    yield from devices.consoles
    yield from devices.serials
    yield from devices.parallels
    yield from devices.channels


def console_device(live: Domain, name: str | None) -> CharacterDevice:
    """The device of this alias, or the first console, serial or parallel port.

    Raises `InternalError` for an unknown name, `InvalidArgumentError` when there is none at all.
    """
    if name is None:
        first = next(character_devices(live), None)
        if first is None or isinstance(first, Channel):
            raise InvalidArgumentError("cannot find default console device")
        return first
    for device in character_devices(live):
        if device.alias is not None and device.alias.name == name:
            return device
    raise InternalError(f"cannot find character device {name}", domain=Origin.QEMU)


def channel_by_name(live: Domain, name: str | None) -> Channel:
    """The channel of this alias or target name, or the first one. Raises `InternalError`."""
    for channel in live.devices.channels:
        if name is None or name == channel.target.name or (channel.alias is not None and channel.alias.name == name):
            return channel
    raise InternalError(f"cannot find channel {name or '<null>'}", domain=Origin.QEMU)


def channel_by_alias(live: Domain, alias: str) -> Channel | None:
    """The channel that QEMU knows under this id."""
    for channel in live.devices.channels:
        if channel.alias is not None and channel.alias.name == alias:
            return channel
    return None


def agent_channel(live: Domain) -> Channel | None:
    """The channel on which the guest agent answers."""
    return next((channel for channel in live.devices.channels if channel.is_agent), None)


def set_channel_state(channel: Channel, *, connected: bool) -> None:
    """Note whether the guest has opened the channel's port."""
    channel.target.state = "connected" if connected else "disconnected"


def disk_named(live: Domain, name: str) -> Disk | None:
    """The disk with this target name or image path."""
    for disk in live.devices.disks:
        if disk.target.dev == name:
            return disk
    return next((disk for disk in live.devices.disks if disk.path == name), None)


def alias_of_disk(live: Domain, id_or_path: str) -> tuple[str, str]:
    """Alias and image path of the disk that QEMU names by its device's id or QOM path; empty where unknown."""
    parts = id_or_path.split("/")
    for disk in live.devices.disks:
        if disk.alias is not None and disk.alias.name in parts:
            return disk.alias.name, disk.path or ""
    return "", ""


def alias_of_qom_path(path: str) -> str:
    """The alias in `/machine/peripheral/ALIAS/...`; empty where there is none."""
    parts = path.split("/")
    return parts[3] if parts[1:3] == ["machine", "peripheral"] and len(parts) > 3 else ""
