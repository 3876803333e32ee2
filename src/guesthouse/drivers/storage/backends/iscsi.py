"""Targets of iSCSI servers, attached by the kernel: a logical unit is a volume.

Source: https://libvirt.org/storage.html, "iSCSI pool"; iscsiadm(8), iscsid.conf.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from pathlib import Path
from typing import ClassVar, Final

from guesthouse.drivers.storage.backend import VolumeBackend
from guesthouse.drivers.storage.backends import tools
from guesthouse.drivers.storage.backends.base import PoolBackend, one_host
from guesthouse.drivers.storage.backends.iscsi_text import (
    parse_interfaces,
    parse_sessions,
    parse_targets,
    with_settings,
)
from guesthouse.drivers.storage.backends.unit_volumes import UnitVolumes
from guesthouse.drivers.storage.backends.units import HOST, in_use, list_units, need_stable
from guesthouse.errors import InternalError, OperationFailedError, Origin, XmlError
from guesthouse.host.files import write_atomic
from guesthouse.model.pool_source import Source

log = logging.getLogger(__name__)

DEFAULT_PORT: Final = 3260
#: Where distributions let iscsiadm keep its records.
_RECORDS: Final = (Path("/etc/iscsi/nodes"), Path("/var/lib/iscsi/nodes"))
_ADAPTER: Final = re.compile(r"target(\d+):")
#: iscsiadm's exit code where nothing is there.
_NO_OBJECTS: Final = 21


def portal(source: Source) -> str:
    """The server as iscsiadm takes it: `HOST:PORT,1`."""
    host = one_host(source)
    name = f"[{host.name}]" if ":" in host.name else host.name
    return f"{name}:{host.port or DEFAULT_PORT},1"


def initiator_name(source: Source) -> str | None:
    """The name under which the source wants to log in; None for the host's own."""
    if source.initiator is None or source.initiator.iqn is None:
        return None
    return source.initiator.iqn.name


async def sessions() -> dict[str, int]:
    """Target to the number of its session, for those that are attached."""
    finished = await tools.attempt("iscsiadm", "--mode", "session")
    if finished.exit.code == _NO_OBJECTS:
        return {}
    return parse_sessions(tools.expect(finished, "iscsiadm", "--mode", "session"))


async def interface(initiator: str) -> str | None:
    """The interface of iscsiadm that goes by this initiator's name; None where there is none yet."""
    return parse_interfaces(await tools.run("iscsiadm", "--mode", "iface")).get(initiator)


async def discover(source: Source) -> list[str]:
    """The targets that a server offers to the source's initiator."""
    arguments = ["--mode", "discovery", "--type", "sendtargets", "--portal", portal(source), "--op", "nonpersistent"]
    initiator = initiator_name(source)
    if initiator is not None:
        name = await interface(initiator)
        if name is None:
            raise OperationFailedError(f"no iSCSI interface defined for IQN {initiator}", domain=Origin.STORAGE)
        arguments += ["--interface", name]
    return parse_targets(await tools.run("iscsiadm", *arguments, deadline=tools.ATTACH))


class IscsiPool(PoolBackend):
    """A target."""

    needs: ClassVar[tuple[str, ...]] = ("iscsiadm",)

    @property
    def target(self) -> str:
        """The target's name."""
        if len(self.source.devices) != 1:
            raise InternalError("missing source device", domain=Origin.STORAGE)
        return self.source.devices[0].path

    def volumes(self) -> VolumeBackend:
        """The units of the target."""
        return UnitVolumes(self.definition, self.find_units)

    async def check(self) -> bool:
        """Whether we are logged in."""
        one_host(self.source)
        return self.target in await sessions()

    async def start(self) -> None:
        """Log in, if we are not."""
        need_stable(self.definition.path)
        where = portal(self.source)
        if await self.check():
            return
        node = ("--mode", "node", "--portal", where, "--targetname", self.target)
        await tools.run("iscsiadm", *node, "--op", "new")
        await self._authenticate()
        await tools.run("iscsiadm", *node, "--login", *await self._interface(where), deadline=tools.ATTACH)

    async def stop(self) -> str:
        """Log out, unless a unit is in use: it would be torn from whoever has it."""
        number = (await sessions()).get(self.target)
        if number is None:
            return ""
        units = list_units(self._adapter(number))
        used = [unit.node for unit in units if await asyncio.to_thread(in_use, unit.node)]
        if used:
            return f"the session with '{self.target}' stays, because {', '.join(used)} is in use"
        node = ("--mode", "node", "--portal", portal(self.source), "--targetname", self.target)
        await tools.run("iscsiadm", *node, "--logout", deadline=tools.ATTACH)
        return ""

    async def find_units(self) -> int:
        """The number of the session's adapter, after the kernel has looked for units behind it."""
        number = (await sessions()).get(self.target)
        if number is None:
            raise InternalError("cannot find iscsiadm session: no session with the target", domain=Origin.STORAGE)
        await tools.run("iscsiadm", "--mode", "session", "-r", str(number), "-R", deadline=tools.ATTACH)
        await tools.settle()
        return self._adapter(number)

    def _adapter(self, session: int) -> int:
        path = HOST.sys / f"class/iscsi_session/session{session}/device"
        try:
            names = sorted(os.listdir(path))
        except OSError:
            names = []
        for name in names:
            if match := _ADAPTER.match(name):
                return int(match[1])
        raise InternalError(f"Failed to get host number for iSCSI session with path '{path}'", domain=Origin.STORAGE)

    async def _interface(self, where: str) -> list[str]:
        """The option that makes the initiator's name ours, which is defined first where it is new."""
        initiator = initiator_name(self.source)
        if initiator is None:
            return []
        name = await interface(initiator)
        if name is None:
            name = f"libvirt-iface-{os.urandom(4).hex()}"
            mode = ("--mode", "iface", "--interface", name)
            await tools.run("iscsiadm", *mode, "--op", "new")
            await tools.run("iscsiadm", *mode, "--op", "update", "--name", "iface.initiatorname", "--value", initiator)
            # A target is known to an interface only after it was discovered over that.
            await tools.run(
                "iscsiadm", "--mode", "discovery", "--type", "sendtargets", "--portal", where, "--interface", name,
                deadline=tools.ATTACH,
            )  # fmt: skip
        return ["--interface", name]

    async def _authenticate(self) -> None:
        """Write into the node's record as whom we log in: on a command line, everybody would read the password."""
        auth = self.source.auth
        if auth is None:
            return
        if auth.type != "chap":
            raise XmlError("iscsi pool only supports 'chap' auth type")
        if self.host.secret is None or auth.secret is None:
            raise InternalError("there is no secret for the pool's authentication", domain=Origin.STORAGE)
        password = self.host.secret("iscsi", auth.secret).decode("utf-8", "surrogateescape")
        if "\n" in password:
            raise OperationFailedError("the secret's value has a line break, which iSCSI cannot take")
        settings = {
            "node.session.auth.authmethod": "CHAP",
            "node.session.auth.username": auth.username or "",
            "node.session.auth.password": password,
        }
        await asyncio.to_thread(_change_records, self.target, settings)


def _change_records(target: str, settings: dict[str, str]) -> None:
    """Change what iscsiadm has written down of a target. Raises `OperationFailedError` where it has not."""
    records = [path for root in _RECORDS for path in (root / target).rglob("*") if path.is_file()]
    if not records:
        raise OperationFailedError(
            f"iscsiadm keeps no record of '{target}' in {' or '.join(map(str, _RECORDS))}", domain=Origin.STORAGE
        )
    for path in records:
        text = with_settings(path.read_text(encoding="utf-8", errors="surrogateescape"), settings)
        write_atomic(path, text.encode("utf-8", "surrogateescape"), mode=0o600)
