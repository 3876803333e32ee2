"""Children that must not outlive the daemon: the kernel kills them when it dies, however it dies.

Source: setpriv(1), `--pdeathsig`; PR_SET_PDEATHSIG(2const). The thread that starts them must live as long as the
daemon, as that of the event loop does.
"""

from __future__ import annotations

import functools
import shutil
from typing import Final

_GUARD: Final = ("setpriv", "--pdeathsig", "KILL", "--")


@functools.lru_cache(maxsize=1)
def mortal() -> tuple[str, ...]:
    """The words before a command that make it die with us; none on a host without the program (util-linux)."""
    return _GUARD if shutil.which(_GUARD[0]) else ()
