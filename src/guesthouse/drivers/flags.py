"""Checking the flags of a call, the same way for every driver.

Texts, code and origin: libvirt's (https://libvirt.org/html/libvirt-virterror.html). The texts name the function of
libvirt's own driver that looks at the flags.
"""

from __future__ import annotations

from typing import Final

from guesthouse.drivers.api import Caller
from guesthouse.errors import InvalidArgumentError, Origin, ReadOnlyError

#: Bits of `virDomainModificationImpact`: which definition a call is about.
LIVE: Final = 1
CONFIG: Final = 2


def check(flags: int, known: int, function: str, *, origin: int = Origin.QEMU) -> None:
    """Refuse flags that the call does not have. `function` is the name that libvirt gives in the text."""
    unknown = flags & ~known
    if unknown:
        raise InvalidArgumentError(
            f"unsupported flags (0x{unknown:x}) in function {function}", domain=origin, bare=True
        )


def exclusive(flags: int, one: int, other: int, names: tuple[str, str], *, origin: int = Origin.DOMAIN) -> None:
    """Refuse two flags that contradict each other. `names` are libvirt's."""
    if flags & one and flags & other:
        raise InvalidArgumentError(
            f"Flags '{names[0]}' and '{names[1]}' are mutually exclusive", domain=origin, bare=True
        )


def need_write(caller: Caller, function: str) -> None:
    """Refuse a read-only client what only some flags of a call forbid it. `function` is that of libvirt's API."""
    if caller.readonly:
        raise ReadOnlyError(f"read only access prevents {function}")
