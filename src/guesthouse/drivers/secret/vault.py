"""The key that values of secrets are sealed with, and the sealing.

The key is 32 random bytes in a file that only the daemon's user can read. It is made when it is first needed, and never
replaced: another key would make every value worthless. A sealed value is one line,

    guesthouse-secret-1 BASE64

of 12 bytes of nonce, the value under AES-256 in GCM mode, and 16 bytes of its tag. The UUID of the secret is
authenticated with it, so that a file that was copied over another's opens no more.

Source: NIST SP 800-38D.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import stat
import sys
from pathlib import Path
from typing import Final

from guesthouse.errors import LibvirtError, OperationFailedError, Origin
from guesthouse.host.files import write_atomic

log = logging.getLogger(__name__)

KEY_SIZE: Final = 32
_NONCE_SIZE: Final = 12
_LIBRARY: Final = "cryptography.hazmat.primitives.ciphers.aead"
_MARK: Final = b"guesthouse-secret-1 "


class Vault:
    """Seals and opens values with the key in the file `path`. `load` and `save` wait for the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key: bytes | None = None
        self._saved = False
        self._trouble = ""

    @property
    def has_key(self) -> bool:
        """Whether there is a key: a vault without one has never sealed anything, or has lost it."""
        return self._key is not None

    @property
    def ready(self) -> bool:
        """Whether the library is loaded, so that `open` is a matter of microseconds."""
        return _LIBRARY in sys.modules

    def load(self) -> None:
        """Read the key, if it is there and not read already. What is wrong with it is told by the calls that need it.

        Others than its owner can read it no more from now on.
        """
        if self._key is not None:
            return
        self._trouble = ""
        try:
            key = _read_private(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            self._trouble = error.strerror or str(error)
        else:
            if len(key) == KEY_SIZE:
                self._key, self._saved = key, True
            else:
                self._trouble = f"it does not hold {KEY_SIZE} bytes"
        if self._trouble:
            log.error("cannot use the key of secrets '%s': %s", self.path, self._trouble)

    def save(self) -> None:
        """Have the key on disk, durably; what is sealed with it may be written after that.

        Raises `OperationFailedError`, also where a key has come there that is not the one in use.
        """
        if self._saved:
            return
        key = self._usable_key()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.exists():
                raise _failure(
                    f"'{self.path}' is not the key of secrets that is in use", "restart the daemon, which then uses it"
                )
            write_atomic(self.path, key)
        except OSError as error:
            raise _failure(f"cannot write the key of secrets '{self.path}': {error.strerror}") from error
        self._saved = True
        log.info("made the key of secrets '%s'", self.path)

    def seal(self, uuid: str, value: bytes) -> bytes:
        """The value as it may be kept. Makes a key, in memory only, where there is none.

        Raises `OperationFailedError` where there is one that cannot be used.
        """
        # Here and not above: most daemons have no secrets, and the library takes its time.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_SIZE)
        cipher = AESGCM(self._usable_key()).encrypt(nonce, value, _bound_to(uuid))
        return _MARK + base64.b64encode(nonce + cipher) + b"\n"

    def open(self, uuid: str, sealed: bytes) -> bytes:
        """The value that was sealed for the secret `uuid`. Raises `OperationFailedError` where the key is another."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        if self._key is None:
            reason = self._trouble or "it is not there"
            raise _failure(
                f"cannot read the value of secret '{uuid}': the key of secrets '{self.path}' cannot be used: {reason}",
                "restore the key, or set the value anew",
            )
        try:
            data = base64.b64decode(sealed.removeprefix(_MARK).strip(), validate=True)
            return AESGCM(self._key).decrypt(data[:_NONCE_SIZE], data[_NONCE_SIZE:], _bound_to(uuid))
        except (binascii.Error, ValueError, InvalidTag):
            raise _failure(
                f"cannot read the value of secret '{uuid}': it was not sealed for it with the key '{self.path}'",
                "restore the key, or set the value anew",
            ) from None

    def _usable_key(self) -> bytes:
        if self._trouble:
            raise _failure(
                f"the key of secrets '{self.path}' cannot be used: {self._trouble}",
                "restore it, or move it away to lose all values",
            )
        if self._key is None:
            self._key = os.urandom(KEY_SIZE)
        return self._key


def _bound_to(uuid: str) -> bytes:
    return _MARK + uuid.encode()


def _failure(text: str, hint: str = "") -> LibvirtError:
    return OperationFailedError(text, domain=Origin.SECRET, hint=hint)


def _read_private(path: Path) -> bytes:
    """A small file of ours, which is made private if it is not. Raises OSError, PermissionError for another's file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(1, "it is not a file of the daemon's user")
        if found.st_mode & 0o077:
            log.warning("others could read the key of secrets '%s'; they no longer can", path)
            os.fchmod(descriptor, 0o600)
        return os.read(descriptor, KEY_SIZE + 1)
    finally:
        os.close(descriptor)
