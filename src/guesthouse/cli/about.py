"""What `--help`, `--version` and `-V` print."""

from __future__ import annotations

import sys

from guesthouse.cli.context import LIBVIRT_LEVEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.settings import Settings


def show(settings: Settings) -> None:
    """Print what the settings' task asks for."""
    if settings.task == "help":
        from guesthouse.cli.helptext import usage

        sys.stdout.write(usage(settings.program, ours=settings.ours))
    elif settings.task == "version":
        sys.stdout.write(f"{version(ours=settings.ours)}\n")
    else:
        sys.stdout.write(_about(settings))


def version(*, ours: bool) -> str:
    """Guesthouse's version; under virsh's name the release of libvirt that we stand in for."""
    from guesthouse import __version__

    return __version__ if ours else LIBVIRT_LEVEL


def _about(settings: Settings) -> str:
    if settings.ours:
        return (
            f"Guesthouse {version(ours=True)}, speaking libvirt {LIBVIRT_LEVEL}\n\n"
            "Transports: unix\nHypervisors: whatever the daemon runs\n"
        )
    return (
        f"Virsh command line tool of libvirt {LIBVIRT_LEVEL}\nSee web site at https://libvirt.org/\n\n"
        "Compiled with support for:\n Hypervisors: QEMU/KVM\n Networking: Remote\n Storage:\n"
        " Miscellaneous: Daemon Debug Readline\n"
    )
