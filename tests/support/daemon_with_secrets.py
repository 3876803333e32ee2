"""Runs guesthoused with one secret: `python daemon_with_secrets.py guesthoused --root ROOT OPTION...`.

Its UUID is `UUID`, its value `VALUE`; it is there as libvirt would have left it. See `Daemon.prefix`.
"""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path

UUID = "5f0f8d5e-2d5c-4c1c-9b2a-8d9f0e6f7a11"
VALUE = b"open sesame, please"
_XML = f"""<secret ephemeral='no' private='no'>
  <uuid>{UUID}</uuid>
</secret>
"""


def main(words: list[str]) -> None:
    """Write the secret's files, and become the daemon."""
    folder = Path(words[words.index("--root") + 1]) / "etc/secrets"
    if not (folder / f"{UUID}.xml").exists():
        folder.mkdir(parents=True)
        (folder / f"{UUID}.base64").write_bytes(base64.b64encode(VALUE))
        (folder / f"{UUID}.xml").write_text(_XML)
    os.execv(words[0], words)


if __name__ == "__main__":
    main(sys.argv[1:])
