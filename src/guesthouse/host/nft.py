"""The kernel's packet filter: rules as one transaction, through the program `nft`.

Source: nft(8).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from guesthouse.errors import OperationFailedError
from guesthouse.host.child import run

PROGRAM: Final = "nft"
_DEADLINE: Final = 60.0


class NftError(OperationFailedError):
    """The kernel or `nft` refused the rules; none of them is in force."""


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that packets come to by themselves."""

    family: str
    table: str
    name: str
    hook: str
    policy: str


async def apply(text: str) -> None:
    """Do all orders of `text`, or none. Raises `NftError` with what nft said, and `ChildError` where it cannot run."""
    finished = await run([PROGRAM, "-f", "-"], deadline=_DEADLINE, data=text.encode())
    if not finished.ok:
        said = finished.error_text.splitlines()
        raise NftError(f"Failed to apply firewall rules: {said[0][:500] if said else finished.exit}")


async def base_chains() -> list[BaseChain]:
    """All chains with a hook. Raises `NftError` and `ChildError`."""
    finished = await run([PROGRAM, "-j", "list", "chains"], deadline=_DEADLINE)
    if not finished.ok:
        raise NftError(f"cannot list the firewall's chains: {finished.error_text[-500:]}")
    try:
        entries = json.loads(finished.output)["nftables"]
        chains = [entry["chain"] for entry in entries if "chain" in entry]
        return [
            BaseChain(chain["family"], chain["table"], chain["name"], chain["hook"], chain.get("policy", "accept"))
            for chain in chains
            if "hook" in chain
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise NftError(f"nft's list of chains is not understood: {error}") from error
