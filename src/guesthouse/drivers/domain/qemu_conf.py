"""The driver's settings: every key of libvirt's `qemu.conf`, honoured or refused.

A key that Guesthouse cannot honour is accepted at the value that describes what it does, and refused at any other, so
that nothing is silently ignored. The file is read when the daemon starts. Keys and defaults: its own comments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.confsyntax import Assignment, Value, parse
from guesthouse.host.files import read_limited
from guesthouse.model.domain.host_settings import HostSettings

FILE: Final = "qemu.conf"
_LIMIT: Final = 10 * 1024 * 1024
#: What stands for no secret.
_UNLOCKED: Final = "00000000-0000-0000-0000-000000000000"


class QemuConfError(LibvirtError):
    """A setting that cannot be honoured; the text names the file, the line, the key and the next step."""

    code = Code.CONFIG_UNSUPPORTED
    domain = Origin.CONF


@dataclass(frozen=True, slots=True)
class QemuConf:
    """What the file says: what definitions and command lines depend on, the addresses of graphics, and whether logs
    are kept small.
    """

    settings: HostSettings
    vnc_listen: str = "127.0.0.1"
    rotates_logs: bool = True


def _truth(value: Value) -> bool:
    if value not in (0, 1):
        raise ValueError("0 or 1")
    return value == 1


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueError("a string")
    return value


def _path(value: Value) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("an absolute path")
    return value


def _number(value: Value) -> int:
    if not isinstance(value, int) or not 0 <= value <= 9:
        raise ValueError("a number from 0 to 9")
    return value


def _handler(value: Value) -> str:
    if value not in ("logd", "file"):
        raise ValueError('"logd" or "file"')
    return str(value)


_Kind = Callable[[Value], bool | str | int]

#: Keys that are honoured as they are.
_PLAIN: Final[dict[str, _Kind]] = {
    **dict.fromkeys(
        (
            "vnc_tls",
            "vnc_sasl",
            "vnc_auto_unix_socket",
            "vnc_allow_host_audio",
            "spice_tls",
            "spice_sasl",
            "spice_auto_unix_socket",
            "chardev_tls",
            "nbd_tls",
            "vxhs_tls",
            "nographics_allow_host_audio",
            "dump_guest_core",
            "vnc_tls_x509_verify",
            "chardev_tls_x509_verify",
        ),
        _truth,
    ),
    **dict.fromkeys(("vnc_password", "spice_password", "spice_listen", "rdp_listen"), _text),
    **dict.fromkeys(("vnc_sasl_dir", "spice_sasl_dir", "memory_backing_dir"), _path),
    "gluster_debug_level": _number,
}
#: Services whose certificates have a directory of their own, and those whose keys can be locked.
_CERTIFIED: Final = ("vnc", "spice", "rdp", "chardev", "nbd", "vxhs")
_LOCKED: Final = ("vnc", "chardev", "nbd", "vxhs")
_DEFAULT_DIRECTORY: Final = "/etc/pki/qemu"

#: Keys that say what Guesthouse does anyway at these values, and are refused at others.
_FIXED: Final[dict[str, tuple[Value, ...]]] = {
    "storage_use_nbdkit": (0,),
    "seccomp_sandbox": (1, -1),
    "security_driver": ("none", ["none"]),
    "security_default_confined": (0, 1),
    "security_require_confined": (0,),
    "save_image_format": ("raw",),
    "dump_image_format": ("raw",),
    "snapshot_image_format": ("raw",),
    "auto_dump_bypass_cache": (0,),
    "auto_start_bypass_cache": (0,),
    "auto_start_delay": (0,),
    "set_process_name": (1,),
    "max_processes": (0,),
    "max_files": (0,),
    "max_threads_per_process": (0,),
    "mac_filter": (0,),
    "relaxed_acs_check": (0,),
    "allow_disk_format_probing": (0,),
    "max_queued": (0,),
    "keepalive_interval": (5,),
    "keepalive_count": (5,),
    "migrate_tls_force": (0,),
    "migration_port_min": (49152,),
    "migration_port_max": (49215,),
    "remote_display_port_min": (5900,),
    "remote_display_port_max": (65535,),
    "remote_websocket_port_min": (5700,),
    "remote_websocket_port_max": (65535,),
    "log_timestamp": (1,),
    "virtiofsd_debug": (0,),
    "deprecation_behavior": ("none",),
    "sched_core": ("none",),
    "capability_filters": ([],),
    "shared_filesystems": ([],),
    "lock_manager": ("nop",),
    "swtpm_user": ("tss", "root"),
    "swtpm_group": ("tss", "root"),
    "user": ("",),
    "group": ("",),
}


def read(config: Path) -> QemuConf:
    """Read `qemu.conf` in a directory; a file that is not there says nothing.

    Raises `QemuConfError` for a key that cannot be honoured, `ConfSyntaxError` for a file that cannot be read as one.
    """
    path = config / FILE
    try:
        text = read_limited(path, _LIMIT).decode("utf-8", "replace")
    except FileNotFoundError:
        text = ""
    return _settings(parse(text, str(path)), str(path))


def _settings(given: dict[str, Assignment], path: str) -> QemuConf:
    found: dict[str, bool | str | int] = {}
    default_verify = _one(given, "default_tls_x509_verify", _truth, path)
    default_directory = _one(given, "default_tls_x509_cert_dir", _path, path) or _DEFAULT_DIRECTORY
    default_secret = _one(given, "default_tls_x509_secret_uuid", _text, path)
    for service in _CERTIFIED:
        found[f"{service}_tls_x509_cert_dir"] = (
            _one(given, f"{service}_tls_x509_cert_dir", _path, path) or default_directory
        )
    for service in _LOCKED:
        secret = _one(given, f"{service}_tls_x509_secret_uuid", _text, path) or default_secret
        if secret and secret != _UNLOCKED:
            found[f"{service}_tls_x509_secret_uuid"] = secret
    if default_verify is not None:
        found["vnc_tls_x509_verify"] = found["chardev_tls_x509_verify"] = default_verify
    listen = _one(given, "vnc_listen", _text, path)
    for key, assignment in given.items():
        if key in _PLAIN:
            found[key] = _value(assignment, key, _PLAIN[key], path)
        elif key not in _READ and assignment.value not in _FIXED.get(key, ()):
            raise _refusal(key, assignment, path)
    settings = HostSettings(**found)  # type: ignore[arg-type]  # each key has a kind of its own, checked above
    handler = _one(given, "stdio_handler", _handler, path)
    return QemuConf(settings, str(listen or "127.0.0.1"), rotates_logs=handler != "file")


#: Keys that `_settings` reads one by one.
_READ: Final = frozenset(
    (
        "default_tls_x509_verify",
        "default_tls_x509_cert_dir",
        "default_tls_x509_secret_uuid",
        "vnc_listen",
        "stdio_handler",
        *(f"{service}_tls_x509_cert_dir" for service in _CERTIFIED),
        *(f"{service}_tls_x509_secret_uuid" for service in _LOCKED),
    )
)


def _one(given: dict[str, Assignment], key: str, kind: _Kind, path: str) -> bool | str | int | None:
    assignment = given.get(key)
    return None if assignment is None else _value(assignment, key, kind, path)


def _value(assignment: Assignment, key: str, kind: _Kind, path: str) -> bool | str | int:
    try:
        return kind(assignment.value)
    except ValueError as error:
        raise QemuConfError(f"{path}:{assignment.line}: {key} must be {error}") from None


def _refusal(key: str, assignment: Assignment, path: str) -> QemuConfError:
    where = f"{path}:{assignment.line}: {key}"
    accepted = _FIXED.get(key)
    if accepted is None:
        return QemuConfError(f"{where} is not supported", hint="remove the line")
    values = " or ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in accepted)
    return QemuConfError(f"{where} = {assignment.value!r} is not supported", hint=f"set it to {values}, or remove it")
