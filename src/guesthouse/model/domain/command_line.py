"""A guest's definition as QEMU's command line."""

from __future__ import annotations

from guesthouse.model.domain.definition import Domain
from guesthouse.model.domain.launch import CommandLine, LaunchContext


def realise(domain: Domain, launch: LaunchContext) -> CommandLine:
    """The command line of a completed `domain` whose aliases are assigned.

    In libvirt's order. The monitor is the launcher's: its arguments stand where `launch.monitor` puts them.
    """
    return CommandLine([])
