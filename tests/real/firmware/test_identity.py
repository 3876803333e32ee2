"""A real guest reads who it is: tables, firmware entries, processors and clock are those of its definition."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.cpio import archive
from tests.support.daemon import Daemon
from tests.support.shell import GuestShell
from tests.support.tiny import FOLDER, INITRD, tiny_xml

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

_ADJUSTMENT = 1_000_000

_EXTRA = f"""<sysinfo type='smbios'>
    <bios><entry name='vendor'>Guesthouse, Inc.</entry><entry name='date'>01/02/2003</entry></bios>
    <system><entry name='manufacturer'>Makers</entry><entry name='product'>Thing 3000</entry>
      <entry name='serial'>0815</entry></system>
    <baseBoard><entry name='manufacturer'>Boards</entry><entry name='serial'>B-1</entry></baseBoard>
    <chassis><entry name='manufacturer'>Cases</entry><entry name='asset'>A-7</entry></chassis>
    <oemStrings><entry>first of two</entry><entry>second, with a comma</entry></oemStrings>
  </sysinfo>
  <sysinfo type='fwcfg'>
    <entry name='opt/com.example/text'>hello, guest</entry>
    <entry name='opt/com.example/file' file='FILE'/>
  </sysinfo>
  <cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model>
    <topology sockets='2' cores='2' threads='1'/></cpu>
  <clock offset='variable' adjustment='{_ADJUSTMENT}' basis='utc'/>
  <genid/>"""


@pytest.fixture
def document(tmp_path: Path) -> str:
    """The guest's definition, with the driver of the firmware's entries among its first files."""
    found = sorted(FOLDER.glob("packages/*/lib/modules/*/kernel/drivers/firmware/qemu_fw_cfg.ko"))
    if not found:
        pytest.skip("the tiny guest is not built (./dev setup builds it)")
    initrd = tmp_path / "initrd.gz"
    initrd.write_bytes(INITRD.read_bytes() + archive({"qemu_fw_cfg.ko": found[0].read_bytes()}))
    entry = tmp_path / "entry.txt"
    entry.write_text("from a file\n")
    xml = tiny_xml("who", extra=_EXTRA.replace("FILE", str(entry)))
    xml = xml.replace("<vcpu>1</vcpu>", "<vcpu>4</vcpu>").replace(str(INITRD), str(initrd))
    return xml.replace("</os>", "<smbios mode='sysinfo'/></os>")


@pytest.fixture
def shell(daemon: Daemon, document: str, tmp_path: Path) -> Iterator[GuestShell]:
    """The running guest's shell."""
    path = tmp_path / "guest.xml"
    path.write_text(document)
    daemon.virsh("define", str(path))
    daemon.virsh("start", "who")
    shell = GuestShell(daemon.virsh("ttyconsole", "who").stdout.strip())
    shell.until_ready(90.0)
    yield shell
    shell.close()
    daemon.virsh("destroy", "who")
    daemon.virsh("undefine", "who")


def test_the_guest_is_who_its_definition_says(daemon: Daemon, shell: GuestShell) -> None:
    _check_tables(shell)
    _check_entries(shell)
    _check_processors(shell)
    _check_definition(daemon)
    _check_clock(daemon, shell)


def _check_clock(daemon: Daemon, shell: GuestShell) -> None:
    """The guest's clock is off as was asked for; what the guest sets is kept of what runs."""
    assert abs(int(shell.run("date -u +%s")) - time.time() - _ADJUSTMENT) < 200
    shell.run("date -u -s @$(( $(date +%s) + 86400 )) && hwclock -w -u")
    end = time.monotonic() + 20
    while abs(_adjustment(daemon) - _ADJUSTMENT - 86400) > 200:
        assert time.monotonic() < end, _adjustment(daemon)
        time.sleep(0.5)
    assert f"adjustment='{_ADJUSTMENT}'" in daemon.virsh("dumpxml", "--inactive", "who").stdout


def _adjustment(daemon: Daemon) -> int:
    live = daemon.virsh("dumpxml", "who").stdout
    assert "adjustment0" not in live
    return int(live.partition("<clock offset='variable' adjustment='")[2].partition("'")[0])


def test_a_clock_starts_when_it_is_told(daemon: Daemon, tmp_path: Path) -> None:
    path = tmp_path / "then.xml"
    path.write_text(
        "<domain type='qemu'><name>then</name><memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>"
        "<clock offset='absolute' start='1000000000'/></domain>"
    )
    daemon.virsh("define", str(path))
    daemon.virsh("start", "then", "--paused")
    question = '{"execute":"qom-get","arguments":{"path":"/machine","property":"rtc-time"}}'
    told = json.loads(daemon.virsh("qemu-monitor-command", "then", question).stdout)["return"]
    names = ("tm_year", "tm_mon", "tm_mday", "tm_hour", "tm_min", "tm_sec")
    year, month, day, hour, minute, second = (told[name] for name in names)
    seen = datetime(year + 1900, month + 1, day, hour, minute, second, tzinfo=UTC)
    assert abs(seen - datetime.fromtimestamp(1_000_000_000, UTC)) < timedelta(seconds=60)
    daemon.virsh("destroy", "then")
    daemon.virsh("undefine", "then")


def _check_tables(shell: GuestShell) -> None:
    wanted = {
        "bios_vendor": "Guesthouse, Inc.",
        "bios_date": "01/02/2003",
        "sys_vendor": "Makers",
        "product_name": "Thing 3000",
        "product_serial": "0815",
        "board_vendor": "Boards",
        "board_serial": "B-1",
        "chassis_vendor": "Cases",
        "chassis_asset_tag": "A-7",
    }
    for name, value in wanted.items():
        assert shell.run(f"cat /sys/class/dmi/id/{name}") == value, name
    texts = shell.run("strings /sys/firmware/dmi/entries/11-0/raw")
    assert "first of two" in texts
    assert "second, with a comma" in texts


def _check_entries(shell: GuestShell) -> None:
    shell.run("insmod /qemu_fw_cfg.ko")
    place = "/sys/firmware/qemu_fw_cfg/by_name/opt/com.example"
    assert shell.run(f"cat {place}/text/raw") == "hello, guest"
    assert shell.run(f"cat {place}/file/raw") == "from a file"


def _check_processors(shell: GuestShell) -> None:
    places = "/sys/devices/system/cpu/cpu?/topology"
    assert shell.run(f"cat {places}/physical_package_id").split() == ["0", "0", "1", "1"]
    assert shell.run(f"cat {places}/core_id").split() == ["0", "1", "0", "1"]
    assert shell.run(f"cat {places}/thread_siblings_list").split() == ["0", "1", "2", "3"]


def _check_definition(daemon: Daemon) -> None:
    kept = daemon.virsh("dumpxml", "--inactive", "who").stdout
    assert "<entry name='opt/com.example/text'>hello, guest</entry>" in kept
    id_ = kept.partition("<genid>")[2].partition("</genid>")[0]
    live = daemon.virsh("dumpxml", "who").stdout
    assert f"<genid>{id_}</genid>" in live
    told = daemon.virsh("qemu-monitor-command", "who", '{"execute":"query-vm-generation-id"}').stdout
    assert id_ in told
