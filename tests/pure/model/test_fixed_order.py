"""What messages list stands in the same order in every run of the daemon."""

from __future__ import annotations

import os
import subprocess
import sys

_PRINT_KINDS = """
import gc, importlib, pkgutil
import guesthouse.model
from guesthouse.model.kinds import Kind
for found in pkgutil.walk_packages(guesthouse.model.__path__, "guesthouse.model."):
    importlib.import_module(found.name)
print(sorted({kind.name for kind in gc.get_objects() if isinstance(kind, Kind)}))
"""


def test_the_values_that_an_element_takes() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", _PRINT_KINDS],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert "one of destroy, restart" in told[0]
    assert told[0] == told[1]
