"""Settings of the kernel below `/proc/sys`: whether the host forwards packets, and how a device does IPv6.

Every function blocks for as long as the kernel needs, and raises OSError. Linux alone.

Source: the kernel's `Documentation/networking/ip-sysctl.rst`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_ROOT: Final = Path("/proc/sys/net")
_IPV4: Final = _ROOT / "ipv4/ip_forward"
_IPV6: Final = _ROOT / "ipv6/conf/all/forwarding"
_ROUTES: Final = Path("/proc/net/ipv6_route")
#: Of a route's flags: it came with a router's advertisement.
_ADVERTISED: Final = 0x00040000
_ACCEPT_ALWAYS: Final = "2"


def forward(*, ipv4: bool, ipv6: bool) -> None:
    """Let the host forward packets. What is on already is not touched, so that nobody else's wish is overwritten."""
    for path, wanted in ((_IPV4, ipv4), (_IPV6, ipv6)):
        if wanted and path.read_text().strip() == "0":
            path.write_text("1\n")


def losing_routes() -> list[str]:
    """The devices whose IPv6 routes the kernel would drop once the host forwards: their router told them."""
    if not _ROUTES.exists():
        return []
    names = set()
    for line in _ROUTES.read_text().splitlines():
        fields = line.split()
        if int(fields[8], 16) & _ADVERTISED:
            names.add(fields[9])
    return sorted(name for name in names if _accepting(name) != _ACCEPT_ALWAYS)


def _accepting(device: str) -> str:
    path = _ROOT / "ipv6/conf" / device / "accept_ra"
    return path.read_text().strip() if path.exists() else _ACCEPT_ALWAYS


def set_up_ipv6(device: str, *, on: bool) -> None:
    """Let a device have IPv6 addresses, or none; it never listens to routers. Nothing where the kernel has no IPv6."""
    folder = _ROOT / "ipv6/conf" / device
    if not folder.is_dir():
        return
    for name, value in (("disable_ipv6", "0" if on else "1"), ("accept_ra", "0"), ("autoconf", "0")):
        (folder / name).write_text(value + "\n")


def listen_to_routers(device: str, *, on: bool) -> None:
    """Let a device take addresses and routes from routers, or not. Nothing where the kernel has no IPv6."""
    folder = _ROOT / "ipv6/conf" / device
    if not folder.is_dir():
        return
    for name in ("accept_ra", "autoconf"):
        (folder / name).write_text("1\n" if on else "0\n")
