"""The lab's kernel and tools can make the storage that pools are tested with."""

from __future__ import annotations

from pathlib import Path

from tests.lab.support import loop_device, output


def test_volume_group_on_a_loop_device(tmp_path: Path) -> None:
    with loop_device(tmp_path / "disk", megabytes=64) as device:
        output("vgcreate", "lab-vg", device)
        try:
            output("lvcreate", "--yes", "--name", "one", "--size", "8m", "lab-vg")
            assert output("lvs", "--noheadings", "-o", "lv_name,lv_size", "lab-vg").split() == ["one", "8.00m"]
            assert Path("/dev/lab-vg/one").is_block_device()
        finally:
            output("vgremove", "--force", "--yes", "lab-vg")
