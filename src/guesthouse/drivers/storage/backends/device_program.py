"""Look at block devices and print as JSON what they are.

A program of its own, standard library only: a device that does not answer then hangs a process that can be killed. Its
arguments are paths. The answer has for each its `size`, `mode`, `uid`, `gid` and `times`, or null where it cannot be
opened: gone, an extended partition, a drive without a medium.
"""

from __future__ import annotations

import json
import os
import stat
import sys


def look(path: str) -> dict[str, object] | None:
    """One device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        facts = os.fstat(descriptor)
        if not (stat.S_ISBLK(facts.st_mode) or stat.S_ISREG(facts.st_mode)):
            return None
        return {
            "size": os.lseek(descriptor, 0, os.SEEK_END),
            "mode": stat.S_IMODE(facts.st_mode) & 0o777,
            "uid": facts.st_uid,
            "gid": facts.st_gid,
            "times": [facts.st_atime_ns, facts.st_mtime_ns, facts.st_ctime_ns],
        }
    except OSError:
        return None
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    print(json.dumps([look(path) for path in sys.argv[1:]]))
