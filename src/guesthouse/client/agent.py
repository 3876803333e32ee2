"""What a guest's agent does and tells, as the client asks for it.

The functions are libvirt's `virDomain…` under shorter names (https://libvirt.org/html/libvirt-libvirt-domain.html).
"""

from __future__ import annotations

from guesthouse.rpc.procedures import domain_agent as rpc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.domain import Domain
    from guesthouse.rpc.procedures.domain_agent import DomainFsinfo
    from guesthouse.rpc.types import TypedParam


def freeze(domain: Domain, mountpoints: list[str]) -> int:
    """Bring file systems to rest; returns how many."""
    args = rpc.DomainFsfreezeArgs(domain.handle, mountpoints, 0)
    return domain.connection.ask(rpc.DomainFsfreezeRet, rpc.DOMAIN_FSFREEZE, args).filesystems


def thaw(domain: Domain, mountpoints: list[str]) -> int:
    """Let file systems go on; returns how many."""
    args = rpc.DomainFsthawArgs(domain.handle, mountpoints, 0)
    return domain.connection.ask(rpc.DomainFsthawRet, rpc.DOMAIN_FSTHAW, args).filesystems


def trim(domain: Domain, mountpoint: str | None, minimum: int) -> None:
    """Have free blocks given back."""
    domain.connection.call(rpc.DOMAIN_FSTRIM, rpc.DomainFstrimArgs(domain.handle, mountpoint, minimum, 0))


def filesystems(domain: Domain) -> list[DomainFsinfo]:
    """The mounted file systems."""
    return domain.connection.ask(
        rpc.DomainGetFsinfoRet, rpc.DOMAIN_GET_FSINFO, rpc.DomainGetFsinfoArgs(domain.handle, 0)
    ).info


def information(domain: Domain, types: int) -> list[TypedParam]:
    """What the guest tells of itself (`virDomainGuestInfoTypes`; 0 is all)."""
    args = rpc.DomainGetGuestInfoArgs(domain.handle, types, 0)
    return domain.connection.ask(rpc.DomainGetGuestInfoRet, rpc.DOMAIN_GET_GUEST_INFO, args).params


def vcpus(domain: Domain) -> list[TypedParam]:
    """The vCPUs as the guest sees them."""
    args = rpc.DomainGetGuestVcpusArgs(domain.handle, 0)
    return domain.connection.ask(rpc.DomainGetGuestVcpusRet, rpc.DOMAIN_GET_GUEST_VCPUS, args).params


def set_vcpus(domain: Domain, numbers: str, on: bool) -> None:
    """Have the guest turn vCPUs on or off."""
    args = rpc.DomainSetGuestVcpusArgs(domain.handle, numbers, int(on), 0)
    domain.connection.call(rpc.DOMAIN_SET_GUEST_VCPUS, args)


def set_password(domain: Domain, user: str, password: str, *, hashed: bool) -> None:
    """Give a user of the guest a password."""
    args = rpc.DomainSetUserPasswordArgs(domain.handle, user, password, int(hashed))
    domain.connection.call(rpc.DOMAIN_SET_USER_PASSWORD, args)


def ssh_keys(domain: Domain, user: str) -> list[str]:
    """The keys with which a user of the guest may log in."""
    args = rpc.DomainAuthorizedSshKeysGetArgs(domain.handle, user, 0)
    return domain.connection.ask(rpc.DomainAuthorizedSshKeysGetRet, rpc.DOMAIN_AUTHORIZED_SSH_KEYS_GET, args).keys


def set_ssh_keys(domain: Domain, user: str, keys: list[str], flags: int) -> None:
    """Replace the keys (1: add these, 2: remove these)."""
    args = rpc.DomainAuthorizedSshKeysSetArgs(domain.handle, user, keys, flags)
    domain.connection.call(rpc.DOMAIN_AUTHORIZED_SSH_KEYS_SET, args)


def set_timeout(domain: Domain, seconds: int) -> None:
    """How long to wait for the agent (-2: for as long as it takes, -1: the default, 0: not at all)."""
    args = rpc.DomainAgentSetResponseTimeoutArgs(domain.handle, seconds, 0)
    domain.connection.call(rpc.DOMAIN_AGENT_SET_RESPONSE_TIMEOUT, args)
