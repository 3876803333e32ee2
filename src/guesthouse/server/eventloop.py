"""Loads asyncio and uvloop without OpenSSL.

Both import `ssl` for their own TLS transports, which this daemon does not use: its connections are raw sockets. OpenSSL
would cost 4 MB of memory and a tenth of the time that the daemon needs to start. asyncio does without `ssl` by design;
uvloop wants names from it, so it gets some, and whoever imports `ssl` later gets the real one.
"""

from __future__ import annotations

import importlib
import sys
import types


class _Names(types.ModuleType):
    """Stands in for `ssl` while uvloop is being imported: numbers, and classes that nobody makes or catches."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return 0 if name.isupper() else type(name, (Exception,), {})


def load() -> None:
    """Import asyncio and uvloop. Does nothing special where asyncio or `ssl` is loaded already."""
    if not {"ssl", "asyncio", "uvloop"} & sys.modules.keys():
        sys.modules["ssl"] = None  # type: ignore[assignment]  # this is how an import is made to fail
        try:
            importlib.import_module("asyncio")
            sys.modules["ssl"] = _Names("ssl")
            importlib.import_module("uvloop")
        finally:
            del sys.modules["ssl"]
    importlib.import_module("uvloop")
