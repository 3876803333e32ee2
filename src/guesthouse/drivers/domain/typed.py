"""Named values with types, as statistics have them; `procedures.stats` puts them on the wire.

Types: libvirt's `virTypedParameterType`.
"""

from __future__ import annotations

from typing import TypeAlias

INT, UINT, LLONG, ULLONG, DOUBLE, BOOLEAN, STRING = range(1, 8)

#: Name, type and value.
Param: TypeAlias = tuple[str, int, int | float | str | bool]
