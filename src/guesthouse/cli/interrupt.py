"""The interrupt as a way out of waiting, wherever the command runs."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class Interruptible:
    """While it is open, an interrupt raises KeyboardInterrupt.

    As virsh: a shell starts what runs in the background with the interrupt ignored, and here it is the way out.
    """

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self._before)
