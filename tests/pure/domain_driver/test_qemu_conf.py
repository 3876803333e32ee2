"""`qemu.conf`: what is honoured, what falls back to what, and what is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.drivers.domain import qemu_conf
from guesthouse.errors import Code, LibvirtError
from guesthouse.model.domain.host_settings import UNCHANGED, HostSettings


def _read(tmp_path: Path, text: str) -> qemu_conf.QemuConf:
    (tmp_path / "qemu.conf").write_text(text)
    return qemu_conf.read(tmp_path)


def test_no_file_and_an_empty_file_change_nothing(tmp_path: Path) -> None:
    assert qemu_conf.read(tmp_path) == qemu_conf.QemuConf(UNCHANGED)
    assert _read(tmp_path, "# nothing\n") == qemu_conf.QemuConf(UNCHANGED)


def test_keys_are_honoured(tmp_path: Path) -> None:
    found = _read(tmp_path, 'vnc_listen = "0.0.0.0"\nvnc_tls = 1\nspice_password = "abc"\ndump_guest_core = 1\n')
    assert found.vnc_listen == "0.0.0.0"
    assert found.settings == HostSettings(vnc_tls=True, spice_password="abc", dump_guest_core=True)


def test_what_is_said_for_all_holds_where_nothing_else_is_said(tmp_path: Path) -> None:
    found = _read(
        tmp_path,
        'default_tls_x509_cert_dir = "/pki"\nvnc_tls_x509_cert_dir = "/vnc"\ndefault_tls_x509_verify = 1\n'
        'chardev_tls_x509_verify = 0\ndefault_tls_x509_secret_uuid = "00000000-0000-0000-0000-000000000000"\n'
        'nbd_tls_x509_secret_uuid = "6fd3f62d-9fe7-4a4e-a869-7acd6376d8ea"\n',
    ).settings
    assert (found.vnc_tls_x509_cert_dir, found.spice_tls_x509_cert_dir) == ("/vnc", "/pki")
    assert (found.vnc_tls_x509_verify, found.chardev_tls_x509_verify) == (True, False)
    assert (found.vnc_tls_x509_secret_uuid, found.nbd_tls_x509_secret_uuid) == (
        None,
        "6fd3f62d-9fe7-4a4e-a869-7acd6376d8ea",
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("vnc_tls = 2", "qemu.conf:1: vnc_tls must be 0 or 1"),
        ('vnc_tls = "yes"', "vnc_tls must be 0 or 1"),
        ('memory_backing_dir = "ram"', "memory_backing_dir must be an absolute path"),
        ("spice_listen = 1", "spice_listen must be a string"),
        ("gluster_debug_level = 12", "a number from 0 to 9"),
        ('security_driver = "selinux"', "security_driver = 'selinux' is not supported"),
        ("max_core = 0", "max_core is not supported"),
        ("warp = 9", "warp is not supported"),
    ],
)
def test_the_rest_is_refused_by_name(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        _read(tmp_path, line + "\n")
    assert words in str(caught.value)
    assert caught.value.code == Code.CONFIG_UNSUPPORTED


def test_what_is_so_anyway_is_accepted(tmp_path: Path) -> None:
    found = _read(tmp_path, 'security_driver = "none"\nstorage_use_nbdkit = 0\nmax_queued = 0\n')
    assert found.settings == UNCHANGED
