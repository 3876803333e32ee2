"""How the host's processors serve a guest: `<cputune>`, with its pinning, schedulers, shares and quotas.

The model reads, checks and prints these settings; the driver applies them to the guest's threads.

Format: https://libvirt.org/formatdomain.html#cpu-tuning
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from guesthouse.errors import Code, InternalError, LibvirtError, Origin, UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, new, one, opt, opt_leaf
from guesthouse.model.domain import resctrl
from guesthouse.model.domain.iothreads import IOTHREAD_ID
from guesthouse.model.domain.resctrl import Cachetune, Memorytune
from guesthouse.model.kinds import CPUSET, INT, UINT, ULL, Kind, integer, one_of, parse_cpuset

#: Smallest and largest period, and quota, in microseconds: the kernel's.
PERIODS: Final = (1000, 1000000)
QUOTAS: Final = (1000, 17592186044415)

_LONG: Final = integer(-(2**63), 2**63 - 1)
#: A zero is no setting at all.
_PERIOD: Kind[int | None] = Kind(ULL.name, lambda text: ULL.parse(text) or None, str, plain=True)
_QUOTA: Kind[int | None] = Kind(_LONG.name, lambda text: _LONG.parse(text) or None, str, plain=True)
#: Those with a priority.
_REAL_TIME: Final = ("fifo", "rr")
_SCHEDULER: Final = one_of("batch", "idle", *_REAL_TIME)


@element("vcpupin")
class VcpuPin:
    """The host's processors, as a set like `0-3,7`, on which one virtual processor may run."""

    vcpu: int = attr(UINT)
    cpuset: str = attr(CPUSET)

    @property
    def cpus(self) -> frozenset[int]:
        """The set's numbers."""
        return parse_cpuset(self.cpuset)


@element("emulatorpin")
class EmulatorPin:
    """The host's processors on which QEMU's own threads may run."""

    cpuset: str = attr(CPUSET)

    @property
    def cpus(self) -> frozenset[int]:
        """The set's numbers."""
        return parse_cpuset(self.cpuset)


@element("iothreadpin")
class IothreadPin:
    """The host's processors on which one I/O thread may run."""

    iothread: int = attr(IOTHREAD_ID)
    cpuset: str = attr(CPUSET)

    @property
    def cpus(self) -> frozenset[int]:
        """The set's numbers."""
        return parse_cpuset(self.cpuset)


class Scheduling:
    """What the elements for schedulers share: the kernel's policy, and the priority that `fifo` and `rr` need."""

    __slots__ = ()

    scheduler: str
    priority: int | None

    def parsed(self) -> None:
        """A policy has a priority or has none."""
        if self.scheduler not in _REAL_TIME:
            self.priority = None  # type: ignore[misc] # the slot is the subclass's
        elif self.priority is None:
            raise XmlError("Missing required attribute 'priority'", hint=f"the scheduler '{self.scheduler}' needs one")


@element("emulatorsched")
class EmulatorSched(Scheduling):
    """The scheduler of QEMU's own threads."""

    scheduler: str = attr(_SCHEDULER)
    priority: int | None = opt(INT)


@element("vcpusched")
class VcpuSched(Scheduling):
    """The scheduler of virtual processors, of which `settle` leaves one an element."""

    vcpus: str = attr(CPUSET)
    scheduler: str = attr(_SCHEDULER)
    priority: int | None = opt(INT)

    @property
    def numbers(self) -> frozenset[int]:
        """The processors."""
        return parse_cpuset(self.vcpus)


@element("iothreadsched")
class IothreadSched(Scheduling):
    """The scheduler of I/O threads, of which `settle` leaves one an element."""

    iothreads: str = attr(CPUSET)
    scheduler: str = attr(_SCHEDULER)
    priority: int | None = opt(INT)

    @property
    def numbers(self) -> frozenset[int]:
        """The threads' ids."""
        return parse_cpuset(self.iothreads)


@element("cputune", omit_empty=True)
class Cputune:
    """Shares against other guests, and how many microseconds (`quota`, negative for any number) a thread may run in
    each `period`: `period` and `quota` for each virtual processor, `global_…` for the guest as a whole, `emulator_…`
    for QEMU's own threads, `iothread_…` for each I/O thread.

    After `settle`, pins and schedulers are in the order of the processors or threads they speak of, one for each.
    """

    shares: int | None = opt_leaf(ULL)
    period: int | None = opt_leaf(_PERIOD)
    quota: int | None = opt_leaf(_QUOTA)
    global_period: int | None = opt_leaf(_PERIOD)
    global_quota: int | None = opt_leaf(_QUOTA)
    emulator_period: int | None = opt_leaf(_PERIOD)
    emulator_quota: int | None = opt_leaf(_QUOTA)
    iothread_period: int | None = opt_leaf(_PERIOD)
    iothread_quota: int | None = opt_leaf(_QUOTA)
    vcpupins: list[VcpuPin] = many(VcpuPin)
    emulatorpin: EmulatorPin | None = one(EmulatorPin)
    iothreadpins: list[IothreadPin] = many(IothreadPin)
    emulatorsched: EmulatorSched | None = one(EmulatorSched)
    vcpuscheds: list[VcpuSched] = many(VcpuSched)
    iothreadscheds: list[IothreadSched] = many(IothreadSched)
    cachetunes: list[Cachetune] = many(Cachetune)
    memorytunes: list[Memorytune] = many(Memorytune)

    def settle(self, vcpus: int, iothreads: Iterable[int]) -> None:
        """Bring the lists into libvirt's order; pins of virtual processors that do not exist are dropped, as there.

        `vcpus` is how many processors the guest can have, `iothreads` the ids of its I/O threads.
        Raises a `LibvirtError` for what speaks twice of the same thread, or of one that does not exist.
        """
        order = list(iothreads)
        if self.vcpupins:
            self.vcpupins = _one_each(self.vcpupins, lambda pin: pin.vcpu, range(vcpus), "vcpupin for vcpu")
        if self.iothreadpins:
            known = set(order)
            for pin in self.iothreadpins:
                _need_iothread(pin.iothread, known)
            self.iothreadpins = _one_each(
                self.iothreadpins, lambda pin: pin.iothread, order, "iothreadpin for same iothread"
            )
        if self.vcpuscheds:
            self.vcpuscheds = _split_vcpus(self.vcpuscheds, vcpus)
        if self.iothreadscheds:
            self.iothreadscheds = _split_iothreads(self.iothreadscheds, order)
        if self.cachetunes or self.memorytunes:
            self.cachetunes, self.memorytunes = resctrl.settle(self.cachetunes, self.memorytunes, vcpus)

    def check(self) -> None:
        """Raise `UnsupportedConfigError` for a period or quota that the kernel does not take."""
        for name, (low, high) in _RANGES.items():
            value: int | None = getattr(self, name)
            if value is not None and value > 0 and not low <= value <= high:
                raise UnsupportedConfigError(f"Value of cputune '{name}' must be in range [{low}, {high}]")

    @property
    def limits_time(self) -> bool:
        """Whether it says anything that only control groups can enforce: shares, periods, quotas."""
        return self.shares is not None or any(getattr(self, name) is not None for name in _RANGES)


_RANGES: Final = {
    f"{which}{what}": limits
    for what, limits in (("period", PERIODS), ("quota", QUOTAS))
    for which in ("", "global_", "emulator_", "iothread_")
}

P = TypeVar("P")


def _one_each(pins: list[P], key: Callable[[P], int], order: Iterable[int], what: str) -> list[P]:
    found: dict[int, P] = {}
    for pin in pins:
        if key(pin) in found:
            raise InternalError(f"duplicate {what} '{key(pin)}'")
        found[key(pin)] = pin
    return [found[number] for number in order if number in found]


def _need_iothread(number: int, known: set[int]) -> None:
    if number not in known:
        raise UnsupportedConfigError(f"Cannot find 'iothread' : {number}", hint="see <iothreads>")


def _overlap(element_name: str, attribute: str) -> LibvirtError:
    return LibvirtError(
        f"'{element_name}' attributes '{attribute}' must not overlap", code=Code.XML_DETAIL, domain=Origin.DOMAIN
    )


def _split_vcpus(scheds: list[VcpuSched], vcpus: int) -> list[VcpuSched]:
    found: dict[int, VcpuSched] = {}
    for sched in scheds:
        for number in sorted(sched.numbers):
            if number >= vcpus:
                raise UnsupportedConfigError(f"vCPU '{number}' is not present in domain definition")
            if number in found:
                raise _overlap("vcpusched", "vcpus")
            found[number] = new(VcpuSched, vcpus=str(number), scheduler=sched.scheduler, priority=sched.priority)
    return [found[number] for number in sorted(found)]


def _split_iothreads(scheds: list[IothreadSched], order: list[int]) -> list[IothreadSched]:
    found: dict[int, IothreadSched] = {}
    known = set(order)
    for sched in scheds:
        for number in sorted(sched.numbers):
            _need_iothread(number, known)
            if number in found:
                raise _overlap("iothreadsched", "iothreads")
            found[number] = new(
                IothreadSched, iothreads=str(number), scheduler=sched.scheduler, priority=sched.priority
            )
    return [found[number] for number in order if number in found]
