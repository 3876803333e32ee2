"""Running `qemu-img` for what takes its time: with progress, with secrets, and never longer than the daemon lives.

What takes long dies with the daemon (`setpriv --pdeathsig`), so that nothing goes on writing when nobody knows of it
any more. Secrets are handed over in memory that only the child reads, never on its command line.

Source: QEMU's `docs/tools/qemu-img.rst` (`-p`, `--object secret`, `--image-opts`).
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final

from guesthouse.errors import Code, LibvirtError, Origin
from guesthouse.host.child import run
from guesthouse.qemu.images import QEMU_IMG

#: Seconds without a word after which it is ended: `qemu-img -p` speaks at every hundredth of the way.
SILENCE: Final = 1800.0
_ENVIRONMENT: Final = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
_PROGRESS: Final = re.compile(rb"\(([0-9]+)\.([0-9]+)/100%\)")
_WORDS_MAX: Final = 1000

Report = Callable[[int, int], None]


class ImageRunError(LibvirtError):
    """A program that works on images ended badly."""

    code = Code.INTERNAL_ERROR
    domain = Origin.STORAGE

    def say_instead(self, hidden: str, name: str) -> None:
        """Have the complaint speak of the name that an image would have got, not of its hidden one."""
        self.detail = self.detail.replace(hidden, name)
        self.args = (self.message,)


@functools.lru_cache(maxsize=1)
def _mortal() -> tuple[str, ...]:
    """The words that make a child die with the daemon, where the host has the program for it (util-linux)."""
    return ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()


async def run_image_tool(
    *words: str,
    secrets: Mapping[str, bytes] | None = None,
    report: Report | None = None,
    total: int = 0,
    program: str = QEMU_IMG,
    silence: float = SILENCE,
    mortal: bool = True,
) -> None:
    """Run `qemu-img` (or another program) with these words; nobody else may read what it makes.

    A `mortal` one dies with the daemon. What takes an instant, and should not be cut off in it, is not.

    `secrets` are its objects by id; `report` gets the progress, in parts of `total` bytes. Raises `ImageRunError` with
    its complaint, `guesthouse.host.child.ChildError`.
    """
    with ExitStack() as cleanup:
        argv = [*(_mortal() if mortal else ()), program, *words[:1]]
        descriptors = []
        for name, value in (secrets or {}).items():
            descriptors.append(_memory(value, cleanup))
            argv += ["--object", f"secret,id={name},file=/proc/self/fd/{descriptors[-1]}"]
        argv += words[1:]
        finished = await run(
            argv,
            deadline=silence,
            env=_ENVIRONMENT,
            pass_fds=descriptors,
            umask=0o077,
            heard=functools.partial(_heard, report, total),
        )
    if not finished.ok:
        said = "; ".join(line.removeprefix(f"{program}: ") for line in finished.error_text.splitlines())
        raise ImageRunError(f"Child process ({program} {words[0]}) unexpected {finished.exit}: {said[-_WORDS_MAX:]}")


def _memory(value: bytes, cleanup: ExitStack) -> int:
    descriptor = os.memfd_create("secret", os.MFD_CLOEXEC)
    cleanup.callback(os.close, descriptor)
    os.write(descriptor, value)
    return descriptor


def _heard(report: Report | None, total: int, data: bytes) -> None:
    if report is None:
        return
    found = _PROGRESS.findall(data)
    if found:
        whole, part = found[-1]
        report(int(total * float(b"%b.%b" % (whole, part)) / 100), total)
