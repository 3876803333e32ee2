"""Section 6.2 of the guide, what it prints about pools, and the pool of 13.5.2: typed as printed by two readers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.daemon import Daemon, need
from tests.support.guide import PROGRAMS, Reader

pytestmark = pytest.mark.stock

#: 13.5.2, with a target of our own.
VM = """<pool type='netfs'>
  <name>VM</name>
  <source>
    <host name='10.0.1.99'/>
    <dir path='/volume1/VM'/>
    <format type='auto'/>
  </source>
  <target>
    <path>{}</path>
    <permissions>
      <mode>0755</mode>
      <owner>-1</owner>
      <group>-1</group>
    </permissions>
  </target>
  </pool>
"""
#: What `virsh help pool` lists.
COMMANDS = {
    "find-storage-pool-sources", "find-storage-pool-sources-as", "pool-autostart", "pool-build", "pool-capabilities",
    "pool-create", "pool-create-as", "pool-define", "pool-define-as", "pool-delete", "pool-destroy", "pool-dumpxml",
    "pool-edit", "pool-event", "pool-info", "pool-list", "pool-name", "pool-refresh", "pool-start", "pool-undefine",
    "pool-uuid",
}  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_pools(daemon: Daemon, short_path: Path, program: str) -> None:
    need("virsh")
    reader = Reader(daemon, program)
    place = short_path / "images"
    assert {line.split()[0] for line in reader.types("virsh help pool").splitlines()[1:] if line.strip()} == COMMANDS
    reader.types(f"virsh pool-define-as POOL dir --target {place}")
    reader.types("virsh pool-build POOL")
    assert "Pool POOL started" in reader.types("virsh pool-start POOL")
    reader.types("virsh vol-create-as POOL disk.img 1M")
    details = reader.types("virsh pool-list --details").splitlines()
    assert details[0].split() == [
        "Name", "State", "Autostart", "Persistent", "Capacity", "Allocation", "Available",
    ]  # fmt: skip
    assert details[2].split()[:4] == ["POOL", "running", "no", "yes"]
    assert "State:          running" in reader.types("virsh pool-info POOL")
    assert "disk.img" in reader.types("virsh vol-list --details POOL")
    assert "Pool POOL marked as autostarted" in reader.types("virsh pool-autostart POOL")
    assert "Autostart:      yes" in reader.types("virsh pool-info POOL")
    assert "Pool POOL unmarked as autostarted" in reader.types("virsh pool-autostart POOL --disable")
    assert "Pool POOL destroyed" in reader.types("virsh pool-destroy POOL")
    assert "POOL" not in reader.types("virsh pool-list --details")
    assert (place / "disk.img").exists(), "a stopped pool keeps what is in it"
    assert "Directory not empty" in reader.types("virsh pool-delete POOL", check=False)
    (place / "disk.img").unlink()
    uuid = reader.types("virsh pool-uuid POOL").strip()
    assert f"Pool {uuid} deleted" in reader.types(f"virsh pool-delete {uuid}")
    assert not place.exists()
    reader.types("virsh pool-undefine POOL")


@pytest.mark.parametrize("program", PROGRAMS)
def test_pool_of_a_server(daemon: Daemon, short_path: Path, program: str) -> None:
    """Defined on any host; it starts where the server is."""
    need("virsh")
    reader = Reader(daemon, program)
    (short_path / "VM.xml").write_text(VM.format(short_path / "VM"))
    assert "Pool VM defined" in reader.types(f"cd {short_path}; virsh pool-define VM.xml")
    assert "<mode>0755</mode>" in reader.types("virsh pool-dumpxml VM")
    reader.types("virsh pool-undefine VM")
    reader.types(
        "virsh pool-define-as VM --type netfs --source-host 10.0.1.99 \\\n"
        f"     --source-path /volume1/VM --target {short_path}/VM"
    )
    assert "Pool VM marked as autostarted" in reader.types("virsh pool-autostart VM")
    rows = [line.split() for line in reader.types("virsh pool-list --all").splitlines()[2:] if line.strip()]
    assert rows == [["VM", "inactive", "yes"]]
    assert "Name:           VM" in reader.types("virsh pool-info VM")
    reader.types("virsh pool-undefine VM")
