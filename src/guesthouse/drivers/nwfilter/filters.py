"""What changes filters: defining, removing; and taking up what is on disk.

A filter that changes changes all devices whose filters take it in, at once or not at all.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.nwfilter import bindings
from guesthouse.drivers.nwfilter.registry import Bound
from guesthouse.drivers.nwfilter.shipped import SHIPPED
from guesthouse.drivers.nwfilter.store import check_name
from guesthouse.errors import LibvirtError, OperationInvalidError, Origin, XmlError
from guesthouse.host import links
from guesthouse.model.nwfilter.filter import Filter, parse_nwfilter
from guesthouse.model.nwfilter.tree import check_loops, names_in

if TYPE_CHECKING:
    from guesthouse.drivers.nwfilter.driver import FilterDriver

log = logging.getLogger(__name__)


async def define(driver: FilterDriver, xml: str, *, validate: bool = False) -> Filter:
    """Define a filter, or change one, on all devices that have it.

    Raises what `parse_nwfilter`, `FilterRegistry.check_free` and `check_loops` raise, `FilterFileError`, and what is
    wrong with the rules of a device that has it; then it is as it was on all of them.
    """
    if not driver.privileged:
        raise OperationInvalidError("Can't define NWFilters in session mode", domain=Origin.NWFILTER)
    definition = parse_nwfilter(xml, validate=validate)
    check_name(definition.name)
    async with driver.changes:
        known = driver.filters.check_free(definition)
        check_loops(definition, driver.filters.get)
        touched = [] if definition == known else _using(driver, definition.name)
        driver.filters.add(definition)
        changed = False
        try:
            await bindings.replan(driver, touched)
            changed = True
            await driver.in_thread(driver.store.write_definition, definition)
        except BaseException:  # also where nobody waits any more: the filters are those that they were
            if known is None:
                driver.filters.discard(definition.name)
            else:
                driver.filters.add(known)
            if changed:
                await bindings.replan(driver, touched)
            raise
    return definition


async def undefine(driver: FilterDriver, uuid: bytes) -> None:
    """Forget a filter. Raises `NoFilterError`, `OperationInvalidError` for one that a device has, `FilterFileError`."""
    async with driver.changes:
        name = driver.filters.with_uuid(uuid).name
        users = _using(driver, name)
        if users:
            raise OperationInvalidError(
                "nwfilter is in use",
                domain=Origin.NWFILTER,
                hint=f"device '{users[0].device}' of guest '{users[0].binding.owner.name}' has it",
            )
        await driver.in_thread(driver.store.remove_definition, name)
        driver.filters.discard(name)


def _using(driver: FilterDriver, name: str) -> list[Bound]:
    """The bindings whose filter is the one of this name, or takes it in."""
    return [bound for bound in driver.bindings if name in names_in(bound.root, driver.filters.get)]


async def load(driver: FilterDriver) -> None:
    """Know what is on disk: definitions, and which devices have filters. What cannot be used is logged."""
    async with driver.changes:
        await driver.in_thread(driver.store.prepare, [parse_nwfilter(text) for text in SHIPPED])
        await _take_definitions(driver)
        read = await driver.in_thread(driver.store.read_bindings)
        gone = [one for one in read if one.run and not links.exists(one.device)]
        if not read:
            return
        try:
            await bindings.take_up(driver, [one for one in read if one not in gone], gone)
        except LibvirtError as error:
            log.error("the network filters of running guests are as they were left: %s", error.message)


async def reload(driver: FilterDriver) -> None:
    """Take up definitions that changed on disk; devices follow. What cannot be applied is logged, and changes none."""
    async with driver.changes:
        await _take_definitions(driver)
        try:
            await bindings.replan(driver, list(driver.bindings))
        except LibvirtError as error:
            log.error("devices keep the network filters that they have: %s", error.message)


async def _take_definitions(driver: FilterDriver) -> None:
    for name, text in (await driver.in_thread(driver.store.read_definitions)).items():
        await _take_definition(driver, name, text)


async def _take_definition(driver: FilterDriver, name: str, text: str) -> None:
    try:
        definition = parse_nwfilter(text)
        if definition.name != name:
            raise XmlError(
                f"network filter config filename '{name}.xml' does not match name '{definition.name}'",
                domain=Origin.NWFILTER,
            )
        if "<uuid>" not in text:
            await driver.in_thread(driver.store.write_definition, definition)
        driver.filters.check_free(definition)
        check_loops(definition, driver.filters.get)
    except LibvirtError as error:
        log.error("the definition of network filter '%s' is not usable: %s", name, error.message)
        return
    driver.filters.add(definition)
