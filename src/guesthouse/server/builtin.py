"""The procedures that the server answers by itself: authentication, opening and closing, features, keepalive.

Answers and codes are those of libvirtd 11.3 for `qemu:///`. A feature is announced only where it is really there.
"""

from __future__ import annotations

import os
import re

from guesthouse.drivers.api import Handler, read
from guesthouse.errors import Code, InternalError, LibvirtError, Origin
from guesthouse.places import Places
from guesthouse.rpc.procedure import Procedure
from guesthouse.rpc.procedures import auth, connect, events
from guesthouse.rpc.xdr import Struct
from guesthouse.server.session import Session

#: The libvirt whose behaviour Guesthouse has: major * 1,000,000 + minor * 1,000 + release.
LIB_VERSION = 11_003_000

_KEEPALIVE = 10
_FD_PASSING = 8
#: Features that are always there, by libvirt's numbers. Those of migration (1, 3 to 7, 12, 13) are not yet.
FEATURES = frozenset(
    {
        9,  # typed parameters may be strings
        _KEEPALIVE,
        11,  # XML in the form that migration needs
        14,  # events by callback number
        15,  # notice when the connection to a backend is lost
        16,  # network updates name command and section in the documented order
    }
)

_AUTH_NONE = 0
_READONLY = 1
_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):(?://(?P<host>[^/?#]*))?(?P<path>[^?#]*)")
#: The schemes that libvirtd's drivers own on a QEMU host.
_SCHEMES = frozenset({"qemu", "interface", "network", "nodedev", "nwfilter", "secret", "storage"})

#: What may be called before CONNECT_OPEN.
EARLY = frozenset(
    {
        auth.AUTH_LIST,
        auth.AUTH_SASL_INIT,
        auth.AUTH_SASL_START,
        auth.AUTH_SASL_STEP,
        auth.AUTH_POLKIT,
        connect.CONNECT_OPEN,
        connect.CONNECT_SUPPORTS_FEATURE,
    }
)


class Builtin:
    """The server's own driver. `paths` are the URI paths that it serves, the first one by default."""

    def __init__(self, places: Places, uid: int | None = None) -> None:
        privileged = places.mode == "system" or (places.mode == "root" and (os.getuid() if uid is None else uid) == 0)
        self.default_uri = "qemu:///system" if privileged else "qemu:///session"
        self._privileged = privileged
        self._any_path = places.mode == "root"

    @property
    def table(self) -> dict[Procedure, Handler[object]]:
        """The procedures that the server answers."""
        return TABLE

    def check_uri(self, uri: str) -> None:
        """Whether a client may open that URI here. Raises `LibvirtError` with libvirt's code if not."""
        match = _URI.match(uri)
        if match is None:
            raise _no_connect(f"URI '{uri}' does not include a driver name")
        scheme, host, path = match["scheme"], match["host"], match["path"]
        if scheme == "qemu" and host in ("system", "session"):
            raise InternalError(f"invalid URI {uri} (maybe you want {scheme}:///{host})")
        if scheme not in _SCHEMES or host:
            raise _no_connect(uri)
        if path not in self._paths(scheme):
            best = "system" if self._privileged else "session"
            raise InternalError(f"unexpected {scheme} URI path '{path}', try {scheme}:///{best}", domain=Origin.QEMU)

    def _paths(self, scheme: str) -> tuple[str, ...]:
        if self._any_path or (self._privileged and scheme == "qemu"):
            return ("/system", "/session")
        return ("/system",) if self._privileged else ("/session",)


def _no_connect(text: str) -> LibvirtError:
    return LibvirtError(text, code=Code.NO_CONNECT)


def _auth_list(_server: Builtin, _session: Session, _args: None) -> auth.AuthListRet:
    return auth.AuthListRet(types=[_AUTH_NONE])


def _auth_refused(_server: Builtin, _session: Session, _args: Struct | None) -> None:
    raise LibvirtError("authentication failed", code=Code.AUTH_FAILED, domain=Origin.RPC)


def _open(server: Builtin, session: Session, args: connect.ConnectOpenArgs) -> None:
    if session.opened:
        raise InternalError("connection already open", domain=Origin.RPC)
    if args.name is None:
        raise InternalError("connection not open", domain=Origin.RPC)
    if args.name:
        server.check_uri(args.name)
    session.open(args.name or server.default_uri, readonly=bool(args.flags & _READONLY))


def _close(_server: Builtin, session: Session, _args: None) -> None:
    session.leave()


def _get_uri(_server: Builtin, session: Session, _args: None) -> connect.ConnectGetUriRet:
    return connect.ConnectGetUriRet(session.uri)


def _supports_feature(
    _server: Builtin, session: Session, args: connect.ConnectSupportsFeatureArgs
) -> connect.ConnectSupportsFeatureRet:
    feature = args.feature
    if feature == _KEEPALIVE:
        session.keep_alive()
    elif not session.opened:
        raise InternalError("connection not open", domain=Origin.RPC)
    supported = feature in FEATURES or (feature == _FD_PASSING and session.local)
    return connect.ConnectSupportsFeatureRet(int(supported))


def _get_lib_version(_server: Builtin, _session: Session, _args: None) -> connect.ConnectGetLibVersionRet:
    return connect.ConnectGetLibVersionRet(LIB_VERSION)


def _is_secure(_server: Builtin, _session: Session, _args: None) -> connect.ConnectIsSecureRet:
    return connect.ConnectIsSecureRet(1)


def _register_close(_server: Builtin, session: Session, _args: None) -> None:
    if session.close_callback:
        raise LibvirtError("A close callback is already registered", code=Code.OPERATION_INVALID)
    session.close_callback = True


def _unregister_close(_server: Builtin, session: Session, _args: None) -> None:
    if not session.close_callback:
        raise LibvirtError("A different callback was requested", code=Code.OPERATION_INVALID)
    session.close_callback = False


TABLE: dict[Procedure, Handler[object]] = {
    auth.AUTH_LIST: read(_auth_list),
    auth.AUTH_SASL_INIT: read(_auth_refused),
    auth.AUTH_SASL_START: read(_auth_refused),
    auth.AUTH_SASL_STEP: read(_auth_refused),
    auth.AUTH_POLKIT: read(_auth_refused),
    connect.CONNECT_OPEN: read(_open),
    connect.CONNECT_CLOSE: read(_close),
    connect.CONNECT_GET_URI: read(_get_uri),
    connect.CONNECT_SUPPORTS_FEATURE: read(_supports_feature),
    connect.CONNECT_GET_LIB_VERSION: read(_get_lib_version),
    connect.CONNECT_IS_SECURE: read(_is_secure),
    events.CONNECT_REGISTER_CLOSE_CALLBACK: read(_register_close),
    events.CONNECT_UNREGISTER_CLOSE_CALLBACK: read(_unregister_close),
}
