"""What a type of pool does: attach its storage, let go of it, make it and remove it.

A back end is one object for one definition. It knows nothing of the registry or of clients; `actions` sees to states
and files before it calls. Every method that touches storage does so in child processes with a deadline and raises
`LibvirtError`. What it does for volumes is another object (`guesthouse.drivers.storage.backend.VolumeBackend`).

Source: https://libvirt.org/storage.html.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from guesthouse.drivers.storage.backend import VolumeBackend
from guesthouse.drivers.storage.backends import tools
from guesthouse.errors import Code, InvalidArgumentError, LibvirtError, Origin, UnsupportedConfigError
from guesthouse.model.domain.secrets import SecretLookup
from guesthouse.model.pool import Pool
from guesthouse.model.pool_source import PoolHost, Source

#: `virStoragePoolBuildFlags`.
NO_OVERWRITE = 4
OVERWRITE = 8


@dataclass(slots=True)
class Host:
    """What back ends need of the daemon: `secret` finds the values of secrets, once the drivers have met; `runtime` is
    a directory for what ends with the host.
    """

    secret: SecretLookup | None = None
    runtime: str = ""


class PoolBackend(ABC):
    """One pool of a type. `needs` are the programs without which no pool of the type can run."""

    needs: ClassVar[tuple[str, ...]] = ()
    #: Whether `delete` can remove the storage, and whether `build` takes flags.
    deletes: ClassVar[bool] = False
    builds: ClassVar[bool] = False
    #: Whether storage that was attached outlives the daemon, so that `check` can find it again.
    durable: ClassVar[bool] = True

    def __init__(self, definition: Pool, host: Host) -> None:
        self.definition = definition
        self.host = host

    @property
    def source(self) -> Source:
        """The definition's source."""
        source = self.definition.source
        if source is None:
            raise UnsupportedConfigError("storage pool without a source", domain=Origin.STORAGE)
        return source

    @abstractmethod
    def volumes(self) -> VolumeBackend:
        """What this type does for volumes."""

    async def check(self) -> bool:
        """Whether the storage is attached, which a daemon asks of a pool that was active when another ended."""
        return True

    async def start(self) -> None:  # noqa: B027 - most types have nothing to attach
        """Attach the storage. What is attached already is fine."""

    async def stop(self) -> str:
        """Let go of the storage, unless somebody uses it: a stopped pool disturbs no guest.

        Returns why it was left where it is; empty where nothing is left.
        """
        return ""

    async def build(self, flags: int) -> None:  # noqa: B027 - most types have nothing to make
        """Make what the pool needs. `flags` are `NO_OVERWRITE` and `OVERWRITE`."""

    async def delete(self) -> None:
        """Remove the storage. Only for types that say so in `deletes`."""
        raise no_support("pool does not support pool deletion")


def require_tools(kind: str, programs: Sequence[str]) -> None:
    """Refuse a type of pool whose programs are not installed, by name."""
    for program in programs:
        if not tools.installed(program):
            raise tools.MissingToolError(
                f"storage pool type '{kind}' needs the program '{program}', which is not installed",
                hint=f"install the package {tools.PACKAGES.get(program, program)}",
            )


def no_support(text: str) -> LibvirtError:
    """Error 3: this type of pool has no such thing."""
    return LibvirtError(text, code=Code.NO_SUPPORT, domain=Origin.STORAGE)


def build_flags(flags: int, function: str) -> None:
    """Refuse flags of a build that are unknown or contradict each other. `function` is libvirt's."""
    unknown = flags & ~(NO_OVERWRITE | OVERWRITE)
    if unknown:
        raise InvalidArgumentError(
            f"unsupported flags (0x{unknown:x}) in function {function}", domain=Origin.STORAGE, bare=True
        )
    if flags & NO_OVERWRITE and flags & OVERWRITE:
        raise InvalidArgumentError(
            "Flags 'VIR_STORAGE_POOL_BUILD_OVERWRITE' and 'VIR_STORAGE_POOL_BUILD_NO_OVERWRITE' are mutually exclusive",
            domain=Origin.STORAGE, bare=True,
        )  # fmt: skip


def one_host(source: Source, text: str = "Expected exactly 1 host for the storage pool") -> PoolHost:
    """The only server of a source. Raises `UnsupportedConfigError`."""
    if len(source.hosts) != 1:
        raise UnsupportedConfigError(text, domain=Origin.STORAGE)
    return source.hosts[0]


def one_device(source: Source) -> str:
    """The path of the only device of a source. Raises `LibvirtError`."""
    if not source.devices:
        raise LibvirtError("missing source device", code=Code.INTERNAL_ERROR, domain=Origin.STORAGE)
    if len(source.devices) > 1:
        raise UnsupportedConfigError("expected exactly 1 device for the storage pool", domain=Origin.STORAGE)
    return source.devices[0].path
