"""Tells the same story to two daemons and compares what came of it."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.children import running_child
from tests.support.daemon import SYSTEM_PYTHON
from tests.support.tiny import KERNEL

STORY = "tests.support.peer_story"
ROOT = Path(__file__).parents[2]
DEADLINE = 110.0

_REFUSED = re.compile(r"error (\d+) of (\d+): (.*)", re.DOTALL)
_HINTS = re.compile(r"(?m)^(error: .*) \([^()]*\)$")
_HINT = re.compile(r" \([^()]*\)$")


@dataclass(frozen=True, slots=True)
class Difference:
    """A step whose results differ: what libvirtd's was and what ours was."""

    step: str
    theirs: str
    ours: str

    def __str__(self) -> str:
        return f"{self.step}\n  libvirtd:    {self.theirs}\n  guesthoused: {self.ours}"


def tell(uris: Iterable[tuple[str, str]], folder: Path, *chapters: str) -> list[dict[str, str]]:
    """What came of the story with each daemon, told to all at once: pairs of URI and prefix of the guests' names."""
    running = []
    told = []
    with contextlib.ExitStack() as cleanup:
        for uri, prefix in uris:
            place = folder / prefix
            place.mkdir(exist_ok=True)
            argv = [SYSTEM_PYTHON, "-m", STORY, uri, prefix, str(place), str(KERNEL), *chapters]
            process = cleanup.enter_context(running_child(argv, cwd=ROOT, stdout=subprocess.PIPE))
            running.append((place, process))
        for place, process in running:
            output = process.communicate(timeout=DEADLINE)[0]
            assert process.returncode == 0
            told.append(_numbered(json.loads(line) for line in output.replace(str(place), "FOLDER").splitlines()))
    return told


def compare(theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[Difference]:
    """The steps whose results differ. A hint at the end of our error is none, nor are two ways to refuse a definition:
    ours name the value, its line and what is allowed.
    """
    steps = dict.fromkeys((*theirs, *ours))
    found = (Difference(step, theirs.get(step, "nothing"), ours.get(step, "nothing")) for step in steps)
    return [one for one in found if not _same(one)]


def unexpected(differences: Iterable[Difference], allowed: Mapping[str, str]) -> list[Difference]:
    """The differences for which no pattern of `allowed` gives a reason."""
    return [one for one in differences if not any(fnmatch.fnmatchcase(one.step, pattern) for pattern in allowed)]


def _same(one: Difference) -> bool:
    if one.theirs == one.ours:
        return True
    if one.theirs == _HINTS.sub(r"\1", one.ours):
        return True
    theirs, ours = _REFUSED.fullmatch(one.theirs), _REFUSED.fullmatch(one.ours)
    if theirs is None or ours is None:
        return False
    if one.step.startswith("define:"):
        return True
    return theirs.groups() == (*ours.groups()[:2], _HINT.sub("", ours[3]))


def _numbered(chapters: Iterable[list[list[str]]]) -> dict[str, str]:
    """The steps by name; one that comes again has a number."""
    found: dict[str, str] = {}
    for chapter in chapters:
        for name, result in chapter:
            step, number = name, 1
            while step in found:
                number += 1
                step = f"{name} ({number})"
            found[step] = result
    return found
