"""The daemon's settings: every key of libvirt's `libvirtd.conf`, honoured or refused.

One record a key: its default, what it means and how its value is checked. A key that libvirt knows and Guesthouse
cannot honour yet is accepted at the value that describes what Guesthouse does, and refused at any other, so that
nothing is silently ignored. Keys and defaults: the comments of libvirt's `libvirtd.conf`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeVar, cast

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.confsyntax import Assignment, Value, parse

Plain = int | str | tuple[str, ...]
PlainT = TypeVar("PlainT", int, str, "tuple[str, ...]")

#: A larger file is not a configuration file (libvirt's own limit).
_MAX_FILE = 10 * 1024 * 1024
_UNSIGNED = 1 << 32
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


class SettingsError(LibvirtError):
    """A setting that cannot be honoured; the text names the file, the line, the key and the next step."""

    code = Code.CONFIG_UNSUPPORTED
    domain = Origin.CONF


def _key(default: PlainT, meaning: str, check: Callable[[PlainT], str] | None = None) -> PlainT:
    """One honoured key. `check` returns what is wrong with a value, or nothing."""
    return field(default=default, metadata={"meaning": meaning, "check": check})


def _count(value: int) -> str:
    return "" if 0 <= value < _UNSIGNED else "must be from 0 to 4294967295"


def _positive(value: int) -> str:
    return "" if 0 < value < _UNSIGNED else "must be greater than 0"


def _interval(value: int) -> str:
    return "" if -1 <= value <= 2**31 // 1000 else "must be -1 (never) or a number of seconds"


def _log_level(value: int) -> str:
    return "" if 0 <= value <= 4 else "must be 1 (debug), 2 (information), 3 (warnings) or 4 (errors)"


def _permissions(value: str) -> str:
    octal = value.strip("01234567") == "" and value != ""
    return "" if octal and int(value, 8) <= 0o777 else 'must be an octal mode such as "0770"'


def _directory(value: str) -> str:
    return "" if not value or value.startswith("/") else "must be an absolute path"


def _authentication(value: str) -> str:
    if value == "none":
        return ""
    if value in ("polkit", "sasl"):
        return (
            f'"{value}" is not there yet: set it to "none" and let unix_sock_group and the modes decide who may connect'
        )
    return f'unsupported auth {value}: use "none"'


def _host_uuid(value: str) -> str:
    if not value:
        return ""
    if _UUID.fullmatch(value) is None:
        return "is not a UUID: take one from `uuidgen`"
    same = len(set(value.replace("-", ""))) == 1
    return "must not have all digits the same: take one from `uuidgen`" if same else ""


def _host_uuid_source(value: str) -> str:
    return "" if value in ("smbios", "machine-id") else 'must be "smbios" or "machine-id"'


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that are honoured, by libvirt's names, with libvirt's defaults.

    Modes are octal text, intervals seconds. Empty text means that the daemon decides.
    """

    unix_sock_dir: str = _key("", "directory of the sockets", _directory)
    unix_sock_group: str = _key("", "group that owns the sockets")
    unix_sock_ro_perms: str = _key("", "mode of the read-only socket", lambda v: _permissions(v) if v else "")
    unix_sock_rw_perms: str = _key("", "mode of the read-write socket", lambda v: _permissions(v) if v else "")
    auth_unix_ro: str = _key("none", "authentication on the read-only socket", _authentication)
    auth_unix_rw: str = _key("none", "authentication on the read-write socket", _authentication)
    max_clients: int = _key(5000, "connections at a time; more wait unaccepted", _positive)
    max_queued_clients: int = _key(1000, "length of the kernel's queue of unaccepted connections", _positive)
    max_anonymous_clients: int = _key(20, "connections that are authenticating; with `none` there are none", _count)
    min_workers: int = _key(5, "accepted; there are no worker threads to count", _count)
    max_workers: int = _key(20, "accepted; there are no worker threads to count", _positive)
    prio_workers: int = _key(5, "accepted; there are no worker threads to count", _count)
    max_client_requests: int = _key(5, "unanswered calls of one connection before it is read no further", _positive)
    keepalive_interval: int = _key(5, "seconds of silence before a client is pinged; -1 never", _interval)
    keepalive_count: int = _key(5, "pings without an answer before a connection is given up", _count)
    keepalive_required: int = _key(0, "accepted; libvirt no longer uses it")
    log_level: int = _key(3, "what is logged: 1 debug, 2 information, 3 warnings, 4 errors", _log_level)
    log_filters: str = _key("", "levels by part of the program: `1:qemu 4:rpc`, the first that matches")
    log_outputs: str = _key(
        "", "where logs go: `LEVEL:stderr`, `LEVEL:file:PATH`, `LEVEL:journald`, `LEVEL:syslog:NAME`"
    )
    host_uuid: str = _key("", "the host's UUID", _host_uuid)
    host_uuid_source: str = _key("smbios", "where the host's UUID is read: smbios or machine-id", _host_uuid_source)


@dataclass(frozen=True, slots=True)
class Refused:
    """A key that cannot be honoured yet: the values that describe what Guesthouse does, and the next step.

    The first of `accepted` gives the key's type.
    """

    accepted: tuple[Plain, ...]
    hint: str


_TLS = "guesthoused does not listen on the network yet: use the unix sockets, or qemu+ssh://"
_ADMIN = "there is no admin socket yet: remove the line"
_SASL = "SASL is not there yet: remove the line"

REFUSED: dict[str, Refused] = {
    "listen_tls": Refused((0, 1), _TLS),  # 1 has no effect without libvirtd's --listen, which we lack
    "listen_tcp": Refused((0,), _TLS),
    "tls_port": Refused(("16514",), _TLS),
    "tcp_port": Refused(("16509",), _TLS),
    "listen_addr": Refused(("",), _TLS),
    "auth_tcp": Refused(("sasl",), _TLS),
    "auth_tls": Refused(("none",), _TLS),
    "tcp_min_ssf": Refused((56,), _TLS),
    "key_file": Refused(("",), _TLS),
    "cert_file": Refused(("",), _TLS),
    "ca_file": Refused(("",), _TLS),
    "crl_file": Refused(("",), _TLS),
    "tls_no_sanity_certificate": Refused((0,), _TLS),
    "tls_no_verify_certificate": Refused((0,), _TLS),
    "tls_allowed_dn_list": Refused(((),), _TLS),
    "tls_priority": Refused(("",), _TLS),
    "sasl_allowed_username_list": Refused(((),), _SASL),
    "access_drivers": Refused(((), ("nop",), ("none",)), "polkit's fine-grained access control is not there yet"),
    "unix_sock_admin_perms": Refused(("0700",), _ADMIN),
    "admin_min_workers": Refused((5,), _ADMIN),
    "admin_max_workers": Refused((20,), _ADMIN),
    "admin_max_clients": Refused((5000,), _ADMIN),
    "admin_max_queued_clients": Refused((20,), _ADMIN),
    "admin_max_client_requests": Refused((5,), _ADMIN),
    "admin_keepalive_interval": Refused((5,), _ADMIN),
    "admin_keepalive_count": Refused((5,), _ADMIN),
    "admin_keepalive_required": Refused((0,), _ADMIN),
    "audit_level": Refused((0, 1), "audit records are not written yet: set it to 0"),
    "audit_logging": Refused((0,), "audit records are not written yet: remove the line"),
    "ovs_timeout": Refused((5,), "Open vSwitch networks are not there yet: remove the line"),
}


def load(path: Path, *, required: bool = False) -> Settings:
    """Read the settings from a file; where it is absent and not `required`, the defaults.

    Raises `ConfSyntaxError` and `SettingsError`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except FileNotFoundError:
        if required:
            raise SettingsError(f"there is no file {path}") from None
        return Settings()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > _MAX_FILE:
        raise SettingsError(f"{path} is larger than {_MAX_FILE} bytes")
    return from_text(data.decode("utf-8", "replace"), str(path))


def from_text(text: str, filename: str) -> Settings:
    """The settings that the text of a configuration file asks for; `filename` serves the messages."""
    honoured = {entry.name: entry for entry in fields(Settings)}
    chosen: dict[str, Plain] = {}
    for key, assignment in parse(text, filename).items():
        where = f"{filename}:{assignment.line}"
        if key in REFUSED:
            _refuse(where, key, assignment)
            continue
        entry = honoured.get(key)
        if entry is None:
            raise SettingsError(f"{where}: unknown key '{key}'", hint=_similar(key, [*honoured, *REFUSED]))
        value = _typed(where, key, assignment.value, cast("Plain", entry.default))
        check = cast("Callable[[Plain], str] | None", entry.metadata["check"])
        problem = check(value) if check is not None else ""
        if problem:
            raise SettingsError(f"{where}: {key} {problem}")
        chosen[key] = value
    return Settings(**chosen)  # type: ignore[arg-type]  # the loop has checked each against its field's default


def _similar(key: str, known: list[str]) -> str:
    """The next step for a key that does not exist."""
    import difflib  # only on the way out

    close = difflib.get_close_matches(key, known, 1)
    return f"did you mean '{close[0]}'?" if close else "remove the line"


def _refuse(where: str, key: str, assignment: Assignment) -> None:
    refused = REFUSED[key]
    value = _typed(where, key, assignment.value, refused.accepted[0])
    if value not in refused.accepted:
        raise SettingsError(f"{where}: {key} = {assignment.value!r} cannot be honoured", hint=refused.hint)


def _typed(where: str, key: str, value: Value, like: Plain) -> Plain:
    """The value, if it has the type of the default `like`."""
    if isinstance(like, tuple):
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(cast("list[str]", value))
        raise SettingsError(f"{where}: expected a string list for '{key}' parameter")
    if isinstance(value, list) or type(value) is not type(like):
        kind = "an integer" if isinstance(like, int) else "a string"
        raise SettingsError(f"{where}: expected {kind} for '{key}' parameter")
    return value
