"""Changes of a network that go on while it is active: parts of its definition, its title, its metadata.

A change is for what is active, for the definition, or for both. Both are written down before either is written, so that
whoever is killed in between leaves a change that the next daemon finishes. What the change means for the host follows;
where that fails, all is as it was.

Source: https://libvirt.org/html/libvirt-libvirt-network.html#virNetworkUpdate; texts and codes are libvirt's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from guesthouse.drivers import flags
from guesthouse.drivers.network import opening
from guesthouse.drivers.network.registry import VirtualNetwork
from guesthouse.errors import Code, LibvirtError, OperationInvalidError, Origin
from guesthouse.model import metadata
from guesthouse.model.binding import clone
from guesthouse.model.network.checks import check
from guesthouse.model.network.definition import Network
from guesthouse.model.network.updating import update_network

if TYPE_CHECKING:
    from guesthouse.drivers.network.driver import NetworkDriver

log = logging.getLogger(__name__)

_IMPACT: Final = flags.LIVE | flags.CONFIG
#: Sections (`virNetworkUpdateSection`) that change rules of the firewall, and those that dnsmasq serves.
_HOSTS, _RANGES, _INTERFACE, _DNS_HOSTS = 4, 5, 7, 10
_OF_FIREWALL: Final = (_INTERFACE,)
_OF_DNSMASQ: Final = (_HOSTS, _RANGES, _DNS_HOSTS, 11, 12)


def chosen(network: VirtualNetwork, impact: int) -> tuple[bool, bool]:
    """Whether a call is about what is active, and whether about the definition. 0 means what is current.

    Raises `OperationInvalidError` for what the network does not have.
    """
    if not impact & _IMPACT:
        impact |= flags.LIVE if network.active else flags.CONFIG
    if impact & flags.LIVE and not network.active:
        raise OperationInvalidError("network is not running", domain=Origin.NETWORK)
    if impact & flags.CONFIG and not network.persistent:
        text = "cannot change persistent config of a transient network"
        raise OperationInvalidError(text, domain=Origin.NETWORK)
    return bool(impact & flags.LIVE), bool(impact & flags.CONFIG)


async def update(
    driver: NetworkDriver, network: VirtualNetwork, command: int, section: int, index: int, xml: str, impact: int
) -> None:
    """Change a section of the network. Nobody is disconnected.

    Raises what `update_network` raises, `chosen`, `NetworkFileError`, and what dnsmasq or the firewall refuse.
    """
    flags.check(impact, _IMPACT, "networkUpdate", origin=Origin.NETWORK)

    def change(definition: Network) -> None:
        update_network(definition, command, section, index, xml)

    async with driver.changes:
        live, config = chosen(network, impact)
        former = (network.live, network.config)
        await _change(driver, network, change, live=live, config=config)
        if not live or not network.running().bridged:
            return
        try:
            await _realise(driver, network, section)
        except BaseException:  # also where nobody waits any more: the host has what the definition says
            await _undo(driver, network, former, section)
            raise


async def _change(
    driver: NetworkDriver, network: VirtualNetwork, change: Callable[[Network], None], *, live: bool, config: bool
) -> None:
    """Change what is active, the definition or both, on disk and in memory: all or nothing."""
    new_live = _changed(network.live, change) if live else None
    new_config = _changed(network.config, change) if config else None
    for definition in (new_live, new_config):
        if definition is not None:
            check(definition)
    await _put(driver, network, new_live, new_config)


async def _put(driver: NetworkDriver, network: VirtualNetwork, live: Network | None, config: Network | None) -> None:
    """Let these be what is active and the definition, on disk and in memory; None leaves what is there."""
    if live is not None and config is not None:
        await driver.in_thread(driver.store.write_update, live, config)
    if live is not None:
        await driver.in_thread(driver.store.write_state, live)
    if config is not None:
        await driver.in_thread(driver.store.write_definition, config)
    if live is not None and config is not None:
        await driver.in_thread(driver.store.remove_update, live.name)
    network.live, network.config = live or network.live, config or network.config


def _changed(definition: Network | None, change: Callable[[Network], None]) -> Network | None:
    if definition is None:
        return None
    copy = clone(definition)
    change(copy)
    return copy


async def _realise(driver: NetworkDriver, network: VirtualNetwork, section: int) -> None:
    if section in _OF_FIREWALL:
        await opening.renew_rules(driver)
    if section in _OF_DNSMASQ:
        await opening.refresh(driver, network)


async def _undo(
    driver: NetworkDriver, network: VirtualNetwork, former: tuple[Network | None, Network | None], section: int
) -> None:
    try:
        await _put(driver, network, *former)
        await _realise(driver, network, section)
    except (LibvirtError, OSError) as error:
        log.error("network '%s' is not what it was before the change that failed: %s", network.name, error)


async def set_metadata(
    driver: NetworkDriver,
    network: VirtualNetwork,
    kind: int,
    text: str | None,
    key: str | None,
    uri: str | None,
    impact: int,
) -> None:
    """Set, or with None remove, the description, the title or the document of a namespace (whose prefix is `key`).

    Raises `InvalidArgumentError`, what `chosen` raises, and `NetworkFileError`.
    """
    flags.check(impact, _IMPACT, "virNetworkObjSetMetadata", origin=Origin.NETWORK)
    stored = metadata.to_store(kind, text, key, uri)

    def change(definition: Network) -> None:
        metadata.store(definition, kind, stored, uri)

    async with driver.changes:
        live, config = chosen(network, impact)
        await _change(driver, network, change, live=live, config=config)
        driver.events.metadata_changed(network, kind, uri)


def get_metadata(network: VirtualNetwork, kind: int, uri: str | None, impact: int) -> str:
    """The description, the title or the document of a namespace.

    Raises error 111 where there is none, and what `chosen` raises.
    """
    flags.check(impact, _IMPACT, "virNetworkObjGetMetadata", origin=Origin.NETWORK)
    names = ("VIR_NETWORK_UPDATE_AFFECT_LIVE", "VIR_NETWORK_UPDATE_AFFECT_CONFIG")
    flags.exclusive(impact, flags.LIVE, flags.CONFIG, names, origin=Origin.NETWORK)
    live, _ = chosen(network, impact)
    definition = network.live if live else network.config
    found = metadata.get(definition, kind, uri) if definition is not None else None
    if found is None:
        text = "Requested metadata element is not present"
        raise LibvirtError(text, code=Code.NO_NETWORK_METADATA, domain=Origin.NETWORK)
    return found
