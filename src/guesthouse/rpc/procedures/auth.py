"""Procedures for authentication of a connection.

Source: libvirt's `remote_protocol.x`.
"""

from __future__ import annotations

from guesthouse.rpc.limits import AUTH_SASL_DATA_MAX, AUTH_TYPE_LIST_MAX
from guesthouse.rpc.procedure import REMOTE_PROGRAM, Family
from guesthouse.rpc.xdr import Annotated, Chars, Struct


class AuthListRet(Struct):
    """Reply of `AUTH_LIST`."""

    types: Annotated[list[int], AUTH_TYPE_LIST_MAX]


class AuthSaslInitRet(Struct):
    """Reply of `AUTH_SASL_INIT`."""

    mechlist: str


class AuthSaslStartArgs(Struct):
    """Arguments of `AUTH_SASL_START`."""

    mech: str
    nil: int
    data: Annotated[Chars, AUTH_SASL_DATA_MAX]


class AuthSaslStartRet(Struct):
    """Reply of `AUTH_SASL_START`."""

    complete: int
    nil: int
    data: Annotated[Chars, AUTH_SASL_DATA_MAX]


class AuthSaslStepArgs(Struct):
    """Arguments of `AUTH_SASL_STEP`."""

    nil: int
    data: Annotated[Chars, AUTH_SASL_DATA_MAX]


class AuthSaslStepRet(Struct):
    """Reply of `AUTH_SASL_STEP`."""

    complete: int
    nil: int
    data: Annotated[Chars, AUTH_SASL_DATA_MAX]


class AuthPolkitRet(Struct):
    """Reply of `AUTH_POLKIT`."""

    complete: int


_family = Family(REMOTE_PROGRAM)
call = _family.call

AUTH_LIST = call(66, "AUTH_LIST", None, AuthListRet, "0.4.1", priority=True)
AUTH_SASL_INIT = call(67, "AUTH_SASL_INIT", None, AuthSaslInitRet, "0.4.1", priority=True)
AUTH_SASL_START = call(68, "AUTH_SASL_START", AuthSaslStartArgs, AuthSaslStartRet, "0.4.1", priority=True)
AUTH_SASL_STEP = call(69, "AUTH_SASL_STEP", AuthSaslStepArgs, AuthSaslStepRet, "0.4.1", priority=True)
AUTH_POLKIT = call(70, "AUTH_POLKIT", None, AuthPolkitRet, "0.4.1", priority=True)
