"""What distinguishes two definitions, in the words of the format."""

from __future__ import annotations

import pytest

from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.differences import compare
from guesthouse.model.domain.document import parse_domain
from tests.support.capabilities import host_defaults, qemu_capabilities

BASE = """<domain type='qemu'><name>guest</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
  <memory>1048576</memory><vcpu current='1'>4</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
  <devices>
    <disk type='file' device='disk'><source file='/a.img'/><target dev='vda' bus='virtio'/></disk>
    <disk type='file' device='disk'><source file='/b.img'/><target dev='vdb' bus='virtio'/></disk>
    <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
    <rng model='virtio'><backend model='builtin'/></rng>
    <rng model='virtio'><backend model='random'>/dev/random</backend></rng>
  </devices></domain>"""


def _definition(text: str) -> Domain:
    domain = parse_domain(text)
    complete(domain, qemu_capabilities(), defaults=host_defaults())
    return domain


def _paths(old: str, new: str) -> list[tuple[str, str | None, str | None]]:
    return [(one.path, one.old, one.new) for one in compare(_definition(old), _definition(new))]


def test_a_definition_is_what_it_is() -> None:
    assert _paths(BASE, BASE) == []


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("current='1'", "current='2'", ("vcpu/@current", "1", "2")),
        ("'1'>4<", "'1'>5<", ("vcpu", "4", "5")),
        ("/b.img", "/c.img", ("devices/disk[vdb]/source/@file", "/b.img", "/c.img")),
        ("<name>guest<", "<name>other<", ("name", "guest", "other")),
        (
            "/dev/random<",
            "/dev/hwrng<",
            ("devices/rng[2]/backend", "/dev/random", "/dev/hwrng"),
        ),
        ("<features><acpi/>", "<features><acpi/><apic/>", ("features/apic", None, "<apic/>")),
        (
            "<features>",
            "<title>new</title><features>",
            ("title", None, "<title>new</title>"),
        ),
    ],
)
def test_one_change_is_one_difference(before: str, after: str, found: tuple[str, str | None, str | None]) -> None:
    assert before in BASE
    assert _paths(BASE, BASE.replace(before, after)) == [found]
    path, old, new = found
    assert _paths(BASE.replace(before, after), BASE) == [(path, new, old)]


def test_a_device_is_known_by_its_identity() -> None:
    """Another target is another disk: one goes and one comes."""
    changes = _paths(BASE, BASE.replace("dev='vdb'", "dev='vdc'"))
    assert [(path, old is None, new is None) for path, old, new in changes] == [
        ("devices/disk[vdb]", False, True),
        ("devices/disk[vdc]", True, False),
    ]
    other_card = compare(_definition(BASE), _definition(BASE.replace(":00:01", ":00:02")))
    assert [one.path for one in other_card] == [
        "devices/interface[52:54:00:00:00:01]",
        "devices/interface[52:54:00:00:00:02]",
    ]
    assert all(one.is_device for one in other_card)
