"""QEMU's end of character devices: one `-chardev` for each type.

Source: QEMU's `qapi/char.json` and the section "Character device options" of its manual.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.chardev import CharacterDevice, ChardevSource
from guesthouse.model.domain.tls import client_credentials, server_credentials
from guesthouse.model.qemu_objects import Props, QemuObject, without_none

_Made = list[QemuObject]
_Backend = Callable[[CharacterDevice, DeviceContext, _Made], tuple[str, Props]]

#: What the guest finds on the other side of a `spicevmc` line, by the kind of device.
_SPICE_ENDS: Final = {"smartcard": "smartcard", "redir": "usbredir"}


def check(device: CharacterDevice, ctx: DeviceContext) -> None:
    """Raise `UnsupportedConfigError` for a type or a protocol that QEMU has not got."""
    if device.type not in _BACKENDS:
        raise UnsupportedConfigError(f"unsupported chardev '{device.type}'", hint="QEMU has no such character device")
    if device.type in ("spicevmc", "spiceport") and not ctx.has_spice:
        raise UnsupportedConfigError(
            f"chardev '{device.type}' not supported in this QEMU binary", hint="its module for SPICE is not installed"
        )
    if device.protocol in ("telnets", "tls"):
        raise UnsupportedConfigError(
            f"tcp chardev protocol '{device.protocol}' not supported", hint="use raw or telnet, with tls='yes'"
        )


def build(device: CharacterDevice, ctx: DeviceContext, made: _Made) -> tuple[str, Props]:
    """The name and the flat keys of the `-chardev`. What it needs before it goes to the end of `made`."""
    return _BACKENDS[device.type](device, ctx, made)


def _plain(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    return device.type, {}


def _file(device: CharacterDevice, ctx: DeviceContext, made: _Made) -> tuple[str, Props]:
    source = device.sources[0]
    path = source.path or ""
    opened = ctx.open_file(path, source.append is True, f"{device.name}-source")
    if opened is None:
        return "file", without_none({"path": path, "append": source.append})
    made.append(opened)
    return "file", {"path": opened.path, "append": True}


def _pipe(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    return "pipe", {"path": device.path}


def _host_device(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    return "parallel" if device.ALIAS == "parallel" else "serial", {"path": device.path}


def _reconnect(source: ChardevSource, ctx: DeviceContext) -> Props:
    if source.reconnect is None:
        return {}
    seconds = source.reconnect.timeout or 0
    if ctx.qemu.has_option("chardev", "reconnect-ms"):
        return {"reconnect-ms": seconds * 1000}
    return {"reconnect": seconds}


def _unix(device: CharacterDevice, ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    source = device.sources[0]
    path = source.path or ""
    if not source.binds:
        return "socket", {"path": path} | _reconnect(source, ctx)
    descriptor = ctx.listen(path)
    place: Props = {"path": path} if descriptor is None else {"fd": descriptor}
    return "socket", place | {"server": True, "wait": False}


def _tcp(device: CharacterDevice, ctx: DeviceContext, made: _Made) -> tuple[str, Props]:
    source = device.sources[0]
    props: Props = {"host": source.host, "port": source.service}
    if device.protocol == "telnet":
        props["telnet"] = True
    if source.binds:
        props |= {"server": True, "wait": False}
    props |= _reconnect(source, ctx)
    if source.tls:
        made.extend(_credentials(device, source, ctx))
        props["tls-creds"] = _credentials_id(device)
    return "socket", props


def _credentials_id(device: CharacterDevice) -> str:
    return f"obj{device.chardev}_tls0"


def _credentials(device: CharacterDevice, source: ChardevSource, ctx: DeviceContext) -> list[QemuObject]:
    settings = ctx.settings
    id_, secret_id = _credentials_id(device), f"{device.chardev}-secret0"
    directory, secret = settings.chardev_tls_x509_cert_dir, settings.chardev_tls_x509_secret_uuid
    if not source.binds:
        return client_credentials(id_, directory, ctx, secret=secret, secret_id=secret_id)
    verify = settings.chardev_tls_x509_verify
    return server_credentials(id_, directory, ctx, verify=verify, secret=secret, secret_id=secret_id)


def _udp(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    ends = {source.mode: source for source in device.sources}
    far = ends.get("connect") or new(ChardevSource)
    near = ends.get("bind") or new(ChardevSource)
    return "udp", {
        "host": far.host or "",
        "port": far.service or "0",
        "localaddr": near.host or "",
        "localport": near.service or "0",
    }


def _spicevmc(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    return "spicevmc", {"name": _SPICE_ENDS.get(device.ALIAS, "vdagent")}


def _named(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    return device.type, {"name": device.sources[0].channel}


def _vdagent(device: CharacterDevice, _ctx: DeviceContext, _made: _Made) -> tuple[str, Props]:
    source = device.source or new(ChardevSource)
    mouse = None if source.mouse is None else source.mouse == "client"
    return "qemu-vdagent", without_none({"name": "vdagent", "clipboard": source.copypaste, "mouse": mouse})


#: Type to what makes QEMU's backend and its properties.
_BACKENDS: Final[dict[str, _Backend]] = {
    "null": _plain,
    "vc": _plain,
    "pty": _plain,
    "stdio": _plain,
    "file": _file,
    "pipe": _pipe,
    "dev": _host_device,
    "unix": _unix,
    "tcp": _tcp,
    "udp": _udp,
    "spicevmc": _spicevmc,
    "spiceport": _named,
    "dbus": _named,
    "qemu-vdagent": _vdagent,
}
