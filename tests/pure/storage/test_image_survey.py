"""What the headers of images say."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.qemu.image_survey import HEADER_SIZE, identify

MIB = 1024 * 1024


def qcow2(version: int = 3, size: int = 64 * MIB, backing: bytes = b"", backing_format: bytes = b"") -> bytes:
    length = 104 if version == 3 else 72
    extension = struct.pack(">II", 0xE2792ACA, len(backing_format)) + backing_format.ljust(8, b"\0")
    start = length + len(extension) + 8
    fixed = struct.pack(">4sIQIIQ", b"QFI\xfb", version, start if backing else 0, len(backing), 16, size)
    head = fixed.ljust(100, b"\0") + struct.pack(">I", 104) if version == 3 else fixed.ljust(72, b"\0")
    return head + extension + bytes(8) + backing


def test_qcow2() -> None:
    found = identify(qcow2())
    assert found == {"format": "qcow2", "capacity": 64 * MIB, "compat": "1.1", "cluster": 65536, "features": []}
    assert identify(qcow2(2))["compat"] == "0.10"


@pytest.mark.parametrize("version", [2, 3])
def test_the_backing_image_of_qcow2(version: int) -> None:
    found = identify(qcow2(version, backing=b"../base.img", backing_format=b"raw"))
    assert (found["backing"], found["backing_format"]) == ("../base.img", "raw")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"", {"format": "raw"}),
        (b"\0" * 512, {"format": "raw"}),
        (b"QED\0".ljust(48, b"\0") + struct.pack("<Q", MIB), {"format": "qed", "capacity": MIB}),
        (b"KDMV".ljust(12, b"\0") + struct.pack("<Q", 2048), {"format": "vmdk", "capacity": MIB}),
        (b"vhdxfile", {"format": "vhdx"}),
        (b"LUKS\xba\xbe\0\1".ljust(104, b"\0") + struct.pack(">I", 8), {"format": "luks", "payload": 4096}),
        (b"LUKS\xba\xbe\0\2", {"format": "raw"}),
        (bytes(32769) + b"CD001", {"format": "iso"}),
        (b"QFI\xfb\x00\x00\x00\x01".ljust(24, b"\0") + struct.pack(">Q", MIB), {"format": "qcow", "capacity": MIB}),
    ],
)
def test_other_formats(header: bytes, expected: dict[str, object]) -> None:
    assert identify(header) == expected


@given(
    st.binary(max_size=400), st.sampled_from([b"QFI\xfb\0\0\0\2", b"QFI\xfb\0\0\0\3", b"QED\0", b"KDMV", b"conectix"])
)
def test_a_hostile_header_is_only_read(rest: bytes, mark: bytes) -> None:
    header = mark + rest
    found = identify(header[:HEADER_SIZE])
    assert found["format"] in ("qcow2", "qed", "vmdk", "vpc")
    assert len(str(found.get("backing", ""))) <= 1023
