"""Procedures for devices of the host.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import NODE_DEVICE_CAPS_LIST_MAX, NODE_DEVICE_LIST_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullNodeDevice
from guesthouse.rpc.xdr import Annotated, Struct, UInt


class NodeNumOfDevicesArgs(Struct):
    """Arguments of virNodeNumOfDevices."""

    cap: str | None = None
    flags: UInt = 0


class NodeNumOfDevicesRet(Struct):
    """Reply of virNodeNumOfDevices."""

    num: int


class NodeListDevicesArgs(Struct):
    """Arguments of virNodeListDevices."""

    cap: str | None
    maxnames: int
    flags: UInt = 0


class NodeListDevicesRet(Struct):
    """Reply of virNodeListDevices."""

    names: Annotated[list[str], NODE_DEVICE_LIST_MAX]


class NodeDeviceLookupByNameArgs(Struct):
    """Arguments of virNodeDeviceLookupByName."""

    name: str


class NodeDeviceLookupByNameRet(Struct):
    """Reply of virNodeDeviceLookupByName."""

    dev: NonnullNodeDevice


class NodeDeviceGetXmlDescArgs(Struct):
    """Arguments of virNodeDeviceGetXMLDesc."""

    name: str
    flags: UInt = 0


class NodeDeviceGetXmlDescRet(Struct):
    """Reply of virNodeDeviceGetXMLDesc."""

    xml: str


class NodeDeviceGetParentArgs(Struct):
    """Arguments of virNodeDeviceGetParent."""

    name: str


class NodeDeviceGetParentRet(Struct):
    """Reply of virNodeDeviceGetParent."""

    parentName: str | None = None


class NodeDeviceNumOfCapsArgs(Struct):
    """Arguments of virNodeDeviceNumOfCaps."""

    name: str


class NodeDeviceNumOfCapsRet(Struct):
    """Reply of virNodeDeviceNumOfCaps."""

    num: int


class NodeDeviceListCapsArgs(Struct):
    """Arguments of virNodeDeviceListCaps."""

    name: str
    maxnames: int


class NodeDeviceListCapsRet(Struct):
    """Reply of virNodeDeviceListCaps."""

    names: Annotated[list[str], NODE_DEVICE_CAPS_LIST_MAX]


class NodeDeviceDettachArgs(Struct):
    """Arguments of virNodeDeviceDettach."""

    name: str


class NodeDeviceReAttachArgs(Struct):
    """Arguments of virNodeDeviceReAttach."""

    name: str


class NodeDeviceResetArgs(Struct):
    """Arguments of virNodeDeviceReset."""

    name: str


class NodeDeviceCreateXmlArgs(Struct):
    """Arguments of virNodeDeviceCreateXML."""

    xml_desc: str
    flags: UInt = 0


class NodeDeviceCreateXmlRet(Struct):
    """Reply of virNodeDeviceCreateXML."""

    dev: NonnullNodeDevice


class NodeDeviceDestroyArgs(Struct):
    """Arguments of virNodeDeviceDestroy."""

    name: str


class ConnectListAllNodeDevicesArgs(Struct):
    """Arguments of virConnectListAllNodeDevices."""

    need_results: int
    flags: UInt = 0


class ConnectListAllNodeDevicesRet(Struct):
    """Reply of virConnectListAllNodeDevices."""

    devices: Annotated[list[NonnullNodeDevice], NODE_DEVICE_LIST_MAX]
    ret: UInt


class NodeDeviceLookupScsiHostByWwnArgs(Struct):
    """Arguments of virNodeDeviceLookupSCSIHostByWWN."""

    wwnn: str
    wwpn: str
    flags: UInt = 0


class NodeDeviceLookupScsiHostByWwnRet(Struct):
    """Reply of virNodeDeviceLookupSCSIHostByWWN."""

    dev: NonnullNodeDevice


class NodeDeviceDetachFlagsArgs(Struct):
    """Arguments of virNodeDeviceDetachFlags."""

    name: str
    driverName: str | None = None
    flags: UInt = 0


class NodeDeviceDefineXmlArgs(Struct):
    """Arguments of virNodeDeviceDefineXML."""

    xml_desc: str
    flags: UInt = 0


class NodeDeviceDefineXmlRet(Struct):
    """Reply of virNodeDeviceDefineXML."""

    dev: NonnullNodeDevice


class NodeDeviceUndefineArgs(Struct):
    """Arguments of virNodeDeviceUndefine."""

    name: str
    flags: UInt = 0


class NodeDeviceCreateArgs(Struct):
    """Arguments of virNodeDeviceCreate."""

    name: str
    flags: UInt = 0


class NodeDeviceGetAutostartArgs(Struct):
    """Arguments of virNodeDeviceGetAutostart."""

    name: str


class NodeDeviceGetAutostartRet(Struct):
    """Reply of virNodeDeviceGetAutostart."""

    autostart: int


class NodeDeviceSetAutostartArgs(Struct):
    """Arguments of virNodeDeviceSetAutostart."""

    name: str
    autostart: int


class NodeDeviceIsPersistentArgs(Struct):
    """Arguments of virNodeDeviceIsPersistent."""

    name: str


class NodeDeviceIsPersistentRet(Struct):
    """Reply of virNodeDeviceIsPersistent."""

    persistent: int


class NodeDeviceIsActiveArgs(Struct):
    """Arguments of virNodeDeviceIsActive."""

    name: str


class NodeDeviceIsActiveRet(Struct):
    """Reply of virNodeDeviceIsActive."""

    active: int


class NodeDeviceUpdateArgs(Struct):
    """Arguments of virNodeDeviceUpdate."""

    name: str
    xml_desc: str
    flags: UInt = 0


_family = Family(REMOTE_PROGRAM)
call = _family.call

NODE_NUM_OF_DEVICES = call(
    111, "NODE_NUM_OF_DEVICES", NodeNumOfDevicesArgs, NodeNumOfDevicesRet, "0.5.0", priority=True
)
NODE_LIST_DEVICES = call(112, "NODE_LIST_DEVICES", NodeListDevicesArgs, NodeListDevicesRet, "0.5.0", priority=True)
NODE_DEVICE_LOOKUP_BY_NAME = call(
    113, "NODE_DEVICE_LOOKUP_BY_NAME", NodeDeviceLookupByNameArgs, NodeDeviceLookupByNameRet, "0.5.0", priority=True
)
NODE_DEVICE_GET_XML_DESC = call(
    114, "NODE_DEVICE_GET_XML_DESC", NodeDeviceGetXmlDescArgs, NodeDeviceGetXmlDescRet, "0.5.0"
)
NODE_DEVICE_GET_PARENT = call(
    115, "NODE_DEVICE_GET_PARENT", NodeDeviceGetParentArgs, NodeDeviceGetParentRet, "0.5.0", priority=True
)
NODE_DEVICE_NUM_OF_CAPS = call(
    116, "NODE_DEVICE_NUM_OF_CAPS", NodeDeviceNumOfCapsArgs, NodeDeviceNumOfCapsRet, "0.5.0", priority=True
)
NODE_DEVICE_LIST_CAPS = call(
    117, "NODE_DEVICE_LIST_CAPS", NodeDeviceListCapsArgs, NodeDeviceListCapsRet, "0.5.0", priority=True
)
NODE_DEVICE_DETTACH = call(118, "NODE_DEVICE_DETTACH", NodeDeviceDettachArgs, None, "0.6.1")
NODE_DEVICE_RE_ATTACH = call(119, "NODE_DEVICE_RE_ATTACH", NodeDeviceReAttachArgs, None, "0.6.1")
NODE_DEVICE_RESET = call(120, "NODE_DEVICE_RESET", NodeDeviceResetArgs, None, "0.6.1")
NODE_DEVICE_CREATE_XML = call(123, "NODE_DEVICE_CREATE_XML", NodeDeviceCreateXmlArgs, NodeDeviceCreateXmlRet, "0.6.3")
NODE_DEVICE_DESTROY = call(124, "NODE_DEVICE_DESTROY", NodeDeviceDestroyArgs, None, "0.6.3", priority=True)
CONNECT_LIST_ALL_NODE_DEVICES = call(
    285,
    "CONNECT_LIST_ALL_NODE_DEVICES",
    ConnectListAllNodeDevicesArgs,
    ConnectListAllNodeDevicesRet,
    "0.10.2",
    priority=True,
)
NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN = call(
    297,
    "NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN",
    NodeDeviceLookupScsiHostByWwnArgs,
    NodeDeviceLookupScsiHostByWwnRet,
    "1.0.3",
    priority=True,
)
NODE_DEVICE_DETACH_FLAGS = call(301, "NODE_DEVICE_DETACH_FLAGS", NodeDeviceDetachFlagsArgs, None, "1.0.5")
NODE_DEVICE_DEFINE_XML = call(428, "NODE_DEVICE_DEFINE_XML", NodeDeviceDefineXmlArgs, NodeDeviceDefineXmlRet, "7.3.0")
NODE_DEVICE_UNDEFINE = call(429, "NODE_DEVICE_UNDEFINE", NodeDeviceUndefineArgs, None, "7.3.0", priority=True)
NODE_DEVICE_CREATE = call(430, "NODE_DEVICE_CREATE", NodeDeviceCreateArgs, None, "7.3.0", priority=True)
NODE_DEVICE_GET_AUTOSTART = call(
    433, "NODE_DEVICE_GET_AUTOSTART", NodeDeviceGetAutostartArgs, NodeDeviceGetAutostartRet, "7.8.0", priority=True
)
NODE_DEVICE_SET_AUTOSTART = call(
    434, "NODE_DEVICE_SET_AUTOSTART", NodeDeviceSetAutostartArgs, None, "7.8.0", priority=True
)
NODE_DEVICE_IS_PERSISTENT = call(
    435, "NODE_DEVICE_IS_PERSISTENT", NodeDeviceIsPersistentArgs, NodeDeviceIsPersistentRet, "7.8.0", priority=True
)
NODE_DEVICE_IS_ACTIVE = call(
    436, "NODE_DEVICE_IS_ACTIVE", NodeDeviceIsActiveArgs, NodeDeviceIsActiveRet, "7.8.0", priority=True
)
NODE_DEVICE_UPDATE = call(447, "NODE_DEVICE_UPDATE", NodeDeviceUpdateArgs, None, "10.1.0", priority=True)
