"""`virtlogd.conf`: the keys about the logs of guests are honoured, others have no effect or are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from guesthouse.drivers.domain import qemu_conf, virtlogd_conf
from guesthouse.errors import Code, LibvirtError
from guesthouse.qemu.log_rotation import LogLimits


def _read(tmp_path: Path, text: str) -> LogLimits:
    (tmp_path / "virtlogd.conf").write_text(text)
    return virtlogd_conf.read(tmp_path)


def test_libvirts_defaults(tmp_path: Path) -> None:
    assert virtlogd_conf.read(tmp_path) == _read(tmp_path, "# nothing\n") == LogLimits(2097152, 3)


def test_keys_are_honoured(tmp_path: Path) -> None:
    assert _read(tmp_path, "max_size = 0\nmax_backups = 32\n") == LogLimits(0, 32)
    assert _read(tmp_path, 'max_age_days = 0\nlog_root = "/var/log/libvirt"\n') == LogLimits()


def test_what_is_of_libvirts_daemon_has_no_effect(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert _read(tmp_path, "max_size = 5\nmax_clients = 9\n") == LogLimits(max_size=5)
    assert "virtlogd.conf:2: max_clients has no effect" in caplog.text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("max_size = -1", "virtlogd.conf:1: max_size must be a number from 0 to 9223372036854775807"),
        ('max_size = "2M"', "max_size must be a number"),
        ("max_backups = 33", "max_backups must be a number from 0 to 32"),
        ("max_age_days = 7", "max_age_days is not supported"),
        ("warp = 9", "warp is not supported"),
    ],
)
def test_the_rest_is_refused_by_name(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(LibvirtError) as caught:
        _read(tmp_path, line + "\n")
    assert words in caught.value.message
    assert caught.value.code == Code.CONFIG_UNSUPPORTED


def test_qemu_conf_can_leave_logs_to_the_host(tmp_path: Path) -> None:
    for line, rotates in (('stdio_handler = "logd"', True), ('stdio_handler = "file"', False)):
        (tmp_path / "qemu.conf").write_text(f"{line}\n")
        assert qemu_conf.read(tmp_path).rotates_logs is rotates
    (tmp_path / "qemu.conf").write_text('stdio_handler = "pipe"\n')
    with pytest.raises(LibvirtError, match=r'stdio_handler must be "logd" or "file"'):
        qemu_conf.read(tmp_path)
