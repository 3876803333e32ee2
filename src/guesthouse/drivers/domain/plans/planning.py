"""Changes told in advance: which differences between a guest and a new definition apply now, need a restart, or cannot
be. Nothing is changed.

What runs is compared with what the new definition would run as: both completed and made ready, so that a difference
is one that the guest would see.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree

from guesthouse.drivers.domain import definitions, native
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.hotplug import attach, kinds
from guesthouse.drivers.domain.plans.rules import IMPOSSIBLE, command_for
from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.tuning import housing
from guesthouse.errors import Code, LibvirtError
from guesthouse.model.domain.command_line import prepare
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.device_document import parse_device
from guesthouse.model.domain.differences import Difference, compare
from guesthouse.model.domain.document import copy, parse_domain

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

NOW: Final = "now"
RESTART: Final = "restart"
NEVER: Final = "impossible"

#: What of a difference is nobody's business.
_PASSWORD: Final = re.compile(r'(passwd=")[^"]*(")')

#: Errors that say what is wrong with a setting, and not with the request.
_REFUSALS: Final = (Code.CONFIG_UNSUPPORTED, Code.XML_ERROR, Code.XML_DETAIL, Code.CPU_INCOMPATIBLE)


@dataclass(frozen=True, slots=True)
class Change:
    """A difference and what can become of it: `verdict` is `now`, `restart` or `impossible`.

    `how` is the command that makes it now, `reason` what speaks against that.
    """

    path: str
    old: str | None
    new: str | None
    verdict: str
    how: str | None = None
    reason: str | None = None


async def plan(driver: Guests, guest: Guest, xml: str) -> list[Change]:
    """The changes that turn the guest into what `xml` defines, in the order of the document.

    A definition that cannot be at all is one change, with the reason. Raises what `parse_domain` raises for a text
    that is no definition.
    """
    wanted = parse_domain(xml)
    try:
        new = await definitions.read(driver, xml)
        run = guest.run if guest.active else None
        old = guest.next_boot if run is None else _as_defined(run)
        if run is not None:
            new = await _as_started(driver, new)
    except LibvirtError as error:
        if error.code not in _REFUSALS:
            raise
        return [Change("", None, None, NEVER, reason=error.detail)]
    # A device as the document has it, without the place that completion found for it among the document's others.
    written = {difference.path: difference.new for difference in compare(old, wanted)}
    found = [difference for difference in compare(old, new) if not _of_completion(difference, wanted)]
    return [await _judged(driver, run, difference, written.get(difference.path)) for difference in found]


def _as_defined(run: Run) -> Domain:
    """What runs, as it was asked for and not as it was found: the processor, the group, ports that were chosen."""
    live = copy(run.live)
    live.cpu = run.defined_cpu or live.cpu
    _forget_choices(live)
    return live


def _forget_choices(domain: Domain) -> None:
    for graphics in domain.devices.graphics:
        if graphics.autoport:
            graphics.port = -1
    if domain.resource is not None and domain.resource.partition == housing.PARTITION:
        domain.resource.partition = None
        if domain.resource.fibre_channel_id is None:
            domain.resource = None


async def _as_started(driver: Guests, new: Domain) -> Domain:
    """What the definition would run as."""
    domain = copy(new)
    defined = copy(new).cpu
    prepare(domain, await native.context(driver, domain))
    domain.cpu = defined
    _forget_choices(domain)
    for disk in domain.devices.disks:
        if disk.empty and disk.driver is not None:
            disk.driver.type = None  # an empty drive has no format
    return domain


def _of_completion(difference: Difference, wanted: Domain) -> bool:
    """Whether it is a bridge or a port that was only added for another device; that brings its own when it is
    plugged in.
    """
    if difference.name != "devices/controller" or 'type="pci"' not in (difference.new or difference.old or ""):
        return False
    if difference.new is None:
        return False
    index = etree.fromstring(difference.new).get("index")
    return not any(item.type == "pci" and str(item.index) == index for item in wanted.devices.controllers)


async def _judged(driver: Guests, run: Run | None, difference: Difference, written: str | None) -> Change:
    old, new = (None if text is None else _PASSWORD.sub(r"\1***\2", text) for text in (difference.old, difference.new))
    if difference.name.endswith("/@passwd"):
        old, new = old and "***", new and "***"
    verdict, how, reason = await _verdict(driver, run, difference, written)
    return Change(difference.path, old, new, verdict, how, reason)


async def _verdict(
    driver: Guests, run: Run | None, difference: Difference, written: str | None
) -> tuple[str, str | None, str | None]:
    if difference.name in IMPOSSIBLE:
        return NEVER, None, IMPOSSIBLE[difference.name]
    if run is None:
        return NOW, "define", None
    if difference.is_device:
        return await _device(driver, run, difference, written)
    if not _within_limit(run, difference):
        return RESTART, None, "it is more than the running guest can have"
    command = command_for(difference, removable=_in_drive(run, difference))
    if command is not None:
        return NOW, command, None
    return RESTART, None, None


def _within_limit(run: Run, difference: Difference) -> bool:
    """Whether a size is one that the guest was started for."""
    limits = {"currentMemory": run.live.memory.kib, "vcpu/@current": run.live.vcpu.maximum}
    limit = limits.get(difference.name)
    return limit is None or int(difference.new or limit) <= limit


async def _device(
    driver: Guests, run: Run, difference: Difference, written: str | None
) -> tuple[str, str | None, str | None]:
    """Whether a device can be plugged in or out; a guest still has to let go of what is plugged out."""
    try:
        if difference.new is not None:
            await attach.plan(driver, run, parse_device(written or difference.new))
            return NOW, "attach-device --live", None
        element = parse_device(difference.old or "")
        kinds.may_be_looked_for(run.live, element)
        kinds.may_go(run.live, element)
    except LibvirtError as error:
        return RESTART, None, error.detail
    return NOW, "detach-device --live", None


def _in_drive(run: Run, difference: Difference) -> bool:
    """Whether the difference is within a disk whose drive takes discs."""
    found = re.match(r"devices/disk\[([^\]]+)\]", difference.path)
    return found is not None and any(
        disk.target.dev == found[1] and disk.removable_medium for disk in run.live.devices.disks
    )
