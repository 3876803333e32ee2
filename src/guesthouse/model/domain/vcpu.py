"""A guest's virtual processors: `<vcpu>`, how many, and `<vcpus>`, which of them.

Format: https://libvirt.org/formatdomain.html#cpu-allocation
"""

from __future__ import annotations

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
        """Raise `UnsupportedConfigError` for orders that no start could follow."""
        if (
            self.states[0].hotpluggable
            and self.states[0].enabled
            and not any(state.enabled and not state.hotpluggable for state in self.states)
        ):
            raise UnsupportedConfigError(
                "QEMU needs a processor that is not hotpluggable", hint="set hotpluggable='no' for vcpu 0"
            )
        orders: set[int] = set()
        for state in self.states:
            if state.order is None:
                continue
            if state.order in orders:
                raise UnsupportedConfigError(f"duplicate vcpu order '{state.order}'")
            if state.order > len(self.states):
                raise UnsupportedConfigError(f"vcpu order '{state.order}' exceeds vcpu count")
            orders.add(state.order)


def at_boot(vcpu: Vcpu, vcpus: Vcpus | None) -> int:
    """How many processors QEMU is started with: those that are online and stay. The others are plugged before it runs
    (`Vcpus.plugged`).
    """
    return vcpu.online if vcpus is None else vcpu.online - len(vcpus.plugged())
