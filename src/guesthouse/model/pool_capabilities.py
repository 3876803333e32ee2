"""What a host can do for storage pools: `<storagepoolCapabilities>`.

Format: https://libvirt.org/formatstoragecaps.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guesthouse.model.pool_types import POOL_TYPES, volume_formats
from guesthouse.model.xmltext import Lines

#: The order of formats where the first is not what a document that leaves it open means.
_POOL_FORMATS: Final = {"logical": ("unknown", "lvm2")}


def format_capabilities(supported: Callable[[str], bool]) -> str:
    """The document; `supported` says whether the host can run pools of a type."""
    lines = Lines()
    lines.open("storagepoolCapabilities")
    for kind, facts in POOL_TYPES.items():
        lines.open("pool", f" type='{kind}' supported='{'yes' if supported(kind) else 'no'}'")
        if facts.formats:
            lines.open("poolOptions")
            _enumerate(lines, "sourceFormatType", facts.formats[0], _POOL_FORMATS.get(kind, facts.formats))
            lines.close("poolOptions")
        if facts.volume_format is not None:
            lines.open("volOptions")
            # Of RBD libvirt lists no format, though volumes have one.
            formats = () if kind == "rbd" else volume_formats(kind)
            _enumerate(lines, "targetFormatType", facts.volume_format, formats)
            lines.close("volOptions")
        lines.close("pool")
    lines.close("storagepoolCapabilities")
    return lines.text()


def _enumerate(lines: Lines, name: str, default: str, values: tuple[str, ...]) -> None:
    lines.leaf("defaultFormat", f" type='{default}'")
    lines.open("enum", f" name='{name}'")
    for value in values:
        lines.leaf("value", text=value)
    lines.close("enum")
