"""Child processes of tests end with them, whatever becomes of the test."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.children import running_child
from tests.support.daemon import Daemon
from tests.support.tiny_console import console

SAYS = "print('said', flush=True); input()"


def test_a_child_that_is_in_the_middle_of_something() -> None:
    before = set(os.listdir("/proc/self/fd"))
    with running_child([sys.executable, "-c", SAYS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "said\n"
    assert child.returncode == -9
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_console_that_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is left for a later test to be blamed for."""
    client = tmp_path / "virsh"
    client.write_text("#!/bin/sh\necho cannot\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(AssertionError, match="cannot"), console(Daemon(tmp_path), "web"):
        pass
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) == before
