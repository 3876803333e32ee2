"""What each protocol of network storage takes, and what QEMU still speaks.

Source: https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms (`network`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.errors import UnsupportedConfigError, XmlError

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.disk.source import PlainSource

PROTOCOLS: Final = (
    "nbd", "rbd", "sheepdog", "gluster", "iscsi", "http", "https", "ftp", "ftps", "tftp", "ssh", "vxhs", "nfs",
)  # fmt: skip
#: Protocol to the port that libvirt fills in.
DEFAULT_PORTS: Final = {
    "http": 80,
    "https": 443,
    "ftp": 21,
    "ftps": 990,
    "tftp": 69,
    "sheepdog": 7000,
    "nbd": 10809,
    "ssh": 22,
    "iscsi": 3260,
    "gluster": 24007,
    "vxhs": 9999,
}
#: Those whose names begin with a pool or a volume.
WITH_POOL: Final = ("gluster", "rbd")
#: Those that QEMU's curl driver reads.
CURL: Final = ("http", "https", "ftp", "ftps")
_HTTP: Final = ("http", "https")
_SECURE: Final = ("https", "ftps")
_WITH_LOGIN: Final = ("iscsi", "http", "https", "ftp", "ftps", "ssh", "rbd")

#: Field of a source to the protocols that have it, and the text where another has.
_OWNERS: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    ("ssl", _SECURE, "ssl verification is supported only with HTTPS/FTPS protocol"),
    ("cookies", _HTTP, "http cookies are supported only with HTTP(S) protocol"),
    ("readahead", CURL, "readahead is supported only with HTTP(S)/FTP(s) protocols"),
    ("timeout", CURL, "timeout is supported only with HTTP(S)/FTP(s) protocols"),
    ("query", _HTTP, "query is supported only with HTTP(S) protocols"),
    ("tls_hostname", ("nbd",), "'tlsHostname' field is supported only with NBD disks"),
    ("known_hosts", ("ssh",), "<knownHosts> is supported only with 'ssh' disks"),
    ("identity", ("ssh", "nfs"), "<identity> is supported only with 'ssh' and 'nfs' disks"),
    ("initiator", ("iscsi",), "<initiator> is supported only with 'iscsi' disks"),
    ("hosts", PROTOCOLS, "<host> is supported only with 'network' disks"),
)
#: Fields that only RBD has. libvirt overlooks them for other protocols.
_RBD_ONLY: Final = ("snapshot", "config")
#: What no version of QEMU that we run has.
_GONE: Final = {
    "sheepdog": "'sheepdog' protocol is no longer supported by any hypervisor driver",
    "tftp": "'tftp' protocol is not supported with this QEMU binary",
    "vxhs": "'vxhs' protocol is not supported with this QEMU binary",
}
_USAGE_TYPES: Final = ("volume", "ceph", "iscsi", "tls", "vtpm")
_NOT_IN_COOKIES: Final = frozenset('\x7f ",;\\') | {chr(code) for code in range(32)}
_NOT_IN_NAMES: Final = frozenset("()<>@:/[]?={}") | _NOT_IN_COOKIES


def check_protocol(source: PlainSource, protocol: str | None) -> None:
    """Check what a source has against its protocol; None for storage that is not on a network.

    Raises `UnsupportedConfigError` or `XmlError`, with libvirt's texts where it has them.
    """
    if protocol in _GONE:
        raise UnsupportedConfigError(_GONE[protocol])
    for field, owners, text in _OWNERS:
        if getattr(source, field) and protocol not in owners:
            raise UnsupportedConfigError(text)
    if source.ssl is False and protocol not in _SECURE:
        raise UnsupportedConfigError("ssl verification is supported only with HTTPS/FTPS protocol")
    for field in _RBD_ONLY:
        if getattr(source, field) is not None and protocol is None:
            raise XmlError(f"<{field}> element is currently supported only with 'rbd' disks")
    if source.reconnect is not None and source.reconnect.delay and protocol != "nbd":
        raise UnsupportedConfigError("reconnect delay is supported only with NBD protocol")
    if source.tls and protocol not in ("nbd", None):
        raise UnsupportedConfigError(f"TLS transport is not supported for disk protocol '{protocol}'")
    if protocol == "nfs":
        _check_nfs(source)
    if source.cookies is not None:
        for cookie in source.cookies.cookies:
            _check_cookie(cookie.name, cookie.value or "")


def check_login(protocol: str, secret_type: str | None) -> None:
    """Raise `UnsupportedConfigError` where a protocol has no login, or its secrets are of another type."""
    if protocol not in _WITH_LOGIN:
        raise UnsupportedConfigError(f"authentication is not supported for protocol '{protocol}'")
    if secret_type not in _USAGE_TYPES:
        raise UnsupportedConfigError(f"unknown secret type '{secret_type or '<null>'}'")
    wanted = {"iscsi": "iscsi", "rbd": "ceph"}.get(protocol, secret_type)
    if secret_type != wanted:
        raise UnsupportedConfigError(f"invalid secret type '{secret_type}'")


def _check_nfs(source: PlainSource) -> None:
    if len(source.hosts) != 1:
        raise UnsupportedConfigError("'nfs' protocol requires the usage of exactly one host")
    if source.hosts[0].transport is not None:
        raise UnsupportedConfigError("'nfs' host must use TCP protocol")
    if source.hosts[0].port is not None:
        raise UnsupportedConfigError("port cannot be specified in 'nfs' protocol host")


def _check_cookie(name: str, value: str) -> None:
    if not name:
        raise XmlError("cookie name must not be empty")
    if not _NOT_IN_NAMES.isdisjoint(name):
        raise XmlError(f"cookie name '{name}' contains invalid characters")
    if value.startswith('"'):
        bare = value[1:-1]
        if not value.endswith('"') or len(value) == 1:
            raise XmlError(f"value of cookie '{name}' contains invalid characters")
    else:
        bare = value
    if not _NOT_IN_COOKIES.isdisjoint(bare):
        raise XmlError(f"value of cookie '{name}' contains invalid characters")
