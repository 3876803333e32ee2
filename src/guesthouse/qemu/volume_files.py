"""What is done to the files of a pool in an instant: listing, looking, making empty ones, naming, removing.

Part of the program `volume_worker`, standard library only. A function here gets a request's fields and returns what
goes back as JSON; OSError is told with its number.

What is being made has a temporary name (see `guesthouse.host.files`), which is not shown. One of a writer that is dead
is removed when the pool is listed: so nothing half made is ever taken for whole.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator

from guesthouse.qemu.image_survey import HEADER_SIZE, examine, identify, local, other_backing

#: A temporary name of `guesthouse.host.files`: pid and start time of the writer.
TEMPORARY = re.compile(r"\.guesthouse-([0-9]{1,10})-([0-9]{1,20})-[0-9a-f]{16}\.tmp", re.ASCII)

#: Entries that go back in one message.
BATCH = 500

_LOOK = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LABEL = "security.selinux"

#: File systems that are on this host: what is asked of them is answered, or the host is lost anyway.
_LOCAL = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "f2fs", "zfs", "bcachefs"))

#: Directory to the entries that its daemon knows already, by name: what their files looked like.
_told: dict[str, dict[str, list[int]]] = {}


def identity(facts: os.stat_result) -> list[int]:
    """What changes when a file is another one, or has been written to. That it was read changes nothing."""
    return [facts.st_dev, facts.st_ino, facts.st_size, facts.st_blocks, facts.st_mtime_ns, facts.st_ctime_ns]


def common(facts: os.stat_result) -> dict[str, object]:
    """Owner, bits and times of a file."""
    return {
        "mode": stat.S_IMODE(facts.st_mode),
        "uid": facts.st_uid,
        "gid": facts.st_gid,
        "times": [facts.st_atime_ns, facts.st_mtime_ns, facts.st_ctime_ns],
    }


def label_of(descriptor: int) -> str:
    """The label of SELinux, or nothing."""
    try:
        return os.getxattr(descriptor, _LABEL).decode("utf-8", "replace").rstrip("\0")
    except OSError:
        return ""


def is_storage(mode: int) -> bool:
    """Whether a file of this kind can be a volume, and may be opened: to open a pipe is noticed at its other end."""
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode)


def look_at(path: str, directory: int, name: str, *, seen: bool = False) -> dict[str, object] | None:
    """What stands under `name`, or None for what is no storage: pipes, sockets, dangling links, what is unreadable.

    `seen` says that it was storage a moment ago.
    """
    try:
        if not seen and not is_storage(os.stat(name, dir_fd=directory).st_mode):
            return None
        descriptor = os.open(name, _LOOK, dir_fd=directory)
    except OSError:
        return None
    try:
        facts = os.fstat(descriptor)
        if not is_storage(facts.st_mode):
            return None
        found: dict[str, object] = {"name": name, "identity": identity(facts), **common(facts)}
        if text := label_of(descriptor):
            found["label"] = text
        if stat.S_ISDIR(facts.st_mode):
            return found | {"kind": "dir", "format": "dir", "capacity": 0, "allocation": 0, "physical": 0}
        return found | content(path, descriptor, facts)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def content(path: str, descriptor: int, facts: os.stat_result) -> dict[str, object]:
    """What a file or a device holds: kind, format, sizes in bytes, backing image."""
    if stat.S_ISBLK(facts.st_mode):
        size = os.lseek(descriptor, 0, os.SEEK_END)
        found: dict[str, object] = {"kind": "block", "physical": size, "allocation": size}
    else:
        size = facts.st_size
        found = {"kind": "file", "physical": size, "allocation": facts.st_blocks * 512}
    header, read = examine(descriptor)
    name = str(read["format"])
    capacity = read.get("capacity") or size
    if name == "luks":
        name, read["encryption"] = "raw", "luks"
        payload = read["payload"]
        capacity = max(size - (payload if isinstance(payload, int) else 0), 0)
    if name not in ("qcow2", "raw"):
        read |= other_backing(name, header)
    found |= {key: read[key] for key in ("compat", "cluster", "features", "encryption") if key in read}
    found |= {"format": "vhd" if name == "vhdx" else name, "capacity": capacity}
    if backing := str(read.get("backing", "")):
        found["backing"] = backing_facts(path, backing, str(read.get("backing_format", "")))
    return found


def backing_facts(path: str, name: str, format_: str) -> dict[str, object]:
    """What is known of the image that a volume of the pool at `path` lies on. One that is not here counts as raw."""
    place = local(name)
    if place is None:
        return {"path": name, "format": "raw"}
    whole = os.path.normpath(os.path.join(path, place))
    found: dict[str, object] = {"path": whole, "format": format_ or "raw"}
    try:
        descriptor = os.open(whole, _LOOK)
    except OSError:
        return found
    try:
        facts = os.fstat(descriptor)
        found |= common(facts)
        if text := label_of(descriptor):
            found["label"] = text
        if not format_ and (stat.S_ISREG(facts.st_mode) or stat.S_ISBLK(facts.st_mode)):
            read = str(identify(os.pread(descriptor, HEADER_SIZE, 0))["format"])
            found["format"] = {"luks": "raw", "vhdx": "vhd"}.get(read, read)
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return found


def sizes(directory: int) -> dict[str, object]:
    """The sizes of the file system in bytes, and the directory's owner and bits."""
    space, facts = os.fstatvfs(directory), os.fstat(directory)
    found = common(facts)
    found["capacity"] = space.f_blocks * space.f_frsize
    found["available"] = space.f_bfree * space.f_frsize
    found["label"] = label_of(directory)
    return found


def is_local(directory: int) -> bool:
    """Whether a directory is on a file system of this host, by the table of mounts (proc(5), `mountinfo`)."""
    device = os.fstat(directory).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
        for row in table:
            before, _, after = row.partition(" - ")
            if before.split()[2:3] == [wanted]:
                return after.split()[:1] != [] and after.split()[0] in _LOCAL
    return False


def survey(path: str, *, fresh: bool) -> dict[str, object]:
    """The directory's sizes, the names of what is storage in it, and those that are new or changed since it was told.

    With `fresh` nothing counts as told. Where the daemon knows something and this process, which is new, does not know
    what, it says what all files look like (`identities`), and the daemon asks for those that it does not know so.
    What dead writers left is removed.
    """
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        told = {} if fresh else _told.get(path)
        now: dict[str, list[int]] = {}
        with os.scandir(directory) as entries:
            for entry in entries:
                name = entry.name
                if not name.isprintable() or (name.startswith(".guesthouse-") and sweep(directory, name)):
                    continue
                try:
                    facts = entry.stat()
                except OSError:
                    continue
                if is_storage(facts.st_mode):
                    now[name] = identity(facts)
        _told[path] = now
        found = {**sizes(directory), "local": is_local(directory), "names": sorted(now)}
        if told is None:
            return {**found, "changed": [], "identities": now}
        return {**found, "changed": [name for name, shape in now.items() if told.get(name) != shape]}
    finally:
        os.close(directory)


def batches(path: str, names: list[str], *, seen: bool = False) -> Iterator[list[dict[str, object]]]:
    """What stands under these names, in batches that are small enough for one message, each as soon as it is known."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for start in range(0, len(names), BATCH):
            found = (look_at(path, directory, name, seen=seen) for name in names[start : start + BATCH])
            yield [entry for entry in found if entry is not None]
    finally:
        os.close(directory)


def sweep(directory: int, name: str) -> bool:
    """Whether `name` is a temporary one; that of a dead writer is removed."""
    match = TEMPORARY.fullmatch(name)
    if match is None:
        return False
    if start_time(int(match[1])) != int(match[2]):
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=directory)
    return True


def start_time(pid: int) -> int:
    """Field 22 of a process's `/proc/PID/stat`; -1 where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return -1


def look(path: str, name: str) -> dict[str, object]:
    """The directory's sizes and one volume of it (`entry`), None where it is gone."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return {**sizes(directory), "entry": look_at(path, directory, name)}
    finally:
        os.close(directory)


def look_several(path: str, names: list[str]) -> dict[str, object]:
    """Those of these volumes that are there (`entries`)."""
    return {"entries": [entry for batch in batches(path, names) for entry in batch]}


def make_empty(
    path: str, temporary: str, name: str, size: int, mode: int, uid: int, gid: int, label: str, *, nocow: bool
) -> dict[str, object]:
    """Make a sparse file of `size` bytes and give it its name. Returns what `look` does."""
    descriptor = os.open(
        os.path.join(path, temporary), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        if nocow:
            forbid_cow(descriptor)
        os.ftruncate(descriptor, size)
    except BaseException:  # also when the child is told to stop: half a volume must not stay
        discard(path, temporary)
        raise
    finally:
        os.close(descriptor)
    return settle(path, temporary, name, mode, uid, gid, label)


def forbid_cow(descriptor: int) -> None:
    """Set the mark of Btrfs for files that are written in place (`FS_IOC_SETFLAGS`). OSError where there is none."""
    import fcntl
    import struct

    get, put, mark = 0x80086601, 0x40086602, 0x00800000
    flags = struct.unpack("l", fcntl.ioctl(descriptor, get, struct.pack("l", 0)))[0]
    fcntl.ioctl(descriptor, put, struct.pack("l", flags | mark))


def make_directory(path: str, name: str, mode: int, uid: int, gid: int, label: str) -> dict[str, object]:
    """Make a directory, which is a volume too."""
    place = os.path.join(path, name)
    os.mkdir(place, 0o700)
    try:
        own(place, mode, uid, gid, label)
    except OSError:
        os.rmdir(place)
        raise
    return look(path, name)


def own(place: str, mode: int, uid: int, gid: int, wanted: str) -> None:
    """Set owner, bits and label of what stands there; -1 leaves one as it is. A planted link is not followed."""
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        facts = os.fstat(descriptor)
        if (uid not in (-1, facts.st_uid)) or (gid not in (-1, facts.st_gid)):
            os.fchown(descriptor, uid, gid)
        if mode != -1:
            os.fchmod(descriptor, mode)
        if wanted:
            os.setxattr(descriptor, _LABEL, wanted.encode() + b"\0")
    finally:
        os.close(descriptor)


def settle(path: str, temporary: str, name: str, mode: int, uid: int, gid: int, label: str) -> dict[str, object]:
    """Give a whole image its name, which must be free. Returns what `look` does."""
    source, target = os.path.join(path, temporary), os.path.join(path, name)
    try:
        own(source, mode, uid, gid, label)
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            # A file system without hard links: the name is taken first, so that nobody's file is replaced.
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            os.rename(source, target)
    finally:
        discard(path, temporary)
    return look(path, name)


def discard(path: str, temporary: str) -> dict[str, object]:
    """Remove what has a temporary name."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(path, temporary))
    return {}


def delete(path: str, name: str) -> dict[str, object]:
    """Remove a file, or a directory that is empty. Returns the pool's sizes. What is gone already is no error."""
    place = os.path.join(path, name)
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(place).st_mode):
            os.rmdir(place)
        else:
            os.unlink(place)
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return sizes(directory)
    finally:
        os.close(directory)


def truncate(place: str, size: int) -> dict[str, object]:
    """Change the length of a file."""
    os.truncate(place, size)
    return {}


def readable(place: str) -> dict[str, object]:
    """Raise OSError unless the file at `place` can be read."""
    if not os.access(place, os.R_OK):
        os.close(os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    return {}


#: What takes an instant, by the name of the request.
QUICK: dict[str, Callable[..., dict[str, object]]] = {  # type: ignore[explicit-any]  # each has its own fields
    "look": look,
    "look_several": look_several,
    "make_empty": make_empty,
    "make_directory": make_directory,
    "settle": settle,
    "discard": discard,
    "delete": delete,
    "truncate": truncate,
    "readable": readable,
}
