"""What changes bindings: a device gets a filter or loses it, and a guest's address becomes known.

Each change holds `driver.changes`. While the kernel has chains of a device there is a file that says so: it is written
before them and removed after them. A daemon that begins makes the table anew where it finds such a file, so that
nothing is left over of one that was killed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.nwfilter.planning import Plan, closed, plan
from guesthouse.drivers.nwfilter.registry import Bound, Learned
from guesthouse.drivers.nwfilter.seen import Lease
from guesthouse.drivers.nwfilter.watching import Watcher
from guesthouse.errors import LibvirtError, OperationFailedError, OperationInvalidError, Origin
from guesthouse.model.nwfilter.learning import ANY
from guesthouse.model.nwfilter_binding import parse_nwfilter_binding

if TYPE_CHECKING:
    from guesthouse.drivers.nwfilter.driver import FilterDriver

log = logging.getLogger(__name__)

#: Of more leases of one card than this, the oldest do not count: somebody plays tricks.
_MOST_ADDRESSES: Final = 64


async def create(driver: FilterDriver, xml: str, *, validate: bool = False) -> Bound:
    """Bind a filter to a device, as a client's document says.

    Raises `OperationInvalidError` in a session, `OperationFailedError` where the device has a filter, and what `put`
    raises.
    """
    if not driver.privileged:
        raise OperationInvalidError("Can't define NWFilter bindings in session mode", domain=Origin.NWFILTER)
    binding = parse_nwfilter_binding(xml, validate=validate)
    async with driver.changes:
        if driver.bindings.get(binding.port) is not None:
            raise OperationFailedError(f"binding '{binding.port}' already exists", domain=Origin.NWFILTER)
        return await put(driver, Bound(binding))


async def delete(driver: FilterDriver, device: str) -> None:
    """Let a device have no filter any more. Raises `NoBindingError`, `FilterFileError`, and what the kernel says."""
    async with driver.changes:
        await remove(driver, driver.bindings.on(device))


async def put(driver: FilterDriver, bound: Bound) -> Bound:
    """Bind, instead of what was bound to the device; `driver.changes` is held. Nothing has changed where it raises.

    Raises what `planning.plan` and `Kernel.change` raise, and `FilterFileError`.
    """
    made = await _planned(driver, bound)
    watcher = _watcher(driver, bound, made)
    known = driver.bindings.get(bound.device)
    try:
        await driver.in_thread(driver.store.write_binding, bound)
        try:
            await driver.kernel.change({bound.device: made.chains})
        except BaseException:  # also where nobody waits any more: the kernel has the rules that it had
            await _restore(driver, bound.device, known)
            raise
    except BaseException:  # also where nobody waits any more: the watch ends
        if watcher is not None and watcher is not bound.watcher:
            watcher.close()
        raise
    keep(driver, bound, watcher, known)
    return bound


async def _restore(driver: FilterDriver, device: str, known: Bound | None) -> None:
    """The file of a device as it was."""
    if known is not None:
        await driver.in_thread(driver.store.write_binding, known)
    else:
        await driver.in_thread(driver.store.remove_binding, device)


async def _planned(driver: FilterDriver, bound: Bound) -> Plan:
    """What a binding comes to: trees of filters can be large. Raises what `plan` raises."""
    return await driver.in_thread(plan, bound, driver.filters.get)


def keep(driver: FilterDriver, bound: Bound, watcher: Watcher | None, known: Bound | None) -> None:
    """Know a binding, and who listens for it; `known` is what was bound before."""
    if known is not None and known.watcher is not None and known.watcher is not watcher:
        known.watcher.close()
    bound.watcher = watcher
    driver.bindings.add(bound)
    driver.expiry.set()


def _watcher(driver: FilterDriver, bound: Bound, made: Plan) -> Watcher | None:
    if made.watch is None:
        return None
    if bound.watcher is not None and bound.watcher.method == made.watch:
        return bound.watcher

    def heard(watcher: Watcher, lease: Lease) -> None:
        driver.begin(_learn(driver, bound.device, watcher, lease))

    return Watcher(bound.device, bound.binding.mac, made.watch, heard)


async def remove(driver: FilterDriver, bound: Bound) -> None:
    """Unbind; `driver.changes` is held. Raises `FilterFileError`, and what the kernel says."""
    await driver.kernel.change({bound.device: None})
    if bound.watcher is not None:
        bound.watcher.close()
    driver.bindings.discard(bound.device)
    await driver.in_thread(driver.store.remove_binding, bound.device)


async def replan(driver: FilterDriver, every: Iterable[Bound]) -> None:
    """Make the chains of these anew, all or none, with the filters that there are now; `driver.changes` is held."""
    plans = [(bound, await _planned(driver, bound)) for bound in every]
    watchers = []
    try:
        watchers += [_watcher(driver, bound, made) for bound, made in plans]
        await driver.kernel.change({bound.device: made.chains for bound, made in plans})
    except BaseException:  # also where nobody waits any more: those that are new end
        for (bound, _), watcher in zip(plans, watchers, strict=False):
            if watcher is not None and watcher is not bound.watcher:
                watcher.close()
        raise
    for (bound, _), watcher in zip(plans, watchers, strict=True):
        if bound.watcher is not None and bound.watcher is not watcher:
            bound.watcher.close()
        bound.watcher = watcher


# -- addresses ----------------------------------------------------------------------------------------


async def _learn(driver: FilterDriver, device: str, watcher: Watcher, lease: Lease) -> None:
    async with driver.changes:
        bound = driver.bindings.get(device)
        if bound is None or bound.watcher is not watcher:
            return
        others = tuple(one for one in bound.learned if one.address != lease.address)
        until = time.time() + lease.seconds if lease.seconds else 0.0
        learned = others if lease.seconds == 0 else (*others, Learned(lease.address, until))
        learned = learned[-1:] if watcher.method == ANY else learned[-_MOST_ADDRESSES:]
        await _relearn(driver, bound, learned)


async def _relearn(driver: FilterDriver, bound: Bound, learned: tuple[Learned, ...]) -> None:
    made = bound.with_learned(learned)
    try:
        if {one.address for one in learned} == {one.address for one in bound.learned}:
            await driver.in_thread(driver.store.write_binding, made)  # a lease was renewed: no rule is another
            keep(driver, made, bound.watcher, bound)
            return
        log.info("'%s' has the addresses %s", bound.device, ", ".join(one.address for one in learned) or "of nobody")
        await put(driver, made)
    except LibvirtError as error:
        keep(driver, made, bound.watcher, bound)
        await _close(driver, made, error)


async def _close(driver: FilterDriver, bound: Bound, why: LibvirtError) -> None:
    """Let nothing pass a device whose filter cannot follow what is known of its guest."""
    log.error("nothing may pass '%s': its filter cannot be applied: %s", bound.device, why.message)
    try:
        await driver.kernel.change({bound.device: closed(bound)})
    except LibvirtError as error:
        log.error("'%s' keeps the rules that it had: %s", bound.device, error.message)


async def forget_old(driver: FilterDriver) -> None:
    """Take leases away when they end; runs for as long as the daemon."""
    while True:
        driver.expiry.clear()
        now = time.time()
        ends = [one.until for bound in driver.bindings for one in bound.learned if one.until]
        try:
            async with asyncio.timeout(max(min(ends) - now, 0.0) if ends else None):
                await driver.expiry.wait()
        except TimeoutError:
            async with driver.changes:
                for bound in driver.bindings:
                    kept = tuple(one for one in bound.learned if not one.until or one.until > time.time())
                    if kept != bound.learned:
                        await _relearn(driver, bound, kept)


# -- beginning ----------------------------------------------------------------------------------------


async def take_up(driver: FilterDriver, found: list[Bound], gone: list[Bound]) -> None:
    """Know what was bound before the daemon began, and make the table anew; `gone` have no device any more.

    A device whose filter cannot be applied lets nothing pass, and the log says why. `driver.changes` is held.
    """
    chains = []
    for bound in found:
        try:
            made = await _planned(driver, bound)
            keep(driver, bound, _watcher(driver, bound, made), None)
            chains.append(made.chains)
        except LibvirtError as error:
            log.error("nothing may pass '%s': its filter cannot be applied: %s", bound.device, error.message)
            keep(driver, bound, None, None)
            chains.append(closed(bound))
    await driver.kernel.rebuild(chains)
    for bound in gone:
        await driver.in_thread(driver.store.remove_binding, bound.device)
