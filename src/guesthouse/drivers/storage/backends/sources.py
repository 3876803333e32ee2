"""What pools can be made of: volume groups of the host, exports and targets of a server.

Source: https://libvirt.org/html/libvirt-libvirt-storage.html#virConnectFindStoragePoolSources; showmount(8).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

from lxml import etree

from guesthouse.drivers.storage.backends import iscsi, iscsi_direct, logical, tools
from guesthouse.drivers.storage.backends.base import Host, no_support, one_host
from guesthouse.drivers.storage.backends.table import require
from guesthouse.errors import InternalError, InvalidArgumentError, LibvirtError, OperationFailedError, Origin
from guesthouse.model.binding import new
from guesthouse.model.pool import TYPES
from guesthouse.model.pool_source import PoolDevice, PoolHost, Source, format_sources, parse_source

_EXPORT: Final = re.compile(r"(/.*\S) +\S+")


def parse_exports(output: str) -> list[str]:
    """The directories that `showmount --no-headers --exports` printed; one may have spaces in its name."""
    return [match[1] for line in output.splitlines() if (match := _EXPORT.fullmatch(line.rstrip()))]


def parse_gluster(output: str) -> list[str]:
    """The names of the volumes in what `gluster --xml volume info all` printed. Raises `InternalError`."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(output.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise InternalError("gluster printed no XML", domain=Origin.STORAGE) from error
    return [name for volume in root.iterfind(".//volumes/volume") if (name := volume.findtext("name"))]


async def find(kind: str, spec: str | None, host: Host) -> str:
    """A document `<sources>` with what pools of a type can be made of. `spec` is a `<source>` to ask.

    Raises `LibvirtError`: error 3 for types where nobody can tell.
    """
    if kind not in TYPES:
        raise InternalError(f"unknown storage pool type {kind}", domain=Origin.STORAGE)
    finder = _FINDERS.get(kind)
    if finder is None:
        raise no_support(f"pool type '{kind}' does not support source discovery")
    if kind != "netfs":
        require(kind)
    return format_sources(await finder(spec, host))


async def _logical(_spec: str | None, _host: Host) -> list[Source]:
    return [
        new(Source, name=group, format="lvm2", devices=[new(PoolDevice, path=path) for path in devices])
        for group, devices in (await logical.groups()).items()
        if group
    ]


async def _netfs(spec: str | None, _host: Host) -> list[Source]:
    server = one_host(_asked(spec, "netfs", "netfs")).name
    found: list[Source] = []
    complaint = ""
    try:
        exports = parse_exports(await tools.run("showmount", "--no-headers", "--exports", server))
        for path in exports:
            if path.rstrip("/") != path or path == "/":
                raise InternalError(f"invalid netfs path (ends in /): {path}", domain=Origin.STORAGE)
            found.append(new(Source, hosts=[new(PoolHost, name=server)], dir=path, format="nfs"))
    except LibvirtError as error:
        complaint = error.message
    volumes = await _gluster_volumes(server)
    found += [new(Source, hosts=[new(PoolHost, name=server)], dir=name, format="glusterfs") for name in volumes]
    if complaint and not volumes:
        raise OperationFailedError(
            f"no storage pools were found on host '{server}'", domain=Origin.STORAGE, hint=complaint
        )
    return found


async def _gluster_volumes(server: str) -> list[str]:
    if not tools.installed("gluster"):
        return []
    finished = await tools.attempt(
        "gluster", "--xml", "--log-file=/dev/null", "volume", "info", "all", f"--remote-host={server}"
    )
    return parse_gluster(finished.output.decode("utf-8", "replace")) if finished.ok else []


async def _gluster(spec: str | None, _host: Host) -> list[Source]:
    server = one_host(_asked(spec, "gluster", "gluster")).name
    tools.locate("gluster")
    return [
        new(Source, hosts=[new(PoolHost, name=server)], dir="/", name=name) for name in await _gluster_volumes(server)
    ]


async def _iscsi(spec: str | None, _host: Host) -> list[Source]:
    asked = _asked(spec, "iscsi", "iscsi")
    return [_target(asked, target) for target in await iscsi.discover(asked)]


async def _iscsi_direct(spec: str | None, host: Host) -> list[Source]:
    asked = _asked(spec, "iscsi-direct", "iscsi")
    return [_target(asked, target) for target in await iscsi_direct.targets(asked, host)]


def _target(asked: Source, name: str) -> Source:
    server = one_host(asked)
    port = server.port or iscsi.DEFAULT_PORT
    return new(
        Source,
        hosts=[new(PoolHost, name=server.name, port=port)],
        devices=[new(PoolDevice, path=name)],
        initiator=asked.initiator,
    )


def _asked(spec: str | None, kind: str, word: str) -> Source:
    """The source to ask, in which a server must be named."""
    if spec is None:
        raise InvalidArgumentError(f"hostname must be specified for {word} sources", domain=Origin.STORAGE)
    return parse_source(spec, kind)


_FINDERS: Final[dict[str, Callable[[str | None, Host], Awaitable[list[Source]]]]] = {
    "logical": _logical,
    "netfs": _netfs,
    "gluster": _gluster,
    "iscsi": _iscsi,
    "iscsi-direct": _iscsi_direct,
}
