"""How much memory a guest has: what its balloon leaves it, what it is given at its start, how often it reports.

Source: the guide, section "Changing memory"; https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainSetMemoryFlags
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.domain.changing import changing
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.run import Run
from guesthouse.errors import InternalError, InvalidArgumentError, OperationInvalidError, Origin
from guesthouse.model.binding import new
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.devices.memballoon import Memballoon
from guesthouse.model.domain.memory import CurrentMemory
from guesthouse.qemu.json_value import Sendable
from guesthouse.qemu.monitor import QmpError

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


async def set_current(driver: Guests, guest: Guest, kib: int, impact: int) -> None:
    """Leave the guest so much memory: now, by its balloon, and from its next start on.

    Returns when the guest was asked; how far its balloon has come is told by events. Raises `InvalidArgumentError` for
    more than the guest has, `OperationInvalidError` for one without a balloon.
    """
    async with changing(driver, guest, impact) as change:
        if kib > min(map(_most, change.domains)):
            raise InvalidArgumentError("cannot set memory higher than max memory", domain=Origin.QEMU)
        if change.run is not None:
            try:
                await change.run.talk().execute("balloon", {"value": kib * 1024})
            except QmpError as error:
                if error.class_ != "DeviceNotActive":
                    raise
                raise OperationInvalidError(
                    "Unable to change memory of active domain without the balloon device and guest OS balloon driver"
                ) from None
        if change.config is not None:
            _set_current(change.config, kib)


def _most(domain: Domain) -> int:
    """What the balloon can leave the guest: memory that is `virtio-mem` has its own ways."""
    return domain.memory.kib - sum(device.kib for device in domain.devices.memories if device.model == "virtio-mem")


def _set_current(domain: Domain, kib: int) -> None:
    domain.current_memory = new(CurrentMemory, kib=kib)


def at_start(run: Run) -> list[tuple[str, dict[str, Sendable]]]:
    """What tells a new guest to leave what its definition does not give it (`<currentMemory>`).

    Until its balloon has moved it has all, and that is what is shown.
    """
    live = run.live
    wanted = live.current_memory
    balloon = live.devices.memballoon
    if wanted is None or wanted.kib == live.memory.kib or balloon is None or not balloon.present:
        return []
    orders: list[tuple[str, dict[str, Sendable]]] = [("balloon", {"value": wanted.kib * 1024})]
    run.balloon_kib = wanted.kib = _most(live)
    return orders


async def set_maximum(driver: Guests, guest: Guest, kib: int, impact: int) -> None:
    """Give the guest so much memory at its next start. Raises `OperationInvalidError` for what runs."""
    async with changing(driver, guest, impact) as change:
        if change.run is not None:
            raise OperationInvalidError("cannot resize the maximum memory on an active domain")
        domain = change.config
        if domain is None:
            return
        if domain.cpu is not None and domain.cpu.numa is not None and domain.cpu.numa.cells:
            raise OperationInvalidError(
                "initial memory size of a domain with NUMA nodes cannot be modified with this API"
            )
        if domain.max_memory is not None and 0 < domain.max_memory.kib < kib:
            raise OperationInvalidError("cannot set initial memory size greater than the maximum memory size")
        domain.memory.kib = kib
        if domain.current_memory is not None and domain.current_memory.kib > kib:
            _set_current(domain, kib)


async def set_period(driver: Guests, guest: Guest, seconds: int, impact: int) -> None:
    """Have the guest's memory statistics reported every so many seconds, 0 for never."""
    if seconds < 0:
        raise InvalidArgumentError(f"invalid value for collection period: {seconds}")
    async with changing(driver, guest, impact) as change:
        balloons = [_balloon(domain) for domain in change.domains]
        if change.run is not None:
            alias = balloons[0].alias.name if balloons[0].alias is not None else ""
            await change.run.talk().execute(
                "qom-set",
                {"path": f"/machine/peripheral/{alias}", "property": "guest-stats-polling-interval", "value": seconds},
            )
        for balloon in balloons:
            balloon.period = seconds or None


def _balloon(domain: Domain) -> Memballoon:
    balloon = domain.devices.memballoon
    if balloon is None or not balloon.present:
        raise InternalError(
            "No memory balloon device configured, can not set the collection period", domain=Origin.QEMU
        )
    return balloon
