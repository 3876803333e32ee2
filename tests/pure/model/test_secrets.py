"""References to secrets, and values that only the QEMU with the key can read."""

import base64
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from guesthouse.errors import Code, LibvirtError, XmlError
from guesthouse.model.binding import Reading, new, read
from guesthouse.model.domain.secrets import (
    MASTER_KEY_SIZE,
    Auth,
    SecretReference,
    no_secret,
    sealer,
    secret_object,
)

UUID = "55555555-1234-4678-9abc-0123456789ab"


def opened(key: bytes, data: str, vector: str) -> bytes:
    """What QEMU reads: the cipher without its padding."""
    decryptor = Cipher(algorithms.AES256(key), modes.CBC(base64.b64decode(vector))).decryptor()
    padded = decryptor.update(base64.b64decode(data)) + decryptor.finalize()
    assert padded.endswith(bytes([padded[-1]]) * padded[-1])
    return padded[: -padded[-1]]


@given(st.binary(max_size=100), st.binary(min_size=MASTER_KEY_SIZE, max_size=MASTER_KEY_SIZE))
def test_what_is_sealed_is_read_with_the_key(value: bytes, key: bytes) -> None:
    assert opened(key, *sealer(key)(value)) == value


def test_every_seal_has_a_vector_of_its_own() -> None:
    seal = sealer(bytes(MASTER_KEY_SIZE))
    assert seal(b"same") != seal(b"same")


def test_the_object_names_the_key_and_not_the_value() -> None:
    made = secret_object("libvirt-1-format-encryption-secret0", b"open sesame", sealer(bytes(MASTER_KEY_SIZE)))
    assert "sesame" not in made.arguments()[1]
    assert base64.b64encode(b"open sesame").decode() not in made.arguments()[1]
    assert made.props["keyid"] == "masterKey0"
    assert made.props["format"] == "base64"


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ("<secret type='ceph'/>", "missing secret uuid or usage attribute"),
        (f"<secret usage='a' uuid='{UUID}'/>", "either secret uuid or usage expected"),
        ("<secret uuid='nothing'/>", "uuid"),
    ],
)
def test_a_reference_names_one_secret(xml: str, text: str) -> None:
    with pytest.raises(XmlError, match=text):
        read(SecretReference, etree.fromstring(xml), Reading())


@pytest.mark.parametrize("xml", ["<auth username='me'/>", f"<auth><secret uuid='{UUID}'/></auth>"])
def test_a_login_has_a_name_and_a_secret(xml: str) -> None:
    with pytest.raises(XmlError):
        read(Auth, etree.fromstring(xml), Reading())


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (new(SecretReference, uuid=UUID), f"Secret not found: no secret with matching uuid '{UUID}'"),
        (new(SecretReference, usage="me"), "Secret not found: no secret with matching usage 'me'"),
    ],
)
def test_without_secrets_none_is_found(reference: SecretReference, text: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        no_secret("ceph", reference)
    assert (caught.value.code, caught.value.message) == (Code.NO_SECRET, text)


def test_a_guest_without_secrets_does_not_load_the_library() -> None:
    code = "import sys, guesthouse.drivers.domain.driver; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
