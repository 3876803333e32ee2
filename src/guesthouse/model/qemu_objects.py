"""What QEMU is made of: block nodes, character devices, network backends, objects and devices, as pure data.

A guest's device is realised as a list of these. Each has two equal forms, so that a device which is plugged in later is
the same as one that was there at the start: `arguments`, the words of the command line, and `qmp`, the monitor command
with the same meaning. `undo` is the command that takes it away again.

Forms: QEMU's `qapi/` schemas (`blockdev-add`, `chardev-add`, `netdev_add`, `object-add`, `device_add`) and its manual
page for `-blockdev`, `-chardev`, `-netdev`, `-object` and `-device`. JSON is compact and keeps the order of its keys.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Props: TypeAlias = dict[str, Json]


def compact(value: Json) -> str:
    """`value` as JSON without white space, keys in their order."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def without_none(props: Mapping[str, Json]) -> Props:
    """The properties that have a value: builders write every key and leave out what is None."""
    return {key: value for key, value in props.items() if value is not None}


def quoted(text: str) -> str:
    """`text` as the value of a `key=value` option: a comma is doubled, so that it cannot begin another key."""
    return text.replace(",", ",,")


@dataclass(frozen=True, slots=True)
class Command:
    """A command for QEMU's monitor: its name and its arguments."""

    name: str
    arguments: Props = field(default_factory=dict)


class QemuObject(ABC):
    """One thing that QEMU is asked to make."""

    __slots__ = ()

    @abstractmethod
    def arguments(self) -> list[str]:
        """The words of the command line."""

    def qmp(self) -> Command | None:
        """The monitor command that makes it in a running QEMU; None where only the command line can."""
        return None

    def undo(self) -> Command | None:
        """The monitor command that removes it; None where nothing can, or where nothing needs to be done."""
        return None


@dataclass(frozen=True, slots=True)
class Option(QemuObject):
    """Any other option of the command line. `command` is the monitor's word for it, where there is one."""

    flag: str
    value: str | None = None
    command: Command | None = None

    def arguments(self) -> list[str]:
        """`-flag value`."""
        return [self.flag] if self.value is None else [self.flag, self.value]

    def qmp(self) -> Command | None:
        """The command, if there is one."""
        return self.command


@dataclass(frozen=True, slots=True)
class FdSet(QemuObject):
    """An open file under a name that QEMU accepts as a path, `/dev/fdset/N`. `fd` is our number of it.

    For the monitor the descriptor travels beside the command (SCM_RIGHTS): the sender has to attach `fd`.
    """

    number: int
    fd: int
    opaque: str

    @property
    def path(self) -> str:
        """What stands for the file in the other objects."""
        return f"/dev/fdset/{self.number}"

    def arguments(self) -> list[str]:
        """`-add-fd set=N,fd=M,opaque=TEXT`."""
        return ["-add-fd", f"set={self.number},fd={self.fd},opaque={quoted(self.opaque)}"]

    def qmp(self) -> Command:
        """`add-fd`."""
        return Command("add-fd", {"fdset-id": self.number, "opaque": self.opaque})

    def undo(self) -> Command:
        """`remove-fd`."""
        return Command("remove-fd", {"fdset-id": self.number})


@dataclass(frozen=True, slots=True)
class NamedDescriptor(QemuObject):
    """An open file under a name that other objects refer to, for QEMU to have of its own. `fd` is our number of it.

    Only a running QEMU is told: one that starts inherits descriptors under their numbers. As for `FdSet` the sender
    has to attach `fd`.
    """

    name: str
    fd: int

    def arguments(self) -> list[str]:
        """Nothing: the descriptor is inherited."""
        return []

    def qmp(self) -> Command:
        """`getfd`."""
        return Command("getfd", {"fdname": self.name})

    def undo(self) -> Command:
        """`closefd`, which fails where another object has taken it."""
        return Command("closefd", {"fdname": self.name})


@dataclass(frozen=True, slots=True)
class Blockdev(QemuObject):
    """A node of the block layer (`BlockdevOptions`)."""

    props: Props

    @property
    def node(self) -> str:
        """The node's name."""
        return str(self.props["node-name"])

    def arguments(self) -> list[str]:
        """`-blockdev JSON`."""
        return ["-blockdev", compact(self.props)]

    def qmp(self) -> Command:
        """`blockdev-add`."""
        return Command("blockdev-add", dict(self.props))

    def undo(self) -> Command:
        """`blockdev-del`."""
        return Command("blockdev-del", {"node-name": self.node})


@dataclass(frozen=True, slots=True)
class Netdev(QemuObject):
    """A network backend (`Netdev`)."""

    props: Props

    def arguments(self) -> list[str]:
        """`-netdev JSON`."""
        return ["-netdev", compact(self.props)]

    def qmp(self) -> Command:
        """`netdev_add`."""
        return Command("netdev_add", dict(self.props))

    def undo(self) -> Command:
        """`netdev_del`."""
        return Command("netdev_del", {"id": self.props["id"]})


@dataclass(frozen=True, slots=True)
class Object(QemuObject):
    """An object of QEMU's object model that is no device (`ObjectOptions`): a secret, a random source, memory."""

    props: Props

    def arguments(self) -> list[str]:
        """`-object JSON`."""
        return ["-object", compact(self.props)]

    def qmp(self) -> Command:
        """`object-add`."""
        return Command("object-add", dict(self.props))

    def undo(self) -> Command:
        """`object-del`."""
        return Command("object-del", {"id": self.props["id"]})


@dataclass(frozen=True, slots=True)
class Device(QemuObject):
    """What the guest sees: `driver`, `id`, and properties of the driver."""

    props: Props

    @property
    def id(self) -> str:
        """The device's id, which is libvirt's alias."""
        return str(self.props["id"])

    def arguments(self) -> list[str]:
        """`-device JSON`."""
        return ["-device", compact(self.props)]

    def qmp(self) -> Command:
        """`device_add`."""
        return Command("device_add", dict(self.props))

    def undo(self) -> Command | None:
        """`device_del`: the guest is asked, and `DEVICE_DELETED` tells when it has let go. None without an id."""
        return Command("device_del", {"id": self.id}) if "id" in self.props else None


@dataclass(frozen=True, slots=True)
class Audiodev(QemuObject):
    """An audio backend (`Audiodev`). The monitor cannot remove one."""

    props: Props

    def arguments(self) -> list[str]:
        """`-audiodev JSON`."""
        return ["-audiodev", compact(self.props)]

    def qmp(self) -> Command:
        """`audiodev-add`."""
        return Command("audiodev-add", dict(self.props))


@dataclass(frozen=True, slots=True)
class Chardev(QemuObject):
    """A character device. `props` are the flat keys of `-chardev`; `qmp` nests them as `ChardevBackend` wants it."""

    id: str
    backend: str
    props: Props = field(default_factory=dict)

    def arguments(self) -> list[str]:
        """`-chardev backend,id=ID,key=value…`, commas in values doubled."""
        words = [self.backend, f"id={quoted(self.id)}"]
        words.extend(f"{key}={quoted(_flat(value))}" for key, value in self.props.items())
        return ["-chardev", ",".join(words)]

    def qmp(self) -> Command:
        """`chardev-add`."""
        common: Props = {key: value for key, value in self.props.items() if key in _CHARDEV_COMMON}
        own: Props = {key: value for key, value in self.props.items() if key not in _CHARDEV_COMMON}
        data = _NESTING.get(self.backend, _as_it_is)(own) | common
        backend: Props = {"type": self.backend, "data": data}
        return Command("chardev-add", {"id": self.id, "backend": backend})

    def undo(self) -> Command:
        """`chardev-remove`."""
        return Command("chardev-remove", {"id": self.id})


def _flat(value: Json) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


_CHARDEV_COMMON: Final = ("logfile", "logappend")


def _as_it_is(props: Props) -> Props:
    return props


def _renamed(old: str, new: str) -> Callable[[Props], Props]:
    def rename(props: Props) -> Props:
        return {new if key == old else key: value for key, value in props.items()}

    return rename


def _inet(host: Json, port: Json) -> Props:
    return {"type": "inet", "data": {"host": host, "port": str(port)}}


def _socket(props: Props) -> Props:
    rest: Props = {key: value for key, value in props.items() if key not in ("host", "port", "path", "fd")}
    address: Props
    if "fd" in props:
        address = {"type": "fd", "data": {"str": str(props["fd"])}}
    elif "path" in props:
        address = {"type": "unix", "data": {"path": props["path"]}}
    else:
        address = _inet(props["host"], props["port"])
        rest = {"telnet": False} | rest
    # QEMU takes a socket for a server unless it is told otherwise.
    if "server" not in rest:
        rest = _inserted(rest, "server", False, after="telnet")
    return {"addr": address} | rest


def _inserted(props: Props, key: str, value: Json, *, after: str) -> Props:
    front: Props = {name: item for name, item in props.items() if name == after}
    return front | {key: value} | props


def _udp(props: Props) -> Props:
    data: Props = {"remote": _inet(props["host"], props["port"])}
    if props["localaddr"] or props["localport"] != "0":
        data["local"] = _inet(props["localaddr"], props["localport"])
    return data


def _vdagent(props: Props) -> Props:
    return {key: value for key, value in props.items() if key != "name"}


#: Backend to how its flat keys nest in `ChardevBackend`.
_NESTING: Final[dict[str, Callable[[Props], Props]]] = {
    "file": _renamed("path", "out"),
    "pipe": _renamed("path", "device"),
    "serial": _renamed("path", "device"),
    "parallel": _renamed("path", "device"),
    "spicevmc": _renamed("name", "type"),
    "spiceport": _renamed("name", "fqdn"),
    "qemu-vdagent": _vdagent,
    "socket": _socket,
    "udp": _udp,
}
