"""The directories that are made for helper programs, which may lie where others write."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from guesthouse.drivers.domain.helpers.launching import _is_empty_directory
from guesthouse.errors import OperationFailedError

ME = pwd.getpwuid(os.getuid()).pw_name


def test_made_private_and_told_whether_it_is_empty(tmp_path: Path) -> None:
    state = tmp_path / "tpm" / "state"
    assert _is_empty_directory(state, ME)
    assert state.stat().st_mode & 0o777 == 0o700
    (state / "tpm2-00.permall").touch()
    assert not _is_empty_directory(state, ME)


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user")
def test_nothing_of_somebody_elses_is_given_away(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "shadow").touch()
    link = tmp_path / "link"
    link.symlink_to(theirs)
    with pytest.raises(OperationFailedError, match="cannot use the directory"):
        _is_empty_directory(link, "nobody")
    state = tmp_path / "state"
    state.mkdir()
    (state / "own").touch()
    (state / "second-name").hardlink_to(theirs / "shadow")
    _is_empty_directory(state, "nobody")
    assert (theirs / "shadow").owner() == "root"
    assert (state / "own").owner() == "nobody"
