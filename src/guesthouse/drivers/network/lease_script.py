"""What dnsmasq calls when it lends an address: keeps the leases of a bridge in `BRIDGE.status`, and tells them again.

It is a program of its own (it runs long after the daemon that started dnsmasq may have ended) and imports nothing of
this package. dnsmasq keeps no leases itself (`--leasefile-ro`): it asks for them when it starts. The file is libvirt's,
so that its NSS module finds guests by their names.

    lease_script.py DIRECTORY add|old|del ADDRESS-OF-CARD IP [NAME]
    lease_script.py DIRECTORY init

Source: dnsmasq(8), `--dhcp-script`; https://libvirt.org/nss.html.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence

Lease = dict[str, "str | int"]


def changed(leases: Sequence[Lease], words: Sequence[str], env: Mapping[str, str]) -> list[Lease]:
    """The leases after `words`: `add`, `old` or `del`, whose card, its address and perhaps its name.

    A lease of IPv6 whose card is not known is not kept: nobody could tell whose it is.
    """
    action, card, address = words[:3]
    lease = _lease(card, address, words[3] if len(words) > 3 else None, env) if action != "del" else None
    if action != "del" and lease is None:
        return list(leases)
    kept = [one for one in leases if one["ip-address"] != address]
    return [*kept, lease] if lease is not None else kept


def _lease(card: str, address: str, name: str | None, env: Mapping[str, str]) -> Lease | None:
    iaid, client = env.get("DNSMASQ_IAID"), env.get("DNSMASQ_CLIENT_ID")
    mac: str | None = card
    if iaid is not None:
        mac, client = env.get("DNSMASQ_MAC"), card
    if mac is None:
        return None
    name = name or env.get("DNSMASQ_SUPPLIED_HOSTNAME") or env.get("DNSMASQ_OLD_HOSTNAME")
    found = {
        "iaid": iaid,
        "ip-address": address,
        "mac-address": mac,
        "hostname": name,
        "client-id": client,
        "server-duid": env.get("DNSMASQ_SERVER_DUID"),
        "expiry-time": int(env.get("DNSMASQ_LEASE_EXPIRES", "0").strip() or 0),
    }
    return {key: value for key, value in found.items() if value is not None}


def told(leases: Sequence[Lease]) -> str:
    """The leases in dnsmasq's own form, with which it starts."""
    lines = [_line(one, "mac-address") for one in leases if ":" not in str(one["ip-address"])]
    later = [one for one in leases if ":" in str(one["ip-address"]) and "iaid" in one]
    server = next((one["server-duid"] for one in later if "server-duid" in one), None)
    if server is not None:
        lines += [f"duid {server}", *(_line(one, "iaid") for one in later)]
    return "".join(line + "\n" for line in lines)


def _line(lease: Lease, who: str) -> str:
    fields = (lease["expiry-time"], lease[who], lease["ip-address"], lease.get("hostname"), lease.get("client-id"))
    return " ".join("*" if field is None else str(field) for field in fields)


def read(path: str) -> list[Lease]:
    """The leases of a file; none where there is no such file, or it is not understood."""
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return []
    if not isinstance(found, list):
        return []
    return [one for one in found if isinstance(one, dict) and {"ip-address", "mac-address", "expiry-time"} <= set(one)]


def write(path: str, leases: Sequence[Lease]) -> None:
    """Put the leases into a file, whole or not at all."""
    temporary = f"{path}.{os.getpid()}.new"
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            json.dump(list(leases), file, indent=2)
            file.write("\n")
            os.fchmod(file.fileno(), 0o644)
        os.rename(temporary, path)
    except BaseException:  # also when dnsmasq ends it: the temporary file must not stay
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def main(words: Sequence[str], env: Mapping[str, str]) -> int:
    """Do what dnsmasq asks; what it reports besides leases is not for us. Returns the exit status."""
    bridge = env.get("DNSMASQ_INTERFACE") or env.get("VIR_BRIDGE_NAME")
    if len(words) < 2 or not bridge:
        sys.stderr.write("usage: lease_script.py DIRECTORY ACTION [CARD IP [NAME]], with VIR_BRIDGE_NAME set\n")
        return 1
    path = os.path.join(words[0], f"{bridge}.status")
    if words[1] == "init":
        sys.stdout.write(told(read(path)))
    elif words[1] in ("add", "old", "del") and len(words) >= 4:
        write(path, changed(read(path), words[1:], env))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
