"""A definition for another host: without what its libvirt adds by itself, and may be too old to know.

Source: https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainXMLFlags, VIR_DOMAIN_XML_MIGRATABLE; what is left
out was measured with libvirt 11.3.
"""

from __future__ import annotations

from guesthouse.model.domain.definition import Domain


def leave_out_implicit(domain: Domain, configured: Domain | None) -> None:
    """Remove the implicit devices of `domain`, and the ports and addresses that its start chose.

    `configured` is the definition that leaves them open; None where there is none.
    """
    devices = domain.devices
    devices.inputs[:] = [item for item in devices.inputs if (item.type, item.bus) != ("keyboard", "ps2")]
    devices.watchdogs[:] = [item for item in devices.watchdogs if (item.model, item.action) != ("itco", "reset")]
    if len(devices.audios) == 1 and devices.audios[0].type == "none":
        devices.audios.clear()
    for disk in devices.disks:
        if disk.driver is not None:
            disk.driver.type = disk.driver.type or "raw"  # which a running guest's empty drive does not show
    given = configured.devices.graphics if configured is not None else []
    for number, graphics in enumerate(devices.graphics):
        graphics.forget_host(given[number] if number < len(given) else None)
    for serial in (*devices.serials, *devices.parallels, *devices.channels, *devices.consoles):
        serial.forget_host()
