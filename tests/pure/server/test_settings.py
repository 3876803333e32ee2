from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from guesthouse.server.settings import REFUSED, Plain, Settings, SettingsError, from_text, load


def test_absent_file_means_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "libvirtd.conf") == Settings()


def test_a_named_file_has_to_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no file"):
        load(tmp_path / "libvirtd.conf", required=True)


def test_honoured_values_arrive(tmp_path: Path) -> None:
    path = tmp_path / "libvirtd.conf"
    path.write_text('max_clients = 7\nunix_sock_rw_perms = "0770"\nkeepalive_interval = -1\nlog_level = 1\n')
    settings = load(path)
    assert (settings.max_clients, settings.unix_sock_rw_perms) == (7, "0770")
    assert (settings.keepalive_interval, settings.log_level, settings.max_client_requests) == (-1, 1, 5)


@pytest.mark.parametrize("entry", fields(Settings), ids=lambda entry: entry.name)
def test_every_key_is_described_and_takes_its_default(entry: object) -> None:
    name, default = entry.name, entry.default  # type: ignore[attr-defined]
    assert entry.metadata["meaning"]  # type: ignore[attr-defined]
    assert name not in REFUSED
    value = default if isinstance(default, int) else f'"{default}"'
    assert from_text(f"{name} = {value}", "x") == Settings()


def written(value: Plain) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return str(value) if isinstance(value, int) else f'"{value}"'


@pytest.mark.parametrize("key", REFUSED)
def test_refused_keys_name_themselves_line_and_next_step(key: str) -> None:
    refused = REFUSED[key]
    for value in refused.accepted:
        assert from_text(f"{key} = {written(value)}", "x") == Settings()
    first = refused.accepted[0]
    other: Plain = 77 if isinstance(first, int) else ("other",) if isinstance(first, tuple) else "other"
    with pytest.raises(SettingsError) as caught:
        from_text(f"\n{key} = {written(other)}", "x.conf")
    assert caught.value.message.startswith(f"unsupported configuration: x.conf:2: {key} = ")
    assert caught.value.hint in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_clinets = 5", "x.conf:1: unknown key 'max_clinets' (did you mean 'max_clients'?)"),
        ('max_clients = "5"', "x.conf:1: expected an integer for 'max_clients' parameter"),
        ("unix_sock_group = 5", "x.conf:1: expected a string for 'unix_sock_group' parameter"),
        ("access_drivers = 5", "x.conf:1: expected a string list for 'access_drivers' parameter"),
        ("access_drivers = [ 5 ]", "x.conf:1: expected a string list for 'access_drivers' parameter"),
        ("max_clients = 0", "x.conf:1: max_clients must be greater than 0"),
        ("max_clients = -1", "x.conf:1: max_clients must be greater than 0"),
        ("keepalive_count = -1", "x.conf:1: keepalive_count must be from 0 to 4294967295"),
        ("keepalive_interval = -2", "x.conf:1: keepalive_interval must be -1"),
        ("log_level = 9", "x.conf:1: log_level must be"),
        ('unix_sock_ro_perms = "rwx"', "x.conf:1: unix_sock_ro_perms must be an octal mode"),
        ('unix_sock_ro_perms = "7777"', "x.conf:1: unix_sock_ro_perms must be an octal mode"),
        ('unix_sock_dir = "run"', "x.conf:1: unix_sock_dir must be an absolute path"),
        ('auth_unix_rw = "polkit"', 'x.conf:1: auth_unix_rw "polkit" is not there yet'),
        ('auth_unix_ro = "sasl"', 'x.conf:1: auth_unix_ro "sasl" is not there yet'),
        ('auth_unix_ro = "nis"', "x.conf:1: auth_unix_ro unsupported auth nis"),
        ('host_uuid = "11111111-1111-1111-1111-111111111111"', "x.conf:1: host_uuid must not have all digits the same"),
        ('host_uuid = "abc"', "x.conf:1: host_uuid is not a UUID"),
        ('host_uuid_source = "dice"', "x.conf:1: host_uuid_source must be"),
    ],
)
def test_wrong_values(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        from_text(text, "x.conf")
    assert message in caught.value.message


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        load(tmp_path)
