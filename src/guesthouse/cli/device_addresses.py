"""The short form of addresses on the command line, such as `pci:0000.00.0x0a.0`, and the element that they stand for.

Source: virsh(1), "attach-disk".
"""

from __future__ import annotations

import re

from guesthouse.cli.failure import CommandError

#: Kind of a target's name to the kinds of addresses that it can have, and what is said about others.
_FITTING = {
    "vd": (("pci", "ccw"), "expecting a pci:0000.00.00.00 or ccw:00.0.0000 address."),
    "sd": (("scsi", "usb", "sata"), "expecting a scsi:00.00.00 or usb:00.00 or sata:00.00.00 address."),
    "hd": (("ide",), "expecting an ide:00.00.00 address."),
}

#: Kind to its number of parts and their base.
_FORMS = {"pci": (4, 16), "scsi": (3, 10), "ide": (3, 10), "sata": (3, 10), "ccw": (3, 16), "usb": (2, 10)}
#: A number as C reads it.
_NUMBERS = {10: r"\s*\+?([0-9]++)", 16: r"\s*\+?(?:0[xX])?([0-9a-fA-F]++)"}
_UINT = 2**32 - 1
_ULL = 2**64 - 1


def address_of_disk(text: str, target: str, *, multifunction: bool) -> str:
    """The element for a disk's address. Raises CommandError where it is none, or none for such a target."""
    kind, numbers = parse(text)
    fitting, complaint = _FITTING.get(target[:2], (tuple(_FORMS), ""))
    if kind not in fitting:
        raise CommandError(complaint)
    return element(kind, numbers, multifunction=multifunction)


def parse(text: str) -> tuple[str, tuple[int, ...]]:
    """Kind and numbers of an address, which any single characters separate; virsh ignores what follows the last.

    Raises CommandError.
    """
    kind, _, rest = text.partition(":")
    count, base = _FORMS.get(kind, (0, 10))
    found = re.match(".".join([_NUMBERS[base]] * count), rest, re.ASCII | re.DOTALL) if count else None
    numbers = tuple(int(part, base) for part in found.groups()) if found is not None else ()
    if not numbers or any(number > _UINT for number in numbers[:-1]) or numbers[-1] > _limit(kind):
        raise CommandError("Invalid address.")
    return kind, numbers


def _limit(kind: str) -> int:
    """The largest last number: that of a drive is a unit, which is longer."""
    return _ULL if kind in ("scsi", "ide", "sata") else _UINT


def element(kind: str, numbers: tuple[int, ...], *, multifunction: bool = False) -> str:
    """`<address …/>`."""
    if kind == "pci":
        domain, bus, slot, function = numbers
        more = " multifunction='on'" if multifunction else ""
        return (
            f"<address type='pci' domain='0x{domain:04x}' bus='0x{bus:02x}' slot='0x{slot:02x}' "
            f"function='0x{function:x}'{more}/>"
        )
    if kind == "ccw":
        cssid, ssid, devno = numbers
        return f"<address type='ccw' cssid='0x{cssid:02x}' ssid='0x{ssid:x}' devno='0x{devno:04x}'/>"
    if kind == "usb":
        return f"<address type='usb' bus='{numbers[0]}' port='{numbers[1]}'/>"
    controller, bus, unit = numbers
    return f"<address type='drive' controller='{controller}' bus='{bus}' unit='{unit}'/>"
