"""How the header of an image names the image that it lies on.

Source: QEMU's `docs/system/qemu-block-drivers.rst.inc`; https://libvirt.org/kbase/backing_chains.html.
"""

from __future__ import annotations

from typing import Final

from guesthouse.model.domain.devices.base import DeviceContext
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.model.domain.devices.disk.source import LOCAL_TYPES, PlainSource
from guesthouse.model.qemu_objects import Blockdev, Props, compact

#: Protocols that have a URI.
_URIS: Final = ("nbd", "http", "https", "ftp", "ftps", "tftp", "iscsi", "gluster")


def of(image: Image, ctx: DeviceContext) -> str:
    """A path, a URI where that says everything, else what QEMU needs to open it, as JSON."""
    source = image.source
    if source.slice is None:
        if image.type in LOCAL_TYPES:
            return f"fat:{source.path}" if image.type == "dir" else source.path or ""
        uri = _uri(source) if image.type == "network" else None
        if uri is not None:
            return uri
    props = location(image, ctx)
    if source.slice is not None:
        props = {"driver": "raw", "offset": source.slice.offset, "size": source.slice.size, "file": props}
    return f"json:{compact({'file': props})}"


def _uri(source: PlainSource) -> str | None:
    host = source.hosts[0] if len(source.hosts) == 1 else None
    plain = source.cookies is None and source.ssl is None and not source.timeout and not source.readahead
    if host is None or not plain or source.reconnect is not None or source.protocol not in _URIS:
        return None
    if host.transport not in (None, "tcp") or host.name is None:
        return None
    name = f"[{host.name}]" if ":" in host.name else host.name
    port = f":{host.port}" if host.port else ""
    path = f"/{source.name.lstrip('/')}" if source.name else ""
    query = f"?{source.query}" if source.query else ""
    return f"{source.protocol}://{name}{port}{path}{query}"


def location(image: Image, ctx: DeviceContext) -> Props:
    """The properties of the storage node that say where the image is, its driver among them."""
    made = image.objects(ctx, None, ended=False)
    node = next(item for item in made if isinstance(item, Blockdev) and item.node == image.storage_node)
    general = ("node-name", "read-only", "auto-read-only", "discard", "detect-zeroes", "cache", "aio", "pr-manager")
    return {key: value for key, value in node.props.items() if key not in general}
