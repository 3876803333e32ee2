from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from guesthouse.server.log import (
    DatagramHandler,
    Filter,
    Log,
    Output,
    journal_packet,
    parse_filters,
    parse_outputs,
    syslog_packet,
)
from guesthouse.server.settings import SettingsError


@pytest.fixture
def writer() -> Iterator[Log]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    made = Log()
    yield made
    made.close()
    root.handlers[:] = before
    root.setLevel(level)


def test_filters() -> None:
    assert parse_filters("1:qemu 4:+rpc") == (Filter(logging.DEBUG, "*qemu*"), Filter(logging.ERROR, "*rpc*"))
    for wrong in ("qemu", "5:qemu", "1:", "0:x"):
        with pytest.raises(SettingsError, match="log_filters"):
            parse_filters(wrong)


def test_outputs() -> None:
    assert parse_outputs("3:stderr 1:file:/var/log/x") == (
        Output(logging.WARNING, "stderr"),
        Output(logging.DEBUG, "file", "/var/log/x"),
    )
    for wrong in ("stderr", "9:stderr", "1:file", "1:file:x", "1:paper", "1:stderr:x", "1:syslog"):
        with pytest.raises(SettingsError, match="log_outputs"):
            parse_outputs(wrong)


def test_levels_filters_and_plain_lines(tmp_path: Path, writer: Log) -> None:
    path = tmp_path / "log"
    outputs = (Output(logging.NOTSET, "file", str(path)),)
    writer.configure(logging.WARNING, (Filter(logging.DEBUG, "*server*"),), outputs, as_json=False)
    logging.getLogger("guesthouse.qemu").info("too quiet")
    logging.getLogger("guesthouse.server.x").debug("chatty %d", 3)
    logging.getLogger("guesthouse.qemu").error("loud")
    writer.close()
    lines = path.read_text().splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == ["debug : server.x : chatty 3", "error : qemu : loud"]


def test_json_lines(tmp_path: Path, writer: Log) -> None:
    path = tmp_path / "log"
    writer.configure(logging.INFO, (), (Output(logging.NOTSET, "file", str(path)),), as_json=True)
    try:
        raise ValueError("no\nway")
    except ValueError:
        logging.getLogger("guesthouse.server").exception("went wrong")
    writer.close()
    [line] = [json.loads(line) for line in path.read_text().splitlines()]
    assert (line["level"], line["part"], line["message"]) == ("error", "server", "went wrong")
    assert "no\nway" in line["traceback"]


def test_an_output_that_cannot_be_opened_is_named(writer: Log) -> None:
    with pytest.raises(SettingsError, match="cannot log to file /proc/nowhere/x"):
        writer.configure(logging.INFO, (), (Output(0, "file", "/proc/nowhere/x"),), as_json=False)


def test_datagrams(tmp_path: Path) -> None:
    assert syslog_packet("gh", 4, b"text") == b"<28>gh: text"
    assert journal_packet("gh", 3, b"a\nb") == (b"PRIORITY=3\nSYSLOG_IDENTIFIER=gh\nMESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "log"))
        handler = DatagramHandler(str(tmp_path / "log"), syslog_packet, "gh")
        handler.emit(logging.LogRecord("x", logging.ERROR, "", 0, "no %s", ("way",), None))
        assert there.recv(100) == b"<27>gh: no way"
        handler.close()
    lost = DatagramHandler(str(tmp_path / "gone"), syslog_packet, "gh")
    lost.emit(logging.LogRecord("x", logging.ERROR, "", 0, "nobody", (), None))
    lost.close()
