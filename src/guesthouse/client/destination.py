"""From the name of a connection to the socket: aliases and defaults, the URI, the transport, the endpoint."""

from __future__ import annotations

from guesthouse.client.settings import load, resolve_alias
from guesthouse.client.uri import ConnectionUri, endpoint
from guesthouse.errors import Code, LibvirtError, Origin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.uri import Endpoint, Surroundings


def destination(name: str, surroundings: Surroundings, *, readonly: bool) -> tuple[ConnectionUri | None, Endpoint]:
    """The URI that `name` means (empty: the default; None: the daemon picks), and where it leads.

    Raises LibvirtError where it means nothing, or needs a transport that there is not yet.
    """
    settings = load(surroundings.config)
    default = settings.get("uri_default")
    name = name or surroundings.default or (default if isinstance(default, str) else "")
    uri = ConnectionUri(resolve_alias(settings, name)) if name else None
    if uri is not None and uri.transport != "unix":
        raise LibvirtError(
            f"the transport '{uri.transport}' is not supported yet",
            code=Code.CONFIG_UNSUPPORTED,
            domain=Origin.REMOTE,
            hint="connect over a unix socket, with a URI such as qemu:///system",
        )
    mode = settings.get("remote_mode")
    return uri, endpoint(uri, surroundings, readonly=readonly, mode=mode if isinstance(mode, str) else "")
