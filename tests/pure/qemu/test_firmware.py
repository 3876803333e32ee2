"""Firmware descriptors: which are in force, and which one a definition gets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.model.domain.defaults import FirmwareWish
from guesthouse.qemu.firmware import Firmware, choose, chooser, directories, parse, read, supported

Content = dict[str, object]


def flash(name: str, *features: str, machines: str = "pc-q35-*", format: str = "raw", mode: str | None = None) -> bytes:
    """A descriptor of UEFI in flash."""
    mapping: Content = {"device": "flash", "executable": {"filename": f"/fw/{name}.fd", "format": format}}
    if mode is None:
        mapping["nvram-template"] = {"filename": f"/fw/{name}_VARS.fd", "format": format}
    else:
        mapping["mode"] = mode
    return json.dumps(
        {
            "description": name,
            "interface-types": ["uefi"],
            "mapping": mapping,
            "targets": [{"architecture": "x86_64", "machines": machines.split()}],
            "features": list(features),
            "tags": [],
        }
    ).encode()


BIOS = json.dumps(
    {
        "interface-types": ["bios"],
        "mapping": {"device": "memory", "filename": "/fw/bios.bin"},
        "targets": [
            {"architecture": "i386", "machines": ["pc-i440fx-*"]},
            {"architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"]},
        ],
        "features": ["acpi-s3"],
        "tags": [],
    }
).encode()

DESCRIPTORS = {
    "30-enrolled.json": flash("enrolled", "secure-boot", "enrolled-keys", "requires-smm"),
    "40-secure.json": flash("secure", "secure-boot", "requires-smm"),
    "45-plain-qcow2.json": flash("plain-qcow2", format="qcow2"),
    "50-plain.json": flash("plain", "acpi-s3", machines="pc-q35-* pc-i440fx-*"),
    "60-stateless.json": flash("stateless", "amd-sev", mode="stateless"),
    "65-combined.json": flash("combined", mode="combined"),
    "90-bios.json": BIOS,
}


def known() -> list[Firmware]:
    """The descriptors above, parsed."""
    return [firmware for name, data in DESCRIPTORS.items() if (firmware := parse(name, data)) is not None]


def efi(machine: str = "pc-q35-10.0", **questions: object) -> FirmwareWish:
    """A definition with firmware='efi'."""
    return FirmwareWish("efi", "x86_64", machine, **questions)  # type: ignore[arg-type]  # a table of wishes


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (efi(), "30-enrolled.json"),
        (efi("pc-i440fx-10.0"), "50-plain.json"),
        (efi("microvm"), None),
        (efi(features={"enrolled-keys": False}), "40-secure.json"),
        (efi(features={"secure-boot": False}), "45-plain-qcow2.json"),
        (efi(features={"secure-boot": False}, format="raw"), "50-plain.json"),
        (efi(features={"secure-boot": False, "enrolled-keys": True}), None),
        (efi(secure=False), "45-plain-qcow2.json"),
        (efi(secure=True), "30-enrolled.json"),
        (efi("pc-i440fx-10.0", secure=True), None),
        (efi(smm=False), "45-plain-qcow2.json"),
        (efi(smm=True), "30-enrolled.json"),
        (efi(stateless=True), "60-stateless.json"),
        (efi(loader="/fw/plain.fd"), "50-plain.json"),
        (efi(loader="/fw/unknown.fd"), None),
        (efi(loader_type="pflash"), "30-enrolled.json"),
        (efi(loader_type="rom"), None),
        (FirmwareWish("bios", "x86_64", "pc-q35-10.0"), "90-bios.json"),
        (FirmwareWish("bios", "i686", "pc-i440fx-10.0"), "90-bios.json"),
        (FirmwareWish("bios", "i686", "pc-q35-10.0"), None),
        (FirmwareWish("bios", "x86_64", "pc-q35-10.0", stateless=True), "90-bios.json"),
        (efi(template="/fw/plain_VARS.fd"), "50-plain.json"),
        (efi(template="/fw/other_VARS.fd"), None),
        (efi(readonly=False), None),
        (efi(needs=frozenset(("amd-sev",))), None),
        (FirmwareWish("efi", "aarch64", "virt-10.0"), None),
        (FirmwareWish("", "x86_64", "pc-q35-10.0", loader="/fw/plain.fd", loader_type="pflash"), "50-plain.json"),
        (FirmwareWish("", "x86_64", "pc-q35-10.0"), None),
    ],
)
def test_choice(wish: FirmwareWish, expected: str | None) -> None:
    found = choose(known(), wish)
    assert (found.name if found else None) == expected


def test_image() -> None:
    pick = chooser(known())
    image = pick(efi())
    assert image is not None
    assert (image.path, image.template) == ("/fw/enrolled.fd", "/fw/enrolled_VARS.fd")
    assert (image.smm, image.secure, image.type) == (True, True, "pflash")
    assert image.features == {"enrolled-keys": True, "secure-boot": True}
    stateless = pick(efi(stateless=True))
    assert stateless is not None
    assert (stateless.stateless, stateless.template) == (True, None)
    bios = pick(FirmwareWish("bios", "x86_64", "pc-q35-10.0"))
    assert bios is not None
    assert (bios.type, bios.template, bios.features) == ("rom", None, {"enrolled-keys": False, "secure-boot": False})
    assert (image.kind, bios.kind) == ("efi", "bios")
    assert pick(efi("microvm")) is None


def test_supported() -> None:
    assert [f.name for f in supported(known(), "x86_64", "pc-i440fx-10.0")] == ["50-plain.json", "90-bios.json"]


def test_directories_replace_and_hide(tmp_path: Path) -> None:
    general, local, own = (tmp_path / name for name in ("usr", "etc", "home"))
    for directory in (general, local, own):
        directory.mkdir()
    (general / "50-a.json").write_bytes(flash("general-a"))
    (general / "50-b.json").write_bytes(flash("general-b"))
    (general / "50-c.json").write_bytes(flash("general-c"))
    (general / "README").write_bytes(flash("no-descriptor"))
    (local / "50-a.json").write_bytes(flash("local-a"))
    (local / "50-b.json").touch()
    (local / "10-first.json").write_bytes(flash("first"))
    (own / "50-c.json").write_bytes(b"{broken")
    (own / "99-last.json").write_bytes(flash("last"))

    def names(*places: Path) -> list[str]:
        return [Path(firmware.executable).stem for firmware in read(places)]

    assert names(general) == ["general-a", "general-b", "general-c"]
    assert names(general, local) == ["first", "local-a", "general-c"]
    assert names(general, local, own) == ["first", "local-a", "last"]
    assert names(tmp_path / "missing") == []


def test_session_directory() -> None:
    assert directories(None) == (Path("/usr/share/qemu/firmware"), Path("/etc/qemu/firmware"))
    assert directories(Path("/home/u/.config"))[-1] == Path("/home/u/.config/qemu/firmware")


@pytest.mark.parametrize(
    "change",
    [
        {"mapping": {"device": "kernel", "filename": "/x"}},
        {"mapping": {"device": "flash", "executable": {"filename": "/x", "format": "vmdk"}}},
        {"mapping": {"device": "flash", "executable": {"filename": "/x", "format": "raw"}}},
        {"mapping": 3},
        {"targets": [{"architecture": "x86_64"}]},
        {"features": None},
        {"interface-types": [1]},
    ],
)
def test_what_is_not_understood_is_passed_over(change: Content) -> None:
    content = json.loads(DESCRIPTORS["50-plain.json"])
    assert parse("x", json.dumps(content | change).encode()) is None


@given(st.binary(max_size=100))
def test_garbage_is_passed_over(data: bytes) -> None:
    assert parse("x", data) is None
