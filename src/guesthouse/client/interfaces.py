"""Network cards of one guest: the limits of their rates.

The functions are libvirt's under shorter names (https://libvirt.org/html/libvirt-libvirt-domain.html). `device` is the
name of a card's device on the host, or its MAC address; `flags` are `virDomainModificationImpact`.
"""

from __future__ import annotations

from guesthouse.client.room import all_of
from guesthouse.rpc.procedures import domain_tuning as rpc
from guesthouse.rpc.types import PARAM_UINT, TypedParam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.domain import Domain

_STRING_OKAY = 4


def parameters(found: Domain, device: str, flags: int) -> list[TypedParam]:
    """The limits of a card."""

    def ask(room: int) -> rpc.DomainGetInterfaceParametersRet:
        args = rpc.DomainGetInterfaceParametersArgs(found.handle, device, room, flags | _STRING_OKAY)
        return found.connection.ask(rpc.DomainGetInterfaceParametersRet, rpc.DOMAIN_GET_INTERFACE_PARAMETERS, args)

    return all_of(ask)


def set_parameters(found: Domain, device: str, values: dict[str, int], flags: int) -> None:
    """Limit a card: parameter names to KiB a second, or KiB."""
    params = [TypedParam(name, PARAM_UINT, value) for name, value in values.items()]
    args = rpc.DomainSetInterfaceParametersArgs(found.handle, device, params, flags)
    found.connection.call(rpc.DOMAIN_SET_INTERFACE_PARAMETERS, args)
