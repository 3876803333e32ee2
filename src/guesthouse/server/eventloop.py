"""Loads asyncio without OpenSSL.

asyncio imports `ssl` for its own TLS transports, which this daemon does not use: its connections are raw sockets.
OpenSSL would cost 4 MB of memory and a tenth of the time that the daemon needs to start. asyncio does without `ssl` by
design; whoever imports `ssl` later gets the real one.
"""

from __future__ import annotations

import importlib
import sys


def load() -> None:
    """Import asyncio. Does nothing special where asyncio or `ssl` is loaded already."""
    if {"ssl", "asyncio"} & sys.modules.keys():
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # this is how an import is made to fail
    try:
        importlib.import_module("asyncio")
    finally:
        del sys.modules["ssl"]
