"""Encrypted images: the format of the encryption, who decrypts, and the secrets.

Source: https://libvirt.org/formatstorageencryption.html.
"""

from __future__ import annotations

from guesthouse.errors import UnsupportedConfigError, XmlError
from guesthouse.model.binding import attr, element, many, one, opt
from guesthouse.model.domain.secrets import SecretReference
from guesthouse.model.kinds import TEXT, UINT, one_of


@element("cipher")
class Cipher:
    """How a volume is to be encrypted when it is made. An image says this by itself."""

    name: str = attr(TEXT)
    size: int = attr(UINT)
    mode: str | None = opt(TEXT)
    hash: str | None = opt(TEXT)


@element("ivgen")
class IvGenerator:
    """How the initialization vectors come about, when a volume is made."""

    name: str = attr(TEXT)
    hash: str | None = opt(TEXT)


@element("encryption")
class Encryption:
    """The encryption of one image. `engine` is who decrypts: QEMU itself, or Ceph's library."""

    format: str = attr(one_of("default", "qcow", "luks", "luks2", "luks-any"))
    engine: str | None = opt(one_of("qemu", "librbd"))
    secrets: list[SecretReference] = many(SecretReference)
    cipher: Cipher | None = one(Cipher)
    ivgen: IvGenerator | None = one(IvGenerator)

    def parsed(self) -> None:
        """The secrets are passphrases; only LUKS has ciphers to choose."""
        for secret in self.secrets:
            if secret.type is None:
                raise XmlError("unknown volume encryption secret type")
            if secret.type != "passphrase":
                raise UnsupportedConfigError(f"unknown volume encryption secret type {secret.type}")
        if self.ivgen is not None and self.cipher is None:
            raise XmlError("ivgen element found, but cipher is missing")

    def check(self, image_format: str | None, *, on_rbd: bool) -> None:
        """Raise `UnsupportedConfigError` for what QEMU or Ceph's library cannot decrypt in an image of this format."""
        if self.cipher is not None:
            raise UnsupportedConfigError("supplying <cipher> for domain disk definition is unnecessary")
        if self.format in ("default", "qcow"):
            raise UnsupportedConfigError("old qcow/qcow2 encryption is not supported")
        if self.engine == "librbd":
            if not on_rbd:
                raise UnsupportedConfigError("librbd encryption is supported only with RBD backed disks")
            return
        if self.format != "luks":
            raise UnsupportedConfigError(f"'{self.format}' is currently not supported by the qemu encryption engine")
        if image_format not in ("raw", "qcow2"):
            raise UnsupportedConfigError("encryption is supported only with 'raw' and 'qcow2' image format")
        if len(self.secrets) > 1:
            raise UnsupportedConfigError("qemu encryption engine expects only a single secret")

    @property
    def in_qemu(self) -> bool:
        """Whether QEMU decrypts."""
        return self.engine != "librbd"
