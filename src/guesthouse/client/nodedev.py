"""Devices of the daemon's host: finding them, taking them from their drivers, and their events.

The functions are libvirt's `virNodeDevice…` functions under shorter names
(https://libvirt.org/html/libvirt-libvirt-nodedev.html). All raise LibvirtError as the daemon sent it.
"""

from __future__ import annotations

from guesthouse.rpc.procedures import events_objects as wire
from guesthouse.rpc.procedures import nodedev as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.connection import Connection
    from guesthouse.rpc.client import Message

#: Names of capabilities in the order of their bits in the filters of `devices`, and the other bits
#: (`virConnectListAllNodeDeviceFlags`).
CAPABILITIES = (
    "system", "pci", "usb_device", "usb", "net", "scsi_host", "scsi_target", "scsi", "storage", "fc_host", "vports",
    "scsi_generic", "drm", "mdev_types", "mdev", "ccw", "css", "vdpa", "ap_card", "ap_queue", "ap_matrix", "vpd",
    "ccwgroup", "ccwgroup_member",
)  # fmt: skip
PERSISTENT, TRANSIENT, INACTIVE, ACTIVE = 1 << 28, 1 << 29, 1 << 30, 1 << 31

#: Flag of `xml`: the definition of a device that is not active.
XML_INACTIVE = 1

LIFECYCLE, UPDATE = range(2)


class NodeDevice:
    """One device, by its name."""

    __slots__ = ("connection", "name")

    def __init__(self, connection: Connection, name: str) -> None:
        self.connection = connection
        self.name = name

    def xml(self, flags: int = 0) -> str:
        """What it is."""
        args = rpc.NodeDeviceGetXmlDescArgs(self.name, flags)
        return self.connection.ask(rpc.NodeDeviceGetXmlDescRet, rpc.NODE_DEVICE_GET_XML_DESC, args).xml

    def parent(self) -> str | None:
        """The name of the device that it is on; the computer is on none."""
        args = rpc.NodeDeviceGetParentArgs(self.name)
        return self.connection.ask(rpc.NodeDeviceGetParentRet, rpc.NODE_DEVICE_GET_PARENT, args).parentName

    def is_active(self) -> bool:
        """Whether it is there, and not only defined."""
        args = rpc.NodeDeviceIsActiveArgs(self.name)
        return bool(self.connection.ask(rpc.NodeDeviceIsActiveRet, rpc.NODE_DEVICE_IS_ACTIVE, args).active)

    def is_persistent(self) -> bool:
        """Whether it is defined."""
        args = rpc.NodeDeviceIsPersistentArgs(self.name)
        return bool(self.connection.ask(rpc.NodeDeviceIsPersistentRet, rpc.NODE_DEVICE_IS_PERSISTENT, args).persistent)

    def autostart(self) -> bool:
        """Whether it is started with the host."""
        args = rpc.NodeDeviceGetAutostartArgs(self.name)
        return bool(self.connection.ask(rpc.NodeDeviceGetAutostartRet, rpc.NODE_DEVICE_GET_AUTOSTART, args).autostart)

    def detach(self, driver: str | None = None) -> None:
        """Take it from its driver, so that a guest can have it; `driver` is one of VFIO, the best for None."""
        if driver is None:
            self.connection.call(rpc.NODE_DEVICE_DETTACH, rpc.NodeDeviceDettachArgs(self.name))
        else:
            self.connection.call(rpc.NODE_DEVICE_DETACH_FLAGS, rpc.NodeDeviceDetachFlagsArgs(self.name, driver))

    def reattach(self) -> None:
        """Give it back to its driver."""
        self.connection.call(rpc.NODE_DEVICE_RE_ATTACH, rpc.NodeDeviceReAttachArgs(self.name))

    def reset(self) -> None:
        """Reset it."""
        self.connection.call(rpc.NODE_DEVICE_RESET, rpc.NodeDeviceResetArgs(self.name))


def devices(connection: Connection, flags: int = 0) -> list[NodeDevice]:
    """The devices that pass a filter (0 takes all)."""
    args = rpc.ConnectListAllNodeDevicesArgs(1, flags)
    ret = connection.ask(rpc.ConnectListAllNodeDevicesRet, rpc.CONNECT_LIST_ALL_NODE_DEVICES, args)
    return [NodeDevice(connection, handle.name) for handle in ret.devices]


def by_name(connection: Connection, name: str) -> NodeDevice:
    """The device of this name. Raises LibvirtError (53) where there is none."""
    args = rpc.NodeDeviceLookupByNameArgs(name)
    ret = connection.ask(rpc.NodeDeviceLookupByNameRet, rpc.NODE_DEVICE_LOOKUP_BY_NAME, args)
    return NodeDevice(connection, ret.dev.name)


def by_wwn(connection: Connection, wwnn: str, wwpn: str) -> NodeDevice:
    """The SCSI host adapter with these names. Raises LibvirtError (53) where there is none."""
    args = rpc.NodeDeviceLookupScsiHostByWwnArgs(wwnn, wwpn)
    ret = connection.ask(rpc.NodeDeviceLookupScsiHostByWwnRet, rpc.NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN, args)
    return NodeDevice(connection, ret.dev.name)


class NodeDeviceEvent:
    """One event: its number, the device, and for `LIFECYCLE` what happened (`virNodeDeviceEventLifecycleType`)."""

    __slots__ = ("device", "happened", "number")

    def __init__(self, number: int, device: str, happened: int = -1) -> None:
        self.number = number
        self.device = device
        self.happened = happened


def register(connection: Connection, number: int, device: NodeDevice | None) -> int:
    """Ask for an event, of one device or of all; returns the number of the registration."""
    from guesthouse.rpc.types import NonnullNodeDevice

    args = wire.ConnectNodeDeviceEventRegisterAnyArgs(number, NonnullNodeDevice(device.name) if device else None)
    ret = connection.ask(wire.ConnectNodeDeviceEventRegisterAnyRet, wire.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY, args)
    return ret.callbackID


def deregister(connection: Connection, registration: int) -> None:
    """Ask for it no longer."""
    args = wire.ConnectNodeDeviceEventDeregisterAnyArgs(registration)
    connection.call(wire.CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY, args)


def read(_connection: Connection, message: Message) -> NodeDeviceEvent | None:
    """What a message says; None where it is about something else."""
    found = message.message
    if isinstance(found, wire.NodeDeviceEventLifecycleMsg):
        return NodeDeviceEvent(LIFECYCLE, found.dev.name, found.event)
    if isinstance(found, wire.NodeDeviceEventUpdateMsg):
        return NodeDeviceEvent(UPDATE, found.dev.name)
    return None
