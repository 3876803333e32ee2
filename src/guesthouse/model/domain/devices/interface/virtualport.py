"""What a switch other than Linux' own bridge needs to know of a port: `<virtualport>`.

Source: https://libvirt.org/formatdomain.html#direct-attachment-to-physical-interface and
https://libvirt.org/formatnetwork.html#connectivity.
"""

from __future__ import annotations

import uuid
from typing import Final

from guesthouse.errors import XmlError
from guesthouse.model.binding import clone, element, new, one, opt
from guesthouse.model.kinds import UUID, Kind, hexadecimal, matching, one_of


def _number(high: int) -> Kind[int]:
    """A number in any of C's bases, printed in the decimal one."""
    return Kind(f"a number up to {high:#x}", hexadecimal(1, high).parse, str, plain=True)


@element("parameters", omit_empty=True)
class PortParameters:
    """The parameters of all types; which of them count is the type's matter."""

    managerid: int | None = opt(_number(0xFF))
    typeid: int | None = opt(_number(0xFFFFFF))
    typeidversion: int | None = opt(_number(0xFF))
    instanceid: str | None = opt(UUID)
    interfaceid: str | None = opt(UUID)
    profileid: str | None = opt(matching(r".{0,39}", "at most 39 characters"))


#: Type to the parameters that it must have, and those that it may have.
_PARAMETERS: Final = {
    "802.1Qbg": (("managerid", "typeid", "typeidversion", "instanceid"), ()),
    "802.1Qbh": (("profileid",), ()),
    "openvswitch": (("interfaceid",), ("profileid",)),
    "midonet": (("interfaceid",), ()),
}
_ALL: Final = ("managerid", "typeid", "typeidversion", "instanceid", "interfaceid", "profileid")
#: Parameters that are made up where they are missing, by type; without a type both may be needed.
_GENERATED: Final = {"802.1Qbg": ("instanceid",), "openvswitch": ("interfaceid",)}


@element("virtualport")
class VirtualPort:
    """The kind of switch, and the port's parameters. `type` None leaves the kind to the network."""

    type: str | None = opt(one_of(*_PARAMETERS))
    parameters: PortParameters | None = one(PortParameters)

    def parsed(self) -> None:
        """Parameters of other types are refused."""
        if self.type is None or self.parameters is None:
            return
        needed, allowed = _PARAMETERS[self.type]
        for name in _ALL:
            if name not in (*needed, *allowed) and getattr(self.parameters, name) is not None:
                raise XmlError(f"extra {name} unsupported in <virtualport type='{self.type}'>")

    def generate(self) -> None:
        """Make up the identifiers that are missing."""
        parameters = self.parameters or new(PortParameters)
        for name in _GENERATED.get(self.type or "", ()):
            if getattr(parameters, name) is None:
                setattr(parameters, name, str(uuid.uuid4()))
                self.parameters = parameters

    def check(self) -> None:
        """Raise `XmlError` where the type or a parameter that it needs is missing."""
        if self.type is None:
            raise XmlError("missing required virtualport type")
        parameters = self.parameters or new(PortParameters)
        for name in _PARAMETERS[self.type][0]:
            if getattr(parameters, name) is None:
                raise XmlError(f"missing {name} in <virtualport type='{self.type}'>")


def merged(*ports: VirtualPort | None) -> VirtualPort | None:
    """One port that has what any of these say: an interface, its network, its group of ports; None where none does.

    Raises `XmlError` where two of them contradict each other.
    """
    result: VirtualPort | None = None
    for port in ports:
        if port is None:
            continue
        if result is None:
            result = clone(port)
            continue
        if None not in (result.type, port.type) and result.type != port.type:
            raise XmlError(f"attempt to merge virtualports with mismatched types ({result.type} and {port.type})")
        result.type = result.type or port.type
        if port.parameters is not None:
            result.parameters = _merged(result.parameters or new(PortParameters), port.parameters)
    return result


def _merged(first: PortParameters, second: PortParameters) -> PortParameters:
    for name in _ALL:
        one, other = getattr(first, name), getattr(second, name)
        if None not in (one, other) and one != other:
            quote = "'" if isinstance(one, str) else ""
            both = f"{quote}{one}{quote} and {quote}{other}{quote}"
            raise XmlError(f"attempt to merge virtualports with mismatched {name}s ({both})")
        if one is None:
            setattr(first, name, other)
    return first
