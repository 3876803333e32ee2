"""virtiofsd, the program that shares a directory with one guest: its options in XML, and its command line.

There are two of them. The one that came with QEMU up to 7.2 takes `-o source=…,cache=…`; the one that is a project of
its own, written in Rust, takes `--shared-dir …`. Which one there is the host tells; see `Virtiofsd`.

Source: https://libvirt.org/kbase/virtiofs.html; the manual pages of both.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import OperationFailedError, UnsupportedConfigError
from guesthouse.model.binding import element, many, new, one, opt
from guesthouse.model.domain.host_parts import Virtiofsd
from guesthouse.model.domain.host_settings import HostSettings
from guesthouse.model.helper_programs import Handed, HelperProgram, ListeningSocket
from guesthouse.model.kinds import ABSOLUTE_PATH, ON_OFF, UINT, integer, one_of
from guesthouse.model.qemu_objects import quoted

_COUNT: Final = integer(0, 2**31 - 1)


@element("lock")
class Locks:
    """Whether locks that a guest takes are taken on the host too."""

    posix: bool | None = opt(ON_OFF)
    flock: bool | None = opt(ON_OFF)


@element("binary")
class FilesystemBinary:
    """The program and its options."""

    path: str | None = opt(ABSOLUTE_PATH)
    xattr: bool | None = opt(ON_OFF)
    cache: str | None = opt(one_of("none", "always"), "mode", within="cache")
    sandbox: str | None = opt(one_of("namespace", "chroot"), "mode", within="sandbox")
    lock: Locks | None = one(Locks)
    thread_pool: int | None = opt(_COUNT, "size", within="thread_pool")
    openfiles: int | None = opt(integer(1, 2**63 - 1), "max", within="openfiles")


@element("uid")
class UserRange:
    """`count` users from `start` in the guest are those from `target` on the host."""

    start: int | None = opt(UINT)
    target: int | None = opt(UINT)
    count: int | None = opt(UINT)


@element("gid")
class GroupRange:
    """`count` groups from `start` in the guest are those from `target` on the host."""

    start: int | None = opt(UINT)
    target: int | None = opt(UINT)
    count: int | None = opt(UINT)


@element("idmap")
class IdMap:
    """Which users and groups of the host those of the guest are."""

    uids: list[UserRange] = many(UserRange)
    gids: list[GroupRange] = many(GroupRange)


_DEFAULTS: Final = new(FilesystemBinary)


def program(
    name: str,
    binary: FilesystemBinary | None,
    idmap: IdMap | None,
    *,
    directory: str,
    socket: str,
    readonly: bool,
    settings: HostSettings,
    found: Virtiofsd | None,
) -> HelperProgram:
    """The program for the device `name`. Raises `OperationFailedError` where the host has none."""
    wishes = binary or _DEFAULTS
    path = wishes.path or (found.path if found is not None else None)
    if path is None:
        raise OperationFailedError(
            "Unable to find a satisfying virtiofsd", hint="install virtiofsd, or name it with <binary path='…'/>"
        )
    separate = found is None or found.separate_options
    options = _separate(wishes, directory) if separate else _joined(wishes, directory)
    if wishes.thread_pool is not None:
        options.append(f"--thread-pool-size={wishes.thread_pool}")
    if wishes.openfiles is not None:
        options.append(f"--rlimit-nofile={wishes.openfiles}")
    if settings.virtiofsd_debug:
        options += ["--log-level", "debug"] if separate else ["-d"]
    options += _maps(idmap, found)
    if readonly:
        options.append("--readonly")
    listening = Handed(ListeningSocket(socket), "--fd=")
    return HelperProgram(f"{name}-virtiofsd", (path, listening, *options), package="virtiofsd")


def _separate(wishes: FilesystemBinary, directory: str) -> list[str]:
    if wishes.lock is not None and (wishes.lock.posix is not None or wishes.lock.flock is not None):
        raise UnsupportedConfigError("locking options are not supported by this virtiofsd")
    words = ["--shared-dir", directory]
    if wishes.cache is not None:
        words += ["--cache", "never" if wishes.cache == "none" else wishes.cache]
    if wishes.sandbox is not None:
        words += ["--sandbox", wishes.sandbox]
    if wishes.xattr:
        words.append("--xattr")
    return words


def _joined(wishes: FilesystemBinary, directory: str) -> list[str]:
    words = [f"source={quoted(directory)}"]
    if wishes.cache is not None:
        words.append(f"cache={wishes.cache}")
    if wishes.sandbox is not None:
        words.append(f"sandbox={wishes.sandbox}")
    lock = wishes.lock
    switches = (
        ("xattr", wishes.xattr),
        ("flock", lock.flock if lock is not None else None),
        ("posix_lock", lock.posix if lock is not None else None),
    )
    words += [word if value else f"no_{word}" for word, value in switches if value is not None]
    return ["-o", ",".join(words)]


def _maps(idmap: IdMap | None, found: Virtiofsd | None) -> list[str]:
    users = [(item.start or 0, item.target or 0, item.count or 0) for item in (idmap.uids if idmap else ())]
    groups = [(item.start or 0, item.target or 0, item.count or 0) for item in (idmap.gids if idmap else ())]
    if not users and not groups and found is not None:
        users, groups = list(found.mapped_users), list(found.mapped_groups)
    return [
        f"--{kind}-map=:{start}:{target}:{count}:"
        for kind, ranges in (("uid", users), ("gid", groups))
        for start, target, count in ranges
    ]
