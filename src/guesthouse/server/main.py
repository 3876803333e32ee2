"""`guesthoused`: the command line first, so that `--help` is quick, then the daemon."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from guesthouse.server import eventloop, options

if TYPE_CHECKING:
    from guesthouse.server.daemon import DriverMaker


def main(arguments: Sequence[str] | None = None, makers: Sequence[DriverMaker] | None = None) -> int:
    """Run the daemon; returns its exit status (see `start`).

    `arguments` are without the program's name. `makers` are for tests: the drivers to run instead of `DRIVERS`.
    """
    chosen = options.parse(list(sys.argv[1:] if arguments is None else arguments))
    eventloop.load()
    from guesthouse.server.daemon import DRIVERS
    from guesthouse.server.start import start

    return start(chosen, DRIVERS if makers is None else makers)


if __name__ == "__main__":
    sys.exit(main())
