"""The command's fast path loads no module that costs more than what it does with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import guesthouse

#: What a plain list or lookup needs of the protocol.
PROGRAM = """
import sys
before = set(sys.modules)
from guesthouse.rpc import client, packet, procedure, xdr
from guesthouse.rpc.procedures import connect, domain
args = domain.DomainLookupByNameArgs("web1")
serial, sent = client.ClientProtocol().call(domain.DOMAIN_LOOKUP_BY_NAME, args)
assert domain.DomainLookupByNameArgs.decode(sent, packet.HEADER_SIZE) == args
print(*sorted(set(sys.modules) - before))
"""

ALLOWED = {"__future__", "_struct", "struct", "guesthouse", "guesthouse.errors"}


def test_the_fast_path_imports_nothing_slow() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": str(Path(guesthouse.__file__).parents[1])},
    )
    assert done.stderr == ""
    loaded = set(done.stdout.split())
    assert "guesthouse.rpc.codegen" not in loaded
    assert {name for name in loaded if not name.startswith("guesthouse.rpc")} <= ALLOWED
    families = {name for name in loaded if name.startswith("guesthouse.rpc.procedures.")}
    assert families == {"guesthouse.rpc.procedures.connect", "guesthouse.rpc.procedures.domain"}
