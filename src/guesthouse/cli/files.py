"""Local files that commands read."""

from __future__ import annotations

from guesthouse.cli.failure import CommandError

#: The largest document that is read, as virsh has it.
XML_MAX = 10 * 1024 * 1024


def read_document(path: str) -> str:
    """The text of a file, up to the first NUL.

    Raises CommandError in libvirt's words where it cannot be read or is too large.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read(XML_MAX + 1)
    except OSError as error:
        what = "Failed to read file" if error.errno == 21 else "Failed to open file"
        raise CommandError(f"{what} '{path}': {error.strerror}") from None
    if len(data) > XML_MAX:
        raise CommandError(f"Failed to read file '{path}': Value too large for defined data type")
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")
