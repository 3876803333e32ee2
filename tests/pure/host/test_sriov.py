"""Virtual functions, found in a tree of fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.host.sriov import VirtualFunction, virtual_function
from guesthouse.host.sysfs import HostTree

CARD, FUNCTION = "0000:06:00.0", "0000:06:10.2"


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """The PCI devices of a host with one card and two virtual functions of it, one of them elsewhere."""
    found = tmp_path / "sys/bus/pci/devices"
    for name in (CARD, FUNCTION, "0000:06:10.0"):
        (found / name).mkdir(parents=True)
    (found / CARD / "net/ens6").mkdir(parents=True)
    (found / CARD / "virtfn0").symlink_to("../0000:06:10.0")
    (found / CARD / "virtfn1").symlink_to(f"../{FUNCTION}")
    (found / FUNCTION / "physfn").symlink_to(f"../{CARD}")
    return found


def test_a_function_is_found(devices: Path, tmp_path: Path) -> None:
    assert virtual_function(FUNCTION, HostTree.under(tmp_path)) == VirtualFunction("ens6", 1)


def test_a_whole_card_is_none(devices: Path, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"is no virtual function$"):
        virtual_function(CARD, HostTree.under(tmp_path))


def test_a_function_of_something_else(devices: Path, tmp_path: Path) -> None:
    (devices / CARD / "net/ens6").rmdir()
    with pytest.raises(OSError, match="of a network card"):
        virtual_function(FUNCTION, HostTree.under(tmp_path))


def test_a_function_without_a_number(devices: Path, tmp_path: Path) -> None:
    (devices / CARD / "virtfn1").unlink()
    with pytest.raises(OSError, match="has no number at 'ens6'"):
        virtual_function(FUNCTION, HostTree.under(tmp_path))
