"""A guest's processors and I/O threads on QEMU's command line: `-smp`, and the objects of threads.

Options: QEMU's manual page, `-smp`.
"""

from __future__ import annotations

from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.iothreads import iothreads_of
from guesthouse.model.domain.vcpu import at_boot


def smp_arguments(domain: Domain) -> list[str]:
    """`-smp`: how many processors are there from the start, how many there may be, and of what they are made."""
    vcpu = domain.vcpu
    count = at_boot(vcpu, domain.vcpus)
    words = [str(count)]
    if count != vcpu.maximum:
        words.append(f"maxcpus={vcpu.maximum}")
    topology = domain.cpu.topology if domain.cpu is not None else None
    if topology is None:
        words += [f"sockets={vcpu.maximum}", "cores=1", "threads=1"]
    else:
        words += [
            f"sockets={topology.sockets}",
            f"dies={topology.dies}",
            f"clusters={topology.clusters}",
            f"cores={topology.cores}",
            f"threads={topology.threads}",
        ]
    return ["-smp", ",".join(words)]


def iothread_arguments(domain: Domain) -> list[str]:
    """The objects of the I/O threads, and of the main loop where its threads are limited."""
    made = [item for thread in iothreads_of(domain) for item in thread.objects()]
    made += domain.default_iothread.objects() if domain.default_iothread is not None else []
    return [word for item in made for word in item.arguments()]
