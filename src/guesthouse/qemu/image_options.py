"""The words of `qemu-img` for a new image: its format, its options, its encryption.

Source: QEMU's `docs/tools/qemu-img.rst`, `BlockdevCreateOptionsQcow2` and `BlockdevCreateOptionsLUKS` in its
`qapi/block-core.json`; which option a volume's document stands for: https://libvirt.org/formatstorage.html.
"""

from __future__ import annotations

from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.domain.devices.disk.encryption import Encryption
from guesthouse.model.volume import Volume

#: What the formats of volumes are called where `qemu-img` has another name.
_DRIVERS: Final = {"iso": "raw", "vhd": "vhdx", "none": "raw", "": "raw"}

#: The id of the secret of the image that is made, and of the one that is read.
VOLUME_KEY: Final = "volume"
SOURCE_KEY: Final = "source"

_KILOBYTE: Final = 1024


def driver(format_: str, encryption: str = "") -> str:
    """QEMU's driver for an image of this format; a raw one that is encrypted has one of its own."""
    found = _DRIVERS.get(format_, format_)
    return "luks" if found == "raw" and encryption else found


def escape(value: str) -> str:
    """A value among others that commas separate."""
    return value.replace(",", ",,")


def rounded(size: int, unit: int) -> int:
    """The next multiple of a unit."""
    return -(-size // unit) * unit


def create_size(size: int) -> str:
    """A size as `qemu-img create` takes it; it is made of whole kilobytes."""
    return f"{rounded(size, _KILOBYTE) // _KILOBYTE}K"


def image_options(path: str, driver_: str, secret: str = "") -> str:
    """An image for `--image-opts`; `secret` is the id of what opens it."""
    words = [f"driver={driver_}", f"file.filename={escape(path)}"]
    if secret:
        words.append(f"{_prefix(driver_)}key-secret={secret}")
    return ",".join(words)


def create_options(volume: Volume, driver_: str, *, metadata: bool, backed: bool) -> list[str]:
    """The options of a new image as `-o` takes them. `metadata` prepares it for its whole size; `backed` is one that
    lies on another.

    Raises `UnsupportedConfigError` for those that the format does not have.
    """
    _check(volume, driver_, metadata=metadata, backed=backed)
    target = volume.target
    words = []
    if backed and volume.backing is not None:
        words.append(f"backing_fmt={driver(volume.backing.format.type if volume.backing.format else 'raw')}")
    if target is not None and target.encryption is not None:
        words += encryption_options(target.encryption, driver_)
    if metadata:
        capacity = volume.capacity.bytes_ if volume.capacity is not None else 0
        allocation = volume.allocation.bytes_ if volume.allocation is not None else capacity
        sparse = rounded(capacity, _KILOBYTE) > rounded(allocation, _KILOBYTE)
        words.append(f"preallocation={'metadata' if sparse else 'falloc'}")
    if target is not None and target.nocow:
        words.append("nocow=on")
    if driver_ == "qcow2":
        words += _qcow2(volume)
    return words


def _qcow2(volume: Volume) -> list[str]:
    target = volume.target
    words = [f"compat={(target.compat if target is not None else None) or '1.1'}"]
    if target is not None and target.cluster_size is not None:
        words.append(f"cluster_size={target.cluster_size.bytes_}")
    if target is not None and target.features is not None:
        if target.features.lazy_refcounts:
            words.append("lazy_refcounts=on")
        if target.features.extended_l2:
            words.append("extended_l2=on")
    return words


def _check(volume: Volume, driver_: str, *, metadata: bool, backed: bool) -> None:
    target = volume.target
    qcow2 = driver_ == "qcow2"
    if metadata and not qcow2:
        raise _unsupported("metadata preallocation only available with qcow2")
    if target is not None and target.compat is not None and not qcow2:
        raise _unsupported("compatibility option only available with qcow2")
    if target is not None and target.features is not None and not qcow2:
        raise _unsupported("format features only available with qcow2")
    if backed and driver_ in ("raw", "luks"):
        raise _unsupported("cannot set backing store for raw volume")
    if backed and metadata:
        raise _unsupported("metadata preallocation conflicts with backing store")
    if target is not None and target.features is not None and target.compat == "0.10":
        if target.features.lazy_refcounts:
            raise _unsupported("lazy_refcounts not supported with compat level 0.10")
        if target.features.extended_l2:
            raise _unsupported("'extended_l2' not supported with compat level 0.10")
    if target is not None and target.encryption is not None:
        check_encryption(target.encryption, target.format.type if target.format is not None else "raw")


def check_encryption(encryption: Encryption, format_: str) -> None:
    """Raise a `LibvirtError` for encryption that a new image of this format cannot have."""
    if encryption.format in ("qcow", "default") and format_ in ("qcow", "qcow2"):
        raise _unsupported("creation of qcow2 encrypted image is not supported")
    if format_ not in ("raw", "qcow2"):
        raise _unsupported(f"volume encryption unsupported with format {format_}")
    if encryption.format != "luks":
        raise _unsupported(f"unsupported volume encryption format {encryption.format}")
    if len(encryption.secrets) != 1:
        many = "too many secrets for" if encryption.secrets else "no secret provided for"
        raise LibvirtError(f"{many} luks encryption", code=Code.XML_ERROR, domain=Origin.STORAGE)


def encryption_options(encryption: Encryption, driver_: str) -> list[str]:
    """The options of a new image that is encrypted."""
    prefix = _prefix(driver_)
    words = [f"{prefix}key-secret={VOLUME_KEY}"]
    if driver_ == "qcow2":
        words.insert(0, "encrypt.format=luks")
    cipher, ivgen = encryption.cipher, encryption.ivgen
    if cipher is None:
        return words
    words.append(f"{prefix}cipher-alg={escape(cipher.name)}-{cipher.size}")
    if cipher.mode:
        words.append(f"{prefix}cipher-mode={escape(cipher.mode)}")
    if cipher.hash:
        words.append(f"{prefix}hash-alg={escape(cipher.hash)}")
    if ivgen is not None:
        words.append(f"{prefix}ivgen-alg={escape(ivgen.name)}")
        if ivgen.hash:
            words.append(f"{prefix}ivgen-hash-alg={escape(ivgen.hash)}")
    return words


def _prefix(driver_: str) -> str:
    return "encrypt." if driver_ == "qcow2" else ""


def _unsupported(text: str) -> UnsupportedConfigError:
    return UnsupportedConfigError(text, domain=Origin.STORAGE)
