"""Leases of a lock manager, under which a guest may use what several hosts can reach.

Source: https://libvirt.org/formatdomain.html#device-leases.
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import attr, element, leaf, must, opt, opt_leaf, unbound
from guesthouse.model.domain.devices.base import Alias, Device, DeviceContext
from guesthouse.model.kinds import TEXT, ULL


@element("target")
class LeaseTarget:
    """The file that holds the lease, and where in it."""

    path: str = attr(TEXT)
    offset: int | None = opt(ULL)


@element("lease")
class Lease(Device):
    """A lease, so that it is refused by name: to run without it could destroy what it protects."""

    lockspace: str | None = opt_leaf(TEXT)
    key: str = leaf(TEXT)
    target: LeaseTarget = must(LeaseTarget)
    alias: Alias | None = unbound(None)

    def check(self, ctx: DeviceContext) -> None:
        """Raise `UnsupportedConfigError`: there is no lock manager."""
        self.prepare(ctx)

    def prepare(self, ctx: DeviceContext) -> None:
        """As `check`, for a definition that another daemon left."""
        raise UnsupportedConfigError(
            f"lease '{self.key}' is not supported: there is no lock manager", hint="remove <lease>"
        )
