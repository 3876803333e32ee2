"""The short forms on the command line: sizes with units, and addresses of devices."""

from __future__ import annotations

import pytest

from guesthouse.cli.device_addresses import address_of_disk, parse
from guesthouse.cli.device_flags import Builder
from guesthouse.cli.failure import CommandError
from guesthouse.cli.scaled import scaled


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1024),
        ("1b", 1),
        ("2k", 2048),
        ("2KiB", 2048),
        ("2kb", 2000),
        ("3M", 3 << 20),
        ("1GB", 10**9),
        ("1e", 1 << 60),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert scaled(text, "size", 1024) == size


@pytest.mark.parametrize("text", ["", "x", "1x", "1kx", "-1", "1.5", "17e", "k"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(CommandError, match=r"Scaled numeric value '.*' for <size> option is malformed or out of range"):
        scaled(text, "size", 1024)


@pytest.mark.parametrize(
    ("text", "target", "element"),
    [
        (
            "pci:0000.05.0a.1",
            "vda",
            "<address type='pci' domain='0x0000' bus='0x05' slot='0x0a' function='0x1' multifunction='on'/>",
        ),
        ("ccw:fe.0.000a", "vda", "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x000a'/>"),
        ("scsi:1.2.3", "sda", "<address type='drive' controller='1' bus='2' unit='3'/>"),
        ("usb:1.2", "sda", "<address type='usb' bus='1' port='2'/>"),
        ("ide:0.1.0", "hda", "<address type='drive' controller='0' bus='1' unit='0'/>"),
        # As virsh reads them: any separator, blanks and signs in front of a number, and an end that nobody reads.
        ("scsi:0.0.0.5", "sda", "<address type='drive' controller='0' bus='0' unit='0'/>"),
        ("scsi:1:0:5", "sda", "<address type='drive' controller='1' bus='0' unit='5'/>"),
        ("sata:0x1.0.5", "sda", "<address type='drive' controller='0' bus='1' unit='0'/>"),
        (
            "scsi:010. +2.18446744073709551615x",
            "sda",
            "<address type='drive' controller='10' bus='2' unit='18446744073709551615'/>",
        ),
        ("usb:1.2.3", "sda", "<address type='usb' bus='1' port='2'/>"),
        ("ccw:0xfe.0.1", "fda", "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0001'/>"),
    ],
)
def test_addresses(text: str, target: str, element: str) -> None:
    assert address_of_disk(text, target, multifunction=True) == element


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        ("pci:0.0.0.0", "sda", "expecting a scsi:00.00.00 or usb:00.00 or sata:00.00.00 address."),
        ("scsi:0.0.0", "vda", "expecting a pci:0000.00.00.00 or ccw:00.0.0000 address."),
        ("scsi:0.0.0", "hda", "expecting an ide:00.00.00 address."),
        ("scsi:0.0", "sda", "Invalid address."),
        ("pci:0.0.x.0", "vda", "Invalid address."),
        ("scsi:0.012", "sda", "Invalid address."),
        ("scsi:0.0.-5", "sda", "Invalid address."),
        ("scsi:4294967296.0.0", "sda", "Invalid address."),
        ("scsi:0.0.18446744073709551616", "sda", "Invalid address."),
        ("usb:0.4294967296", "sda", "Invalid address."),
        ("nothing", "vda", "Invalid address."),
    ],
)
def test_what_is_no_address(text: str, target: str, said: str) -> None:
    with pytest.raises(CommandError, match=f"^{said}$".replace(".", r"\.")):
        address_of_disk(text, target, multifunction=False)


def test_host_address_has_colons_too() -> None:
    assert parse("pci:0000:05:00.0") == ("pci", (0, 5, 0, 0))


def test_elements_are_written_as_virsh_writes_them() -> None:
    disk = Builder("disk").set(type="file", device=None)
    disk.add(disk.child("driver").set(name=None))
    source = disk.child("source").set(file="/a&b'c")
    source.add(source.child("host").set(name="h"))
    disk.add(source)
    disk.line("<target dev='vda'/>")
    assert disk.text() == (
        "<disk type='file'>\n  <source file='/a&amp;b&apos;c'>\n    <host name='h'/>\n  </source>\n"
        "  <target dev='vda'/>\n</disk>\n"
    )
