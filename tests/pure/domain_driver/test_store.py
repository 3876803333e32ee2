"""Files of guests, and what a dead daemon leaves of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from guesthouse.drivers.domain.files.store import Intent, Store, header
from guesthouse.errors import XmlError
from guesthouse.places import Places

UUID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(Places.under(tmp_path))
    made.prepare()
    return made


def journal(tmp_path: Path, **entry: object) -> Path:
    path = tmp_path / "lib/qemu/guesthouse-journal" / UUID
    path.write_text(json.dumps({"action": "", "name": "", "new_name": "", "extra": []} | entry))
    return path


def test_a_definition_is_read_back(store: Store, tmp_path: Path) -> None:
    store.write_definition("web 1", "<domain/>\n")
    assert store.read_definitions() == {"web 1": header("virsh edit web 1") + "<domain/>\n"}
    assert (tmp_path / "etc/qemu/web 1.xml").stat().st_mode & 0o777 == 0o600


def test_the_comment_is_valid_for_every_name() -> None:
    assert "--" not in header("virsh edit a--b").replace("<!--", "").replace("-->", "")


@pytest.mark.parametrize("name", ["a/b", "", ".", "..", "a\nb", "x" * 300])
def test_names_that_no_file_can_have(store: Store, name: str) -> None:
    with pytest.raises(XmlError):
        store.check_name(name)


def test_autostart_links(store: Store, tmp_path: Path) -> None:
    store.write_definition("web", "<domain/>")
    assert not store.is_autostart("web")
    store.set_autostart("web", True)
    store.set_autostart("web", True, once=True)
    assert store.is_autostart("web")
    assert (tmp_path / "etc/qemu/autostart/web.xml.once").readlink() == tmp_path / "etc/qemu/web.xml"
    store.set_autostart("web", False)
    assert not store.is_autostart("web")
    assert store.is_autostart("web", once=True)


def test_undefine_leaves_nothing(store: Store, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    nvram = tmp_path / "lib/qemu/nvram/web_VARS.fd"
    nvram.write_text("variables")
    store.write_definition("web", "<domain/>")
    store.set_autostart("web", True)
    store.undefine(Intent("undefine", "web", UUID, extra=(str(nvram),)))
    assert set(tmp_path.rglob("*")) == before


def test_undefine_of_nothing_but_a_definition_writes_no_journal(store: Store, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    store.write_definition("web", "<domain/>")
    changed = (tmp_path / "lib/qemu/guesthouse-journal").stat().st_mtime_ns
    store.undefine(Intent("undefine", "web", UUID))
    assert set(tmp_path.rglob("*")) == before
    assert (tmp_path / "lib/qemu/guesthouse-journal").stat().st_mtime_ns == changed


def test_an_undefine_that_was_cut_off_is_finished(store: Store, tmp_path: Path) -> None:
    nvram = tmp_path / "nvram"
    nvram.write_text("variables")
    store.write_definition("web", "<domain/>")
    store.set_autostart("web", True)
    entry = journal(tmp_path, action="undefine", name="web", extra=[str(nvram)])
    store.replay()
    assert store.read_definitions() == {}
    assert not nvram.exists()
    assert not entry.exists()
    assert list((tmp_path / "etc/qemu/autostart").iterdir()) == []


def test_a_rename_that_was_cut_off_late_is_finished(store: Store, tmp_path: Path) -> None:
    store.write_definition("old", "<domain/>")
    store.set_autostart("old", True)
    store.write_definition("new", "<domain/>")
    journal(tmp_path, action="rename", name="old", new_name="new")
    store.replay()
    assert list(store.read_definitions()) == ["new"]
    assert store.is_autostart("new")
    assert [path.name for path in (tmp_path / "etc/qemu/autostart").iterdir()] == ["new.xml"]


def test_a_rename_that_was_cut_off_early_is_undone(store: Store, tmp_path: Path) -> None:
    store.write_definition("old", "<domain/>")
    store.set_autostart("old", True)
    journal(tmp_path, action="rename", name="old", new_name="new")
    store.replay()
    assert list(store.read_definitions()) == ["old"]
    assert store.is_autostart("old")


def test_a_broken_journal_is_dropped(store: Store, tmp_path: Path) -> None:
    entry = journal(tmp_path)
    entry.write_text("{")
    store.replay()
    assert not entry.exists()


def test_a_run_is_cleaned_up(store: Store, tmp_path: Path) -> None:
    where = store.where(3, "web" * 20)
    store.make_room(where)
    store.write_status(where, "<domstatus/>", 4711)
    (where.private / "monitor.sock").write_text("")
    assert list(store.read_statuses()) == ["web" * 20]
    store.clean(where)
    left = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and path.name.startswith("web")]
    assert left == []
    assert not where.private.exists()
    assert not where.channels.exists()


def test_a_guest_called_driver_leaves_the_daemons_lock_alone(store: Store, tmp_path: Path) -> None:
    lock = tmp_path / "run/qemu/driver.pid"
    lock.write_text("1")
    where = store.where(1, "driver")
    store.make_room(where)
    store.write_status(where, "<domstatus/>", 4711)
    store.clean(where)
    store.forget_status("driver")
    store.sweep_runs(set())
    assert lock.read_text() == "1"


def test_runs_of_nobody_are_swept(store: Store) -> None:
    kept, lost = store.where(1, "kept"), store.where(2, "lost")
    for where in (kept, lost):
        store.make_room(where)
        store.write_status(where, "<domstatus/>", 4711)
    store.sweep_runs({kept.private, kept.channels, kept.pid})
    assert kept.private.exists()
    assert kept.pid.exists()
    assert not lost.private.exists()
    assert not lost.channels.exists()
    assert not lost.pid.exists()


def test_a_helper_without_a_qemu_is_ended(store: Store) -> None:
    where = store.where(1, "web")
    store.make_room(where)
    helper = subprocess.Popen(["/bin/sh", "-c", "read line", str(where.private)], stdin=subprocess.PIPE)
    other = subprocess.Popen(["sleep", "60"])
    try:
        (where.private / "web-passt.pid").write_text(f"{helper.pid}\n")
        (where.private / "other.pid").write_text(f"{other.pid}\n")
        (where.private / "broken.pid").write_text("x")
        store.clean(where)
        assert helper.wait(5) == -15
        assert other.poll() is None
    finally:
        for process in (helper, other):
            process.kill()
            process.communicate()
