"""What helper programs of the host can do, by their own word (`--print-capabilities`), asked once a program.

An answer holds until the program's file changes.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil

from guesthouse.errors import LibvirtError
from guesthouse.host.child import run

_DEADLINE = 10.0
#: Where programs lie that nobody starts by hand.
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec:/usr/lib/qemu"


class ProgramFeatures:
    """The features of programs by the words that ask for them."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], tuple[tuple[int, int], frozenset[str]]] = {}

    async def ask(self, *command: str) -> None:
        """Run the command with `--print-capabilities`, unless its answer is known. A program that fails has none."""
        path = shutil.which(command[0], path=SEARCH_PATH)
        if path is None:
            self._known.pop(command, None)
            return
        status = os.stat(path)
        mark = (status.st_ino, status.st_mtime_ns)
        known = self._known.get(command)
        if known is not None and known[0] == mark:
            return
        features: frozenset[str] = frozenset()
        with contextlib.suppress(LibvirtError, ValueError):
            finished = await run([path, *command[1:], "--print-capabilities"], deadline=_DEADLINE)
            answer = json.loads(finished.output)
            if isinstance(answer, dict) and isinstance(answer.get("features"), list):
                features = frozenset(map(str, answer["features"]))
        self._known[command] = (mark, features)

    def of(self, *command: str) -> frozenset[str] | None:
        """What `ask` learnt; None where there is no such program."""
        known = self._known.get(command)
        return known[1] if known is not None else None
