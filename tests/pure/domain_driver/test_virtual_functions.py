"""Whose virtual function is told to forget its address: one that was told it, and that nobody else has by now."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guesthouse.drivers.domain.driver import create
from guesthouse.drivers.domain.files.places import Where
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.guests import Guests
from guesthouse.drivers.domain.interfaces import assigning
from guesthouse.drivers.domain.run import Run
from guesthouse.model.domain.devices.interface import Interface
from guesthouse.model.domain.document import parse_domain
from guesthouse.places import Places

DOMAIN = """<domain type='qemu' id='{number}'><name>g{number}</name>
<uuid>2f3d9f6e-3d59-4f6b-9d57-0d6d64a1c0d{number}</uuid><memory>1024</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>
<interface type='hostdev'><mac address='52:54:00:00:00:0{number}'/><source{told}>
<address type='pci' domain='0xffff' bus='0xfe' slot='0x1d' function='0x7'/></source></interface>
</devices></domain>"""


def running(driver: Guests, folder: Path, number: int, told: str = "") -> tuple[Run, Interface]:
    """A guest with a function that this host has not."""
    live = parse_domain(DOMAIN.format(number=number, told=told), live=True)
    guest = Guest(live, persistent=False)
    guest.run = Run(live, Where(*[folder] * 4))
    driver.registry.add(guest)
    return guest.run, live.devices.interfaces[0]


@pytest.mark.parametrize(
    ("told", "others", "reset"),
    [("", 0, False), (" configured='yes'", 0, True), (" configured='yes'", 1, False)],
)
def test_which_are_reset(tmp_path: Path, caplog: pytest.LogCaptureFixture, told: str, others: int, reset: bool) -> None:
    async def story() -> None:
        driver = create(Places.under(tmp_path))
        run, card = running(driver, tmp_path, 1, told)
        for number in range(others):
            running(driver, tmp_path, 2 + number)
        await assigning.give_back(driver, run, card)
        assert card.source is not None
        assert card.source.configured is None

    asyncio.run(story())
    assert ("virtual function ffff:fe:1d.7 keeps what its guest had" in caplog.text) == reset
