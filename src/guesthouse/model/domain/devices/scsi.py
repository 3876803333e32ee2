"""SCSI controllers: their models, what each can be told, and QEMU's devices.

Source: https://libvirt.org/formatdomain.html#controllers (`scsi`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.domain.devices.address import CcwAddress, PciAddress
from guesthouse.model.domain.devices.base import DeviceContext, virtio_props
from guesthouse.model.domain.devices.iothread_mapping import check_mapping, mapping_props
from guesthouse.model.qemu_objects import Props, without_none

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.controller import Controller, ControllerDriver

#: Model to QEMU's driver, for those that are no virtio devices.
SCSI: Final = {
    "lsilogic": "lsi",
    "lsisas1068": "mptsas1068",
    "lsisas1078": "megasas",
    "vmpvscsi": "pvscsi",
    "am53c974": "am53c974",
    "dc390": "dc-390",
    "ibmvscsi": "spapr-vscsi",
}
SCSI_VIRTIO: Final = ("virtio-scsi", "virtio-transitional", "virtio-non-transitional")
#: What only virtio controllers have.
_VIRTIO_ONLY: Final = ("queues", "cmd_per_lun", "max_sectors", "ioeventfd")


def check_scsi(controller: Controller, ctx: DeviceContext) -> None:
    """Raise `UnsupportedConfigError` for a model that this QEMU does not have."""
    model = controller.model or ""
    if model == "ncr53c90":
        raise UnsupportedConfigError("ncr53c90 SCSI controller is not a built-in for this machine")
    if model == "buslogic":
        raise UnsupportedConfigError(f"Unsupported controller model: {model}")
    if model in SCSI:
        ctx.need("lsi53c895a" if model == "lsilogic" else SCSI[model], f"SCSI controller model '{model}'")


def check_driver(controller: Controller, driver: ControllerDriver, ctx: DeviceContext) -> None:
    """Raise `UnsupportedConfigError` or `XmlError` for options of a controller that has none, or not these."""
    threads = driver.iothreads.threads if driver.iothreads is not None else []
    virtio = controller.type == "scsi" and controller.model in SCSI_VIRTIO
    if not virtio:
        if driver.iothread is not None or threads:
            raise XmlError("'iothread' attribute only supported for virtio scsi controllers")
        for name in _VIRTIO_ONLY:
            if getattr(driver, name) is not None:
                raise UnsupportedConfigError(f"'{name}' is only supported by virtio-scsi controller")
        return
    if driver.iothread is None and not threads:
        return
    if driver.iothread is not None and threads:
        raise XmlError("controller driver 'iothread' attribute can't be used together with 'iothreads' subelement")
    if controller.address is not None and not isinstance(controller.address, (PciAddress, CcwAddress)):
        raise UnsupportedConfigError("virtio-scsi IOThreads only available for virtio pci and virtio ccw controllers")
    check_mapping(threads, driver.queues, ctx.iothreads)
    if driver.iothread is not None and driver.iothread not in ctx.iothreads:
        raise UnsupportedConfigError(f"controller iothread '{driver.iothread}' not defined in iothreadid")


def scsi_props(controller: Controller, _ctx: DeviceContext) -> Props:
    """The driver and its properties, without the address."""
    if controller.model not in SCSI_VIRTIO:
        return {"driver": SCSI[controller.model or ""], "id": controller.name}
    driver = controller.driver
    props: Props = {"driver": controller.virtio_driver("virtio-scsi", controller.model)}
    props |= virtio_props(driver)
    if driver is None:
        return props | {"id": controller.name}
    if driver.iothread:
        props["iothread"] = f"iothread{driver.iothread}"
    props |= without_none({"id": controller.name, "num_queues": driver.queues})
    props |= mapping_props(driver.iothreads.threads if driver.iothreads is not None else [])
    return props | without_none(
        {
            "cmd_per_lun": driver.cmd_per_lun,
            "max_sectors": driver.max_sectors,
            "ioeventfd": driver.ioeventfd,
        }
    )
