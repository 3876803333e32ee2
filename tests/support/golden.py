"""Expected texts that stand in files, and the one switch that writes them anew.

`GUESTHOUSE_REGENERATE=1 ./dev test PATHS` writes what the tests find; the difference is then to be reviewed.
"""

from __future__ import annotations

import os
from pathlib import Path

#: Whether the files are to be written instead of compared.
REGENERATE = os.environ.get("GUESTHOUSE_REGENERATE") == "1"


def compare(path: Path, text: str) -> None:
    """Fail unless `path` holds `text`; with `REGENERATE` make it so."""
    if REGENERATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing: set GUESTHOUSE_REGENERATE=1 to write it"
    assert path.read_text(encoding="utf-8") == text
