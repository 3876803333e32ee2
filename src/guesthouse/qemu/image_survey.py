"""What images are, by their headers, and what they lie on.

Standard library only. `volume_files` looks at volumes with it. As a program, started by `guesthouse.qemu.chains`, it
follows images down to those that they lie on and prints them as JSON: a chain on storage that hangs then hangs a
process that can be killed. Its arguments are a format (empty where nobody knows it) and a path, alternating.

Only fixed places of each header are read, and nothing that a header names is opened: a guest may have written it. So
many files are looked at in the time that one start of `qemu-img` needs.

Source: QEMU's `docs/interop/qcow2.txt`, `qed_spec.txt` and `vhdx`; ECMA-119 for ISO images; `struct` layouts of VMDK
and VDI as their vendors publish them.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import struct
import sys

HEADER_SIZE = 65536
SHORT_SIZE = 4096
ISO_OFFSET = 32769
ISO_MARK = b"CD001"
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
    ("luks", 0, b"LUKS\xba\xbe\x00\x01", None),
    ("bochs", 0, b"Bochs Virtual HD Image\x00", None),
    ("iso", ISO_OFFSET, ISO_MARK, None),
)

#: Header extensions of qcow2: the end, and the format of the backing image.
QCOW2_END = 0
QCOW2_BACKING_FORMAT = 0xE2792ACA
QCOW2_DATA_FILE = 0x44415441
#: The incompatible feature that says that the data is in another file.
QCOW2_HAS_DATA_FILE = 4
#: Feature to the offset of its word in the header, and its bit there.
QCOW2_FEATURES = {"lazy_refcounts": (80, 1), "extended_l2": (72, 16)}
#: Of that header: the version, where the backing image's name is and how long, the bits of a cluster, the encryption,
#: the incompatible and the compatible features, the header's length.
QCOW2_HEADER = struct.Struct(">4xIQII8xI36xQQ12xI")
#: What the header of qcow2 has for the way of encryption.
QCOW2_CRYPT = {1: "qcow", 2: "luks"}

#: How deep a chain may be.
DEPTH = 200
CDROM_MAJOR = 11


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
            elif name == "luks":
                found["payload"] = field(">I", header, 104) * SECTOR
            return found
    return {"format": "raw"}


def examine(descriptor: int) -> tuple[bytes, dict[str, object]]:
    """An image's beginning, as much of it as tells all, and what it says: a little of most, for they are many."""
    header = os.pread(descriptor, SHORT_SIZE, 0)
    found = identify(header)
    kind = found["format"]
    if len(header) < SHORT_SIZE or (kind == "raw" and os.pread(descriptor, 5, ISO_OFFSET) != ISO_MARK):
        return header, found
    if kind == "qcow2" and field(">Q", header, 8) + field(">I", header, 16) <= SHORT_SIZE:
        return header, found
    header = os.pread(descriptor, HEADER_SIZE, 0)
    return header, identify(header)


def qcow2_details(header: bytes) -> dict[str, object]:
    """Version, cluster size and backing image of a qcow2 header."""
    # One step for all numbers: pools have many images. What a short header lacks is 0.
    whole = header if len(header) >= QCOW2_HEADER.size else header.ljust(QCOW2_HEADER.size, b"\0")
    version, start, length, cluster_bits, crypt, incompatible, compatible, end = QCOW2_HEADER.unpack_from(whole)
    found: dict[str, object] = {"compat": "1.1" if version == 3 else "0.10"}
    if version == 3:
        words = {72: incompatible, 80: compatible}
        found["features"] = [name for name, (at, bit) in QCOW2_FEATURES.items() if words[at] & bit]
    if crypt in QCOW2_CRYPT:
        found["encryption"] = QCOW2_CRYPT[crypt]
    if cluster_bits < 32:
        found["cluster"] = 1 << cluster_bits
    extensions = 72 if version == 2 else end
    if start and length <= 1023 and start + length <= len(header):
        found["backing"] = os.fsdecode(header[start : start + length])
        found["backing_format"] = extension(header, extensions, QCOW2_BACKING_FORMAT).decode("ascii", "replace")
    if version == 3 and incompatible & QCOW2_HAS_DATA_FILE:
        found["data"] = os.fsdecode(extension(header, extensions, QCOW2_DATA_FILE))
    return found


def extension(header: bytes, position: int, wanted: int) -> bytes:
    """The content of one of the header extensions that begin at `position`, or nothing."""
    while position + 8 <= len(header):
        kind, length = field(">I", header, position), field(">I", header, position + 4)
        if kind == QCOW2_END:
            break
        if kind == wanted:
            return header[position + 8 : position + 8 + length]
        position += 8 + (length + 7) // 8 * 8
    return b""


def other_backing(name: str, header: bytes) -> dict[str, object]:
    """The backing image of the older formats."""
    if name == "qcow":
        start, length = field(">Q", header, 8), field(">I", header, 16)
        text = header[start : start + length] if start and length <= 1023 else b""
        return {"backing": os.fsdecode(text), "backing_format": ""} if text else {}
    if name == "qed":
        features, start, length = field("<Q", header, 16), field("<I", header, 56), field("<I", header, 60)
        text = header[start : start + length] if features & 1 else b""
        kind = "raw" if features & 4 else ""
        return {"backing": os.fsdecode(text), "backing_format": kind} if text else {}
    if name == "vmdk":
        found = re.search(rb'parentFileNameHint="([^"\n]{1,1023})"', header)
        return {"backing": os.fsdecode(found[1]), "backing_format": "vmdk"} if found else {}
    return {}


def link(path: str, wanted: str) -> dict[str, object]:
    """One image of a chain. `wanted` is its format, or empty: then it is what its header says."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        found: dict[str, object] = {"path": path, "kind": "block" if stat.S_ISBLK(facts.st_mode) else "file"}
        if stat.S_ISBLK(facts.st_mode):
            found["cdrom"] = os.major(facts.st_rdev) == CDROM_MAJOR
        elif not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is no file and no block device")
        header = b"" if wanted == "raw" else os.pread(descriptor, HEADER_SIZE, 0)
    finally:
        os.close(descriptor)
    read = identify(header)
    if wanted and read["format"] != wanted:
        return found | {"format": wanted}
    name = str(read["format"])
    details = {key: read[key] for key in ("backing", "backing_format", "data") if key in read}
    return found | {"format": name, "guessed": not wanted} | details | other_backing(name, header)


def chain(path: str, wanted: str) -> dict[str, object]:
    """An image and those below it. `rest` is the name of one that is not local, `failed` one that cannot be read."""
    links: list[dict[str, object]] = []
    while len(links) < DEPTH:
        try:
            current = link(path, wanted)
        except OSError as error:
            return {"links": links, "failed": path, "reason": error.strerror or str(error)}
        links.append(current)
        backing = str(current.get("backing", ""))
        if not backing:
            return {"links": links}
        place = local(backing)
        if place is None:
            return {"links": links, "rest": backing}
        path = os.path.normpath(os.path.join(os.path.dirname(path), place))
        wanted = str(current.get("backing_format", ""))
    return {"links": links, "failed": path, "reason": "too deep"}


def local(name: str) -> str | None:
    """The path that a name in a header means; None for what is not a plain file."""
    if name.startswith("file:"):
        rest = name[5:]
        return rest[2:] if rest.startswith("///") else rest
    return None if re.match(r"[a-zA-Z0-9+.-]+:", name) else name


if __name__ == "__main__":
    try:
        words = sys.argv[1:]
        print(json.dumps([chain(path, kind) for kind, path in zip(words[::2], words[1::2], strict=True)]))
    except OSError as error:
        sys.exit(error.strerror or str(error))
