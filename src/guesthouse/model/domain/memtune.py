"""How much of the host's memory a guest may take: `<memtune>`. The host's control groups enforce it.

Format: https://libvirt.org/formatdomain.html#memory-tuning
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import content, default, element, one
from guesthouse.model.domain.memory import Amount
from guesthouse.model.kinds import TEXT, ULL

#: A limit of so many KiB, or more, is none: libvirt's `VIR_DOMAIN_MEMORY_PARAM_UNLIMITED`.
UNLIMITED: Final = 2**53 - 1


@element("hard_limit")
class HardLimit(Amount):
    """What the guest and its QEMU may take at most, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("soft_limit")
class SoftLimit(Amount):
    """What is left to the guest when the host is short of memory, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("min_guarantee")
class MinGuarantee(Amount):
    """What the guest is promised, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


@element("swap_hard_limit")
class SwapHardLimit(Amount):
    """What the guest may take of memory and swap space together, in KiB."""

    unit: str = default(TEXT, "KiB")
    kib: int = content(ULL)


def _limits(limit: Amount) -> bool:
    return limit.kib < UNLIMITED


def _promises(guarantee: Amount) -> bool:
    return guarantee.kib > 0


@element("memtune", omit_empty=True)
class Memtune:
    """The limits; what is not there, or `UNLIMITED`, is no limit."""

    hard: HardLimit | None = one(HardLimit, show=_limits)
    soft: SoftLimit | None = one(SoftLimit, show=_limits)
    min_guarantee: MinGuarantee | None = one(MinGuarantee, show=_promises)
    swap_hard: SwapHardLimit | None = one(SwapHardLimit, show=_limits)

    def check(self) -> None:
        """Raise `UnsupportedConfigError` for a promise, which nobody can keep."""
        if self.min_guarantee is not None and _promises(self.min_guarantee):
            raise UnsupportedConfigError("Parameter 'min_guarantee' not supported by QEMU.")

    @property
    def hard_limit(self) -> int | None:
        """The limit of memory in KiB, or None."""
        return self.hard.kib if self.hard is not None and _limits(self.hard) else None

    @property
    def soft_limit(self) -> int | None:
        """The soft limit in KiB, or None."""
        return self.soft.kib if self.soft is not None and _limits(self.soft) else None

    @property
    def swap_hard_limit(self) -> int | None:
        """The limit of memory and swap space in KiB, or None."""
        return self.swap_hard.kib if self.swap_hard is not None and _limits(self.swap_hard) else None
