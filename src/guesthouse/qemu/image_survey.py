"""Look at the images in a directory by their headers, and print as JSON what they are.

A program of its own, standard library only, started by `guesthouse.qemu.directory`: a directory on storage that hangs
then hangs a process that can be killed. Its arguments are the directory and, to look at a few files only, their names.

Only fixed places of each header are read, and nothing that a header names is opened: a guest may have written it. So
many files are looked at in the time that one start of `qemu-img` needs.

Source: QEMU's `docs/interop/qcow2.txt`, `qed_spec.txt` and `vhdx`; ECMA-119 for ISO images; `struct` layouts of VMDK
and VDI as their vendors publish them.
"""

from __future__ import annotations

import json
import os
import stat
import struct
import sys

HEADER_SIZE = 65536
ISO_OFFSET = 32769
SECTOR = 512

#: Format, offset of its mark, the mark, and how its capacity stands there: (struct format, offset, factor).
MARKS: tuple[tuple[str, int, bytes, tuple[str, int, int] | None], ...] = (
    ("qcow2", 0, b"QFI\xfb\x00\x00\x00\x02", (">Q", 24, 1)),
    ("qcow2", 0, b"QFI\xfb\x00\x00\x00\x03", (">Q", 24, 1)),
    ("qcow", 0, b"QFI\xfb\x00\x00\x00\x01", (">Q", 24, 1)),
    ("qed", 0, b"QED\x00", ("<Q", 48, 1)),
    ("vmdk", 0, b"KDMV", ("<Q", 12, SECTOR)),
    ("vdi", 64, b"\x7f\x10\xda\xbe", ("<Q", 368, 1)),
    ("vhdx", 0, b"vhdxfile", None),
    ("vpc", 0, b"conectix", (">Q", 48, 1)),
    ("luks", 0, b"LUKS\xba\xbe", None),
    ("bochs", 0, b"Bochs Virtual HD Image\x00", None),
    ("iso", ISO_OFFSET, b"CD001", None),
)

#: Header extensions of qcow2: the end, and the format of the backing image.
QCOW2_END = 0
QCOW2_BACKING_FORMAT = 0xE2792ACA


def field(layout: str, header: bytes, offset: int) -> int:
    """One number of a header, or 0 where the header is too short for it."""
    if len(header) < offset + struct.calcsize(layout):
        return 0
    return int(struct.unpack_from(layout, header, offset)[0])


def identify(header: bytes) -> dict[str, object]:
    """What the first bytes of an image say: `format`, and `capacity` in bytes where the header has it."""
    for name, offset, mark, capacity in MARKS:
        if header.startswith(mark, offset):
            found: dict[str, object] = {"format": name}
            if capacity is not None:
                found["capacity"] = field(capacity[0], header, capacity[1]) * capacity[2]
            if name == "qcow2":
                found |= qcow2_details(header)
            return found
    return {"format": "raw"}


def qcow2_details(header: bytes) -> dict[str, object]:
    """Version, cluster size and backing image of a qcow2 header."""
    version = field(">I", header, 4)
    cluster_bits = field(">I", header, 20)
    found: dict[str, object] = {"compat": "1.1" if version == 3 else "0.10"}
    if cluster_bits < 32:
        found["cluster"] = 1 << cluster_bits
    start, length = field(">Q", header, 8), field(">I", header, 16)
    if start and length <= 1023 and start + length <= len(header):
        found["backing"] = os.fsdecode(header[start : start + length])
        found["backing_format"] = backing_format(header, 72 if version == 2 else field(">I", header, 100))
    return found


def backing_format(header: bytes, position: int) -> str:
    """The format of the backing image, from the header extensions that begin at `position`, or nothing."""
    while position + 8 <= len(header):
        kind, length = field(">I", header, position), field(">I", header, position + 4)
        if kind == QCOW2_END:
            break
        if kind == QCOW2_BACKING_FORMAT:
            return header[position + 8 : position + 8 + length].decode("ascii", "replace")
        position += 8 + (length + 7) // 8 * 8
    return ""


def look(directory: int, name: str) -> dict[str, object] | None:
    """What stands under `name`, or None for what is no storage: pipes, sockets, dangling links."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        kind = os.stat(name, dir_fd=directory).st_mode
        if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISBLK(kind)):
            return None
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError:
        return None
    try:
        facts = os.fstat(descriptor)
        found: dict[str, object] = {
            "name": name,
            "size": facts.st_size,
            "allocation": facts.st_blocks * 512,
            "mode": stat.S_IMODE(facts.st_mode),
            "uid": facts.st_uid,
            "gid": facts.st_gid,
            "times": [facts.st_atime_ns, facts.st_mtime_ns, facts.st_ctime_ns],
        }
        if stat.S_ISDIR(facts.st_mode):
            return found | {"kind": "dir", "format": "dir"}
        if stat.S_ISBLK(facts.st_mode):
            found["size"] = os.lseek(descriptor, 0, os.SEEK_END)
            found["kind"] = "block"
        else:
            found["kind"] = "file"
        return found | identify(os.pread(descriptor, HEADER_SIZE, 0))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def main(path: str, *names: str) -> None:
    """Print the file system's sizes, the directory's owner and bits, and its entries."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    space = os.fstatvfs(directory)
    facts = os.fstat(directory)
    wanted = names or sorted(name for name in os.listdir(directory) if name.isprintable())
    answer = {
        "capacity": space.f_blocks * space.f_frsize,
        "available": space.f_bfree * space.f_frsize,
        "mode": stat.S_IMODE(facts.st_mode),
        "uid": facts.st_uid,
        "gid": facts.st_gid,
        "entries": [found for name in wanted if (found := look(directory, name)) is not None],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(error.strerror or str(error))
