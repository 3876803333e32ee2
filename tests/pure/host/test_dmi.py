"""SMBIOS tables, built byte by byte; and against dmidecode where it is installed."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.host.dmi import parse_smbios, parse_structures, read_identity, read_smbios
from guesthouse.host.sysfs import HostTree

UUID = uuid.UUID("4c4c4544-0035-3510-8057-b4c04f4a4d32")


def structure(kind: int, body: bytes, *strings: str) -> bytes:
    tail = b"".join(text.encode() + b"\0" for text in strings) or b"\0"
    return struct.pack("<BBH", kind, 4 + len(body), kind) + body + tail + b"\0"


BIOS = structure(
    0, bytes([1, 2, 0, 0xE0, 3, 0]) + bytes(10) + bytes([3, 18, 1, 6]), "LENOVO  ", "6DET62WW", "01/12/2010"
)
SYSTEM = structure(1, bytes([1, 2, 3, 4]) + UUID.bytes_le + bytes([6, 0, 5]), "LENOVO", "7458AU2", "X200", "L3", "Fam")
BOARD = structure(2, bytes([1, 2, 3, 4, 0, 9, 5]), "Intel", "S2600", "v1", "QS", "Slot 1")
CHASSIS = structure(
    3, bytes([1, 3, 2, 3, 4]) + bytes(8) + bytes([0, 0, 1, 3, 0, 0, 0, 5]), "Dell", "c1", "s1", "a1", "sku"
)


def processor(family: int = 0xC6, status: int = 0x41, wide: int = 0, clock: int = 100) -> bytes:
    body = struct.pack(
        "<BBBB8sBBHHHBBHHHBBBBBBHH",
        *(1, 3, family, 2, bytes([0x54, 6, 5, 0, 0xFF, 0xFB, 0xEB, 0xBF]), 3, 0x8C, clock, 4000, 2400, status, 1),
        *(0xFFFF, 0xFFFF, 0xFFFF, 4, 5, 6, 8, 8, 16, 4, wide),
    )
    return structure(4, body, "CPU0", "Intel", "Intel(R) Xeon(R)", "SN1", "asset", "part")


def memory(size: int = 0x4000, detail: int = 0x80, speed: int = 2400, wide: int = 0, kind: int = 0x1A) -> bytes:
    body = struct.pack(
        "<HHHHHBBBBBHHBBBBBI", 0x1000, 0xFFFE, 72, 64, size, 9, 0, 1, 2, kind, detail, speed, 3, 4, 5, 6, 0, wide
    )
    return structure(17, body, "DIMM_A1", "P0", "Samsung", "S1", "A", "M393")


STRINGS = structure(11, bytes([2]), "Hello", "World & <all>")
TABLE = BIOS + SYSTEM + BOARD + CHASSIS + processor() + memory() + memory(size=0) + STRINGS + structure(127, b"")


def test_every_part() -> None:
    found = parse_smbios(TABLE, (3, 2))
    assert found.bios == {"vendor": "LENOVO", "version": "6DET62WW", "date": "01/12/2010", "release": "3.18"}
    assert found.system == {
        "manufacturer": "LENOVO",
        "product": "7458AU2",
        "version": "X200",
        "serial": "L3",
        "uuid": str(UUID),
        "sku": "Not Specified",
        "family": "Fam",
    }
    assert found.base_boards == (
        {
            "manufacturer": "Intel",
            "product": "S2600",
            "version": "v1",
            "serial": "QS",
            "asset": "Not Specified",
            "location": "Slot 1",
        },
    )
    assert found.chassis == {"manufacturer": "Dell", "version": "c1", "serial": "s1", "asset": "a1", "sku": "sku"}
    assert found.processors == (
        {
            "socket_destination": "CPU0",
            "type": "Central Processor",
            "family": "Core i7",
            "manufacturer": "Intel",
            "signature": "Type 0, Family 6, Model 85, Stepping 4",
            "version": "Intel(R) Xeon(R)",
            "external_clock": "100 MHz",
            "max_speed": "4000 MHz",
            "status": "Populated, Enabled",
            "serial_number": "SN1",
            "part_number": "part",
        },
    )
    assert found.memory_devices[0] == {
        "size": "16 GB",
        "form_factor": "DIMM",
        "locator": "DIMM_A1",
        "bank_locator": "P0",
        "type": "DDR4",
        "type_detail": "Synchronous",
        "speed": "2400 MT/s",
        "manufacturer": "Samsung",
        "serial_number": "S1",
        "part_number": "M393",
    }
    assert found.memory_devices[1]["size"] == "No Module Installed"
    assert found.oem_strings == ("Hello", "World & <all>")


@pytest.mark.parametrize(
    ("size", "wide", "text"),
    [
        (0xFFFF, 0, "Unknown"),
        (0x8200, 0, "512 kB"),
        (1536, 0, "1536 MB"),
        (0x7FFF, 65536, "64 GB"),
        (0x7FFF, 1 << 20, "1 TB"),
    ],
)
def test_sizes_of_memory(size: int, wide: int, text: str) -> None:
    assert parse_smbios(memory(size=size, wide=wide), (3, 2)).memory_devices[0]["size"] == text


def test_uuids_of_old_tables_are_big_endian() -> None:
    table = structure(1, bytes(4) + UUID.bytes)
    assert parse_smbios(table, (2, 5)).system["uuid"] == str(UUID)
    assert parse_smbios(structure(1, bytes(4) + bytes(16)), (3, 0)).system["uuid"] == "Not Settable"
    assert parse_smbios(structure(1, bytes(4) + b"\xff" * 16), (3, 0)).system["uuid"] == "Not Present"


def test_short_structures_have_fewer_entries() -> None:
    found = parse_smbios(structure(0, bytes([1]), "Maker") + structure(1, bytes([1, 9]), "Maker"), (2, 0))
    assert found.bios == {"vendor": "Maker"}
    assert found.system == {"manufacturer": "Maker", "product": "<BAD INDEX>"}


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(data: bytes) -> None:
    parse_smbios(data, (3, 0))
    parse_smbios(TABLE[: len(data)] + data, (3, 0))
    assert all(len(found.area) >= 4 for found in parse_structures(data))


def entry_point(length: int) -> bytes:
    entry = bytearray(b"_SM3_" + bytes([0, 24, 3, 2, 0, 1, 0]) + struct.pack("<IQ", length, 32))
    entry[5] = -sum(entry) & 0xFF
    return bytes(entry)


def test_the_kernels_files(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    assert read_smbios(tree) is None
    directory = tree.sys / "firmware/dmi/tables"
    directory.mkdir(parents=True)
    (directory / "DMI").write_bytes(TABLE)
    (directory / "smbios_entry_point").write_bytes(b"nonsense")
    assert read_smbios(tree) is None
    (directory / "smbios_entry_point").write_bytes(entry_point(len(TABLE)))
    found = read_smbios(tree)
    assert found is not None
    assert found.system["product"] == "7458AU2"


def test_what_the_kernel_shows_to_everybody(tmp_path: Path) -> None:
    tree = HostTree.under(tmp_path)
    assert read_identity(tree) is None
    directory = tree.sys / "class/dmi/id"
    directory.mkdir(parents=True)
    for name, text in {
        "sys_vendor": "Makers",
        "bios_release": "3.18",
        "board_name": " ",
        "chassis_asset_tag": "A\x01",
    }.items():
        (directory / name).write_text(text + "\n")
    found = read_identity(tree)
    assert found is not None
    assert (found.bios, found.system) == ({"release": "3.18"}, {"manufacturer": "Makers"})
    assert (found.base_boards, found.chassis) == ((), {"asset": "A."})
    (directory / "board_name").write_text("Board\n")
    again = read_identity(tree)
    assert again is not None
    assert again.base_boards == ({"product": "Board"},)


@pytest.mark.skipif(shutil.which("dmidecode") is None, reason="dmidecode is not installed")
def test_wording_is_dmidecodes(tmp_path: Path) -> None:
    processors = b"".join(processor(family=family) for family in range(254) if family not in (5, 6))
    processors += b"".join(processor(family=0xFE, wide=family) for family in range(0x100, 0x280))
    processors += b"".join(processor(status=status, clock=status) for status in range(128))
    memories = b"".join(memory(kind=kind, detail=1 << kind % 16, size=kind * 512) for kind in range(48))
    table = SYSTEM + CHASSIS + processors + memories + structure(127, b"")
    dump = tmp_path / "dump"
    dump.write_bytes(entry_point(len(table)) + bytes(8) + table)
    shown = subprocess.run(["dmidecode", "--from-dump", str(dump)], capture_output=True, text=True, check=True).stdout
    found = parse_smbios(table, (3, 2))

    def column(part: str, field: str) -> list[str]:
        sections = re.findall(rf"^{part}\n((?:\t.*\n)*)", shown, re.MULTILINE)
        lines = (re.search(rf"^\t{field}: (.*)$", section, re.MULTILINE) for section in sections)
        return [line[1] if line else "" for line in lines]

    assert column("System Information", "UUID") == [found.system["uuid"]]
    assert column("Chassis Information", "SKU Number") == [found.chassis["sku"]]
    for field, name in (
        ("Type", "type"), ("Family", "family"), ("Signature", "signature"), ("Status", "status"),
        ("External Clock", "external_clock"),
    ):  # fmt: skip
        assert column("Processor Information", field) == [cpu.get(name, "") for cpu in found.processors], field
    for field, name in (
        ("Size", "size"),
        ("Form Factor", "form_factor"),
        ("Type", "type"),
        ("Type Detail", "type_detail"),
    ):
        assert column("Memory Device", field) == [device[name] for device in found.memory_devices], field
