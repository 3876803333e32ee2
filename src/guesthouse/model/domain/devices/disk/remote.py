"""How QEMU reaches storage on a network: the properties of its protocol drivers.

Source: `BlockdevOptions*` in QEMU's `qapi/block-core.json`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from guesthouse.errors import InternalError
from guesthouse.model.domain.devices.disk.source import PlainSource
from guesthouse.model.domain.devices.disk.source_parts import Host
from guesthouse.model.qemu_objects import Json, Props, without_none


@dataclass(frozen=True, slots=True)
class Credentials:
    """The ids of the objects with which QEMU identifies itself, and the name of the user; empty where there are none.

    `encryption` are those of the keys that Ceph's library opens the image with, the outermost first.
    """

    user: str | None = None
    login: str | None = None
    cookies: str | None = None
    tls: str | None = None
    encryption: tuple[str, ...] = ()


def remote_props(source: PlainSource, known: Credentials, gluster_debug: int) -> Props:
    """The driver and its properties.

    Raises `InternalError` for a number of servers, or a way to them, that the driver does not have.
    """
    protocol = source.protocol or ""
    props = _PROPS[protocol](source, known)
    if protocol == "gluster":
        props["debug"] = gluster_debug
    return {"driver": protocol} | without_none(props)


def _only_host(source: PlainSource, name: str) -> Host:
    if len(source.hosts) != 1:
        raise InternalError(f"{name} accepts only one host", hint=f"it has {len(source.hosts)}")
    return source.hosts[0]


def _socket_address(host: Host) -> Props:
    if host.transport == "unix":
        return {"type": "unix", "path": host.socket}
    if host.transport is not None:
        raise InternalError(f"transport protocol '{host.transport}' is not yet supported")
    return {"type": "inet", **_inet_address(host)}


def _inet_address(host: Host) -> Props:
    if host.transport is not None:
        raise InternalError(f"only 'tcp' transport is supported for this protocol, not '{host.transport}'")
    return {"host": host.name, "port": str(host.port or 0)}


def _nbd(source: PlainSource, known: Credentials) -> Props:
    return {
        "server": _socket_address(_only_host(source, "nbd protocol")),
        "export": source.name,
        "tls-creds": known.tls,
        "tls-hostname": source.tls_hostname,
        "reconnect-delay": source.reconnect.delay or None if source.reconnect is not None else None,
    }


def _rbd(source: PlainSource, known: Credentials) -> Props:
    pool, _, image = (source.name or "").partition("/")
    servers: list[Json] = [without_none(_rbd_server(host)) for host in source.hosts]
    encrypt: Props | None = None
    kind = source.encryption.format if source.encryption is not None else None
    for key in reversed(known.encryption):
        encrypt = without_none({"format": kind, "key-secret": key, "parent": encrypt})
    modes: list[Json] = ["cephx", "none"]
    return {
        "pool": pool,
        "image": image,
        "snapshot": source.snapshot,
        "conf": source.config,
        "server": servers or None,
        "encrypt": encrypt,
        "user": known.user,
        "auth-client-required": modes if known.login else None,
        "key-secret": known.login,
    }


def _rbd_server(host: Host) -> Props:
    return _inet_address(host)


def _iscsi(source: PlainSource, known: Credentials) -> Props:
    host = _only_host(source, "iSCSI protocol")
    target, _, lun = (source.name or "").partition("/")
    if not lun.isdecimal():
        raise InternalError(f"cannot parse target for lunStr '{target}'", hint="the name ends with the number of a LUN")
    return {
        "portal": f"{_bracketed(host.name or '')}:{host.port or 0}",
        "target": target,
        "lun": int(lun),
        "transport": "tcp",
        "user": known.user,
        "password-secret": known.login,
        "initiator-name": source.initiator.iqn.name if source.initiator and source.initiator.iqn else None,
    }


def url_of(source: PlainSource) -> str:
    """The URL of a file on a web or FTP server. Raises `InternalError` unless there is exactly one server."""
    host = _only_host(source, f"protocol '{source.protocol}'")
    path = source.name or ""
    port = f":{host.port}" if host.port else ""
    url = f"{source.protocol}://{_bracketed(host.name or '')}{port}{'' if path.startswith('/') else '/'}{_quoted(path)}"
    return url if source.query is None else f"{url}?{source.query}"


def _curl(source: PlainSource, known: Credentials) -> Props:
    return {
        "url": url_of(source),
        "username": known.user,
        "password-secret": known.login,
        "sslverify": source.ssl,
        "cookie-secret": known.cookies,
        "timeout": source.timeout or None,
        "readahead": source.readahead or None,
    }


def _ssh(source: PlainSource, known: Credentials) -> Props:
    host = _only_host(source, "ssh protocol")
    user = known.user or (source.identity.username if source.identity is not None else None)
    return {"path": source.name, "server": _inet_address(host), "user": user}


def _nfs(source: PlainSource, _known: Credentials) -> Props:
    identity = source.identity
    return {
        "server": {"host": source.hosts[0].name, "type": "inet"},
        "path": source.name,
        "user": _number(identity.user) if identity is not None else None,
        "group": _number(identity.group) if identity is not None else None,
    }


def _gluster(source: PlainSource, _known: Credentials) -> Props:
    volume, _, path = (source.name or "").partition("/")
    servers: list[Json] = [_socket_address(host) for host in source.hosts]
    return {"volume": volume, "path": path, "server": servers}


def _number(name: str | None) -> int | None:
    """The number of a user or a group, written with or without a plus sign; names were looked up before."""
    if name is None:
        return None
    number = name.removeprefix("+")
    if not (number.isdecimal() and number.isascii()):
        raise InternalError(f"Failed to find user or group record for name '{name}'")
    return int(number)


def _bracketed(name: str) -> str:
    try:
        return f"[{name}]" if ipaddress.ip_address(name).version == 6 else name
    except ValueError:
        return name


def _quoted(path: str) -> str:
    return quote(path, safe="/:@!$&'()*+,;=-._~%")


_PROPS: Final[dict[str, Callable[[PlainSource, Credentials], Props]]] = {
    "nbd": _nbd,
    "rbd": _rbd,
    "iscsi": _iscsi,
    "http": _curl,
    "https": _curl,
    "ftp": _curl,
    "ftps": _curl,
    "ssh": _ssh,
    "nfs": _nfs,
    "gluster": _gluster,
}
