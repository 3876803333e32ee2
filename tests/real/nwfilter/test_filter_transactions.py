"""The daemon's table in a real kernel: changes that are refused, cut off, or made to something else than was left."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.support.daemon import need
from tests.support.netns import Namespace

pytestmark = pytest.mark.real

#: Runs in the namespace, and says what came of each change.
SCRIPT = """
import asyncio, subprocess

from guesthouse.drivers.nwfilter.kernel import Kernel
from guesthouse.errors import LibvirtError
from guesthouse.host import nft
from guesthouse.model.nwfilter.nft.chains import Chains

def chains(device, rule):
    return Chains(device, {"frames-out": f"frames-out/{device}"}, {f"frames-out/{device}": [rule]})

def say(what):
    found = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    said = [line.strip() for line in found.splitlines() if "ether type" in line or "goto" in line]
    print(what, " | ".join(said), flush=True)

async def main():
    kernel = Kernel("filters")
    subprocess.run(["nft", "add table bridge filters; add chain bridge filters left-over"], check=True)
    await kernel.change({"one": chains("one", "ether type arp drop"), "two": chains("two", "ether type ip drop")})
    say("two:")
    print("left" if "left-over" in subprocess.getoutput("nft list ruleset") else "clean")
    try:
        await kernel.change({"one": chains("one", "ether type ip6 drop"), "two": chains("two", "nonsense")})
    except nft.NftError:
        say("refused:")
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    await kernel.change({"one": chains("one", "ether type ip6 drop")})
    say("flushed:")
    task = asyncio.ensure_future(kernel.change({"one": chains("one", "ether type 0x88cc drop")}))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    await kernel.change({"two": chains("two", "ether type arp accept")})
    say("cut off:")
    await kernel.change({"one": None})
    say("one:")
    await kernel.change({"one": None, "two": None})
    say("none:")

asyncio.run(main())
"""


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    need("nft", "unshare", "nsenter")
    made = Namespace()
    try:
        made.need("nft add table bridge trial && nft delete table bridge trial", "the kernel cannot filter on bridges")
        yield made
    finally:
        made.close()


def test_changes_are_whole(namespace: Namespace) -> None:
    said = namespace.run(f"exec {sys.executable} - <<'end'\n{SCRIPT}\nend").splitlines()
    elements = 'elements = { "one" : goto frames-out/one,'
    told = {line.partition(":")[0]: line for line in said}
    assert "clean" in said
    for what, rules in (
        ("two", ("ether type arp drop", "ether type ip drop")),
        ("refused", ("ether type arp drop", "ether type ip drop")),
        ("flushed", ("ether type ip6 drop", "ether type ip drop")),
        ("cut off", ("ether type ip6 drop", "ether type arp accept")),
    ):
        assert elements in told[what]
        assert sorted(word for word in told[what].split(" | ") if word.startswith("ether")) == sorted(rules)
    assert told["one"].count("goto") == 1
    assert told["none"] == "none: "
