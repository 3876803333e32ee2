"""Images with the real qemu-img, and the host's own firmware."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Coroutine
from pathlib import Path

import pytest

from guesthouse.host.child import ChildError, ChildTimeoutError
from guesthouse.model.domain.defaults import FirmwareWish
from guesthouse.qemu import firmware, images

pytestmark = pytest.mark.real

MEGABYTE = 1 << 20


def in_loop(test: Coroutine[None, None, None]) -> None:
    """Run a test in the loop that the daemon has."""
    asyncio.run(asyncio.wait_for(test, 30))


def test_create_and_look(tmp_path: Path) -> None:
    async def test() -> None:
        base, top = tmp_path / "base.raw", tmp_path / "top,odd:name.qcow2"
        await images.create(base, "raw", 8 * MEGABYTE)
        await images.create(
            top,
            "qcow2",
            None,
            backing=str(base),
            backing_format="raw",
            options={"compat": "1.1", "lazy_refcounts": "on"},
        )
        found = await images.info(top)
        assert (found.format, found.virtual_size, found.cluster_size) == ("qcow2", 8 * MEGABYTE, 65536)
        assert (found.backing, found.backing_format, found.compat) == (str(base), "raw", "1.1")
        assert found.lazy_refcounts
        assert not found.encrypted
        assert 0 < found.actual_size < MEGABYTE
        as_raw = await images.info(top, "raw")
        assert (as_raw.format, as_raw.backing) == ("raw", "")
        assert (await images.info(base)).format == "raw"

    in_loop(test())


def test_trouble_is_told(tmp_path: Path) -> None:
    async def test() -> None:
        with pytest.raises(images.ImageError, match=r"cannot read image '.*/none': Could not open .*No such file"):
            await images.info(tmp_path / "none")
        with pytest.raises(images.ImageError, match="cannot create image"):
            await images.create(tmp_path / "x", "no-such-format", 1)
        with pytest.raises(images.ImageError, match="needs a format"):
            await images.create(tmp_path / "x", "qcow2", None, backing="/dev/null")
        (tmp_path / "broken").write_bytes(b"QFI\xfb" + b"\xff" * 100)
        with pytest.raises(images.ImageError, match="cannot read image"):
            await images.info(tmp_path / "broken")
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises((images.ImageError, ChildTimeoutError)):
            await images.info(tmp_path / "pipe", deadline=0.3)
        assert not (tmp_path / "x").exists()

    in_loop(test())


@pytest.mark.parametrize(("format_", "magic"), [("raw", b"abc"), ("qcow2", b"QFI\xfb")])
def test_nvram(tmp_path: Path, format_: str, magic: bytes) -> None:
    async def test() -> None:
        template = tmp_path / "VARS.fd"
        template.write_bytes(b"abc" + bytes(540672 - 3))
        path = tmp_path / "nvram" / "web1_VARS.fd"
        await images.create_nvram(path, template, "raw", format_)
        assert path.read_bytes().startswith(magic)
        assert path.stat().st_mode & 0o777 == 0o600
        if format_ == "raw":
            assert path.read_bytes() == template.read_bytes()
        path.write_bytes(b"used")
        with pytest.raises(ChildError):
            await images.create_nvram(path, tmp_path / "none", "raw", format_)
        assert path.read_bytes() == b"used"
        assert os.listdir(path.parent) == ["web1_VARS.fd"]

    in_loop(test())


@pytest.mark.skipif(not shutil.which("qemu-img") or not firmware.read(), reason="no firmware is installed (ovmf)")
def test_the_hosts_own_firmware() -> None:
    known = firmware.read()
    chosen = firmware.choose(known, FirmwareWish("efi", "x86_64", "pc-q35-10.0", {"secure-boot": False}))
    assert chosen is not None
    assert Path(chosen.executable).is_file()
    assert chosen.template is not None
    assert Path(chosen.template).is_file()
