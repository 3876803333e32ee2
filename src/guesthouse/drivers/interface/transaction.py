"""Begin, commit and rollback: the configuration as it was, kept until somebody says that the new one works.

    LIB/interface/transaction.json    the files at the beginning, and what was up then

A rollback notes first that it is one, with the files that it undoes: whoever is killed meanwhile goes on with it at the
next start. A reboot is a rollback, too: the host then came up with a configuration that nobody has confirmed.

Source: https://libvirt.org/html/libvirt-libvirt-interface.html#virInterfaceChangeBegin; virsh(1), `iface-begin`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from guesthouse.drivers.interface.configuration import ConfigurationError
from guesthouse.drivers.interface.documents import links_of
from guesthouse.drivers.interface.formats import Changes, Files
from guesthouse.drivers.interface.link import Links, by_name, tree
from guesthouse.drivers.interface.managers import Kernel, format_named
from guesthouse.errors import LibvirtError, OperationFailedError, OperationInvalidError, Origin
from guesthouse.host.files import read_limited, remove, write_atomic
from guesthouse.host.sysfs import read_text
from guesthouse.model.interface import format_interface, parse_interface

if TYPE_CHECKING:
    from guesthouse.drivers.interface.driver import InterfaceDriver
    from guesthouse.drivers.interface.registry import Registry

log = logging.getLogger(__name__)

_LIMIT: Final = 64 << 20
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(slots=True)
class Snapshot:
    """What was at the beginning: the files of a format, the interfaces that were up, and those of them that only the
    kernel knew, as documents. `undone` are the files that a rollback undoes.
    """

    boot: str
    format: str
    files: dict[str, str]
    active: list[str]
    unconfigured: dict[str, str]
    undone: dict[str, str] | None = None


async def begin(driver: InterfaceDriver) -> None:
    """Keep what is. Raises `OperationInvalidError` where something is kept already, and `ConfigurationError`."""
    async with driver.changes:
        if await driver.in_thread(_read, driver.transaction_file) is not None:
            raise _invalid("there is another transaction running.", "end it with iface-commit or iface-rollback")
        seen = await driver.look()
        snapshot = Snapshot(
            read_text(_BOOT) or "",
            seen.format,
            dict(seen.files),
            [one.name for one in seen.all() if one.active],
            _unconfigured(seen),
        )
        await driver.in_thread(_write, driver.transaction_file, snapshot)


async def commit(driver: InterfaceDriver) -> None:
    """Forget what was. Raises `OperationInvalidError` where nothing is kept."""
    async with driver.changes:
        if not await driver.in_thread(_forget, driver.transaction_file):
            raise _invalid("no transaction running, nothing to be committed.", "begin one with iface-begin")


async def rollback(driver: InterfaceDriver) -> None:
    """Bring back what was.

    Raises `OperationInvalidError` where nothing is kept, and `OperationFailedError` naming the interfaces that did not
    come back; what was is then still kept.
    """
    async with driver.changes:
        snapshot = await driver.in_thread(_read, driver.transaction_file)
        if snapshot is None:
            raise _invalid("no transaction running, nothing to rollback.", "begin one with iface-begin")
        await _undo(driver, snapshot)


async def resume(driver: InterfaceDriver) -> None:
    """Go on with a rollback that was cut off; undo what a reboot undoes."""
    async with driver.changes:
        snapshot = await driver.in_thread(_read, driver.transaction_file)
        if snapshot is None:
            return
        if snapshot.undone is not None:
            await _undo(driver, snapshot)
        elif snapshot.boot != read_text(_BOOT):
            log.warning("the host was booted before the network configuration was committed; it is rolled back")
            await _undo_boot(driver, snapshot)


async def _undo_boot(driver: InterfaceDriver, snapshot: Snapshot) -> None:
    """Bring the files back; and what is up, unless the program that reads them is not there yet."""
    if snapshot.format == (await driver.look()).format:
        await _undo(driver, snapshot)
        return
    configuration = driver.configured_by(format_named(snapshot.format))
    now = await driver.in_thread(configuration.files)
    await driver.in_thread(configuration.apply, now, _differences(snapshot.files, now))
    await driver.in_thread(_forget, driver.transaction_file)


def _differences(before: Files, now: Files) -> Changes:
    """What makes the files what they were."""
    return {path: before.get(path) for path in {*now, *before} if before.get(path) != now.get(path)}


async def _undo(driver: InterfaceDriver, snapshot: Snapshot) -> None:
    seen = await driver.look()
    if snapshot.format != seen.format:
        raise _invalid(
            f"the transaction was begun with {snapshot.format}, and {seen.format} runs now",
            f"start {snapshot.format} again, or forget the transaction with iface-commit",
        )
    if snapshot.undone is None:
        snapshot.undone = dict(seen.files)
        await driver.in_thread(_write, driver.transaction_file, snapshot)
    before, after = (driver.configuration.format.parse(files) for files in (snapshot.files, snapshot.undone))
    changed = _changed(before, after)
    failures: list[str] = []
    for name in sorted(changed):
        if name in after and name in seen.devices and after[name].master is None:
            await _try(failures, name, driver.manager.down(after, name, snapshot.undone))
    await driver.in_thread(driver.configuration.apply, seen.files, _differences(snapshot.files, seen.files))
    await driver.manager.gone([link for name, link in after.items() if name not in before])
    now = await driver.look()
    for name in _to_start(snapshot.active, changed, now):
        if name in before:
            await _try(failures, name, driver.manager.up(before, name, snapshot.files))
        elif name in snapshot.unconfigured:
            alone = by_name(links_of(parse_interface(snapshot.unconfigured[name])))
            await _try(failures, name, Kernel().up(alone, name, {}))
    if failures:
        raise OperationFailedError(f"failed to rollback transaction: {'; '.join(failures)}", domain=Origin.INTERFACE)
    await driver.in_thread(_forget, driver.transaction_file)


async def _try(failures: list[str], name: str, work: Awaitable[None]) -> None:
    try:
        await work
    except LibvirtError as error:
        log.error("interface '%s' could not be rolled back: %s", name, error.message)
        failures.append(error.message)


def _changed(before: Links, after: Links) -> set[str]:
    """The interfaces that are configured otherwise, or that one inside is."""
    tops = {name for links in (before, after) for name, link in links.items() if link.master is None}
    return {name for name in tops if tree(before, name) != tree(after, name)}


def _to_start(active: Iterable[str], changed: set[str], now: Registry) -> list[str]:
    """What was up and is to be so again; what a VLAN is on comes before it."""
    found = [name for name in active if name in changed or not (name in now.devices and now.named(name).active)]
    return sorted(found, key=lambda name: (name in now.configured and now.configured[name].kind == "vlan", name))


def _unconfigured(seen: Registry) -> dict[str, str]:
    """Documents of the cards that are up and that no file configures."""
    cards = [one for one in seen.devices.values() if one.active and not one.guests and not one.link.is_virtual]
    names = [card.link.name for card in cards if card.link.master is None and card.link.name not in seen.configured]
    return {name: format_interface(seen.document(name, configured=True)) for name in names if name != "lo"}


def _invalid(text: str, hint: str) -> LibvirtError:
    return OperationInvalidError(text, domain=Origin.INTERFACE, hint=hint)


def _read(path: Path) -> Snapshot | None:
    try:
        return Snapshot(**json.loads(read_limited(path, _LIMIT)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"the transaction '{path}' cannot be read: {error}") from error


def _write(path: Path, snapshot: Snapshot) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(path, json.dumps(asdict(snapshot)).encode())
    except OSError as error:
        raise ConfigurationError(f"the transaction '{path}' cannot be written: {error.strerror}") from error


def _forget(path: Path) -> bool:
    try:
        return remove(path, durable=True)
    except OSError as error:
        raise ConfigurationError(f"the transaction '{path}' cannot be removed: {error.strerror}") from error
