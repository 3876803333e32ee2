"""Files that a guest finds in its first file system beside those that were built into it."""

from __future__ import annotations

import gzip

_HEAD = "070701"


def archive(files: dict[str, bytes]) -> bytes:
    """A compressed archive in the kernel's form (`newc`), which it unpacks after the one before it."""
    out = b""
    for number, (name, data) in enumerate([*files.items(), ("TRAILER!!!", b"")]):
        fields = (number, 0o100644, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        out += (_HEAD + "".join(f"{field:08x}" for field in fields) + name + "\0").encode()
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return gzip.compress(out)
