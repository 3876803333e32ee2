"""What the sections on processors, I/O threads and memory nodes say together, once a document was read.

libvirt reads these sections with knowledge of each other; here each is read alone, and this brings them into the form
that libvirt keeps and writes: processors and threads complete, pins and schedulers one each and in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.errors import UnsupportedConfigError
from guesthouse.model.binding import new
from guesthouse.model.domain import idmap, iothreads
from guesthouse.model.domain.numatune import NumaMemory, Numatune

if TYPE_CHECKING:
    from guesthouse.model.domain.definition import Domain


def settle(domain: Domain) -> None:
    """Bring the sections of a document that was just read into one form. Raises what they raise."""
    if domain.vcpus is not None:
        domain.vcpus.settle(domain.vcpu)
    if domain.iothreads is not None or domain.iothread_ids is not None:
        iothreads.settle(domain)
    if domain.cputune is not None:
        domain.cputune.settle(domain.vcpu.maximum, [thread.id for thread in iothreads.iothreads_of(domain)])
    if domain.numatune is not None or domain.vcpu.placement == "auto":
        _settle_numatune(domain)


def _settle_numatune(domain: Domain) -> None:
    """Libvirt's rules: processors that numad places take their memory from where numad says, and the other way round
    where nothing pins them.
    """
    static = domain.vcpu.placement != "auto"
    numatune = domain.numatune = domain.numatune or new(Numatune)
    if not static and numatune.memory is None:
        numatune.memory = new(NumaMemory, placement="auto")
    numa = domain.cpu.numa if domain.cpu is not None else None
    numatune.settle(static=static, cells=len(numa.cells) if numa is not None else 0)
    cputune = domain.cputune
    pinned = cputune is not None and (cputune.vcpupins or cputune.emulatorpin or cputune.iothreadpins)
    if numatune.automatic and domain.vcpu.cpuset is None and not pinned:
        domain.vcpu.placement = "auto"


def check(domain: Domain) -> None:
    """Raise a `LibvirtError` for settings of these sections that contradict each other."""
    if domain.vcpus is not None:
        domain.vcpus.check()
    if domain.idmap is not None:
        idmap.check(domain.idmap)
    iothreads.check(iothreads.iothreads_of(domain), domain.default_iothread)
    if domain.cputune is not None:
        domain.cputune.check()
    if domain.numatune is not None:
        domain.numatune.check()
    if domain.blkiotune is not None:
        paths: set[str] = set()
        for device in domain.blkiotune.devices:
            if device.path in paths:
                raise UnsupportedConfigError(f"duplicate blkio device path '{device.path}'")
            paths.add(device.path)
