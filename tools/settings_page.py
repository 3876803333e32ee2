"""Writes docs/settings.md: every key of `libvirtd.conf`, what it means here, or which of its values are accepted.

usage: settings_page.py

The page is made from the table that the daemon reads its settings with.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import cast

from guesthouse.server.settings import REFUSED, Plain, Settings

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/settings.md"

OPENING = """# Settings

This page is written by `./dev support` from the daemon's own table; do not edit it.

The daemon reads `libvirtd.conf` ([Running it](running.md) says where) when it starts, and again on SIGHUP. It has
libvirt's keys. A key or value that cannot be honoured keeps the daemon from starting; it names the line and the next
step."""


def written(value: Plain) -> str:
    """A value as it stands in the file."""
    if isinstance(value, tuple):
        return "`[" + ", ".join(map(quote, value)) + "]`"
    return f"`{quote(value) if isinstance(value, str) else value}`"


def quote(text: str) -> str:
    """Text in the file's quotation marks."""
    return f'"{text}"'


def page() -> str:
    """The whole page."""
    honoured = [
        f"| `{entry.name}` | {written(cast('Plain', entry.default))} | {entry.metadata['meaning']} |"
        for entry in fields(Settings)
    ]
    refused = [f"| `{key}` | {', '.join(map(written, one.accepted))} | {one.hint} |" for key, one in REFUSED.items()]
    return "\n".join(
        [
            OPENING,
            "\n## Honoured\n\n| key | default | what it means |\n|---|---|---|",
            *honoured,
            "\n## Accepted at the values that describe what Guesthouse does, refused at others",
            "\n| key | accepted | what to do |\n|---|---|---|",
            *refused,
            "",
        ]
    )


def main() -> None:
    """The command."""
    PAGE.write_text(page())
    print(f"settings: wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
