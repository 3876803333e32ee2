"""The files of filters and bindings: what is written is read back, what libvirt wrote too, and no nonsense harms."""

from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.drivers.nwfilter.registry import Bound, FilterRegistry, Learned
from guesthouse.drivers.nwfilter.shipped import SHIPPED
from guesthouse.drivers.nwfilter.store import FilterStore, check_name
from guesthouse.errors import LibvirtError
from guesthouse.model.nwfilter.filter import parse_nwfilter
from guesthouse.model.nwfilter_binding import format_nwfilter_binding, parse_nwfilter_binding
from guesthouse.places import Places

BINDING = """<filterbinding>
  <owner>
    <name>web</name>
    <uuid>2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0de</uuid>
  </owner>
  <portdev name='vnet0'/>
  <mac address='52:54:00:00:00:0a'/>
  <filterref filter='clean-traffic'>
    <parameter name='IP' value='10.0.0.1'/>
    <parameter name='IP' value='10.0.0.2'/>
  </filterref>
</filterbinding>
"""


@pytest.fixture
def store(tmp_path: Path) -> FilterStore:
    made = FilterStore(Places.under(tmp_path))
    made.prepare([])
    return made


def test_bindings_come_back(store: FilterStore) -> None:
    bound = Bound(
        parse_nwfilter_binding(BINDING), "domain-1-web", (Learned("10.0.0.3"), Learned("10.0.0.4", 2_000_000_000))
    )
    store.write_binding(bound)
    assert store.read_bindings() == [bound]
    store.remove_binding("vnet0")
    store.remove_binding("vnet0")
    assert store.read_bindings() == []


def test_bindings_of_libvirt_are_understood(
    store: FilterStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run/nwfilter-binding"
    status = "<!-- made by libvirt -->\n<filterbindingstatus>\n{}{}</filterbindingstatus>"
    (folder / "vnet0.xml").write_text(status.format(BINDING, ""))
    (folder / "vnet1.xml").write_text(status.format(BINDING, ""))
    (folder / "vnet2.xml").write_text("<filterbindingstatus/>")
    (folder / "vnet3.xml").write_text("<filterb")
    for number, learned in ((4, "address='10.0.0.1' until='soon'"), (5, "address='x'")):
        bound = BINDING.replace("vnet0", f"vnet{number}")
        (folder / f"vnet{number}.xml").write_text(status.format(bound, f"<learned {learned}/>"))
    [found] = store.read_bindings()
    assert (found.device, found.run, found.learned) == ("vnet0", "", ())
    assert caplog.text.count("the status file") == 5


def test_clients_see_all_values() -> None:
    bound = Bound(parse_nwfilter_binding(BINDING), learned=(Learned("10.0.0.9"),))
    assert bound.values == {"IP": ("10.0.0.1", "10.0.0.2"), "MAC": ("52:54:00:00:00:0a",)}
    shown = format_nwfilter_binding(bound.shown())
    assert "<parameter name='MAC' value='52:54:00:00:00:0a'/>" in shown
    assert "10.0.0.9" not in shown  # what was given is not overruled by what was seen
    assert "MAC" not in format_nwfilter_binding(bound.binding)


def test_shipped_filters_come_once(tmp_path: Path) -> None:
    store = FilterStore(Places.under(tmp_path))
    shipped = [parse_nwfilter(text) for text in SHIPPED]
    (tmp_path / "etc/nwfilter.new").mkdir(parents=True)  # of one that was killed
    (tmp_path / "etc/nwfilter.new/allow-arp.xml").write_text("<filt")
    store.prepare(shipped)
    assert [parse_nwfilter(text) for text in store.read_definitions().values()] == sorted(
        shipped, key=lambda one: f"{one.name}.xml"
    )
    for one in shipped:
        store.remove_definition(one.name)
    store.prepare(shipped)
    assert store.read_definitions() == {}
    assert [path.name for path in (tmp_path / "etc").iterdir()] == ["nwfilter"]


def test_definitions(store: FilterStore, tmp_path: Path) -> None:
    definition = parse_nwfilter(SHIPPED[0])
    store.write_definition(definition)
    [(name, text)] = store.read_definitions().items()
    assert name == definition.name
    assert parse_nwfilter(text) == definition
    store.remove_definition(name)
    assert store.read_definitions() == {}
    assert (tmp_path / "etc/nwfilter").stat().st_mode & 0o777 == 0o700
    for wrong in ("a/b", "..", "x" * 241, "a\nb"):
        with pytest.raises(LibvirtError, match="is not usable"):
            check_name(wrong)


def test_names_and_uuids_belong_together() -> None:
    registry = FilterRegistry()
    one = parse_nwfilter("<filter name='one'/>")
    registry.add(one)
    assert registry.check_free(one) is one
    assert registry.check_free(parse_nwfilter("<filter name='two'/>")) is None
    with pytest.raises(LibvirtError, match="filter 'one' already exists with uuid"):
        registry.check_free(parse_nwfilter("<filter name='one'/>"))
    with pytest.raises(LibvirtError, match=r"same UUID but different name \('one'\)"):
        registry.check_free(parse_nwfilter(f"<filter name='two'><uuid>{one.uuid}</uuid></filter>"))
