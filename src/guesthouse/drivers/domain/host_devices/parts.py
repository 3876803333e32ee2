"""What this host contributes to guests' special devices: the answers to what `model.domain.host_parts` asks.

`look` asks what takes time (the features of helper programs) before a device is realised; the rest is read from sysfs
when it is asked for.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.drivers.connect.host_sysinfo import read_host_sysinfo
from guesthouse.errors import LibvirtError
from guesthouse.host import mdev, pci, scsi, usb, vsock
from guesthouse.host.files import read_limited
from guesthouse.host.sysfs import HostTree
from guesthouse.model.domain.devices.base import Device
from guesthouse.model.domain.devices.filesystem import VIRTIOFS, Filesystem
from guesthouse.model.domain.devices.swtpm import PROGRAM as SWTPM
from guesthouse.model.domain.devices.swtpm import SETUP as SWTPM_SETUP
from guesthouse.model.domain.devices.tpm import Tpm
from guesthouse.model.domain.host_parts import HostParts, TpmPrograms, Virtiofsd, VsockEnd

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.places import Places

#: Where packages describe their vhost-user programs; what comes first wins.
DESCRIPTORS = ("/etc/qemu/vhost-user", "/usr/share/qemu/vhost-user")
_DESCRIPTOR_LIMIT = 65536
_SWTPM_USER = "tss"
_SWTPM_ASKED = (SWTPM, "socket")


async def look(driver: Guests, device: Device) -> None:
    """Learn what the device's programs can do."""
    if isinstance(device, Tpm) and device.backend.type == "emulator":
        await driver.programs.ask(*_SWTPM_ASKED)
        await driver.programs.ask(SWTPM_SETUP)
    elif isinstance(device, Filesystem) and device.kind == VIRTIOFS:
        path = device.binary.path if device.binary is not None else None
        if path is not None:
            await driver.programs.ask(path)


def of(driver: Guests) -> HostParts:
    """The parts of the host of this daemon."""
    places = driver.places
    return HostParts(
        swtpm_storage=str(places.tpm_state),
        nvram=str(places.nvram),
        shmem=str(places.lib / "shmem"),
        find_virtiofsd=lambda path: _virtiofsd(driver, path),
        find_swtpm=lambda: _swtpm(driver),
        open_vsock=_free_vsock,
        scsi_generic=scsi.generic_device,
        find_usb=usb.find,
        is_express=_is_express,
        has_mdev=mdev.exists,
        smbios=lambda: read_host_sysinfo(HostTree()),
    )


def at_definition(places: Places) -> HostParts:
    """The parts that a definition is completed with."""
    return HostParts(nvram=str(places.nvram), shmem=str(places.lib / "shmem"), is_express=_is_express)


def imagined(parts: HostParts) -> HostParts:
    """The same for a guest that is only shown, not started: nothing is claimed, and devices need not be there."""
    return replace(
        parts,
        open_vsock=lambda cid: VsockEnd(cid or vsock.FIRST),
        find_usb=lambda _vendor, _product, place: place or (0, 0),
        has_mdev=lambda _uuid: True,
    )


def _is_express(address: str) -> bool:
    try:
        return pci.device(address).express
    except LibvirtError:
        return True


def _free_vsock(cid: int | None) -> VsockEnd:
    """A context id that was free a moment ago: QEMU opens the kernel's device by itself."""
    number, descriptor = vsock.claim(cid)
    os.close(descriptor)
    return VsockEnd(number)


def _swtpm(driver: Guests) -> TpmPrograms | None:
    features, setup = driver.programs.of(*_SWTPM_ASKED), driver.programs.of(SWTPM_SETUP)
    if features is None or setup is None:
        return None
    places = driver.places
    if places.mode == "system":
        return TpmPrograms(features, setup, user=_user(_SWTPM_USER))
    # A session has its own configuration where swtpm looks for it; with --root it lies beside everything else.
    here = (("XDG_CONFIG_HOME", str(places.config.parent if places.mode == "session" else places.config)),)
    return TpmPrograms(features, setup, own_configuration=True, environment=here)


def _user(name: str) -> str | None:
    """The user, if the host has one of that name and we may become it."""
    with contextlib.suppress(KeyError):
        pwd.getpwnam(name)
        return name if os.geteuid() == 0 else None
    return None


def _virtiofsd(driver: Guests, path: str | None) -> Virtiofsd | None:
    described = dict(_described())
    if path is None:
        path = next(iter(described), None)
    if path is None or not os.access(path, os.X_OK):
        return None
    features = described.get(path) or driver.programs.of(path) or frozenset()
    if os.geteuid() == 0:
        return Virtiofsd(path, "separate-options" in features)
    return Virtiofsd(
        path,
        "separate-options" in features,
        _own_range("/etc/subuid", os.geteuid()),
        _own_range("/etc/subgid", os.getegid()),
    )


def _described() -> Iterator[tuple[str, frozenset[str]]]:
    """The virtiofsd that the packages of this host describe, each with its features."""
    for directory in DESCRIPTORS:
        with contextlib.suppress(OSError):
            for entry in sorted(os.listdir(directory)):
                with contextlib.suppress(OSError, ValueError, LibvirtError):
                    text = json.loads(read_limited(Path(directory) / entry, _DESCRIPTOR_LIMIT))
                    if entry.endswith(".json") and isinstance(text, dict) and text.get("type") == "fs":
                        yield str(text["binary"]), frozenset(map(str, text.get("features", ())))


def _own_range(file: str, own: int) -> tuple[tuple[int, int, int], ...]:
    """How an ordinary user maps ids: 0 is the user itself, the others are those that the host lent it."""
    with contextlib.suppress(OSError, LibvirtError, ValueError, KeyError):
        name = pwd.getpwuid(os.geteuid()).pw_name
        for line in read_limited(file, _DESCRIPTOR_LIMIT).decode("utf-8", "replace").splitlines():
            owner, first, count = line.split(":")
            if owner in (name, str(os.geteuid())):
                return (0, own, 1), (1, int(first), int(count))
    return ((0, own, 1),)
