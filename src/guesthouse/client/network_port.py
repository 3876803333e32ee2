"""Places on virtual networks: finding, making and removing them.

The functions are libvirt's `virNetworkPort…` functions under shorter names
(https://libvirt.org/html/libvirt-libvirt-network.html). All raise LibvirtError as the daemon sent it.
"""

from __future__ import annotations

from guesthouse.client.named import uuid_text
from guesthouse.rpc.procedures import network_port as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.network import Network
    from guesthouse.rpc.types import NonnullNetworkPort

#: A flag of `create`.
VALIDATE = 2


class Port:
    """One place on a network."""

    __slots__ = ("handle", "network")

    def __init__(self, network: Network, handle: NonnullNetworkPort) -> None:
        self.network = network
        self.handle = handle

    @property
    def uuid(self) -> str:
        """Its UUID in text form."""
        return uuid_text(self.handle.uuid)

    def xml(self) -> str:
        """Its document."""
        args = rpc.NetworkPortGetXmlDescArgs(self.handle)
        return self.network.connection.ask(rpc.NetworkPortGetXmlDescRet, rpc.NETWORK_PORT_GET_XML_DESC, args).xml

    def delete(self) -> None:
        """Give it back."""
        self.network.connection.call(rpc.NETWORK_PORT_DELETE, rpc.NetworkPortDeleteArgs(self.handle))


def ports(network: Network) -> list[Port]:
    """All places on a network."""
    args = rpc.NetworkListAllPortsArgs(network.handle, 1)
    ret = network.connection.ask(rpc.NetworkListAllPortsRet, rpc.NETWORK_LIST_ALL_PORTS, args)
    return [Port(network, handle) for handle in ret.ports]


def by_uuid(network: Network, uuid: bytes) -> Port:
    """The place with this UUID. Raises LibvirtError (107) where there is none."""
    args = rpc.NetworkPortLookupByUuidArgs(network.handle, uuid)
    ret = network.connection.ask(rpc.NetworkPortLookupByUuidRet, rpc.NETWORK_PORT_LOOKUP_BY_UUID, args)
    return Port(network, ret.port)


def create(network: Network, xml: str, flags: int = 0) -> Port:
    """Make a place on a network."""
    args = rpc.NetworkPortCreateXmlArgs(network.handle, xml, flags)
    ret = network.connection.ask(rpc.NetworkPortCreateXmlRet, rpc.NETWORK_PORT_CREATE_XML, args)
    return Port(network, ret.port)
