"""The device beside a PCI device that gives it its identity in an s390x guest."""

from __future__ import annotations

from guesthouse.model.domain.devices.address import Address, PciAddress
from guesthouse.model.qemu_objects import Device, QemuObject


def beside(front_end: str, address: Address | None) -> list[QemuObject]:
    """The `zpci` device for the front end with that alias; none for what is not on PCI or has no ids."""
    if not isinstance(address, PciAddress) or address.zpci is None:
        return []
    ids = address.zpci
    return [Device({"driver": "zpci", "uid": ids.uid, "fid": ids.fid, "target": front_end, "id": f"zpci{ids.uid}"})]
