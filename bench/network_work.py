"""The measures about virtual networks: starting and stopping them. A part of `worker.py`'s client."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import libvirt

URI, TAG = sys.argv[1], sys.argv[4]


def network_xml(number: int) -> str:
    """A network with NAT, DHCP and DNS on a bridge of its own."""
    return f"""<network>
  <name>{TAG}-{number}</name>
  <forward mode='nat'/>
  <bridge name='virbr{100 + number}'/>
  <ip address='10.201.{number}.1' netmask='255.255.255.0'>
    <dhcp><range start='10.201.{number}.2' end='10.201.{number}.254'/></dhcp>
  </ip>
</network>"""


class NetworkWork:
    """The measures; each returns seconds a call. Those of the end are taken by the start before."""

    def __init__(self) -> None:
        super().__init__()
        self.network_ends: list[float] = []
        self.network_many_ends: list[float] = []

    def net_start(self, count: int) -> list[float]:
        """One network, started and stopped again and again."""
        network = libvirt.open(URI).networkDefineXML(network_xml(0))
        starts: list[float] = []
        self.network_ends = []
        for _ in range(count):
            for samples, call in ((starts, network.create), (self.network_ends, network.destroy)):
                begun = time.perf_counter()
                call()
                samples.append(time.perf_counter() - begun)
        network.undefine()
        return starts

    def net_destroy(self, _count: int) -> list[float]:
        """As `net_start` has measured it."""
        return self.network_ends

    def net_start_many(self, count: int) -> list[float]:
        """Many networks, started at once by as many clients."""
        connections = [libvirt.open(URI) for _ in range(count)]
        networks = [one.networkDefineXML(network_xml(number)) for number, one in enumerate(connections)]
        failures: list[str] = []
        started = _all([network.create for network in networks], failures)
        self.network_many_ends = [_all([network.destroy for network in networks], failures)]
        for network in networks:
            network.undefine()
        if failures:
            raise RuntimeError(failures[0])
        return [started]

    def net_destroy_many(self, _count: int) -> list[float]:
        """As `net_start_many` has measured it."""
        return self.network_many_ends


def _all(calls: list[Callable[[], object]], failures: list[str]) -> float:
    def attempt(call: Callable[[], object]) -> None:
        try:
            call()
        except libvirt.libvirtError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=attempt, args=(call,)) for call in calls]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - begun
