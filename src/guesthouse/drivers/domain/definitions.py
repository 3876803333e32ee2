"""Defining, redefining, renaming and undefining guests.

A definition is on disk before anybody is told of it. `driver.definitions` is held meanwhile, because the names of
guests are names of files.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.files import statusfile
from guesthouse.drivers.domain.files.store import Intent
from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.domain.lifecycle import tpm_state
from guesthouse.drivers.domain.lifecycle.control import modifying
from guesthouse.drivers.domain.states import Happening, Notice
from guesthouse.drivers.flags import check
from guesthouse.errors import NoSuchDomainError, OperationInvalidError, Origin, XmlError
from guesthouse.host.child import run as run_child
from guesthouse.model.binding import Style
from guesthouse.model.domain.complete import complete, find_emulator
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import copy, format_domain, parse_domain

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

#: Flags of undefine: bits of `virDomainUndefineFlagsValues`.
MANAGED_SAVE = 1
SNAPSHOTS_METADATA = 2
NVRAM = 4
KEEP_NVRAM = 8
CHECKPOINTS_METADATA = 16
TPM = 32
KEEP_TPM = 64
_UNDEFINE_FLAGS = MANAGED_SAVE | SNAPSHOTS_METADATA | NVRAM | KEEP_NVRAM | CHECKPOINTS_METADATA | TPM | KEEP_TPM

#: How long storage may take to tell whether a file is there, in seconds.
_LOOK_DEADLINE = 10.0

_FILE_STYLE = Style(live=False, secure=True)


async def read(driver: Guests, xml: str, *, validate: bool = False) -> Domain:
    """The completed definition that a client sent. Raises what `parse_domain` and `complete` raise."""
    domain = parse_domain(xml, validate=validate)
    driver.store.check_name(domain.name)
    caps = await driver.emulators.capabilities(find_emulator(domain, driver.settings.defaults))
    complete(domain, caps, defaults=driver.settings.defaults)
    return domain


async def define(driver: Guests, xml: str, *, validate: bool = False) -> Guest:
    """Define a guest, or redefine the one with this name and UUID; a running guest takes it at its next boot.

    Raises `OperationFailedError` when the name or the UUID belongs to another guest.
    """
    domain = await read(driver, xml, validate=validate)
    while True:
        async with driver.definitions:
            guest = driver.registry.match(domain)
            if guest is None:
                return await _add(driver, domain)
        with contextlib.suppress(NoSuchDomainError):  # undefined while we waited: then it is a new one
            async with modifying(guest), driver.definitions:
                await replace(driver, guest, domain)
                driver.events.lifecycle(guest, Notice.of(Happening.DEFINED, "updated"))
            return guest


async def _add(driver: Guests, domain: Domain) -> Guest:
    await driver.in_thread(driver.store.write_definition, domain.name, format_domain(domain, _FILE_STYLE))
    guest = Guest(domain, persistent=True)
    driver.registry.add(guest)
    driver.events.lifecycle(guest, Notice.of(Happening.DEFINED, "added"))
    return guest


def file_text(domain: Domain) -> str:
    """The definition as its file holds it."""
    return format_domain(domain, _FILE_STYLE)


async def replace(driver: Guests, guest: Guest, domain: Domain) -> None:
    """Give a guest another definition, on disk and in memory. The caller holds the guest's job."""
    await driver.in_thread(driver.store.write_definition, guest.name, format_domain(domain, _FILE_STYLE))
    guest.definition = domain
    guest.changed()
    driver.registry.version += 1


async def undefine(driver: Guests, guest: Guest, flags: int = 0) -> None:
    """Remove the definition; a running guest goes on as a transient one."""
    check(flags, _UNDEFINE_FLAGS, "qemuDomainUndefineFlags")
    if flags & NVRAM and flags & KEEP_NVRAM:
        raise OperationInvalidError("cannot both keep and delete nvram")
    if flags & TPM and flags & KEEP_TPM:
        raise OperationInvalidError("cannot both keep and delete TPM")
    async with modifying(guest):
        if guest.definition is None:
            raise OperationInvalidError("cannot undefine transient domain")
        extra = await _nvram_to_remove(guest.definition, flags)
        remove, keep = bool(flags & TPM), bool(flags & KEEP_TPM)
        if guest.run is None:
            extra += tpm_state.to_remove(driver.places, guest.definition, remove=remove, keep=keep)
        else:  # it is in use, and goes when the guest ends
            tpm_state.decide(guest.run.live, remove=remove, keep=keep)
            guest.changed()
            statusfile.write(driver, guest, guest.run)
        async with driver.definitions:
            await driver.in_thread(driver.store.undefine, Intent("undefine", guest.name, guest.uuid_text, extra=extra))
            guest.definition = None
            guest.autostart = guest.autostart_once = False
            guest.changed()
            driver.registry.version += 1
            if not guest.active:
                driver.registry.remove(guest)
            driver.events.lifecycle(guest, Notice.of(Happening.UNDEFINED, "removed"))


async def _nvram_to_remove(domain: Domain, flags: int) -> tuple[str, ...]:
    path = domain.os.nvram.file if domain.os.nvram else None
    if not path or not await _is_there(path):
        return ()
    if flags & NVRAM:
        return (path,)
    if flags & KEEP_NVRAM:
        return ()
    raise OperationInvalidError("cannot undefine domain with nvram", hint="use --nvram or --keep-nvram")


async def _is_there(path: str) -> bool:
    """Whether there is a file. Its storage, which the definition names, may hang: a child looks."""
    return (await run_child(["test", "-e", path], deadline=_LOOK_DEADLINE)).ok


async def rename(driver: Guests, guest: Guest, name: str) -> None:
    """Give a guest that is off another name. Raises `OperationInvalidError` when it runs or the name is taken."""
    async with modifying(guest), driver.definitions:
        if guest.active:
            raise OperationInvalidError("cannot rename active domain")
        if guest.definition is None:
            raise OperationInvalidError("cannot rename a transient domain")
        if not name:
            raise XmlError("name  must not be empty")
        if "/" in name:
            raise XmlError(f"name {name} cannot contain '/'", domain=Origin.QEMU)
        driver.store.check_name(name)
        if name == guest.name:
            raise OperationInvalidError("Can't rename domain to itself", domain=Origin.DOMAIN)
        if name in driver.registry.by_name:
            raise OperationInvalidError(f"domain with name '{name}' already exists", domain=Origin.DOMAIN)
        driver.registry.check_readable(name)
        domain = copy(guest.definition)
        domain.name = name
        intent = Intent("rename", guest.name, guest.uuid_text, new_name=name)
        await driver.in_thread(driver.store.rename, intent, format_domain(domain, _FILE_STYLE))
        former = guest.name
        guest.definition = domain
        driver.registry.rename(guest, name)
        driver.events.lifecycle(guest, Notice.of(Happening.UNDEFINED, "renamed"), name=former)
        driver.events.lifecycle(guest, Notice.of(Happening.DEFINED, "renamed"))
