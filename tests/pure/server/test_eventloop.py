from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from guesthouse.server import eventloop
eventloop.load()
assert "ssl" not in sys.modules
import asyncio
async def work():
    child = await asyncio.create_subprocess_exec("true")
    return await child.wait()
assert asyncio.run(work()) == 0
import guesthouse.server.start
import guesthouse.server.daemon
from guesthouse.drivers import connect, domain, storage
import guesthouse.drivers.domain.procedures.table
assert not {"ssl", "_hashlib"} & sys.modules.keys(), "something imports OpenSSL"
import ssl
assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
eventloop.load()
print("done")
"""


def test_openssl_is_only_loaded_when_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
