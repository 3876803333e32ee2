"""What the host contributes to guests' special devices: places of their files, and what is looked up when they start.

The model itself touches nothing of the host. Here is what it asks for, with answers for a host that has nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from guesthouse.errors import LibvirtError
from guesthouse.model.qemu_objects import FdSet
from guesthouse.model.sysinfo import HostSysinfo


@dataclass(frozen=True, slots=True)
class Virtiofsd:
    """The host's program that shares directories. `separate_options` tells the newer one, which takes `--shared-dir`.

    `mapped_users` and `mapped_groups` are the ranges (start, target, count) with which an ordinary user can run it.
    """

    path: str
    separate_options: bool = True
    mapped_users: tuple[tuple[int, int, int], ...] = ()
    mapped_groups: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class TpmPrograms:
    """The host's TPM emulator, swtpm, and what it and its setup program say of themselves (`--print-capabilities`).

    They run as `user`, or as whoever starts them; with `environment` on top of the usual, where their configuration
    lies elsewhere. `own_configuration` asks for one of the user's own.
    """

    features: frozenset[str] = frozenset()
    setup_features: frozenset[str] = frozenset()
    user: str | None = None
    own_configuration: bool = False
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VsockEnd:
    """The host's end of a vsock: the context id that the guest has, and the open device, if it is handed over."""

    cid: int
    fd: int | None = None


def _no_virtiofsd(_path: str | None) -> Virtiofsd | None:
    return None


def _no_swtpm() -> TpmPrograms | None:
    return None


def _no_vsock(_cid: int | None) -> VsockEnd:
    raise LibvirtError("unable to open vhost-vsock device", hint="load the kernel module vhost_vsock")


def _not_opened(_path: str) -> int | None:
    return None


def _no_set(_path: str, _purpose: str) -> FdSet | None:
    return None


def _no_generic(_adapter: str, _bus: int, _target: int, _unit: int) -> str:
    raise LibvirtError("this host has no SCSI device to look up")


def _no_usb(_vendor: int | None, _product: int | None, _place: tuple[int, int] | None) -> tuple[int, int]:
    raise LibvirtError("this host has no USB device to look up")


def _unknown_is_express(_address: str) -> bool:
    return True


def _no_smbios() -> HostSysinfo | None:
    return None


def _no_mdev(_uuid: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class HostParts:
    """Places and lookups.

    `swtpm_storage` keeps the state of TPMs, `nvram` what guests write to persistent memory, `shmem` is what the names
    of the sockets of shared memory servers begin with.
    `find_virtiofsd` knows the program of a path, or the host's, `find_swtpm` the host's TPM emulator. `open_vsock`
    takes the wanted context id, or None for any free one. `open_vhost` opens a device of the kernel's vhost,
    `open_device` another device of the host for reading and writing; None leaves that to QEMU. `scsi_generic` names the
    generic device of a SCSI adapter, bus, target and unit. `find_usb` tells bus and number of the one USB device of a
    vendor and product, of a bus and number, or of all that. `is_express` says whether a PCI device of the host is PCI
    Express, for which those are taken that are not there; `has_mdev` whether there is a mediated device of a UUID.
    `smbios` tells what the host's firmware says of the host, as far as it can be read.
    """

    swtpm_storage: str = "/var/lib/libvirt/swtpm"
    nvram: str = "/var/lib/libvirt/qemu/nvram"
    shmem: str = "/var/lib/libvirt/shmem"
    find_virtiofsd: Callable[[str | None], Virtiofsd | None] = _no_virtiofsd
    find_swtpm: Callable[[], TpmPrograms | None] = _no_swtpm
    open_vsock: Callable[[int | None], VsockEnd] = _no_vsock
    open_vhost: Callable[[str], int | None] = _not_opened
    open_device: Callable[[str, str], FdSet | None] = _no_set
    scsi_generic: Callable[[str, int, int, int], str] = _no_generic
    find_usb: Callable[[int | None, int | None, tuple[int, int] | None], tuple[int, int]] = _no_usb
    is_express: Callable[[str], bool] = _unknown_is_express
    has_mdev: Callable[[str], bool] = _no_mdev
    smbios: Callable[[], HostSysinfo | None] = _no_smbios


#: A host that has nothing, with libvirt's places.
NOTHING: Final = HostParts()
