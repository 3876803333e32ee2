"""What of a definition this daemon can enforce on the guest that it starts, and what has to be done before it runs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from guesthouse.drivers.domain.run import Run
from guesthouse.drivers.domain.tuning import housing, threads
from guesthouse.errors import UnsupportedConfigError
from guesthouse.host.mempolicy import memory_policy
from guesthouse.model.domain.definition import Domain

if TYPE_CHECKING:
    from guesthouse.drivers.domain.guests import Guests


def _limits_memory(domain: Domain) -> bool:
    return domain.memtune is not None and any(
        getattr(domain.memtune, name) is not None for name in threads.MEMORY_LIMITS
    )


def _limits_disks(domain: Domain) -> bool:
    tune = domain.blkiotune
    return tune is not None and (tune.weight is not None or any(device.limits for device in tune.devices))


def _limits_time(domain: Domain) -> bool:
    return domain.cputune is not None and domain.cputune.limits_time


def _has_partition(domain: Domain) -> bool:
    """Whether the definition puts the guest somewhere of its own in the tree of control groups."""
    return domain.resource is not None and domain.resource.partition not in (None, housing.PARTITION)


def is_wanted(domain: Domain) -> bool:
    """Whether the guest must not run before its settings are applied."""
    return (
        domain.cputune is not None
        or domain.vcpu.allowed is not None
        or domain.numatune is not None
        or _has_partition(domain)
        or _limits_memory(domain)
        or _limits_disks(domain)
    )


def check(driver: Guests, domain: Domain) -> None:
    """Raise `UnsupportedConfigError` for settings that this daemon cannot enforce."""
    where = driver.housing
    if where.hierarchies is not None:
        group = where.hierarchies.group("/")
        missing = {name for name in ("memory", "blkio", "cpu", "cpuset") if not group.has(name)}
    else:
        missing = {"memory", "blkio", "cpu", "cpuset"}
    reason = "on this host" if where.privileged else "in session mode"
    if domain.resource is not None and domain.resource.fibre_channel_id is not None:
        raise UnsupportedConfigError(
            "<fibrechannel> is not supported: nothing marks the guest's frames", hint="remove <fibrechannel>"
        )
    if where.hierarchies is None and _has_partition(domain):
        raise UnsupportedConfigError(f"Resource partitions are not available {reason}", hint="remove <resource>")
    memory = "Memory cgroup is" if where.privileged else "Memory tuning is"
    if "memory" in missing and _limits_memory(domain):
        raise UnsupportedConfigError(f"{memory} not available {reason}", hint="remove <memtune>")
    if "blkio" in missing and _limits_disks(domain):
        raise UnsupportedConfigError(f"Block I/O tuning is not available {reason}", hint="remove <blkiotune>")
    if "cpu" in missing and _limits_time(domain):
        raise UnsupportedConfigError(
            f"CPU tuning is not available {reason}", hint="remove shares, periods and quotas from <cputune>"
        )
    numa = domain.numatune.policy() if domain.numatune is not None else None
    if "cpuset" in missing and numa is not None and numa[0] == "restrictive":
        raise UnsupportedConfigError(f"NUMA tuning is not available {reason}", hint="use another mode in <numatune>")


def policy(driver: Guests, run: Run) -> contextlib.AbstractContextManager[None]:
    """The memory policy under which QEMU is to be spawned; none where control groups see to it."""
    wanted = run.live.numatune.policy() if run.live.numatune is not None else None
    mode, nodes = wanted if wanted is not None else ("", frozenset())
    nodes = nodes or run.advised_nodes or nodes
    if not nodes:
        return contextlib.nullcontext()
    grouped = driver.housing.hierarchies is not None and driver.housing.hierarchies.group("/").has("cpuset")
    if grouped and mode in ("strict", "restrictive"):
        return contextlib.nullcontext()
    return memory_policy(mode, nodes)
