"""The sealing of values: what is sealed opens again, with the same key and for the same secret only."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guesthouse.drivers.secret.vault import KEY_SIZE, Vault
from guesthouse.errors import LibvirtError

ONE, OTHER = "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f", "0a81f5b2-8403-7b23-c8d6-21ccc2f80d70"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "folder/key")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=65536))
def test_what_is_sealed_opens_again(vault: Vault, value: bytes) -> None:
    sealed = vault.seal(ONE, value)
    assert vault.open(ONE, sealed) == value
    assert sealed != vault.seal(ONE, value)


def test_a_value_belongs_to_its_secret(vault: Vault) -> None:
    sealed = vault.seal(ONE, b"open sesame")
    with pytest.raises(LibvirtError, match="was not sealed for it"):
        vault.open(OTHER, sealed)
    for broken in (sealed[:-10] + b"AAAA" + sealed[-6:], sealed[:30], b"", b"guesthouse-secret-1 ???\n"):
        with pytest.raises(LibvirtError, match=ONE):
            vault.open(ONE, broken)


def test_the_key_is_made_once_and_private(vault: Vault) -> None:
    vault.load()
    assert not vault.has_key
    sealed = vault.seal(ONE, b"value")
    assert not vault.path.exists()  # not before it is needed on disk
    vault.save()
    assert (vault.path.stat().st_mode & 0o777, vault.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    key = vault.path.read_bytes()
    assert len(key) == KEY_SIZE
    vault.save()
    again = Vault(vault.path)
    again.load()
    assert again.open(ONE, sealed) == b"value"
    assert vault.path.read_bytes() == key


def test_a_key_that_others_can_read_is_made_private(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    vault.path.parent.mkdir()
    vault.path.write_bytes(bytes(KEY_SIZE))
    vault.path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        vault.load()
    assert vault.has_key
    assert vault.path.stat().st_mode & 0o777 == 0o600
    assert "others could read" in caplog.text


def test_a_key_is_never_replaced(vault: Vault) -> None:
    vault.seal(ONE, b"value")
    vault.path.parent.mkdir()
    vault.path.write_bytes(bytes(KEY_SIZE))
    with pytest.raises(LibvirtError, match="is not the key of secrets that is in use"):
        vault.save()
    assert vault.path.read_bytes() == bytes(KEY_SIZE)


@pytest.mark.parametrize("content", [b"", b"short", bytes(KEY_SIZE + 1)])
def test_what_is_no_key_is_not_used(vault: Vault, content: bytes) -> None:
    vault.path.parent.mkdir()
    vault.path.write_bytes(content)
    vault.load()
    for call in (lambda: vault.seal(ONE, b"value"), lambda: vault.open(ONE, b"sealed"), vault.save):
        with pytest.raises(LibvirtError, match="does not hold 32 bytes"):
            call()
    assert vault.path.read_bytes() == content


def test_a_planted_link_is_not_followed(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(bytes(KEY_SIZE))
    vault.path.parent.mkdir()
    vault.path.symlink_to(tmp_path / "elsewhere")
    vault.load()
    assert not vault.has_key


def test_a_lost_key_is_told(vault: Vault) -> None:
    sealed = vault.seal(ONE, b"value")
    lost = Vault(vault.path)
    lost.load()
    with pytest.raises(LibvirtError, match=f"the key of secrets '{vault.path}' cannot be used: it is not there"):
        lost.open(ONE, sealed)
