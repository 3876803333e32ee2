"""What a disk is called: `vda`, `sdb`, `hdc`. The name gives its order on its bus, and the bus if none is given."""

from __future__ import annotations

from typing import Final

from guesthouse.errors import XmlError

#: How names of targets begin, and the bus that libvirt takes them for.
PREFIXES: Final = {"fd": "fdc", "hd": "ide", "sd": "scsi", "vd": "virtio", "xvd": "xen", "ubd": "uml"}
#: The highest number that libvirt's names have room for.
_HIGHEST: Final = 2**31 - 1


def name_index(name: str) -> int:
    """The number of a target such as `sdb` (1) or `vdaa` (26): letters count as columns of a spreadsheet do.

    Raises `XmlError` for a name that is not a known prefix and letters, or too long to count.
    """
    for prefix in PREFIXES:
        letters = name.removeprefix(prefix).rstrip("0123456789")
        if name.startswith(prefix) and letters and letters.isascii() and letters.isalpha() and letters.islower():
            number = 0
            for letter in letters:
                number = number * 26 + ord(letter) - ord("a") + 1
                if number > _HIGHEST:
                    break
            else:
                return number - 1
    raise XmlError(f"Unknown disk name '{name}' and no address specified")


def has_partition(name: str) -> bool:
    """Whether the name means a partition of a disk."""
    return name[-1:].isdigit()


def bus_of(name: str) -> str:
    """The bus that a name stands for; `ide` for one that says nothing."""
    return next((bus for prefix, bus in PREFIXES.items() if name.startswith(prefix) and bus != "fdc"), "ide")
