"""Targets of iSCSI servers, reached by libiscsi without the kernel: a logical unit is a volume for QEMU.

libiscsi's programs are asked; the password reaches them in their environment, which only their user can read.

Source: https://libvirt.org/storage.html, "iSCSI direct pool"; iscsi-ls(1), iscsi-readcapacity16(1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final

from guesthouse.drivers.storage.backend import Ability, Order, Survey, VolumeBackend, VolumeFacts, Work
from guesthouse.drivers.storage.backends import tools
from guesthouse.drivers.storage.backends.base import Host, PoolBackend, no_support, one_host
from guesthouse.drivers.storage.backends.iscsi import DEFAULT_PORT
from guesthouse.drivers.storage.volumes.local import LocalVolumes
from guesthouse.errors import Code, InternalError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.pool import Pool
from guesthouse.model.pool_source import Source

_TARGET: Final = re.compile(r"Target:(\S+)\s+Portal:(\S+)")
_UNIT: Final = re.compile(r"Lun:(\d+)\s+Type:DIRECT_ACCESS\b.*")
_NUMBER: Final = re.compile(r"(RETURNED LOGICAL BLOCK ADDRESS|LOGICAL BLOCK LENGTH IN BYTES):(\d+)")


def parse_listing(output: str) -> dict[str, list[int]]:
    """Target to the numbers of its disks, from `iscsi-ls -s`."""
    found: dict[str, list[int]] = {}
    units: list[int] = []
    for line in output.splitlines():
        if match := _TARGET.match(line.strip()):
            units = found.setdefault(match[1], [])
        elif (match := _UNIT.match(line.strip())) and int(match[1]) not in units:
            units.append(int(match[1]))
    return found


def parse_capacity(output: str) -> int:
    """The size of a unit in bytes, from `iscsi-readcapacity16`. Raises `InternalError`."""
    numbers = {match[1]: int(match[2]) for match in _NUMBER.finditer(output)}
    try:
        return (numbers["RETURNED LOGICAL BLOCK ADDRESS"] + 1) * numbers["LOGICAL BLOCK LENGTH IN BYTES"]
    except KeyError:
        raise InternalError("Failed to get capacity of lun", domain=Origin.STORAGE) from None


def server(source: Source) -> str:
    """`HOST:PORT` of the only server."""
    host = one_host(source)
    name = f"[{host.name}]" if ":" in host.name else host.name
    return f"{name}:{host.port or DEFAULT_PORT}"


def initiator(source: Source) -> str:
    """The name under which we log in. Raises `UnsupportedConfigError`."""
    if source.initiator is None or source.initiator.iqn is None:
        raise UnsupportedConfigError("missing initiator IQN", domain=Origin.STORAGE)
    return source.initiator.iqn.name


def credentials(source: Source, host: Host) -> dict[str, str]:
    """What libiscsi's programs find in their environment to log in with."""
    auth = source.auth
    if auth is None:
        return {}
    if auth.type != "chap":
        raise LibvirtError(
            "iscsi-direct pool only supports 'chap' auth type", code=Code.XML_ERROR, domain=Origin.STORAGE
        )
    if host.secret is None:
        raise InternalError("there is no secret for the pool's authentication", domain=Origin.STORAGE)
    password = host.secret("iscsi", auth.secret).decode("utf-8", "surrogateescape")
    return {"LIBISCSI_CHAP_USERNAME": auth.username, "LIBISCSI_CHAP_PASSWORD": password}


async def targets(source: Source, host: Host) -> list[str]:
    """The targets that a server offers; nobody logs in to them."""
    words = ("-i", initiator(source), f"iscsi://{server(source)}/")
    finished = await tools.attempt("iscsi-ls", *words, extra=credentials(source, host))
    return list(parse_listing(tools.expect(finished, "iscsi-ls", *words)))


async def units(source: Source, target: str, host: Host) -> list[int]:
    """The numbers of a target's disks. That another target of the server refuses us does not matter."""
    words = ("-s", "-i", initiator(source), f"iscsi://{server(source)}/")
    finished = await tools.attempt("iscsi-ls", *words, extra=credentials(source, host))
    found = parse_listing(finished.output.decode("utf-8", "replace")).get(target)
    if found:
        return found
    tools.expect(finished, "iscsi-ls", *words)
    if found is None:
        raise InternalError(f"Failed to login: the server has no target '{target}' for us", domain=Origin.STORAGE)
    return found


class DirectVolumes(LocalVolumes):
    """The units of a target. Only QEMU opens them."""

    abilities: ClassVar[frozenset[Ability]] = frozenset()

    def __init__(self, definition: Pool, host: Host) -> None:
        super().__init__(definition)
        self._host = host

    @property
    def _source(self) -> Source:
        source = self.definition.source
        if source is None or len(source.devices) != 1:
            raise InternalError("missing source device", domain=Origin.STORAGE)
        return source

    async def survey(self, known: Mapping[str, VolumeFacts]) -> Survey:
        """All units of the target."""
        source = self._source
        target = source.devices[0].path
        found = {}
        for number in await units(source, target, self._host):
            url = f"iscsi://{server(source)}/{target}/{number}"
            output = await tools.attempt(
                "iscsi-readcapacity16", "-i", initiator(source), url, extra=credentials(source, self._host)
            )
            size = parse_capacity(tools.expect(output, "iscsi-readcapacity16", url))
            path = self.path(f"unit:0:0:{number}")
            found[f"unit:0:0:{number}"] = VolumeFacts(f"unit:0:0:{number}", "network", path, path, "", size, size)
        total = sum(volume.capacity for volume in found.values())
        return Survey(total, 0, total, found)

    async def look(self, name: str) -> Survey:
        """One unit."""
        found = await self.survey({})
        kept = {name: found.volumes[name]} if name in found.volumes else {}
        return Survey(found.capacity, found.available, found.allocation, kept)

    def path(self, name: str) -> str:
        """A name for the unit that says which it is; there is no file of it."""
        return f"ip-{server(self._source)}-iscsi-{self._source.devices[0].path}-lun-{name.rpartition(':')[2]}"

    def image(self, volume: VolumeFacts) -> str:
        """What QEMU opens."""
        return f"iscsi://{server(self._source)}/{self._source.devices[0].path}/{volume.name.rpartition(':')[2]}"

    async def make(self, order: Order) -> None:
        """Units are made by whoever runs the server."""
        raise no_support(Ability.CREATE.value)

    async def discard(self, name: str) -> None:
        """Nothing is ever made."""

    async def delete(self, volume: VolumeFacts, *, snapshots: bool = False) -> None:
        """Units are removed by whoever runs the server."""
        raise no_support(Ability.DELETE.value)

    async def resize(
        self, volume: VolumeFacts, capacity: int, *, allocate: bool, shrink: bool, secret: bytes | None = None
    ) -> None:
        """Units are resized by whoever runs the server."""
        raise no_support(Ability.RESIZE.value)

    async def wipe(self, volume: VolumeFacts, algorithm: str, work: Work) -> None:
        """The daemon does not open the units."""
        raise no_support(Ability.WIPE.value)


class DirectPool(PoolBackend):
    """A target."""

    needs: ClassVar[tuple[str, ...]] = ("iscsi-ls", "iscsi-readcapacity16")
    durable: ClassVar[bool] = False

    def volumes(self) -> VolumeBackend:
        """The units."""
        return DirectVolumes(self.definition, self.host)
