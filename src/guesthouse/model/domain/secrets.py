"""Secrets: how a definition refers to one, and how it reaches QEMU without being seen.

A definition only names a secret. Its value is looked up when the guest starts, and sealed with a key that only this run
of QEMU has (`masterKey0`, a file in the guest's own directory): what stands on the command line, goes over the monitor
or into a log is a cipher.

Source: https://libvirt.org/formatsecret.html, https://libvirt.org/formatstorageencryption.html; `SecretProperties` in
QEMU's `qapi/crypto.json` and its `docs/system/secrets.rst`.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from typing import Final, TypeAlias

from guesthouse.errors import Code, InternalError, LibvirtError, Origin, XmlError
from guesthouse.model.binding import attr, element, must, opt
from guesthouse.model.kinds import TEXT, UUID, one_of
from guesthouse.model.qemu_objects import Object

#: QEMU's object with the key of this run.
MASTER_KEY: Final = "masterKey0"

#: The length of that key, in bytes (AES-256).
MASTER_KEY_SIZE: Final = 32

_BLOCK: Final = 16


class NoSecretError(LibvirtError):
    """No secret of that UUID or usage, or none with a value."""

    code = Code.NO_SECRET
    domain = Origin.SECRET


@element("secret")
class SecretReference:
    """Which secret: by its UUID, or by its usage (the id of a volume, the name of a Ceph user…).

    `type` says what for where the element around it leaves that open: `passphrase`, `ceph`, `iscsi`.
    """

    type: str | None = opt(TEXT)
    uuid: str | None = opt(UUID)
    usage: str | None = opt(TEXT)

    def parsed(self) -> None:
        """One of the two names it."""
        if self.uuid is None and self.usage is None:
            raise XmlError("missing secret uuid or usage attribute")
        if self.uuid is not None and self.usage is not None:
            raise XmlError("either secret uuid or usage expected")


@element("auth")
class Auth:
    """Who logs in at a storage server, and the secret that proves it. `type` is what storage pools have."""

    type: str | None = opt(one_of("chap", "ceph"))
    username: str = attr(TEXT)
    secret: SecretReference = must(SecretReference)


#: Finds a secret's value by its usage type (`volume`, `ceph`, `iscsi`, `tls`, `vtpm`) and a reference.
#: Raises `NoSecretError`, and `InvalidArgumentError` for a secret of another type.
SecretLookup: TypeAlias = Callable[[str, SecretReference], bytes]

#: Seals a value for QEMU: cipher and initialization vector, each as base64.
Seal: TypeAlias = Callable[[bytes], tuple[str, str]]


def no_secret(_usage_type: str, reference: SecretReference) -> bytes:
    """The lookup where there are no secrets. Raises `NoSecretError`."""
    if reference.uuid is not None:
        raise NoSecretError(f"no secret with matching uuid '{reference.uuid}'")
    raise NoSecretError(f"no secret with matching usage '{reference.usage}'")


def no_seal(_value: bytes) -> tuple[str, str]:
    """The seal where there is no key. Raises `InternalError`."""
    raise InternalError("this guest has no master key to seal a secret with")


def sealer(key: bytes, new_vector: Callable[[int], bytes] = os.urandom) -> Seal:
    """A seal with this key of `MASTER_KEY_SIZE` bytes: AES-256 in CBC mode, padded as PKCS#7 says.

    `new_vector` makes so many random bytes.
    """

    def seal(value: bytes) -> tuple[str, str]:
        # Here and not above: few guests have secrets, and the library takes its time.
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        vector = new_vector(_BLOCK)
        padding = _BLOCK - len(value) % _BLOCK
        encryptor = Cipher(algorithms.AES256(key), modes.CBC(vector)).encryptor()
        cipher = encryptor.update(value + bytes([padding]) * padding) + encryptor.finalize()
        return base64.b64encode(cipher).decode(), base64.b64encode(vector).decode()

    return seal


def secret_object(id_: str, value: bytes, seal: Seal) -> Object:
    """QEMU's object with a sealed secret."""
    data, vector = seal(value)
    return Object(
        {"qom-type": "secret", "id": id_, "data": data, "keyid": MASTER_KEY, "iv": vector, "format": "base64"}
    )
