"""Names of images that are kept relative (`--keep-relative`): as the header of the image above has them.

Source: `virDomainBlockCommit`, `VIR_DOMAIN_BLOCK_COMMIT_RELATIVE`.
"""

from __future__ import annotations

import os
import re
from typing import Final

from guesthouse.errors import LibvirtError, OperationInvalidError
from guesthouse.model.domain.devices.disk.nodes import Image
from guesthouse.qemu import images

_PROTOCOL: Final = re.compile(r"[^/]+:")


async def between(above: Image, passed: list[Image], base: Image) -> str:
    """What the image above has to call `base` when the images between them are passed over.

    Raises `OperationInvalidError` where one of the headers does not have a relative name.
    """
    path = ""
    for upper in (above, *passed):
        name = await _name_in(upper)
        if not name or os.path.isabs(name) or _PROTOCOL.match(name):
            raise OperationInvalidError("can't keep relative backing relationship")
        path = os.path.join(os.path.dirname(path), name)
    return path


async def _name_in(image: Image) -> str:
    path = image.source.path
    if path is None or image.type not in ("file", "block"):
        return ""
    try:
        return (await images.info(path, image.format)).backing_name
    except LibvirtError:
        return ""
