"""Procedures for secrets.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import SECRET_LIST_MAX, SECRET_VALUE_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.types import NonnullSecret
from guesthouse.rpc.xdr import Annotated, Struct, UInt, Uuid


class ConnectNumOfSecretsRet(Struct):
    """Reply of virConnectNumOfSecrets."""

    num: int


class ConnectListSecretsArgs(Struct):
    """Arguments of virConnectListSecrets."""

    maxuuids: int


class ConnectListSecretsRet(Struct):
    """Reply of virConnectListSecrets."""

    uuids: Annotated[list[str], SECRET_LIST_MAX]


class SecretLookupByUuidArgs(Struct):
    """Arguments of virSecretLookupByUUID."""

    uuid: Uuid


class SecretLookupByUuidRet(Struct):
    """Reply of virSecretLookupByUUID."""

    secret: NonnullSecret


class SecretDefineXmlArgs(Struct):
    """Arguments of virSecretDefineXML."""

    xml: str
    flags: UInt = 0


class SecretDefineXmlRet(Struct):
    """Reply of virSecretDefineXML."""

    secret: NonnullSecret


class SecretGetXmlDescArgs(Struct):
    """Arguments of virSecretGetXMLDesc."""

    secret: NonnullSecret
    flags: UInt = 0


class SecretGetXmlDescRet(Struct):
    """Reply of virSecretGetXMLDesc."""

    xml: str


class SecretSetValueArgs(Struct):
    """Arguments of virSecretSetValue."""

    secret: NonnullSecret
    value: Annotated[bytes, SECRET_VALUE_MAX]
    flags: UInt = 0


class SecretGetValueArgs(Struct):
    """Arguments of virSecretGetValue."""

    secret: NonnullSecret
    flags: UInt = 0


class SecretGetValueRet(Struct):
    """Reply of virSecretGetValue."""

    value: Annotated[bytes, SECRET_VALUE_MAX]


class SecretUndefineArgs(Struct):
    """Arguments of virSecretUndefine."""

    secret: NonnullSecret


class SecretLookupByUsageArgs(Struct):
    """Arguments of virSecretLookupByUsage."""

    usageType: int
    usageID: str


class SecretLookupByUsageRet(Struct):
    """Reply of virSecretLookupByUsage."""

    secret: NonnullSecret


class ConnectListAllSecretsArgs(Struct):
    """Arguments of virConnectListAllSecrets."""

    need_results: int
    flags: UInt = 0


class ConnectListAllSecretsRet(Struct):
    """Reply of virConnectListAllSecrets."""

    secrets: Annotated[list[NonnullSecret], SECRET_LIST_MAX]
    ret: UInt


_family = Family(REMOTE_PROGRAM)
call = _family.call

CONNECT_NUM_OF_SECRETS = call(139, "CONNECT_NUM_OF_SECRETS", None, ConnectNumOfSecretsRet, "0.7.1", priority=True)
CONNECT_LIST_SECRETS = call(
    140, "CONNECT_LIST_SECRETS", ConnectListSecretsArgs, ConnectListSecretsRet, "0.7.1", priority=True
)
SECRET_LOOKUP_BY_UUID = call(
    141, "SECRET_LOOKUP_BY_UUID", SecretLookupByUuidArgs, SecretLookupByUuidRet, "0.7.1", priority=True
)
SECRET_DEFINE_XML = call(142, "SECRET_DEFINE_XML", SecretDefineXmlArgs, SecretDefineXmlRet, "0.7.1", priority=True)
SECRET_GET_XML_DESC = call(
    143, "SECRET_GET_XML_DESC", SecretGetXmlDescArgs, SecretGetXmlDescRet, "0.7.1", priority=True
)
SECRET_SET_VALUE = call(144, "SECRET_SET_VALUE", SecretSetValueArgs, None, "0.7.1", priority=True)
SECRET_GET_VALUE = call(145, "SECRET_GET_VALUE", SecretGetValueArgs, SecretGetValueRet, "0.7.1", priority=True)
SECRET_UNDEFINE = call(146, "SECRET_UNDEFINE", SecretUndefineArgs, None, "0.7.1", priority=True)
SECRET_LOOKUP_BY_USAGE = call(
    147, "SECRET_LOOKUP_BY_USAGE", SecretLookupByUsageArgs, SecretLookupByUsageRet, "0.7.1", priority=True
)
CONNECT_LIST_ALL_SECRETS = call(
    287, "CONNECT_LIST_ALL_SECRETS", ConnectListAllSecretsArgs, ConnectListAllSecretsRet, "0.10.2", priority=True
)
