"""What displays ask of the host when a guest starts, and the answers where there is nobody to ask."""

from __future__ import annotations

from guesthouse.errors import InternalError, UnsupportedConfigError


def no_rendernode() -> str:
    """The host has no graphics card to draw with. Raises `InternalError`."""
    raise InternalError("No DRM render nodes available", hint="the host has no /dev/dri/renderD*")


def no_network(name: str) -> str:
    """The host has no virtual networks. Raises `UnsupportedConfigError` that names this one."""
    raise UnsupportedConfigError(
        f"graphics cannot listen on network '{name}'",
        hint="the network has no address here; use <listen type='address'/>",
    )
