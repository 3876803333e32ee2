"""Who has which address on a network: `net-dhcp-leases`."""

from __future__ import annotations

from guesthouse.cli.grammar import Command, Option
from guesthouse.cli.networks import find, network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.cli.context import Context
    from guesthouse.cli.grammar import Arguments
    from guesthouse.client.network import Lease

HEADING = ("Expiry Time", "MAC address", "Protocol", "IP address", "Hostname", "Client ID or DUID")
PROTOCOLS = ("ipv4", "ipv6")


def run_leases(context: Context, args: Arguments) -> None:
    """Print the leases of a network's DHCP server."""
    mac = args.text("mac")
    found = find(context, args)
    with context.during(f"Failed to get leases info for {args.need('network')}"):
        leases = found.leases(mac)
    leases.sort(key=lambda one: (one.mac or "").lower())
    if args.has("json"):
        context.dump([{**_entry(one)} for one in leases])
    else:
        context.table(HEADING, [_row(one) for one in leases])


def _row(lease: Lease) -> tuple[str, ...]:
    import time

    until = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lease.expirytime))
    address = f"{lease.ipaddr}/{lease.prefix}"
    return (until, lease.mac or "-", PROTOCOLS[lease.type], address, lease.hostname or "-", lease.clientid or "-")


def _entry(lease: Lease) -> dict[str, str | int | None]:
    return {
        "expiry": lease.expirytime,
        "mac": lease.mac,
        "protocol": PROTOCOLS[lease.type],
        "address": lease.ipaddr,
        "prefix": lease.prefix,
        "hostname": lease.hostname,
        "client": lease.clientid,
        "iaid": lease.iaid,
        "interface": lease.iface,
    }


COMMANDS = (
    Command(
        "net-dhcp-leases",
        "network",
        "print who has which address on a network",
        run_leases,
        (network(), Option("mac", "string", "of the card with this MAC address", loose=True)),
        description="Print the addresses that a network's DHCP server has lent, and to whom.",
        shape="[{expiry: seconds since 1970, mac, protocol: ipv4 or ipv6, address, prefix, hostname: text or null, …}]",
    ),
)
