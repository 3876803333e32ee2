"""Events about networks: asking for them, and reading the messages that come.

The numbers are libvirt's `virNetworkEventID` (https://libvirt.org/html/libvirt-libvirt-network.html).
"""

from __future__ import annotations

from guesthouse.client.network import Network
from guesthouse.rpc.procedures import events_objects as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.client import Message

LIFECYCLE, METADATA_CHANGE = range(2)
#: What a change of metadata was about (`virNetworkMetadataType`).
KINDS = ("description", "title", "element")


class NetworkEvent:
    """One event: its number and the network.

    `happened` is for `LIFECYCLE` what happened (`virNetworkEventLifecycleType`), for `METADATA_CHANGE` a number of
    `KINDS`, with the namespace of an element.
    """

    __slots__ = ("happened", "namespace", "network", "number")

    def __init__(self, number: int, network: Network, happened: int, namespace: str | None = None) -> None:
        self.number = number
        self.network = network
        self.happened = happened
        self.namespace = namespace


def register(connection: Connection, number: int, network: Network | None) -> int:
    """Ask for an event, of one network or of all; returns the number of the registration."""
    args = rpc.ConnectNetworkEventRegisterAnyArgs(number, network.handle if network else None)
    ret = connection.ask(rpc.ConnectNetworkEventRegisterAnyRet, rpc.CONNECT_NETWORK_EVENT_REGISTER_ANY, args)
    return ret.callbackID


def deregister(connection: Connection, registration: int) -> None:
    """Ask for it no longer."""
    args = rpc.ConnectNetworkEventDeregisterAnyArgs(registration)
    connection.call(rpc.CONNECT_NETWORK_EVENT_DEREGISTER_ANY, args)


def read(connection: Connection, message: Message) -> NetworkEvent | None:
    """What a message says; None where it is about something else."""
    found = message.message
    if isinstance(found, rpc.NetworkEventLifecycleMsg):
        return NetworkEvent(LIFECYCLE, Network(connection, found.net), found.event)
    if isinstance(found, rpc.NetworkEventCallbackMetadataChangeMsg):
        return NetworkEvent(METADATA_CHANGE, Network(connection, found.net), found.type, found.nsuri)
    return None
