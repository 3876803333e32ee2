"""The table of the driver of the host's devices, and its procedures."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NoReturn

from guesthouse.drivers.api import Caller, Handler, read, write
from guesthouse.drivers.flags import check
from guesthouse.drivers.nodedev import actions, registry
from guesthouse.drivers.nodedev.scan import Found
from guesthouse.errors import (
    Code,
    LibvirtError,
    OperationInvalidError,
    OperationUnsupportedError,
    Origin,
)
from guesthouse.model.nodedev.device import format_node_device, parse_node_device
from guesthouse.model.nodedev.misc import Mdev
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import events_objects as events
from guesthouse.rpc.procedures import nodedev as rpc
from guesthouse.rpc.types import NonnullNodeDevice
from guesthouse.rpc.xdr import Struct

if TYPE_CHECKING:
    from guesthouse.drivers.nodedev.driver import NodeDeviceDriver

_XML_INACTIVE = 1
_VALIDATE = 1

_check = partial(check, origin=Origin.NODEDEV)


async def _with_capability(driver: NodeDeviceDriver, name: str | None) -> list[str]:
    devices = (await driver.devices()).values()
    return [device.name for device in devices if name is None or name in registry.capabilities(device)]


async def _num(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeNumOfDevicesArgs) -> Struct:
    _check(args.flags, 0, "nodeNumOfDevices")
    return rpc.NodeNumOfDevicesRet(len(await _with_capability(driver, args.cap)))


async def _list(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeListDevicesArgs) -> Struct:
    _check(args.flags, 0, "nodeListDevices")
    names = await _with_capability(driver, args.cap)
    return rpc.NodeListDevicesRet(names[: max(args.maxnames, 0)])


async def _list_all(driver: NodeDeviceDriver, _: Caller, args: rpc.ConnectListAllNodeDevicesArgs) -> Struct:
    _check(args.flags, registry.KNOWN_FILTERS, "nodeConnectListAllNodeDevices")
    found = registry.chosen((await driver.devices()).values(), args.flags)
    handles = [NonnullNodeDevice(device.name) for device in found] if args.need_results else []
    return rpc.ConnectListAllNodeDevicesRet(handles, len(found))


async def _find(driver: NodeDeviceDriver, name: str) -> Found:
    return registry.with_name(await driver.devices(), name)


async def _by_name(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceLookupByNameArgs) -> Struct:
    return rpc.NodeDeviceLookupByNameRet(NonnullNodeDevice((await _find(driver, args.name)).name))


async def _by_wwn(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceLookupScsiHostByWwnArgs) -> Struct:
    _check(args.flags, 0, "nodeDeviceLookupSCSIHostByWWN")
    found = registry.scsi_host((await driver.devices()).values(), args.wwnn, args.wwpn)
    if found is None:
        raise LibvirtError(
            f"no SCSI host with wwnn '{args.wwnn}' and wwpn '{args.wwpn}'",
            code=Code.NO_NODE_DEVICE,
            domain=Origin.NODEDEV,
        )
    return rpc.NodeDeviceLookupScsiHostByWwnRet(NonnullNodeDevice(found.name))


async def _get_xml(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceGetXmlDescArgs) -> Struct:
    _check(args.flags, _XML_INACTIVE, "nodeDeviceGetXMLDesc")
    device = await driver.current(args.name)
    if args.flags & _XML_INACTIVE and not registry.is_persistent(device):
        raise OperationInvalidError(f"node device '{args.name}' is not persistent", domain=Origin.NODEDEV)
    return rpc.NodeDeviceGetXmlDescRet(format_node_device(device.definition))


async def _get_parent(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceGetParentArgs) -> Struct:
    return rpc.NodeDeviceGetParentRet((await _find(driver, args.name)).parent)


async def _num_of_caps(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceNumOfCapsArgs) -> Struct:
    return rpc.NodeDeviceNumOfCapsRet(len(registry.capabilities(await _find(driver, args.name))))


async def _list_caps(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceListCapsArgs) -> Struct:
    names = registry.capabilities(await _find(driver, args.name))
    return rpc.NodeDeviceListCapsRet(names[: max(args.maxnames, 0)])


async def _dettach(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceDettachArgs) -> None:
    await actions.detach(driver, args.name, None)


async def _detach_flags(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceDetachFlagsArgs) -> None:
    check(args.flags, 0, "qemuNodeDeviceDetachFlags")
    await actions.detach(driver, args.name, args.driverName)


async def _reattach(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceReAttachArgs) -> None:
    await actions.reattach(driver, args.name)


async def _reset(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceResetArgs) -> None:
    await actions.reset(driver, args.name)


async def _is_persistent(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceIsPersistentArgs) -> Struct:
    return rpc.NodeDeviceIsPersistentRet(int(registry.is_persistent(await _find(driver, args.name))))


async def _is_active(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceIsActiveArgs) -> Struct:
    await _find(driver, args.name)
    return rpc.NodeDeviceIsActiveRet(1)


async def _get_autostart(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceGetAutostartArgs) -> Struct:
    return rpc.NodeDeviceGetAutostartRet(int(registry.is_persistent(await _find(driver, args.name))))


async def _set_autostart(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceSetAutostartArgs) -> None:
    _only_mdev(await _find(driver, args.name), Code.OPERATION_UNSUPPORTED)


async def _create_xml(_driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceCreateXmlArgs) -> Struct:
    _check(args.flags, _VALIDATE, "nodeDeviceCreateXML")
    _refuse(args.xml_desc, validate=bool(args.flags & _VALIDATE))


async def _define_xml(_driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceDefineXmlArgs) -> Struct:
    _check(args.flags, _VALIDATE, "nodeDeviceDefineXML")
    _refuse(args.xml_desc, validate=bool(args.flags & _VALIDATE))


async def _destroy(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceDestroyArgs) -> None:
    _only_mdev(await _find(driver, args.name))


async def _undefine(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceUndefineArgs) -> None:
    _check(args.flags, 0, "nodeDeviceUndefine")
    _only_mdev(await _find(driver, args.name))


async def _update(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceUpdateArgs) -> None:
    _only_mdev(await _find(driver, args.name))


async def _start(driver: NodeDeviceDriver, _: Caller, args: rpc.NodeDeviceCreateArgs) -> None:
    _check(args.flags, 0, "nodeDeviceCreate")
    await _find(driver, args.name)
    raise OperationInvalidError("Device is already active", domain=Origin.NODEDEV)


def _refuse(xml: str, *, validate: bool) -> NoReturn:
    """Nothing can be created; what is not even a device that could be is refused as that."""
    _only_mdev(Found(parse_node_device(xml, validate=validate), None))


def _only_mdev(device: Found, code: int = Code.CONFIG_UNSUPPORTED) -> NoReturn:
    """Refuse to change a device: a mediated one for want of what would do it, any other as libvirt does."""
    if any(isinstance(capability, Mdev) for capability in device.definition.capabilities):
        raise OperationUnsupportedError(
            "Guesthouse does not create, define or remove mediated devices",
            domain=Origin.NODEDEV,
            hint="mdevctl(8) does; guests can then have them with <hostdev type='mdev'>",
        )
    raise LibvirtError("Unsupported device type", code=code, domain=Origin.NODEDEV)


async def _register(
    driver: NodeDeviceDriver, caller: Caller, args: events.ConnectNodeDeviceEventRegisterAnyArgs
) -> Struct:
    await driver.devices()  # what is there now is not news
    number = driver.events.register(caller, args.eventID, args.dev.name if args.dev is not None else None)
    return events.ConnectNodeDeviceEventRegisterAnyRet(number)


def _deregister(driver: NodeDeviceDriver, caller: Caller, args: events.ConnectNodeDeviceEventDeregisterAnyArgs) -> None:
    driver.events.deregister(caller, args.callbackID)


TABLE: dict[Procedure, Handler[NodeDeviceDriver]] = {
    rpc.NODE_NUM_OF_DEVICES: read(_num),
    rpc.NODE_LIST_DEVICES: read(_list),
    rpc.CONNECT_LIST_ALL_NODE_DEVICES: read(_list_all),
    rpc.NODE_DEVICE_LOOKUP_BY_NAME: read(_by_name),
    rpc.NODE_DEVICE_LOOKUP_SCSI_HOST_BY_WWN: read(_by_wwn),
    rpc.NODE_DEVICE_GET_XML_DESC: read(_get_xml),
    rpc.NODE_DEVICE_GET_PARENT: read(_get_parent),
    rpc.NODE_DEVICE_NUM_OF_CAPS: read(_num_of_caps),
    rpc.NODE_DEVICE_LIST_CAPS: read(_list_caps),
    rpc.NODE_DEVICE_IS_PERSISTENT: read(_is_persistent),
    rpc.NODE_DEVICE_IS_ACTIVE: read(_is_active),
    rpc.NODE_DEVICE_GET_AUTOSTART: read(_get_autostart),
    rpc.NODE_DEVICE_DETTACH: write(_dettach),
    rpc.NODE_DEVICE_DETACH_FLAGS: write(_detach_flags),
    rpc.NODE_DEVICE_RE_ATTACH: write(_reattach),
    rpc.NODE_DEVICE_RESET: write(_reset),
    rpc.NODE_DEVICE_SET_AUTOSTART: write(_set_autostart),
    rpc.NODE_DEVICE_CREATE_XML: write(_create_xml),
    rpc.NODE_DEVICE_DEFINE_XML: write(_define_xml),
    rpc.NODE_DEVICE_DESTROY: write(_destroy),
    rpc.NODE_DEVICE_UNDEFINE: write(_undefine),
    rpc.NODE_DEVICE_CREATE: write(_start),
    rpc.NODE_DEVICE_UPDATE: write(_update),
    events.CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY: read(_register),
    events.CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY: read(_deregister),
}
