"""The command line of passt, the program that carries a user-mode network outside of QEMU.

Source: passt(1); https://libvirt.org/formatdomain.html#userspace-connection-using-passt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guesthouse.model.domain.devices.interface.forwarding import PortForward, PortRange
from guesthouse.model.domain.devices.interface.netdev import passt_socket
from guesthouse.model.helper_programs import HelperProgram

if TYPE_CHECKING:
    from guesthouse.model.domain.devices.base import DeviceContext
    from guesthouse.model.domain.devices.interface.card import Interface

PROGRAM: Final = "passt"


def pid_file(interface: Interface, ctx: DeviceContext) -> str:
    """Where passt writes its process id."""
    return f"{ctx.passt_dir}/{ctx.short_name}-{interface.name}-passt.pid"


def program(interface: Interface, ctx: DeviceContext) -> HelperProgram:
    """The helper program: it goes into the background when its socket listens, and ends when QEMU closes it."""
    return HelperProgram(
        f"{interface.name}-passt", tuple(arguments(interface, ctx)), pid_file=pid_file(interface, ctx), package=PROGRAM
    )


def arguments(interface: Interface, ctx: DeviceContext) -> list[str]:
    """The whole command.

    The user and group of the sockets' directory are said where passt is started as root, because it else becomes
    `nobody` before it writes its process id. It confines itself in either case.
    """
    words = [PROGRAM] if ctx.run_as is None else [PROGRAM, "--runas", "{}:{}".format(*ctx.run_as)]
    if interface.type == "vhostuser":
        words.append("--vhost-user")
    words += ["--one-off", "--socket", passt_socket(interface, ctx), "--pid", pid_file(interface, ctx)]
    if interface.mtu is not None:
        words += ["--mtu", str(interface.mtu)]
    if interface.source is not None and interface.source.dev is not None:
        words += ["--interface", interface.source.dev]
    if interface.backend is not None and interface.backend.log_file is not None:
        words += ["--log-file", interface.backend.log_file]
    for ip in interface.ips:
        words += ["--address", ip.address]
        if ip.prefix and ip.family == "ipv4":
            words += ["--netmask", str(ip.prefix)]
    for forward in interface.forwards:
        words += [f"--{forward.proto}-ports", _ports(forward)]
    return words


def _ports(forward: PortForward) -> str:
    place = forward.address or ""
    if forward.dev is not None:
        place += f"%{forward.dev}"
    ports = ",".join(_range(item) for item in forward.ranges if item.start is not None) or "all"
    return f"{place}/{ports}" if place else ports


def _range(item: PortRange) -> str:
    start = item.start or 0
    text = f"~{start}" if item.exclude else str(start)
    if item.end is not None:
        text += f"-{item.end}"
    if item.to is not None:
        text += f":{item.to}"
        if item.end is not None:
            text += f"-{item.end + item.to - start}"
    return text
