"""Secrets of a daemon: finding, defining and removing them, and their values.

The functions are libvirt's `virSecret…` functions under shorter names
(https://libvirt.org/html/libvirt-libvirt-secret.html). All raise LibvirtError as the daemon sent it.
"""

from __future__ import annotations

from guesthouse.client.named import uuid_text
from guesthouse.rpc.procedures import secret as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.types import NonnullSecret

#: What a secret can be for, by number (`virSecretUsageType`).
USAGES = ("none", "volume", "ceph", "iscsi", "tls", "vtpm")

#: Filters of `secrets` (`virConnectListAllSecretsFlags`), and the flag of `define`.
EPHEMERAL, NO_EPHEMERAL, PRIVATE, NO_PRIVATE = 1, 2, 4, 8
VALIDATE = 1


class Secret:
    """One secret. What it is for was told with it; the rest is asked for."""

    __slots__ = ("connection", "handle")

    def __init__(self, connection: Connection, handle: NonnullSecret) -> None:
        self.connection = connection
        self.handle = handle

    @property
    def uuid(self) -> str:
        """Its UUID in text form."""
        return uuid_text(self.handle.uuid)

    @property
    def usage(self) -> str:
        """One of `USAGES`; `unknown` for one that is newer than this client."""
        number = self.handle.usageType
        return USAGES[number] if 0 <= number < len(USAGES) else "unknown"

    @property
    def usage_id(self) -> str:
        """What exactly it is for; empty where it is for nothing in particular."""
        return self.handle.usageID

    def xml(self) -> str:
        """Its definition."""
        args = rpc.SecretGetXmlDescArgs(self.handle)
        return self.connection.ask(rpc.SecretGetXmlDescRet, rpc.SECRET_GET_XML_DESC, args).xml

    def value(self) -> bytes:
        """Its value. A private one is not told (error 65)."""
        args = rpc.SecretGetValueArgs(self.handle)
        return self.connection.ask(rpc.SecretGetValueRet, rpc.SECRET_GET_VALUE, args).value

    def set_value(self, value: bytes) -> None:
        """Give it a value of at most 64 KiB."""
        self.connection.call(rpc.SECRET_SET_VALUE, rpc.SecretSetValueArgs(self.handle, value))

    def undefine(self) -> None:
        """Remove it, and its value with it."""
        self.connection.call(rpc.SECRET_UNDEFINE, rpc.SecretUndefineArgs(self.handle))


def secrets(connection: Connection, flags: int = 0) -> list[Secret]:
    """The secrets that pass a filter (0 takes all)."""
    args = rpc.ConnectListAllSecretsArgs(1, flags)
    ret = connection.ask(rpc.ConnectListAllSecretsRet, rpc.CONNECT_LIST_ALL_SECRETS, args)
    return [Secret(connection, handle) for handle in ret.secrets]


def by_uuid(connection: Connection, uuid: bytes) -> Secret:
    """The secret with this UUID. Raises LibvirtError (66) where there is none."""
    args = rpc.SecretLookupByUuidArgs(uuid)
    ret = connection.ask(rpc.SecretLookupByUuidRet, rpc.SECRET_LOOKUP_BY_UUID, args)
    return Secret(connection, ret.secret)


def define(connection: Connection, xml: str, flags: int = 0) -> Secret:
    """Define a secret, or change the one with this UUID."""
    args = rpc.SecretDefineXmlArgs(xml, flags)
    return Secret(connection, connection.ask(rpc.SecretDefineXmlRet, rpc.SECRET_DEFINE_XML, args).secret)
