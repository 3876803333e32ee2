"""What changes secrets: defining, giving a value, removing; and taking up what is on disk.

Each change holds `driver.changes`, is on disk before it is in memory, and is told to clients last.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from guesthouse.drivers.secret.events import DEFINED, UNDEFINED
from guesthouse.drivers.secret.registry import StoredSecret
from guesthouse.drivers.secret.store import SecretFiles
from guesthouse.errors import Code, InternalError, LibvirtError, Origin
from guesthouse.model.domain.secrets import NoSecretError
from guesthouse.model.secret import Secret, format_secret, parse_secret

if TYPE_CHECKING:
    from guesthouse.drivers.secret.driver import SecretDriver

log = logging.getLogger(__name__)


class InvalidSecretError(LibvirtError):
    """A secret whose value is not for clients."""

    code = Code.INVALID_SECRET
    domain = Origin.SECRET


async def define(driver: SecretDriver, xml: str, *, validate: bool = False) -> StoredSecret:
    """Define a secret, or change the one with this UUID; its value stays.

    Raises what `parse_secret` and `Registry.check` raise, and `SecretFileError`.
    """
    definition = parse_secret(xml, validate=validate)
    async with driver.changes:
        known = driver.registry.check(definition)
        await driver.in_thread(_put_on_disk, driver, definition, known)
        if known is None:
            known = StoredSecret(definition)
            driver.registry.add(known)
        else:
            known.definition = definition
        driver.events.lifecycle(known, DEFINED)
        return known


def _put_on_disk(driver: SecretDriver, definition: Secret, known: StoredSecret | None) -> None:
    """Bring the files to what `definition` says; those of `known`, if there is one, are there now."""
    uuid, store = str(definition.uuid), driver.store
    if definition.ephemeral:
        if known is not None and not known.definition.ephemeral:
            store.remove(uuid)
        return
    if known is None:
        store.remove_value(uuid)  # of a secret that once had this UUID
    elif known.definition.ephemeral and known.sealed is not None:
        driver.vault.save()
        store.write_value(uuid, known.sealed)
    store.write_definition(uuid, format_secret(definition))


async def undefine(driver: SecretDriver, uuid: bytes) -> None:
    """Forget a secret and its value. Raises `NoSecretError`, `SecretFileError`."""
    async with driver.changes:
        secret = driver.registry.with_uuid(uuid)
        if not secret.definition.ephemeral:
            await driver.in_thread(driver.store.remove, secret.uuid)
        driver.registry.discard(secret)
        driver.events.lifecycle(secret, UNDEFINED)


async def set_value(driver: SecretDriver, uuid: bytes, value: bytes) -> None:
    """Give a secret its value. Raises `NoSecretError`, `SecretFileError`, `OperationFailedError`."""
    async with driver.changes:
        secret = driver.registry.with_uuid(uuid)
        secret.sealed = await driver.in_thread(_keep, driver, secret, value)
        driver.events.value_changed(secret)


def _keep(driver: SecretDriver, secret: StoredSecret, value: bytes) -> bytes:
    sealed = driver.vault.seal(secret.uuid, value)
    if not secret.definition.ephemeral:
        driver.vault.save()
        driver.store.write_value(secret.uuid, sealed)
    return sealed


async def get_value(driver: SecretDriver, uuid: bytes) -> bytes:
    """A secret's value, for a client. Raises `NoSecretError`, `OperationFailedError`, `InvalidSecretError`."""
    secret = driver.registry.with_uuid(uuid)
    if secret.definition.private:
        raise InvalidSecretError("secret is private")
    if driver.vault.ready:
        return value_of(driver, secret)
    return await driver.in_thread(value_of, driver, secret)


def value_of(driver: SecretDriver, secret: StoredSecret) -> bytes:
    """A secret's value, for those who use it. Raises `NoSecretError`, `OperationFailedError`."""
    if secret.sealed is None:
        raise NoSecretError(f"secret '{secret.uuid}' does not have a value", hint="set one with secret-set-value")
    return driver.vault.open(secret.uuid, secret.sealed)


async def load(driver: SecretDriver) -> None:
    """Take up what is on disk; what is there already is renewed. A secret that cannot be used is logged."""
    async with driver.changes:
        await driver.in_thread(driver.store.prepare)
        await driver.in_thread(driver.vault.load)
        for files in await driver.in_thread(driver.store.read_all):
            try:
                await _take_up(driver, files)
            except LibvirtError as error:
                log.error("Error reading secret '%s': %s", files.name, error.message)
    lost = sum(secret.sealed is not None for secret in driver.registry)
    if lost and not driver.vault.has_key:
        log.error("%d values of secrets cannot be read without the key '%s'", lost, driver.vault.path)


async def _take_up(driver: SecretDriver, files: SecretFiles) -> None:
    definition = parse_secret(files.definition)
    if definition.uuid != files.name:
        raise InternalError(f"<uuid> does not match secret file name '{files.name}.xml'", domain=Origin.SECRET)
    known = driver.registry.check(definition)
    sealed = files.sealed
    if files.plain is not None:
        sealed = await driver.in_thread(_adopt, driver, files.name, files.plain)
    if known is None:
        driver.registry.add(StoredSecret(definition, sealed))
    else:
        known.definition, known.sealed = definition, sealed


def _adopt(driver: SecretDriver, uuid: str, value: bytes) -> bytes:
    """Seal a value that libvirt kept in plain text. Where that fails on disk, the value is used all the same."""
    sealed = driver.vault.seal(uuid, value)
    try:
        driver.vault.save()
        driver.store.write_value(uuid, sealed)
    except LibvirtError as error:
        log.warning("the value of secret '%s' stays on disk in plain text: %s", uuid, error.message)
    return sealed
