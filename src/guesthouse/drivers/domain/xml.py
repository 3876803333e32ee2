"""A guest's XML as clients see it, formatted once and kept until something changes.

Flags: libvirt's `virDomainXMLFlags`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guesthouse.drivers.domain.guest import Guest
from guesthouse.drivers.flags import check
from guesthouse.model.binding import Style
from guesthouse.model.cpu_from_qemu import host_model
from guesthouse.model.domain.complete import find_emulator
from guesthouse.model.domain.cpu_resolving import update
from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.document import copy, format_domain
from guesthouse.model.domain.migratable import leave_out_implicit
from guesthouse.model.qemu_capabilities import KVM, TCG

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests

SECURE = 1
INACTIVE = 2
UPDATE_CPU = 4
MIGRATABLE = 8


def describe(driver: Guests, guest: Guest, flags: int) -> str:
    """The guest's XML. Without flags that of the running guest, where it runs.

    `MIGRATABLE` shows the processor that the running guest was defined with, and no implicit devices.
    `UPDATE_CPU` shows what the processor of a guest that is off would become on this host.
    Raises for unknown flags, and what `cpu_resolving.update` raises.
    """
    known = guest.texts.get(flags)
    if known is not None:
        return known
    check(flags, SECURE | INACTIVE | UPDATE_CPU | MIGRATABLE, "qemuDomainGetXMLDesc")
    live = guest.active and not flags & INACTIVE
    domain = guest.current if live else guest.next_boot
    migratable = bool(flags & MIGRATABLE)  # for another host: nothing of this run, all secrets
    if not live and flags & UPDATE_CPU:
        domain = _updated(driver, domain)
    if migratable:
        domain = copy(domain)
        if live and guest.run is not None:
            domain.cpu = guest.run.defined_cpu or domain.cpu
        leave_out_implicit(domain, guest.definition)
    style = Style(live=live and not migratable, secure=migratable or bool(flags & SECURE), migratable=migratable)
    text = format_domain(domain, style)
    guest.texts[flags] = text
    return text


def _updated(driver: Guests, domain: Domain) -> Domain:
    defaults = driver.settings.defaults
    qemu = driver.emulators.known(find_emulator(domain, defaults))
    if domain.cpu is None or qemu is None:
        return domain
    domain = copy(domain)
    if domain.cpu is not None:
        native = domain.os.arch == defaults.host_arch
        update(domain.cpu, host_model(qemu, domain.type if domain.type == KVM else TCG) if native else None)
    return domain
