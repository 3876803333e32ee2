"""The chains of all devices as they are in the kernel, and how they change: each time as one transaction.

What is there is known from what was put there. Where somebody else removed it (`nft flush ruleset`), a change fails
once, and the whole table is made anew.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from guesthouse.errors import LibvirtError, Origin, UnsupportedConfigError
from guesthouse.host import nft
from guesthouse.model.nwfilter.nft.chains import Chains
from guesthouse.model.nwfilter.nft.transaction import Installed, Tracking, Writer
from guesthouse.places import Places

log = logging.getLogger(__name__)

_TABLE: Final = "libvirt_nwfilter"
_BRIDGE_CALLS: Final = tuple(Path(f"/proc/sys/net/bridge/bridge-nf-call-{name}") for name in ("iptables", "ip6tables"))
_MOST: Final = 0xFFFF


def table_of(places: Places) -> str:
    """The name of the daemon's table; daemons under roots of their own have tables of their own."""
    if places.mode == "system":
        return _TABLE
    return f"{_TABLE}_{zlib.crc32(os.fsencode(places.state)):08x}"


class Kernel:
    """The daemon's table of nftables. Its caller sees to it that no two changes are under way at once."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._writer: Writer | None = None
        self._installed: dict[str, Installed] = {}
        #: Whether the kernel has what is `_installed`: not before the first transaction, nor after one whose end nobody
        #: saw.
        self._certain = False

    async def rebuild(self, devices: list[Chains]) -> None:
        """Make the table anew, with these devices. Raises `NftError`, `ChildError`, and what `change` refuses."""
        writer = await self._ready()
        wanted: dict[str, Installed] = {}
        for chains in devices:
            check(chains, writer.tracking)
            wanted[chains.device] = Installed(chains, len(wanted) + 1)
        await self._transact(writer.rebuilt(wanted.values()))
        self._installed = wanted

    async def change(self, devices: Mapping[str, Chains | None]) -> None:
        """Give devices other chains, or none. Nothing has changed where it raises.

        Raises `UnsupportedConfigError` for what this kernel lacks, `NftError` for what it refused, and `ChildError`.
        """
        writer = await self._ready()
        old = [self._installed[name] for name in devices if name in self._installed]
        taken = {one.number for one in self._installed.values()}
        free = (number for number in range(1, _MOST + 1) if number not in taken)
        new = []
        for name, chains in devices.items():
            if chains is not None:
                check(chains, writer.tracking)
                known = self._installed.get(name)
                new.append(Installed(chains, known.number if known is not None else next(free)))
        after = {name: one for name, one in self._installed.items() if name not in devices}
        after.update((one.chains.device, one) for one in new)
        if not old and not new:
            return
        if after and self._certain:
            await self._apply(writer, old, new, after)
        else:
            await self._transact(writer.rebuilt(after.values()))
        self._installed = after

    async def _apply(
        self, writer: Writer, old: list[Installed], new: list[Installed], after: Mapping[str, Installed]
    ) -> None:
        try:
            await self._transact(writer.changed(old, new))
        except nft.NftError as error:
            await self._transact(writer.rebuilt(after.values()))
            log.warning("the table '%s' was not as it was left, and is made anew: %s", self._table, error.message)

    async def _transact(self, text: str) -> None:
        certain, self._certain = self._certain, False
        try:
            await nft.apply(text)
        except nft.NftError:
            self._certain = certain  # it was refused as a whole
            raise
        self._certain = True

    async def _ready(self) -> Writer:
        if self._writer is None:
            self._writer = Writer(self._table, await self._probe())
        return self._writer

    async def _probe(self) -> Tracking:
        """Where this kernel knows the connections of bridged packets: tried in a table that is gone at once."""
        trial = f"{self._table}_trial"
        try:
            await nft.apply(
                f"add table bridge {trial}\nadd chain bridge {trial} trial\n"
                f"add rule bridge {trial} trial ct state new\ndelete table bridge {trial}\n"
            )
        except nft.NftError:
            return Tracking.INET if _bridges_call() else Tracking.NONE
        return Tracking.BRIDGE


def check(chains: Chains, tracking: Tracking) -> None:
    """Refuse what this kernel's bridges cannot do. Raises `UnsupportedConfigError`."""
    if chains.tracked and tracking is Tracking.NONE:
        raise _lacking(
            "rules with the state of connections",
            "load the kernel module nf_conntrack_bridge, or br_netfilter with net.bridge.bridge-nf-call-iptables=1 and "
            "bridge-nf-call-ip6tables=1",
        )
    if chains.rejected and tracking is not Tracking.INET:
        raise _lacking("action 'reject' for packets to a guest", "use action 'drop', or reject what guests send")


def _lacking(what: str, hint: str) -> LibvirtError:
    return UnsupportedConfigError(f"{what} cannot be had on this host's bridges", domain=Origin.NWFILTER, hint=hint)


def _bridges_call() -> bool:
    """Whether `br_netfilter` brings bridged packets to the tables of IP."""
    try:
        return all(path.read_text().strip() == "1" for path in _BRIDGE_CALLS)
    except OSError:
        return False
