"""Switches that are programs of their own: the commands that connect a tap to them, and take it off again.

Source: ovs-vsctl(8), "Database Values"; https://libvirt.org/formatnetwork.html#connectivity.
"""

from __future__ import annotations

import json
from typing import Final

from guesthouse.drivers.domain.interfaces.wiring import Connected
from guesthouse.errors import OperationFailedError, UnsupportedConfigError
from guesthouse.host.child import run
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.interface.virtualport import PortParameters
from guesthouse.model.domain.devices.interface.vlan import Vlan

OPENVSWITCH: Final = "openvswitch"
MIDONET: Final = "midonet"

_DEADLINE: Final = 10.0
_OVS: Final = ("ovs-vsctl", "--timeout=5")


def check(end: Connected) -> None:
    """Raise `UnsupportedConfigError` for a switch that we do not speak to."""
    if end.switch in ("802.1Qbg", "802.1Qbh"):
        raise UnsupportedConfigError(
            f"<virtualport type='{end.switch}'> is not supported",
            hint="the switch cannot be told of the port; leave <virtualport> out",
        )
    if end.kind == "direct" and end.switch:
        raise UnsupportedConfigError(f"<virtualport type='{end.switch}'> is not supported for macvtap")


async def attach(end: Connected, device: str, mac: str, live: Domain) -> None:
    """Connect a tap to its switch. Raises `OperationFailedError` and `ChildError`."""
    parameters = (end.virtual_port.parameters if end.virtual_port is not None else None) or new(PortParameters)
    if end.switch == MIDONET:
        await _run(["mm-ctl", "--bind-port", parameters.interfaceid or "", device])
    elif end.switch == OPENVSWITCH:
        await _run(ovs_orders(end, parameters, device, mac, live.uuid))


def ovs_orders(end: Connected, parameters: PortParameters, device: str, mac: str, uuid: str) -> list[str]:
    """The command that makes a tap a port of an Open vSwitch bridge.

    What a definition says goes in quotes, as a JSON string: whatever stands in it, it is one value.
    """
    facts = {
        "attached-mac": mac,
        "iface-id": parameters.interfaceid or "",
        "vm-id": uuid,
        **({"port-profile": parameters.profileid} if parameters.profileid else {}),
        "iface-status": "active",
    }
    words = [*_OVS, "--", "--if-exists", "del-port", device, "--", "add-port", end.other, device]
    words += _ovs_vlan(end.vlan)
    for name, value in facts.items():
        text = value if name == "iface-status" else json.dumps(value)
        words += ["--", "set", "Interface", device, f"external-ids:{name}={text}"]
    return words


def _ovs_vlan(vlan: Vlan | None) -> list[str]:
    if vlan is None:
        return []
    words = []
    native = vlan.native
    if native is not None:
        words += [f"vlan_mode=native-{native.native_mode}", f"tag={native.id}"]
    if vlan.trunk is not None:
        return [*words, "trunk=" + ",".join(str(tag.id) for tag in vlan.tags)]
    return [f"tag={vlan.tags[0].id}"]


async def detach(end: Connected, device: str) -> None:
    """Take a tap off its switch."""
    parameters = (end.virtual_port.parameters if end.virtual_port is not None else None) or new(PortParameters)
    if end.switch == MIDONET:
        await _run(["mm-ctl", "--unbind-port", parameters.interfaceid or ""])
    elif end.switch == OPENVSWITCH:
        await _run([*_OVS, "--", "--if-exists", "del-port", device])


async def _run(words: list[str]) -> None:
    finished = await run(words, deadline=_DEADLINE)
    if not finished.ok:
        raise OperationFailedError(f"'{words[0]}' failed: {finished.error_text[-500:] or finished.exit}")
