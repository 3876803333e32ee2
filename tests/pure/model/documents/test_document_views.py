"""What a document shows to whom: things that run, things that are there, files, and requests."""

from __future__ import annotations

from pathlib import Path

from guesthouse.model.backup import format_backup, parse_backup
from guesthouse.model.binding import new
from guesthouse.model.checkpoint import format_checkpoint, parse_checkpoint
from guesthouse.model.network.document import format_network, parse_network
from guesthouse.model.network.forward import ForwardInterface
from guesthouse.model.nodedev.device import format_node_device, parse_node_device
from guesthouse.model.pool import format_pool, parse_pool
from guesthouse.model.pool_source import FreeExtent
from guesthouse.model.snapshot import format_snapshot, parse_snapshot
from guesthouse.model.volume import (
    Extent,
    Physical,
    Timestamps,
    VolumeDevice,
    VolumeSource,
    complete_volume,
    format_volume,
    parse_volume,
)


def shape(name: str) -> str:
    """One of the documents of this folder."""
    return (Path(__file__).parent / f"{name}.xml").read_text()


def test_a_running_network_shows_its_guests() -> None:
    network = parse_network(shape("network-pf"))
    assert network.forward is not None
    network.connections = 2
    network.forward.interfaces = [new(ForwardInterface, dev="eth3v0", connections=1)]
    live = format_network(network, live=True)
    assert live.startswith("<network connections='2'>")
    assert "<interface dev='eth3v0' connections='1'/>" in live
    # The card's functions are found anew at each start.
    assert format_network(network) == shape("network-pf")
    assert len(network.forward.interfaces) == 1


def test_nothing_is_counted_where_nobody_is() -> None:
    network = parse_network(shape("network-options"))
    network.connections = 0
    assert "connections" not in format_network(network, live=True)


def test_a_device_that_is_not_there_has_no_place() -> None:
    text = format_node_device(parse_node_device(shape("nodedev-pci")), live=False)
    assert "<path>" not in text
    assert "<driver>" not in text
    assert "<devnode" not in format_node_device(parse_node_device(shape("nodedev-storage")), live=False)


def test_what_a_disk_has_free_is_shown() -> None:
    pool = parse_pool(shape("storagepool-disk"))
    assert pool.source is not None
    pool.source.devices[0].free_extents = [new(FreeExtent, start=0, end=1024)]
    text = format_pool(pool)
    assert "      <freeExtent start='0' end='1024'/>\n" in text
    assert "freeExtent" not in format_pool(parse_pool(text))


def test_what_an_existing_volume_has_is_void_in_a_request() -> None:
    volume = parse_volume(shape("storagevol-file"))
    volume.source = new(
        VolumeSource, devices=[new(VolumeDevice, path="/dev/sda", extents=[new(Extent, start=1, end=9)])]
    )
    volume.physical = new(Physical, bytes_=4096)
    assert volume.target is not None
    volume.target.timestamps = new(Timestamps, atime="1.5", mtime="2", ctime="3")
    text = format_volume(volume)
    assert "    <device path='/dev/sda'>\n      <extent start='1' end='9'/>\n" in text
    assert "<physical unit='bytes'>4096</physical>" in text
    assert "<atime>1.5</atime>" in text
    assert format_volume(complete_volume(parse_volume(text), "dir")) == shape("storagevol-file")


def test_what_a_pool_fills_in() -> None:
    asked = parse_volume(
        "<volume><name>v</name><capacity unit='KiB'>4</capacity><target><nocow/></target><backingStore/></volume>"
    )
    assert asked.target is not None
    assert asked.target.nocow
    filled = format_volume(complete_volume(asked, "dir"))
    assert "nocow" not in filled
    assert "<format type='raw'/>" in filled
    assert filled.count("unit='bytes'>4096<") == 2
    assert "<format type='none'/>" in format_volume(complete_volume(asked, "disk"))
    assert "<format" not in format_volume(complete_volume(asked, "logical"))


def test_the_size_of_a_checkpoint_is_measured() -> None:
    checkpoint = parse_checkpoint(shape("domaincheckpoint"), redefine=True)
    assert checkpoint.disks is not None
    checkpoint.disks.disks[0].size = 65536
    text = format_checkpoint(checkpoint, with_domain=False)
    assert "bitmap='monday' size='65536'/>" in text
    assert "<domain " not in text
    again = parse_checkpoint(text, redefine=True)
    assert again.disks is not None
    assert again.disks.disks[0].size is None


def test_the_state_of_a_backup_is_for_files() -> None:
    backup = parse_backup(shape("domainbackup-pull"), status=True)
    assert "state='running'" in format_backup(backup, status=True)
    assert "state=" not in format_backup(backup)
    assert "privateData" not in format_backup(backup)


def test_which_snapshot_is_current_is_for_files() -> None:
    snapshot = parse_snapshot(shape("domainsnapshot-whole"), redefine=True)
    assert "<active>1</active>" in format_snapshot(snapshot, files=True)
    assert "<active>" not in format_snapshot(snapshot)


def test_sizes_without_text_are_not_given() -> None:
    volume = parse_volume("<volume><name>v</name><capacity>1024</capacity><allocation></allocation></volume>")
    assert volume.allocation is None
    assert "<allocation unit='bytes'>1024</allocation>" in format_volume(complete_volume(volume, "dir"))
