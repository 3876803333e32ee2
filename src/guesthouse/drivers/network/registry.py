"""Which virtual networks there are, and how one is found. Rules and texts are libvirt's."""

from __future__ import annotations

import uuid as _uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from guesthouse.errors import Code, LibvirtError, OperationFailedError, OperationInvalidError, Origin
from guesthouse.host.processes import Process
from guesthouse.model.network.definition import Network
from guesthouse.model.network_port import NetworkPort


class NoNetworkError(LibvirtError):
    """No network of that name or UUID."""

    code = Code.NO_NETWORK
    domain = Origin.NETWORK


@dataclass(slots=True)
class VirtualNetwork:
    """One network. `config` is its definition on disk, None for a transient one; `live` what is active, if it is.

    `ports` are the places that guests have on it, by id; those of `by_hand` no guest's end
    gives back. `dnsmasq` is the process that serves it, if one does.
    """

    config: Network | None = None
    live: Network | None = None
    autostart: bool = False
    ports: dict[str, NetworkPort] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)
    dnsmasq: Process | None = None

    @property
    def current(self) -> Network:
        """What is active, else the definition."""
        found = self.live or self.config
        if found is None:
            raise LookupError("a network without a definition")
        return found

    @property
    def active(self) -> bool:
        """Whether it runs."""
        return self.live is not None

    @property
    def persistent(self) -> bool:
        """Whether it is still known after it stops."""
        return self.config is not None

    @property
    def name(self) -> str:
        """Its name."""
        return self.current.name

    @property
    def uuid(self) -> str:
        """Its UUID, as text."""
        return self.current.uuid or ""

    def running(self) -> Network:
        """What is active. Raises `OperationInvalidError` where nothing is."""
        if self.live is None:
            raise OperationInvalidError(f"network '{self.name}' is not active", domain=Origin.NETWORK)
        return self.live


class Registry:
    """All networks, in the order of their names."""

    def __init__(self) -> None:
        self._networks: dict[str, VirtualNetwork] = {}

    def __iter__(self) -> Iterator[VirtualNetwork]:
        return iter([self._networks[name] for name in sorted(self._networks)])

    def add(self, network: VirtualNetwork) -> None:
        """Know a network from now on."""
        self._networks[network.name] = network

    def discard(self, name: str) -> None:
        """Forget a network."""
        self._networks.pop(name, None)

    def get(self, name: str) -> VirtualNetwork | None:
        """The network of this name, if there is one."""
        return self._networks.get(name)

    def named(self, name: str) -> VirtualNetwork:
        """The network of this name. Raises `NoNetworkError`."""
        found = self._networks.get(name)
        if found is None:
            raise NoNetworkError(f"no network with matching name '{name}'")
        return found

    def with_uuid(self, uuid: bytes, name: str = "") -> VirtualNetwork:
        """The network with this UUID; `name` is only for the error. Raises `NoNetworkError`."""
        text = str(_uuid.UUID(bytes=uuid))
        for network in self._networks.values():
            if network.uuid == text:
                return network
        known_as = f" ({name})" if name else ""
        raise NoNetworkError(f"no network with matching uuid '{text}'{known_as}")

    def check_free(self, definition: Network) -> VirtualNetwork | None:
        """The network that `definition` would change, if there is one.

        Raises `OperationFailedError` where its name or its UUID belongs to another.
        """
        for network in self:
            same_name, same_uuid = network.name == definition.name, network.uuid == definition.uuid
            if same_uuid and not same_name:
                raise _conflict(f"network '{network.name}' is already defined with uuid {network.uuid}")
            if same_name and not same_uuid:
                raise _conflict(f"network '{definition.name}' already exists with uuid {network.uuid}")
        return self._networks.get(definition.name)


def _conflict(text: str) -> LibvirtError:
    return OperationFailedError(text, domain=Origin.NETWORK)
