"""A writer of several files of the host's configuration that is killed at any instant: all of them, or none."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from guesthouse.drivers.interface.configuration import Configuration
from guesthouse.drivers.interface.formats.networkd import Networkd

FILES = [f"systemd/network/{number}.network" for number in range(4)]
#: Writes one text to all files, then another, for ever.
WRITER = """
import sys
from itertools import count
from pathlib import Path
from guesthouse.drivers.interface.configuration import Configuration
from guesthouse.drivers.interface.formats.networkd import Networkd

etc = Path(sys.argv[1])
configuration = Configuration(Networkd(), etc / "etc", etc / "lib/change.json")
print("begun", flush=True)
for number in count():
    configuration.apply(configuration.files(), {path: f"[Match]\\nName=e{number}\\n" for path in sys.argv[2:]})
"""


def test_all_files_or_none(tmp_path: Path) -> None:
    configuration = Configuration(Networkd(), tmp_path / "etc", tmp_path / "lib/change.json")
    recovered = 0
    for turn in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), *FILES], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"begun\n"
        time.sleep(0.002 * turn)
        writer.kill()
        writer.wait(10)
        writer.stdout.close()
        recovered += configuration.recover()
        texts = set(configuration.files().values())
        assert len(configuration.files()) in (0, len(FILES))
        assert len(texts) <= 1
        assert not (tmp_path / "lib/change.json").exists()
    assert recovered, "no writer was killed at work"
