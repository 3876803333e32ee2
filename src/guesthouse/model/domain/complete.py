"""Filling in what a definition leaves out, so that the guest has the same hardware on every host.

The rules are libvirt's (https://libvirt.org/formatdomain.html says what each element defaults to).
"""

from __future__ import annotations

from guesthouse.model.domain.defaults import Defaults
from guesthouse.model.domain.definition import Domain
from guesthouse.model.qemu_capabilities import QemuCapabilities


def complete(domain: Domain, qemu: QemuCapabilities, *, defaults: Defaults) -> None:
    """Fill in machine, emulator, processor, actions, implicit devices and addresses; then check what spans sections.

    Changes `domain` in place. Raises `XmlError` and `UnsupportedConfigError` with libvirt's texts.
    """
