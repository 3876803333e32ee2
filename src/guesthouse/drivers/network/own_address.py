"""The host's own address in a network: where a guest's display can listen, so that only that network reaches it.

Rules and texts are those of libvirt's `<listen type='network'>`: https://libvirt.org/formatdomain.html#graphical-framebuffers.
"""

from __future__ import annotations

from guesthouse.errors import InternalError, LibvirtError, Origin
from guesthouse.host import links
from guesthouse.model.network.definition import Network


def find(network: Network) -> str:
    """The address of a network's own bridge, else one of the host's bridge or first device that it hands out.

    Asks the kernel: call it in a thread. Raises `InternalError` where there is none.
    """
    if network.bridged:
        if not network.ips:
            raise _failure(f"network '{network.name}' doesn't have an IP address")
        return network.ips[0].address
    device = _device(network)
    try:
        found = links.address(device)
    except OSError as error:
        raise _failure(f"no IP address found for interface '{device}': {error.strerror}") from error
    if found is None:
        raise _failure(f"no IP address found for interface '{device}'")
    return found


def _device(network: Network) -> str:
    if network.mode == "bridge" and network.bridge is not None and network.bridge.name is not None:
        return network.bridge.name
    devices = network.forward.interfaces if network.forward is not None else []
    if not devices:
        raise _failure(f"network '{network.name}' has no associated interface or bridge")
    return devices[0].dev


def _failure(text: str) -> LibvirtError:
    return InternalError(text, domain=Origin.NETWORK, hint="use <listen type='address'/>")
