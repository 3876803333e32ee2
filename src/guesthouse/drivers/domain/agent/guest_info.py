"""What a guest tells of itself through its agent, as the typed parameters of `guestinfo`.

Names: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainGetGuestInfo
Commands: QEMU's `docs/interop/qemu-ga-ref.rst`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from guesthouse.drivers.domain.agent import channel
from guesthouse.drivers.domain.disks.places import disk_at
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.typed import BOOLEAN, DOUBLE, INT, STRING, UINT, ULLONG, Param
from guesthouse.errors import InternalError, InvalidArgumentError, Origin
from guesthouse.model.domain.definition import Domain
from guesthouse.qemu import agent_reports
from guesthouse.qemu.agent import AgentCommandError
from guesthouse.qemu.json_value import Json, JsonObject, as_object, objects, text_of

Describer: TypeAlias = Callable[[Json, Domain], list[Param]]

_OS: Final = (
    "id",
    "name",
    "pretty-name",
    "version",
    "version-id",
    "machine",
    "variant",
    "variant-id",
    "kernel-release",
    "kernel-version",
)


async def read(guest: Guest, types: int) -> list[Param]:
    """The categories of these bits (`virDomainGuestInfoTypes`), or with 0 all that the agent knows.

    Raises `InvalidArgumentError` for an unknown bit, and for a wanted category what the agent says against it.
    """
    unknown = types & ~sum(_CATEGORIES)
    if unknown:
        raise InvalidArgumentError(f"unsupported guest information types '0x{unknown:x}'", domain=Origin.QEMU)
    channel.check_running(guest)
    live = guest.live().live
    params: list[Param] = []
    for bit, (command, describe) in _CATEGORIES.items():
        if types and not types & bit:
            continue
        try:
            answer = await channel.ask(guest, command)
        except AgentCommandError as error:
            if types or error.class_ != "CommandNotFound":
                raise
            continue  # an older agent, or one that is not to tell
        params += describe(answer, live)
    return params


def _number(item: JsonObject, name: str, what: str) -> float:
    found = item.get(name)
    if not isinstance(found, (int, float)) or isinstance(found, bool):
        raise InternalError(f"'{name}' missing in reply of {what}", domain=Origin.QEMU)
    return found


def _users(answer: Json, _: Domain) -> list[Param]:
    found = objects(answer, "the users")
    params: list[Param] = [("user.count", UINT, len(found))]
    for at, user in enumerate(found):
        params.append((f"user.{at}.name", STRING, text_of(user, "user")))
        if "domain" in user:
            params.append((f"user.{at}.domain", STRING, text_of(user, "domain")))
        login = int(_number(user, "login-time", "guest-get-users") * 1000)
        params.append((f"user.{at}.login-time", ULLONG, login))
    return params


def _system(answer: Json, _: Domain) -> list[Param]:
    found = as_object(answer, "the operating system")
    return [(f"os.{name}", STRING, text_of(found, name)) for name in _OS if isinstance(found.get(name), str)]


def _timezone(answer: Json, _: Domain) -> list[Param]:
    found = as_object(answer, "the time zone")
    name: list[Param] = [("timezone.name", STRING, text_of(found, "zone"))] if "zone" in found else []
    return [*name, ("timezone.offset", INT, int(_number(found, "offset", "guest-get-timezone")))]


def _hostname(answer: Json, _: Domain) -> list[Param]:
    return [("hostname", STRING, text_of(as_object(answer, "the host name"), "host-name"))]


def _filesystems(answer: Json, live: Domain) -> list[Param]:
    found = agent_reports.filesystems(answer)
    params: list[Param] = [("fs.count", UINT, len(found))] if found else []
    for at, one in enumerate(found):
        head = f"fs.{at}"
        params += [
            (f"{head}.name", STRING, one.name),
            (f"{head}.mountpoint", STRING, one.mountpoint),
            (f"{head}.fstype", STRING, one.type),
        ]
        for name, size in (("total-bytes", one.total), ("used-bytes", one.used)):
            if size is not None:
                params.append((f"{head}.{name}", ULLONG, size))
        params.append((f"{head}.disk.count", UINT, len(one.disks)))
        for number, place in enumerate(one.disks):
            disk = disk_at(live, place)
            target = disk.target.dev if disk is not None else ""
            for name, text in (("alias", target), ("serial", place.serial), ("device", place.device)):
                if text:
                    params.append((f"{head}.disk.{number}.{name}", STRING, text))
    return params


def _disks(answer: Json, live: Domain) -> list[Param]:
    found = objects(answer, "the disks")
    params: list[Param] = [("disk.count", UINT, len(found))] if found else []
    for at, one in enumerate(found):
        head = f"disk.{at}"
        params.append((f"{head}.name", STRING, text_of(one, "name")))
        params.append((f"{head}.partition", BOOLEAN, one.get("partition") is True))
        dependencies = one.get("dependencies")
        names = [name for name in dependencies if isinstance(name, str)] if isinstance(dependencies, list) else []
        if names:
            params.append((f"{head}.dependency.count", UINT, len(names)))
        params += [(f"{head}.dependency.{number}.name", STRING, name) for number, name in enumerate(names)]
        params += _disk_place(head, one, live)
        if isinstance(one.get("alias"), str):
            params.append((f"{head}.guest_alias", STRING, text_of(one, "alias")))
    return params


def _disk_place(head: str, one: JsonObject, live: Domain) -> list[Param]:
    address = one.get("address")
    if not isinstance(address, dict):
        return []
    place = agent_reports.disk(address)
    disk = disk_at(live, place)
    words = (
        ("serial", place.serial),
        ("alias", disk.target.dev if disk is not None else ""),
        ("guest_bus", place.bus_type),
    )
    return [(f"{head}.{name}", STRING, text) for name, text in words if text]


def _interfaces(answer: Json, _: Domain) -> list[Param]:
    found = agent_reports.interfaces(answer)
    params: list[Param] = [("if.count", UINT, len(found))] if found else []
    for at, one in enumerate(found):
        head = f"if.{at}"
        params.append((f"{head}.name", STRING, one.name))
        if one.mac:
            params.append((f"{head}.hwaddr", STRING, one.mac))
        params.append((f"{head}.addr.count", UINT, len(one.addresses)))
        for number, address in enumerate(one.addresses):
            params += [
                (f"{head}.addr.{number}.type", STRING, f"ipv{address.family}"),
                (f"{head}.addr.{number}.addr", STRING, address.address),
                (f"{head}.addr.{number}.prefix", UINT, address.prefix),
            ]
    return params


def _load(answer: Json, _: Domain) -> list[Param]:
    found = as_object(answer, "the load")
    return [
        (f"load.{name}", DOUBLE, float(_number(found, f"load{name}", "guest-get-load"))) for name in ("1m", "5m", "15m")
    ]


_CATEGORIES: Final[dict[int, tuple[str, Describer]]] = {
    1: ("guest-get-users", _users),
    2: ("guest-get-osinfo", _system),
    4: ("guest-get-timezone", _timezone),
    8: ("guest-get-host-name", _hostname),
    16: ("guest-get-fsinfo", _filesystems),
    32: ("guest-get-disks", _disks),
    64: ("guest-network-get-interfaces", _interfaces),
    128: ("guest-get-load", _load),
}
