"""Jobs on a guest's disks, as the client asks for them: pulling, committing, copying.

The functions are libvirt's `virDomainBlock…` under shorter names
(https://libvirt.org/html/libvirt-libvirt-domain.html). Limits are in MiB a second unless a flag says bytes.
"""

from __future__ import annotations

from guesthouse.rpc.procedures import domain_block as rpc
from guesthouse.rpc.types import uint_param, ullong_param

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guesthouse.client.domain import Domain


class BlockJobInfo:
    """How far a job is: `virDomainBlockJobType`, the limit, bytes done and to do altogether."""

    __slots__ = ("bandwidth", "done", "kind", "total")

    def __init__(self, kind: int, bandwidth: int, done: int, total: int) -> None:
        self.kind = kind
        self.bandwidth = bandwidth
        self.done = done
        self.total = total


def pull(domain: Domain, disk: str, bandwidth: int, flags: int) -> None:
    """Pull everything that the disk's image lies on into it."""
    domain.connection.call(rpc.DOMAIN_BLOCK_PULL, rpc.DomainBlockPullArgs(domain.handle, disk, bandwidth, flags))


def rebase(domain: Domain, disk: str, base: str | None, bandwidth: int, flags: int) -> None:
    """Pull everything above `base`, or with the flag 8 copy the disk to the file `base`."""
    args = rpc.DomainBlockRebaseArgs(domain.handle, disk, base, bandwidth, flags)
    domain.connection.call(rpc.DOMAIN_BLOCK_REBASE, args)


def commit(domain: Domain, disk: str, base: str | None, top: str | None, bandwidth: int, flags: int) -> None:
    """Commit the images from `top` down into `base`."""
    args = rpc.DomainBlockCommitArgs(domain.handle, disk, base, top, bandwidth, flags)
    domain.connection.call(rpc.DOMAIN_BLOCK_COMMIT, args)


def copy(domain: Domain, disk: str, destination: str, tuning: dict[str, int], flags: int) -> None:
    """Copy the disk to what the document `destination` describes.

    `tuning` has the `bandwidth` in bytes a second, the `granularity` and the `buf-size` in bytes; 0 says nothing.
    """
    params = [
        (uint_param if name == "granularity" else ullong_param)(name, value) for name, value in tuning.items() if value
    ]
    args = rpc.DomainBlockCopyArgs(domain.handle, disk, destination, params, flags)
    domain.connection.call(rpc.DOMAIN_BLOCK_COPY, args)


def abort(domain: Domain, disk: str, flags: int) -> None:
    """End the job on the disk: abort it, or with the flag 2 let it pivot; with the flag 1 without waiting."""
    domain.connection.call(rpc.DOMAIN_BLOCK_JOB_ABORT, rpc.DomainBlockJobAbortArgs(domain.handle, disk, flags))


def info(domain: Domain, disk: str, flags: int) -> BlockJobInfo | None:
    """The job on the disk, None where there is none; with the flag 1 the limit is in bytes."""
    args = rpc.DomainGetBlockJobInfoArgs(domain.handle, disk, flags)
    ret = domain.connection.ask(rpc.DomainGetBlockJobInfoRet, rpc.DOMAIN_GET_BLOCK_JOB_INFO, args)
    return BlockJobInfo(ret.type, ret.bandwidth, ret.cur, ret.end) if ret.found else None


def set_speed(domain: Domain, disk: str, bandwidth: int, flags: int) -> None:
    """Limit the job on the disk."""
    args = rpc.DomainBlockJobSetSpeedArgs(domain.handle, disk, bandwidth, flags)
    domain.connection.call(rpc.DOMAIN_BLOCK_JOB_SET_SPEED, args)
