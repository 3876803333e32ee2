"""A guest's virtual processors: `<vcpu>`, how many, and `<vcpus>`, which of them.

Format: https://libvirt.org/formatdomain.html#cpu-allocation
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, content, element, many, new, opt, unbound
from guesthouse.model.kinds import CPUSET, UINT, YES_NO, one_of

#: Beyond this no machine type of QEMU goes, and libvirt's own bitmaps end.
MOST: Final = 16384


@element("vcpu")
class Vcpu:
    """`maximum` processors, of which `current` are online at boot (all, where it is None).

    `cpuset` names the host's processors that the guest may run on; with the placement `auto` numad chooses them:
    `advised` is what it chose for the guest that runs.
    """

    placement: str | None = opt(one_of("static", "auto"))
    cpuset: str | None = opt(CPUSET)
    current: int | None = opt(UINT)
    maximum: int = content(UINT)
    advised: str | None = unbound(None)

    def parsed(self) -> None:
        """Check the numbers against each other."""
        if self.maximum == 0:
            raise XmlError("invalid domain vCPU count: 0", hint="give the guest at least one processor")
        if self.maximum > MOST:
            raise UnsupportedConfigError(
                f"Maximum CPUs greater than specified machine type limit {MOST}", hint=f"{self.maximum} were asked for"
            )
        if self.current is not None:
            if self.current == 0:
                raise XmlError("current vcpus count must be an integer", hint="it must be 1 or more")
            if self.current > self.maximum:
                raise XmlError(
                    f"maxvcpus must not be less than current vcpus ({self.maximum} < {self.current})",
                )
            if self.current == self.maximum:
                self.current = None
        if self.placement == "auto":
            self.cpuset = None

    @property
    def allowed(self) -> str | None:
        """The host's processors that the guest may run on, as a set; None for all."""
        return self.cpuset if self.advised is None else self.advised

    @property
    def online(self) -> int:
        """How many processors are online at boot."""
        return self.maximum if self.current is None else self.current


@element("vcpu")
class VcpuState:
    """One processor: whether it is there at boot, whether it can be taken away again, and in which order those that can
    are plugged.
    """

    id: int = attr(UINT)
    enabled: bool = attr(YES_NO)
    hotpluggable: bool | None = opt(YES_NO)
    order: int | None = opt(UINT)


@element("vcpus", omit_empty=True)
class Vcpus:
    """Every processor of the guest, by its number, after `settle`; a definition that has these is ruled by them."""

    states: list[VcpuState] = many(VcpuState)

    def settle(self, vcpu: Vcpu) -> None:
        """Complete the list, and set `vcpu` to the number of those that are online.

        Raises `XmlError` for a number that the guest has not, `UnsupportedConfigError` for a processor that is neither
        there nor can come, and where none is online.
        """
        known: dict[int, VcpuState] = {}
        for state in self.states:
            if state.id >= vcpu.maximum:
                raise XmlError(f"vcpu id '{state.id}' is out of range of maximum vcpu count")
            state.order = state.order or None
            known[state.id] = state
        self.states = [known.get(number) or new(VcpuState, id=number, enabled=False) for number in range(vcpu.maximum)]
        for state in self.states:
            if state.hotpluggable is None:
                state.hotpluggable = not state.enabled
            elif not state.hotpluggable and not state.enabled:
                raise UnsupportedConfigError(f"vcpu '{state.id}' is both offline and not hotpluggable")
        self.count(vcpu)

    def count(self, vcpu: Vcpu) -> None:
        """Set the number of processors online in `vcpu`. Raises `UnsupportedConfigError` where there is none."""
        online = sum(state.enabled for state in self.states)
        if not online:
            raise UnsupportedConfigError("Domain requires at least 1 vCPU")
        vcpu.current = None if online == vcpu.maximum else online

    def plugged(self) -> list[VcpuState]:
        """Those that are plugged into the new guest, by their order: they are online, and can be taken away again."""
        found = [state for state in self.states if state.enabled and state.hotpluggable]
        return sorted(found, key=lambda state: (state.order or 0, state.id))

    def check(self) -> None:
        """Raise `UnsupportedConfigError` for processors that QEMU cannot have so.

        The first is there and stays; those that stay come before the others, and in their order; orders are given for
        all that are online, or for none.
        """
        first = self.states[0]
        if not first.enabled:
            raise UnsupportedConfigError("vcpu 0 can't be offline")
        if first.hotpluggable:
            raise UnsupportedConfigError("vcpu0 can't be hotpluggable")
        if first.order not in (None, 1):
            raise UnsupportedConfigError("vcpu0 must be enabled first")
        for before, state in pairwise(self.states):
            if state.enabled and (state.order is None) != (first.order is None):
                raise UnsupportedConfigError("all vcpus must have either set or unset order")
            if state.hotpluggable:
                continue
            if before.hotpluggable:
                raise UnsupportedConfigError(
                    "online non-hotpluggable vcpus need to be ordered prior to hotpluggable vcpus"
                )
            if (before.order or 0) > (state.order or 0):
                raise UnsupportedConfigError("online non-hotpluggable vcpus must be ordered in ascending order")
        self._check_orders()

    def _check_orders(self) -> None:
        orders: set[int] = set()
        for order in (state.order for state in self.states if state.order is not None):
            if order in orders:
                raise UnsupportedConfigError(f"duplicate vcpu order '{order}'")
            if order > len(self.states):
                raise UnsupportedConfigError(f"vcpu order '{order}' exceeds vcpu count")
            orders.add(order)


def at_boot(vcpu: Vcpu, vcpus: Vcpus | None) -> int:
    """How many processors QEMU is started with: those that are online and stay. The others are plugged before it runs
    (`Vcpus.plugged`).
    """
    return vcpu.online if vcpus is None else vcpu.online - len(vcpus.plugged())
