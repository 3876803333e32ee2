"""The files of secrets, in libvirt's places.

    CONFIG/secrets/UUID.xml       the definition
    CONFIG/secrets/UUID.sealed    its value, as `vault` seals it
    CONFIG/secrets/UUID.base64    its value as libvirt keeps it, in plain text; read, sealed and removed

Where both values are there, libvirt's is the newer one: we remove it whenever we write ours. The definition says
whether there is a secret: it is written last and removed first. A value without one is kept, since its definition may
be on its way back; only a new secret with that UUID takes its place.

Every function blocks for the time that the daemon's own directories need; the driver runs them in a thread.

Source: https://libvirt.org/formatsecret.html; libvirt 11.3.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.files import read_limited, remove, sweep_temporaries, write_atomic
from guesthouse.places import Places

log = logging.getLogger(__name__)

_DEFINITION, _SEALED, _PLAIN = ".xml", ".sealed", ".base64"
_DEFINITION_LIMIT = 4 * 1024 * 1024
#: More than the protocol's longest value takes in base64.
_VALUE_LIMIT = 128 * 1024
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/=]")


class SecretFileError(LibvirtError):
    """A file of a secret could not be written or removed. The host's fault."""

    code = Code.SYSTEM_ERROR
    domain = Origin.SECRET


@dataclass(frozen=True, slots=True)
class SecretFiles:
    """What stands on disk of one secret. `name` is the definition's file without `.xml`; `plain` is decoded."""

    name: str
    definition: str
    sealed: bytes | None
    plain: bytes | None


class SecretStore:
    """The files of all secrets of one daemon."""

    def __init__(self, places: Places) -> None:
        self._folder = places.config / "secrets"

    def prepare(self) -> None:
        """Make the directory, and sweep what dead writers left in it. Raises `SecretFileError`."""
        with _reporting(f"cannot create config directory '{self._folder}'"):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sweep_temporaries(self._folder)
        for path in sorted(self._folder.glob(f"*{_SEALED}")):
            if not path.with_suffix(_DEFINITION).exists():
                log.warning("'%s' is the value of a secret that is not defined", path)

    def read_all(self) -> list[SecretFiles]:
        """All secrets. What cannot be read is logged, and left where it is."""
        found = []
        for path in sorted(self._folder.glob(f"*{_DEFINITION}")):
            name = path.name.removesuffix(_DEFINITION)
            try:
                text = read_limited(path, _DEFINITION_LIMIT).decode("utf-8", "replace")
                sealed = self._read_value(name, _SEALED)
                plain = self._read_value(name, _PLAIN)
            except (OSError, LibvirtError) as error:
                log.error("cannot read the secret '%s': %s", path, error)
                continue
            found.append(SecretFiles(name, text, sealed, None if plain is None else decode_base64(plain) or None))
        return found

    def write_definition(self, uuid: str, xml: str) -> None:
        """Write a definition, durably. Raises `SecretFileError`."""
        with _reporting(f"cannot write the definition of secret '{uuid}'"):
            write_atomic(self._path(uuid, _DEFINITION), xml.encode())

    def write_value(self, uuid: str, sealed: bytes) -> None:
        """Write a value, durably, in place of any other. Raises `SecretFileError`."""
        with _reporting(f"cannot write the value of secret '{uuid}'"):
            write_atomic(self._path(uuid, _SEALED), sealed)
            remove(self._path(uuid, _PLAIN), durable=True)

    def remove_value(self, uuid: str) -> None:
        """Remove a value, if there is one. Raises `SecretFileError`."""
        with _reporting(f"cannot remove the value of secret '{uuid}'"):
            remove(self._path(uuid, _PLAIN))
            remove(self._path(uuid, _SEALED), durable=True)

    def remove(self, uuid: str) -> None:
        """Remove a secret. Raises `SecretFileError`; then it is there as before, or only its value is left."""
        with _reporting(f"cannot unlink '{self._path(uuid, _DEFINITION)}'"):
            remove(self._path(uuid, _DEFINITION), durable=True)
        self.remove_value(uuid)

    def _path(self, uuid: str, suffix: str) -> Path:
        return self._folder / f"{uuid}{suffix}"

    def _read_value(self, uuid: str, suffix: str) -> bytes | None:
        try:
            return read_limited(self._path(uuid, suffix), _VALUE_LIMIT)
        except FileNotFoundError:
            return None


def decode_base64(text: bytes) -> bytes:
    """What stands in base64, as GLib reads it: foreign characters and a last group that is not whole are skipped.

    Never raises; nothing comes of what is no base64 at all.
    """
    digits = _FOREIGN.sub(b"", text)
    with contextlib.suppress(binascii.Error):
        return base64.b64decode(digits[: len(digits) // 4 * 4])
    return b""


@contextlib.contextmanager
def _reporting(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SecretFileError(f"{what}: {error.strerror or os.strerror(error.errno or 0)}") from error
