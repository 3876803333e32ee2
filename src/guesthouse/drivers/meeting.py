"""The drivers of one daemon get to know each other: who needs something of another is given the other's interface."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from guesthouse.drivers import storage_neighbours
from guesthouse.drivers.domain.driver import DomainDriver
from guesthouse.drivers.domain.host_devices.assigning import holder_of
from guesthouse.drivers.domain.interfaces.reconnecting import reconnect
from guesthouse.drivers.network.driver import NetworkDriver
from guesthouse.drivers.network.service import Service
from guesthouse.drivers.nodedev.driver import NodeDeviceDriver
from guesthouse.drivers.nwfilter.driver import FilterDriver
from guesthouse.drivers.nwfilter.service import Service as FilterService
from guesthouse.drivers.secret.driver import SecretDriver
from guesthouse.drivers.secret.lookup import secret_lookup
from guesthouse.drivers.storage.driver import StorageDriver
from guesthouse.drivers.storage.lookup import volume_lookup


def introduce(drivers: Iterable[object]) -> None:
    """Tell the domain driver where volumes, networks, filters and secrets are found, if their drivers are beside it.

    Who binds devices of the host is told which guest has them, and shares the domain driver's lock for that.
    """
    known = list(drivers)
    for pools in (driver for driver in known if isinstance(driver, StorageDriver)):
        storage_neighbours.tell(pools, known)
    for domain in (driver for driver in known if isinstance(driver, DomainDriver)):
        for storage in (driver for driver in known if isinstance(driver, StorageDriver)):
            domain.volume = volume_lookup(storage.registry)
        for network in (driver for driver in known if isinstance(driver, NetworkDriver)):
            domain.networks = Service(network)
            network.on_start = partial(reconnect, domain)
        for nwfilter in (driver for driver in known if isinstance(driver, FilterDriver)):
            domain.nwfilters = FilterService(nwfilter)
        for secret in (driver for driver in known if isinstance(driver, SecretDriver)):
            domain.secret = secret_lookup(secret)
        for nodedev in (driver for driver in known if isinstance(driver, NodeDeviceDriver)):
            nodedev.holder, nodedev.assigning = partial(holder_of, domain), domain.assigning
