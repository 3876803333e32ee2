"""A guest that reads the host's SMBIOS tables: what QEMU is told of them, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import Style
from guesthouse.model.domain.complete import complete
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import format_domain, parse_domain
from guesthouse.model.domain.host_parts import NOTHING, HostParts
from guesthouse.model.domain.identity_arguments import identity_arguments
from guesthouse.model.sysinfo import HostSysinfo
from tests.support.capabilities import host_defaults, qemu_capabilities

UUID = "2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0de"
DOMAIN = f"""<domain type='qemu'><name>guest</name><uuid>{UUID}</uuid><memory>1048576</memory>
<os><type arch='x86_64' machine='q35'>hvm</type><smbios mode='host'/></os></domain>"""
HOST = HostSysinfo(
    bios={"vendor": "LENOVO", "version": "6FET82WW (3.12 )"},
    system={"manufacturer": "Makers, Inc.", "uuid": "11111111-2222-3333-4444-555555555555", "family": "Fam"},
    base_boards=[{"product": "0B4Ch"}],
    chassis={},
    processors=[{"type": "Central Processor"}],
    memory_devices=[],
    oem_strings=["first", "second, with a comma"],
)


def guest() -> Domain:
    domain = parse_domain(DOMAIN)
    complete(domain, qemu_capabilities(), defaults=host_defaults())
    return domain


def arguments(host: HostSysinfo | None) -> list[str]:
    return identity_arguments(guest(), HostParts(smbios=lambda: host))


def test_the_hosts_tables_without_its_uuid() -> None:
    assert "<smbios mode='host'/>" in format_domain(guest(), Style())
    assert arguments(HOST) == [
        *("-uuid", UUID),
        *("-smbios", "type=0,vendor=LENOVO,version=6FET82WW (3.12 )"),
        *("-smbios", "type=1,manufacturer=Makers,, Inc.,family=Fam"),
        *("-smbios", "type=2,product=0B4Ch"),
        *("-smbios", "type=11,value=first,value=second,, with a comma"),
    ]


def test_a_host_without_tables() -> None:
    with pytest.raises(UnsupportedConfigError, match="Host SMBIOS information is not available"):
        identity_arguments(guest(), NOTHING)


def test_a_host_with_more_boards_than_qemu_shows() -> None:
    with pytest.raises(UnsupportedConfigError, match="more than one entry to Type 2 in SMBIOS table"):
        arguments(replace(HOST, base_boards=[{"product": "a"}, {"product": "b"}]))
