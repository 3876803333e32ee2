"""Procedures for events of networks, storage pools, host devices and secrets.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullNetwork, NonnullNodeDevice, NonnullSecret, NonnullStoragePool
from guesthouse.rpc.xdr import Struct


class ConnectNetworkEventRegisterAnyArgs(Struct):
    """Arguments of virConnectNetworkEventRegisterAny."""

    eventID: int
    net: NonnullNetwork | None = None


class ConnectNetworkEventRegisterAnyRet(Struct):
    """Reply of virConnectNetworkEventRegisterAny."""

    callbackID: int


class ConnectNetworkEventDeregisterAnyArgs(Struct):
    """Arguments of virConnectNetworkEventDeregisterAny."""

    callbackID: int


class NetworkEventLifecycleMsg(Struct):
    """The message of `NETWORK_EVENT_LIFECYCLE`."""

    callbackID: int
    net: NonnullNetwork
    event: int
    detail: int


class ConnectStoragePoolEventRegisterAnyArgs(Struct):
    """Arguments of virConnectStoragePoolEventRegisterAny."""

    eventID: int
    pool: NonnullStoragePool | None = None


class ConnectStoragePoolEventRegisterAnyRet(Struct):
    """Reply of virConnectStoragePoolEventRegisterAny."""

    callbackID: int


class ConnectStoragePoolEventDeregisterAnyArgs(Struct):
    """Arguments of virConnectStoragePoolEventDeregisterAny."""

    callbackID: int


class StoragePoolEventLifecycleMsg(Struct):
    """The message of `STORAGE_POOL_EVENT_LIFECYCLE`."""

    callbackID: int
    pool: NonnullStoragePool
    event: int
    detail: int


class StoragePoolEventRefreshMsg(Struct):
    """The message of `STORAGE_POOL_EVENT_REFRESH`."""

    callbackID: int
    pool: NonnullStoragePool


class ConnectNodeDeviceEventRegisterAnyArgs(Struct):
    """Arguments of virConnectNodeDeviceEventRegisterAny."""

    eventID: int
    dev: NonnullNodeDevice | None = None


class ConnectNodeDeviceEventRegisterAnyRet(Struct):
    """Reply of virConnectNodeDeviceEventRegisterAny."""

    callbackID: int


class ConnectNodeDeviceEventDeregisterAnyArgs(Struct):
    """Arguments of virConnectNodeDeviceEventDeregisterAny."""

    callbackID: int


class NodeDeviceEventLifecycleMsg(Struct):
    """The message of `NODE_DEVICE_EVENT_LIFECYCLE`."""

    callbackID: int
    dev: NonnullNodeDevice
    event: int
    detail: int


class NodeDeviceEventUpdateMsg(Struct):
    """The message of `NODE_DEVICE_EVENT_UPDATE`."""

    callbackID: int
    dev: NonnullNodeDevice


class ConnectSecretEventRegisterAnyArgs(Struct):
    """Arguments of virConnectSecretEventRegisterAny."""

    eventID: int
    secret: NonnullSecret | None = None


class ConnectSecretEventRegisterAnyRet(Struct):
    """Reply of virConnectSecretEventRegisterAny."""

    callbackID: int


class ConnectSecretEventDeregisterAnyArgs(Struct):
    """Arguments of virConnectSecretEventDeregisterAny."""

    callbackID: int


class SecretEventLifecycleMsg(Struct):
    """The message of `SECRET_EVENT_LIFECYCLE`."""

    callbackID: int
    secret: NonnullSecret
    event: int
    detail: int


class SecretEventValueChangedMsg(Struct):
    """The message of `SECRET_EVENT_VALUE_CHANGED`."""

    callbackID: int
    secret: NonnullSecret


class NetworkEventCallbackMetadataChangeMsg(Struct):
    """The message of `NETWORK_EVENT_CALLBACK_METADATA_CHANGE`."""

    callbackID: int
    net: NonnullNetwork
    type: int
    nsuri: str | None = None


_family = Family(REMOTE_PROGRAM)
call = _family.call
event = _family.event

CONNECT_NETWORK_EVENT_REGISTER_ANY = call(
    313,
    "CONNECT_NETWORK_EVENT_REGISTER_ANY",
    ConnectNetworkEventRegisterAnyArgs,
    ConnectNetworkEventRegisterAnyRet,
    "1.2.1",
    priority=True,
)
CONNECT_NETWORK_EVENT_DEREGISTER_ANY = call(
    314, "CONNECT_NETWORK_EVENT_DEREGISTER_ANY", ConnectNetworkEventDeregisterAnyArgs, None, "1.2.1", priority=True
)
NETWORK_EVENT_LIFECYCLE = event(315, "NETWORK_EVENT_LIFECYCLE", NetworkEventLifecycleMsg, "1.2.1")
CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY = call(
    368,
    "CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY",
    ConnectStoragePoolEventRegisterAnyArgs,
    ConnectStoragePoolEventRegisterAnyRet,
    "2.0.0",
    priority=True,
)
CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY = call(
    369,
    "CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY",
    ConnectStoragePoolEventDeregisterAnyArgs,
    None,
    "2.0.0",
    priority=True,
)
STORAGE_POOL_EVENT_LIFECYCLE = event(370, "STORAGE_POOL_EVENT_LIFECYCLE", StoragePoolEventLifecycleMsg, "2.0.0")
STORAGE_POOL_EVENT_REFRESH = event(373, "STORAGE_POOL_EVENT_REFRESH", StoragePoolEventRefreshMsg, "2.0.0")
CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY = call(
    374,
    "CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY",
    ConnectNodeDeviceEventRegisterAnyArgs,
    ConnectNodeDeviceEventRegisterAnyRet,
    "2.2.0",
    priority=True,
)
CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY = call(
    375,
    "CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY",
    ConnectNodeDeviceEventDeregisterAnyArgs,
    None,
    "2.2.0",
    priority=True,
)
NODE_DEVICE_EVENT_LIFECYCLE = event(376, "NODE_DEVICE_EVENT_LIFECYCLE", NodeDeviceEventLifecycleMsg, "2.2.0")
NODE_DEVICE_EVENT_UPDATE = event(377, "NODE_DEVICE_EVENT_UPDATE", NodeDeviceEventUpdateMsg, "2.2.0")
CONNECT_SECRET_EVENT_REGISTER_ANY = call(
    380,
    "CONNECT_SECRET_EVENT_REGISTER_ANY",
    ConnectSecretEventRegisterAnyArgs,
    ConnectSecretEventRegisterAnyRet,
    "3.0.0",
    priority=True,
)
CONNECT_SECRET_EVENT_DEREGISTER_ANY = call(
    381, "CONNECT_SECRET_EVENT_DEREGISTER_ANY", ConnectSecretEventDeregisterAnyArgs, None, "3.0.0", priority=True
)
SECRET_EVENT_LIFECYCLE = event(382, "SECRET_EVENT_LIFECYCLE", SecretEventLifecycleMsg, "3.0.0")
SECRET_EVENT_VALUE_CHANGED = event(383, "SECRET_EVENT_VALUE_CHANGED", SecretEventValueChangedMsg, "3.0.0")
NETWORK_EVENT_CALLBACK_METADATA_CHANGE = event(
    446, "NETWORK_EVENT_CALLBACK_METADATA_CHANGE", NetworkEventCallbackMetadataChangeMsg, "9.8.0"
)
