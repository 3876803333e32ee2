"""The passphrases of encrypted volumes.

Source: https://libvirt.org/formatstorageencryption.html: a volume's secret is the one that its document names, or the
one whose usage is the volume's path.
"""

from __future__ import annotations

from guesthouse.drivers.storage.backend import VolumeFacts
from guesthouse.drivers.storage.volumes.surroundings import Surroundings
from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.model.binding import new
from guesthouse.model.domain.devices.disk.encryption import Encryption
from guesthouse.model.domain.secrets import SecretReference
from guesthouse.qemu.image_options import check_encryption

_USAGE = "volume"


def new_passphrase(surroundings: Surroundings, encryption: Encryption | None, format_: str) -> bytes | None:
    """The passphrase for an image that is to be made. Raises `LibvirtError` for encryption that it cannot have."""
    if encryption is None:
        return None
    if len(encryption.secrets) != 1:
        raise LibvirtError(
            "A single <secret type='passphrase'...> element is expected in encryption description",
            code=Code.INVALID_ARG, domain=Origin.STORAGE,
        )  # fmt: skip
    value = _value(surroundings, encryption.secrets[0])
    check_encryption(encryption, format_)
    return value


def passphrase(surroundings: Surroundings, volume: VolumeFacts, named: Encryption | None = None) -> bytes | None:
    """The passphrase of a volume that is there; None where it is not encrypted.

    Raises `LibvirtError` for another encryption than luks, and where there is no secret for it.
    """
    if not volume.encryption:
        return None
    if volume.encryption != "luks":
        raise LibvirtError(
            "encryption format of inputvol must be LUKS", code=Code.CONFIG_UNSUPPORTED, domain=Origin.STORAGE
        )
    if named is not None and named.secrets:
        return _value(surroundings, named.secrets[0])
    uuid = secret_uuid(surroundings, volume)
    if uuid is None:
        raise LibvirtError(
            "no secret provided for luks encryption", code=Code.XML_ERROR, domain=Origin.STORAGE,
            hint=f"define a secret for the volume {volume.path}",
        )  # fmt: skip
    return _value(surroundings, new(SecretReference, type="passphrase", uuid=uuid))


def secret_uuid(surroundings: Surroundings, volume: VolumeFacts) -> str | None:
    """The UUID of the secret that opens an encrypted volume, where there is one."""
    if not volume.encryption or surroundings.secret_uuid is None:
        return None
    return surroundings.secret_uuid(volume.path)


def _value(surroundings: Surroundings, reference: SecretReference) -> bytes:
    if surroundings.secret is None:
        raise LibvirtError("there are no secrets in this daemon", code=Code.NO_SECRET, domain=Origin.STORAGE)
    return surroundings.secret(_USAGE, reference)
