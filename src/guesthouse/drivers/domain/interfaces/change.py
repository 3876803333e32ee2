"""What can change of a network card's host side while the guest runs: bridge, VLAN, isolation, rates, coalescing.

Each step that was taken is taken back where a later one fails. Texts: libvirt's.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from guesthouse.drivers.domain.interfaces import filtering, switches, tune
from guesthouse.drivers.domain.interfaces.devices import set_up_port
from guesthouse.drivers.domain.interfaces.wiring import Connected, connected
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import Code, LibvirtError, OperationUnsupportedError, Origin
from guesthouse.host import links
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.interface import Interface, checks
from guesthouse.model.domain.devices.interface.source import InterfaceSource

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests
    from guesthouse.model.domain.devices.interface.filterref import FilterRef

#: Types whose tap is a port of a bridge.
_ON_BRIDGE: Final = ("bridge", "network")


async def change(driver: Guests, run: Run, old: Interface, wanted: Interface) -> None:
    """Make the host's side of `old`, which runs, that of `wanted`, and note it in `old`. The link is not meant.

    Raises `OperationUnsupportedError` for what cannot change, by name, and what the kernel says.
    """
    _check(old, wanted)
    if not old.uses_tap:
        return
    checks.check_network(wanted, "bridge" if wanted.type == "network" else wanted.type)
    async with contextlib.AsyncExitStack() as undo:
        for differs, step in _STEPS:
            if differs(old, wanted):
                await step(driver, run, old, wanted, undo)
        undo.pop_all()


async def follow_filter(driver: Guests, card: Interface, mac: str, *, promiscuous: bool, all_multicast: bool) -> None:
    """Let a macvtap receive what its guest wants to receive, where the guest is trusted with that.

    A tap on a bridge needs nothing of the kind: the bridge learns. Raises error 38 with the kernel's reason.
    """
    device = card.host_device
    if not card.trust_guest_rx_filters or card.type != "direct" or device is None:
        return
    await _told(
        driver,
        device,
        functools.partial(links.change, device, mac=mac, promiscuous=promiscuous, all_multicast=all_multicast),
    )


def _check(old: Interface, wanted: Interface) -> None:
    name = wanted.host_device
    if name is not None and name != old.host_device:
        raise OperationUnsupportedError("cannot modify network device tap name")
    if (old.tune.sndbuf if old.tune else None) != (wanted.tune.sndbuf if wanted.tune else None):
        raise _unable(wanted)
    if _other_end(old) == _other_end(wanted) and old.type == wanted.type and old.virtual_port == wanted.virtual_port:
        return
    if old.type == wanted.type == "bridge":
        return
    if old.type == wanted.type == "network":
        raise OperationUnsupportedError("the network of a running card cannot be changed", hint="unplug it first")
    raise _unable(wanted)


def _unable(wanted: Interface) -> OperationUnsupportedError:
    return OperationUnsupportedError(f"unable to change config on '{wanted.type}' network type")


def _other_end(card: Interface) -> InterfaceSource:
    """What a definition says of the other end: what a running guest got is left out."""
    source = card.source or new(InterfaceSource)
    kept = {name: getattr(source, name) for name in source.given() if name not in ("portid", "actual_bridge")}
    return new(InterfaceSource, **kept)


def _bridge_differs(old: Interface, wanted: Interface) -> bool:
    moved = _other_end(old) != _other_end(wanted) or old.virtual_port != wanted.virtual_port
    return old.type in _ON_BRIDGE and (moved or old.vlan != wanted.vlan)


async def _change_bridge(
    driver: Guests, _run: Run, old: Interface, wanted: Interface, undo: contextlib.AsyncExitStack
) -> None:
    device = old.host_device or ""
    before, after = connected(old), connected(wanted)
    switches.check(after)
    former = old.source, old.vlan, old.virtual_port, old.isolated

    async def move(here: Connected, there: Connected) -> None:
        if here.switch:
            await switches.detach(here, device)
        if there.switch:
            await switches.attach(there, device, old.mac_text, _run.live)
        else:
            await _told(driver, device, functools.partial(set_up_port, device, there))

    async def back() -> None:
        old.source, old.vlan, old.virtual_port, old.isolated = former
        await move(after, before)

    undo.push_async_callback(back)
    await move(before, after)
    if old.type == "bridge":
        old.source = wanted.source
    old.vlan, old.virtual_port, old.isolated = wanted.vlan, wanted.virtual_port, wanted.isolated


async def _change_isolation(
    driver: Guests, _run: Run, old: Interface, wanted: Interface, undo: contextlib.AsyncExitStack
) -> None:
    device, before = old.host_device or "", old.isolated
    await _told(driver, device, functools.partial(links.isolate, device, isolated=bool(wanted.isolated)))
    old.isolated = wanted.isolated

    async def back() -> None:
        old.isolated = before
        await _told(driver, device, functools.partial(links.isolate, device, isolated=bool(before)))

    undo.push_async_callback(back)


async def _change_rates(
    _driver: Guests, _run: Run, old: Interface, wanted: Interface, undo: contextlib.AsyncExitStack
) -> None:
    before = old.bandwidth
    if wanted.bandwidth is not None:
        wanted.bandwidth.check()
    await tune.limit(old, wanted.bandwidth)
    old.bandwidth = wanted.bandwidth

    async def back() -> None:
        await tune.limit(old, before)
        old.bandwidth = before

    undo.push_async_callback(back)


async def _change_coalescing(
    driver: Guests, _run: Run, old: Interface, wanted: Interface, _undo: contextlib.AsyncExitStack
) -> None:
    frames = wanted.coalesce.frames if wanted.coalesce is not None else None
    device = old.host_device or ""
    await _told(driver, device, functools.partial(links.coalesce, device, frames or 0))
    old.coalesce = wanted.coalesce


async def _told(driver: Guests, device: str, order: Callable[[], None]) -> None:
    """Tell the kernel. Raises error 38 with its reason."""
    try:
        await driver.in_thread(order)
    except OSError as error:
        raise LibvirtError(
            f"Cannot change interface '{device}': {error.strerror}", code=Code.SYSTEM_ERROR, domain=Origin.NONE
        ) from error


async def _change_filter(
    driver: Guests, run: Run, old: Interface, wanted: Interface, undo: contextlib.AsyncExitStack
) -> None:
    before = old.filter

    async def put(filterref: FilterRef | None) -> None:
        former, old.filter = old.filter, filterref
        try:
            await filtering.bind(driver, run, old)
        except BaseException:  # also where nobody waits any more: the card has the filter that it had
            old.filter = former
            raise

    await put(wanted.filter)
    undo.push_async_callback(put, before)


_Step: TypeAlias = "Callable[[Guests, Run, Interface, Interface, contextlib.AsyncExitStack], Awaitable[None]]"
#: What may differ, and what is then done; the dearest to take back comes first.
_STEPS: Final[tuple[tuple[Callable[[Interface, Interface], bool], _Step], ...]] = (
    (_bridge_differs, _change_bridge),
    (lambda old, wanted: old.filter != wanted.filter, _change_filter),
    (lambda old, wanted: bool(old.isolated) != bool(wanted.isolated), _change_isolation),
    (lambda old, wanted: old.bandwidth != wanted.bandwidth, _change_rates),
    (lambda old, wanted: old.coalesce != wanted.coalesce, _change_coalescing),
)
