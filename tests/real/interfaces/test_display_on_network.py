"""A display that listens on a virtual network: the address is looked up when the guest starts."""

from __future__ import annotations

from pathlib import Path

from tests.support.daemon import need
from tests.support.netns import Namespace
from tests.support.tiny_console import define

NETWORK = "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>"
DISPLAY = "<graphics type='vnc' port='-1' autoport='yes'><listen type='network' network='{}'/></graphics>"


def test_a_display_on_a_network(tmp_path: Path) -> None:
    need("ip", "unshare", "nsenter")
    namespace = Namespace()
    daemon = namespace.daemon(tmp_path / "root")
    try:
        namespace.need("ip link add br0 type bridge && ip link set br0 up", "the kernel has no bridges")
        daemon.start()
        define(daemon, "lost", DISPLAY.format("nowhere"))
        refused = daemon.virsh("start", "lost", check=False).stderr
        assert "Network not found: no network with matching name 'nowhere'" in refused

        document = tmp_path / "lan.xml"
        document.write_text(NETWORK)
        daemon.virsh("net-define", str(document))
        define(daemon, "web", DISPLAY.format("lan"))
        refused = daemon.virsh("start", "web", check=False).stderr
        assert "no IP address found for interface 'br0'" in refused

        namespace.run("ip address add 192.0.2.9/24 dev br0")
        shown = daemon.virsh("domxml-to-native", "qemu-argv", "--domain", "web").stdout
        assert "-vnc 192.0.2.9:0" in shown
        daemon.virsh("start", "web")
        running = daemon.virsh("dumpxml", "web").stdout
        assert "listen='192.0.2.9'" in running
        assert "<listen type='network' address='192.0.2.9' network='lan'/>" in running
        assert "192.0.2.9:59" in namespace.run("ss -ltn")
        assert "<listen type='network' network='lan'/>" in daemon.virsh("dumpxml", "--inactive", "web").stdout

        daemon.kill()  # the next daemon knows the address from the guest's files
        daemon.start()
        assert daemon.virsh("dumpxml", "web").stdout == running
    finally:
        daemon.stop()
        namespace.close()
