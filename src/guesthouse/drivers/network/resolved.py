"""Telling systemd-resolved that a network's names are asked of its own server: `<domain register='yes'>`.

Source: https://libvirt.org/formatnetwork.html; resolvectl(1).
"""

from __future__ import annotations

import shutil
from typing import Final

from guesthouse.errors import InternalError, OperationInvalidError, Origin
from guesthouse.host.child import run
from guesthouse.model.network.definition import Network

_PROGRAM: Final = "resolvectl"
_DEADLINE: Final = 10.0


async def register(network: Network) -> None:
    """Register the server of a network whose domain asks for it. It is forgotten with the bridge.

    Raises `OperationInvalidError` where systemd-resolved is not there, `InternalError` where it refuses.
    """
    domain, bridge = network.domain, network.bridge
    if domain is None or not domain.register or not network.ips or bridge is None or bridge.name is None:
        return
    if shutil.which(_PROGRAM) is None or not (await run([_PROGRAM, "status"], deadline=_DEADLINE)).ok:
        raise OperationInvalidError(
            "failed to register name server: systemd-resolved is not available", domain=Origin.NETWORK
        )
    for words in (("dns", bridge.name, network.ips[0].address), ("domain", bridge.name, f"~{domain.name}")):
        finished = await run([_PROGRAM, *words], deadline=_DEADLINE)
        if not finished.ok:
            raise InternalError(f"failed to register name server: {finished.error_text[-300:]}", domain=Origin.NETWORK)
